from __future__ import annotations

import json

import pytest

from kpipe import competitions
from tests.cli.calls import call


def test_list_prints_every_competition_that_has_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list") == 0
    assert capsys.readouterr().out.split() == competitions.slugs()


def test_list_as_json_gives_the_folders(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list", "--json") == 0
    listed = {one["slug"]: one["path"] for one in json.loads(capsys.readouterr().out)}
    assert listed == {slug: str(competitions.folder(slug)) for slug in competitions.slugs()}
