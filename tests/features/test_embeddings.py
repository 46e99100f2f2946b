from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kpipe.errors import UsageError
from kpipe.features.embeddings import MeanWordVectors, find_word_vectors
from tests.word_vectors import COLD, WARM, made_up_vectors


def test_a_text_is_the_mean_of_its_words_at_length_one(tmp_path: Path) -> None:
    files = find_word_vectors(str(made_up_vectors(tmp_path)))
    assert files is not None
    texts = np.asarray([f"{WARM[0]} {WARM[1]}", f"{WARM[0]} {COLD[0]}", ""], dtype=object)
    found = MeanWordVectors(files).fit(texts).transform(texts)
    assert found == pytest.approx(np.array([[1, 0], [np.sqrt(0.5), np.sqrt(0.5)], [0, 0]]), abs=1e-3)


def test_a_folder_that_lacks_a_file_is_refused_naming_it(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(UsageError, match=r"got 1 \*.safetensors, and tokenizer.json is missing"):
        find_word_vectors(str(tmp_path))


def test_a_network_is_not_taken_for_word_vectors(tmp_path: Path) -> None:
    save_file({"a": np.zeros((2, 2), np.float32), "b": np.zeros(2, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "tokenizer.json").touch()
    with pytest.raises(UsageError, match="holds 2 tensors: word vectors are one table"):
        find_word_vectors(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(bytes(2000))
    with pytest.raises(UsageError, match="not a plain weights file: SafetensorError"):
        find_word_vectors(str(tmp_path))


def test_without_the_package_there_are_no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpipe.features.embeddings.find_spec", lambda name: None)
    assert find_word_vectors() is None


def test_the_vectors_of_the_package_are_read_without_a_network() -> None:
    pytest.importorskip("wordllama")
    files = find_word_vectors()
    assert files is not None
    found = MeanWordVectors(files).transform(np.asarray(["a flood", "an inundation", "a cheap laptop"], dtype=object))
    assert found.shape == (3, 256)
    assert found[0] @ found[1] > found[0] @ found[2]
