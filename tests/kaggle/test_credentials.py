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


WRITTEN = {
    "with a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "in UTF-16, as by PowerShell": lambda text: text.encode("utf-16"),
    "with the line breaks of Windows": lambda text: b"\r\n" + text.encode() + b" \r\n",
}


@pytest.mark.parametrize("way", WRITTEN)
def test_credentials_are_read_however_an_editor_writes_them(way: str, home: Path) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle/kaggle.json").write_bytes(
        WRITTEN[way](json.dumps({"username": f" {USER}", "key": f"{KEY}\r\n", "more": [1]}))
    )
    assert [(one.username, one.secret, one.problem) for one in all_credentials()] == [(USER, KEY, "")]
    (home / ".kaggle/access_token").write_bytes(WRITTEN[way](TOKEN))
    found = find_credentials()
    assert found is not None
    assert found.secret == TOKEN


def test_a_line_break_after_a_variable_is_not_part_of_the_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", f"{USER}\r\n")
    monkeypatch.setenv("KAGGLE_KEY", f"{KEY}\n")
    assert [(one.username, one.secret) for one in all_credentials()] == [(USER, KEY)]
    monkeypatch.setenv("KAGGLE_KEY", " \n")
    assert [one.problem for one in all_credentials()] == ["it has no key"]
    monkeypatch.setenv("KAGGLE_API_TOKEN", " \n")
    assert [one.kind for one in all_credentials()] == ["key"]


@pytest.mark.parametrize("secret", ["\u201cKGAT_x\u201d", "KGAT_x\nX-Evil: 1", "token = KGAT_x", "KGAT_\x00x"])
def test_what_cannot_be_sent_as_a_token_or_key_is_named_before_any_call(home: Path, secret: str) -> None:
    write(home / ".kaggle/access_token", secret)
    write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": secret}))
    with pytest.raises(UsageError, match="it holds blanks, line breaks or characters that are not ASCII") as raised:
        connect()
    assert "KGAT" not in str(raised.value)
