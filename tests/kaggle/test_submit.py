"""The round trip: download, run, submit, wait, ledger; through the command line, against a Kaggle on loopback."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from kpipe import competitions
from kpipe.cli.main import main
from kpipe.kaggle import session, submit
from kpipe.runs import ledger
from tests.kaggle_server import KEY, TOKEN, USER, Contest, KaggleServer, Misbehave, accuracy, serving

SAMPLE = competitions.folder("titanic") / "sample"  # stands for Kaggle's files: what matters here is the way


def zipped_sample() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(SAMPLE.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """A Kaggle with titanic, a user who is known there, and an empty folder to work in."""
    test = pd.read_csv(SAMPLE / "test.csv")
    truth = pd.DataFrame({"PassengerId": test["PassengerId"], "Survived": (test["Sex"] == "female").astype(int)})
    contest = Contest(zip=zipped_sample(), score=accuracy(truth, "PassengerId", "Survived"))
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(submit, "_FIRST_PAUSE", 0.05)
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with serving(KaggleServer(contests={"titanic": contest})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server


def kpipe(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    return int(ended.value.code or 0)


def trained(*more: str) -> Path:
    assert kpipe("run", "titanic", "--model", "linear", "--quiet", *more) == 0
    (run,) = Path("submissions/titanic").glob("2*")
    return run


def test_from_an_empty_folder_to_a_score_beside_cross_validation(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kpipe("run", "titanic", "--model", "linear", "--submit", "-m", "first") == 0
    told = capsys.readouterr()
    assert "Downloading from Kaggle: 100 % of" in told.err
    assert "Submitted submission.csv to titanic as 1000; 4 left today." in told.err
    assert "titanic, 1000: cross-validation 0." in told.err
    assert "public 0." in told.err
    (run,) = Path("submissions/titanic").glob("2*")
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["origin"] == "kaggle"
    assert kaggle.submissions[0]["content"] == (run / "submission.csv").read_bytes()
    assert kaggle.submissions[0]["description"] == "first"

    assert kpipe("submissions", "titanic", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["run_id"] == record["run_id"]
    assert entry["score"] == record["score"]
    assert entry["status"] == "complete"
    assert 0 < entry["public_score"] <= 1
    assert kpipe("submissions", "titanic") == 0
    shown = capsys.readouterr().out
    assert "Rank: 17." in shown
    assert Path("submissions/titanic/submissions.png").read_bytes().startswith(b"\x89PNG")


def test_paths_and_links_of_a_hostile_zip_lead_nowhere(kaggle: KaggleServer, tmp_path: Path) -> None:
    buffer = io.BytesIO(kaggle.contests["titanic"].zip)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("../../../evil.csv", "a,b\n1,2\n")
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    kaggle.contests["titanic"].zip = buffer.getvalue()
    trained()
    assert not list(tmp_path.rglob("evil*"))
    assert not list(tmp_path.parent.glob("evil*"))
    assert not [path for path in Path(os.environ["KPIPE_CACHE"]).rglob("*") if path.is_symlink()]


def test_a_second_run_reads_the_download_and_asks_kaggle_for_nothing(kaggle: KaggleServer) -> None:
    trained()
    asked = len(kaggle.asked)
    assert kpipe("run", "titanic", "--model", "linear", "--seed", "1", "--quiet") == 0
    assert len(kaggle.asked) == asked


def test_the_ledger_is_shown_without_a_network_too(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kpipe("submit", str(trained())) == 0
    monkeypatch.delenv("KAGGLE_KEY")
    assert kpipe("submissions", "titanic") == 0
    out = capsys.readouterr().out
    assert "These are the scores last seen: updating them needs Kaggle credentials." in out
    assert "complete" in out


def test_a_run_is_submitted_by_its_id_or_its_csv_once(kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained()
    assert kpipe("submit", run.name, "--no-wait") == 0
    assert kaggle.submissions[0]["description"] == f"kpipe {run.name}"
    assert kpipe("submit", str(run / "submission.csv")) == 1
    assert "The same file was submitted before, as 1000 on " in capsys.readouterr().err
    assert kpipe("submit", str(run / "submission.csv"), "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == run.name
    assert len(kaggle.submissions) == 2


def test_a_csv_from_elsewhere_is_proved_before_it_is_sent(
    kaggle: KaggleServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(SAMPLE / "gender_submission.csv") if (SAMPLE / "gender_submission.csv").exists() else None
    frame = frame if frame is not None else pd.read_csv(next(SAMPLE.glob("*ubmission*.csv")))
    mine = tmp_path / "mine.csv"
    frame.head(3).to_csv(mine, index=False)
    assert kpipe("submit", str(mine)) == 2
    assert "Say which competition it is for: --competition SLUG" in capsys.readouterr().err
    assert kpipe("submit", str(mine), "--competition", "titanic") == 1
    assert "The submission must have" in capsys.readouterr().err
    assert kaggle.submissions == []
    frame.to_csv(mine, index=False)
    assert kpipe("submit", str(mine), "--competition", "titanic", "-m", "by hand") == 0
    assert kaggle.submissions[0]["fileName"] == "mine.csv"


def test_sample_data_is_never_sent(kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("--data", "sample")
    assert kpipe("submit", str(run), "--force", "--yes") == 1
    assert (
        "This run was made from sample data, which is not Kaggle's: it can never be submitted."
        in capsys.readouterr().err
    )
    assert kaggle.submissions == []


def test_a_failed_check_and_a_changed_file_stop_a_submission(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    record = json.loads((run / "run.json").read_text())
    record["checks"][0] |= {
        "name": "training and validation rows disjoint",
        "status": "fail",
        "detail": "Fold 1 validates its rows.",
    }
    (run / "run.json").write_text(json.dumps(record))
    assert kpipe("submit", str(run)) == 1
    assert "The check 'training and validation rows disjoint' failed: Fold 1 validates" in capsys.readouterr().err
    (run / "submission.csv").write_bytes((run / "submission.csv").read_bytes() + b"\n")
    assert kpipe("submit", str(run), "--force") == 1
    assert "was changed after the run wrote it" in capsys.readouterr().err
    assert kaggle.submissions == []


def test_the_last_submission_of_the_day_is_asked_for_and_none_is_refused(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    kaggle.contests["titanic"].left_today = 1
    assert kpipe("submit", str(run)) == 1
    assert "This would be the last submission for titanic today. To use it, add --yes." in capsys.readouterr().err
    assert kpipe("submit", str(run), "--yes") == 0
    assert kpipe("submit", str(run), "--yes", "--force") == 1
    assert "No submission for titanic is left today" in capsys.readouterr().err
    assert len(kaggle.submissions) == 1


def test_what_kaggle_cannot_score_is_said_with_its_reason_and_exit_status_1(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    kaggle.contests["titanic"].score = lambda _: "Evaluation Exception: Submission must have 418 rows"
    assert kpipe("submit", str(run)) == 1
    assert "Kaggle could not score 1000: Evaluation Exception: Submission must have 418 rows" in capsys.readouterr().err


def test_a_submission_that_stays_pending_is_picked_up_later(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained()
    kaggle.contests["titanic"].pending_polls = 10**6
    forever = submit.wait_for_score
    monkeypatch.setattr(submit, "wait_for_score", lambda *args, **options: forever(*args, **options, seconds=0.2))
    assert kpipe("submit", str(run)) == 1
    assert "It was made: `kpipe submissions titanic` shows its score" in capsys.readouterr().err  # and drops the rest
    kaggle.submissions[0]["polls"] = 0
    assert kpipe("submissions", "titanic", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "complete"


@pytest.mark.slow
def test_ctrl_c_while_waiting_leaves_a_submission_that_is_found_again(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
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
    assert kpipe("submissions", "titanic", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["run_id"] == run.name


def test_an_answer_that_is_lost_costs_one_submission_and_not_two(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    kaggle.faults.append(Misbehave("CreateSubmission", "drop_after"))
    assert kpipe("submit", str(run)) == 0
    assert len(kaggle.submissions) == 1
    assert "as 1000; 4 left today" in capsys.readouterr().err


def test_nothing_is_submitted_where_the_ledger_cannot_be_written(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    Path("submissions/titanic/ledger.json").mkdir()
    assert kpipe("submit", str(run)) == 1
    said = capsys.readouterr().err
    assert "submissions/titanic/ledger.json cannot be written: " in said
    assert "Traceback" not in said
    assert kaggle.submissions == []


def test_nothing_is_submitted_where_the_ledgers_folder_cannot_be_made(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    Path("elsewhere").write_text("a file")
    assert kpipe("submit", str(run), "--out", "elsewhere") == 1
    assert "elsewhere/titanic cannot be written: " in capsys.readouterr().err
    assert kaggle.submissions == []


def test_nothing_is_submitted_while_another_process_holds_the_ledger(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained()
    monkeypatch.setattr(ledger, "_LOCK_SECONDS", 0.1)
    with FileLock("submissions/titanic/.ledger.lock"):
        assert kpipe("submit", str(run)) == 1
    assert "Another process is writing submissions/titanic/ledger.json" in capsys.readouterr().err
    assert kaggle.submissions == []
    assert kpipe("submit", str(run)) == 0


def test_a_submission_that_the_ledger_misses_is_named_and_added_later_with_its_run(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = trained(), Path("submissions/titanic/ledger.json")

    def obstruct() -> None:
        path.unlink()
        path.mkdir()

    kaggle.contests["titanic"].on_accept = obstruct
    assert kpipe("submit", str(run)) == 1
    said = capsys.readouterr().err
    assert "Kaggle accepted submission.csv as submission 1000, but " in said
    assert "submissions/titanic/ledger.json cannot be written: " in said
    assert "Do not submit it again: `kpipe submissions titanic` adds it to the ledger" in said
    assert "Traceback" not in said

    path.rmdir()
    assert kpipe("submissions", "titanic", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["ref"], entry["run_id"]) == (1000, run.name)
    assert entry["score"] == json.loads((run / "run.json").read_text())["score"]
    assert kpipe("submit", str(run)) == 1
    assert "The same file was submitted before, as 1000" in capsys.readouterr().err
    assert len(kaggle.submissions) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["submit", "nothing"], "There is no run 'nothing': give a run's folder, or its id under submissions"),
        (["submit", "no.csv", "--competition", "titanic"], "no.csv"),
        (["run", "no-such-competition"], "Kaggle has no competition 'no-such-competition'"),
    ],
)
def test_what_does_not_exist_is_named(kaggle, args, words, capsys) -> None:
    assert kpipe(*args) in (1, 2)
    assert words in capsys.readouterr().err


def test_submitting_without_credentials_is_refused_before_training(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert kpipe("run", "titanic", "--submit") == 2
    told = capsys.readouterr().err
    assert "There are no Kaggle credentials" in told
    assert "Found but unusable: the variable KAGGLE_USERNAME: it has no key." in told
    assert not Path("submissions").exists()


def test_rules_that_are_not_accepted_are_said_with_the_page_and_a_way_out(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.contests["titanic"].rules_accepted = False
    assert kpipe("run", "titanic") == 1
    told = capsys.readouterr().err
    assert "Accept them on https://www.kaggle.com/competitions/titanic/rules" in told
    assert "To train on the embedded sample: --data sample." in told


def test_no_credential_and_no_signature_is_in_any_file_or_output(
    kaggle: KaggleServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    monkeypatch.setenv("VERBOSE", "1")
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    assert kpipe("run", "titanic", "--model", "linear", "--submit") == 0
    assert kpipe("submissions", "titanic") == 0
    told = "".join(capfd.readouterr())
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    cached = b"".join(path.read_bytes() for path in Path(os.environ["KPIPE_CACHE"]).rglob("*") if path.is_file())
    for secret in (KEY, TOKEN, "secret-signature"):
        assert secret not in told
        assert secret.encode() not in written + cached
