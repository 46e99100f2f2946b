"""TAB in real shells: commands, options, competitions, models, runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_startup import HEAVY, imported, packages

pexpect = pytest.importorskip("pexpect", reason="pseudo-terminals are Unix's")

BIN = Path(sys.executable).parent
RUN = "20261121T092754Z-f40eed"

SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(kpipe completion bash)"'),
    "zsh": (["-f", "-i"], 'autoload -U compinit; compinit -u -D; eval "$(kpipe completion zsh)"'),
    "fish": (["--no-config", "-i"], "kpipe completion fish | source"),
}
# What is typed before TAB, and what it becomes.
LINES = {
    "kpipe run digit": "kpipe run digit-recognizer ",
    "kpipe run titanic --model woman": "kpipe run titanic --model woman-child-group ",
    "kpipe submit 2026": f"kpipe submit {RUN} ",
    "kpipe reprod": "kpipe reproduce ",
    "kpipe run titanic --model cat": "kpipe run titanic --model catboost ",
    "kpipe study titanic-f": "kpipe study titanic-from-scratch ",
    "kpipe show titanic --data ki": "kpipe show titanic --data kits/",
    "kpipe run titanic --metr": "kpipe run titanic --metric ",
    "kpipe run titanic --budg": "kpipe run titanic --budget ",
    "kpipe run titanic --device cp": "kpipe run titanic --device cpu ",
}
FIRST = 3  # lines for the shells that are tried after bash


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run in it, and kpipe on the PATH."""
    (tmp_path / "submissions" / "titanic" / RUN).mkdir(parents=True)
    (tmp_path / "submissions" / "titanic" / RUN / "run.json").write_text("{}")
    (tmp_path / "submissions" / "titanic" / ".partial-0123456789ab").mkdir()  # killed before it got its name
    (tmp_path / "submissions" / "titanic" / ".partial-0123456789ab" / "run.json").write_text("{}")
    (tmp_path / "kits").mkdir()
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_in_a_real_shell(shell: str, folder: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    options, register = SHELLS[shell]
    terminal = "xterm" if shell == "fish" else "dumb"  # the others then write what they complete, and no escapes
    environment = os.environ | {"TERM": terminal}
    child = pexpect.spawn(shell, options, env=environment, encoding="utf-8", timeout=30, dimensions=(24, 120))
    child.sendline(f"{register}; echo regis''tered")
    child.expect_exact("registered\r\n")
    for typed, completed in list(LINES.items())[: None if shell == "bash" else FIRST]:
        child.send(f"{typed}\t")
        child.expect_exact(completed)
        child.send("\x15")  # Ctrl-U: an empty line
    child.close(force=True)


def completed(line: str, folder: Path, *python: str) -> tuple[list[str], str]:
    """What kpipe answers a shell, and what it writes to stderr."""
    answer = folder / "answer"
    environment = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_IFS": "\n"}
    environment |= {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    done = subprocess.run(
        [sys.executable, *python, "-m", "kpipe"], env=os.environ | environment, capture_output=True, text=True
    )
    return [word.strip() for word in answer.read_text().split("\n")], done.stderr


def test_models_are_those_of_the_competition_and_the_catalogue(folder: Path) -> None:
    found, _ = completed("kpipe run titanic --model ", folder)
    assert {"gaussian-process", "woman-child-group", "linear", "catboost"} <= set(found)
    assert "gaussian-process" not in completed("kpipe run digit-recognizer --model ", folder)[0]


def test_a_broken_module_offers_only_the_models_of_the_catalogue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / "competition.py").write_bytes(b"models={'a': \xff\n")
    monkeypatch.setenv("KPIPE_COMPETITIONS", str(folder))
    found, err = completed("kpipe run broken --model ", folder)
    assert "linear" in found
    assert "Traceback" not in err


def test_runs_are_the_finished_ones_in_out(folder: Path) -> None:
    assert completed("kpipe report --out elsewhere 2026", folder)[0] == [""]
    assert completed("kpipe report 2026", folder)[0] == [RUN]
    assert [name for name in completed("kpipe report ", folder)[0] if not name.startswith("-")] == [RUN, "last", "best"]


@pytest.mark.parametrize(
    "line", ["kpipe ", "kpipe run t", "kpipe run titanic --model ", "kpipe report ", "kpipe run --"]
)
def test_completion_imports_only_python_kpipe_and_argcomplete(line: str, folder: Path) -> None:
    _, err = completed(line, folder, "-X", "importtime")
    modules = {found.split("|")[-1].strip().split(".")[0] for found in err.splitlines() if "|" in found}
    assert "argcomplete" in modules
    assert not modules & (HEAVY | {"platformdirs"})


def test_a_call_that_is_no_completion_does_not_import_argcomplete() -> None:
    code = "from kpipe.cli.main import main\ntry:\n    main(['--version'])\nexcept SystemExit: pass"
    assert "argcomplete" not in packages(imported(code))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_is_printed(shell: str, folder: Path) -> None:
    done = subprocess.run([str(BIN / "kpipe"), "completion", shell], capture_output=True, text=True, check=True)
    assert "kpipe" in done.stdout
    assert done.stderr == ""
