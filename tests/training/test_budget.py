from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.training.budget import (
    additional_seeds,
    first_share,
    is_worth_continuing,
    n_first_fits,
    reserved_seconds,
    seconds_for,
    slowness_of,
)
from tests.tables import survivors, write

COUNTS = st.integers(1, 50)


@given(st.floats(1.0, 1e6))
def test_a_budget_keeps_time_to_write_but_spends_most_on_training(budget: float) -> None:
    assert 0 < reserved_seconds(budget) <= 0.3 * budget
    assert reserved_seconds(None) == 0.0


@given(COUNTS, COUNTS)
def test_the_first_fits_are_as_many_as_run_at_a_time(fits: int, n_parallel: int) -> None:
    assert n_first_fits(fits, n_parallel, limited=True) == min(fits, n_parallel)
    assert n_first_fits(fits, n_parallel, limited=False) == fits


@given(COUNTS, COUNTS, st.floats(0.1, 100.0))
def test_first_fits_that_take_their_share_leave_time_for_the_rest(fits: int, n_parallel: int, left: float) -> None:
    share = left / first_share(fits, n_parallel, needed=False)
    rest = fits - n_first_fits(fits, n_parallel, limited=True)
    assert seconds_for(rest, n_parallel, longest=share) <= left - share + 1e-9


def test_first_fits_of_a_needed_model_may_take_half_of_the_time_left() -> None:
    assert first_share(100, 2, needed=True) == 2


def test_fits_that_keep_a_limit_themselves_are_stopped_later() -> None:
    assert first_share(100, 2, needed=True, elastic=True) == 1
    assert 1 < first_share(5, 2, needed=False, elastic=True) < first_share(5, 2, needed=False)
    assert first_share(2, 2, needed=False, elastic=True) == 1


@given(st.floats(0.1, 1e3), st.floats(0.1, 100.0), st.floats(0.0, 1e3))
def test_a_machine_is_as_slow_as_other_work_makes_this_process_wait(
    elapsed: float, worked: float, waited: float
) -> None:
    assert slowness_of(elapsed, worked, 0.0) == 1.0
    assert slowness_of(elapsed, worked, waited) == pytest.approx(min((worked + waited) / worked, 3.0))
    assert 1.0 <= slowness_of(elapsed, worked) <= 3.0  # where the system does not tell


@given(st.floats(5.0, 3600.0), st.floats(1.0, 50.0))
def test_the_more_other_work_a_machine_has_the_more_time_is_kept(budget: float, slowness: float) -> None:
    kept = reserved_seconds(budget, slowness=slowness)
    assert reserved_seconds(budget) <= kept <= 0.3 * budget


def test_the_rest_of_a_model_is_started_where_it_would_finish_in_time() -> None:
    plan = {"first": 2, "finished": 2, "needed": False, "seconds": 30.0}
    assert is_worth_continuing(**plan, left=31.0)
    assert not is_worth_continuing(**plan, left=30.0)
    assert is_worth_continuing(**plan, left=None)


@given(st.booleans(), st.floats(0, 100), st.floats(0, 100))
def test_a_model_is_given_up_where_its_first_fits_need_more_than_their_share(
    needed: bool, seconds: float, left: float
) -> None:
    assert not is_worth_continuing(first=2, finished=0, needed=needed, seconds=seconds, left=left)
    assert is_worth_continuing(first=2, finished=1, needed=needed, seconds=seconds, left=left) is needed


def test_a_needed_model_with_a_finished_fit_is_run_to_the_last_second() -> None:
    assert is_worth_continuing(first=2, finished=2, needed=True, seconds=30.0, left=1.0)


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_additional_seeds_are_new(seeds: list[int]) -> None:
    assert not set(additional_seeds(seeds)) & set(seeds)
    assert len(additional_seeds(seeds)) == 29


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(survivors(n=1500, m=300), tmp_path)


@pytest.mark.slow
def test_a_run_ends_within_its_budget_and_logs_its_plan(folder: Path) -> None:
    from kpipe import run

    began = time.monotonic()
    ended = run("made-by-hand", data=folder, budget=15.0, out=folder / "out")
    assert time.monotonic() - began < 20  # 14 s on an idle machine; other processes may take its cores at the end
    record = ended.record
    named = {m["name"] for m in record["models"]} | {name.split()[0] for name in record["left_out"]}
    default, further, stackers = (
        "boosting, linear, catboost, forest, tabular-net",
        "boosting-random, catboost-deep, forest-deep",
        "stack-linear, stack-boosting",
    )
    assert named - {*stackers.split(", ")} == {*default.split(", "), *further.split(", ")}
    assert len(record["models"]) >= 2
    assert record["score"] > record["baseline"]
    assert len(pd.read_csv(ended.path / "submission.csv")) == 300
    log = (ended.path / "log.txt").read_text()
    order = "boosting, linear, catboost, forest, catboost-deep, tabular-net, boosting-random, forest-deep"
    assert f"plan: {order}, {stackers} on {record['folds']} folds" in log
    assert "s left" in log
    assert record["models"][0]["seeds"][0] == 0
    for name, reason in record["left_out"].items():
        assert name in stackers or reason.startswith("it would not finish within the budget of 15 s: ")
