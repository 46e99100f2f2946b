"""Starting costs little: a whitelist of what the cheap commands may load."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

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


def loaded(code: str) -> set[str]:
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


def third_party(names: set[str]) -> set[str]:
    return {name for name in names if name not in sys.stdlib_module_names and not name.startswith("_")}


@pytest.mark.parametrize("args", [["--help"], ["run", "--help"], ["list"], ["--version"]])
def test_cheap_commands_load_nothing_but_python_and_kpipe(args: list[str]) -> None:
    code = f"from kpipe.cli.main import main\ntry:\n    main({args!r})\nexcept SystemExit:\n    pass"
    assert third_party(loaded(code)) == {"kpipe"}


def test_help_loads_neither_commands_nor_what_only_they_need() -> None:
    code = "from kpipe.cli.main import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    names = set(done.stdout.splitlines()[-1].split())
    assert {name for name in names if name.startswith("kpipe.cli.")} == {"kpipe.cli.help"}
    assert not names & {"json", "dataclasses", "pathlib", "inspect"} - always_loaded()


def always_loaded() -> set[str]:
    """What an interpreter loads by itself: editable installs import a finder of their own."""
    script = "import sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_of_a_command_how_its_own_help_begins(name: str) -> None:
    module, does = COMMANDS[name]
    function = getattr(import_module(f"kpipe.cli.{module}"), "list_" if name == "list" else name)
    assert function.__doc__.startswith(does)


def test_importing_kpipe_loads_nothing_else() -> None:
    assert third_party(loaded("import kpipe")) == {"kpipe"}


def test_loading_a_competition_loads_no_torch_and_no_kaggle_client() -> None:
    names = loaded("import kpipe; kpipe.find('digit-recognizer'); kpipe.run")
    assert not names & {"torch", "fastai", "kaggle", "fastkaggle"}


def test_every_public_name_loads() -> None:
    import kpipe

    for name in kpipe.__all__:
        assert getattr(kpipe, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kpipe.nothing
