"""``--data`` is typed once: what is written into ``kpipe.toml``, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kpipe.problem.remembered_data import is_remembered, remember_data, suggest_entry
from kpipe.problem.settings import make_request


def write(work: Path, text: str) -> None:
    (work / "kpipe.toml").write_text(text, encoding="utf-8")


def test_outside_of_a_workspace_that_the_user_trusts_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert remember_data("titanic", "titanic.zip") == suggest_entry("titanic", "titanic.zip") == ""
    write(tmp_path, "this is broken")
    assert remember_data("titanic", "titanic.zip") == suggest_entry("titanic", "titanic.zip") == ""
    assert (tmp_path / "kpipe.toml").read_text() == "this is broken"


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), before=st.text(max_size=9))
@example(name="~", before="")
@example(name="\x7f", before="")
@example(name="sample", before="")
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_data_of_any_name_is_remembered_and_everything_else_in_the_file_stays(
    work: Path, name: str, before: str
) -> None:
    kept = f"# {before.encode('unicode_escape').decode()} stays\n[house-prices]\nfolds = 3 # no line feed"
    write(work, kept)
    for data in (work / name, work.parent / name):
        write(work, kept)
        assert "now contains the path of titanic's data" in remember_data("titanic", data)
        assert make_request("titanic", {}, names=()).slug == "titanic"
        assert is_remembered("titanic", data)
        text = (work / "kpipe.toml").read_text(encoding="utf-8")
        assert text.startswith(kept)
        assert remember_data("titanic", data) == suggest_entry("titanic", data) == ""  # it is known
        assert (work / "kpipe.toml").read_text(encoding="utf-8") == text


def test_data_inside_of_the_workspace_is_written_relative_to_the_file(work: Path) -> None:
    remember_data("titanic", work / "data" / "titanic.zip")
    remember_data("house-prices", "sample")
    text = (work / "kpipe.toml").read_text()
    assert text.endswith('[titanic]\ndata = "data/titanic.zip"\n\n[house-prices]\ndata = "sample"\n')
    assert is_remembered("house-prices", "sample")
    assert not is_remembered("house-prices", work / "data")
    assert "sets other data" in remember_data("titanic", work / "other.zip")


@pytest.mark.parametrize("text", ["[titanic]\nfolds = 3 # mine\n", 'titanic.metric = "auc"\n'])
def test_a_table_that_exists_is_left_as_it_is_and_an_entry_suggested(work: Path, text: str) -> None:
    write(work, text)
    assert remember_data("titanic", work / "titanic.zip").endswith('kpipe.toml:\n[titanic]\ndata = "titanic.zip"')
    assert (work / "kpipe.toml").read_text() == text


def test_an_entry_that_cannot_be_written_is_suggested(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert remember_data("titanic", work / "titanic.zip").endswith('[titanic]\ndata = "titanic.zip"')
