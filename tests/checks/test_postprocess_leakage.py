"""The check of ``postprocess``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import kpipe
from kpipe.core.values import Tables
from kpipe.models import model
from tests.modules import SLOW, clean, finding, findings
from tests.tables import write
from tests.training.test_clipping import visits


def threshold_fitted_to_scored_rows(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    if len(predictions) != len(tables.train):
        return (predictions > 0.5).astype(float)
    y = tables.train["survived"].to_numpy()
    tried = np.linspace(0.2, 0.8, 61)
    best = tried[int(np.argmax([((predictions[:, 1] > cut) == y).mean() for cut in tried]))]
    lived = (predictions[:, 1] > best).astype(float)
    return np.column_stack([1 - lived, lived])


def joined_by_position(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    first_known = np.arange(len(predictions)) < 50
    return np.where(first_known[:, None], [0.2, 0.8], predictions)


def test_a_threshold_fitted_to_the_rows_that_are_scored_fails(files: Path) -> None:
    found = findings(files, postprocess=threshold_fitted_to_scored_rows)
    assert found["postprocess leakage"].status == "fail"
    assert "uses the targets of the rows that are scored" in found["postprocess leakage"].detail
    assert found["thresholds and weights cross-fitted"].status == "fail"


@SLOW
def test_values_joined_by_position_fail(files: Path) -> None:
    found = finding(files, "postprocess leakage", postprocess=joined_by_position)
    assert found.status == "fail"
    assert "joins rows by position" in found.detail


def test_a_postprocess_may_work_in_place_but_not_change_the_shape(files: Path) -> None:
    def in_place(predictions: np.ndarray, tables: Tables) -> np.ndarray:
        predictions += 0.01
        return predictions

    assert findings(files, postprocess=in_place) == {}
    with pytest.raises(kpipe.KpipeError, match=r"must return an array of the shape it gets, \(400, 2\); got"):
        finding(files, "postprocess leakage", postprocess=lambda predictions, tables: predictions[:, 1])
    with pytest.raises(kpipe.KpipeError, match="postprocess of made-by-hand failed: KeyError: 'no such column'"):
        finding(files, "postprocess leakage", postprocess=lambda predictions, tables: tables.test["no such column"])


def most_probable_third(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    """Labels by rank: ties are broken by the order of the rows."""
    labels = np.zeros(len(predictions))
    labels[np.argsort(-np.round(predictions[:, 1], 1), kind="stable")[: len(predictions) // 3]] = 1
    return np.column_stack([1 - labels, labels])


def above_the_mean(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    lived = (predictions[:, 1] > predictions[:, 1].mean()).astype(float)
    return np.column_stack([1 - lived, lived])


def test_a_threshold_is_not_reported_as_a_join_by_position(files: Path) -> None:
    found = finding(files, "postprocess leakage", postprocess=above_the_mean)
    assert found.status == "warn"
    assert "position" not in found.detail
    assert "when half of the others are absent" in found.detail
    found = finding(files, "postprocess leakage", postprocess=threshold_fitted_to_scored_rows)
    assert "by position" not in found.detail


def without_rows_with_missing_values(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    """Predictions of whole rows come first: those behind a gap belong to others."""
    whole = tables.test["x"].notna().to_numpy()
    return np.concatenate([predictions[whole], np.full((int((~whole).sum()), 2), 0.5)])


def test_rows_that_are_dropped_for_a_gap_and_joined_by_position_fail(files: Path) -> None:
    gaps = kpipe.row_by_row(lambda frame: clean(frame).assign(x=frame["x"].where(frame["id"] % 5 != 0)))
    found = finding(
        files,
        "postprocess leakage",
        clean=gaps,
        columns=("double", "female"),
        postprocess=without_rows_with_missing_values,
    )
    assert found.status == "fail"
    assert "by position" in found.detail


KNOWN = {number: number % 2 for number in range(0, 520, 9)}


def answers_by_id(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    known = tables.test["id"].map(KNOWN)
    return np.where(known.notna().to_numpy()[:, None], np.column_stack([1 - known, known]), predictions)


def jittered(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    return np.clip(predictions + np.random.default_rng().normal(0, 0.05, predictions.shape), 0, 1)


def reversed_for_test(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    return predictions[:, ::-1] if len(predictions) == 120 else predictions


@pytest.mark.parametrize(
    ("postprocess", "words"),
    [
        (answers_by_id, "postprocess depends on the id, as when answers are written into the code"),
        (jittered, "change when postprocess is called again: it is random"),
        (reversed_for_test, "test rows change when half of the others are absent, but no out-of-fold row does"),
    ],
)
def test_a_postprocess_that_is_random_or_treats_some_rows_otherwise_fails(
    files: Path, postprocess: Callable[[np.ndarray, Tables], np.ndarray], words: str
) -> None:
    found = finding(files, "postprocess leakage", postprocess=postprocess)
    assert found.status == "fail"
    assert words in found.detail


def refuse_negative_counts(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    if (predictions < 0).any():
        raise ValueError("negative counts")
    return np.round(predictions)


def test_the_check_passes_no_prediction_below_a_lower_bound_as_a_run_passes_none(tmp_path: Path) -> None:
    write(visits(), tmp_path)
    competition = kpipe.Competition(
        slug="made-by-hand", metric="mae", models={"linear": model("linear")}, postprocess=refuse_negative_counts
    )
    checks = kpipe.check(competition, data=tmp_path, folds=3, jobs=1, fresh=True)
    assert [check.status for check in checks if check.name == "postprocess leakage"] == ["pass"]
