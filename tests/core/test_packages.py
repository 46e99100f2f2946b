"""Versions of installed packages, and the command that installs missing ones."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np

import kpipe
from kpipe.core.packages import DISTRIBUTION, install_command, installed_versions

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(kpipe.__file__).parent


def source_files() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "core" / "packages.py"]


def test_versions_are_those_of_the_installed_packages_and_absent_ones_are_left_out() -> None:
    assert installed_versions(["numpy", "no-such-package"]) == {"numpy": np.__version__}


def test_the_version_of_kpipe_is_that_of_the_running_package() -> None:
    assert installed_versions(["kpipe"]) == {"kpipe": kpipe.__version__}


def test_the_distribution_is_not_the_other_project_that_pypi_calls_kpipe() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION == "kaggle-kpipe"
    assert project["scripts"] == {"kpipe": "kpipe.__main__:main"}


def test_install_hints_are_worded_in_one_place() -> None:
    hints = [f"{path.name}: {line}" for path in source_files() for line in path.read_text().splitlines()]
    assert [line for line in hints if re.search(r"pip install|kpipe\[", line)] == []


def test_every_extra_that_a_message_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    code = "".join(path.read_text() for path in source_files())
    named = re.findall(r"install_command\(extra=[\"'](\w+)", code)
    assert "xgboost" in named
    assert set(named) <= set(extras)
    assert install_command(extra="dask") == "pip install 'kaggle-kpipe[dask]'"
