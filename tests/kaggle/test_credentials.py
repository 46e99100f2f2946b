"""Finding credentials: precedence, problems, secrecy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.errors import UsageError
from kpipe.kaggle.client import connect
from kpipe.kaggle.credentials import all_credentials, find_credentials
from tests.kaggle.conftest import write
from tests.kaggle_server import KEY, TOKEN, USER


def test_a_token_takes_precedence_over_a_key_and_a_key_over_a_login(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".kaggle/credentials.json", json.dumps({"refresh_token": "r", "username": "oa"}))
    assert [c.kind for c in all_credentials()] == ["oauth"]
    write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}))
    assert [c.kind for c in all_credentials()] == ["key", "oauth"]
    write(home / ".kaggle/access_token", TOKEN)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "from-the-environment")
    assert [c.kind for c in all_credentials()] == ["token", "token", "key", "oauth"]
    first = find_credentials()
    assert first is not None
    assert first.place == "the variable KAGGLE_API_TOKEN"


def test_no_secret_is_in_the_repr_of_credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}))
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert TOKEN not in repr(all_credentials())
    assert KEY not in repr(all_credentials())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is not JSON"),
        ("[]", "the file must hold a JSON object with username and key"),
        ('{"username": "ada"}', "it has no key"),
        ("{}", "it has no username and no key"),
    ],
)
def test_a_broken_key_file_is_named_with_its_problem(home: Path, text: str, problem: str) -> None:
    path = write(home / ".kaggle/kaggle.json", text)
    assert find_credentials() is None
    assert [(c.place, c.problem) for c in all_credentials()] in ([(str(path), problem)], [] if text == "{}" else None)
    if text != "{}":
        with pytest.raises(UsageError, match=problem):
            connect()


def test_a_file_that_other_users_may_read_is_named(home: Path) -> None:
    path = write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}), mode=0o644)
    assert all_credentials()[0].open_file == path
    path.chmod(0o600)
    assert all_credentials()[0].open_file is None
