from __future__ import annotations

from dataclasses import replace

import pytest

from kpipe.cli.console.submissions import print_entries, print_entry, show_wait
from kpipe.runs.ledger import Entry

ENTRY = Entry(
    ref=1000,
    slug="titanic",
    date="2026-11-21T09:27:54",
    message="first",
    file="submission.csv",
    run_id="r1",
    sha256="0" * 64,
    score=0.8333,
    standard_error=0.0216,
    status="complete",
    public_score=0.78,
    private_score=None,
    error="",
)


def test_the_scores_of_a_submission_are_printed_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_entry(ENTRY)
    assert capsys.readouterr() == ("", "titanic, 1000: cross-validation 0.8333 ± 0.0216, public 0.78.\n")


def test_why_kaggle_could_not_score_a_submission_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_entry(replace(ENTRY, status="error", error="418 rows expected"))
    print_entry(replace(ENTRY, status="error"))
    assert capsys.readouterr().err.splitlines() == [
        "Kaggle could not score 1000: 418 rows expected",
        "Kaggle could not score 1000: it gives no reason",
    ]


def interrupted_wait() -> None:
    with show_wait(ENTRY, left_today=4) as on_wait:
        on_wait(2.0)
        raise KeyboardInterrupt


def test_an_interrupted_wait_says_how_to_get_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    message = "^The submission was made. To see its score: kpipe submissions titanic$"
    with pytest.raises(KeyboardInterrupt, match=message):
        interrupted_wait()
    assert capsys.readouterr().err.splitlines() == [
        "Submitted submission.csv to titanic as 1000; 4 left today.",
        "Waiting for the score, 2 s ...",
    ]


def test_submissions_without_credentials_are_marked_as_last_seen(capsys: pytest.CaptureFixture[str]) -> None:
    print_entries("titanic", [ENTRY], rank=None, fresh=False)
    assert "These are the last known scores" in capsys.readouterr().out
    print_entries("titanic", [], rank=1234, fresh=True)
    assert capsys.readouterr().out == "Nothing was submitted to titanic from this folder.\nRank: 1,234.\n"


def test_a_public_score_outside_of_the_forecast_says_so_and_what_to_look_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    held = replace(ENTRY, status="complete", public_score=0.83, expected_low=0.79, expected_high=0.87)
    print_entries("titanic", [held], rank=None, fresh=True)
    assert "0.7900 to 0.8700" in " ".join(capsys.readouterr().out.split())
    print_entries("titanic", [replace(held, public_score=0.77)], rank=None, fresh=True)
    text = " ".join(capsys.readouterr().out.split())
    assert f"The public score 0.7700 of {ENTRY.ref} lies outside the expected interval" in text
    for cause in ("differ from train", "leak", "selected among many", "a metric other"):
        assert cause in text
