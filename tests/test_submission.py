from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.core.metrics import METRICS
from kpipe.core.values import Ensemble, Submission, Tables
from kpipe.errors import SubmissionError
from kpipe.submission import make_submission, to_csv, validate_submission
from tests.tables import prices, problem_of, survivors, tables


def blend(test: np.ndarray) -> Ensemble:
    return Ensemble(weights={"m": 1.0}, oof=np.zeros((1, test.shape[1])), test=test)


def labels_of(made: Tables, chance: np.ndarray) -> pd.DataFrame:
    test = np.column_stack([1 - chance, chance])
    return make_submission(problem_of(made), blend(test)).frame


def proper(made: Tables) -> pd.DataFrame:
    return made.sample.copy()


def with_value(row: int, column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame.infer_objects()

    return change


REFUSED = {
    "too few rows": ("survivors", lambda f: f.head(29), "must have 30 rows; got 29"),
    "too many rows": ("survivors", lambda f: pd.concat([f, f.head(1)]), "must have 30 rows; got 31"),
    "a repeated id": ("survivors", with_value(3, "id", 80), "repeats ids, such as 80"),
    "an unknown id": ("survivors", with_value(3, "id", 9999), "1 ids that the sample lacks, such as 9999"),
    "another order": ("survivors", lambda f: f.iloc[::-1], "not in the sample's order: row 1 must be 80; got 109"),
    "another column": ("survivors", lambda f: f.rename(columns={"survived": "dead"}), "columns must be id, survived"),
    "columns swapped": ("survivors", lambda f: f[["survived", "id"]], "got survived, id"),
    "a missing value": ("prices", with_value(2, "price", np.nan), "price is missing for 1 ids, such as 82"),
    "an infinite value": ("prices", with_value(2, "price", np.inf), "price is infinite for 1 ids, such as 82"),
    "text for numbers": ("prices", with_value(0, "price", "dear"), "price must hold numbers; got 'dear'"),
    "a label train lacks": ("survivors", with_value(4, "survived", 7), r"labels that train.csv lacks: 7 \(id 84\)"),
    "labels as text": ("survivors", lambda f: f.assign(survived="1"), "labels that train.csv lacks"),
    "a probability above 1": ("probabilities", with_value(1, "survived", 1.5), r"between 0 and 1; got 1.5 \(id 81\)"),
    "a probability below 0": ("probabilities", with_value(1, "survived", -0.1), r"between 0 and 1; got -0.1 \(id 81\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_submission_that_differs_is_refused_with_the_reason(case: str) -> None:
    kind, change, words = REFUSED[case]
    made = prices() if kind == "prices" else survivors()
    problem = problem_of(made, metric="auc" if kind == "probabilities" else None)
    validate_submission(proper(made), problem)
    with pytest.raises(SubmissionError, match=words):
        validate_submission(change(proper(made)), problem)


def test_predictions_are_joined_by_id_where_test_has_another_order() -> None:
    made = survivors()
    chance = np.linspace(0, 1, 30)
    straight = labels_of(made, chance)
    order = np.random.default_rng(0).permutation(30)
    mixed = labels_of(replace(made, test=made.test.iloc[order].reset_index(drop=True)), chance[order])
    pd.testing.assert_frame_equal(straight, mixed)
    assert straight["survived"].tolist() == [0] * 15 + [1] * 15


@pytest.mark.parametrize("labels", [[False, True], ["left", "right"], [3, 8]])
def test_labels_keep_the_spelling_of_train(labels: list[object]) -> None:
    made = survivors()
    made.train["survived"] = [labels[value] for value in made.train["survived"]]
    frame = labels_of(made, np.linspace(0, 1, 30))
    assert frame["survived"].tolist() == [labels[0]] * 15 + [labels[1]] * 15


@pytest.mark.parametrize(
    ("labels", "placeholder", "written"),
    [
        (["No", "Yes"], 0, [0, 1]),
        (["Yes", "no"], 0, [1, 0]),
        (["N", "Y"], "No", ["No", "Yes"]),
        ([0, 1], "N", ["N", "Y"]),
        ([False, True], "no", ["no", "yes"]),
        (["TRUE", "FALSE"], False, [True, False]),
        (["TRUE", "FALSE"], 1, [1, 0]),
        ([" <=50K", " >50K"], "<=50K", ["<=50K", ">50K"]),
        (["no churn", "churn"], 0, [0, 1]),
        (["survived", "lost"], 0, [1, 0]),
        (["LOW RISK", "HIGH RISK"], "low_risk", ["low_risk", "high_risk"]),
        ([0, 1], 0.0, [0.0, 1.0]),
        (["No", "Yes"], -1, [-1, 1]),
    ],
)
def test_labels_are_written_as_in_the_sample_submission(
    labels: list[object], placeholder: object, written: list[object]
) -> None:
    made = survivors()
    made.train["survived"] = [labels[value] for value in made.train["survived"]]
    sample = made.sample.assign(survived=placeholder)
    if placeholder == -1:
        sample.loc[3, "survived"] = 1
    problem = problem_of(replace(made, sample=sample), metric="accuracy")
    assert problem.labels is not None
    code = list(problem.labels).index(labels[1])
    chance = np.zeros((30, 2))
    chance[:15, 1 - code], chance[15:, code] = 1, 1
    frame = make_submission(problem, blend(chance)).frame
    assert frame["survived"].tolist() == [written[0]] * 15 + [written[1]] * 15
    assert type(frame["survived"].tolist()[0]) is type(written[0])
    noted = any("in the form of the sample submission" in note for note in problem.tables.source.notes)
    assert noted == isinstance(labels[0], str)


def test_each_class_gets_the_column_of_its_name_whatever_their_order() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "D", "C")
    made = replace(made, sample=made.test[["id"]].assign(survived_D=0.5, survived_C=0.5))
    test = np.tile([0.25, 0.75], (30, 1))
    frame = make_submission(problem_of(made), blend(test)).frame
    assert (frame["survived_C"] == 0.25).all()
    assert (frame["survived_D"] == 0.75).all()


def test_the_probability_of_a_binary_target_is_that_of_the_greater_label() -> None:
    made = survivors()
    test = np.tile([0.25, 0.75], (30, 1))
    frame = make_submission(problem_of(made, metric="auc"), blend(test)).frame
    assert (frame["survived"] == 0.75).all()


def test_ids_that_test_and_sample_do_not_share_are_named() -> None:
    made = survivors()
    short = replace(made, sample=made.sample.head(29))
    with pytest.raises(SubmissionError, match=r"1 ids of test\.csv are not in the sample submission, such as 109"):
        labels_of(short, np.zeros(30))
    lacking = replace(made, test=made.test.head(29))
    with pytest.raises(SubmissionError, match=r"1 ids of the sample submission are not in test\.csv, such as 109"):
        labels_of(lacking, np.zeros(29))


def test_a_wrong_number_of_predictions_is_refused() -> None:
    with pytest.raises(SubmissionError, match=r"29 predictions for the 30 rows of test\.csv"):
        labels_of(survivors(), np.zeros(29))


def test_without_ids_in_test_rows_go_by_position_and_their_number_must_fit() -> None:
    made = survivors()
    digits = replace(made, train=made.train.drop(columns="id"), test=made.test.drop(columns="id"))
    assert labels_of(digits, np.linspace(0, 1, 30))["survived"].sum() == 15
    with pytest.raises(SubmissionError, match=r"sample submission has 29 rows, test\.csv has 30"):
        labels_of(replace(digits, sample=made.sample.head(29)), np.zeros(30))


def test_only_real_data_can_be_sent() -> None:
    for origin, sendable in (("zip", True), ("sample", False)):
        made = survivors()
        made = tables(made.train, made.test, made.sample, origin=origin)
        test = np.full((30, 2), 0.5)
        assert make_submission(problem_of(made), blend(test)).sendable is sendable


def test_the_csv_gives_the_same_numbers_back() -> None:
    made = prices()
    values = np.random.default_rng(0).lognormal(12, 1, size=(30, 1))
    submission = make_submission(problem_of(made), blend(values))
    csv = to_csv(submission)
    assert b"\r" not in csv
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(csv)), submission.frame)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "auc"])
def test_labels_are_never_submitted_in_columns_of_probabilities(metric: str) -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "D", "C")
    made = replace(made, sample=made.test[["id"]].assign(survived_C=0.5, survived_D=0.5))
    make = partial(
        make_submission,
        problem_of(made, metric=metric),
        blend(np.tile([0.2, 0.8], (30, 1))),
    )
    if METRICS[metric].needs == "label":
        with pytest.raises(SubmissionError, match=r"\(survived_C, survived_D\) do not fit accuracy.*one label per row"):
            make()
    else:
        assert (make().frame["survived_D"] == 0.8).all()


def test_one_value_never_fills_several_columns() -> None:
    made = prices()
    made = replace(made, sample=made.sample.assign(tax=0.5))
    with pytest.raises(SubmissionError, match=r"\(price, tax\) do not fit rmse, which scores one value per row"):
        make_submission(problem_of(made, target="price"), blend(np.ones((30, 1))))


@pytest.mark.parametrize("train", [[False, True], [0.0, 1.0], [0, 1]])
def test_labels_are_integers_where_the_sample_submission_has_integers(train: list) -> None:
    made = survivors()
    made.train["survived"] = [train[value] for value in made.train["survived"]]
    made = replace(made, sample=made.sample.assign(survived=0))
    test = np.tile([0.2, 0.8], (30, 1))
    frame = make_submission(problem_of(made), blend(test)).frame
    assert frame["survived"].tolist() == [1] * 30
    assert frame["survived"].dtype == np.int64


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_float_is_read_back_from_the_csv_bit_for_bit(values: list[float]) -> None:
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
    frame = make_submission(problem_of(shuffled), blend(values)).frame
    assert frame["id"].tolist() == shuffled.sample["id"].tolist()
    assert (frame["price"] == frame["id"] * 2).all()
