"""Before a submission is spent: sample data, failed checks, the same file again, the last one of the day."""

from __future__ import annotations

import json

import pytest

from tests.cli.calls import call
from tests.kaggle.conftest import Trained
from tests.kaggle_server import KaggleServer, Misbehave


@pytest.fixture
def kaggle(titanic_kaggle: KaggleServer) -> KaggleServer:
    return titanic_kaggle


def test_a_run_is_submitted_by_its_id_or_its_csv_once(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    assert call("submit", run.name, "--no-wait") == 0
    assert kaggle.submissions[0]["description"] == f"kpipe {run.name}"
    assert call("submit", str(run / "submission.csv")) == 1
    assert "The same file was submitted before, as 1000 on " in capsys.readouterr().err
    assert call("submit", str(run / "submission.csv"), "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == run.name
    assert len(kaggle.submissions) == 2


def test_a_run_on_sample_data_is_never_submitted(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained("--data", "sample")
    assert call("submit", str(run), "--force", "--yes") == 1
    assert (
        "This run was made from sample data, which is not Kaggle's: it can never be submitted."
        in capsys.readouterr().err
    )
    assert kaggle.submissions == []


def test_a_failed_check_and_a_changed_file_stop_a_submission(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained()
    record = json.loads((run / "run.json").read_text())
    record["checks"][0] |= {
        "name": "training and validation rows disjoint",
        "status": "fail",
        "detail": "Fold 1 validates its rows.",
    }
    (run / "run.json").write_text(json.dumps(record))
    assert call("submit", str(run)) == 1
    assert "The check 'training and validation rows disjoint' failed: Fold 1 validates" in capsys.readouterr().err
    (run / "submission.csv").write_bytes((run / "submission.csv").read_bytes() + b"\n")
    assert call("submit", str(run), "--force") == 1
    assert "was changed after the run wrote it" in capsys.readouterr().err
    assert kaggle.submissions == []


def test_the_last_submission_of_the_day_needs_a_confirmation_and_the_next_is_refused(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained()
    kaggle.contests["titanic"].left_today = 1
    monkeypatch.setattr("builtins.input", lambda: "n")
    assert call("submit", str(run)) == 1
    asked = capsys.readouterr().err
    assert "This is the last submission for titanic today. Submit? [y/N]" in asked
    assert "Nothing was submitted." in asked
    assert call("submit", str(run), "--yes") == 0
    assert call("submit", str(run), "--yes", "--force") == 1
    assert "No submission for titanic is left today" in capsys.readouterr().err
    assert len(kaggle.submissions) == 1


@pytest.mark.parametrize(
    ("accepted", "words"),
    [
        (
            False,
            "the rules of titanic are not accepted yet. Accept them on https://www.kaggle.com/competitions/titanic",
        ),
        (True, "Kaggle allows no submission for titanic, although none was made today. Are its rules accepted"),
    ],
)
def test_no_submission_allowed_though_none_was_made_is_not_called_the_daily_limit(
    kaggle: KaggleServer, trained: Trained, capsys: pytest.CaptureFixture[str], accepted: bool, words: str
) -> None:
    run = trained()
    kaggle.contests["titanic"].rules_accepted = accepted
    limits = {"numToday": 0, "numAllowedNow": 0}
    kaggle.faults.append(Misbehave("GetSubmissionLimits", 200, times=2, body=limits))
    assert call("submit", str(run)) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "midnight" not in said
