"""Starting is cheap: what the commands may import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kpipe.cli.main import COMMANDS

HEAVY = {
    "torch",
    "fastai",
    "fastkaggle",
    "kaggle",
    "pandas",
    "pyarrow",
    "sklearn",
    "numpy",
    "scipy",
    "lightgbm",
    "rich",
}
HELP = "from kpipe.cli.main import main\ntry:\n    main({args!r})\nexcept SystemExit:\n    pass"


def imported(code: str) -> set[str]:
    """Every module that a program imports, besides those that an interpreter always does."""
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def packages(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def third_party(names: set[str]) -> set[str]:
    return {name for name in packages(names) if name not in sys.stdlib_module_names and not name.startswith("_")}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["list"], *([name, "--help"] for name in COMMANDS)])
def test_help_version_and_list_import_only_python_and_kpipe(args: list[str]) -> None:
    assert third_party(imported(HELP.format(args=args))) == {"kpipe"}


def test_the_help_of_kpipe_imports_no_command_and_nothing_that_only_commands_need() -> None:
    names = imported(HELP.format(args=["--help"]))
    modules = {name for name in names if name.startswith("kpipe.cli.")}
    assert modules == {f"kpipe.cli.{name}" for name in ("help", "interrupts", "main", "messages")}
    assert not names & {"json", "dataclasses", "pathlib", "inspect"}


def test_the_help_of_a_command_imports_no_other_command() -> None:
    names = imported(HELP.format(args=["show", "--help"]))
    assert {name.removeprefix("kpipe.cli.") for name in names} & set(COMMANDS) == {"show"}


def test_importing_kpipe_imports_nothing_else() -> None:
    assert third_party(imported("import kpipe")) == {"kpipe"}


def test_loading_a_competition_imports_neither_torch_nor_the_kaggle_client() -> None:
    names = imported("import kpipe; kpipe.find('digit-recognizer'); kpipe.run")
    assert not packages(names) & {"torch", "fastai", "kaggle", "fastkaggle"}


def test_every_public_name_of_kpipe_can_be_imported() -> None:
    import kpipe

    for name in kpipe.__all__:
        assert getattr(kpipe, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kpipe.nothing
