"""benchmarks/scores.py holds out disjoint fifths, hides their targets, and scores submissions as Kaggle does."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from benchmarks import _command, _held_out, real_tables
from kpipe.core.metrics import get_metric

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "scores.py"
ROWS = 60


@pytest.fixture(scope="module")
def scores() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_scores", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmark_scores"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def table(target: str, values: list[str], ids: list[str] | None = None, id: str = "id") -> pd.DataFrame:
    size = [f"{row / 4:g}" for row in range(ROWS)]
    named = ids or [str(row) for row in range(ROWS)]
    return pd.DataFrame({id: named, "size": size, "note": ["NA", ""] * (ROWS // 2), target: values}, dtype=str)


def classes(scores: ModuleType) -> tuple[object, pd.DataFrame, pd.DataFrame]:
    plan = scores.PLANS["playground-series-s3e26"]
    train = table("Status", ["C", "C", "C", "CL", "D", "D"] * (ROWS // 6))
    sample = pd.DataFrame({"id": ["900", "901"], "Status_C": "0.5", "Status_CL": "0.25", "Status_D": "0.25"}, dtype=str)
    return plan, train, sample


def people(scores: ModuleType) -> tuple[object, pd.DataFrame, pd.DataFrame]:
    plan = scores.PLANS["spaceship-titanic"]
    ids = [f"{row // 3:04}_{row % 3 + 1:02}" for row in range(ROWS)]
    train = table("Transported", ["True", "False"] * (ROWS // 2), ids, "PassengerId")
    return plan, train, pd.DataFrame({"PassengerId": ["9000_01"], "Transported": ["False"]}, dtype=str)


def houses(scores: ModuleType) -> tuple[object, pd.DataFrame, pd.DataFrame]:
    plan = scores.PLANS[_held_out.HOUSES]
    train = table("SalePrice", [str(100_000 + row) for row in range(ROWS)], id="Id")
    return plan, train, pd.DataFrame({"Id": ["9000", "9001"], "SalePrice": ["169277.05", "187758.39"]}, dtype=str)


Made = Callable[[ModuleType], tuple[object, pd.DataFrame, pd.DataFrame]]
every_kind = pytest.mark.parametrize("made", [classes, people, houses])


@every_kind
def test_the_five_fifths_are_disjoint_and_complete(scores: ModuleType, made: Made) -> None:
    plan, train, sample = made(scores)
    fifths = [scores.hold_out(plan, train, sample, repeat=0, fifth=fifth) for fifth in range(5)]
    for held in fifths:
        assert set(held.train[plan.id]).isdisjoint(held.test[plan.id])
        assert len(held.train) + len(held.test) == len(train)
    seen = pd.concat([held.test[plan.id] for held in fifths])
    assert sorted(seen) == sorted(train[plan.id])


@every_kind
def test_the_same_arguments_give_the_same_rows_and_another_repeat_gives_others(scores: ModuleType, made: Made) -> None:
    plan, train, sample = made(scores)
    one, again, other = (scores.hold_out(plan, train, sample, repeat=repeat, fifth=0) for repeat in (0, 0, 1))
    assert list(one.test[plan.id]) == list(again.test[plan.id])
    assert list(one.test[plan.id]) != list(other.test[plan.id])


def test_groups_are_held_out_whole(scores: ModuleType) -> None:
    plan, train, sample = people(scores)
    held = scores.hold_out(plan, train, sample, repeat=0, fifth=0)
    assert set(plan.groups(held.train[plan.id])).isdisjoint(plan.groups(held.test[plan.id]))


def test_class_frequencies_are_stratified(scores: ModuleType) -> None:
    plan, train, sample = classes(scores)
    held = scores.hold_out(plan, train, sample, repeat=0, fifth=0)
    assert held.answers.value_counts().to_dict() == {"C": 6, "D": 4, "CL": 2}


@every_kind
def test_the_folder_contains_no_answers_and_unchanged_cells(scores: ModuleType, made: Made, tmp_path: Path) -> None:
    plan, train, sample = made(scores)
    held = scores.hold_out(plan, train, sample, repeat=0, fifth=0)
    scores.write(held, tmp_path / "folder")
    assert sorted(file.name for file in (tmp_path / "folder").iterdir()) == [
        "sample_submission.csv",
        "test.csv",
        "train.csv",
    ]
    rows, test = (_held_out.as_text(tmp_path / "folder" / f"{name}.csv") for name in ("train", "test"))
    assert plan.target not in test.columns
    assert set(rows[plan.id]).isdisjoint(test[plan.id])
    whole = pd.concat([rows, test.assign(**{plan.target: held.answers})]).set_index(plan.id)
    pd.testing.assert_frame_equal(whole.loc[train[plan.id]].reset_index()[list(train.columns)], train)


@every_kind
def test_the_sample_has_the_format_of_the_original_and_no_information(scores: ModuleType, made: Made) -> None:
    plan, train, sample = made(scores)
    held = scores.hold_out(plan, train, sample, repeat=0, fifth=0)
    assert list(held.sample.columns) == list(sample.columns)
    assert list(held.sample[plan.id]) == list(held.test[plan.id])
    for name in sample.columns.drop(plan.id):
        assert set(held.sample[name]) == {sample[name].iloc[0]}


def test_probabilities_are_matched_by_column_name_and_rows_by_id(scores: ModuleType) -> None:
    plan, _, _ = classes(scores)
    said = {"id": ["8", "7"], "Status_D": ["0.7", "0.1"], "Status_C": ["0.2", "0.6"], "Status_CL": ["0.1", "0.3"]}
    found = _held_out.predictions(plan, ["C", "CL", "D"], pd.DataFrame(said), pd.Series(["7", "8"]))
    assert found.tolist() == [[0.6, 0.3, 0.1], [0.2, 0.1, 0.7]]


@pytest.mark.parametrize(
    ("cells", "ids", "words"),
    [
        (["1.5", "2"], ["7", "7"], "ids of its submission differ"),
        (["1.5", "2"], ["7", "9"], "ids of its submission differ"),
        (["1.5", ""], ["7", "8"], "not finite numbers"),
        (["1.5", "inf"], ["7", "8"], "not finite numbers"),
    ],
)
def test_a_submission_that_cannot_be_scored_is_a_failure(
    scores: ModuleType, cells: list[str], ids: list[str], words: str
) -> None:
    submitted = pd.DataFrame({"Id": ids, "SalePrice": cells})
    with pytest.raises(_command.Failure, match=words):
        _held_out.predictions(scores.PLANS[_held_out.HOUSES], [], submitted, pd.Series(["7", "8"]))


def test_a_label_that_does_not_occur_in_train_is_a_failure(scores: ModuleType) -> None:
    submitted = pd.DataFrame({"PassengerId": ["1"], "Survived": ["1.0"]})
    with pytest.raises(_command.Failure, match=r"such as '1\.0'"):
        _held_out.predictions(scores.PLANS["titanic"], ["0", "1"], submitted, pd.Series(["1"]))


@pytest.mark.parametrize(("name", "better"), [("accuracy", 0.25), ("mae", -0.25)])
def test_the_paired_gain_is_positive_if_the_first_is_better(scores: ModuleType, name: str, better: float) -> None:
    y = np.tile([0, 1, 1, 0], 100)
    close, far = y.copy(), np.where(np.arange(400) % 4 == 3, 1 - y, y)
    first, second = (close, far) if better > 0 else (far, close)
    value, error = scores.paired_gain(get_metric(name), y, first, second, None)
    assert value == pytest.approx(better)
    assert error == pytest.approx(np.sqrt(0.25 * 0.75 / 400), rel=0.15)
    assert scores.paired_gain(get_metric(name), y, far, far, None) == (0, 0)


def test_rows_of_one_group_are_one_observation_of_the_paired_gain(scores: ModuleType) -> None:
    groups = np.repeat(np.arange(50), 8)
    y = np.zeros(400, dtype=int)
    wrong = (groups % 2).astype(int)
    _, independent = scores.paired_gain(get_metric("accuracy"), y, y, wrong, None)
    _, grouped = scores.paired_gain(get_metric("accuracy"), y, y, wrong, groups)
    assert grouped == pytest.approx(independent * np.sqrt(8), rel=0.15)


def test_a_failed_system_has_lost_and_its_last_line_is_printed(scores: ModuleType) -> None:
    plan = scores.PLANS["titanic"]
    mine, theirs = (scores.Unit(plan=plan, repeat=0, fifth=0, system=name) for name in ("kpipe", "histgb"))
    good = {"error": None, "score": 0.8, "standard_error": 0.02, "own": 0.81, "own_standard_error": 0.01, "seconds": 3}
    results = {mine: {"error": "exited with status 1: out of memory", "seconds": 9.0}, theirs: good}
    rows = scores.measured(results)
    assert list(rows["won"]) == [False, True]
    assert scores.means(rows[:1], 1)["done"] == 0
    printed = list(scores.report(results, 1))
    assert printed[1] == "| titanic | accuracy | kpipe | failed | | | | 9 | 0 of 1 |"
    assert printed[-1] == "titanic 0/0 kpipe: FAILED after 9 s: exited with status 1: out of memory"


def test_the_failure_of_a_command_contains_its_last_line(scores: ModuleType, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('one'); raise SystemExit('the disk is full\\n')"]
    status, _ = _command.run_command(command, tmp_path, 1)
    assert status == 1
    assert str(_command.failure(tmp_path, "exited")) == "exited: the disk is full"


def test_saved_results_are_loaded_unchanged(scores: ModuleType, tmp_path: Path) -> None:
    found = {"titanic 0 0": {"score": 0.8, "output": [0, 1]}, "titanic 0 1": {"error": 'said "no"'}}
    scores.save_results(tmp_path / "scores.json", found)
    assert scores.load_results(tmp_path / "scores.json") == found
    assert scores.load_results(tmp_path / "absent.json") == {}
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]


def test_a_picture_is_drawn_of_competitions_with_two_time_limits(scores: ModuleType, tmp_path: Path) -> None:
    entry = {"error": None, "slug": "titanic", "fifth": 0, "score": 0.8, "standard_error": 0.01}
    found = {
        f"{system} {budget}": {**entry, "system": system, "budget": budget}
        for system in ("kpipe", "mljar")
        for budget in (30, 120)
    }
    scores.draw_curves(found, tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text()
    assert all(word in drawn for word in ("titanic", "kpipe", "mljar", "accuracy (higher is better)"))
    with pytest.raises(SystemExit, match="no scores of one competition at two time limits"):
        scores.draw_curves(dict([*found.items()][:1]), tmp_path / "none.svg")


def test_a_table_of_a_package_becomes_a_competition_without_what_gives_its_target_away(tmp_path: Path) -> None:
    file = tmp_path / "ISLP" / "data" / "Wage.csv"
    file.parent.mkdir(parents=True)
    file.write_text("year,wage,logwage\n2006,75.0,4.3\n2007,,\n2008,90.0,4.5\n", encoding="utf-8")
    table = real_tables.TABLES["wage"]
    files = real_tables.competition(table, real_tables.read(tmp_path, table.file))
    assert sorted(files["train.csv"].columns) == ["id", "wage", "year"]
    assert sorted(files["train.csv"]["wage"]) == [75.0, 90.0]
    assert list(files["sample_submission.csv"].columns) == ["id", "wage"]
