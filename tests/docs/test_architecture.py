"""The architecture page shows what the code is."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from types import ModuleType

import pytest

from tests.conftest import ROOT

TOOL = ROOT / "tools" / "architecture.py"


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_the_one_that_the_code_gives() -> None:
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_picture_shows_every_package_and_the_whole_path_of_the_data(architecture: ModuleType) -> None:
    shown = {name for layer in architecture.layers() for name in layer}
    there = {
        path.stem for path in (ROOT / "kpipe").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert there - {"__init__", "__main__", "_version"} == shown
    assert [gives for *_, gives in architecture.steps()] == list(architecture.GIVES.values())


def test_the_import_contract_has_no_exceptions() -> None:
    assert "ignore_imports" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_page_is_linked_and_names_files_that_exist() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "docs/architecture.md" in (ROOT / page).read_text(encoding="utf-8")
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:kpipe|tools|competitions)/[\w/.]*)`", text)
    assert len(paths) > 12
    assert [path for path in paths if not (ROOT / path).exists()] == []
