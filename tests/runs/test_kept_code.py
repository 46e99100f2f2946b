"""A run keeps the code that made it: it is compared, and written back."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.core import workspace
from kpipe.errors import OutputError, UsageError
from kpipe.runs import kept_code
from kpipe.runs.kept_code import code_changes, keep_code, kept_files, restore_code, using_kept_code
from kpipe.runs.run import Run
from tests.cli.calls import call

_MODULE = "from kept_helper import FACTOR\nfrom kpipe.problem.competition import Competition\n"
_MODULE += "competition = Competition(slug='kept')\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a competition that imports a module beside it."""
    home = tmp_path / "work"
    (home / "competitions" / "kept" / "sample").mkdir(parents=True)
    (home / "competitions" / "kept" / "competition.py").write_text(_MODULE)
    (home / "competitions" / "kept" / "sample" / "train.csv").write_text("a\n1\n")
    (home / "kept_helper.py").write_text("FACTOR = 2\n")
    monkeypatch.setattr(competitions, "__path__", [str(home / "competitions"), *competitions.__path__])
    monkeypatch.syspath_prepend(home)
    return home


def made(path: Path, slug: str = "kept") -> Run:
    path.mkdir(parents=True)
    keep_code(path, slug)
    return Run(path=path, record={"run_id": path.name, "slug": slug})


def test_the_module_and_what_it_imports_are_kept_without_its_sample(home: Path, tmp_path: Path) -> None:
    run = made(tmp_path / "runs" / "first")
    assert sorted(kept_files(run)) == ["competitions/kept/competition.py", "modules/kept_helper.py"]


def test_without_a_module_nothing_is_kept(tmp_path: Path) -> None:
    run = made(tmp_path / "first", "no-such-competition")
    assert kept_files(run) == {}
    with pytest.raises(UsageError, match="first has no stored code"):
        restore_code(run, tmp_path)


def test_code_is_written_back_and_nothing_that_differs_is_replaced_unasked(home: Path, tmp_path: Path) -> None:
    run, file = made(tmp_path / "first"), home / "competitions" / "kept" / "competition.py"
    assert restore_code(run, home) == []
    file.write_text("# all new\n")
    (home / "kept_helper.py").unlink()
    with pytest.raises(UsageError, match=r"competition\.py would be replaced: copy or commit it first and add --force"):
        restore_code(run, home)
    assert file.read_text() == "# all new\n"
    assert not (home / "kept_helper.py").exists()
    assert restore_code(run, home, force=True) == [file, home / "kept_helper.py"]
    assert file.read_text() == _MODULE
    assert restore_code(run, tmp_path / "elsewhere") == [
        tmp_path / "elsewhere" / "competitions" / "kept" / "competition.py",
        tmp_path / "elsewhere" / "kept_helper.py",
    ]


def test_the_difference_of_two_runs_code_is_a_diff(home: Path, tmp_path: Path) -> None:
    first = made(tmp_path / "first")
    (home / "kept_helper.py").write_text("FACTOR = 3\n")
    (home / "competitions" / "kept" / "table.bin").write_bytes(b"\0\1")
    second = made(tmp_path / "second")
    assert code_changes(first, first) == []
    assert [line for line in code_changes(first, second) if not line.startswith("@@")] == [
        *("--- a/competitions/kept/table.bin", "+++ b/competitions/kept/table.bin", "+(2 bytes, SHA-256 b413f47d13ee)"),
        *("--- a/modules/kept_helper.py", "+++ b/modules/kept_helper.py", "-FACTOR = 2", "+FACTOR = 3"),
    ]


@pytest.mark.parametrize("how", ["link", "folder", "file", "changed"])
def test_code_that_is_not_all_this_users_own_is_never_imported(home: Path, tmp_path: Path, how: str) -> None:
    run = made(tmp_path / "first")
    (home / "kept_helper.py").write_text("FACTOR = 3\n")  # the present code is another one
    modules, evil = run.path / "code" / "modules", tmp_path / "evil"
    evil.mkdir()
    (evil / "__init__.py").write_text("")
    if how == "link":
        (modules / "numpy.py").symlink_to(evil / "__init__.py")
    elif how == "folder":
        (modules / "numpy").symlink_to(evil)
    elif how == "file":
        (modules / "numpy.py").write_text("")
    else:
        (modules / "kept_helper.py").write_text("FACTOR = 4\n")
    with using_kept_code(run) as notes:
        assert "was not written by you on this machine: the current code is used" in notes[0]
        assert competitions.folder("kept") == home / "competitions" / "kept"
    assert "numpy" not in {path.name for path in restored_files(run, tmp_path / "to") if path.is_symlink()}


def restored_files(run: Run, target: Path) -> list[Path]:
    return restore_code(run, target)


def test_own_code_is_used_where_the_present_code_differs_and_not_afterwards(home: Path, tmp_path: Path) -> None:
    from kpipe.problem.competition import find

    run = made(tmp_path / "first")
    with using_kept_code(Run(path=run.path, record={**run.record, "code": None})) as notes:
        assert "the code stored with first is used" in notes[0]
        assert competitions.folder("kept") == run.path / "code" / "competitions" / "kept"
        assert find("kept").slug == "kept"
    assert competitions.folder("kept") == home / "competitions" / "kept"


def test_own_code_is_used_again_although_python_writes_bytecode(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kpipe.problem.competition import find

    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    run = made(tmp_path / "first")
    for _ in range(2):
        with using_kept_code(Run(path=run.path, record={**run.record, "code": None})) as notes:
            assert "the code stored with first is used" in notes[0]
            assert find("kept").slug == "kept"
    assert not sys.dont_write_bytecode
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


@pytest.mark.parametrize("name", ["__pycache__/kept_helper.cpython-311.pyc", ".git/config", ".env"])
def test_bytecode_and_hidden_files_beside_kept_code_are_neither_compared_nor_restored(
    home: Path, tmp_path: Path, name: str
) -> None:
    run = made(tmp_path / "first")
    file = run.path / "code" / "modules" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"\0")
    assert sorted(kept_files(run)) == ["competitions/kept/competition.py", "modules/kept_helper.py"]


def test_restore_writes_into_the_workspace_and_says_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--model", "linear", "--folds", 2, "--jobs", 1, "--data", "sample", "--quiet", "--name", "the first")
    assert call("run", "titanic", *options, "--out", tmp_path / "runs") == 0
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert call("restore", "last", "--out", tmp_path / "runs", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "no-workspace"
    workspace.create(home)
    monkeypatch.chdir(home)
    assert call("restore", "the first", "--out", tmp_path / "runs") == 0
    out, err = capsys.readouterr()
    assert "You did not write this code" not in err
    restored = home / "competitions" / "titanic" / "competition.py"
    assert f"Restored {restored}" in out.replace("\n", "")
    assert call("restore", "best", "--out", tmp_path / "runs", "--json") == 0
    assert json.loads(capsys.readouterr().out)["written"] == []
    restored.write_text("# edited\n")
    assert call("restore", "titanic/best", "--out", tmp_path / "runs", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "would-replace"
    (kept,) = (tmp_path / "runs" / "titanic").glob("2*/code/competitions/titanic/competition.py")
    kept.write_text("# somebody else's\n")
    assert call("restore", "last", "--out", tmp_path / "runs", "--to", tmp_path / "elsewhere") == 0
    assert "You did not write this code on this machine." in capsys.readouterr().err


def test_code_that_cannot_be_written_is_restored_elsewhere_with_to(home: Path, tmp_path: Path) -> None:
    run = made(tmp_path / "first")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file is a file, not a folder\. .*choose another folder with --to DIR\."):
        restore_code(run, tmp_path / "file")


def test_a_module_with_much_data_is_not_kept_and_the_log_says_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept_code, "_MAXIMUM", 10)
    assert kept_files(made(tmp_path / "first")) == {}
    assert "does not store its code" in caplog.text
    assert str(home / "competitions" / "kept") in caplog.text
