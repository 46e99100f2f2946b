"""Pretrained weights that a competition's models may use: inferred from its columns and what is on the machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.models import model
from kpipe.problem.competition import Competition
from kpipe.problem.inference.weights import infer_weights
from tests.tables import tables
from tests.word_vectors import made_up_vectors

TEXTS = ["the ship sails at dawn", "nobody saw it leave port", "a storm was on its way", "all of them came home late"]


def infer(place: str | None, *, text: bool = True):
    frame = pd.DataFrame({"id": range(4), "x": TEXTS if text else np.arange(4.0), "y": [0, 1, 0, 1]})
    sample = frame[["id", "y"]]
    competition = Competition(slug="texts", columns=("x",), weights=place)
    return infer_weights(competition, tables(frame, frame[["id", "x"]], sample))


def test_word_vectors_are_named_with_hash_and_licence_and_reach_the_model(tmp_path: Path) -> None:
    folder = made_up_vectors(tmp_path)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    fields, reason = infer(str(folder))
    found = fields["weights"]["text"]
    assert (found.architecture, found.licence, len(found.sha256)) == ("word vectors", "mit", 64)
    assert reason.text == "word vectors, model.safetensors of --weights, licence mit"
    made = model("text")(Context(task="classification", n_classes=2, weights=fields["weights"]))
    assert made[-1].vectors == (folder / "model.safetensors", folder / "tokenizer.json", found.sha256)


def test_none_uses_no_word_vectors() -> None:
    fields, _ = infer("none")
    assert fields["weights"] == {"text": None, "sentences": None}
    assert model("text")(Context(task="classification", n_classes=2, weights=fields["weights"]))[-1].vectors is None


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "resnet18.safetensors").write_bytes(bytes(2000))
    with pytest.raises(UsageError, match=r"must hold one file \*.safetensors and tokenizer.json"):
        infer(str(tmp_path))


def test_weights_for_a_table_of_numbers_are_refused_and_looked_for_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither pictures nor free text to which weights could apply"):
        infer(str(tmp_path), text=False)
    assert infer(None, text=False) == ({"weights": {}}, None)
