from __future__ import annotations

from pathlib import Path

import pytest

from kpipe import competitions


def test_the_users_folder_comes_before_the_built_in_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "titanic").mkdir()
    (tmp_path / "titanic" / "competition.py").write_text("competition = None\n")
    monkeypatch.setattr(competitions, "__path__", [str(tmp_path), *competitions.__path__])
    assert competitions.folder("titanic") == tmp_path / "titanic"
    assert "digit-recognizer" in competitions.slugs()


@pytest.mark.parametrize(("typed", "meant"), [("titanik", "titanic"), ("spaceship", "spaceship-titanic"), ("zzz", "")])
def test_a_similar_slug_is_suggested(typed: str, meant: str) -> None:
    assert competitions.suggestion(typed) == (f" Did you mean {meant}?" if meant else "")


@pytest.mark.parametrize(
    ("slug", "data", "meant"),
    [
        ("house-prices", None, "house-prices-advanced-regression-techniques"),
        ("my-try", "/data/titanic.zip", "titanic"),
        ("my-try", "titanic", "titanic"),
        ("titanic", "house-prices-advanced-regression-techniques.zip", None),
        ("blind", "holdout-titanic/data", None),
        ("house", None, "house-prices-advanced-regression-techniques"),
        ("hous", None, None),
    ],
)
def test_the_module_that_a_name_seems_to_stand_for(slug: str, data: str | None, meant: str | None) -> None:
    assert competitions.module_meant(slug, data) == meant
