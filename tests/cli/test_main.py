"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.cli.main import COMMANDS, main

FAST = ["--model", "linear"]


def call(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_has_help_that_says_what_it_does(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*command, "--help") == 0
    out = capsys.readouterr().out
    assert "usage: kpipe" in out
    assert len(out.splitlines()) > 4


def test_json_prints_exactly_run_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanic", *FAST, "--json", "--out", tmp_path) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert captured.out == (tmp_path / "titanic" / record["run_id"] / "run.json").read_text()
    assert "SAMPLE DATA" in captured.err


def test_run_json_keeps_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("run", "titanic", *FAST, "--seed", 3, "--seed", 4, "--seed", 3, "--folds", 3, "--json", "--out", tmp_path)
    record = json.loads(capsys.readouterr().out)
    wanted = """schema run_id slug created status data metric inferred score standard_error baseline models checks
        submission seconds peak_memory_mib seed device versions command"""
    assert set(wanted.split()) <= set(record)
    assert record["schema"] == 1
    assert record["status"] == "complete"
    assert record["data"]["rows"] == {"train": 300, "test": 120}
    assert record["seed"] == [3, 4]
    assert record["metric"] == {"name": "accuracy", "greater_is_better": True}
    assert len(record["models"][0]["fold_scores"]) == 3
    told = {"name", "score", "standard_error", "fold_scores", "weight", "seeds", "fits", "seconds"}
    assert set(record["models"][0]) == told
    assert record["models"][0]["fits"] == {"3": [0, 1, 2], "4": [0, 1, 2]}
    assert all(check["status"] in ("pass", "warn", "fail") and check["detail"] for check in record["checks"])
    files = {path.name for path in (tmp_path / "titanic" / record["run_id"]).iterdir()}
    assert {"run.json", "submission.csv", "oof.parquet", "test.parquet", "folds.parquet", "log.txt", "parts"} <= files


def test_quiet_prints_only_the_path_of_the_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanic", *FAST, "--quiet", "--out", tmp_path) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert Path(captured.out.strip()).read_text().startswith("PassengerId,Survived\n")


def test_a_run_closes_with_scores_errors_baseline_and_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanic", *FAST, "--out", tmp_path) == 0
    captured = capsys.readouterr()
    assert re.search(r"linear +0\.\d{4} ± 0\.\d{4}", captured.out)
    assert "baseline: majority class" in captured.out
    assert "submission.csv" in captured.out
    assert "[5/5] linear, fold" in captured.err


def test_the_same_call_again_makes_another_run_beside_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        assert call("run", "titanic", *FAST, "--quiet", "--out", tmp_path) == 0
    assert len(list((tmp_path / "titanic").iterdir())) == 2


def test_list_prints_every_competition_that_has_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list") == 0
    assert capsys.readouterr().out.split() == competitions.slugs()


@pytest.mark.parametrize("slug", competitions.slugs())
def test_show_says_what_a_run_would_do_and_why(slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", slug) == 0
    out = capsys.readouterr().out
    for word in ("target", "metric", "splitter", "models", "SAMPLE DATA"):
        assert word in out
    assert call("show", slug, "--json") == 0
    assert json.loads(capsys.readouterr().out)["slug"] == slug


def test_an_unknown_slug_without_data_says_what_there_is_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanik") == 2
    err = capsys.readouterr().err
    assert "Did you mean titanic?" in err
    assert "--data" in err
    for slug in competitions.slugs():
        assert slug in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "../titanic"], "cannot be a competition"),
        (["run", "titanic", "--model", "liner"], "Did you mean linear?"),
        (["run", "titanic", "--metric", "acuracy"], "Did you mean accuracy?"),
        (["run", "titanic", "--budget", "soon"], "--budget: must be a time such as 90s, 5m or 1h"),
        (["run", "titanic", "--device", "tpu"], "--device must be one of"),
        (["run", "titanic", "--folds", "1"], "--folds"),
        (["run", "titanic", "--target", "Survivd"], "lacks the target 'Survivd'"),
        (["run"], "Which competition? kpipe run SLUG"),
        (["fly"], "invalid choice: 'fly'"),
        (["run", "titanic", "--jobs", "0"], "--jobs: must be a whole number of at least 1"),
        (["run", "titanic", "--json", "--quiet"], "not allowed with"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_is_wrong(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*args) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_promptly_says_where_the_partial_run_is_and_the_same_command_goes_on(tmp_path: Path) -> None:
    slow = tmp_path / "competitions" / "slow"
    folder = competitions.folder("titanic")
    assert folder is not None
    shutil.copytree(folder / "sample", slow / "sample")
    (slow / "competition.py").write_text(SLOW)
    environment = os.environ | {"KPIPE_COMPETITIONS": str(slow.parent)}
    command = [sys.executable, "-m", "kpipe", "run", "slow", "--jobs", "2", "--out", str(tmp_path / "out")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert running.stderr is not None
    lines = []
    for line in running.stderr:
        lines.append(line)
        if line.startswith("[2/"):
            break
    os.killpg(running.pid, signal.SIGINT)
    asked = time.monotonic()
    rest = running.communicate(timeout=30)[1]
    assert time.monotonic() - asked < 5
    assert running.returncode == 130
    assert "Traceback" not in rest
    (partial,) = (tmp_path / "out" / "slow").iterdir()
    assert f"What was finished is kept in {partial}; the same command goes on from there." in rest.replace("\n", " ")
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert again.returncode == 1  # its models look at nothing, and the check against the baseline says so
    assert again.stderr.count("kept from before") >= 2
    assert "submission.csv" in again.stdout


SLOW = """
import time
from kpipe import Competition
from sklearn.dummy import DummyClassifier


class Slow(DummyClassifier):
    def fit(self, X, y):
        time.sleep(0.5 if len(X) else 0)
        return super().fit(X, y)


def slow(context):
    return Slow()


competition = Competition(slug="slow", target="Survived", models={"slow": slow, "slower": slow})
"""


def test_output_that_cannot_be_written_is_said_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert call("run", "titanic", *FAST, "--out", tmp_path / "file") == 1
    captured = capsys.readouterr()
    assert "cannot be written" in captured.err
    assert "--out DIR" in captured.err
    assert "[1/" not in captured.err


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are Unix's")
def test_a_full_disk_leaves_no_run_and_keeps_what_was_trained(tmp_path: Path) -> None:
    # A limit on the size of files fails as a full disk does: in the middle of a write.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from kpipe.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))\n"
        "main(sys.argv[1:])"
    )
    args = ["run", "titanic", *FAST, "--jobs", "1", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("run.json"))
    assert all(path.name.startswith(".partial-") for path in (tmp_path / "titanic").iterdir())


def test_an_option_that_was_meant_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "titanic", "--models", "linear"])
    assert ended.value.code == 2
    assert "kpipe run: error: unrecognized arguments: --models linear. Did you mean --model?" in capsys.readouterr().err


def test_without_a_command_the_commands_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "kpipe run titanic" in told.err
