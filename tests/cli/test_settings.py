"""``kpipe.toml`` in every command: each reads it, says so, and lets its options override it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import kpipe
from kpipe import competitions, pipeline
from kpipe.cli.main import COMMANDS, get_parser
from kpipe.core import workspace
from kpipe.errors import DataError
from tests.cli.calls import call
from tests.modules import write_files

NEEDED = {
    "holdout": ("--share", "20%"),
    "vault": ("--share", "20%"),
    "grade": ("submission.csv", "--answers", "answers.csv"),
}  # arguments besides the competition


def takes(command: str, *words: str) -> bool:
    """Whether a command has options of these names."""
    parser = get_parser([command])._subparsers._group_actions[0].choices[command]  # type: ignore[union-attr, index]
    return {*words} <= {action.dest for action in parser._actions}


READERS = [command for command in COMMANDS if takes(command, "slug", "data")]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the user, which is the current folder, with the files of a competition in data/."""
    workspace.create(tmp_path)
    (tmp_path / "data").mkdir()
    write_files(tmp_path / "data")
    (tmp_path / "submission.csv").write_text("id,survived\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(work: Path, *lines: str) -> None:
    (work / "kpipe.toml").write_text("\n".join(("[made-by-hand]", *lines)) + "\n", encoding="utf-8")


def test_these_commands_read_the_file() -> None:
    assert {"run", "show", "check", "new", "vault", "holdout", "grade"} == {*READERS}


@pytest.mark.parametrize("command", READERS)
def test_a_command_that_takes_data_takes_it_from_the_file(
    command: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(work, 'data = "gone"')
    assert call(command, "made-by-hand", *NEEDED.get(command, ())) == 2
    assert f"kpipe.toml, [made-by-hand]: data names {work / 'gone'}, which does not exist" in capsys.readouterr().err


def test_a_command_for_programs_prints_a_mistake_in_the_file_as_json(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(work, "metric accuracy")
    assert call("show", "made-by-hand", "--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "invalid-settings"
    assert (error["where"]["file"], error["where"]["line"]) == (str(work / "kpipe.toml"), 2)
    assert "kpipe explain invalid-settings" in error["next"]


def test_show_says_which_fields_the_file_sets_and_what_it_sets_for_runs(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(work, 'data = "data"', 'metric = "auc"', 'drop = ["x"]', 'budget = "5m"')
    assert call("show", "made-by-hand", "--target", "survived") == 0
    shown = capsys.readouterr()
    assert f'Set in {work / "kpipe.toml"}: data = "data", metric = "auc", drop = ["x"].' in shown.err
    rows = {line.split()[0]: line for line in shown.out.splitlines() if line.strip()}
    assert rows["metric"].endswith("set in kpipe.toml")
    assert rows["target"].endswith("set by --target")
    assert "drop set in kpipe.toml" in " ".join(shown.out.split())
    assert f'{work / "kpipe.toml"} also sets, for runs: budget = "5m".' in " ".join(shown.out.split())
    assert call("show", "made-by-hand", "--metric", "accuracy", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["metric"], printed["data"]) == ("accuracy", f"directory: {work / 'data'}")
    assert printed["kpipe_toml"]["options"] == ["data", "drop"]
    assert printed["kpipe_toml"]["table"]["budget"] == "5m"


def test_a_run_says_what_the_file_sets_records_it_and_is_reproduced_without_the_file(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(work, 'data = "data"', 'metric = "auc"', 'models = ["linear"]', "folds = 2")
    assert call("run", "made-by-hand", "--folds", 3, "--jobs", 1) == 0
    assert (
        f'Set in {work / "kpipe.toml"}: data = "data", metric = "auc", models = ["linear"].' in capsys.readouterr().err
    )
    (run,) = (work / "submissions" / "made-by-hand").glob("2*")
    record = json.loads((run / "run.json").read_text())
    assert record["kpipe_toml"] == {"file": str(work / "kpipe.toml"), "options": ["data", "metric", "models"]}
    assert (record["options"]["metric"], record["folds"], record["options"]["data"]) == ("auc", 3, str(work / "data"))
    write(work, 'metric = "accuracy"', 'drop = ["x"]', 'data = "gone"')
    assert call("reproduce", run, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["same"]
    assert "kpipe.toml" not in shown.err


def test_a_run_with_data_says_what_to_add_to_the_file(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fast = ("--model", "linear", "--folds", 2, "--jobs", 1)
    (work / "kpipe.toml").write_text("# mine\n")
    assert call("run", "made-by-hand", "--data", "data", *fast) == 0
    entry = '[made-by-hand]\ndata = "data"\n'
    assert f"To omit --data from now on, add to {work / 'kpipe.toml'}:\n{entry}" in capsys.readouterr().err
    assert (work / "kpipe.toml").read_text() == "# mine\n"


def test_new_remembers_data_so_that_the_next_command_needs_none(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(competitions, "__path__", [str(work / "competitions")])
    (work / "kpipe.toml").write_text("# mine")
    assert call("new", "made-by-hand", "--data", "data") == 0
    said = capsys.readouterr().err
    assert f"{work / 'kpipe.toml'} now contains the path of made-by-hand's data" in said
    assert said.endswith("Next: kpipe check made-by-hand\n")
    assert (work / "kpipe.toml").read_text() == '# mine\n\n[made-by-hand]\ndata = "data"\n'
    assert call("show", "made-by-hand") == 0
    assert 'data = "data"' in capsys.readouterr().err


def test_a_kernel_is_built_with_the_settings_but_not_with_paths_of_this_machine(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ('data = "data"', 'train = "data/train.csv"', 'metric = "auc"', 'drop = ["x"]', "jobs = 2")
    write(work, *lines, 'weights = "w.safetensors"')
    assert call("kernel", "build", "made-by-hand", "--user", "ada") == 0
    assert 'metric = "auc", drop = ["x"]' in capsys.readouterr().err
    (line,) = [
        line for line in (work / "kernels/made-by-hand/script.py").read_text().splitlines() if line[:9] == "OPTIONS ="
    ]
    options: dict[str, Any] = {}
    exec(line, options)
    taken = {name: options["OPTIONS"][name] for name in ("data", "train", "metric", "drop", "jobs", "weights")}
    assert taken == {
        **{"data": None, "train": "train.csv", "metric": "auc", "drop": ["x"]},
        **{"jobs": None, "weights": None},
    }


def test_the_functions_of_python_read_the_file_and_their_arguments_override_it(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work, 'data = "data"', 'models = ["linear"]', "folds = 2", "jobs = 1", "seeds = [1]", 'drop = ["x"]')
    assert len(kpipe.load("made-by-hand").train) == 400
    monkeypatch.setattr(pipeline, "run", lambda request, **callbacks: request)
    request: Any = kpipe.run("made-by-hand", None, drop=(), seed=0)
    assert (request.data, request.models, request.drop, request.seeds) == (str(work / "data"), ("linear",), (), (0,))
    monkeypatch.setattr(pipeline, "check", lambda request, competition, **callbacks: request)
    request = kpipe.check(kpipe.Competition(slug="made-by-hand"), folds=3)
    assert (request.data, request.models, request.folds, request.seeds) == (str(work / "data"), ("linear",), 3, (0,))
    write(work, 'data = "gone"')
    for function in (kpipe.load, kpipe.run, kpipe.check):
        with pytest.raises(DataError, match=r"data names .*gone"):
            function("made-by-hand")


def test_a_notebook_shows_what_the_file_sets_above_the_plan(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(work, "folds = 3")
    pages: list[Any] = []
    shown = SimpleNamespace(display=lambda page, display_id: pages.append(page))
    notebook = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()), display=shown)
    monkeypatch.setitem(sys.modules, "IPython", notebook)  # type: ignore[arg-type]
    plan = SimpleNamespace(sentence="The plan.", notes=())
    monkeypatch.setattr(pipeline, "run", lambda request, on_start, **callbacks: on_start(plan))
    kpipe.run("made-by-hand", data="data")
    assert f"Set in {work / 'kpipe.toml'}: folds = 3. The plan." in pages[0]._repr_html_()


def test_a_cloned_workspace_sets_nothing_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kpipe.toml").write_text('[titanic]\ndata = "gone"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert call("show", "titanic") == 0
    shown = capsys.readouterr()
    assert "its competitions and settings are not used" in shown.err
    assert "SAMPLE DATA" in shown.out
