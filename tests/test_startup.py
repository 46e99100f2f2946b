"""Starting costs little: a whitelist of what the cheap commands may load."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
    code = f"from kpipe.cli import main\ntry:\n    main({args!r})\nexcept SystemExit:\n    pass"
    assert third_party(loaded(code)) == {"kpipe"}


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
