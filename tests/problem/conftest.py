"""A workspace, for tests of ``kpipe.toml``."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.core import workspace


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that the user trusts, and the current folder below it."""
    workspace.create(tmp_path / "work")
    below = tmp_path / "work" / "deep" / "er"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return (tmp_path / "work").resolve()
