"""Corners of the modules whose main promises stand in the files of their names."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GroupKFold,
)

import kpipe
from kpipe.checks import run_checks
from kpipe.core.metrics import METRICS
from kpipe.core.values import Context, Ensemble, Submission, Tables
from kpipe.errors import DataError, SubmissionError
from kpipe.models import model
from kpipe.problem.competition import Competition, row_by_row
from kpipe.problem.postprocessing import postprocess
from kpipe.submission import make_submission, to_csv
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of, survivors


def blended(test: np.ndarray) -> Ensemble:
    return Ensemble(weights={"m": 1.0}, oof=np.zeros((1, test.shape[1])), test=test)


# competition


def test_a_groups_column_that_is_missing_or_has_gaps_is_refused() -> None:
    made = survivors()
    with pytest.raises(DataError, match=r"train\.csv lacks the groups column 'family'\. It has: id, x, sex, survived"):
        problem_of(made, groups="family")
    made.train["family"] = pd.Series(["a", "b", None, "b"] * 20, dtype="str")
    with pytest.raises(DataError, match=r"groups column 'family' is missing in 20 of 80 rows, first in row 3"):
        problem_of(made, groups="family", splitter=GroupKFold(2))


TARGETS = {
    "gone": (lambda y: y.astype(float) * np.nan, r"'survived' is missing in every row"),
    "with a gap": (lambda y: y.where(y.index != 6), r"missing in 1 of 80 rows, first in row 7\. Remove these rows"),
    "of one class": (lambda y: y * 0 + 1, r"'survived' is 1 in every row: there is nothing to distinguish"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_target_that_teaches_nothing_is_refused(case: str) -> None:
    change, words = TARGETS[case]
    made = survivors()
    made.train["survived"] = change(made.train["survived"])
    with pytest.raises(DataError, match=words):
        problem_of(made)


def test_text_as_the_target_of_a_regression_is_refused_showing_it() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "yes", "no")
    with pytest.raises(DataError, match=r"'survived' of a regression must hold numbers; got '(yes|no)'"):
        problem_of(made, metric="rmse")


def test_whole_numbers_whose_sample_holds_a_broken_one_are_a_regression() -> None:
    made = survivors()
    made.train["survived"] = np.arange(80) % 10
    assert problem_of(replace(made, sample=made.sample.assign(survived=5.8))).task == "regression"


def test_a_key_that_a_dictionary_of_clean_lacks_is_not_called_a_column() -> None:
    with pytest.raises(KeyError):
        row_by_row(lambda frame: frame.assign(z=frame["sex"].map(lambda sex: {"Mr": 1}[sex])))(survivors())


# pipeline


def refuses_to_train(context: Context) -> BaseEstimator:
    raise AssertionError("a model was made")


@pytest.mark.parametrize(("metric", "words"), [("rmsle", "targets of at least 0"), ("f1", "not defined")])
def test_a_metric_that_the_target_does_not_allow_is_refused_before_training(
    metric: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prices() if metric == "rmsle" else survivors()
    made.train[made.train.columns[-1]] = np.arange(80) % 3 - (metric == "rmsle")
    for name, frame in (("train", made.train), ("test", made.test), ("sample_submission", made.sample)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.setattr("kpipe.pipeline.choose_models", lambda *_, **__: {"m": refuses_to_train})
    with pytest.raises(DataError, match=words):
        kpipe.run("made-by-hand", data=tmp_path, metric=metric, jobs=1, out=tmp_path / "out")


# submission


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "auc"])
def test_labels_never_stand_in_columns_of_probabilities(metric: str) -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "D", "C")
    made = replace(made, sample=made.test[["id"]].assign(survived_C=0.5, survived_D=0.5))
    make = partial(
        make_submission,
        problem_of(made, metric=metric),
        blended(np.tile([0.2, 0.8], (30, 1))),
    )
    if METRICS[metric].needs == "label":
        with pytest.raises(SubmissionError, match=r"\(survived_C, survived_D\) do not fit accuracy.*one label a row"):
            make()
    else:
        assert (make().frame["survived_D"] == 0.8).all()


def test_one_value_never_fills_several_columns() -> None:
    made = prices()
    made = replace(made, sample=made.sample.assign(tax=0.5))
    with pytest.raises(SubmissionError, match=r"\(price, tax\) do not fit rmse, which judges one value a row"):
        make_submission(problem_of(made, target="price"), blended(np.ones((30, 1))))


@pytest.mark.parametrize("train", [[False, True], [0.0, 1.0], [0, 1]])
def test_labels_are_whole_numbers_where_the_sample_has_such(train: list) -> None:
    made = survivors()
    made.train["survived"] = [train[value] for value in made.train["survived"]]
    made = replace(made, sample=made.sample.assign(survived=0))
    test = np.tile([0.2, 0.8], (30, 1))
    frame = make_submission(problem_of(made), blended(test)).frame
    assert frame["survived"].tolist() == [1] * 30
    assert frame["survived"].dtype == np.int64


def test_labels_that_are_text_keep_the_spelling_of_train() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "yes", "no")
    test = np.tile([0.2, 0.8], (30, 1))
    made = replace(made, sample=made.sample.assign(survived="N"))
    assert set(make_submission(problem_of(made), blended(test)).frame["survived"]) == {"yes"}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_any_float_comes_back_from_the_csv_bit_for_bit(values: list[float]) -> None:
    frame = pd.DataFrame({"id": range(len(values)), "price": values})
    csv = to_csv(Submission(frame=frame, sendable=True))
    again = pd.read_csv(io.BytesIO(csv), dtype={"price": float})
    assert again["price"].to_numpy().tobytes() == np.array(values).tobytes()


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(30)), st.permutations(range(30)))
def test_whatever_the_order_of_test_and_sample_each_id_gets_its_own_prediction(test: list, sample: list) -> None:
    made = prices()
    shuffled = replace(
        made,
        test=made.test.iloc[list(test)].reset_index(drop=True),
        sample=made.sample.iloc[list(sample)].reset_index(drop=True),
    )
    values = shuffled.test["id"].to_numpy(dtype=float)[:, None] * 2
    frame = make_submission(problem_of(shuffled), blended(values)).frame
    assert frame["id"].tolist() == shuffled.sample["id"].tolist()
    assert (frame["price"] == frame["id"] * 2).all()


# postprocess


def doubled(predictions: np.ndarray, tables: Tables) -> np.ndarray:
    return predictions * 2


def test_what_is_scored_is_postprocessed_as_what_is_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prices()
    for name, frame in (("train", made.train), ("test", made.test), ("sample_submission", made.sample)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    scores = []
    for own in (None, doubled):
        monkeypatch.setattr("kpipe.problem.problem.find", lambda slug, p=own: Competition(slug=slug, postprocess=p))
        scores.append(kpipe.run("made-by-hand", data=tmp_path, models=["linear"], jobs=1, out=tmp_path / "out").score)
    assert scores[1] > 1.2 * scores[0]


def test_postprocess_gets_the_rows_of_its_predictions_and_never_their_target() -> None:
    made, seen = prices(), []

    def note(predictions: np.ndarray, tables: Tables) -> np.ndarray:
        seen.append((len(predictions), len(tables.test), "price" in tables.test))
        return predictions

    made_blend = Ensemble(weights={}, oof=np.ones((80, 1)), test=np.ones((30, 1)))
    postprocess(problem_of(made, postprocess=note), made_blend)
    assert seen == [(80, 80, False), (30, 30, False)]


# checks


def test_the_gap_to_the_baseline_counts_groups_as_one() -> None:
    made = survivors(n=60)
    train = pd.concat([made.train] * 4, ignore_index=True).assign(family=np.tile(np.arange(60), 4))
    made = replace(made, train=train)
    details = []
    for groups in (None, "family"):
        problem = problem_of(made, columns=("x", "sex"), groups=groups)
        folds = make_folds(problem)
        found = cross_validate(problem, folds, models={"linear": model("linear")}, jobs=1)
        mixed = fit_ensemble(found, folds, problem.metric)
        submission = make_submission(problem, mixed)
        checks = run_checks(problem, folds, found, predict_baseline(problem, folds), mixed, submission)
        details.append(next(check.detail for check in checks if check.name == "better than the baseline"))
    errors = [float(detail.partition("error of the gap ")[2].rstrip(").")) for detail in details]
    assert errors[1] > 1.5 * errors[0]
