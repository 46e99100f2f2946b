"""Submitting through the real client: once, whatever happens on the way; against a Kaggle on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.errors import RemoteError
from kpipe.kaggle.client import connect
from tests.kaggle_server import KaggleServer, Misbehave


def write_submission(path: Path) -> Path:
    path.write_text("PassengerId,Survived\n892,0\n")
    return path


def test_a_submission_arrives_once_with_its_bytes(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    client = connect()
    ref = client.competitions.submit("titanic", write_submission(tmp_path / "submission.csv"), "first")
    assert [one["content"] for one in kaggle.submissions] == [b"PassengerId,Survived\n892,0\n"]
    listed = client.competitions.submissions("titanic")
    assert [(one.ref, one.status, one.public_score) for one in listed] == [(ref, "pending", None)]
    assert [(one.status, one.public_score) for one in client.competitions.submissions("titanic")] == [("complete", 0.5)]


def test_after_a_lost_response_the_submission_is_looked_up_and_not_sent_again(
    kaggle: KaggleServer, key: None, tmp_path: Path
) -> None:
    kaggle.faults.append(Misbehave("CreateSubmission", "drop_after"))
    ref = connect().competitions.submit("titanic", write_submission(tmp_path / "submission.csv"), "first")
    assert [one["ref"] for one in kaggle.submissions] == [ref]


def test_a_submission_that_cannot_be_looked_up_is_reported_as_unknown(
    kaggle: KaggleServer, key: None, tmp_path: Path
) -> None:
    kaggle.faults += [Misbehave("CreateSubmission", "drop_after"), Misbehave("ListSubmissions", 500, times=9, skip=1)]
    with pytest.raises(
        RemoteError, match="It is not known whether the submission was made: before you submit it again"
    ):
        connect().competitions.submit("titanic", write_submission(tmp_path / "submission.csv"), "first")
    assert len(kaggle.submissions) == 1


@pytest.mark.parametrize("where", ["StartSubmissionUpload", "/upload/"])
def test_a_step_that_fails_once_before_the_submission_is_retried(
    kaggle: KaggleServer, key: None, tmp_path: Path, where: str
) -> None:
    kaggle.faults.append(Misbehave(where, 503))
    ref = connect().competitions.submit("titanic", write_submission(tmp_path / "submission.csv"), "first")
    assert [one["ref"] for one in kaggle.submissions] == [ref]


@pytest.mark.parametrize("where", ["StartSubmissionUpload", "/upload/", "CreateSubmission"])
@pytest.mark.parametrize("kind", [500, "drop"])
def test_a_submission_that_fails_midway_is_not_made(
    kaggle: KaggleServer, key: None, tmp_path: Path, where: str, kind: int | str
) -> None:
    kaggle.faults.append(Misbehave(where, kind, times=9))
    with pytest.raises(RemoteError):
        connect().competitions.submit("titanic", write_submission(tmp_path / "submission.csv"), "first")
    assert kaggle.submissions == []


def test_a_submission_that_kaggle_does_not_accept_is_explained(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    path = write_submission(tmp_path / "submission.csv")
    kaggle.contests["titanic"].left_today = 0
    with pytest.raises(RemoteError, match="No submission for titanic is left today"):
        connect().competitions.submit("titanic", path, "first")
    kaggle.contests["titanic"].deadline_passed = True
    with pytest.raises(RemoteError, match="The deadline of titanic has passed"):
        connect().competitions.submit("titanic", path, "first")
