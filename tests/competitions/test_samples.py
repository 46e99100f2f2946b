"""The sample data is drawn by tools/make_samples.py, to the byte, and has the quirks of Kaggle's files."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kpipe import competitions

TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_samples.py"
HOUSES = "house-prices-advanced-regression-techniques"
FILES = {
    "titanic": ("gender_submission", "test", "train"),
    HOUSES: ("sample_submission", "test", "train"),
    "digit-recognizer": ("sample_submission", "test", "train"),
    "spaceship-titanic": ("sample_submission", "test", "train"),
}


def sample(slug: str) -> Path:
    folder = competitions.folder(slug)
    assert folder is not None
    return folder / "sample"


def read(slug: str, name: str) -> list[dict[str, str]]:
    with (sample(slug) / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(rows: Sequence[dict[str, str]], name: str) -> list[str]:
    return [row[name] for row in rows]


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([sys.executable, "-W", "error", str(TOOL), str(folder)], check=True)
    return folder


@pytest.mark.parametrize(("slug", "name"), [(slug, name) for slug, names in FILES.items() for name in names])
def test_a_sample_is_drawn_again_to_the_byte(regenerated: Path, slug: str, name: str) -> None:
    path = Path(slug) / "sample" / f"{name}.csv"
    assert (regenerated / path).read_bytes() == (sample(slug) / f"{name}.csv").read_bytes()


@pytest.mark.parametrize("slug", FILES)
def test_a_sample_folder_holds_kaggles_file_names_and_no_other(slug: str) -> None:
    assert tuple(sorted(path.stem for path in sample(slug).iterdir())) == FILES[slug]


@pytest.mark.parametrize(("slug", "ids"), [("titanic", "PassengerId"), (HOUSES, "Id")])
def test_ids_continue_from_train_to_test_and_the_submission_has_those_of_test(slug: str, ids: str) -> None:
    train, test, submission = (column(read(slug, name), ids) for name in ("train", "test", FILES[slug][0]))
    assert [int(one) for one in train + test] == list(range(1, len(train) + len(test) + 1))
    assert submission == test


def test_titanic_has_the_missing_values_of_the_real_file() -> None:
    train, test = read("titanic", "train"), read("titanic", "test")
    assert (len(train), len(test)) == (300, 120)
    assert column(train, "Embarked").count("") == 2
    assert column(test, "Fare").count("") == 1
    assert 0.15 < column(train, "Age").count("") / 300 < 0.25
    assert column(train, "Cabin").count("") / 300 > 0.7


def test_titanics_relatives_share_tickets_across_train_and_test() -> None:
    tickets = [set(column(read("titanic", name), "Ticket")) for name in ("train", "test")]
    assert len(tickets[0] & tickets[1]) > 10


def test_titanics_names_hold_commas_quotes_and_parentheses() -> None:
    names = column(read("titanic", "train"), "Name")
    assert all(", " in name for name in names)
    assert any('"' in name for name in names)
    assert any("(" in name for name in names)


def test_titanics_gender_submission_predicts_that_women_survive() -> None:
    women = [int(sex == "female") for sex in column(read("titanic", "test"), "Sex")]
    assert [int(one) for one in column(read("titanic", "gender_submission"), "Survived")] == women


def test_house_prices_write_na_for_none_and_for_missing_values() -> None:
    train, test = read(HOUSES, "train"), read(HOUSES, "test")
    assert (len(train), len(test), len(train[0]), len(test[0])) == (300, 150, 81, 80)
    for name in ("Alley", "PoolQC", "Fence", "FireplaceQu", "GarageType", "LotFrontage", "MasVnrArea", "GarageYrBlt"):
        assert "NA" in column(train, name), name
    assert "NA" in column(test, "TotalBsmtSF")
    assert "NA" not in column(train, "TotalBsmtSF")


def test_digits_are_28_by_28_without_ids_and_none_is_in_both_files() -> None:
    train, test = read("digit-recognizer", "train"), read("digit-recognizer", "test")
    labels, counts = np.unique(column(train, "label"), return_counts=True)
    assert labels.tolist() == list("0123456789")
    assert counts.tolist() == [50] * 10
    pixels = [f"pixel{i}" for i in range(784)]
    assert list(test[0]) == pixels
    assert list(train[0]) == ["label", *pixels]
    drawn = [{tuple(row[name] for name in pixels) for row in rows} for rows in (train, test)]
    assert not drawn[0] & drawn[1]
    assert max(int(value) for row in test for value in row.values()) == 255


def test_spaceships_groups_are_whole_and_share_planet_and_side() -> None:
    train, test = read("spaceship-titanic", "train"), read("spaceship-titanic", "test")
    assert (len(train), len(test)) == (300, 120)
    assert column(read("spaceship-titanic", "sample_submission"), "PassengerId") == column(test, "PassengerId")
    groups = [{name.split("_")[0] for name in column(rows, "PassengerId")} for rows in (train, test)]
    assert not groups[0] & groups[1]
    for value in (lambda row: row["HomePlanet"], lambda row: row["Cabin"][-1:]):
        by_group: dict[str, set[str]] = {}
        for row in filter(value, train + test):
            by_group.setdefault(row["PassengerId"].split("_")[0], set()).add(value(row))
        assert {len(values) for values in by_group.values()} == {1}


def test_every_column_of_spaceship_has_missing_values_and_its_sleepers_pay_nothing() -> None:
    train = read("spaceship-titanic", "train")
    for name in set(train[0]) - {"PassengerId", "Transported"}:
        assert 0 < column(train, name).count("") < 20, name
    bills = ("RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck")
    sleepers = [row for row in train if row["CryoSleep"] == "True" or float(row["Age"] or 99) <= 12]
    assert len(sleepers) > 50
    assert {row[name] for row in sleepers for name in bills} == {"", "0.0"}
    assert set(column(train, "Transported")) == {"True", "False"}


def test_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in sample("digit-recognizer").iterdir()) <= 1_500_000
