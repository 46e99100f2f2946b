from __future__ import annotations

import json

import pytest

from kpipe import competitions
from kpipe.core.metrics import METRICS
from kpipe.models import CATALOG
from tests.cli.calls import call


def test_list_prints_every_competition_that_has_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list") == 0
    assert capsys.readouterr().out.split() == competitions.slugs()


def test_list_as_json_gives_the_folders(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list", "--json") == 0
    listed = {one["slug"]: one["path"] for one in json.loads(capsys.readouterr().out)}
    assert listed == {slug: str(competitions.folder(slug)) for slug in competitions.slugs()}


def test_models_and_metrics_are_listed_each_with_a_description(capsys: pytest.CaptureFixture[str]) -> None:
    for what, names in (("models", CATALOG), ("metrics", METRICS)):
        assert call("list", what) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split(": ")[0] for line in lines] == list(names)
        assert all(line.endswith(".") for line in lines)
        assert call("list", what, "--json") == 0
        assert [one["name"] for one in json.loads(capsys.readouterr().out)] == list(names)
    assert call("list", "metric") == 2
