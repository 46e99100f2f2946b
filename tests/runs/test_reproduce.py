"""``kpipe reproduce`` and ``kpipe run --resume``: the same bytes, or what has changed, named."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from kpipe import competitions, pipeline, run
from kpipe.cli.main import COMMANDS, main
from kpipe.errors import DataError, TrainingError, UsageError
from kpipe.pipeline import reproduce
from kpipe.runs import provenance
from kpipe.runs.provenance import differences
from kpipe.runs.run import Run
from kpipe.training.task_runner import FitFinished
from tests.tables import survivors

QUICK: dict[str, Any] = {"models": ["linear"], "folds": 3, "jobs": 1}


def resume(name: str, *, out: Path, slug: str | None = None, **callbacks: object) -> Run:
    return pipeline.resume(name, out=out, slug=slug, changes={}, **callbacks)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that no competition of ours knows."""
    made, home = survivors(), tmp_path / "data"
    home.mkdir()
    for name, frame in (("train", made.train), ("test", made.test), ("sample_submission", made.sample)):
        note = {} if name == "sample_submission" else {"note": "a"}
        frame.assign(**note).to_csv(home / f"{name}.csv", index=False)
    return home


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the embedded sample."""
    return run(
        "titanic", data="sample", models=["woman-child-group"], folds=2, jobs=1, out=tmp_path_factory.mktemp("m")
    )


def made(folder: Path, **options: Any) -> Run:
    return run("made-by-hand", data=folder, out=folder.parent / "out", **{**QUICK, **options})


def edited(run: Run, change: dict[str, Any]) -> None:
    """The run's record with fields replaced, ``a.b`` inside ``a``."""
    record = json.loads((run.path / "run.json").read_text())
    for name, value in change.items():
        *outer, last = name.split(".")
        place = record
        for part in outer:
            place = place[part]
        place[last] = value
    (run.path / "run.json").write_text(json.dumps(record))


def interrupted(folder: Path, **options: Any) -> str:
    """The key of a run that ended after its first fit."""

    def stop(done: FitFinished) -> None:
        raise TrainingError("stopped")

    with pytest.raises(TrainingError, match="stopped"):
        made(folder, on_fit_done=stop, **options)
    (path,) = (folder.parent / "out" / "made-by-hand").glob(".partial-*")
    return path.name.removeprefix(".partial-")


def test_a_run_is_made_again_from_nothing_and_leaves_no_second_folder(folder: Path) -> None:
    first, told = made(folder, seed=(1, 2), drop=["note"]), list[FitFinished]()
    found = reproduce(first.record["run_id"], out=folder.parent / "out", on_fit_done=told.append)
    assert found.same
    assert not found.differs
    assert len(told) == 6
    assert not any(done.resumed for done in told)
    assert [path.name for path in first.path.parent.iterdir()] == [first.path.name]


@pytest.mark.slow
def test_options_are_taken_over_from_the_record(folder: Path) -> None:
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
    assert "was made: data: train.csv changed" in captured.err
    assert len([*first.path.parent.iterdir()]) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions.numpy": "1.0"}, "versions: numpy was 1.0, is "),
        ({"code.kpipe": "0" * 64}, "code: kpipe changed"),
        ({"machine.processor": "an abacus"}, "machine: processor was an abacus, is "),
        ({"settings.device": "cuda"}, "options: device was cuda, is cpu"),
    ],
)
def test_what_differs_is_told_although_the_bytes_are_the_same(
    change: dict[str, Any], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = made(folder, folds=2)
    edited(first, change)
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", str(first.path), "--out", str(folder.parent / "out")])
    assert ended.value.code == 0
    assert words in capsys.readouterr().out


def test_exactly_the_fits_of_the_record_are_made(folder: Path) -> None:
    first, told = made(folder), list[FitFinished]()
    edited(first, {"models": [{"name": "linear", "fits": {"0": [0, 2], "7": [1]}}]})
    found = reproduce(str(first.path), out=folder.parent / "out", on_fit_done=told.append)
    assert [(done.seed, done.fold) for done in told] == [(0, 0), (0, 2), (7, 1)]
    assert found.second.record["models"][0]["fits"] == {"0": [0, 2], "7": [1]}
    assert told[-1].done == told[-1].total == 3


@pytest.mark.slow
def test_what_a_budget_allowed_is_made_again_without_a_clock(folder: Path) -> None:
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
        ({"options": {"drop": [1]}}, DataError, "'drop' must be a list of text"),
        ({"models": [{"name": "linear"}]}, DataError, "which fits were made"),
        ({"models": []}, DataError, "which fits were made"),
        ({"models": [{"name": "linear", "fits": {"-1": [0]}}]}, DataError, "which fits were made"),
        ({"models": [{"name": "linear", "fits": {"0": [99]}}]}, DataError, "different numbers from 0 to 2, however"),
        ({"models": [{"name": "linear", "fits": {"0": [0, 0, 1]}}]}, DataError, "different numbers from 0 to 2"),
        ({"models": [{"name": "os.system", "fits": {"0": [0]}}]}, UsageError, "There is no model 'os.system'"),
        ({"slug": "../../etc"}, DataError, "slug"),
    ],
)
def test_a_run_folder_from_elsewhere_is_data_that_is_checked(
    change: dict[str, Any], error: type[Exception], words: str, finished: Run, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    shutil.copytree(finished.path, path)
    edited(Run(path=path, record={}), change)
    with pytest.raises(error, match=words):
        reproduce(str(path), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fits_on_all_rows_of_a_run_without_one_are_said_to_be_none(finished: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    shutil.copytree(finished.path, path)
    edited(Run(path=path, record={}), {"models": [{"name": "woman-child-group", "fits": {"0": [2]}}]})
    with pytest.raises(TrainingError, match="none of the fits that were asked for is of a fold that there is"):
        reproduce(str(path), out=tmp_path / "out")


def test_an_unfinished_run_is_gone_on_with_by_its_key_or_folder_and_its_own_options(folder: Path) -> None:
    key, out, told = interrupted(folder, drop=["note"], seed=(5,)), folder.parent / "out", list[FitFinished]()
    unbroken = run("made-by-hand", data=folder, out=folder.parent / "other", drop=["note"], seed=(5,), **QUICK)
    found = resume(key, out=out, on_fit_done=told.append)
    assert [done.resumed for done in told] == [True, False, False]
    assert (found.path / "submission.csv").read_bytes() == (unbroken.path / "submission.csv").read_bytes()
    assert found.record["options"] == unbroken.record["options"]
    assert [path.name for path in (out / "made-by-hand").iterdir()] == [found.path.name]


def test_what_has_changed_is_named_and_nothing_is_mixed(folder: Path, tmp_path: Path) -> None:
    key, out = interrupted(folder), folder.parent / "out"
    text = (folder / "test.csv").read_text()
    (folder / "test.csv").write_text(text.replace("male", "female", 1))
    with pytest.raises(
        UsageError,
        match=r"Cannot resume this run: .* data: test\.csv changed\. Start a new run",
    ):
        resume(key, out=out)
    (folder / "test.csv").write_text(text)
    path = out / "made-by-hand" / f".partial-{key}"
    call = json.loads((path / "call.json").read_text())
    call["inputs"]["versions"]["pandas"] = "0.1"
    (path / "call.json").write_text(json.dumps(call))
    with pytest.raises(UsageError, match=r"versions: pandas was 0\.1, is "):
        resume(str(path), out=out)


def test_another_call_does_not_take_the_parts_and_tells_of_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, told = interrupted(folder), list[FitFinished]()
    made(folder, seed=(9,), on_fit_done=told.append)
    assert not any(done.resumed for done in told)
    options = ["--data", str(folder), "--model", "linear", "--folds", "3", "--seed", "8"]
    with pytest.raises(SystemExit):
        main(["run", "made-by-hand", *options, "--out", str(folder.parent / "out"), "--jobs", "1"])
    said = capsys.readouterr().err
    assert "(options: seed was [0], is [8])" in said
    assert f"Resume it with kpipe run --resume {key}" in said


@pytest.mark.slow  # starts worker processes
def test_other_jobs_go_on_with_the_threads_of_the_first_call(folder: Path) -> None:
    interrupted(folder, jobs=1)
    (path,) = (folder.parent / "out" / "made-by-hand").glob(".partial-*")
    call = json.loads((path / "call.json").read_text())
    told = list[FitFinished]()
    found = made(folder, jobs=3, on_fit_done=told.append)
    assert found.record["machine"]["threads"] == call["threads"]
    assert [done.resumed for done in told].count(True) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--resume", "nothing"], "There is no unfinished run 'nothing'. There are none under"),
        (["--resume", "x", "--model", "linear", "--seed", "1"], "omit --model, --seed"),
        ([], "Which competition"),
    ],
)
def test_a_wrong_resume_is_said(
    args: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", *args, "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_what_can_be_resumed_is_listed_where_a_name_is_wrong(folder: Path) -> None:
    key = interrupted(folder)
    with pytest.raises(UsageError, match=rf"These can be resumed: {key} \(made-by-hand, 1 fits\)"):
        resume("nothing", out=folder.parent / "out")
    with pytest.raises(UsageError, match="is a run of made-by-hand, not of titanic"):
        resume(key, out=folder.parent / "out", slug="titanic")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"threads": true}', "[" * 100_000, "null"])
def test_a_garbled_call_is_said_and_the_same_command_goes_on(content: str, folder: Path) -> None:
    key, out, told = interrupted(folder), folder.parent / "out", list[FitFinished]()
    (out / "made-by-hand" / f".partial-{key}" / "call.json").write_text(content)
    with pytest.raises(UsageError, match="give the same kpipe run command again"):
        resume(key, out=out)
    made(folder, on_fit_done=told.append)
    assert told[0].resumed


def test_changed_code_of_a_module_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "competitions"
    own = competitions.folder("titanic")
    assert own is not None
    shutil.copytree(own, home / "titanic", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(competitions, "__path__", [str(home), *competitions.__path__])
    options: dict[str, Any] = {"models": ["woman-child-group"], "folds": 2, "jobs": 1, "data": own / "sample"}
    first = run("titanic", out=tmp_path / "out", **options)
    with (home / "titanic" / "competition.py").open("a") as file:
        file.write("# a remark\n")
    found = reproduce(str(first.path), out=tmp_path / "out")
    assert found.same
    assert found.differs == ("code: module changed",)


def test_differences_hold_out_against_what_is_no_record() -> None:
    assert differences({"files": 3, "versions": None}, {"versions": {"numpy": "2"}}) == [
        "versions: numpy is newly there"
    ]


def test_a_record_from_elsewhere_does_not_speak_to_the_terminal() -> None:
    (phrase,) = differences({"versions": {"numpy": "\x1b[2J"}}, {"versions": {"numpy": "2"}})
    assert phrase.isprintable()


def test_no_seed_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seeds must hold at least one number"):
        run("titanic", seed=(), out=tmp_path)


def test_the_commands_of_the_page_about_endurance_are_ours() -> None:
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
    """A competition whose clean joins another CSV, and imports a module that lies beside the competitions."""
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


def test_a_run_is_not_gone_on_with_when_a_csv_that_clean_joins_has_changed(folder: Path, joining: str) -> None:
    def stop(done: FitFinished) -> None:
        raise TrainingError("stopped")

    with pytest.raises(TrainingError, match="stopped"):
        joined(folder, joining, on_fit_done=stop)
    (path,) = (folder.parent / "out" / joining).glob(".partial-*")
    more(folder, 3)
    with pytest.raises(UsageError, match=r"data: more\.csv changed"):
        resume(str(path), out=folder.parent / "out")
    told: list[FitFinished] = []
    joined(folder, joining, on_fit_done=told.append)
    assert not any(done.resumed for done in told)


def test_the_csvs_that_clean_joins_and_the_modules_it_imports_are_recorded(folder: Path, joining: str) -> None:
    first = joined(folder, joining)
    assert sorted(first.record["data"]["files"]) == ["more.csv", "sample_submission.csv", "test.csv", "train.csv"]
    (helper,) = folder.parent.glob("helper_*.py")
    assert first.record["code"].keys() == {"kpipe", "module", helper.name}
    helper.write_text("OFFSET = 0.0  # a remark\n")
    (folder / "unused.csv").write_text("a\n2\n")
    found = reproduce(str(first.path), out=folder.parent / "out")
    assert found.same
    assert found.differs == (f"code: {helper.name} changed",)


def test_what_modules_import_is_found_wherever_they_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "competitions"
    monkeypatch.setattr(competitions, "__path__", [str(home), *competitions.__path__])
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in {
        "competitions/far/competition.py": "import numpy, far_a.b\nfrom ..far_common import X\nfrom . import own\n",
        "competitions/far/own.py": "def make(context):\n    from far_late import Net\n",
        "competitions/far_common.py": "import far_deep, far_nowhere, kpipe.core.metrics",
        "far_a/b.py": "from . import c\nimport far_common_not",
        "far_a/c.py": "",
        "far_late.py": "import far_late, os.path",
        "far_deep.py": "no python (",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = provenance._helpers(home / "far", "kpipe.competitions.far")
    assert sorted(found) == ["far_a", "far_common.py", "far_deep.py", "far_late.py"]
