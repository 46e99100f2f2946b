"""A user's home, their credentials, and a Kaggle on loopback."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kpipe.kaggle import session
from tests.kaggle_server import KEY, USER, Contest, KaggleServer, serving


def random_zip(size: int = 300_000) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train.csv", os.urandom(size))
    return buffer.getvalue()


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


@pytest.fixture
def kaggle(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(session, "_READ_SECONDS", 1.0)
    with serving(KaggleServer(contests={"titanic": Contest(zip=random_zip())})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server
        assert server.leaked == []


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
