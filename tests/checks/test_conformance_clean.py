"""Mistakes planted in a module's ``clean``: each is caught, and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.core.values import Tables
from tests.modules import SLOW, STASH, checked, whole, written
from tests.tables import survivors


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("made-by-hand"))


# What clean may not do.


def share_of_the_living_by_sex(tables: Tables) -> Tables:
    share = tables.train.groupby("sex")["survived"].mean()
    return kpipe.row_by_row(lambda frame: frame.assign(double=frame["sex"].map(share)))(tables)


def standardised(tables: Tables) -> Tables:
    mean, spread = tables.train["x"].mean(), tables.train["x"].std()
    return kpipe.row_by_row(lambda frame: frame.assign(double=(frame["x"] - mean) / spread))(tables)


def counted(tables: Tables) -> Tables:
    counts = pd.concat([tables.train["sex"], tables.test["sex"]]).value_counts()
    return kpipe.row_by_row(lambda frame: frame.assign(double=frame["sex"].map(counts) / 1000))(tables)


def by_position(tables: Tables) -> Tables:
    return kpipe.row_by_row(lambda frame: frame.assign(double=frame.iloc[:, 1]))(tables)


def running_mean(tables: Tables) -> Tables:
    return kpipe.row_by_row(lambda frame: frame.assign(double=frame["x"].expanding().mean()))(tables)


def training_rows_for_test(tables: Tables) -> Tables:
    rows = tables.train.head(len(tables.test)).drop(columns="survived")
    return replace(tables, test=rows.assign(id=tables.test["id"].to_numpy()[: len(rows)]))


def cached(tables: Tables) -> Tables:
    return STASH.setdefault("cached", tables)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (share_of_the_living_by_sex, ["double of train", "target of train is shuffled", "clean sees the target"]),
        pytest.param(
            standardised,
            ["double of train", "fewer rows stand beside", "`features`, which is fitted inside each fold"],
            marks=SLOW,
        ),
        pytest.param(counted, ["double of train", "named in `transductive`"], marks=SLOW),
        (by_position, ["double of train", "columns come in another order", "Take columns by name"]),
        pytest.param(running_mean, ["double of train", "clean learns from other rows"], marks=SLOW),
        pytest.param(training_rows_for_test, ["of test", "clean learns from other rows"], marks=SLOW),
        (cached, ["clean itself gives 134 rows of train that it was not given", "a frame that it kept"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_clean_that_learns_or_mixes_fails(files: Path, change: Callable[[Tables], Tables], words: list[str]) -> None:
    found = checked(files, clean=whole(change))["clean is row-wise"]
    assert found.status == "fail"
    assert [word for word in words if word not in found.detail] == []


@SLOW
def test_a_count_over_all_rows_is_allowed_by_name_but_may_not_see_the_target(files: Path) -> None:
    assert checked(files, clean=whole(counted), transductive=("double",)) == {}
    found = checked(files, clean=whole(share_of_the_living_by_sex), transductive=("double",))
    assert "clean sees the target" in found["clean is row-wise"].detail


def test_a_target_whose_labels_trade_places_fails(files: Path) -> None:
    def other_way_round(tables: Tables) -> Tables:
        return replace(tables, train=tables.train.assign(survived=1 - tables.train["survived"]))

    found = checked(files, clean=whole(other_way_round))["target unchanged by clean"]
    assert found.status == "fail"
    assert "survived in 400 of 400 rows" in found.detail
    assert "one label stands for another" in found.detail


@SLOW
def test_a_target_on_another_scale_fails(files: Path) -> None:
    def logarithm(tables: Tables) -> Tables:
        return replace(tables, train=tables.train.assign(survived=np.log1p(tables.train["survived"])))

    found = checked(
        files, clean=whole(logarithm), metric="rmse", task="regression", models={"linear": kpipe.model("linear")}
    )["target unchanged by clean"]
    assert found.status == "fail"
    assert "on the changed scale" in found.detail


def sorted_by_x(tables: Tables) -> Tables:
    return replace(tables, train=tables.train.sort_values("x", ignore_index=True))


def without_the_largest(tables: Tables) -> Tables:
    return replace(tables, train=tables.train[tables.train["x"] < 2].reset_index(drop=True))


def doubled(tables: Tables) -> Tables:
    return replace(tables, train=pd.concat([tables.train, tables.train], ignore_index=True))


@SLOW
@pytest.mark.parametrize("change", [sorted_by_x, without_the_largest])
def test_a_clean_that_sorts_or_drops_rows_by_themselves_does_not_fail(
    files: Path, change: Callable[[Tables], Tables]
) -> None:
    assert {check.status for check in checked(files, clean=whole(change)).values()} <= {"warn"}


def test_a_clean_that_doubles_rows_is_said_and_ends_no_run(files: Path) -> None:
    found = checked(files, clean=whole(doubled))
    assert found["duplicates across folds"].status == "fail"
    assert "cannot be told apart" in found["clean is row-wise"].detail


def test_a_target_that_the_sample_spells_otherwise_is_shuffled_all_the_same(tmp_path: Path) -> None:
    made = survivors(n=400, m=120)
    made.train.rename(columns={"survived": "SURVIVED"}).to_csv(tmp_path / "train.csv", index=False)
    made.test.to_csv(tmp_path / "test.csv", index=False)
    made.sample.to_csv(tmp_path / "sample_submission.csv", index=False)

    def leaking(tables: Tables) -> Tables:
        noise = np.random.default_rng(1).normal(size=400)[: len(tables.train)]
        train = tables.train.assign(double=0.7 * tables.train["SURVIVED"] + noise)
        return replace(tables, train=train, test=tables.test.assign(double=0.0))

    found = checked(tmp_path, clean=whole(leaking))["clean is row-wise"]
    assert found.status == "fail"
    assert "clean sees the target" in found.detail
    assert "shuffled-target test" not in checked(tmp_path)
