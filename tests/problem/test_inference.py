"""Any problem, with no code: what its files say is found, with the reason, and a guess is called one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, StratifiedKFold

from kpipe import run
from kpipe.core.values import Tables
from kpipe.errors import DataError, SubmissionError
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds
from tests.pretrained_weights import picture_table
from tests.tables import dated, prepared, problem_of, survivors, tables


def write(folder: Path, train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame) -> Path:
    for name, frame in (("train", train), ("test", test), ("sample_submission", sample)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def found(made: Tables) -> tuple[Problem, Tables]:
    problem = problem_of(made)
    return problem, problem.tables


def test_ids_and_targets_may_be_spelt_otherwise_in_each_file() -> None:
    made = survivors()
    train = made.train.rename(columns={"survived": "ACTION"}).drop(columns="id")
    made = tables(train, made.test, made.sample.rename(columns={"id": "Id", "survived": "Action"}))
    problem, adapted = found(made)
    assert (problem.id, problem.targets) == ("Id", ("Action",))
    assert "Action" in adapted.train.columns
    assert "Id" in adapted.test.columns
    assert problem.columns == ("x", "sex")


def test_an_id_of_another_name_is_known_by_its_values() -> None:
    made = survivors()
    test = made.test.rename(columns={"id": "animal"}).sample(frac=1, random_state=0).reset_index(drop=True)
    problem, adapted = found(replace(made, test=test))
    assert problem.id == "id"
    assert adapted.test["id"].tolist() == test["animal"].tolist()


def test_a_target_that_the_submission_calls_otherwise_is_the_column_that_test_lacks() -> None:
    made = survivors()
    problem, _ = found(replace(made, sample=made.sample.rename(columns={"survived": "prediction"})))
    assert problem.targets == ("survived",)
    assert problem.reasons["target"].guess


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
    problem, adapted = found(passengers())
    assert problem.groups == "id group"
    assert problem.reasons["groups"].guess
    assert set(problem.columns) == {"x", "id number", "id group size"}
    folds = make_folds(problem)
    groups = adapted.train["id group"]
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(groups.iloc[train]) & set(groups.iloc[valid])


def test_groups_that_test_shares_with_train_do_not_part_the_rows() -> None:
    made = passengers()
    frame = pd.concat([made.train, made.test.assign(y=True)])
    test = frame.iloc[1::3].drop(columns="y").reset_index(drop=True)
    train = frame.iloc[[row for row in range(len(frame)) if row % 3 != 1]].reset_index(drop=True)
    problem, _ = found(tables(train, test, test[["id"]].assign(y=False)))
    assert problem.groups is None


def test_a_column_of_things_that_test_has_none_of_parts_the_rows() -> None:
    made = survivors(n=200, m=100)
    train = made.train.assign(patient=[f"p{number}" for number in np.arange(200) // 5])
    test = made.test.assign(patient=[f"q{number}" for number in np.arange(100) // 5])
    problem, _ = found(replace(made, train=train, test=test))
    assert problem.groups == "patient"
    assert "patient" not in (problem.columns)
    assert "100% of test's rows have a value that train lacks" in problem.reasons["groups"].text


@pytest.mark.parametrize(("name", "is_group"), [("PatientID", True), ("driver", True), ("colour", False)])
def test_a_column_of_train_alone_that_names_people_parts_the_rows(name: str, is_group: bool) -> None:
    made = survivors(n=200, m=100)
    train = made.train.assign(**{name: [f"p{number}" for number in np.arange(200) // 5]})
    problem, _ = found(replace(made, train=train))
    assert (problem.groups == name) == is_group
    if is_group:
        assert problem.reasons["groups"].guess
        rows = [
            set(train[name].iloc[part]) for part in next(iter(problem.splitter.split(train, problem.y, train[name])))
        ]
        assert not rows[0] & rows[1]


def test_where_test_lies_after_train_folds_validate_what_comes_later() -> None:
    problem, _ = found(dated(later=True))
    assert repr(problem.splitter) == "ByTime('date', n_splits=2, horizon='100 days')"
    assert problem.reasons["splitter"].guess
    folds = make_folds(problem)
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert train.max() < valid.min()
    assert folds.valid[-1].max() == 299
    between, _ = found(dated(later=False))
    assert repr(between.splitter).startswith("KFold")


def test_an_id_that_is_a_date_is_a_feature() -> None:
    made = dated(later=False)
    frames = [frame.drop(columns="id").rename(columns={"date": "datetime"}) for frame in (made.train, made.test)]
    problem, _ = found(tables(*frames, sample=frames[1][["datetime"]].assign(sales=0.0)))
    assert problem.id == "datetime"
    assert problem.columns == ("datetime", "x")


TARGETS = {
    "flags": ([0, 1], 0.5, "classification", "auc"),
    "numbers": ([0.5, 3.0, 9.0], 0.0, "regression", "rmse"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_several_targets_go_from_files_to_a_submission(kind: str, tmp_path: Path) -> None:
    values, placeholder, task, metric = TARGETS[kind]
    rng = np.random.default_rng(0)
    made = survivors(n=150)
    train = made.train.drop(columns="survived").assign(a=rng.choice(values, 150), b=rng.choice(values, 150))
    write(tmp_path, train, made.test, made.test[["id"]].assign(a=placeholder, b=placeholder))
    problem = prepared("made-by-hand", data=tmp_path)
    assert (problem.targets, problem.task) == (("a", "b"), task)
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
    assert "metric" in ended.record["guesses"]
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
    problem = problem_of(
        replace(made, train=made.train.assign(text=story[:100]), test=made.test.assign(text=story[100:]))
    )
    assert "text" in problem.models
    assert "text" not in problem_of(made).models


def test_several_targets_of_which_one_is_missing_are_refused() -> None:
    made = survivors()
    with pytest.raises(DataError, match=r"train\.csv lacks the target 'b'"):
        problem_of(made, target=("survived", "b"))


def test_the_metric_of_kaggles_page_comes_before_a_guess() -> None:
    made = survivors()
    source = replace(made.source, metric="Area Under Receiver Operating Characteristic Curve")
    problem = problem_of(replace(made, source=source))
    assert problem.metric.name == "auc"
    assert problem.reasons["metric"].text.startswith("Kaggle's page names it")
    assert not problem.reasons["metric"].guess
    strange = problem_of(replace(made, source=replace(made.source, metric="Goodness of Ships")))
    assert strange.reasons["metric"].guess
    assert "'Goodness of Ships', which kpipe does not implement" in strange.reasons["metric"].text


def test_bytes_of_a_square_are_pictures() -> None:
    rng = np.random.default_rng(0)
    pixels = pd.DataFrame(rng.integers(0, 256, size=(120, 100)), columns=[f"p{n}" for n in range(100)]).astype("uint8")
    train = pixels.assign(label=rng.choice([0, 1, 2], size=120))
    test = pixels.assign(id=range(120))
    problem = problem_of(tables(train, test, test[["id"]].assign(label=0)))
    assert problem.default == ("convnet",)
    assert problem.features is None
    narrow = [f"p{n}" for n in range(90)]
    other = problem_of(tables(train[[*narrow, "label"]], test[["id", *narrow]], test[["id"]].assign(label=0)))
    assert list(other.models) == ["neural", "boosting"]


def test_a_feature_that_is_spelt_like_the_target_stays_a_feature() -> None:
    made = survivors()
    frames = [frame.assign(Survived=frame["x"]) for frame in (made.train, made.test)]
    problem, adapted = found(tables(*frames, sample=made.sample))
    assert "Survived" in (problem.columns)
    assert "survived" not in adapted.test.columns


def test_a_target_that_test_has_a_placeholder_of_is_predicted(tmp_path: Path) -> None:
    made = survivors(n=150)
    train = made.train.assign(second=1 - made.train["survived"])
    write(tmp_path, train, made.test.assign(second=0), made.sample.assign(survived=0.5, second=0.5))
    problem = prepared("made-by-hand", data=tmp_path)
    assert problem.targets == ("survived", "second")


def test_a_word_that_the_sample_repeats_is_no_evidence() -> None:
    made = survivors()
    problem, _ = found(replace(made, sample=made.sample.assign(Usage="Public")))
    assert problem.targets == ("survived",)


def test_row_numbers_are_no_feature_in_any_fold() -> None:
    made = survivors()
    frames = [frame.assign(**{"Unnamed: 0": range(len(frame))}) for frame in (made.train, made.test)]
    problem, _ = found(tables(*frames, sample=made.sample))
    assert problem.columns == ("x", "sex")
    assert "row numbers (Unnamed: 0)" in problem.reasons["columns"].text


def test_weeks_that_come_later_in_test_are_a_time_and_no_groups() -> None:
    made = dated(later=True)
    frames = [
        frame.drop(columns="date").assign(week=frame["id"] // 4 + 1, other=frame["id"] // 7)
        for frame in (made.train, made.test)
    ]
    problem, adapted = found(tables(*frames, sample=made.sample))
    assert repr(problem.splitter) == "ByTime('week', n_splits=2, horizon=25)" or problem.groups == "other"
    only, adapted = found(tables(*(frame.drop(columns="other") for frame in frames), sample=made.sample))
    assert repr(only.splitter) == "ByTime('week', n_splits=2, horizon=25)"
    for train, valid in zip(*(make_folds(only).train, make_folds(only).valid), strict=True):
        assert adapted.train["week"].iloc[train].max() < adapted.train["week"].iloc[valid].min()


@pytest.mark.parametrize("name", ["actdays", "days_in_hospital", "hour_of_the_accident"])
def test_a_count_that_is_0_in_nearly_all_rows_is_no_time(name: str) -> None:
    rng = np.random.default_rng(0)

    def days(rows: int) -> np.ndarray:
        return np.where(rng.random(rows) < 0.993, 0, rng.integers(1, 31, rows))

    tables = survivors(3000, 1000)
    tables = replace(
        tables, train=tables.train.assign(**{name: days(3000)}), test=tables.test.assign(**{name: days(1000)})
    )
    assert isinstance(found(tables)[0].splitter, StratifiedKFold)


def test_dates_with_a_gap_are_no_reason_to_refuse() -> None:
    made = dated(later=True)
    made.train.loc[3, "date"] = None
    problem, _ = found(made)
    assert repr(problem.splitter) == "ByTime('date', n_splits=2, horizon='100 days')"
    assert all(3 not in rows for rows in (*make_folds(problem).train, *make_folds(problem).valid))
    made.train.loc[:40, "date"] = None
    assert repr(found(made)[0].splitter).startswith("KFold")


def test_classes_that_are_whole_floats_are_classes_where_the_sample_holds_whole_numbers() -> None:
    made = survivors()
    made.train["survived"] = np.resize([0.0, 1.0, 2.0], 80)
    assert problem_of(made).task == "classification"
    assert problem_of(replace(made, sample=made.sample.assign(survived=0.5))).task == "regression"


def test_several_targets_that_are_no_flags_are_refused_for_a_metric_of_classes() -> None:
    made = survivors()
    train = made.train.assign(a=np.resize([1, 2], 80), b=np.resize([0, 1], 80)).drop(columns="survived")
    with pytest.raises(DataError, match=r"this metric needs each of them to be 0 or 1, but 'a' holds 2"):
        problem_of(replace(made, train=train, sample=made.sample[["id"]].assign(a=0.5, b=0.5)), metric="auc")


def test_one_probability_of_two_words_is_reported_as_that_of_one(tmp_path: Path) -> None:
    made = survivors(n=150)
    train = made.train.rename(columns={"survived": "churn"})
    train["churn"] = np.where(train["churn"] == 1, "churn", "stay")
    write(tmp_path, train, made.test, made.test[["id"]].assign(churn=0.5))
    ended = run("made-by-hand", data=tmp_path, models=["linear"], out=tmp_path / "out", jobs=1)
    assert ended.record["inferred"]["positive"] == "churn is the probability of churn"
    assert "positive" in ended.record["guesses"]
    sent = pd.read_csv(ended.path / "submission.csv").set_index("id")["churn"]
    assert np.corrcoef(sent.loc[made.test["id"]], made.test["x"])[0, 1] > 0.3


def test_ids_that_test_repeats_under_another_name_are_refused_in_words(tmp_path: Path) -> None:
    made = survivors(n=150)
    write(tmp_path, made.train, made.test.rename(columns={"id": "ID"}).assign(ID=7), made.sample)
    with pytest.raises((DataError, SubmissionError), match=r"test\.csv repeats ids, such as 7"):
        run("made-by-hand", data=tmp_path, models=["linear"], out=tmp_path / "out", jobs=1)


def test_a_flag_that_a_fold_lacks_is_predicted_as_it_is_there(tmp_path: Path) -> None:
    made = survivors(n=150)
    train = made.train.assign(rare=[1] + [0] * 149)
    write(tmp_path, train, made.test, made.sample.assign(survived=0.5, rare=0.5))
    ended = run("made-by-hand", data=tmp_path, metric="log_loss", models=["linear"], out=tmp_path / "out", jobs=1)
    assert pd.read_csv(ended.path / "submission.csv")["rare"].max() < 0.5


def test_negative_targets_have_no_logarithm_to_be_learned_on() -> None:
    made = survivors()
    made.train["survived"] = made.train["x"]
    metric = problem_of(made, metric="smape").metric
    assert not metric.log_target


def test_the_id_is_the_column_of_unique_values_at_any_position(tmp_path: Path) -> None:
    made = survivors(n=150)
    write(tmp_path, made.train, made.test, made.test[["sex", "id"]].assign(survived=0))
    problem = prepared("made-by-hand", data=tmp_path)
    assert problem.id == "id"
    assert len(problem.tables.test) == 30


def test_a_column_to_drop_that_train_lacks_is_refused_even_where_the_module_names_its_columns() -> None:
    for columns in (None, ("x", "sex")):
        with pytest.raises(DataError, match=r"train.csv lacks the column to drop, 'sexx'\. Did you mean sex\?"):
            problem_of(survivors(), drop=("sexx",), columns=columns)


def test_a_groups_column_that_is_missing_or_incomplete_is_refused() -> None:
    made = survivors()
    with pytest.raises(DataError, match=r"train\.csv lacks the groups column 'family'\. It has: id, x, sex, survived"):
        problem_of(made, groups="family")
    made.train["family"] = pd.Series(["a", "b", None, "b"] * 20, dtype="str")
    with pytest.raises(DataError, match=r"groups column 'family' is missing in 20 of 80 rows, first in row 3"):
        problem_of(made, groups="family", splitter=GroupKFold(2))


UNINFORMATIVE = {
    "gone": (lambda y: y.astype(float) * np.nan, r"'survived' is missing in every row"),
    "of one class": (lambda y: y * 0 + 1, r"'survived' is 1 in every row: there is nothing to predict"),
}


@pytest.mark.parametrize("case", UNINFORMATIVE)
def test_a_target_without_information_is_refused(case: str) -> None:
    change, words = UNINFORMATIVE[case]
    made = survivors()
    made.train["survived"] = change(made.train["survived"])
    with pytest.raises(DataError, match=words):
        problem_of(made)


@pytest.mark.parametrize(
    ("placeholder", "task"),
    [
        (0.0, "regression"),
        (7, "classification"),
        ([1.0, 2.0, 0.0], "classification"),
        ([1.0, np.nan], "classification"),
        ([12.0, 40.0], "regression"),
    ],
    ids=["a decimal", "an integer", "labels of train", "missing", "numbers that train lacks"],
)
def test_few_integers_are_a_regression_if_the_sample_submission_writes_decimals(placeholder: object, task: str) -> None:
    made = survivors()
    train = made.train.assign(survived=np.resize(np.arange(11), 80))
    sample = made.sample.assign(survived=np.resize(placeholder, 30))  # type: ignore[arg-type]
    problem = problem_of(replace(made, train=train, sample=sample))
    assert problem.task == task
    assert problem.reasons["task"].guess
    assert problem_of(replace(made, train=train, sample=sample), metric="accuracy").task == "classification"


@pytest.mark.parametrize("n_classes", [2, 5])
def test_classes_and_ratings_stay_classes_where_the_sample_submission_holds_decimals(n_classes: int) -> None:
    made = survivors()
    made.train["survived"] = np.arange(80) % n_classes
    assert problem_of(replace(made, sample=made.sample.assign(survived=0.0))).task == "classification"


def test_integers_with_a_fraction_in_the_sample_submission_are_a_regression() -> None:
    made = survivors()
    made.train["survived"] = np.arange(80) % 10
    assert problem_of(replace(made, sample=made.sample.assign(survived=5.8))).task == "regression"


def with_stages() -> Tables:
    """A target of three classes, of which the sample submission has one column each."""
    made = survivors()
    train = made.train.rename(columns={"survived": "Stage"}).assign(Stage=lambda frame: ["a", "b", "c", "b"] * 20)
    sample = made.test[["id"]].assign(Stage_a=0.3, Stage_b=0.3, Stage_c=0.4)
    return tables(train, made.test, sample)


def test_a_target_whose_number_of_classes_contradicts_the_sample_is_refused_with_the_one_that_fits() -> None:
    words = (
        r"the target 'x' has 80 distinct values where the sample submission asks for 3 classes "
        r"\(Stage_a, Stage_b, Stage_c\)\. Did you mean --target Stage\?"
    )
    with pytest.raises(DataError, match=words):
        problem_of(with_stages(), target="x")
    assert problem_of(with_stages(), target="Stage").targets == ("Stage",)


def test_a_target_that_is_in_test_is_refused_with_the_one_in_the_sample_submission() -> None:
    words = r"test\.csv holds the target 'x', so .* asks for survived\. Did you mean --target survived\?"
    with pytest.raises(DataError, match=words):
        problem_of(survivors(), target="x")


def test_a_sample_of_one_number_means_probabilities_for_pictures_and_for_several_targets() -> None:
    made = survivors()
    assert found(made)[0].metric.name == "accuracy"
    rows = {"train": made.train, "test": made.test}
    pictures = {role: frame[["id"]].join(picture_table(len(frame), (4, 4, 3))) for role, frame in rows.items()}
    pictures["train"]["survived"] = made.train["survived"]
    assert found(replace(made, **pictures))[0].metric.name == "auc"
    train = made.train.assign(married=(made.train["x"] > 0).astype(int))
    problem, _ = found(replace(made, train=train, sample=made.sample.assign(married=0)))
    assert (problem.metric.name, set(problem.targets)) == ("auc", {"survived", "married"})
    assert problem.reasons["metric"].guess


def test_a_target_of_several_labels_to_a_cell_is_a_guess_that_says_so() -> None:
    made = survivors()
    words = ["haze", "clear", "road", "water"]
    chosen = [[word for bit, word in enumerate(words) if row % 15 + 1 >> bit & 1] for row in range(80)]
    problem, _ = found(
        tables(
            made.train.drop(columns="survived").assign(tags=[" ".join(row) for row in chosen]),
            *(made.test, made.test[["id"]].assign(tags="haze")),
        )
    )
    reason = problem.reasons["task"]
    assert reason.guess
    assert "several to a row: each of the 15 combinations of 4 words is a class of its own" in reason.text
