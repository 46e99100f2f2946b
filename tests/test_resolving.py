"""Any competition, with no code: what its files say is found, with the reason, and a guess is called one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.competition import Competition
from kpipe.errors import DataError
from kpipe.folding import assign_folds
from kpipe.metrics import Metric
from kpipe.pipeline import prepare, run
from kpipe.resolving import adapt, resolve
from kpipe.values import Tables
from tests.tables import resolved, survivors, tables


def write(folder: Path, train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame) -> Path:
    for name, frame in (("train", train), ("test", test), ("sample_submission", sample)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def found(made: Tables) -> tuple[Competition, Tables]:
    competition, adapted = adapt(Competition(slug="made-by-hand"), made)
    return resolve(competition, adapted), adapted


def test_ids_and_targets_may_be_spelt_otherwise_in_each_file() -> None:
    made = survivors()
    train = made.train.rename(columns={"survived": "ACTION"}).drop(columns="id")
    made = tables(train, made.test, made.sample.rename(columns={"id": "Id", "survived": "Action"}))
    competition, adapted = found(made)
    assert (competition.id, competition.target) == ("Id", "Action")
    assert "Action" in adapted.train.columns
    assert "Id" in adapted.test.columns
    assert competition.columns == ("x", "sex")


def test_an_id_of_another_name_is_known_by_its_values() -> None:
    made = survivors()
    test = made.test.rename(columns={"id": "animal"}).sample(frac=1, random_state=0).reset_index(drop=True)
    competition, adapted = found(replace(made, test=test))
    assert competition.id == "id"
    assert adapted.test["id"].tolist() == test["animal"].tolist()


def test_a_target_that_the_submission_calls_otherwise_is_the_column_that_test_lacks() -> None:
    made = survivors()
    competition, _ = found(replace(made, sample=made.sample.rename(columns={"survived": "prediction"})))
    assert competition.target == "survived"
    assert competition.inferred["target"].guess


def test_what_the_submission_repeats_of_test_is_not_asked_for(tmp_path: Path) -> None:
    made = survivors(n=120)
    sample = made.test[["id", "sex"]].assign(survived=0)
    write(tmp_path, made.train, made.test, sample)
    ended = run("made-by-hand", data=tmp_path, models=["linear"], out=tmp_path / "out", jobs=1)
    submission = pd.read_csv(ended.path / "submission.csv")
    assert list(submission.columns) == ["id", "sex", "survived"]
    assert submission["sex"].tolist() == made.test["sex"].tolist()
    assert set(submission["survived"]) == {0, 1}


def passengers(groups: int = 90) -> Tables:
    """Parties of one to three, of whom whole ones are in test."""
    rng = np.random.default_rng(0)
    party = np.repeat(np.arange(groups), rng.integers(1, 4, size=groups))
    number = pd.Series(party).groupby(party).cumcount() + 1
    frame = pd.DataFrame({"id": [f"{p:04}_{n:02}" for p, n in zip(party, number, strict=True)]})
    frame["x"] = rng.normal(size=len(frame))
    frame["y"] = frame["x"] + rng.normal(size=len(frame)) > 0
    test = frame[party % 4 == 0].drop(columns="y").reset_index(drop=True)
    return tables(frame[party % 4 != 0].reset_index(drop=True), test, test[["id"]].assign(y=False))


def test_ids_that_hold_groups_keep_them_together() -> None:
    competition, adapted = found(passengers())
    assert competition.groups == "id group"
    assert competition.inferred["groups"].guess
    assert set(competition.columns or ()) == {"x", "id number", "id group size"}
    folds = assign_folds(competition, adapted)
    groups = adapted.train["id group"]
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(groups.iloc[train]) & set(groups.iloc[valid])


def test_groups_that_test_shares_with_train_do_not_part_the_rows() -> None:
    made = passengers()
    frame = pd.concat([made.train, made.test.assign(y=True)])
    test = frame.iloc[1::3].drop(columns="y").reset_index(drop=True)
    train = frame.iloc[[row for row in range(len(frame)) if row % 3 != 1]].reset_index(drop=True)
    competition, _ = found(tables(train, test, test[["id"]].assign(y=False)))
    assert competition.groups is None


def test_a_column_of_things_that_test_has_none_of_parts_the_rows() -> None:
    made = survivors(n=200, m=100)
    train = made.train.assign(patient=[f"p{number}" for number in np.arange(200) // 5])
    test = made.test.assign(patient=[f"q{number}" for number in np.arange(100) // 5])
    competition, _ = found(replace(made, train=train, test=test))
    assert competition.groups == "patient"
    assert "patient" not in (competition.columns or ())
    assert "100% of test's rows have one that train lacks" in competition.inferred["groups"].text


def dated(*, later: bool) -> Tables:
    rng = np.random.default_rng(0)
    when = pd.date_range("2020-01-01", periods=400).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"id": range(400), "date": when, "x": rng.normal(size=400)})
    frame["sales"] = np.exp(frame["x"]) * 100
    rows = np.arange(400) >= 300 if later else np.arange(400) % 4 == 0
    test = frame[rows].drop(columns="sales").reset_index(drop=True)
    return tables(frame[~rows].reset_index(drop=True), test, test[["id"]].assign(sales=0.0))


def test_where_test_lies_after_train_folds_validate_what_comes_later() -> None:
    competition, adapted = found(dated(later=True))
    assert repr(competition.splitter) == "ByTime('date', n_splits=4)"
    assert competition.inferred["splitter"].guess
    folds = assign_folds(competition, adapted)
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert train.max() < valid.min()
    assert folds.valid[-1].max() == 299
    between, _ = found(dated(later=False))
    assert repr(between.splitter).startswith("KFold")


def test_an_id_that_is_a_date_is_a_feature() -> None:
    made = dated(later=False)
    frames = [frame.drop(columns="id").rename(columns={"date": "datetime"}) for frame in (made.train, made.test)]
    competition, _ = found(tables(*frames, sample=frames[1][["datetime"]].assign(sales=0.0)))
    assert competition.id == "datetime"
    assert competition.columns == ("datetime", "x")


TARGETS = {
    "flags": ([0, 1], 0.5, "classification", "auc"),
    "numbers": ([0.5, 3.0, 9.0], 0.0, "regression", "rmse"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_several_targets_go_from_files_to_a_submission(kind: str, tmp_path: Path) -> None:
    values, placeholder, task, metric = TARGETS[kind]
    rng = np.random.default_rng(0)
    made = survivors(n=150)
    train = made.train.drop(columns="survived").assign(a=rng.choice(values, 150), b=rng.choice(values, 150))
    write(tmp_path, train, made.test, made.test[["id"]].assign(a=placeholder, b=placeholder))
    competition, _ = prepare("made-by-hand", data=tmp_path)
    assert (competition.targets, competition.task) == (("a", "b"), task)
    ended = run("made-by-hand", data=tmp_path, models=["linear"], out=tmp_path / "out", jobs=1)
    assert ended.record["metric"]["name"] == metric
    submission = pd.read_csv(ended.path / "submission.csv")
    assert list(submission.columns) == ["id", "a", "b"]
    assert submission["a"].nunique() > 10
    assert {"blend/a", "blend/b"} <= set(pd.read_parquet(ended.path / "oof.parquet").columns)


def test_a_scale_is_learned_as_one_number_and_cut(tmp_path: Path) -> None:
    made = survivors(n=300)
    quality = np.clip((made.train["x"] * 1.5 + 4).round(), 2, 7).astype(int)
    train = made.train.drop(columns="survived").assign(quality=quality)
    write(tmp_path, train, made.test, made.test[["id"]].assign(quality=5))
    ended = run("made-by-hand", data=tmp_path, metric="qwk", models=["linear"], out=tmp_path / "out", jobs=1)
    assert ended.record["score"] > 0.9
    assert set(pd.read_csv(ended.path / "submission.csv")["quality"]) <= {2, 3, 4, 5, 6, 7}
    oof = pd.read_parquet(ended.path / "oof.parquet")
    assert "linear" in oof.columns  # the scale itself
    assert "blend/5" in oof.columns  # what was made of it


def test_a_ranking_holds_the_likeliest_labels_best_first(tmp_path: Path) -> None:
    made = survivors(n=300)
    kinds = np.array(["ash", "birch", "cedar", "elm"])
    labels = kinds[np.digitize(made.train["x"], [-0.7, 0, 0.7])]
    train = made.train.drop(columns="survived").assign(tree=labels)
    write(tmp_path, train, made.test, made.test[["id"]].assign(tree="ash birch cedar"))
    ended = run("made-by-hand", data=tmp_path, models=["linear"], out=tmp_path / "out", jobs=1)
    assert ended.record["metric"]["name"] == "map@3"
    assert ended.record["inferred"]["metric"].startswith("a guess")
    submission = pd.read_csv(ended.path / "submission.csv")["tree"].str.split()
    assert (submission.str.len() == 3).all()
    assert all(len(set(row)) == 3 and set(row) <= set(kinds) for row in submission)
    highest = made.test["x"].to_numpy() > 1.5
    assert (submission[highest].str[0] == "elm").all()


def test_prose_brings_the_model_of_words() -> None:
    made = survivors(n=100)
    rng = np.random.default_rng(0)
    words = ["fire", "smoke", "rescue", "picnic", "sunny", "holiday", "street", "crowd"]
    story = [" ".join(rng.choice(words, size=7)) for _ in range(130)]
    competition = resolved(
        replace(made, train=made.train.assign(text=story[:100]), test=made.test.assign(text=story[100:]))
    )
    assert "text" in (competition.models or {})
    assert "text" not in (resolved(made).models or {})


def test_several_targets_of_which_one_is_missing_are_refused() -> None:
    made = survivors()
    with pytest.raises(DataError, match=r"train\.csv lacks the target 'b'"):
        resolved(made, target=("survived", "b"))


def test_the_metric_of_kaggles_page_comes_before_a_guess() -> None:
    made = survivors()
    source = replace(made.source, metric="Area Under Receiver Operating Characteristic Curve")
    competition = resolved(replace(made, source=source))
    assert isinstance(competition.metric, Metric)
    assert competition.metric.name == "auc"
    assert competition.inferred["metric"].text.startswith("Kaggle's page names it")
    assert not competition.inferred["metric"].guess
    strange = resolved(replace(made, source=replace(made.source, metric="Goodness of Ships")))
    assert strange.inferred["metric"].guess
    assert "'Goodness of Ships', which kpipe does not know" in strange.inferred["metric"].text


def test_bytes_of_a_square_are_pictures() -> None:
    rng = np.random.default_rng(0)
    pixels = pd.DataFrame(rng.integers(0, 256, size=(120, 100)), columns=[f"p{n}" for n in range(100)]).astype("uint8")
    train = pixels.assign(label=rng.choice([0, 1, 2], size=120))
    test = pixels.assign(id=range(120))
    competition = resolved(tables(train, test, test[["id"]].assign(label=0)))
    assert competition.default == ("convnet",)
    assert competition.features is None
    narrow = [f"p{n}" for n in range(90)]
    other = resolved(tables(train[[*narrow, "label"]], test[["id", *narrow]], test[["id"]].assign(label=0)))
    assert list(other.models or ()) == ["neural", "boosting"]
