"""Calls to Kaggle through the real client: silent, bounded, retried; against a Kaggle on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kpipe.errors import RemoteError, UsageError
from kpipe.kaggle import session
from kpipe.kaggle.client import connect
from kpipe.kaggle.download import download
from tests.kaggle_server import USER, KaggleServer, Misbehave


def test_loading_the_client_prints_nothing_and_writes_nothing_into_the_home(
    home: Path, kaggle: KaggleServer, key: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session._bounded_api_class.cache_clear()
    before = dict(os.environ)
    assert connect().username() == USER
    assert dict(os.environ) == before
    assert list(home.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_after_loading_the_client_a_person_can_still_be_asked(home: Path) -> None:
    code = "import sys; from kpipe.kaggle import session; session._bounded_api_class(); print(sys.stdin.read())"
    done = subprocess.run([sys.executable, "-c", code], input="yes", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "yes"


def test_only_an_address_of_this_machine_can_replace_kaggle(
    key: None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", "http://evil.example:80")
    with pytest.raises(UsageError, match=r"it must be http://127\.0\.0\.1:PORT"):
        connect()


@pytest.mark.parametrize("body", [{"numAllowedNow": "many"}, {"submissions": [{"status": "NO_SUCH_STATUS"}]}])
def test_a_response_that_cannot_be_read_is_named(kaggle: KaggleServer, key: None, body: dict[str, object]) -> None:
    kaggle.faults += [Misbehave("GetSubmissionLimits", 200, body=body), Misbehave("ListSubmissions", 200, body=body)]
    client = connect()
    with pytest.raises(RemoteError, match="Kaggle sent a response about titanic that its client cannot read"):
        client.competitions.submissions_left("titanic") if "numAllowedNow" in body else client.competitions.submissions(
            "titanic"
        )


def test_a_temporary_fault_is_retried(kaggle: KaggleServer, key: None) -> None:
    kaggle.faults += [Misbehave("GetSubmissionLimits", 503), Misbehave("GetSubmissionLimits", "drop")]
    assert connect().competitions.submissions_left("titanic") == 5


def test_a_silent_connection_times_out(kaggle: KaggleServer, key: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_READ_SECONDS", 0.2)
    kaggle.faults.append(Misbehave("GetSubmissionLimits", "hang", times=9, seconds=1))
    with pytest.raises(RemoteError, match="Kaggle did not respond in time about titanic"):
        connect().competitions.submissions_left("titanic")


def test_a_missing_network_is_named(home: Path, key: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RemoteError, match="Kaggle cannot be reached"):
        connect().competitions.submissions_left("titanic")


def test_other_kaggle_variables_do_not_configure_the_client(
    kaggle: KaggleServer, key: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAGGLE_PATH", "/nowhere")
    monkeypatch.setenv("KAGGLE_COMPETITION", "another")
    monkeypatch.setenv("KAGGLE_PROXY", "http://127.0.0.1:1")
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip
