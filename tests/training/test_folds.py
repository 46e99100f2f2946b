from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    KFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)

from kpipe.core.values import Folds
from kpipe.errors import DataError, UsageError
from kpipe.models import model
from kpipe.problem.competition import Competition
from kpipe.problem.problem import define_problem
from kpipe.problem.splitters import ByTime, RowSplit
from kpipe.training.folds import folds_from_frame, folds_to_frame, make_folds, more_folds, note_on_folds, same_rows
from tests.tables import prices, problem_of, survivors


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), st.integers(0, 5))
def test_every_row_is_validated_once_and_by_a_fold_that_did_not_train_on_it(n_folds: int, seed: int) -> None:
    for made in (survivors(), prices()):
        folds = make_folds(problem_of(made), seed=seed, n_folds=n_folds)
        assert np.sort(np.concatenate(folds.valid)).tolist() == list(range(80))
        for train, valid in zip(folds.train, folds.valid, strict=True):
            assert not set(train) & set(valid)
            assert len(train) + len(valid) == 80


def test_rows_of_one_group_stay_together() -> None:
    made = survivors()
    made.train["family"] = np.arange(80) // 4
    folds = make_folds(problem_of(made, groups="family"))
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(made.train["family"].iloc[train]) & set(made.train["family"].iloc[valid])


def test_the_same_seed_gives_the_same_folds_and_another_seed_others() -> None:
    made = survivors()
    competition = problem_of(made)
    first, same, other = (make_folds(competition, seed=seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first.valid, same.valid, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.valid, other.valid, strict=True))


def test_a_long_budget_gets_eight_folds_of_independent_rows_and_a_short_one_the_usual_five() -> None:
    made = survivors()
    problem = define_problem(Competition(slug="new", target="survived", metric="accuracy"), made)
    assert problem.splitter.n_splits == 5
    assert more_folds(problem, seconds=120.0) == 8
    assert more_folds(problem, seconds=60.0) is None
    larger = problem.with_tables(replace(made, train=pd.concat([made.train] * 1_000, ignore_index=True)))
    assert more_folds(larger, seconds=90.0) is None
    assert more_folds(larger, seconds=3600.0) == 8
    assert more_folds(problem_of(made, splitter=KFold(5)), seconds=3600.0) is None  # its author's
    stated = Competition(slug="new", target="survived", metric="accuracy", models={"boosting": model("boosting")})
    assert more_folds(define_problem(stated, made), seconds=120.0) == 8  # as of a module that kpipe new writes


def test_a_rare_class_keeps_the_usual_folds_however_long_the_budget_is() -> None:
    made = survivors()
    made.train["survived"] = ["rare"] * 7 + ["common"] * 73
    problem = define_problem(Competition(slug="new", target="survived", metric="accuracy"), made)
    assert more_folds(problem, seconds=3600.0) is None


def test_rows_of_further_files_do_not_give_a_rare_class_eight_folds() -> None:
    made = survivors()
    made.train["survived"] = ["rare"] * 7 + ["common"] * 63 + ["rare"] * 10
    made = replace(made, extra=10)
    problem = define_problem(Competition(slug="new", target="survived", metric="accuracy"), made)
    folds = make_folds(problem, n_folds=more_folds(problem, seconds=3600.0))
    assert len(folds.train) == 5


def test_fewer_rows_than_eight_keep_the_usual_folds_however_long_the_budget_is() -> None:
    made = replace(survivors(), train=survivors().train.head(7).assign(survived=np.arange(7) + 0.5))
    problem = define_problem(Competition(slug="new", target="survived", metric="rmse"), made)
    assert len(make_folds(problem, n_folds=more_folds(problem, seconds=3600.0)).train) == 5


def test_a_class_with_fewer_rows_than_folds_is_refused_with_its_name_and_a_remedy() -> None:
    made = survivors()
    made.train["survived"] = ["rare"] * 3 + ["common"] * 77
    with pytest.raises(DataError, match=r"class 'rare' of 'survived' has 3 rows, fewer than the 5 folds.*--folds 3"):
        make_folds(problem_of(made), n_folds=5)


def test_a_rare_class_is_accepted_where_the_number_of_folds_was_inferred() -> None:
    made = survivors()
    made.train["survived"] = ["rare"] * 1 + ["common"] * 50 + ["other"] * 29
    for number in (None, 3):  # no number of folds helps where a class has one row
        folds = make_folds(problem_of(made), n_folds=number)
        assert sorted(np.concatenate(folds.valid).tolist()) == list(range(80))


def test_a_number_of_folds_is_refused_where_the_splitters_is_fixed() -> None:
    made = survivors()
    with pytest.raises(UsageError, match=r"--folds 3 is not possible: RowSplit.* has a fixed number of folds"):
        make_folds(problem_of(made, splitter=RowSplit()), n_folds=3)


def test_too_few_rows_for_the_folds_are_refused() -> None:
    made = prices(n=3)
    with pytest.raises(DataError, match=r"train\.csv cannot be split by KFold"):
        make_folds(problem_of(made))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(20, 60))
def test_folds_read_back_from_their_table_are_the_same_also_with_unused_rows(n_folds: int, rows: int) -> None:
    pairs = list(TimeSeriesSplit(n_folds).split(np.zeros((rows, 1))))
    folds = Folds(train=tuple(t for t, _ in pairs), valid=tuple(v for _, v in pairs))
    frame = folds_to_frame(folds)
    assert frame.columns.tolist() == ["fold", "row", "role"]
    again = folds_from_frame(frame)
    for a, b in zip(folds.train + folds.valid, again.train + again.valid, strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(frame, folds_to_frame(again))


@st.composite
def any_folds(draw: st.DrawFn) -> Folds:
    """One to four folds of any rows: overlapping, unsorted, and with unused rows."""
    train, valid = [], []
    for _ in range(draw(st.integers(1, 4))):
        rows = np.asarray(draw(st.permutations(range(draw(st.integers(2, 30))))), dtype=np.int64)
        cut = draw(st.integers(1, len(rows) - 1))
        train.append(rows[:cut])
        valid.append(rows[cut : draw(st.integers(cut + 1, len(rows)))])
    return Folds(train=tuple(train), valid=tuple(valid), refit=draw(st.booleans()))


@settings(max_examples=50, deadline=None)
@given(any_folds())
def test_folds_read_back_from_a_file_are_the_written_ones_with_rows_sorted(folds: Folds) -> None:
    frame, sink = folds_to_frame(folds), io.BytesIO()
    frame.to_parquet(sink, index=False)
    again = folds_from_frame(pd.read_parquet(sink))
    assert again.refit is folds.refit
    assert [frame[name].dtype for name in ("fold", "row")] == [np.int64, np.int64]
    assert set(frame["role"]) == {"train", "valid"}
    assert (len(again.train), len(again.valid)) == (len(folds.train), len(folds.valid))
    for before, after in zip(folds.train + folds.valid, again.train + again.valid, strict=True):
        assert after.dtype == np.int64
        np.testing.assert_array_equal(np.sort(before), after)


@settings(max_examples=20, deadline=None)
@given(any_folds(), st.integers(0, 99))
def test_the_order_of_the_rows_of_a_folds_table_does_not_matter(folds: Folds, seed: int) -> None:
    frame = folds_to_frame(folds)
    shuffled = frame.sample(frac=1, random_state=seed)
    a, b = folds_from_frame(frame), folds_from_frame(shuffled)
    for one, other in zip(a.train + a.valid, b.train + b.valid, strict=True):
        np.testing.assert_array_equal(one, np.sort(other))


def test_a_table_without_a_refit_column_is_read_as_earlier_versions_wrote_it() -> None:
    halves = np.arange(5), np.arange(5, 9)
    folds = Folds(train=halves, valid=halves[::-1], refit=True)
    frame = folds_to_frame(folds)
    assert frame.columns.tolist() == ["fold", "row", "role", "refit"]
    assert not folds_from_frame(frame.drop(columns="refit")).refit
    ordinary = folds_to_frame(Folds(train=halves, valid=halves[::-1]))
    pd.testing.assert_frame_equal(frame.drop(columns="refit"), ordinary)


def test_a_time_split_is_read_back_with_refit() -> None:
    made = prices()
    made.train["week"] = np.arange(80) // 4
    folds = make_folds(problem_of(made, splitter=ByTime("week"), columns=("x",), features=None))
    assert folds.refit
    assert folds_from_frame(folds_to_frame(folds)).refit


def test_a_splitter_that_counts_its_folds_by_groups_gets_the_groups() -> None:
    made = survivors()
    made.train["family"] = np.arange(80) // 20
    assert len(make_folds(problem_of(made, splitter=LeaveOneGroupOut(), groups="family")).valid) == 4


@pytest.mark.parametrize(
    "splitter",
    [RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=0), StratifiedShuffleSplit(15, random_state=0)],
    ids=["repeated", "drawn"],
)
def test_a_class_needs_as_many_rows_as_folds_in_one_repeat(splitter: Any) -> None:
    made = survivors()
    made.train["survived"] = [1] * 10 + [0] * 70
    assert len(make_folds(problem_of(made, splitter=splitter)).valid) == 15


def test_the_competitions_own_splitter_is_not_modified() -> None:
    made = prices()
    splitter = KFold(5, shuffle=True, random_state=0)
    make_folds(problem_of(made, splitter=splitter), seed=7, n_folds=3)
    assert (splitter.n_splits, splitter.random_state) == (5, 0)


def test_fewer_than_two_folds_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--folds must be at least 2; got 1"):
        make_folds(problem_of(survivors()), n_folds=1)


FAULTS = {
    "no rows": (pd.DataFrame({"fold": [], "row": [], "role": []}), "it has no rows"),
    "a missing column": (pd.DataFrame({"fold": [0], "role": ["train"]}), "it lacks the column 'row'"),
    "text": (pd.DataFrame({"fold": ["0"], "row": [0], "role": ["train"]}), "'fold' must hold whole numbers"),
    "a negative row": (pd.DataFrame({"fold": [0], "row": [-1], "role": ["train"]}), "'row' must hold whole numbers"),
    "another role": (pd.DataFrame({"fold": [0], "row": [0], "role": ["test"]}), "'role' must be 'train' or 'valid'"),
    "a gap": (pd.DataFrame({"fold": [0, 10**12], "row": [0, 1], "role": ["train", "valid"]}), "without gaps"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table_that_does_not_hold_folds_is_refused_with_the_reason(fault: str) -> None:
    frame, words = FAULTS[fault]
    with pytest.raises(DataError, match=f"The table does not hold folds: .*{words}"):
        folds_from_frame(frame)


def test_folds_with_the_same_rows_are_the_same_in_whatever_order() -> None:
    folds = Folds(train=(np.array([2, 0]), np.array([1])), valid=(np.array([1]), np.array([0, 2])))
    again = folds_from_frame(folds_to_frame(replace(folds, refit=True)))
    assert same_rows(folds, again)
    assert not same_rows(folds, Folds(train=folds.valid, valid=folds.train))
    assert not same_rows(folds, Folds(train=folds.train[:1], valid=folds.valid[:1]))


def test_two_folds_of_a_large_table_are_used_and_that_is_reported_unless_the_user_asks_for_more() -> None:
    made = survivors(200_000)
    problem = problem_of(made)
    folds = make_folds(problem)
    assert [len(rows) for rows in folds.valid] == [40_000, 40_000]
    assert all(len(rows) == 160_000 for rows in folds.train)
    (note,) = note_on_folds(problem, folds)
    assert note == (
        "2 of 5 folds are used, because train has 200,000 rows: 80,000 of them give the score. Use all with --folds 5."
    )
    every = make_folds(problem, n_folds=5)
    assert len(every.valid) == 5
    assert note_on_folds(problem, every) == ()
    assert note_on_folds(problem, make_folds(problem, n_folds=2), n_folds=2) == ()
    assert len(make_folds(problem_of(survivors())).valid) == 5
