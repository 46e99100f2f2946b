"""Kaggle's refusals in words: a diagnosis only where Kaggle's message states it, otherwise Kaggle's own words.

The messages are Kaggle's, as seen in its API's answers (2023 to 2026); the real client meets them over loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kpipe.errors import RemoteError
from kpipe.kaggle import session
from kpipe.kaggle.client import Kaggle, connect
from kpipe.kaggle.responses import Pushed
from tests import kaggle_server
from tests.kaggle_server import KEY, USER, Contest, KaggleServer, Misbehave, serving

RULES = "You must accept this competition's rules before you'll be able to download files."
NOTEBOOKS = "Submission not allowed:  This competition only accepts Submissions from Notebooks."
ALLOWANCE = (
    "Submission not allowed: Your team has used its daily Submission allowance (5) today, please try again tomorrow "
    "UTC (12 hours from now)."
)
OLD_ALLOWANCE = (
    "Your team has used its submission allowance (2 of 2). This resets at midnight UTC (5.6 hours from now)."
)
DISABLED = "Submission not allowed:  Submissions have been disabled for this competition."
DEADLINE = "The competition deadline has passed"
GPU = "Submission not allowed:  Your Notebook cannot use P100 GPUs in this competition."
RUNTIME = (
    "Submission not allowed: Your Notebook's runtime of 233 minutes exceeds this competition's GPU max of 120 minutes."
)
RUNNING = "Submission not allowed: Notebook is still running. Did not find provided Notebook Output File."
NAME = 'Submission not allowed:  Submission files must be named "submission.csv" for this Competition.'
DENIED = "Permission 'competitions.get' was denied"
NOT_SATISFIED = "Required permission 'competitions.get' was not satisfied"


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    with serving(KaggleServer(contests={"titanic": Contest(zip=b"")})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server


def submit(client: Kaggle, home: Path) -> None:
    (home / "submission.csv").write_text("PassengerId,Survived\n892,0\n")
    client.competitions.submit("titanic", home / "submission.csv", "first")


CALLS: dict[str, Callable[[Kaggle, Path], object]] = {
    "GetCompetition": lambda client, home: client.competitions.get("titanic"),
    "GetSubmissionLimits": lambda client, home: client.competitions.submissions_left("titanic"),
    "ListSubmissions": lambda client, home: client.competitions.submissions("titanic"),
    "DownloadDataFiles": lambda client, home: client.competitions.download("titanic"),
    "StartSubmissionUpload": submit,
    "CreateSubmission": submit,
    "CreateCodeSubmission": lambda client, home: client.competitions.submit_output(
        "titanic", "ada/k", 1, "submission.csv", "m"
    ),
    "GetKernelSessionStatus": lambda client, home: client.kernels.status(Pushed(ref="ada/k", version=1)),
    "GetAcceleratorQuotaStatistics": lambda client, home: client.gpu_hours(),
}


def one_line(message: str) -> str:
    return " ".join(message.split())


def refusal(
    kaggle: KaggleServer, home: Path, endpoint: str, status: int, message: str, headers: dict[str, str] | None = None
) -> str:
    """What kpipe says where this call is refused with this message."""
    body = {"error": {"code": status, "message": message, "status": "FAILED_PRECONDITION"}} if message else {}
    kaggle.faults.append(Misbehave(endpoint, status, times=99, body=body, headers=headers or {}))
    with pytest.raises(RemoteError) as said:
        CALLS[endpoint](connect(), home)
    return str(said.value)


@pytest.mark.parametrize(
    ("endpoint", "status", "message", "diagnosis"),
    [
        ("DownloadDataFiles", 403, RULES, "Accept them on https://www.kaggle.com/competitions/titanic/rules"),
        ("StartSubmissionUpload", 403, "You must accept this competition's rules", "Accept them on https"),
        ("GetSubmissionLimits", 403, "Please verify your phone number", "requires a verified phone number"),
        ("CreateSubmission", 403, "Phone verification is required to submit", "requires a verified phone number"),
        ("CreateSubmission", 400, NOTEBOOKS, "run one with `kpipe kernel push titanic`"),
        ("CreateSubmission", 400, f"{ALLOWANCE} {NOTEBOOKS}", "accepts submissions from notebooks only"),
        ("CreateSubmission", 400, ALLOWANCE, "No submission for titanic is left today: try again after midnight UTC"),
        ("CreateCodeSubmission", 400, ALLOWANCE, "No submission for titanic is left today"),
        ("CreateSubmission", 400, OLD_ALLOWANCE, "No submission for titanic is left today"),
        ("CreateSubmission", 400, DEADLINE, "The deadline of titanic has passed"),
        ("CreateSubmission", 403, "The entry deadline has passed", "The entry deadline of titanic has"),
        ("CreateSubmission", 403, "The Rules Acceptance deadline has passed.", "The entry deadline of titanic has"),
        ("CreateCodeSubmission", 404, "Not found", "Kaggle does not find the kernel, its version or that file"),
        ("CreateCodeSubmission", 404, "", "Kaggle does not find the kernel, its version or that file"),
        ("CreateSubmission", 400, DISABLED, "titanic accepts no submissions"),
        ("GetCompetition", 403, DENIED, "Kaggle has no competition 'titanic', or it is not open to you (403)"),
        ("GetCompetition", 403, NOT_SATISFIED, "Kaggle has no competition 'titanic', or it is not open to you (403)"),
        ("GetCompetition", 403, "", "Kaggle has no competition 'titanic', or it is not open to you (403)"),
        ("GetCompetition", 404, "", "Kaggle has no competition 'titanic', or it is not open to you (404)"),
        ("DownloadDataFiles", 404, "Not found", "Kaggle has no competition 'titanic', or it is not open to you (404)"),
        ("GetSubmissionLimits", 500, "boom", "Kaggle has an internal error (500)"),
    ],
)  # fmt: skip
def test_a_refusal_whose_message_states_the_cause_is_diagnosed_and_quoted(
    kaggle: KaggleServer, tmp_path: Path, endpoint: str, status: int, message: str, diagnosis: str
) -> None:
    said = refusal(kaggle, tmp_path, endpoint, status, message)
    assert diagnosis in said
    if message:
        assert said.endswith(f"Kaggle says: {one_line(message)}")


@pytest.mark.parametrize(
    ("endpoint", "status", "message"),
    [
        ("CreateSubmission", 400, GPU),
        ("CreateCodeSubmission", 400, RUNTIME),
        ("CreateCodeSubmission", 400, RUNNING),
        ("CreateSubmission", 400, NAME),
        ("CreateSubmission", 400, "The file size limit of 100 MB is exceeded"),
        ("CreateSubmission", 400, "The maximum length of submissionDescription is 500"),
        ("CreateSubmission", 400, "The value is not the intended one"),
        ("CreateSubmission", 400, "A column is enclosed in quotes; see the disclosed schema"),
        ("CreateSubmission", 400, "The submission could not be verified against the blob token"),
        ("CreateSubmission", 400, "Submissions to microphone arrays must hold 16 channels"),
        ("ListSubmissions", 400, "The page size limit is 100 submissions"),
        ("ListSubmissions", 403, "The rules engine is not available"),
        ("GetSubmissionLimits", 403, "Team merger is pending"),
        ("CreateSubmission", 403, "The team merger deadline has passed"),
        ("GetCompetition", 400, ALLOWANCE),  # this call submits nothing
        ("GetKernelSessionStatus", 403, "Permission 'kernels.get' was denied"),
        ("GetKernelSessionStatus", 404, "Notebook not found"),
        ("GetKernelSessionStatus", 400, "The session limit is reached: submissions are closed"),
        ("GetAcceleratorQuotaStatistics", 400, "Maximum weekly GPU quota of 30.00 hours reached."),
        ("GetCompetition", 418, ""),
    ],
)
def test_any_other_refusal_is_quoted_and_not_diagnosed(
    kaggle: KaggleServer, tmp_path: Path, endpoint: str, status: int, message: str
) -> None:
    about = {"GetKernelSessionStatus": "ada/k", "GetAcceleratorQuotaStatistics": "your quota"}.get(endpoint, "titanic")
    quote = f" Kaggle says: {one_line(message)}" if message else ""
    said = refusal(kaggle, tmp_path, endpoint, status, message)
    assert said == f"Kaggle refused the request about {about} ({status}).{quote}"


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "42"}, "42 seconds"),
        ({"Retry-After": "Fri, 01 Jan 2100 00:00:50 GMT"}, "50 seconds"),
        ({"Retry-After": "Sat, 01 Jan 2101 00:00:50 GMT"}, "a few minutes"),
        ({"Retry-After": "9" * 30}, "a few minutes"),
        ({"Retry-After": "-5"}, "a few minutes"),
        ({"Retry-After": "soon"}, "a few minutes"),
        ({}, "a few minutes"),
    ],
)
def test_too_many_requests_are_explained_with_the_pause(
    kaggle: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], pause: str
) -> None:
    monkeypatch.setattr(session, "_LONGEST_RATE_LIMIT", 41.0)
    monkeypatch.setattr(kaggle_server._Handler, "date_time_string", lambda _: "Fri, 01 Jan 2100 00:00:00 GMT")
    said = refusal(kaggle, tmp_path, "GetSubmissionLimits", 429, "", headers)
    assert said == f"There were too many requests for Kaggle's rate limit. Try again in {pause}."


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_only_internal_errors_of_kaggle_are_retried(kaggle: KaggleServer, tmp_path: Path, status: int) -> None:
    refusal(kaggle, tmp_path, "GetSubmissionLimits", status, "no")
    assert len([path for path in kaggle.requested if "Limits" in path]) == (4 if status >= 500 else 1)


@pytest.mark.parametrize("endpoint", ["ListSubmissions", "GetSubmissionLimits", "GetCompetition"])
def test_a_pause_that_kaggle_requests_is_made_and_reported(
    kaggle: KaggleServer, tmp_path: Path, endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    kaggle.faults.append(Misbehave(endpoint, 429, times=6, headers={"Retry-After": "0"}))
    CALLS[endpoint](connect(), tmp_path)
    waited = "Kaggle's rate limit is reached: trying again in 0 s, as Kaggle asks."
    assert [record.getMessage() for record in caplog.records] == [waited] * 6


def test_a_pause_of_nothing_does_not_repeat_a_call_forever(kaggle: KaggleServer, tmp_path: Path) -> None:
    said = refusal(kaggle, tmp_path, "ListSubmissions", 429, "", {"Retry-After": "0"})
    assert said == "There were too many requests for Kaggle's rate limit. Try again in 0 seconds."
    assert len([path for path in kaggle.requested if "ListSubmissions" in path]) == 20


def test_a_pause_of_more_than_a_minute_in_all_is_not_waited_out(
    kaggle: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    said = refusal(kaggle, tmp_path, "ListSubmissions", 429, "", {"Retry-After": "25"})
    assert pauses == [25.0, 25.0]
    assert said == "There were too many requests for Kaggle's rate limit. Try again in 25 seconds."
