"""A file is submitted once, whatever happens while it is sent: a lost response, a slow list, a kill, two processes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpipe.cli.main import main
from kpipe.errors import OutputError, RemoteError, SubmissionError
from kpipe.kaggle import attempts, competition_calls, submit
from kpipe.kaggle.client import connect
from kpipe.runs.ledger import read_ledger
from tests import kaggle_server
from tests.cli.calls import call
from tests.kaggle.conftest import Trained
from tests.kaggle_server import KEY, KaggleServer, Misbehave

OUT = Path("submissions")


@pytest.fixture
def kaggle(titanic_kaggle: KaggleServer) -> KaggleServer:
    return titanic_kaggle


@pytest.fixture
def file(kaggle: KaggleServer) -> Path:
    path = Path("mine.csv")
    path.write_text("PassengerId,Survived\n892,0\n")
    return path


def send(file: Path, message: str = "mine", **options: Any) -> int:
    return submit.submit_file(connect(), "titanic", file, None, message=message, out=OUT, **options).ref


def notes() -> list[Path]:
    return list(OUT.glob("*/.attempt-*"))


Hidden = Callable[[int], None]


@pytest.fixture
def hidden(kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> Hidden:
    """A function that makes Kaggle's next lists lack the submissions, which it adds a moment after they were made."""
    left, lists = [0], kaggle_server._Handler._ListSubmissions
    monkeypatch.setattr(competition_calls, "LISTED_WITHIN", 60.0)  # on a slow machine, too

    def late(handler: Any, request: Any, contest: Any) -> dict[str, Any]:
        left[0] -= 1
        return {"submissions": []} if left[0] >= 0 else lists(handler, request, contest)

    monkeypatch.setattr(kaggle_server._Handler, "_ListSubmissions", late)
    return lambda count: left.__setitem__(0, count)


def test_a_submission_whose_response_is_lost_is_found_though_kaggle_lists_it_late(
    kaggle: KaggleServer, file: Path, hidden: Hidden
) -> None:
    kaggle.faults.append(Misbehave("CreateSubmission", "drop_after"))
    hidden(3)
    assert send(file) == 1000
    assert (len(kaggle.submissions), notes()) == (1, [])


@pytest.mark.parametrize(
    ("message", "kept"),
    [("first \n try ", "first try"), ("long " * 300, ("long " * 100).strip()), (f"with {KEY}", f"with {KEY}")],
)
def test_a_submission_whose_response_is_lost_is_found_whatever_kaggle_does_to_its_description(
    message: str, kept: str, kaggle: KaggleServer, file: Path
) -> None:
    kaggle.contests["titanic"].on_accept = lambda: kaggle.submissions[0].update(description=kept)
    kaggle.faults.append(Misbehave("CreateSubmission", "drop_after"))
    assert send(file, message) == 1000


def test_a_submission_of_somebody_else_in_the_team_is_not_taken_for_the_lost_one(
    kaggle: KaggleServer, file: Path
) -> None:
    other = {"ref": 7, "date": "2026-01-01T00:00:00Z", "description": "theirs", "fileName": file.name}
    kaggle.faults.append(Misbehave("CreateSubmission", "drop"))
    kaggle.faults.append(
        Misbehave("ListSubmissions", 200, times=99, skip=1, body={"submissions": [{**other, "status": "PENDING"}]})
    )
    with pytest.raises(RemoteError, match=r"Kaggle does not list the submission: it was not made\."):
        send(file)
    assert notes() == []


@pytest.mark.parametrize("body", [{}, {"message": "", "ref": 0}, {"message": "queued"}, []])
def test_a_response_without_a_number_is_explained(body: object, kaggle: KaggleServer, file: Path) -> None:
    kaggle.faults.append(Misbehave("CreateSubmission", 200, body=body))
    with pytest.raises(RemoteError, match=r"Kaggle gave mine\.csv no number[.:].* it was not made\."):
        send(file)


def test_a_network_that_fails_before_the_submission_is_made_is_reported_at_once(
    kaggle: KaggleServer, file: Path
) -> None:
    kaggle.faults.append(Misbehave("/upload/", "drop", times=9))
    with pytest.raises(RemoteError, match="cannot be reached") as raised:
        send(file)
    assert "list" not in str(raised.value)
    assert notes() == []
    assert len([path for path in kaggle.requested if "ListSubmissions" in path]) == 1


class Killed(BaseException):
    """Stands for SIGKILL: no code of kpipe catches it."""


def kill_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch, sending: Callable[[], object]) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(submit, "mark_submitted", die)
        patch.setattr(submit, "add_entries", die)
        with pytest.raises(Killed):
            sending()


def test_a_run_whose_submission_was_killed_is_not_submitted_again_by_the_same_command(
    kaggle: KaggleServer,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = trained()
    args = ["submit", str(run), "-m", "first"]
    kill_before_it_is_recorded(monkeypatch, lambda: main(args))
    assert call(*args) == 1
    assert "An earlier submission to titanic was interrupted: looking for it" in caplog.text
    assert "The same file was submitted before, as 1000" in capsys.readouterr().err
    assert len(kaggle.submissions) == 1
    (entry,) = read_ledger(OUT, "titanic")
    record = json.loads((run / "run.json").read_text())
    assert (entry.ref, entry.run_id, entry.score) == (1000, run.name, record["score"])
    assert entry.sha256 == record["submission"]["sha256"]
    assert (run / "submitted.json").is_file()  # so that `kpipe clean` keeps it
    assert notes() == []


def test_a_submission_that_was_killed_is_added_by_the_next_list_of_submissions(
    kaggle: KaggleServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_it_is_recorded(monkeypatch, lambda: send(file))
    assert call("submissions", "titanic") == 0
    (entry,) = read_ledger(OUT, "titanic")
    assert entry.sha256
    with pytest.raises(SubmissionError, match="The same file was submitted before, as 1000"):
        send(file)


def test_a_submission_that_was_killed_is_found_though_kaggle_lists_it_late(
    kaggle: KaggleServer, file: Path, hidden: Hidden, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_it_is_recorded(monkeypatch, lambda: send(file))
    hidden(2)
    submit.settle_attempts(connect(), "titanic", out=OUT)
    assert [entry.ref for entry in read_ledger(OUT, "titanic")] == [1000]


def test_a_submission_that_was_killed_before_kaggle_had_it_can_be_made_again(kaggle: KaggleServer, file: Path) -> None:
    kaggle.faults += [Misbehave("CreateSubmission", "drop"), Misbehave("ListSubmissions", 500, times=9, skip=1)]
    with pytest.raises(RemoteError, match="It is not known whether the submission was made"):
        send(file)
    assert len(notes()) == 1
    kaggle.faults.clear()
    submit.settle_attempts(connect(), "titanic", out=OUT)
    assert notes() == []
    assert send(file) == 1000


@pytest.mark.parametrize("text", ["", "[]", "{", '{"known": [1]}', '{"known": 5, "entry": {}}', "[" * 100_000])
def test_a_broken_note_of_a_submission_stops_nothing(text: str, kaggle: KaggleServer, file: Path) -> None:
    (OUT / "titanic").mkdir(parents=True)
    (OUT / "titanic" / ".attempt-0.json").write_text(text)
    submit.settle_attempts(connect(), "titanic", out=OUT)
    assert send(file) == 1000


def test_nothing_is_sent_where_the_note_cannot_be_written(
    kaggle: KaggleServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("No space left on device")

    monkeypatch.setattr(attempts, "write_file", full)
    with pytest.raises(OutputError, match="No space left"):
        send(file)
    assert kaggle.submissions == []


def test_of_two_processes_that_submit_the_same_file_at_once_one_does(kaggle: KaggleServer, file: Path) -> None:
    refused: list[SubmissionError] = []
    kaggle.contests["titanic"].on_accept = lambda: time.sleep(0.1)

    def submit_once() -> None:
        try:
            send(file)
        except SubmissionError as error:
            refused.append(error)

    threads = [threading.Thread(target=submit_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(kaggle.submissions), len(refused)) == (1, 1)
    assert send(file, repeat=True) == 1001  # as with --force
