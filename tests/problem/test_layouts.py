"""Layouts of well-known competitions: what is asked for, what identifies rows, and what is refused with a way on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe import load, run
from kpipe.core.values import Tables
from kpipe.errors import DataError, SubmissionError
from kpipe.features.text import TextFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.problem import define_problem
from kpipe.problem.splitters import ByTime
from kpipe.submission import rehearse
from kpipe.training.folds import make_folds
from tests.tables import prepared, problem_of, survivors, tables, write


def sales(*, in_train: bool) -> Tables:
    """Weekly sales of shops and departments, whose ids are built from these columns."""
    rng = np.random.default_rng(0)
    weeks = pd.date_range("2011-01-07", periods=60, freq="7D").strftime("%Y-%m-%d")
    frame = pd.MultiIndex.from_product([(1, 2), (3, 4), weeks], names=["Store", "Dept", "Date"]).to_frame(index=False)
    frame = frame.assign(sales=rng.gamma(9, frame["Store"] * frame["Dept"]))
    ids = frame["Store"].astype(str) + "_" + frame["Dept"].astype(str) + "_" + frame["Date"]
    later = frame["Date"] >= weeks[45]
    train, test = (frame[rows].reset_index(drop=True) for rows in (~later, later))
    sample = pd.DataFrame({"Id": ids[later].to_numpy(), "sales": 0.5})
    if in_train:
        train, test = train.assign(Id=ids[~later].to_numpy()), test.assign(Id=sample["Id"])
    return tables(train, test.drop(columns="sales"), sample)


@pytest.mark.parametrize("in_train", [False, True])
def test_an_id_that_is_built_from_columns_holds_no_group(in_train: bool) -> None:
    problem = problem_of(sales(in_train=in_train))
    assert problem.groups is None
    assert isinstance(problem.splitter, ByTime)
    assert problem.columns == ("Store", "Dept", "Date")


def hotels(clusters: int) -> Tables:
    """Clusters that are numbers, and a sample submission that ranks some, one of which train may lack."""
    made = survivors(n=400)
    cluster = np.clip(made.train["x"].rank().to_numpy() * clusters // 401, 0, clusters - 1).astype(int)
    train = made.train.drop(columns="survived").assign(cluster=cluster)
    return tables(train, made.test, made.test[["id"]].assign(cluster="99 1 2"))


@pytest.mark.parametrize("clusters", [4, 30])
def test_a_sample_that_ranks_numbers_makes_them_classes(clusters: int, tmp_path: Path) -> None:
    problem = problem_of(hotels(clusters))
    assert (problem.task, problem.metric.name) == ("classification", "map@3")
    if clusters == 4:
        ended = run("made-by-hand", data=write(hotels(4), tmp_path), models=["linear"], out=tmp_path / "out", jobs=1)
        ranked = pd.read_csv(ended.path / "submission.csv")["cluster"].str.split()
        assert (ranked.str.len() == 3).all()


def crimes() -> Tables:
    """Four categories, of which train has three."""
    made = survivors(n=300)
    kinds = np.array(["ARSON", "FRAUD", "ROBBERY"])[np.digitize(made.train["x"], [-0.5, 0.5])]
    train = made.train.drop(columns="survived").assign(Category=kinds, Descript=[f"{kind} A" for kind in kinds])
    columns = {"ARSON": 0, "BRIBERY": 0, "FRAUD": 1, "ROBBERY": 0}
    return tables(train, made.test, made.test[["id"]].assign(**columns))


def test_classes_that_train_lacks_get_a_small_probability(tmp_path: Path) -> None:
    problem = problem_of(crimes())
    assert (problem.targets, problem.metric.name) == (("Category",), "log_loss")
    assert "BRIBERY" in problem.reasons["target"].text
    ended = run("made-by-hand", data=write(crimes(), tmp_path), models=["linear"], out=tmp_path / "out", jobs=1)
    submission = pd.read_csv(ended.path / "submission.csv")
    assert list(submission.columns) == ["id", "ARSON", "BRIBERY", "FRAUD", "ROBBERY"]
    assert submission["BRIBERY"].between(0, 0.01, inclusive="neither").all()
    assert submission.drop(columns="id").sum(axis=1).to_numpy() == pytest.approx(1)


def test_most_classes_of_the_sample_must_be_in_train() -> None:
    made = crimes()
    sample = made.sample.assign(**dict.fromkeys(("A", "B", "C", "D"), 0))
    with pytest.raises(DataError, match="No target was found"):
        problem_of(replace(made, sample=sample))


def test_without_a_target_the_message_names_the_columns_that_test_lacks() -> None:
    made = survivors()
    many = {f"x{number}": made.train["x"] for number in range(9)}
    train = made.train.assign(**many, relevance=made.train["survived"], variance=0.5).drop(columns="survived")
    test = made.test.assign(**dict.fromkeys(many, made.test["x"]))
    sample = made.sample.rename(columns={"survived": "prediction"})
    with pytest.raises(DataError, match=r"test\.csv lacks relevance, variance: .*--target COL"):
        problem_of(tables(train, test, sample))


def insults(*, repeats: bool) -> Tables:
    """Comments without ids: the sample submission repeats test and adds the target."""
    rng = np.random.default_rng(0)
    words = np.array(["you", "are", "a", "kind", "good", "friend", "of", "mine", "today", "here"])
    comments = [" ".join(rng.choice(words, 9)) + f" {word}" for word in rng.choice(["idiot", "thanks"], 240)]
    dates = [f"201205{day:02}12{minute:02}34Z" for day, minute in rng.integers([1, 10], [28, 59], (240, 2))]
    frame = pd.DataFrame({"Date": dates, "Comment": comments})
    frame.loc[rng.random(240) < 0.2, "Date"] = np.nan
    if repeats:
        frame.loc[201, "Comment"] = frame.loc[200, "Comment"]
        frame.loc[201, "Date"] = "20120530121234Z"
    train = frame.head(160).assign(Insult=[int(text.endswith("idiot")) for text in comments[:160]])
    test = frame.tail(80).reset_index(drop=True)
    return tables(train, test, pd.concat([pd.Series(0, index=test.index, name="Insult"), test], axis=1))


@pytest.mark.parametrize("repeats", [False, True])
def test_texts_that_identify_the_rows_are_learned_from(repeats: bool, tmp_path: Path) -> None:
    made = insults(repeats=repeats)
    problem = problem_of(made)
    assert problem.targets == ("Insult",)
    assert set(problem.columns) == {"Date", "Comment"}
    data = write(made, tmp_path / "data")
    assert prepared("made-by-hand", data=data).targets == ("Insult",)  # where an empty cell of an id is ""
    if repeats:
        return
    ended = run("made-by-hand", data=data, metric="auc", models=["linear"], out=tmp_path / "out", jobs=1)
    submission = pd.read_csv(ended.path / "submission.csv")
    pd.testing.assert_frame_equal(submission[["Date", "Comment"]], made.test)
    rude = made.test["Comment"].str.endswith("idiot")
    assert submission.loc[rude, "Insult"].min() > submission.loc[~rude, "Insult"].max()


@pytest.mark.parametrize(("share", "metric"), [(0.5, "accuracy"), (0.06, "auc"), (0.94, "auc")])
def test_a_sample_of_zeros_means_probabilities_of_a_rare_target(share: float, metric: str) -> None:
    made = survivors(n=200)
    train = made.train.assign(survived=(np.arange(200) < 200 * share).astype(int))
    problem = problem_of(replace(made, train=train))
    assert problem.metric.name == metric
    assert problem.reasons["metric"].guess
    assert "the sample submission holds 0 in every row" in problem.reasons["metric"].text


@pytest.mark.parametrize(("value", "metric"), [(1 / 3, "log_loss"), (0.333, "log_loss"), (0.5, "auc")])
def test_targets_of_which_one_is_1_are_scored_as_probabilities_that_sum_to_1(value: float, metric: str) -> None:
    made, winner = survivors(n=120), np.arange(120) % 3
    names = ["winner_a", "winner_b", "winner_tie"]
    train = made.train.drop(columns="survived").assign(**{n: (winner == k) * 1 for k, n in enumerate(names)})
    problem = problem_of(tables(train, made.test, made.test[["id"]].assign(**dict.fromkeys(names, value))))
    assert (problem.targets, problem.metric.name) == (tuple(names), metric)


def test_texts_that_are_all_similar_cause_no_warning() -> None:
    texts = pd.Series([f"a collection of films in {number} parts from the north" for number in range(40)], name="text")
    fitted = TextFeatures.fit(texts, random_state=0)
    assert fitted is not None
    assert all(np.isfinite(values).all() for values in fitted.transform(texts).values())


def statements(*, customers: int = 60) -> Tables:
    """Several monthly rows for each customer, in train and in test, of which one prediction each is asked for."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"customer": np.repeat([f"c{number:03}" for number in range(2 * customers)], 4)})
    frame["balance"] = np.repeat(rng.normal(size=2 * customers), 4) + 0.1 * rng.normal(size=len(frame))
    frame["target"] = (frame.groupby("customer")["balance"].transform("mean") > 0).astype(int)
    train, test = frame.iloc[: 4 * customers], frame.iloc[4 * customers :].drop(columns="target").reset_index(drop=True)
    return tables(train, test, pd.DataFrame({"customer": test["customer"].unique(), "target": 0.5}))


def by_customer(given: Tables) -> Tables:
    train, test = (frame.groupby("customer", as_index=False).mean() for frame in (given.train, given.test))
    return replace(given, train=train.astype({"target": int}), test=test)


def test_rows_of_one_id_are_refused_until_clean_combines_them(tmp_path: Path) -> None:
    data = write(statements(), tmp_path / "data")
    with pytest.raises(SubmissionError, match=r"test\.csv repeats ids, .*into one in clean \(kpipe new"):
        run("made-by-hand", data=data, models=["linear"], out=tmp_path / "out", jobs=1)
    (note,) = (
        note for note in prepared("made-by-hand", data=data).tables.source.notes if "240 rows for 60 ids" in note
    )
    assert "until clean combines the rows of each id" in note
    combining = Competition(slug="made-by-hand", clean=by_customer)
    problem = define_problem(combining, load("made-by-hand", data))
    assert (len(problem.tables.train), len(problem.tables.test)) == (60, 60)
    rehearse(problem, make_folds(problem))
