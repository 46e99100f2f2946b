from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from kpipe import competitions
from kpipe.core.metrics import METRICS
from kpipe.core.request import RunRequest
from kpipe.core.values import Tables
from kpipe.errors import DataError, UsageError
from kpipe.problem.competition import Competition, class_columns, find, row_by_row
from kpipe.problem.inference import infer
from kpipe.problem.problem import apply_request
from tests.tables import prices, problem_of, survivors

OTHER_REQUESTS: list[dict[str, Any]] = [{}, {"metric": "accuracy"}, {"metric": "auc"}, {"target": ("Age",)}]


def test_an_unknown_slug_is_a_bare_competition() -> None:
    assert find("never-seen") == Competition(slug="never-seen")


@pytest.mark.parametrize("slug", ["../titanic", "titanic/", "", "a.b", "-x", "os", "sys.path"])
def test_only_names_that_kaggle_gives_reach_an_import(slug: str) -> None:
    if slug == "os":
        assert find(slug) == Competition(slug="os")
        return
    with pytest.raises(UsageError, match="cannot be a competition"):
        find(slug)


def test_a_slug_may_have_capitals_and_finds_the_module_that_differs_by_case_alone() -> None:
    assert find("GiveMeSomeCredit") == Competition(slug="GiveMeSomeCredit")
    assert find("Titanic").slug == "titanic"


def test_everything_is_inferred_with_its_reason() -> None:
    found = problem_of(survivors())
    assert (found.id, found.targets, found.task) == ("id", ("survived",), "classification")
    assert found.metric == METRICS["accuracy"]
    assert found.columns == ("x", "sex")
    assert list(found.models)[:2] == ["boosting", "linear"]
    assert set(found.reasons) == {"id", "target", "task", "metric", "columns", "features", "splitter", "models"}
    assert found.reasons["id"].text == "the column that the sample submission shares with test"
    assert found.reasons["metric"].guess
    assert not found.reasons["id"].guess


def test_what_is_given_is_not_inferred() -> None:
    found = problem_of(survivors(), metric="Log Loss", target="survived", id="id", task="classification")
    assert set(found.reasons) == {"columns", "features", "splitter", "models"}
    assert found.metric == METRICS["log_loss"]


KINDS = {
    "few integers": ([0, 1, 2, 3], 0, "classification", "accuracy"),
    "booleans": ([True, False], False, "classification", "accuracy"),
    "labels": (["a", "b", "c"], "a", "classification", "accuracy"),
    "probabilities": ([0, 1], 0.5, "classification", "auc"),
    "values": (np.linspace(0, 1, 40), 0, "regression", "rmse"),
    "many integers": (range(40), 0, "regression", "rmse"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_task_and_the_metric_follow_from_the_target_and_the_sample(kind: str) -> None:
    values, placeholder, task, metric = KINDS[kind]
    made = survivors()
    made.train["survived"] = list(np.resize(np.array(list(values), dtype=object), 80))
    made = replace(made, train=made.train.infer_objects(), sample=made.sample.assign(survived=placeholder))
    found = problem_of(made)
    assert (found.task, found.metric) == (task, METRICS[metric])


def test_one_column_per_class_names_the_target() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "D", "C")
    made = replace(made, sample=made.test[["id"]].assign(survived_C=0.5, survived_D=0.5))
    found = problem_of(made)
    assert (found.targets, found.metric) == (("survived",), METRICS["log_loss"])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(["T_b", "T_a"], ["b", "a"]), (["a", "b"], ["a", "b"]), (["T_a"], None), (["a", "c"], None), (["T_a", "b"], None)],
)
def test_class_columns_carry_the_targets_name_or_the_label_alone(columns: list[str], expected: list | None) -> None:
    assert class_columns(columns, "T", ["a", "b"]) == expected


def lacking(made: Tables, **changes: object) -> Tables:
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf")])
def test_a_selection_bias_is_not_negative(value: float) -> None:
    with pytest.raises(UsageError, match="selection_bias must be 0 or greater"):
        Competition(slug="any", selection_bias=value)


def test_a_selection_bias_holds_for_the_competitions_own_metric_alone() -> None:
    one = Competition(slug="any", metric="accuracy", selection_bias=0.01)
    kept = [apply_request(RunRequest("any", **given), one).selection_bias for given in OTHER_REQUESTS]
    assert kept == [0.01, 0.01, 0.0, 0.0]


def test_columns_that_test_lacks_are_left_out_and_reported() -> None:
    made = prices()
    made.train["casual"] = 1.0
    found = problem_of(made)
    assert found.columns == ("x",)
    assert "test lacks casual" in found.reasons["columns"].text
    assert found.reasons["columns"].guess


def test_contradictions_are_refused_with_the_way_out() -> None:
    made = survivors()
    with pytest.raises(DataError, match=r"lacks the id column 'key'\. It has: id, survived"):
        problem_of(made, id="key")
    with pytest.raises(DataError, match=r"train\.csv lacks the target 'dead'\. It has: id, x, sex, survived"):
        problem_of(made, target="dead")
    with pytest.raises(DataError, match=r"No target was found: the sample submission asks for y.*--target COLUMN"):
        problem_of(lacking(made, sample=made.sample.rename(columns={"survived": "y"}).assign(z=0)))
    fates = made.train.assign(fate=np.resize(["C", "D", "C.", "D"], len(made.train))).drop(columns="survived")
    asked = made.sample.drop(columns="survived").assign(fate_C=0.5, fate_D=0.5)
    with pytest.raises(DataError, match=r"a column for each class of fate but C\.: if that is another spelling of one"):
        problem_of(lacking(made, train=fates, sample=asked))
    with pytest.raises(DataError, match=r"test\.csv lacks the feature column 'sex', which made-by-hand trains on"):
        problem_of(lacking(made, test=made.test.drop(columns="sex")), columns=("x", "sex"))
    with pytest.raises(DataError, match=r"share no column to learn from"):
        problem_of(lacking(made, test=made.test[["id"]]))


def test_a_metric_of_the_other_task_is_refused() -> None:
    with pytest.raises(UsageError, match=r"rmse is for regression, but the task of made-by-hand is classification"):
        problem_of(survivors(), task="classification", metric="rmse")


def test_an_id_that_train_has_and_test_lacks_is_no_reason_to_go_by_position() -> None:
    made = survivors()
    with pytest.raises(DataError, match=r"test\.csv lacks the id column 'id', which train\.csv has"):
        problem_of(lacking(made, test=made.test.drop(columns="id")), id="id")


def test_a_module_that_cannot_be_imported_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, code, words in (
        ("torn", "import os\ncompetition = Competition()\n", r"competition\.py, line 2: NameError: .*'Competition'"),
        ("misspelt", "x = 1\ny = (\n", r"competition\.py, line 2: SyntaxError"),
        ("empty", "", r"must define competition = Competition\(\.\.\.\)"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "competition.py").write_text(code)
        monkeypatch.setattr(competitions, "__path__", [str(tmp_path)])
        with pytest.raises(UsageError, match=words):
            find(name)


def test_a_clean_that_misses_a_column_names_it_and_its_file() -> None:
    made = survivors()
    clean = row_by_row(lambda frame: frame.assign(z=frame["y"]))
    with pytest.raises(DataError, match=r"train\.csv lacks the column 'y', which this competition's clean needs"):
        clean(made)


def test_inferring_twice_changes_nothing() -> None:
    made, bare = survivors(), Competition(slug="made-by-hand")
    once, _ = infer(bare, made)
    assert infer(once, made) == (once, {})
    assert bare == Competition(slug="made-by-hand")
    pd.testing.assert_frame_equal(made.train, survivors().train)


def test_a_missing_dictionary_key_in_clean_is_not_reported_as_a_missing_column() -> None:
    with pytest.raises(KeyError):
        row_by_row(lambda frame: frame.assign(z=frame["sex"].map(lambda sex: {"Mr": 1}[sex])))(survivors())


def test_a_module_of_another_slug_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "competition.py").write_text(
        "from kpipe import Competition\ncompetition = Competition(slug='there')\n"
    )
    monkeypatch.setattr(competitions, "__path__", [str(tmp_path)])
    with pytest.raises(UsageError, match=r"slug='there', but its folder is here"):
        find("here")


def test_a_model_that_is_an_estimator_and_no_function_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model 'ridge' must be a function .*lambda context: Ridge\(") as caught:
        Competition(slug="any", models={"ridge": Ridge(alpha=2)})  # type: ignore[dict-item]
    assert caught.value.code == "broken-module"
