"""``kpipe run --resume``: the same bytes as an uninterrupted run, or what has changed since it was started."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kpipe import competitions, pipeline, run
from kpipe.cli.main import COMMANDS, main
from kpipe.errors import TrainingError, UsageError
from kpipe.pipeline import reproduce
from kpipe.runs.run import Run
from kpipe.training.task_runner import FitFinished

QUICK: dict[str, Any] = {"models": ["linear"], "folds": 3, "jobs": 1}


def resume(name: str, *, out: Path, slug: str | None = None, **callbacks: object) -> Run:
    return pipeline.resume(name, out=out, slug=slug, changes={}, **callbacks)  # type: ignore[arg-type]


def made(folder: Path, **options: Any) -> Run:
    return run("made-by-hand", data=folder, out=folder.parent / "out", **{**QUICK, **options})


def interrupted(folder: Path, **options: Any) -> str:
    """The key of a run that was stopped after its first fit."""

    def stop(done: FitFinished) -> None:
        raise TrainingError("stopped")

    with pytest.raises(TrainingError, match="stopped"):
        made(folder, on_fit_done=stop, **options)
    (path,) = (folder.parent / "out" / "made-by-hand").glob(".partial-*")
    return path.name.removeprefix(".partial-")


def test_an_unfinished_run_is_resumed_with_its_own_options_and_ends_with_the_same_bytes(
    folder: Path,
) -> None:
    key, out, fits = interrupted(folder, drop=["note"], seed=(5,)), folder.parent / "out", list[FitFinished]()
    uninterrupted = run("made-by-hand", data=folder, out=folder.parent / "other", drop=["note"], seed=(5,), **QUICK)
    found = resume(key, out=out, on_fit_done=fits.append)
    assert [done.resumed for done in fits] == [True, False, False]
    assert (found.path / "submission.csv").read_bytes() == (uninterrupted.path / "submission.csv").read_bytes()
    assert found.record["options"] == uninterrupted.record["options"]
    assert [path.name for path in (out / "made-by-hand").iterdir()] == [found.path.name]


def test_a_run_whose_inputs_have_changed_is_not_resumed_and_the_changes_are_named(folder: Path, tmp_path: Path) -> None:
    key, out = interrupted(folder), folder.parent / "out"
    text = (folder / "test.csv").read_text()
    (folder / "test.csv").write_text(text.replace("male", "female", 1))
    with pytest.raises(UsageError, match=r"inputs have changed .* data: test\.csv changed\. Start a new run"):
        resume(key, out=out)
    (folder / "test.csv").write_text(text)
    path = out / "made-by-hand" / f".partial-{key}"
    request = json.loads((path / "request.json").read_text())
    request["inputs"]["versions"]["pandas"] = "0.1"
    (path / "request.json").write_text(json.dumps(request))
    with pytest.raises(UsageError, match=r"versions: pandas was 0\.1, is "):
        resume(str(path), out=out)


def test_a_run_with_other_options_reuses_no_fit_and_mentions_the_unfinished_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, fits = interrupted(folder), list[FitFinished]()
    made(folder, seed=(9,), on_fit_done=fits.append)
    assert not any(done.resumed for done in fits)
    options = ["--data", str(folder), "--model", "linear", "--folds", "3", "--seed", "8"]
    with pytest.raises(SystemExit):
        main(["run", "made-by-hand", *options, "--out", str(folder.parent / "out"), "--jobs", "1"])
    shown = capsys.readouterr().err
    assert "(options: seed was [0], is [8])" in shown
    assert f"Resume it with kpipe run --resume {key}, or delete its folder." in shown


@pytest.mark.slow  # starts worker processes
def test_a_resumed_run_keeps_the_threads_of_its_first_fits_whatever_its_jobs(folder: Path) -> None:
    interrupted(folder, jobs=1)
    (path,) = (folder.parent / "out" / "made-by-hand").glob(".partial-*")
    request = json.loads((path / "request.json").read_text())
    fits = list[FitFinished]()
    found = made(folder, jobs=3, on_fit_done=fits.append)
    assert found.record["machine"]["threads"] == request["threads"]
    assert [done.resumed for done in fits].count(True) == 1


@pytest.mark.parametrize(("first_seconds", "folds"), [(0, 8), (60, 5)])
def test_a_run_with_a_budget_keeps_its_number_of_folds_when_it_is_resumed_or_reproduced(
    folder: Path, monkeypatch: pytest.MonkeyPatch, first_seconds: int, folds: int
) -> None:
    monkeypatch.setattr("kpipe.training.folds._FIRST_SECONDS", first_seconds)
    key, out = interrupted(folder, folds=None, budget=20.0), folder.parent / "out"
    monkeypatch.setattr("kpipe.training.folds._FIRST_SECONDS", 60 - first_seconds)  # now the other number is chosen
    found = pipeline.resume(key, out=out, changes={"budget": 30.0})
    assert found.record["folds"] == folds
    assert reproduce(str(found.path), out=out).same


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--resume", "nothing"], "There is no unfinished run 'nothing'. There are none under"),
        (["--resume", "x", "--model", "linear", "--seed", "1"], "omit --model, --seed"),
        ([], "Name a competition"),
    ],
)
def test_a_wrong_resume_is_explained(
    args: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", *args, "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_an_unknown_name_lists_the_runs_that_can_be_resumed(folder: Path) -> None:
    key = interrupted(folder)
    with pytest.raises(UsageError, match=rf"These can be resumed: {key} \(made-by-hand, finished fits: 1\)"):
        resume("nothing", out=folder.parent / "out")
    with pytest.raises(UsageError, match="is a run of made-by-hand, not of titanic"):
        resume(key, out=folder.parent / "out", slug="titanic")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"threads": true}', "[" * 100_000, "null"])
def test_a_run_with_a_broken_request_is_resumed_by_the_same_command_only(content: str, folder: Path) -> None:
    key, out, fits = interrupted(folder), folder.parent / "out", list[FitFinished]()
    (out / "made-by-hand" / f".partial-{key}" / "request.json").write_text(content)
    with pytest.raises(UsageError, match=r"request\.json is missing or broken: repeat the kpipe run command"):
        resume(key, out=out)
    made(folder, on_fit_done=fits.append)
    assert fits[0].resumed


def test_the_commands_in_the_page_about_resuming_exist() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "endurance.md").read_text(encoding="utf-8")
    commands = re.findall(r"^(?:    |\$ )kpipe (\S+)(?: (--\S+))?", page, flags=re.MULTILINE)
    assert {("run", "--resume"), ("reproduce", "")} <= set(commands)
    assert all(name in COMMANDS for name, _ in commands)


JOINING = """
from dataclasses import replace
from kpipe import Competition
import {helper}

def clean(tables):
    more = tables.others["more"].set_index("id")["more"]
    join = lambda frame: frame.assign(more=frame["id"].map(more) + {helper}.OFFSET)
    return replace(tables, train=join(tables.train), test=join(tables.test))

competition = Competition(slug={slug!r}, clean=clean)
"""


def joined(folder: Path, slug: str, **options: Any) -> Run:
    return run(slug, data=folder, out=folder.parent / "out", **{**QUICK, **options})


@pytest.fixture
def joining(folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A competition whose clean joins another CSV and imports a module from outside the competitions."""
    name = re.sub(r"[^a-z]+", "-", request.node.originalname).strip("-")
    helper = f"helper_{name}".replace("-", "_")
    home = folder.parent / "competitions"
    (home / name).mkdir(parents=True)
    (home / name / "competition.py").write_text(JOINING.format(slug=name, helper=helper))
    (folder.parent / f"{helper}.py").write_text("OFFSET = 0.0\n")
    monkeypatch.setattr(competitions, "__path__", [str(home), *competitions.__path__])
    monkeypatch.syspath_prepend(folder.parent)
    more(folder, 1)
    (folder / "unused.csv").write_text("a\n1\n")
    return name


def more(folder: Path, factor: int) -> None:
    (folder / "more.csv").write_text("id,more\n" + "".join(f"{row},{factor * row % 7}\n" for row in range(110)))


def test_a_run_is_not_resumed_if_a_csv_that_clean_joins_has_changed(folder: Path, joining: str) -> None:
    def stop(done: FitFinished) -> None:
        raise TrainingError("stopped")

    with pytest.raises(TrainingError, match="stopped"):
        joined(folder, joining, on_fit_done=stop)
    (path,) = (folder.parent / "out" / joining).glob(".partial-*")
    more(folder, 3)
    with pytest.raises(UsageError, match=r"data: more\.csv changed"):
        resume(str(path), out=folder.parent / "out")
    fits = list[FitFinished]()
    joined(folder, joining, on_fit_done=fits.append)
    assert not any(done.resumed for done in fits)


def test_csvs_that_clean_joins_and_modules_that_it_imports_are_recorded(folder: Path, joining: str) -> None:
    first = joined(folder, joining)
    assert sorted(first.record["data"]["files"]) == ["more.csv", "sample_submission.csv", "test.csv", "train.csv"]
    (helper,) = folder.parent.glob("helper_*.py")
    assert first.record["code"].keys() == {"kpipe", "module", helper.name}
    helper.write_text("OFFSET = 0.0  # a remark\n")
    (folder / "unused.csv").write_text("a\n2\n")
    found = reproduce(str(first.path), out=folder.parent / "out")
    assert found.same
    assert found.differs == ()  # it was made with the code that the run has kept
