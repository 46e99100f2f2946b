"""The model ``sentence-embeddings``, on texts whose kind a tiny encoder of random weights can tell."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")

import kpipe  # noqa: E402
from kpipe import pipeline  # noqa: E402
from kpipe.core.values import Context  # noqa: E402
from kpipe.models.nets import sentence_embeddings as module  # noqa: E402
from kpipe.models.nets.sentence_embeddings import sentence_embeddings  # noqa: E402
from tests.text_encoder import write_encoder  # noqa: E402
from tests.word_vectors import COLD, WARM  # noqa: E402


def texts(count: int) -> pd.DataFrame:
    """Texts of warm or cold words, and a target of two labels."""
    random = np.random.default_rng(0)
    rows = [" ".join(random.choice(COLD if i % 2 else WARM, 12)) for i in range(count)]
    return pd.DataFrame({"id": range(count), "words": rows, "kind": [i % 2 for i in range(count)]})


def write_competition(folder: Path) -> Path:
    folder.mkdir()
    frame = texts(120)
    frame[:80].to_csv(folder / "train.csv", index=False)
    frame[80:].drop(columns="kind").to_csv(folder / "test.csv", index=False)
    frame[80:][["id", "kind"]].assign(kind=0).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def test_a_fit_and_its_copy_find_the_vectors_that_an_earlier_one_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, frame = write_encoder(tmp_path), texts(40)
    made = sentence_embeddings(Context(task="classification", n_classes=2), weights=str(folder))
    assert (made.fit(frame[["words"]], frame["kind"]).predict(frame[["words"]]) == frame["kind"]).all()
    numbers = sentence_embeddings(Context(task="regression"), weights=str(folder)).fit(frame[["words"]], frame["kind"])
    assert np.corrcoef(numbers.predict(frame[["words"]]), frame["kind"])[0, 1] > 0.9
    monkeypatch.setattr(module, "_encoder", lambda weights: pytest.fail("texts are encoded again"))
    again = clone(pickle.loads(pickle.dumps(made))).fit(frame[["words"]], frame["kind"])
    assert np.array_equal(again.predict_proba(frame[["words"]]), made.predict_proba(frame[["words"]]))


def test_a_run_uses_the_encoder_and_records_file_hash_and_licence(tmp_path: Path) -> None:
    folder, data = write_encoder(tmp_path / "encoder"), write_competition(tmp_path / "data")
    request = kpipe.RunRequest("words", str(data), weights=str(folder))
    problem = pipeline.prepare(request)
    assert problem.default[:2] == ("text", "sentence-embeddings")
    assert problem.reasons["weights"].text.startswith("bert, model.safetensors of --weights, licence apache-2.0")
    options = {"models": ["sentence-embeddings"], "folds": 2, "jobs": 1, "out": tmp_path / "out"}
    run = kpipe.run("words", str(data), weights=str(folder), **options)
    record = json.loads((run.path / "run.json").read_text())
    assert record["score"] == 1
    assert record["weights"]["sentences"]["licence"] == "apache-2.0"
    assert record["weights"]["sentences"]["path"] == str(folder / "model.safetensors")
    assert "sentence-embeddings" not in pipeline.prepare(kpipe.RunRequest("words", str(data), weights="none")).default
