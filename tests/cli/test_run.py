"""``kpipe run``: what it prints where, and how it ends."""

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
from kpipe.training import cross_validation
from tests.cli.calls import call

FAST = ["--model", "linear"]


def test_json_prints_exactly_run_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanic", *FAST, "--json", "--out", tmp_path) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert captured.out == (tmp_path / "titanic" / record["run_id"] / "run.json").read_text()
    assert "SAMPLE DATA" in captured.err


def test_run_json_has_every_key_of_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    keys = {"name", "score", "standard_error", "fold_scores", "weight", "seeds", "fits", "seconds"}
    assert set(record["models"][0]) == keys
    assert record["models"][0]["fits"] == {"3": [0, 1, 2], "4": [0, 1, 2]}
    assert all(check["status"] in ("pass", "warn", "fail") and check["detail"] for check in record["checks"])
    files = {path.name for path in (tmp_path / "titanic" / record["run_id"]).iterdir()}
    assert {
        "run.json",
        "submission.csv",
        "oof.parquet",
        "test.parquet",
        "folds.parquet",
        "log.txt",
    } <= files


def test_quiet_prints_only_the_path_of_the_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanic", *FAST, "--quiet", "--data", "sample", "--out", tmp_path) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert Path(captured.out.strip()).read_text().startswith("PassengerId,Survived\n")


def test_sample_data_that_nobody_asked_for_and_a_name_given_twice_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "titanic", *FAST, "--quiet", "--name", "mine", "--out", tmp_path) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("Trained on sample data, not on Kaggle's")
    first = Path(captured.out.strip()).parent.name
    assert call("run", "titanic", *FAST, "--name", "mine", "--out", tmp_path) == 0
    assert f"Note: 'mine' is already the name of {first}." in capsys.readouterr().err
    assert call("compare", "last", "titanic/last", "--out", tmp_path) == 0
    captured = capsys.readouterr()
    assert "Note: last and titanic/last are the same run, " in captured.err
    assert "no significant difference" in captured.out


def test_a_run_prints_scores_errors_baseline_and_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanic", *FAST, "--out", tmp_path) == 0
    captured = capsys.readouterr()
    assert re.search(r"linear +0\.\d{4} ± 0\.\d{4}", captured.out)
    assert "baseline: majority class" in captured.out
    assert "submission.csv" in captured.out
    assert "[5/5] linear, fold" in captured.err


def test_the_same_command_makes_another_run_beside_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        assert call("run", "titanic", *FAST, "--quiet", "--out", tmp_path) == 0
    assert len(list((tmp_path / "titanic").iterdir())) == 2


def test_an_unknown_slug_without_data_names_known_ones_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanik") == 2
    err = capsys.readouterr().err
    assert "Did you mean titanic?" in err
    assert "--data" in err
    for slug in competitions.slugs()[:5]:
        assert slug in err


def test_ctrl_c_ends_promptly_names_the_unfinished_run_and_the_same_command_resumes_it(tmp_path: Path) -> None:
    slow = tmp_path / "competitions" / "slow"
    folder = competitions.folder("titanic")
    assert folder is not None
    shutil.copytree(folder / "sample", slow / "sample")
    (slow / "competition.py").write_text(SLOW)
    environment = os.environ | {"KPIPE_COMPETITIONS": str(slow.parent)}
    command = [sys.executable, "-m", "kpipe", "run", "slow", "--folds", "3", "--jobs", "2", "--out"]
    command.append(str(tmp_path / "out"))
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert running.stderr is not None
    lines = []
    for line in running.stderr:
        lines.append(line)
        if line.startswith("[2/"):
            break
    os.killpg(running.pid, signal.SIGINT)
    interrupted = time.monotonic()
    rest = running.communicate(timeout=30)[1]
    assert time.monotonic() - interrupted < 15  # 0.5 s on an idle core
    assert running.returncode == 130
    assert "Traceback" not in rest
    (partial,) = (tmp_path / "out" / "slow").iterdir()
    assert f"Finished fits are kept in {partial}. Run the same command again to resume." in rest.replace("\n", " ")
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert again.returncode == 1  # its models ignore the columns, so the check against the baseline fails
    assert again.stderr.count("already finished") >= 2
    assert "submission.csv" in again.stdout


SLOW = """
import time
from kpipe import Competition
from sklearn.dummy import DummyClassifier


class Slow(DummyClassifier):
    def fit(self, X, y):
        time.sleep(0.4 if len(X) else 0)
        return super().fit(X, y)


def slow(context):
    return Slow()


competition = Competition(slug="slow", target="Survived", models={"slow": slow, "slower": slow})
"""


def test_a_folder_that_cannot_be_written_is_an_error_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert call("run", "titanic", *FAST, "--out", tmp_path / "file") == 1
    captured = capsys.readouterr()
    assert captured.err == (
        f"Error: {tmp_path}/file/titanic cannot be written: {tmp_path}/file is a file, not a folder. Move it away or "
        "choose another folder with --out DIR.\n"  # before the files are read, and with no word about kept fits
    )


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are Unix's")
def test_a_full_disk_leaves_no_run_and_keeps_the_finished_fits(tmp_path: Path) -> None:
    # A limit on the size of files fails like a full disk: in the middle of a write.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from kpipe.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))\n"
        "main(sys.argv[1:])"
    )
    args = ["run", "titanic", *FAST, "--jobs", "1", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be written: File too large. Files may not become that large here (see ulimit -f)" in done.stderr
    assert ("Finished fits are kept" in done.stderr) == any(tmp_path.rglob("*.npz"))
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("run.json"))
    assert all(path.name.startswith(".partial-") for path in tmp_path.glob("titanic/*"))


def test_a_budget_that_is_too_short_ends_with_a_model_of_a_sample_of_the_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "titanic", "--budget", "0.1s", "--out", tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "linear was skipped: it would not finish within the budget of 0.1 s: no time was left for it." in out
    assert "Only quick-linear was trained, on at most 2,000 rows of a fold: a longer --budget trains the others." in out
    (path,) = tmp_path.rglob("run.json")
    assert [model["name"] for model in json.loads(path.read_text())["models"]] == ["quick-linear"]
    assert len((path.parent / "submission.csv").read_text().splitlines()) == 121
    assert call("reproduce", path.parent, "--out", tmp_path) == 0


def test_where_even_that_takes_too_long_the_submission_is_a_constant_which_is_reported_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_validation, "_QUICK_CELLS", 0)
    assert call("run", "titanic", "--budget", "0.1s", "--out", tmp_path) == 1
    out = " ".join(capsys.readouterr().out.split())
    short = "0.1 s is too short for any of the 4 models: reading and preparing the tables took the time."
    assert f"NO MODEL WAS TRAINED: {short}" in out
    assert "linear was skipped: it would not finish within the budget of 0.1 s: no time was left for it." in out
    (path,) = tmp_path.rglob("run.json")
    record = json.loads(path.read_text())
    assert record["fallback"].startswith(short)
    assert [model["name"] for model in record["models"]] == ["constant"]
    assert len((path.parent / "submission.csv").read_text().splitlines()) == 121
    assert call("reproduce", path.parent, "--out", tmp_path) == 0
