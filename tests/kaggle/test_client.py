"""Connecting to Kaggle: no, wrong and right credentials; against a Kaggle on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.errors import RemoteError, UsageError
from kpipe.kaggle.client import connect
from kpipe.kaggle.credentials import all_credentials
from tests.kaggle.conftest import write
from tests.kaggle_server import KEY, TOKEN, USER, KaggleServer


def test_without_credentials_the_error_says_how_to_create_them(home: Path) -> None:
    assert all_credentials() == []
    with pytest.raises(UsageError, match="There are no Kaggle credentials") as said:
        connect()
    assert "https://www.kaggle.com/settings" in str(said.value)


def test_a_token_has_a_username(kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert connect().username() == USER


def test_a_refused_token_is_named_with_the_credentials_that_it_takes_precedence_over(
    home: Path, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}))
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    with pytest.raises(RemoteError) as said:
        connect()
    assert "does not accept the credentials from the variable KAGGLE_API_TOKEN" in str(said.value)
    assert f"They take precedence over {home}/.kaggle/kaggle.json" in str(said.value)
    assert "KGAT_wrong" not in str(said.value)


def test_a_wrong_key_is_refused_by_the_first_call(kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", "wrong-key-000")
    with pytest.raises(
        RemoteError, match="does not accept the credentials from the variable KAGGLE_USERNAME and"
    ) as said:
        connect().username()
    assert "wrong-key-000" not in str(said.value)
