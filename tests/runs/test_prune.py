"""Prune runs, by function and by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.kaggle import submit
from kpipe.runs import prune
from kpipe.runs.listing import summarize
from kpipe.runs.run import Run
from kpipe.runs.store import open_run_folder
from tests.cli.calls import call
from tests.runs.helpers import copy_run


def copied(run: Run, home: Path, number: int, **changes: object) -> Run:
    """A copy of a run; the greater its number, the later it was created."""
    folder = home / f"20260101T00000{number}Z-aaaaaa"
    return copy_run(run, folder, created=f"2026-01-01T00:00:0{number}+00:00", **changes)


def test_clean_lists_what_it_would_delete_and_keeps_the_best_the_latest_and_submitted_runs(
    tmp_path: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "out" / "made-by-hand"
    for number in range(5):
        copied(both[0], home, number, score=0.9 - number / 10)
    sent = {
        "ref": 1,
        "slug": "made-by-hand",
        "date": "",
        "message": "",
        "file": "",
        "run_id": "20260101T000002Z-aaaaaa",
    }
    (home / "ledger.json").write_text(json.dumps([sent]))
    (home / ".partial-0123456789ab" / "checkpoints").mkdir(parents=True)
    (home / ".partial-0123456789ab" / "checkpoints" / "linear-seed0-fold0.npz").write_bytes(b"x")

    assert call("clean", "--keep", 1, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "Nothing was deleted: to delete, add --yes." in shown
    assert len([*home.glob("2026*")]) == 5
    assert call("clean", "--keep", 1, "--out", tmp_path / "out", "--yes") == 0
    left = sorted(path.name[14:16] for path in home.glob("2026*"))
    assert left == ["0Z", "2Z", "4Z"]  # the best, the submitted one, the latest
    assert not (home / ".partial-0123456789ab").exists()


def test_json_lists_what_can_be_deleted_and_what_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".fits").mkdir()
    (tmp_path / ".fits" / "one").write_bytes(b"1234")
    for flags, deleted in ((), False), (("--yes",), True):
        assert call("clean", "--out", tmp_path, "--json", *flags) == 0
        (folder,) = json.loads(capsys.readouterr().out)
        assert folder == {**folder, "path": str(tmp_path / ".fits"), "bytes": 4, "deleted": deleted}
        assert (tmp_path / ".fits").exists() != deleted


def test_a_submitted_run_is_never_removable_wherever_its_ledger_is(both: tuple[Run, Run], tmp_path: Path) -> None:
    class Calls:
        def submit(self, slug: str, file: Path, message: str, *, on_send: object) -> int:
            return 7

    class Sends:
        competitions = Calls()

    out = tmp_path / "runs"
    runs = [copied(both[0], out / "made-by-hand", number) for number in range(3)]
    file, elsewhere = runs[0].path / "submission.csv", tmp_path / "submissions"
    submit.submit_file(Sends(), "made-by-hand", file, runs[0], message="", out=elsewhere)  # type: ignore[arg-type]
    assert [one.path.name for one in prune.find_removable(out, keep=0)] == [runs[1].path.name]
    assert [one["submitted"] for one in summarize(runs, out)[0]] == [True, False, False]


def test_a_run_is_listed_with_the_score_of_its_latest_submission_that_has_one(
    both: tuple[Run, Run], tmp_path: Path
) -> None:
    run = copied(both[0], tmp_path / "made-by-hand", 1)
    sent = {"slug": "made-by-hand", "message": "", "file": "", "run_id": run.path.name}
    dates = {1: 0.7, 2: 0.8, 3: None}
    entries = [{"ref": ref, "date": f"2026-01-0{ref}", "public_score": score, **sent} for ref, score in dates.items()]
    (tmp_path / "made-by-hand" / "ledger.json").write_text(json.dumps(entries[::-1]))
    (listed,), errors = summarize([run], tmp_path)
    assert (listed["public_score"], listed["submitted"], errors) == (0.8, True, [])


def test_the_best_runs_of_each_metric_and_target_are_kept(both: tuple[Run, Run], tmp_path: Path) -> None:
    loss = {"metric": {"name": "log_loss", "greater_is_better": False}}
    given = [(0.685, {}), (0.68, {}), (0.231, loss), (0.3, loss), (0.1, {"target": "other"}), (0.05, {})]
    for number, (score, more) in enumerate(given):
        copied(both[0], tmp_path / "made-by-hand", number, score=score, **more)
    assert [one.path.name[14] for one in prune.find_removable(tmp_path, keep=1)] == ["1", "3"]


def test_the_best_runs_on_each_set_of_files_are_kept(both: tuple[Run, Run], tmp_path: Path) -> None:
    held_out = {"data": {**both[0].record["data"], "files": {"train.csv": "0" * 64}}}
    for number, (score, more) in enumerate([(0.68, {}), (0.9, held_out), (0.685, {}), (0.1, held_out)]):
        copied(both[0], tmp_path / "made-by-hand", number, score=score, **more)
    assert [one.path.name[14] for one in prune.find_removable(tmp_path, keep=1)] == ["0"]


def test_the_best_runs_with_each_vault_and_without_one_are_kept(both: tuple[Run, Run], tmp_path: Path) -> None:
    vault = {"vault": {"sha256": "0" * 64}}
    for number, (score, more) in enumerate([(0.68, {}), (0.9, vault), (0.685, {}), (0.1, vault)]):
        copied(both[0], tmp_path / "made-by-hand", number, score=score, **more)
    assert [one.path.name[14] for one in prune.find_removable(tmp_path, keep=1)] == ["0"]


def test_a_run_that_was_resumed_after_it_was_listed_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = tmp_path / "x" / ".partial-0123456789ab" / "checkpoints"
    parts.mkdir(parents=True)
    (parts / "linear-seed0-fold0.npz").write_bytes(b"x")
    listed = prune.find_removable(tmp_path)
    assert len(listed) == 1
    monkeypatch.setattr(prune, "find_removable", lambda *args, **options: listed)
    with open_run_folder(tmp_path, "x", "0123456789ab"):
        assert call("clean", "--out", tmp_path, "--yes") == 0
        assert (parts / "linear-seed0-fold0.npz").exists()
        assert "it was resumed in the meantime" in capsys.readouterr().err
    assert call("clean", "--out", tmp_path, "--yes") == 0
    assert not parts.parent.exists()
    assert not parts.parent.with_suffix(".lock").exists()


def test_clean_and_runs_never_leave_the_output_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = tmp_path / "elsewhere" / "bb" / ".partial-0123456789ab" / "checkpoints"
    parts.mkdir(parents=True)
    (parts / "linear-seed0-fold0.npz").write_bytes(b"x")
    (tmp_path / "out" / "bb").mkdir(parents=True)
    (tmp_path / "out" / "bb" / ".partial-abcdefabcdef").symlink_to(parts.parent)
    for command in ("clean", "runs"):
        assert call(command, "../elsewhere/bb", "--out", tmp_path / "out") == 2
        assert "'../elsewhere/bb' cannot be a competition" in capsys.readouterr().err
    assert call("clean", "--out", tmp_path / "out") == 0
    assert "Nothing to delete" in capsys.readouterr().out
