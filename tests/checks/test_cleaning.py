"""Mistakes planted in ``clean`` are caught and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.core.values import Tables
from tests.modules import SLOW, STASH, finding, findings, on_tables
from tests.tables import survivors


def survival_rate_by_sex(tables: Tables) -> Tables:
    share = tables.train.groupby("sex")["survived"].mean()
    return kpipe.row_by_row(lambda frame: frame.assign(double=frame["sex"].map(share)))(tables)


def standardized(tables: Tables) -> Tables:
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
        (survival_rate_by_sex, ["double of train", "targets of train are shuffled", "clean uses the target"]),
        pytest.param(
            standardized,
            ["double of train", "other rows are removed", "`features`, which is fitted inside each fold"],
            marks=SLOW,
        ),
        pytest.param(counted, ["double of train", "listed in `transductive`"], marks=SLOW),
        (by_position, ["double of train", "columns of the file are reordered", "Select them by name"]),
        pytest.param(running_mean, ["double of train", "clean learns from other rows"], marks=SLOW),
        pytest.param(training_rows_for_test, ["of test", "clean learns from other rows"], marks=SLOW),
        (cached, ["clean returns 134 rows of train that it was not given", "a cached table"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_clean_that_learns_from_rows_or_mixes_them_fails(
    files: Path, change: Callable[[Tables], Tables], words: list[str]
) -> None:
    found = finding(files, "clean is row-wise", clean=on_tables(change))
    assert found.status == "fail"
    assert [word for word in words if word not in found.detail] == []


@SLOW
def test_a_transductive_column_may_count_all_rows_but_not_use_the_target(files: Path) -> None:
    assert findings(files, clean=on_tables(counted), transductive=("double",)) == {}
    found = finding(files, "clean is row-wise", clean=on_tables(survival_rate_by_sex), transductive=("double",))
    assert "clean uses the target" in found.detail


def test_exchanged_labels_fail(files: Path) -> None:
    def other_way_round(tables: Tables) -> Tables:
        return replace(tables, train=tables.train.assign(survived=1 - tables.train["survived"]))

    found = finding(files, "target unchanged by clean", clean=on_tables(other_way_round))
    assert found.status == "fail"
    assert "survived in 400 of 400 rows" in found.detail
    assert "labels were swapped" in found.detail


@SLOW
def test_a_target_on_another_scale_fails(files: Path) -> None:
    def logarithm(tables: Tables) -> Tables:
        return replace(tables, train=tables.train.assign(survived=np.log1p(tables.train["survived"])))

    found = finding(
        files,
        "target unchanged by clean",
        clean=on_tables(logarithm),
        metric="rmse",
        task="regression",
        models={"linear": kpipe.model("linear")},
    )
    assert found.status == "fail"
    assert "on the changed scale" in found.detail


def sorted_by_x(tables: Tables) -> Tables:
    return replace(tables, train=tables.train.sort_values("x", ignore_index=True))


def without_the_largest(tables: Tables) -> Tables:
    return replace(tables, train=tables.train[tables.train["x"] < 2].reset_index(drop=True))


def duplicated(tables: Tables) -> Tables:
    return replace(tables, train=pd.concat([tables.train, tables.train], ignore_index=True))


@pytest.mark.parametrize("change", [pytest.param(sorted_by_x, marks=SLOW), without_the_largest])
def test_a_clean_that_sorts_or_drops_rows_is_checked_like_any_other(
    files: Path, change: Callable[[Tables], Tables]
) -> None:
    assert findings(files, clean=on_tables(change)).keys() <= {"row-order leakage"}  # sorted rows are in such an order
    leaking = on_tables(lambda given: survival_rate_by_sex(change(given)))
    assert "clean uses the target" in finding(files, "clean is row-wise", clean=leaking).detail


def without_copies(tables: Tables) -> Tables:
    columns = [name for name in tables.train if name != "id"]
    return replace(tables, train=tables.train.drop_duplicates(columns).reset_index(drop=True))


def test_a_clean_that_drops_exact_copies_of_rows_does_not_drop_them_by_their_target(tmp_path: Path) -> None:
    made = survivors(n=400, m=120)
    copies = made.train.head(60).assign(id=1_000 + np.arange(60))
    pd.concat([made.train, copies]).to_csv(tmp_path / "train.csv", index=False)
    made.test.to_csv(tmp_path / "test.csv", index=False)
    made.sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    found = findings(tmp_path, clean=on_tables(without_copies))
    assert {check.status for check in found.values()} <= {"skipped"}
    by_target = on_tables(lambda given: without_surprising_rows(without_copies(given)))
    assert "rows of train by their target" in finding(tmp_path, "clean is row-wise", clean=by_target).detail


def keyed(tables: Tables) -> Tables:
    """A text that names the rows that are equal in all columns of the file."""

    def add(frame: pd.DataFrame) -> pd.DataFrame:
        used = [name for name in frame if name not in ("id", "survived", "female", "double")]
        return frame.assign(key=frame[used].round(1).astype(str).agg("_".join, axis=1))

    return kpipe.row_by_row(add)(tables)


def test_a_key_made_of_all_columns_in_the_order_of_the_file_does_not_fail(files: Path) -> None:
    assert findings(files, clean=on_tables(keyed)) == {}
    by_place = on_tables(kpipe.row_by_row(lambda frame: frame.assign(key=frame.iloc[:, 2])))
    assert "selects columns by position" in finding(files, "clean is row-wise", clean=by_place).detail


def test_a_clean_that_duplicates_rows_is_reported_and_does_not_end_the_run(files: Path) -> None:
    found = findings(files, clean=on_tables(duplicated))
    assert found["duplicates across folds"].status == "fail"
    assert "cannot be matched" in found["clean is row-wise"].detail


def test_a_target_that_the_sample_spells_differently_is_shuffled_too(tmp_path: Path) -> None:
    made = survivors(n=400, m=120)
    made.train.rename(columns={"survived": "SURVIVED"}).to_csv(tmp_path / "train.csv", index=False)
    made.test.to_csv(tmp_path / "test.csv", index=False)
    made.sample.to_csv(tmp_path / "sample_submission.csv", index=False)

    def leaking(tables: Tables) -> Tables:
        noise = np.random.default_rng(1).normal(size=400)[: len(tables.train)]
        train = tables.train.assign(double=0.7 * tables.train["SURVIVED"] + noise)
        return replace(tables, train=train, test=tables.test.assign(double=0.0))

    found = finding(tmp_path, "clean is row-wise", clean=on_tables(leaking))
    assert found.status == "fail"
    assert "clean uses the target" in found.detail
    assert finding(tmp_path, "shuffled-target test").status == "pass"


def unseeded(tables: Tables) -> Tables:
    return kpipe.row_by_row(lambda frame: frame.assign(double=np.random.default_rng().normal(size=len(frame))))(tables)


def test_noise_without_a_seed_is_not_reported_to_use_the_target(files: Path) -> None:
    found = finding(files, "clean is row-wise", clean=on_tables(unseeded))
    assert found.status == "fail"
    assert "double of train" in found.detail
    assert "Seed every random step" in found.detail
    assert "uses the target" not in found.detail


def test_rows_that_are_sorted_are_no_exchanged_labels(tmp_path: Path) -> None:
    made = survivors(n=400, m=120)
    made.train.drop(columns="id").to_csv(tmp_path / "train.csv", index=False)
    made.test.to_csv(tmp_path / "test.csv", index=False)
    made.sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    assert "target unchanged by clean" not in findings(tmp_path, clean=on_tables(sorted_by_x))
    swapped = on_tables(lambda given: replace(given, train=given.train.assign(survived=1 - given.train["survived"])))
    assert finding(tmp_path, "target unchanged by clean", clean=swapped).status == "fail"


def most_correlated(tables: Tables) -> Tables:
    """Of 40 columns of noise, the five that are correlated with the target."""
    noise = [np.random.default_rng(7).normal(size=(2000, 40))[frame["id"]] for frame in (tables.train, tables.test)]
    y = tables.train["survived"].to_numpy(dtype=float)
    best = np.argsort([-abs(np.corrcoef(column, y)[0, 1]) for column in noise[0].T])[:5]
    made = [pd.DataFrame(values[:, best], columns=[f"noise{number}" for number in best]) for values in noise]
    train, test = (
        pd.concat([frame, more], axis=1) for frame, more in zip((tables.train, tables.test), made, strict=True)
    )
    return replace(tables, train=train, test=test)


def without_weak_columns(tables: Tables) -> Tables:
    """The column of noise is dropped unless it tells the target apart."""
    gap = tables.train.groupby("survived")["double"].mean().diff().abs().iloc[-1]
    weak = [] if gap > 0.5 else ["double"]
    return replace(tables, train=tables.train.drop(columns=weak), test=tables.test.drop(columns=weak))


@pytest.mark.parametrize("change", [most_correlated, without_weak_columns])
def test_a_clean_that_chooses_columns_by_the_target_fails(files: Path, change: Callable[[Tables], Tables]) -> None:
    found = finding(files, "clean is row-wise", clean=on_tables(change))
    assert found.status == "fail"
    assert "chooses columns by the target" in found.detail
    assert "noise" in found.detail or "double" in found.detail


def whether_of_the_worse_sex(tables: Tables) -> Tables:
    """Two groups, named by their mean target: one in two shuffles of the targets leaves them as they are."""
    worse = tables.train.groupby("sex")["survived"].mean().idxmin()
    train, test = (frame.assign(worse=frame["sex"] == worse) for frame in (tables.train, tables.test))
    return replace(tables, train=train, test=test)


def test_a_clean_that_groups_categories_by_the_target_fails(files: Path) -> None:
    found = finding(files, "clean is row-wise", clean=on_tables(whether_of_the_worse_sex))
    assert found.status == "fail"
    assert "clean uses the target" in found.detail


def without_surprising_rows(tables: Tables) -> Tables:
    """The rows of train whose target is as x says, as if the others were outliers."""
    expected = (tables.train["x"] > 0) == (tables.train["survived"] == 1)
    return replace(tables, train=tables.train[expected].reset_index(drop=True))


def test_a_clean_that_drops_rows_by_their_target_fails(files: Path) -> None:
    found = finding(files, "clean is row-wise", clean=on_tables(without_surprising_rows))
    assert found.status == "fail"
    assert "rows of train by their target" in found.detail


def ordered_by_correlation(tables: Tables) -> Tables:
    numbers = tables.train[["x", "female", "double"]]
    best = list(numbers.corrwith(tables.train["survived"]).sort_values().index)
    return replace(tables, train=tables.train[["id", *best, "survived", "sex"]], test=tables.test[["id", *best, "sex"]])


def test_a_clean_that_orders_columns_by_the_target_fails(files: Path) -> None:
    found = finding(files, "clean is row-wise", clean=on_tables(ordered_by_correlation))
    assert found.status == "fail"
    assert "orders the columns of train by the target" in found.detail
