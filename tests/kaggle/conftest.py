"""A user's home, their credentials, and a Kaggle on loopback, empty or with titanic."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from kpipe import competitions
from kpipe.cli import attendance
from kpipe.kaggle import competition_calls, polling, session
from tests.cli.calls import call
from tests.kaggle_server import KEY, USER, Contest, KaggleServer, accuracy, serving

Trained = Callable[..., Path]
SAMPLE = competitions.folder("titanic") / "sample"  # stands in for Kaggle's files


def random_zip(size: int = 300_000) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train.csv", os.urandom(size))
    return buffer.getvalue()


def sample_zip() -> bytes:
    """Titanic's sample as the zip that Kaggle offers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(SAMPLE.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A function that makes a run of titanic in the working folder: trained once, then copied with its cache."""

    def copied(*more: str) -> Path:
        places = {"out": Path("submissions"), "cache": Path(os.environ["KPIPE_CACHE"])}
        if more not in kept:
            assert call("run", "titanic", "--model", "linear", "--quiet", *more) == 0
            kept[more] = tmp_path_factory.mktemp("trained")
            for name, place in places.items():
                shutil.copytree(place, kept[more] / name)
        for name, place in places.items():
            shutil.copytree(kept[more] / name, place, dirs_exist_ok=True)
        (run,) = Path("submissions/titanic").glob("2*")
        return run

    kept: dict[tuple[str, ...], Path] = {}
    return copied


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


@pytest.fixture(autouse=True)
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody at the terminal; without, tests/cli/test_attendance.py."""
    monkeypatch.setattr(attendance, "non_interactive_reason", lambda: "")


@pytest.fixture
def kaggle(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(session, "_READ_SECONDS", 1.0)
    monkeypatch.setattr(polling, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(competition_calls, "LISTED_WITHIN", 0.1)
    with serving(KaggleServer(contests={"titanic": Contest(zip=random_zip())})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server
        assert server.leaked == []


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)


@pytest.fixture
def titanic_kaggle(key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """A Kaggle with titanic, which scores submissions, a user whom it knows, and an empty folder to work in."""
    test = pd.read_csv(SAMPLE / "test.csv")
    truth = pd.DataFrame({"PassengerId": test["PassengerId"], "Survived": (test["Sex"] == "female").astype(int)})
    contest = Contest(zip=sample_zip(), score=accuracy(truth, "PassengerId", "Survived"))
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(polling, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(competition_calls, "LISTED_WITHIN", 0.1)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with serving(KaggleServer(contests={"titanic": contest})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server
        assert server.leaked == []
