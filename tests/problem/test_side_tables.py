"""Further tables whose rows are named by columns of train and test are joined, and others are left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.core.values import Tables
from kpipe.errors import DataError
from kpipe.problem.competition import Competition, row_by_row
from kpipe.problem.problem import Problem, define_problem
from tests.tables import prepared, prices, write

SHOPS = 8


def shops(folder: Path, **others: pd.DataFrame) -> Path:
    """Sales of shops, with further tables beside train and test."""
    made, rng = prices(), np.random.default_rng(1)
    for frame in (made.train, made.test):
        frame["shop"], frame["week"] = rng.integers(0, SHOPS, len(frame)), rng.integers(0, 4, len(frame))
    write(made, folder)
    for name, frame in others.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def stores(**columns: object) -> pd.DataFrame:
    size, kinds = np.arange(SHOPS) * 10, list("abcdabcd")
    return pd.DataFrame({"shop": range(SHOPS), "size": size, "kind": kinds, **columns}).iloc[::-1]


def problem_in(folder: Path) -> Problem:
    return prepared("made-by-hand", data=folder)


def test_a_table_of_shops_is_joined_by_the_shop(tmp_path: Path) -> None:
    problem = problem_in(shops(tmp_path, stores=stores(is_open=True)))
    assert set(problem.columns) == {"x", "shop", "week", "size", "kind", "is_open"}
    for frame in (problem.tables.train, problem.tables.test):
        assert (frame["size"] == 10 * frame["shop"]).all()
    assert "stores: joined by shop: size, kind, is_open." in " ".join(problem.tables.source.notes)
    assert "stores.csv" in problem.tables.source.files  # an input of the run, as train.csv is


def test_a_table_of_shops_and_weeks_is_joined_by_both(tmp_path: Path) -> None:
    pairs = pd.MultiIndex.from_product([range(SHOPS), range(4)], names=["shop", "week"]).to_frame(index=False)
    problem = problem_in(shops(tmp_path, weather=pairs.assign(rain=pairs["shop"] + pairs["week"] / 10).iloc[1:]))
    train = problem.tables.train
    known = train["rain"].notna()
    assert known.mean() > 0.9
    assert (train["rain"] - train["shop"] - train["week"] / 10)[known].abs().max() < 1e-9


@pytest.mark.parametrize("role", ["train", "test"])
def test_a_table_about_one_side_alone_is_not_joined(role: str, tmp_path: Path) -> None:
    shops(tmp_path)
    ids = pd.read_csv(tmp_path / f"{role}.csv")
    split = pd.read_csv(tmp_path / "train.csv")["shop"].unique()
    detail = ids.assign(detail=1.5)[["id", "detail"]]
    detail.to_csv(tmp_path / "details.csv", index=False)
    pd.DataFrame({"shop": split, "price": 0.5}).to_csv(tmp_path / "means.csv", index=False)
    assert set(problem_in(tmp_path).columns) == {"x", "shop", "week"}


def test_repeated_keys_other_types_and_broken_files_are_not_joined(tmp_path: Path) -> None:
    shops(tmp_path, twice=pd.concat([stores(), stores()]), words=stores().astype({"shop": str}).replace({"0": "zero"}))
    (tmp_path / "broken.csv").write_bytes(b'shop,"size\n1,"2\x00')
    assert set(problem_in(tmp_path).columns) == {"x", "shop", "week"}


def test_a_table_that_is_not_joined_is_noted_with_the_reason(tmp_path: Path) -> None:
    made = prices()
    both = pd.concat([made.train, made.test])
    shops(
        tmp_path,
        twice=pd.concat([stores(), stores().head(3)]),
        words=stores().astype({"shop": str}).replace({"0": "zero"}),
        details=both[["id"]].assign(detail=1.5),
        rare=stores().head(1).assign(shop=99),
        unrelated=pd.DataFrame({"country": ["NZ"], "capital": ["Wellington"]}),
        old_submission=made.sample,
    )
    problem = problem_in(tmp_path)
    said = [note for note in problem.tables.source.notes if " joined" in note]
    reasons = {
        "details": "no two rows of train have the same id",
        "rare": "it has rows for 0% of train's rows and 0% of test's",
        "twice": "6 of its 11 rows have the same shop as another row",
    }
    how = "To use it, join it in clean (for a module with clean: kpipe new made-by-hand)."
    assert said == [
        *(f"{name}: not joined, because {why}. {how}" for name, why in reasons.items()),
        "Nor are these tables joined: words.",
    ]
    assert set(problem.columns) == {"x", "shop", "week"}


def test_a_pair_of_tables_is_joined_to_train_and_to_test(tmp_path: Path) -> None:
    made = prices(n=120, m=60)
    write(made, tmp_path)
    for role, frame in (("train", made.train), ("test", made.test)):
        (tmp_path / f"{role}.csv").rename(tmp_path / f"{role}_transaction.csv")
        some = frame[["id"]].iloc[::3]
        separator = "_" if role == "train" else "-"
        pd.DataFrame({"id": some["id"], f"id{separator}01": some["id"] * 2}).to_csv(
            tmp_path / f"{role}_identity.csv", index=False
        )
    problem = problem_in(tmp_path)
    assert (problem.targets, problem.columns) == (("price",), ("x", "id_01"))
    for frame in (problem.tables.train, problem.tables.test):
        assert frame["id_01"].notna().mean() == pytest.approx(1 / 3)
        assert (frame["id_01"] == 2 * frame["id"])[frame["id_01"].notna()].all()


def test_a_module_that_handles_columns_itself_gets_the_files_as_they_are(tmp_path: Path) -> None:
    tables = kpipe.load("made-by-hand", shops(tmp_path, stores=stores()))
    own = Competition(slug="made-by-hand", clean=lambda one: one)
    assert "size" not in define_problem(own, tables).tables.train
    stated = Competition(slug="made-by-hand", columns=("x", "shop"), models={})
    assert "size" not in define_problem(stated, tables).tables.train


def test_a_table_that_a_clean_replaces_the_join_of_is_noted_until_clean_reads_it(tmp_path: Path) -> None:
    shops(tmp_path, stores=stores())
    files = kpipe.load("made-by-hand", tmp_path)
    own = Competition(slug="made-by-hand", clean=row_by_row(lambda frame: frame.assign(double=2 * frame["x"])))
    notes = " ".join(define_problem(own, files).tables.source.notes)
    assert "stores: not joined, because this competition has a clean of its own, which does not read it." in notes
    assert "join it there: tables.others['stores']." in notes

    def clean(tables: Tables) -> Tables:
        sizes = tables.others["stores"].set_index("shop")["size"]
        frames = {name: getattr(tables, name) for name in ("train", "test")}
        return replace(tables, **{k: frame.assign(area=frame["shop"].map(sizes)) for k, frame in frames.items()})

    joined = define_problem(Competition(slug="made-by-hand", clean=clean), kpipe.load("made-by-hand", tmp_path))
    assert "area" in joined.columns
    assert "stores" not in " ".join(joined.tables.source.notes)


def test_a_clean_that_uses_a_column_of_a_further_table_is_told_where_the_column_is(tmp_path: Path) -> None:
    shops(tmp_path, stores=stores())
    own = Competition(slug="made-by-hand", clean=row_by_row(lambda frame: frame.assign(double=2 * frame["size"])))
    with pytest.raises(DataError, match=r"lacks the column 'size'.* stores has it.*join tables\.others\['stores'\]"):
        define_problem(own, kpipe.load("made-by-hand", tmp_path))
