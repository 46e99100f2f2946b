"""The round trip: download, run, submit, wait, ledger; through the command line, against a Kaggle on loopback."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given

from kpipe.errors import SubmissionError
from kpipe.kaggle import submit
from kpipe.runs import ledger
from tests.cli.calls import call
from tests.hostile import CSVS, PLAIN
from tests.kaggle.conftest import SAMPLE, Trained
from tests.kaggle_server import KEY, TOKEN, KaggleServer, Misbehave
from tests.tables import problem_of, survivors


@pytest.fixture
def kaggle(titanic_kaggle: KaggleServer) -> KaggleServer:
    return titanic_kaggle


def test_a_run_is_submitted_and_its_score_shown_beside_cross_validation(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "titanic", "--model", "linear", "--submit", "-m", "first") == 0
    told = capsys.readouterr()
    assert "Downloading from Kaggle: 100 % of" in told.err
    assert "Submitted submission.csv to titanic as 1000; 4 left today." in told.err
    assert "Expected on the leaderboard: 0." in told.out
    assert "Expected on the leaderboard: 0." in told.err.split("Submitted")[0]  # before it is sent
    assert "titanic, 1000: cross-validation 0." in told.err
    assert "public 0." in told.err
    (run,) = Path("submissions/titanic").glob("2*")
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["origin"] == "kaggle"
    assert kaggle.submissions[0]["content"] == (run / "submission.csv").read_bytes()
    assert kaggle.submissions[0]["description"] == "first"

    assert call("submissions", "titanic", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["run_id"] == record["run_id"]
    assert entry["score"] == record["score"]
    assert (entry["expected_low"], entry["expected_high"]) == (record["forecast"]["low"], record["forecast"]["high"])
    assert entry["status"] == "complete"
    assert 0 < entry["public_score"] <= 1
    assert call("submissions", "titanic") == 0
    shown = capsys.readouterr().out
    assert "Rank: 17." in shown
    assert Path("submissions/titanic/submissions.png").read_bytes().startswith(b"\x89PNG")


def test_a_public_score_outside_of_the_forecast_is_reported_when_it_comes_and_in_the_list(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.contests["titanic"].score = lambda _: (0.51, 0.52)
    assert call("run", "titanic", "--model", "linear", "--quiet", "--submit", "-m", "far") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "The public score 0.5100 of 1000 lies outside the expected interval" in told
    assert "look for: test rows that differ from train (`kpipe check titanic`" in told
    for word in ("a leak", "a run selected among many", "a metric other"):
        assert word in told
    assert call("submissions", "titanic") == 0
    assert "lies outside the expected interval" in " ".join(capsys.readouterr().out.split())


def test_selection_bias_is_reported_and_forecast_before_the_best_of_several_runs_is_sent(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        assert call("run", "titanic", "--model", "forest", "--seed", str(seed), "--quiet") == 0
    records = {path.parent: json.loads(path.read_text()) for path in Path("submissions/titanic").glob("2*/run.json")}
    best = max(records, key=lambda run: records[run]["score"])
    capsys.readouterr()
    assert call("submit", str(best), "--no-wait") == 0
    before, _, sent = capsys.readouterr().err.partition("Submitted")
    assert sent
    assert "Best of 3 comparable runs: this run with 0." in before
    assert " independent tr" in before
    assert "Expected on the leaderboard: 0." in before
    assert call("submissions", "titanic", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert call("runs", "titanic") == 0
    shown = capsys.readouterr().out
    assert "Expected on the leaderboard: 0." in shown.partition("Best of 3 comparable runs")[2]
    assert shown.rsplit("Expected on the leaderboard: ")[-1].strip() in before  # as before it was sent
    shifts = {round(entry[f"expected_{end}"] - records[best]["forecast"][end], 12) for end in ("low", "high")}
    assert len(shifts) == 1
    assert shifts.pop() < 0  # selection bias is taken off


def test_paths_and_links_in_a_downloaded_zip_write_nothing_outside_the_cache(
    kaggle: KaggleServer, trained: Trained, tmp_path: Path
) -> None:
    buffer = io.BytesIO(kaggle.contests["titanic"].zip)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("../../../evil.csv", "a,b\n1,2\n")
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    kaggle.contests["titanic"].zip = buffer.getvalue()
    assert call("run", "titanic", "--model", "linear", "--quiet") == 0
    assert not list(tmp_path.rglob("evil*"))
    assert not list(tmp_path.parent.glob("evil*"))
    assert not [path for path in Path(os.environ["KPIPE_CACHE"]).rglob("*") if path.is_symlink()]


def test_a_second_run_reads_the_download_without_a_call_to_kaggle(kaggle: KaggleServer, trained: Trained) -> None:
    assert call("run", "titanic", "--model", "linear", "--quiet") == 0
    asked = len(kaggle.requested)
    assert asked
    assert call("run", "titanic", "--model", "linear", "--seed", "1", "--quiet") == 0
    assert len(kaggle.requested) == asked


def test_the_ledger_is_shown_without_credentials(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("submit", str(trained())) == 0
    monkeypatch.delenv("KAGGLE_KEY")
    assert call("submissions", "titanic") == 0
    out = capsys.readouterr().out
    assert "These are the last known scores: updating them requires Kaggle credentials." in out
    assert "complete" in out


def test_a_csv_that_no_run_wrote_is_validated_before_it_is_submitted(
    kaggle: KaggleServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(next(SAMPLE.glob("*ubmission*.csv")))
    mine = tmp_path / "mine.csv"
    frame.head(3).to_csv(mine, index=False)
    assert call("submit", str(mine)) == 2
    assert "Say which competition it is for: --competition SLUG" in capsys.readouterr().err
    assert call("submit", str(mine), "--competition", "titanic") == 1
    assert "The submission must have" in capsys.readouterr().err
    assert kaggle.submissions == []
    frame.to_csv(mine, index=False)
    assert call("submit", str(mine), "--competition", "titanic", "-m", "by hand") == 0
    assert kaggle.submissions[0]["fileName"] == "mine.csv"


def test_a_csv_is_validated_against_the_files_that_data_names(
    kaggle: KaggleServer, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(next(SAMPLE.glob("*ubmission*.csv")))
    frame.to_csv(tmp_path / "mine.csv", index=False)
    kaggle.faults.append(Misbehave("DownloadDataFiles", 403, times=9))
    args = ["submit", str(tmp_path / "mine.csv"), "--competition", "titanic"]
    assert call(*args, "--data", str(SAMPLE)) == 0
    assert len(kaggle.submissions) == 1
    run = trained("--data", str(SAMPLE))
    assert call("submit", str(run), "--data", str(SAMPLE)) == 2
    assert "--data is for a CSV file that no run wrote" in capsys.readouterr().err


def test_missing_credentials_are_reported_before_a_csv_is_validated(
    kaggle: KaggleServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    (tmp_path / "mine.csv").write_text("nonsense")
    assert call("submit", str(tmp_path / "mine.csv"), "--competition", "titanic") == 2
    assert "There are no Kaggle credentials" in capsys.readouterr().err


def test_a_submission_that_kaggle_cannot_score_is_shown_with_the_reason_and_exit_status_1(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    kaggle.contests["titanic"].score = lambda _: "Evaluation Exception: Submission must have 418 rows"
    assert call("submit", str(run)) == 1
    assert "Kaggle could not score 1000: Evaluation Exception: Submission must have 418 rows" in capsys.readouterr().err


def test_the_score_of_a_pending_submission_is_found_later(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained()
    kaggle.contests["titanic"].pending_polls = 10**6
    forever = submit.wait_for_score
    monkeypatch.setattr(submit, "wait_for_score", lambda *args, **options: forever(*args, **options, seconds=0.2))
    assert call("submit", str(run)) == 1
    assert "The submission was made: `kpipe submissions titanic`" in capsys.readouterr().err  # and drops the rest
    kaggle.submissions[0]["polls"] = 0
    assert call("submissions", "titanic", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "complete"


@pytest.mark.slow
def test_after_ctrl_c_while_waiting_the_score_is_found_later(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    kaggle.contests["titanic"].pending_polls = 10**6
    command = [sys.executable, "-m", "kpipe", "submit", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Waiting for the score" in line:
            process.send_signal(signal.SIGINT)
            break
    told = "".join(lines) + process.stderr.read()
    assert process.wait(timeout=30) == 130
    process.stderr.close()
    capsys.readouterr()
    assert "The submission was made. To see its score: kpipe submissions titanic" in told
    assert "Traceback" not in told
    kaggle.submissions[0]["polls"] = 0
    assert call("submissions", "titanic", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["run_id"] == run.name


def test_a_lost_response_costs_one_submission_and_not_two(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    kaggle.faults.append(Misbehave("CreateSubmission", "drop_after"))
    assert call("submit", str(run)) == 0
    assert len(kaggle.submissions) == 1
    assert "as 1000; 4 left today" in capsys.readouterr().err


def test_nothing_is_submitted_where_the_ledger_cannot_be_written(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    Path("submissions/titanic/ledger.json").mkdir()
    assert call("submit", str(run)) == 1
    said = capsys.readouterr().err
    assert "submissions/titanic/ledger.json cannot be written: " in said
    assert "Traceback" not in said
    assert kaggle.submissions == []


def test_nothing_is_submitted_where_the_ledgers_folder_cannot_be_made(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    Path("elsewhere").write_text("a file")
    assert call("submit", str(run), "--out", "elsewhere") == 1
    assert "elsewhere/titanic cannot be written: " in capsys.readouterr().err
    assert kaggle.submissions == []


def test_nothing_is_submitted_while_another_process_holds_the_ledger(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained()
    monkeypatch.setattr(ledger, "_LOCK_SECONDS", 0.1)
    with FileLock("submissions/titanic/.ledger.lock"):
        assert call("submit", str(run)) == 1
    assert "Another process is writing submissions/titanic/ledger.json" in capsys.readouterr().err
    assert kaggle.submissions == []
    assert call("submit", str(run)) == 0


def test_a_submission_that_the_ledger_misses_is_named_and_added_later_with_its_run(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = trained(), Path("submissions/titanic/ledger.json")

    def obstruct() -> None:
        path.unlink()
        path.mkdir()

    kaggle.contests["titanic"].on_accept = obstruct
    assert call("submit", str(run)) == 1
    said = capsys.readouterr().err
    assert "Kaggle accepted submission.csv as submission 1000, but " in said
    assert "submissions/titanic/ledger.json cannot be written: " in said
    assert "Do not submit it again: `kpipe submissions titanic` adds it to the ledger" in said
    assert "Traceback" not in said

    path.rmdir()
    assert call("submissions", "titanic", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["ref"], entry["run_id"]) == (1000, run.name)
    assert entry["score"] == json.loads((run / "run.json").read_text())["score"]
    assert call("submit", str(run)) == 1
    assert "The same file was submitted before, as 1000" in capsys.readouterr().err
    assert len(kaggle.submissions) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["submit", "nothing"], "There is no run 'nothing' in submissions. The folder has no finished runs"),
        (["submit", "no.csv", "--competition", "titanic"], "There is no file no.csv"),
        (["submit", "no.csv"], "There is no file no.csv"),
        (["run", "no-such-competition"], "Kaggle has no competition 'no-such-competition'"),
    ],
)
def test_what_does_not_exist_is_named(kaggle, args, words, capsys) -> None:
    assert call(*args) in (1, 2)
    assert words in capsys.readouterr().err


def test_submitting_without_credentials_is_refused_before_training(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert call("run", "titanic", "--submit") == 2
    told = capsys.readouterr().err
    assert "There are no Kaggle credentials" in told
    assert "Found but unusable: the variable KAGGLE_USERNAME: it has no key." in told
    assert not Path("submissions").exists()


def test_rules_that_are_not_accepted_are_named_with_their_page_and_the_sample_as_an_alternative(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.contests["titanic"].rules_accepted = False
    assert call("run", "titanic") == 1
    told = capsys.readouterr().err
    assert "Accept them on https://www.kaggle.com/competitions/titanic/rules" in told
    assert "To train on the embedded sample: --data sample." in told


def test_no_credential_and_no_signature_is_in_any_file_or_output(
    kaggle: KaggleServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    monkeypatch.setenv("VERBOSE", "1")
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    assert call("run", "titanic", "--model", "linear", "--submit") == 0
    assert call("submissions", "titanic") == 0
    told = "".join(capfd.readouterr())
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    cached = b"".join(path.read_bytes() for path in Path(os.environ["KPIPE_CACHE"]).rglob("*") if path.is_file())
    for secret in (KEY, TOKEN, "secret-signature"):
        assert secret not in told
        assert secret.encode() not in written + cached


@PLAIN
@given(content=CSVS)
def test_any_csv_that_no_run_wrote_is_validated_or_refused(content: bytes, tmp_path: Path) -> None:
    problem = problem_of(survivors(m=3))
    (tmp_path / "theirs.csv").write_bytes(content)
    with pytest.raises(SubmissionError):
        submit.validate_file(tmp_path / "theirs.csv", problem)
