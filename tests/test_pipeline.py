"""The path of the data, from a request to a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import kpipe
from kpipe.core.values import Context, Tables
from kpipe.errors import DataError, UsageError
from kpipe.problem.competition import Competition
from tests.tables import prices, survivors, write


def refuses_to_train(context: Context) -> BaseEstimator:
    raise AssertionError("a model was made")


@pytest.mark.parametrize(("metric", "words"), [("rmsle", "targets of at least 0"), ("f1", "not defined")])
def test_a_metric_that_the_target_does_not_allow_is_refused_before_training(
    metric: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prices() if metric == "rmsle" else survivors()
    made.train[made.train.columns[-1]] = np.arange(80) % 3 - (metric == "rmsle")
    write(made, tmp_path)
    monkeypatch.setattr("kpipe.pipeline.choose_models", lambda *_, **__: {"m": refuses_to_train})
    with pytest.raises(DataError, match=words):
        kpipe.run("made-by-hand", data=tmp_path, metric=metric, jobs=1, out=tmp_path / "out")


def doubled(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    return predictions * 2


def test_out_of_fold_predictions_are_postprocessed_like_the_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prices()
    write(made, tmp_path)
    scores = []
    for own in (None, doubled):
        monkeypatch.setattr("kpipe.problem.problem.find", lambda slug, p=own: Competition(slug=slug, postprocess=p))
        scores.append(kpipe.run("made-by-hand", data=tmp_path, models=["linear"], jobs=1, out=tmp_path / "out").score)
    assert scores[1] > 1.2 * scores[0]


@pytest.mark.parametrize("option", [{"budget": "5m"}, {"seeds": (1, 2)}, {"seed": 1}, {"slug": "x"}])
def test_a_check_refuses_the_options_that_it_does_not_use(option: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"omit {next(iter(option))}"):
        kpipe.check("titanic", data="sample", **option)
