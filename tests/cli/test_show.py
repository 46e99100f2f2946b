from __future__ import annotations

import json

import pytest

from kpipe import competitions
from tests.cli.calls import call


@pytest.mark.parametrize("slug", competitions.slugs())
def test_show_prints_what_a_run_would_do_and_why(slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", slug) == 0
    out = capsys.readouterr().out
    for word in ("target", "metric", "splitter", "models", "set by the competition", "SAMPLE DATA"):
        assert word in out
    assert call("show", slug, "--json") == 0
    assert json.loads(capsys.readouterr().out)["slug"] == slug


def test_show_names_the_option_that_sets_an_inferred_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", "titanic", "--json", "--split", "rows") == 0
    assert json.loads(capsys.readouterr().out)["groups"] is None
