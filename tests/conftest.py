"""What tests share: Kaggle's real files where they are, and a world without the developer's environment."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import settings

from kpipe.cli import main as cli_main
from kpipe.cli.attendance import AGENT_VARIABLES
from tests.schemas import validating

ROOT = Path(__file__).resolve().parents[1]

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Each process of the tests, with those that it starts, has a core of its own: threads of two processes that wait
    # for each other on the same cores take many times as long. Before numpy is imported, which counts the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})
settings.register_profile("any machine", deadline=None)  # a busy one takes longer than 0.2 s for an example
settings.load_profile("any machine")
_NUMBERS = itertools.count()
KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", ROOT.parent / "shared" / "kaggle"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process where files are named: most take less time than starting others."""
    return 0 if all(".py" in name for name in config.args) else None


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable of the developer's reaches a test, and no test writes outside temporary folders."""
    for name in list(os.environ):
        if name.startswith(("KPIPE_", "KAGGLE_")) or name in ("CI", "FORCE_COLOR", *AGENT_VARIABLES):
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / "home"  # of somebody without Kaggle's credentials
    home.mkdir(exist_ok=True)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kpipe.data.weights._PACKAGES", {})  # pretrained weights are those that a test names
    # Created on first use: most tests need none, and mktemp lists all folders of the tests before.
    monkeypatch.setenv("KPIPE_CACHE", str(tmp_path_factory.getbasetemp() / "caches" / str(next(_NUMBERS))))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(autouse=True)
def validated_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """What any command prints with ``--json`` in a test follows its schema."""
    monkeypatch.setattr(cli_main, "_execute_for_program", validating(cli_main._execute_for_program))


@pytest.fixture(scope="session")
def kaggle_zip() -> KaggleZip:
    """A function slug → Kaggle's zip; skips, saying so, where it is absent."""
    return KaggleZip()


class KaggleZip:
    """Finds Kaggle's real files."""

    def __call__(self, slug: str) -> Path:
        path = KAGGLE / f"{slug}.zip"
        if not path.is_file():
            pytest.skip(f"{path} is not there: set KPIPE_TEST_DATA to a folder of Kaggle's zips")
        return path
