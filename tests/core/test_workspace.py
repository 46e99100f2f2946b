from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.core import workspace
from kpipe.errors import OutputError, UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user who has no workspace yet."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_creating_a_workspace_keeps_existing_files_and_can_be_repeated(home: Path, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    written = workspace.create(tmp_path)
    assert [path.name for path in written] == [workspace.MARKER]
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert workspace.create(tmp_path) == ()
    assert workspace.is_trusted(tmp_path)
    assert not workspace.is_trusted(tmp_path / "competitions")
    with pytest.raises(UsageError, match="is a file"):
        workspace.create(tmp_path / ".gitignore")


def test_with_a_broken_list_of_workspaces_no_folder_is_trusted(home: Path, tmp_path: Path) -> None:
    workspace.create(tmp_path / "work")
    (paths,) = home.rglob("workspaces.json")
    for broken in (
        "{",
        '{"a": 1}',
        "[1, null]",
        "[" * 100_000,
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ):
        paths.write_text(broken)
        assert not workspace.is_trusted(tmp_path / "work")
    workspace.create(tmp_path / "work")
    assert workspace.is_trusted(tmp_path / "work")


def test_a_workspace_is_found_from_folders_below_it(home: Path, tmp_path: Path) -> None:
    workspace.create(tmp_path / "work")
    (tmp_path / "work" / "deep" / "er").mkdir(parents=True)
    assert workspace.find(tmp_path / "work" / "deep" / "er") == (tmp_path / "work").resolve()
    assert workspace.find(tmp_path) is None


def test_a_list_of_workspaces_that_cannot_be_written_is_an_error_with_a_way_out(home: Path, tmp_path: Path) -> None:
    (home / ".config").write_text("a file where a folder must be")
    with pytest.raises(OutputError, match=r"Cannot write .*workspaces\.json: .*set KPIPE_COMPETITIONS="):
        workspace.create(tmp_path / "work")


def test_no_test_uses_the_developers_own_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    assert workspace.find_trusted() is None
