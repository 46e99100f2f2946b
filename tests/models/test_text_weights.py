from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kpipe.core.values import Context
from kpipe.data.weights import WeightsFile
from kpipe.errors import UsageError
from kpipe.models import text_weights
from kpipe.models.nets.sentence_embeddings import sentence_embeddings
from kpipe.models.text_weights import encoder_of, find_text_weights


@pytest.fixture(autouse=True)
def _every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_weights, "find_spec", lambda name: SimpleNamespace())


def write(folder: Path, *names: str, config: Any = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"} if config is None else config))
    for name in names or ("model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes(bytes(2000))
    return folder


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"model_type": "distilbert"}, "distilbert"),
        ({"model_type": "llama"}, ""),
        ({"model_type": ["bert"]}, ""),
        ({"architecture": "resnet18"}, ""),
        ([], ""),
    ],
)
def test_a_config_beside_the_file_names_the_encoder_and_is_not_trusted(tmp_path: Path, config: Any, kind: str) -> None:
    assert encoder_of(WeightsFile(write(tmp_path, config=config) / "model.safetensors", "")) == kind


def test_an_encoder_is_named_with_its_hash_and_licence(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    found, reason = find_text_weights(str(folder))
    assert found is not None
    assert (found.architecture, found.licence, len(found.sha256)) == ("bert", "apache-2.0", 64)
    assert reason == "bert, model.safetensors of --weights, licence apache-2.0"


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("pytorch_model.bin", "tokenizer.json"), "pytorch_model.bin: only model.safetensors is read, which cannot"),
        (("model.safetensors",), "model.safetensors: tokenizer.json is missing beside it"),
        (("model.safetensors", "tokenizer.json", "adapter_config.json"), "it is an adapter of another network"),
    ],
)
def test_an_encoder_that_cannot_be_used_is_refused_saying_why(tmp_path: Path, names: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        find_text_weights(str(write(tmp_path, *names)))


def test_the_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_weights, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"transformers is not installed: pip install 'kaggle-kpipe\[transformers\]'"):
        find_text_weights(str(write(tmp_path)))


def test_encoders_in_a_kernels_input_and_the_hubs_cache_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_text_weights() == (None, "none on this machine")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    write(tmp_path / "hub" / "hub" / "models--x--y" / "snapshots" / "0")
    assert find_text_weights().reason == "bert, model.safetensors of Hugging Face's cache, licence unknown"
    monkeypatch.setenv("KPIPE_KAGGLE_ROOT", str(tmp_path / "kaggle"))
    write(tmp_path / "kaggle" / "input" / "minilm" / "pytorch" / "default" / "1")
    assert find_text_weights().reason.startswith("bert, model.safetensors of the kernel's input")


def test_a_large_network_is_not_used_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    folder = write(tmp_path / "hub")
    monkeypatch.setattr(text_weights, "_MAX_DEFAULT_BYTES", 1999)
    assert find_text_weights().weights is None
    assert find_text_weights(str(folder)).weights is not None


def test_word_vectors_and_networks_for_pictures_are_no_encoders(tmp_path: Path) -> None:
    folder = write(tmp_path, config={"model_type": "model2vec"})
    assert find_text_weights(str(folder)) == (None, "none on this machine")
    assert find_text_weights("none") == (None, "--weights none was given")


def test_a_model_without_weights_says_where_they_come_from() -> None:
    with pytest.raises(UsageError, match=r"none on this machine\. Give a folder of Hugging Face's hub with --weights"):
        sentence_embeddings(Context(task="classification", n_classes=2))
