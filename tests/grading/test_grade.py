"""Any submission scored on answers: joined by id, in any order, by every metric."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kpipe
from kpipe.core.metrics import METRICS, evaluate, get_metric
from kpipe.core.request import RunRequest
from kpipe.core.values import Ensemble, Tables
from kpipe.errors import DataError, KpipeError, SubmissionError
from kpipe.grading.answers import read_answers
from kpipe.grading.grade import grade
from kpipe.grading.predictions import in_order_of_sample, predictions_of
from kpipe.problem.problem import Problem
from kpipe.problem.submission_file import read_submission
from kpipe.submission import make_submission, to_csv
from tests.cli.calls import call
from tests.tables import prices, problem_of, survivors, tables, write

M = 30


def species(kind: str = "label") -> Tables:
    """Three classes, asked for as labels, a column for each, or a ranking."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"id": np.arange(110), "x": rng.normal(size=110)})
    names = np.array(["ant", "bee", "cat"])[np.digitize(frame["x"], [-0.5, 0.5])]
    train, test = frame.head(80).assign(kind=names[:80]), frame.tail(M).reset_index(drop=True)
    asked = {
        "label": {"kind": "ant"},
        "ranking": {"kind": "ant bee"},
        "classes": dict.fromkeys(("ant", "bee", "cat"), 0.3),
    }
    return tables(train, test, test[["id"]].assign(**asked[kind]))


def truth_of(problem: Problem, codes: np.ndarray) -> pd.DataFrame:
    values = codes if problem.labels is None else problem.labels[codes]
    return problem.tables.sample[[problem.id]].assign(**{problem.targets[0]: values})


def problem_for(name: str) -> Problem:
    metric = get_metric(name)
    if metric.task == "regression":
        return problem_of(prices(m=M), metric=name)
    if metric.needs == "ranking":
        return problem_of(species("ranking"), metric=name)
    if metric.needs == "label":
        return problem_of(survivors(m=M), metric=name)
    return problem_of(replace(survivors(m=M), sample=survivors(m=M).sample.assign(survived=0.5)), metric=name)


@pytest.mark.parametrize("name", METRICS)
def test_what_a_run_submits_has_the_score_of_its_predictions(name: str, tmp_path: Path) -> None:
    problem, rng = problem_for(name), np.random.default_rng(0)
    if problem.labels is None:
        y = np.exp(10 + rng.normal(size=M))
        predicted = y[:, None] * np.exp(rng.normal(scale=0.1, size=(M, 1)))
    else:
        y = np.arange(M) % len(problem.labels)
        predicted = rng.dirichlet(np.ones(len(problem.labels)), M)
    ensemble = Ensemble(weights={}, oof=predicted, test=predicted)
    (tmp_path / "ours.csv").write_bytes(to_csv(make_submission(problem, ensemble)))
    truth = truth_of(problem, y if problem.labels is None else y.astype(int))
    truth.sample(frac=1, random_state=0).to_csv(tmp_path / "answers.csv", index=False)
    frame = in_order_of_sample(read_submission(tmp_path / "ours.csv", problem), problem)
    answers = read_answers(tmp_path / "answers.csv", problem)
    np.testing.assert_allclose(answers.y, y, rtol=1e-12)
    found = evaluate(problem.metric, answers.y, predictions_of(frame, problem)[answers.rows])
    assert found.value == pytest.approx(evaluate(problem.metric, y, predicted).value)


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_column_for_each_class_is_graded_in_any_order_of_columns_and_rows(one_hot: bool, tmp_path: Path) -> None:
    problem, codes = problem_of(species("classes")), np.arange(M) % 3
    predicted = np.random.default_rng(0).dirichlet(np.ones(3), M)
    frame = make_submission(problem, Ensemble(weights={}, oof=predicted, test=predicted)).frame
    frame[["cat", "id", "bee", "ant"]].sample(frac=1, random_state=3).to_csv(tmp_path / "ours.csv", index=False)
    answers = truth_of(problem, codes)
    if one_hot:
        answers = answers[["id"]].join(pd.get_dummies(answers["kind"]).astype(int)[["bee", "cat", "ant"]])
    answers.sample(frac=1, random_state=4).to_csv(tmp_path / "answers.csv", index=False)
    found = read_answers(tmp_path / "answers.csv", problem)
    ordered = in_order_of_sample(read_submission(tmp_path / "ours.csv", problem), problem)
    assert evaluate(problem.metric, found.y, predictions_of(ordered, problem)[found.rows]).value == pytest.approx(
        evaluate(problem.metric, codes, predicted).value
    )


@pytest.mark.parametrize(
    ("ranking", "score"),
    [
        *[("bee ant", 1.0), ("ant bee", 0.5), ("bee", 1.0), ("ant", 0.0)],
        *[("ant ant", 0.0), ("wasp bee", 0.5), ("ant cat bee", 0.0)],
    ],
)
def test_a_ranking_counts_its_first_places_whatever_labels_they_hold(ranking: str, score: float) -> None:
    problem = problem_of(species("ranking"), metric="map@2")
    frame = problem.tables.sample.assign(kind=ranking)
    assert evaluate(problem.metric, np.ones(M, dtype=int), predictions_of(frame, problem)).value == score


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a competition, a submission of x > 0, and answers, half of them public."""
    home, made = tmp_path_factory.mktemp("grade"), survivors(n=120, m=M)
    write(made, home / "data")
    made.test[["id"]].assign(survived=(made.test["x"] > 0).astype(int)).to_csv(home / "mine.csv", index=False)
    usage = np.where(np.arange(M) < 10, "Public", "Private")
    truth = made.test[["id"]].assign(survived=(made.test["x"] > 0.3).astype(int), Usage=usage)
    truth.to_csv(home / "answers.csv", index=False)
    return home


@pytest.fixture(scope="module")
def problem(home: Path) -> Problem:
    return kpipe.define_problem(kpipe.Competition(slug="made-by-hand"), kpipe.load("made-by-hand", home / "data"))


def graded(home: Path, submission: Path | str = "mine.csv", answers: Path | str = "answers.csv", **options: object):
    request = RunRequest("made-by-hand", data=home / "data", **options)  # type: ignore[arg-type]
    return grade(request, home / submission, home / answers)


def test_a_grade_has_its_error_rows_baseline_and_public_and_private_scores(home: Path) -> None:
    found, x = graded(home), pd.read_csv(home / "data" / "test.csv")["x"]
    right = ((x > 0) == (x > 0.3)).to_numpy()
    assert (found.score.value, found.score.rows) == (pytest.approx(right.mean()), M)
    assert found.parts["public"].value == pytest.approx(right[:10].mean())
    assert found.parts["private"].value == pytest.approx(right[10:].mean())
    assert found.score.standard_error > 0
    assert found.baseline_name == "majority class"
    text = " ".join(found.sentences())
    assert f"Ids and baseline come from {home / 'data'} (directory)." in text
    assert f"accuracy {right.mean():.4f} ±" in text
    assert "Public: " in text


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_submission_and_answers_does_not_matter(home: Path, problem: Problem, seed: int) -> None:
    mine, answers = (pd.read_csv(home / name).sample(frac=1, random_state=seed) for name in ("mine.csv", "answers.csv"))
    mine.to_csv(home / "shuffled.csv", index=False)
    answers.to_csv(home / "shuffled-answers.csv", index=False)
    frame = in_order_of_sample(read_submission(home / "shuffled.csv", problem), problem)
    found = read_answers(home / "shuffled-answers.csv", problem)
    assert frame.equals(in_order_of_sample(read_submission(home / "mine.csv", problem), problem))
    expected = read_answers(home / "answers.csv", problem)
    assert found.rows.tolist() == expected.rows.tolist() == list(range(M))
    assert found.y.tolist() == expected.y.tolist()
    assert found.usage is not None
    assert found.usage.tolist() == ["public"] * 10 + ["private"] * 20


def test_a_part_of_the_answers_scores_a_part_of_the_rows(home: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(home / "answers.csv")
    frame.head(12).assign(Usage=["Public"] * 10 + ["Ignored"] * 2).to_csv(tmp_path / "some.csv", index=False)
    found = graded(home, answers=tmp_path / "some.csv")
    assert (found.score.rows, set(found.parts)) == (10, {"public"})
    assert found.notes == ("20 of the submission's 30 rows have no answer, and are not scored.",)


def test_ids_written_as_floats_are_joined_if_no_id_is_written_the_same_way(home: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(home / "answers.csv")
    frame.assign(id=frame["id"].astype(float)).to_csv(tmp_path / "floats.csv", index=False)
    assert graded(home, answers=tmp_path / "floats.csv").to_json() == graded(home).to_json()


@pytest.mark.parametrize("metric", ["auc", "gini", "average_precision"])
def test_any_numbers_are_scored_where_only_their_order_counts(metric: str, home: Path, tmp_path: Path) -> None:
    frame, x = pd.read_csv(home / "mine.csv"), pd.read_csv(home / "data" / "test.csv")["x"]
    found = []
    for name, values in {"ranks": x.rank(), "negative": x - 100, "probabilities": 1 / (1 + np.exp(-x))}.items():
        frame.assign(survived=values).to_csv(tmp_path / f"{name}.csv", index=False)
        found.append(graded(home, tmp_path / f"{name}.csv", metric=metric).score.value)
    assert found[0] == found[1] == found[2] > 0.9


def test_rounded_probabilities_of_classes_have_an_auc(tmp_path: Path) -> None:
    problem, codes = problem_of(species("classes"), metric="auc"), np.arange(M) % 3
    predicted = np.random.default_rng(0).dirichlet(np.ones(3), M)
    exact = evaluate(problem.metric, codes, predicted).value
    frame = make_submission(problem, Ensemble(weights={}, oof=predicted, test=predicted)).frame
    frame.round(2).to_csv(tmp_path / "rounded.csv", index=False)
    rounded = in_order_of_sample(read_submission(tmp_path / "rounded.csv", problem), problem)
    assert evaluate(problem.metric, codes, predictions_of(rounded, problem)).value == pytest.approx(exact, abs=0.02)


def test_labels_where_probabilities_are_scored_are_noted(home: Path) -> None:
    assert graded(home, metric="log_loss").notes == (
        "log_loss scores probabilities, and every prediction is 0 or 1: these may be labels.",
    )


def changed(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    frame = frame.astype(object)
    frame.loc[row, column] = value
    return frame


BAD_ANSWERS = {
    "other rows": (lambda f: f.assign(id=f["id"] + 10_000), "holds the answers to other rows: none of its 30 ids"),
    "an id too many": (lambda f: changed(f, 3, "id", 9999), "line 5: the id 9999 is not in the sample submission"),
    "an id twice": (lambda f: changed(f, 3, "id", f["id"][0]), r"line 5: the id \d+ repeats"),
    "another label": (
        lambda f: changed(f, 3, "survived", "maybe"),
        "line 5: 'survived' is 'maybe', which is no label",
    ),
    "no id": (lambda f: f.drop(columns="id"), "lacks the id column 'id'"),
    "no target": (lambda f: f.drop(columns="survived"), "must hold the answers in survived; its columns are id, Usage"),
    "another usage": (lambda f: changed(f, 3, "Usage", "both"), "line 5: 'Usage' must be Public, Private or Ignored"),
    "nothing": (lambda f: f.assign(survived=""), "holds no answer"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_answers_that_cannot_be_used_are_refused_with_the_reason(case: str, home: Path, tmp_path: Path) -> None:
    change, message = BAD_ANSWERS[case]
    change(pd.read_csv(home / "answers.csv")).to_csv(tmp_path / "answers.csv", index=False)
    with pytest.raises(DataError, match=message):
        graded(home, answers=tmp_path / "answers.csv")


BAD_SUBMISSIONS = {
    "missing ids": (lambda f: f.head(28), "accuracy", "lacks 2 of 30 ids, such as"),
    "an id twice": (lambda f: pd.concat([f, f.head(1)]), "accuracy", "repeats 1 ids, such as"),
    "unknown ids": (lambda f: f.assign(id=f["id"] + 10_000), "accuracy", "30 ids that the sample lacks"),
    "another column": (
        lambda f: f.rename(columns={"survived": "Survived"}),
        "accuracy",
        "columns must be id, survived",
    ),
    "another label": (lambda f: changed(f, 3, "survived", 2), "accuracy", "labels that train.csv lacks: 2"),
    "probabilities": (lambda f: f.assign(survived=0.25), "accuracy", "accuracy scores labels, not probabilities"),
    "words": (
        lambda f: changed(f, 3, "survived", "yes"),
        "log_loss",
        "line 5: 'survived' must hold numbers; got",
    ),
    "no probability": (lambda f: f.assign(survived=7), "log_loss", "must hold probabilities between 0 and 1"),
    "an empty cell": (lambda f: changed(f, 3, "survived", ""), "accuracy", "survived is missing for 1 ids"),
}


@pytest.mark.parametrize("case", BAD_SUBMISSIONS)
def test_submissions_that_kaggle_would_refuse_are_refused_with_the_reason(
    case: str, home: Path, tmp_path: Path
) -> None:
    change, metric, message = BAD_SUBMISSIONS[case]
    change(pd.read_csv(home / "mine.csv")).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(SubmissionError, match=message):
        graded(home, submission=tmp_path / "mine.csv", metric=metric)


@pytest.mark.parametrize("words", [("0.0", "1.0"), ("False", "True"), ("no", "yes"), (" 0", " 1")])
def test_labels_may_be_written_in_other_words(words: tuple[str, str], home: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(home / "answers.csv")
    frame.assign(survived=frame["survived"].map(dict(enumerate(words)))).to_csv(tmp_path / "a.csv", index=False)
    assert graded(home, answers=tmp_path / "a.csv").to_json() == graded(home).to_json()


def test_several_targets_are_each_scored_where_they_are_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(90), "x": rng.normal(size=90)})
    train = frame.head(60).assign(a=frame["x"] * 2, b=frame["x"] - 1)
    test = frame.tail(30).reset_index(drop=True)
    problem = problem_of(tables(train, test, test[["id"]].assign(a=0.5, b=0.5)), metric="mae")
    test[["id"]].assign(b=test["x"], a=test["x"]).to_csv(tmp_path / "mine.csv", index=False)
    test[["id"]].assign(b=[""] * 10 + [0] * 20, a=[1] * 20 + [""] * 10).to_csv(tmp_path / "answers.csv", index=False)
    answers = read_answers(tmp_path / "answers.csv", problem)
    frame = in_order_of_sample(read_submission(tmp_path / "mine.csv", problem), problem)
    found = evaluate(problem.metric, answers.y, predictions_of(frame, problem)[answers.rows]).value
    expected = ((test["x"] - 1).abs().head(20).mean() + test["x"].abs().tail(20).mean()) / 2
    assert found == pytest.approx(expected)


def test_the_command_grades_a_run_with_its_own_options_and_ranks_it(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = kpipe.run("made-by-hand", data=home / "data", out=tmp_path, models=["linear"], folds=2, metric="mcc", jobs=1)
    (tmp_path / "board.csv").write_text("teamId,score\n" + "".join(f"{n},{1 - n / 100:.2f}\n" for n in range(100)))
    args = ("grade", "made-by-hand", run.record["run_id"], "--answers", home / "answers.csv", "--out", tmp_path)
    assert call(*args, "--leaderboard", tmp_path / "board.csv", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["metric"], found["run_id"], found["rows"]) == ("mcc", run.record["run_id"], M)
    assert (found["teams"], found["gold_rank"], found["ranked_by"]) == (100, 10, "private")
    assert found["rank"] == 1 + sum(round(1 - n / 100, 2) > round(found["private_score"], 2) for n in range(100))
    assert all(not isinstance(value, dict) for value in found.values())
    assert call(*args) == 0
    assert "The run's forecast was" in capsys.readouterr().out
    assert call(*args, "--metric", "accuracy", "--leaderboard", tmp_path / "board.csv") == 0
    printed = capsys.readouterr().out
    assert "forecast" not in printed  # it is one of the run's own metric
    assert re.search(r"Rank \d+ of 100 teams with the private score \(top \d+ %\): ", printed)
    other = ("grade", "titanic", run.path / "submission.csv", "--answers", home / "answers.csv")
    assert call(*other, "--out", tmp_path) == 2
    assert "is a run of made-by-hand, not of titanic" in capsys.readouterr().err


def test_sample_data_has_no_answers(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ("grade", "titanic", home / "mine.csv", "--answers", home / "answers.csv", "--data", "sample")
    assert call(*args) == 1
    assert "Kaggle's files of titanic are not available. Name them with --data" in capsys.readouterr().err


@settings(max_examples=50)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_file_as_answers_is_read_or_refused(content: bytes, home: Path, problem: Problem) -> None:
    (home / "any.csv").write_bytes(content)
    with pytest.raises(KpipeError):
        read_answers(home / "any.csv", problem)


def test_answers_of_a_class_that_train_lacks_are_refused_with_their_line(tmp_path: Path) -> None:
    made = species("classes")
    problem = problem_of(replace(made, sample=made.sample.assign(dog=0.1)))
    truth = problem.tables.sample[["id"]].assign(ant=1, bee=0, cat=0, dog=0)
    truth.loc[4, ["ant", "dog"]] = 0, 1
    truth.to_csv(tmp_path / "answers.csv", index=False)
    with pytest.raises(DataError, match=r"answers\.csv, line 6: the true class is dog, of which train\.csv has no row"):
        read_answers(tmp_path / "answers.csv", problem)
