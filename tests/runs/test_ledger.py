"""The ledger of submissions: written whole, merged with what Kaggle lists, and refused in words."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.errors import DataError, OutputError, UsageError
from kpipe.runs import ledger
from kpipe.runs.ledger import Entry, add_entries, check_ledger_writable, mark_submitted, read_ledger, submitted_runs
from kpipe.runs.run import Run
from tests.hostile import PLAIN, spoiled

ENTRY = Entry(ref=7, slug="titanic", date="2026-01-02T00:00:00+00:00", message="m", file="submission.csv")


def run_in(folder: Path, run_id: str = "20260101T000000Z-aaaaaa") -> Run:
    """A run folder with a record of what is read again."""
    record = {
        "slug": "titanic",
        "run_id": run_id,
        "score": 0.8,
        "standard_error": 0.01,
        "metric": {"name": "accuracy"},
        "models": [{"name": "linear"}],
        "seed": [0],
        "checks": [],
        "submission": {"sha256": "ab", "sendable": True},
    }
    (folder / run_id).mkdir(parents=True)
    (folder / run_id / "run.json").write_text(json.dumps(record))
    return Run(path=folder / run_id, record=record)


def test_without_a_ledger_there_are_no_submissions(tmp_path: Path) -> None:
    assert read_ledger(tmp_path, "titanic") == []


def test_submissions_are_listed_newest_first(tmp_path: Path) -> None:
    later = replace(ENTRY, ref=8, date="2026-01-03T00:00:00+00:00")
    add_entries(tmp_path, "titanic", [ENTRY])
    add_entries(tmp_path, "titanic", [later])
    assert read_ledger(tmp_path, "titanic") == [later, ENTRY]


def test_what_kaggle_lists_later_keeps_the_run_of_the_entry(tmp_path: Path) -> None:
    ours = replace(ENTRY, sha256="ab", run_id="r", metric="accuracy", score=0.8)
    add_entries(tmp_path, "titanic", [ours])
    add_entries(tmp_path, "titanic", [replace(ENTRY, status="complete", public_score=0.7)])
    assert read_ledger(tmp_path, "titanic") == [replace(ours, status="complete", public_score=0.7)]


def test_checking_that_the_ledger_can_be_written_leaves_its_entries(tmp_path: Path) -> None:
    add_entries(tmp_path, "titanic", [ENTRY])
    check_ledger_writable(tmp_path, "titanic")
    assert read_ledger(tmp_path, "titanic") == [ENTRY]


def test_a_lock_that_another_process_holds_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_LOCK_SECONDS", 0.1)
    (tmp_path / "titanic").mkdir()
    with (
        filelock.FileLock(tmp_path / "titanic" / ".ledger.lock"),
        pytest.raises(
            OutputError, match=r"Another process is writing .*ledger\.json and has not finished within 0 seconds"
        ),
    ):
        check_ledger_writable(tmp_path, "titanic")
    check_ledger_writable(tmp_path, "titanic")


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with pytest.raises(OutputError, match=r"titanic is on a file system without locks\. Choose another --out DIR"):
        check_ledger_writable(tmp_path, "titanic")


@pytest.mark.parametrize("obstacle", [".", "titanic", "titanic/.ledger.lock", "titanic/ledger.json"])
def test_a_ledger_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path, obstacle: str) -> None:
    out = tmp_path / "out"
    path = out / obstacle
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if obstacle.count("/") else path.write_text("a file")
    with pytest.raises(OutputError, match=r"cannot be written: .*[cC]hoose another folder with --out DIR\.") as said:
        add_entries(out, "titanic", [ENTRY])
    assert "the same command" not in str(said.value)  # it would submit once more


def test_a_file_that_is_not_a_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "titanic" / "ledger.json"
    path.parent.mkdir()
    path.write_text("[1]")
    with pytest.raises(DataError, match=r"ledger\.json is not a ledger of submissions: .* Move it away, and try again"):
        add_entries(tmp_path, "titanic", [ENTRY])
    assert path.read_text() == "[1]"


@pytest.mark.parametrize("slug", ["..", "a/b", "/etc", ""])
def test_no_slug_leads_out_of_the_folder_of_runs(tmp_path: Path, slug: str) -> None:
    with pytest.raises(UsageError, match="cannot be a competition"):
        add_entries(tmp_path, slug, [ENTRY])


def test_the_note_in_a_runs_folder_names_its_submission(tmp_path: Path) -> None:
    run = run_in(tmp_path / "titanic")
    mark_submitted(run, ENTRY)
    assert submitted_runs(tmp_path, "titanic") == {7: run}


@pytest.mark.parametrize("note", ["", "[]", '{"ref": "7"}', "[" * 100_000, "{}", "\0"])
def test_a_note_that_is_broken_names_no_submission(tmp_path: Path, note: str) -> None:
    run = run_in(tmp_path / "titanic")
    (run.path / "submitted.json").write_text(note)
    assert submitted_runs(tmp_path, "titanic") == {}


def test_a_run_folder_that_cannot_be_written_gets_no_note(tmp_path: Path) -> None:
    run = run_in(tmp_path / "titanic")
    (run.path / "submitted.json").mkdir()
    mark_submitted(run, ENTRY)
    assert submitted_runs(tmp_path, "titanic") == {}


@PLAIN
@given(data=st.data())
def test_any_ledger_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(exist_ok=True)
    path = tmp_path / "x" / "ledger.json"
    entries = [asdict(ENTRY), asdict(replace(ENTRY, ref=8))]
    path.write_text(json.dumps(spoiled(entries, data.draw)))
    with contextlib.suppress(DataError):
        add_entries(tmp_path, "x", [replace(ENTRY, ref=9)])
        assert read_ledger(tmp_path, "x")
