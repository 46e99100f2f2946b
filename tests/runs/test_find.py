from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kpipe.errors import UsageError
from kpipe.runs.find import find_run, run_of_file
from kpipe.runs.loaded import load_run, other_runs
from kpipe.runs.run import Run
from tests.cli.calls import call

FINISHED, KILLED = "20260101T000000Z-aaaaaa", ".partial-0123456789ab"


def record(run_id: str) -> dict[str, object]:
    return {
        "slug": "made-by-hand",
        "run_id": run_id,
        "created": "2026-01-01T00:00:00+00:00",
        "score": 0.5,
        "standard_error": 0.1,
        "metric": {"name": "accuracy", "greater_is_better": True},
        "models": [{"name": "linear"}],
        "seed": [0],
        "checks": [],
        "submission": {"sha256": "0" * 64, "sendable": True},
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A finished run, and one that was killed after ``run.json`` was written and before its folder was renamed."""
    for name, run_id in ((FINISHED, FINISHED), (KILLED, "20260202T000000Z-012345")):
        folder = tmp_path / "made-by-hand" / name
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "linear-seed0-fold0.npz").write_bytes(b"x")
        (folder / "run.json").write_text(json.dumps(record(run_id)))
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    assert call(*args) == 0
    return capsys.readouterr().out


def test_the_command_runs_lists_no_unfinished_run(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(printed(capsys, "runs", "--out", out, "--json"))
    assert [run["run_id"] for run in listed] == [FINISHED]


@pytest.mark.parametrize("slug", [(), ("made-by-hand",)])
def test_a_run_whose_record_names_no_data_is_listed(
    out: Path, slug: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert FINISHED in printed(capsys, "runs", *slug, "--out", out)


def test_a_report_shows_no_unfinished_run_among_the_others(out: Path) -> None:
    assert other_runs(load_run(find_run(FINISHED, out))) == []


def test_clean_lists_an_unfinished_run_once_and_never_as_a_finished_one(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, "clean", "--keep", 0, "--out", out)
    assert shown.count(KILLED) == 1
    assert "unfinished" in shown
    assert FINISHED not in shown  # the latest


def test_an_unfinished_run_is_refused_with_the_command_that_finishes_it(out: Path) -> None:
    folder = out / "made-by-hand" / KILLED
    with pytest.raises(UsageError, match=r"is an unfinished run: resume it with kpipe run --resume .*0123456789ab"):
        find_run(str(folder), out)
    for name in ("20260202T000000Z-012345", "012345", "9ab"):
        with pytest.raises(UsageError, match="There is no run"):
            find_run(name, out)
    (folder / "submission.csv").write_text("id,y\n")
    assert run_of_file(folder / "submission.csv") is None


def test_runs_are_listed_sorted_and_filtered(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("runs", "made-by-hand", "--out", home / "out", "--sort", "score", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    ours = {run.record["run_id"] for run in both}  # other tests of this package add runs, with other metrics
    assert [one["score"] for one in listed if one["run_id"] in ours] == sorted(run.score for run in both)
    assert call("runs", "--out", home / "out", "--model", "forest") == 0
    shown = capsys.readouterr().out
    assert both[1].record["run_id"] in shown
    assert both[0].record["run_id"] not in shown
    assert "made-by-hand: accuracy" in shown


def test_a_broken_run_is_skipped_with_a_message(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = home / "out" / "made-by-hand" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    try:
        assert call("runs", "--out", home / "out") == 0
        captured = capsys.readouterr()
        assert both[0].record["run_id"] in captured.out
        assert "Skipped: " in captured.err
        assert "broken/run.json" in captured.err
    finally:
        shutil.rmtree(broken)


def test_an_empty_list_names_the_competition(
    both: tuple[Run, Run], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slug = both[0].record["slug"]
    assert call("runs", f"{slug[:-1]}q", "--out", home / "out") == 0
    assert f"No finished runs of {slug[:-1]}q found in {home / 'out'}. Did you mean {slug}?" in capsys.readouterr().out
    assert call("runs", "qqqq", "--out", home / "out") == 0
    assert f"No finished runs of qqqq found in {home / 'out'}. To make one: kpipe run qqqq" in capsys.readouterr().out


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder of two runs."""
    for run_id in ("20261121T140059Z-6b7004", "20261121T140103Z-a13660"):
        (tmp_path / "made-by-hand" / run_id).mkdir(parents=True)
        (tmp_path / "made-by-hand" / run_id / "run.json").write_text(json.dumps(record(run_id)))
    return tmp_path


@pytest.mark.parametrize("part", [slice(None), slice(0, 14), slice(-6, None), slice(-4, None)])
def test_a_run_is_found_by_its_id_or_a_beginning_or_end_that_no_other_run_shares(two: Path, part: slice) -> None:
    run = find_run("20261121T140059Z-6b7004"[part], two)
    assert run.path.name == run.record["run_id"] == "20261121T140059Z-6b7004"


def test_a_part_of_an_id_that_several_runs_share_is_an_error_that_names_them(two: Path) -> None:
    with pytest.raises(UsageError, match=r"'20261121' matches 2 runs: give more of the id, .*6b7004, .*a13660"):
        find_run("20261121", two)


@pytest.mark.parametrize("name", ["004", "1T140059Z", "6b7004-", "6B7004"])
def test_a_run_is_not_found_by_the_middle_of_its_id_or_by_fewer_than_four_characters(two: Path, name: str) -> None:
    with pytest.raises(UsageError, match="There is no run"):
        find_run(name, two)


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Runs of two competitions, some of which have a name."""
    made: list[tuple[str, str, dict[str, object]]] = [
        ("made-by-hand", "20261121T140059Z-6b7004", {"score": 0.7, "name": "titles"}),
        ("made-by-hand", "20261121T140103Z-a13660", {"score": 0.9, "name": "forest"}),
        ("made-by-hand", "20261121T140100Z-e13660", {"score": 0.1, "name": "2026"}),
        ("made-by-hand", "20261121T140104Z-b13660", {"score": 0.8, "name": "titles"}),
        ("other", "20261121T140105Z-c13660", {"score": 0.1, "slug": "other"}),
    ]
    failed: dict[str, object] = {"checks": [{"name": "leak", "status": "fail", "detail": ""}], "score": 1.0}
    for slug, run_id, values in [*made, ("made-by-hand", "20261121T140102Z-d13660", failed)]:
        (tmp_path / slug / run_id).mkdir(parents=True)
        content = {**record(run_id), "created": f"2026-11-21T14:01:{run_id[13:15]}+00:00", **values}
        (tmp_path / slug / run_id / "run.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("forest", "a13660"),
        ("made-by-hand/forest", "a13660"),
        ("2026", "e13660"),  # also how the ids of all begin
        ("last", "6b7004"),
        ("made-by-hand/best", "a13660"),
        ("other/last", "c13660"),
        ("other/best", "c13660"),
    ],
)
def test_a_run_is_found_by_its_name_and_by_the_words_last_and_best(named: Path, name: str, end: str) -> None:
    assert find_run(name, named).path.name.endswith(end)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("titles", "'titles' matches 2 runs: give more of the id, or a folder such as"),
        ("best", "There are runs of 2 competitions .*: choose one, as in made-by-hand/best"),
        ("florest", "There is no run 'florest' in .* Did you mean forest. The latest runs: .*6b7004 .titles., "),
        ("other/forest", "There is no run 'other/forest'"),
        ("none-such/best", "There is no finished run of none-such"),
    ],
)
def test_a_name_of_no_run_or_of_several_is_an_error_that_helps(named: Path, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        find_run(name, named)


def test_a_run_that_failed_a_check_is_the_best_only_where_all_did(named: Path) -> None:
    for path in named.glob("made-by-hand/*[04]/run.json"):
        content = json.loads(path.read_text())
        content["checks"] = [{"name": "leak", "status": "fail", "detail": ""}]
        path.write_text(json.dumps(content))
    assert find_run("made-by-hand/best", named).record["score"] == 1.0


def test_runs_on_other_files_have_a_table_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, path in enumerate(("titanic.zip", "holdout/data", "titanic.zip")):
        run_id = f"2026112{number}T140059Z-6b7004"
        written = record(run_id)
        written["data"] = {"path": path, "files": {"train.csv": path}}
        (tmp_path / "made-by-hand" / run_id).mkdir(parents=True)
        (tmp_path / "made-by-hand" / run_id / "run.json").write_text(json.dumps(written))
    assert call("runs", "--out", tmp_path) == 0
    kaggles, _, held_out = capsys.readouterr().out.partition("(holdout/data)")
    assert "(titanic.zip)" in kaggles
    assert all(f"2026112{number}T140059Z-6b7004" in kaggles for number in (0, 2))
    assert "20261121T140059Z-6b7004" in held_out
    assert "kpipe runs SLUG" in held_out
