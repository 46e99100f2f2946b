"""``kpipe reproduce``: the same bytes, or what differs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpipe import competitions, run
from kpipe.cli.main import main
from kpipe.errors import DataError, TrainingError, UsageError
from kpipe.pipeline import reproduce
from kpipe.runs.reproduce import Reproduction, compare_reproduction
from kpipe.runs.run import Run
from kpipe.training.task_runner import FitFinished
from tests.runs.helpers import copy_run, edit_record

QUICK: dict[str, Any] = {"models": ["linear"], "folds": 3, "jobs": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the embedded sample."""
    return run(
        "titanic", data="sample", models=["woman-child-group"], folds=2, jobs=1, out=tmp_path_factory.mktemp("m")
    )


def made(folder: Path, **options: Any) -> Run:
    return run("made-by-hand", data=folder, out=folder.parent / "out", **{**QUICK, **options})


def test_a_run_is_reproduced_from_nothing_and_leaves_no_second_folder(folder: Path) -> None:
    first, fits = made(folder, seed=(1, 2), drop=["note"]), list[FitFinished]()
    found = reproduce(first.record["run_id"], out=folder.parent / "out", on_fit_done=fits.append)
    assert found.same
    assert not found.differs
    assert len(fits) == 6
    assert not any(done.resumed for done in fits)
    assert [path.name for path in first.path.parent.iterdir()] == [first.path.name]


@pytest.mark.slow
def test_a_reproduction_has_the_options_of_the_record(folder: Path) -> None:
    first = made(folder, seed=(3,), text=["note"], split="rows", target=["survived"], id="id", metric="auc")
    found = reproduce(str(first.path), out=folder.parent / "elsewhere")
    assert found.same
    assert found.second.record["settings"] == first.record["settings"]
    assert not (folder.parent / "elsewhere" / "made-by-hand").exists()


def test_changed_data_is_named_and_the_new_run_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = made(folder)
    lines = (folder / "train.csv").read_text().splitlines(keepends=True)
    (folder / "train.csv").write_text("".join(lines[:-20]))
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", first.record["run_id"], "--out", str(folder.parent / "out")])
    assert ended.value.code == 1
    captured = capsys.readouterr()
    assert "data: train.csv changed" in captured.out
    assert "of 30 rows differ" in captured.out
    assert f"Changed since {first.record['run_id']} was made: data: train.csv changed" in captured.err
    assert len([*first.path.parent.iterdir()]) == 2


def test_submissions_of_other_columns_are_reported_with_these_columns(finished: Run, tmp_path: Path) -> None:
    second = copy_run(finished, tmp_path / "again", submission={**finished.record["submission"], "sha256": "0" * 64})
    lines = (second.path / "submission.csv").read_text().splitlines(keepends=True)
    (second.path / "submission.csv").write_text("".join(["PassengerId,survived\n", *lines[1:]]))
    found = compare_reproduction(finished, second)
    expected = "submission: had the columns PassengerId, Survived; has PassengerId, survived"
    assert (found.same, found.differs) == (False, (expected,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions.numpy": "1.0"}, "versions: numpy was 1.0, is "),
        ({"code.kpipe": "0" * 64}, "code: kpipe changed"),
        ({"machine.processor": "an abacus"}, "machine: processor was an abacus, is "),
        ({"settings.device": "cuda"}, "options: device was cuda, is cpu"),
    ],
)
def test_differing_inputs_are_named_even_if_the_bytes_are_equal(
    change: dict[str, Any], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = made(folder, folds=2)
    edit_record(first.path, change)
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", str(first.path), "--out", str(folder.parent / "out")])
    assert ended.value.code == 0
    assert words in capsys.readouterr().out


def test_a_reproduction_makes_exactly_the_fits_of_the_record(folder: Path) -> None:
    first, fits = made(folder), list[FitFinished]()
    edit_record(first.path, {"models": [{"name": "linear", "fits": {"0": [0, 2], "7": [1]}}]})
    found = reproduce(str(first.path), out=folder.parent / "out", on_fit_done=fits.append)
    assert [(done.seed, done.fold) for done in fits] == [(0, 0), (0, 2), (7, 1)]
    assert found.second.record["models"][0]["fits"] == {"0": [0, 2], "7": [1]}
    assert fits[-1].done == fits[-1].total == 3


@pytest.mark.slow
def test_the_fits_that_a_budget_allowed_are_reproduced_without_a_budget(folder: Path) -> None:
    first = made(folder, budget=40.0, models=["linear", "boosting"])
    assert len(first.record["models"][0]["fits"]) >= 1
    found = reproduce(str(first.path), out=folder.parent / "out")
    assert found.same
    pairs = zip(first.record["models"], found.second.record["models"], strict=True)
    assert all(one["fits"] == other["fits"] for one, other in pairs)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"options": None}, UsageError, "an earlier version of kpipe wrote it"),
        ({"options": ["os.system"]}, DataError, "'options' must be an object"),
        ({"options": {"out": "/etc"}}, DataError, "unknown option 'out'"),
        ({"options": {"folds": "many"}}, DataError, "'folds' must be a whole number; got 'many'"),
        ({"options": {"drop": [1]}}, DataError, "'drop' must be a list of strings"),
        ({"models": [{"name": "linear"}]}, DataError, "which fits the run made"),
        ({"models": []}, DataError, "must name a model"),
        ({"models": [{"name": "linear", "fits": {"-1": [0]}}]}, DataError, "which fits the run made"),
        ({"models": [{"name": "linear", "fits": {"0": [99]}}]}, DataError, "different numbers from 0 to 2; got"),
        ({"models": [{"name": "linear", "fits": {"0": [0, 0, 1]}}]}, DataError, "different numbers from 0 to 2"),
        ({"models": [{"name": "os.system", "fits": {"0": [0]}}]}, UsageError, "There is no model 'os.system'"),
        ({"slug": "../../etc"}, DataError, "slug"),
    ],
)
def test_a_record_that_somebody_else_wrote_is_validated(
    change: dict[str, Any], error: type[Exception], words: str, finished: Run, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    shutil.copytree(finished.path, path)
    edit_record(path, change)
    with pytest.raises(error, match=words):
        reproduce(str(path), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recorded_fit_that_the_folds_do_not_have_is_an_error(finished: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    shutil.copytree(finished.path, path)
    edit_record(path, {"models": [{"name": "woman-child-group", "fits": {"0": [2]}}]})
    with pytest.raises(TrainingError, match="the requested fits do not belong to folds of this run"):
        reproduce(str(path), out=tmp_path / "out")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own module of titanic."""
    home, own = tmp_path / "competitions", competitions.folder("titanic")
    assert own is not None
    shutil.copytree(own, home / "titanic", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(competitions, "__path__", [str(home), *competitions.__path__])
    return home / "titanic" / "competition.py"


def run_twice(module: Path, tmp_path: Path, *, change: Callable[[Run], None]) -> Reproduction:
    """A run, and its reproduction after the module's model has another parameter."""
    options: dict[str, Any] = {"models": ["linear"], "folds": 2, "jobs": 1, "data": module.parent / "sample"}
    first = run("titanic", out=tmp_path / "out", **options)
    before = module.read_text()
    module.write_text(before.replace('model("linear", C=0.1)', 'model("linear", C=9.0)'))
    assert module.read_text() != before
    forget_module()
    change(first)
    try:
        return reproduce(str(first.path), out=tmp_path / "out")
    finally:
        forget_module()


def forget_module() -> None:
    for name in [name for name in sys.modules if name.startswith(f"{competitions.__name__}.titanic")]:
        del sys.modules[name]


def test_a_run_is_reproduced_with_the_code_that_it_has_kept(module: Path, tmp_path: Path) -> None:
    found = run_twice(module, tmp_path, change=lambda run: None)
    assert found.same
    assert found.differs == ()
    assert "KPIPE_COMPETITIONS" not in os.environ
    assert competitions.folder("titanic") == module.parent


def test_kept_code_that_somebody_else_has_written_is_not_run(module: Path, tmp_path: Path) -> None:
    def spoil(run: Run) -> None:
        kept = run.path / "code" / "competitions" / "titanic" / "competition.py"
        kept.write_text("raise SystemExit('this is not your code')\n")

    found = run_twice(module, tmp_path, change=spoil)
    assert not found.same
    assert found.differs[0] == "code: module changed"


def test_changed_code_of_a_competition_is_named_where_none_was_kept(module: Path, tmp_path: Path) -> None:
    found = run_twice(module, tmp_path, change=lambda run: shutil.rmtree(run.path / "code"))
    assert not found.same
    assert found.differs[0] == "code: module changed"
