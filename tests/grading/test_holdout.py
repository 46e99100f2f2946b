"""A part of train.csv as a competition of its own: split as test was, its cells untouched, its answers apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.core.request import RunRequest
from kpipe.errors import UsageError
from kpipe.grading.grade import grade
from kpipe.grading.holdout import Holdout, make_holdout
from kpipe.problem.vault_rows import spread_rows
from tests.cli.calls import call
from tests.pictures import SAMPLE, TEST, picture
from tests.pictures import csv as pictured_csv
from tests.pictures import write as write_pictures
from tests.tables import prices, survivors, tables, write

SLUG = "made-by-hand"


def held_out(data: Path, folder: Path, share: float = 0.2, seed: int = 0, **options: object) -> Holdout:
    return make_holdout(RunRequest(SLUG, data=data, **options), folder, share=share, seed=seed)  # type: ignore[arg-type]


def text(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_the_two_parts_are_train_and_every_cell_is_the_files_text(tmp_path: Path) -> None:
    data = write(survivors(n=200), tmp_path / "data")
    train = text(data / "train.csv")
    train["x"] = [f"{float(x):.3f}0" for x in train["x"]]  # digits that no float would be written with
    train["sex"] = np.where(np.arange(200) % 9 == 0, "", np.where(train["sex"] == "male", 'ma"le, old', " female"))
    train.to_csv(data / "train.csv", index=False)
    made = held_out(data, tmp_path / "out")
    kept, test, answers = (text(made.folder / name) for name in ("data/train.csv", "data/test.csv", "answers.csv"))
    assert (len(kept), len(test), made.rows, made.train_rows) == (160, 40, 40, 200)
    both = pd.concat([kept, test.merge(answers, on="id")]).sort_values("id", key=lambda ids: ids.astype(int))
    assert both[train.columns].reset_index(drop=True).equals(train)
    assert list(test.columns) == list(text(data / "test.csv").columns)
    assert text(made.data / "sample_submission.csv")["id"].tolist() == test["id"].tolist()
    assert answers["survived"].astype(int).mean() == pytest.approx(train["survived"].astype(int).mean(), abs=0.02)
    assert not (made.data / "answers.csv").exists()
    assert json.loads((made.folder / "holdout.json").read_text())["rows"] == 40


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_rows(tmp_path: Path) -> None:
    data = write(prices(n=200), tmp_path / "data")
    names = ("data/train.csv", "data/test.csv", "data/sample_submission.csv", "answers.csv")
    made = [held_out(data, tmp_path / str(n), seed=seed) for n, seed in enumerate((3, 3, 4))]
    first, again, other = ([(one.folder / name).read_bytes() for name in names] for one in made)
    assert first == again
    assert first != other
    assert made[0].rows == made[2].rows == 40
    assert len({tuple(text(one.answers)["id"]) for one in made}) == 2


def test_groups_stay_whole(tmp_path: Path) -> None:
    made = survivors(n=200, m=40)
    train, test = (frame.assign(home=[f"h{n // 4}" for n in frame["id"]]) for frame in (made.train, made.test))
    data = write(replace(made, train=train, test=test), tmp_path / "data")
    out = held_out(data, tmp_path / "out", split="home")
    assert out.how == "whole groups of home"
    assert not {*text(out.data / "train.csv")["home"]} & {*text(out.data / "test.csv")["home"]}


def test_the_last_days_are_held_out_where_test_lies_later(tmp_path: Path) -> None:
    made = prices(n=200, m=40)
    days = pd.Series(pd.date_range("2020-01-01", periods=240).strftime("%Y-%m-%d"))
    frames = [frame.assign(day=days[frame["id"]].to_numpy()) for frame in (made.train, made.test)]
    out = held_out(write(replace(made, train=frames[0], test=frames[1]), tmp_path / "data"), tmp_path / "out")
    assert out.how.startswith("the last rows by day")
    assert max(text(out.data / "train.csv")["day"]) < min(text(out.data / "test.csv")["day"])


def test_rows_without_a_target_stay_in_train(tmp_path: Path) -> None:
    made = survivors(n=200)
    train = made.train.assign(survived=made.train["survived"].astype(object).mask(made.train["id"] % 10 == 3))
    out = held_out(write(replace(made, train=train), tmp_path / "data"), tmp_path / "out")
    kept, answers = text(out.data / "train.csv"), text(out.answers)
    assert (kept["survived"] == "").sum() == 20
    assert (answers["survived"] != "").all()
    assert len(kept) + len(answers) == 200


def test_ids_that_train_lacks_are_counted_as_the_sample_submission_counts(tmp_path: Path) -> None:
    made = survivors(n=200)
    train, test = made.train.drop(columns="id"), made.test.drop(columns="id")
    sample = pd.DataFrame({"ImageId": np.arange(1, 31), "survived": 0})
    out = held_out(write(replace(made, train=train, test=test, sample=sample), tmp_path / "data"), tmp_path / "out")
    assert text(out.answers)["ImageId"].tolist() == [str(n) for n in range(1, 41)]
    assert "ImageId" not in text(out.data / "test.csv")


def test_a_column_for_each_class_and_several_targets_are_held_out(tmp_path: Path) -> None:
    made = survivors(n=200)
    classes = replace(made, sample=made.test[["id"]].assign(survived_0=0.5, survived_1=0.5))
    out = held_out(write(classes, tmp_path / "classes"), tmp_path / "one")
    assert list(text(out.data / "sample_submission.csv")) == ["id", "survived_0", "survived_1"]
    assert list(text(out.answers)) == ["id", "survived"]
    train = made.train.assign(y=1.5 * made.train["x"])
    two = replace(made, train=train, sample=made.test[["id"]].assign(survived=0, y=0))
    out = held_out(write(two, tmp_path / "two"), tmp_path / "several")
    assert list(text(out.answers)) == ["id", "survived", "y"]


def test_a_competition_is_made_trained_on_and_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(survivors(n=300), tmp_path / "data")
    args = ("holdout", SLUG, "--data", data, "--share", "20%", "--out", tmp_path / "out")
    assert call(*args, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert all(not isinstance(value, dict) for value in made.values())
    run = kpipe.run(SLUG, data=made["data"], models=["linear"], folds=2, jobs=1, out=tmp_path / "runs")
    found = grade(RunRequest(SLUG, data=made["data"]), run.path / "submission.csv", Path(made["answers"]), run=run)
    assert found.score.rows == 60
    assert found.score.value > found.baseline.value
    assert call(*args) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 0.7}, "--share must be above 0% and at most 50%"),
        ({"share": 0.01}, "sets aside 2 of 200 rows: at least 20 are needed"),
        ({"data": "sample"}, "This is sample data"),
    ],
)
def test_what_cannot_be_held_out_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    data = write(survivors(n=200), tmp_path / "data")
    if change.get("data") == "sample":
        with pytest.raises(UsageError, match=message):
            make_holdout(RunRequest("titanic", data="sample"), tmp_path / "out", share=0.2)
    else:
        with pytest.raises(UsageError, match=message):
            held_out(data, tmp_path / "out", **change)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_ids_that_repeat_cannot_join_answers(tmp_path: Path) -> None:
    made = survivors(n=200)
    train = made.train.assign(id=made.train["id"] // 2)
    with pytest.raises(UsageError, match=r"Ids of train\.csv repeat"):
        held_out(write(replace(made, train=train), tmp_path / "data"), tmp_path / "out", split="rows")


def test_rows_that_two_columns_name_together_are_held_out_and_graded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame([(store, day) for store in range(6) for day in range(40)], columns=["store", "day"])
    frame = frame.assign(x=rng.normal(size=240), sales=rng.normal(size=240)).sample(frac=1, random_state=0)
    train, test = frame.head(200), frame.tail(40).drop(columns="sales")
    data = write(tables(train, test, test[["store", "day"]].assign(sales=0.5)), tmp_path / "data")
    out = held_out(data, tmp_path / "out", split="rows")
    assert list(text(out.answers)) == list(text(out.data / "sample_submission.csv")) == ["store", "day", "sales"]
    mine = text(out.answers).sample(frac=1, random_state=1)
    mine.to_csv(tmp_path / "mine.csv", index=False)
    found = grade(RunRequest(SLUG, data=out.data), tmp_path / "mine.csv", out.answers)
    assert (found.score.value, found.score.rows) == (0.0, 40)


def shades(number: int) -> bytes:
    """A picture that no other row has: reddish for even numbers, bluish for odd ones."""
    red, blue = (255 - number, number) if number % 2 == 0 else (number, 255 - number)
    return picture((red, 0, blue))


COUNT = 120
TABLE = pictured_csv("id,label", *(f"p{n},{('red', 'blue')[n % 2]}" for n in range(COUNT)))
PICTURES = {
    "labels in the file names": {f"train/{('red', 'blue')[n % 2]}.{n}.png": shades(n) for n in range(COUNT)},
    "labels in the folders": {f"train/{('red', 'blue')[n % 2]}/{n}.png": shades(n) for n in range(COUNT)},
    "labels in a table": {**{f"train/p{n}.png": shades(n) for n in range(COUNT)}, "train.csv": TABLE},
}


@pytest.mark.parametrize("layout", PICTURES)
def test_pictures_are_held_out_under_names_that_do_not_tell_their_labels(layout: str, tmp_path: Path) -> None:
    files = {**PICTURES[layout], **TEST, "sample_submission.csv": SAMPLE}
    out = held_out(write_pictures(tmp_path / "data", files), tmp_path / "out", share=0.25)
    kept, answers = text(out.data / "train.csv"), text(out.answers)
    assert (len(kept), len(answers)) == (90, 30)
    held = {path.name: path.read_bytes() for path in (out.data / "test").iterdir()}
    train = {path.name: path.read_bytes() for path in (out.data / "train").iterdir()}
    assert sorted([*held.values(), *train.values()]) == sorted(map(shades, range(COUNT)))
    even = {shades(n) for n in range(0, COUNT, 2)}
    for table, shown in ((kept, train), (answers, held)):
        assert {f"{id}.png": label for id, label in zip(table["id"], table["label"], strict=True)} == {
            name: "red" if content in even else "blue" for name, content in shown.items()
        }
    assert not any("red" in name or "blue" in name for name in held)
    again = kpipe.load(SLUG, out.data)
    assert (len(again.train), len(again.test), list(again.sample["id"].astype(str))) == (90, 30, list(answers["id"]))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rows_that_are_spread_like_the_target_are_as_many_as_asked_for_and_none_twice(seed: int) -> None:
    values = np.random.default_rng(9).normal(size=1_000)
    for count in (1, 7, 300, 333, 500):
        assert len(np.unique(spread_rows(values, count, seed=seed))) == count
