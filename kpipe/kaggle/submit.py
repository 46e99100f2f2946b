"""Submit a file to Kaggle, wait for its score, and keep the ledger of submissions in step with Kaggle.

References
----------
https://github.com/Kaggle/kaggle-api: the endpoints behind ``kpipe.kaggle.client``.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kpipe.errors import KpipeError, OutputError, RemoteError, SubmissionError
from kpipe.kaggle import competition_calls
from kpipe.kaggle.attempts import Attempt, find_attempt, one_at_a_time, read_attempts, write_attempt
from kpipe.kaggle.client import Kaggle
from kpipe.kaggle.polling import poll
from kpipe.kaggle.responses import Pushed, Submission
from kpipe.problem.problem import Problem
from kpipe.problem.submission_file import read_submission
from kpipe.runs.files import sha256_of
from kpipe.runs.find import find_run
from kpipe.runs.ledger import (
    Entry,
    add_entries,
    check_ledger_writable,
    mark_submitted,
    read_ledger,
    submitted_runs,
)
from kpipe.runs.recorded import as_number
from kpipe.runs.run import Run
from kpipe.submission import validate_submission

__all__ = [
    "refuse_repetition",
    "settle_attempts",
    "submit_file",
    "sync_ledger",
    "validate_file",
    "wait_for_score",
]

_LOG = logging.getLogger("kpipe")


def validate_file(file: Path, problem: Problem) -> None:
    """Validate a CSV that no run wrote against the sample submission.

    Parameters
    ----------
    file : Path
        The CSV.
    problem : Problem

    Raises
    ------
    SubmissionError
        If the CSV is not what the sample submission asks for, or Kaggle's files are not available.
    """
    validate_submission(read_submission(file, problem), problem, foreign=True)


def submit_file(
    kaggle: Kaggle,
    slug: str,
    file: Path,
    run: Run | None,
    *,
    message: str,
    out: Path,
    kernel: Pushed | None = None,
    choosing: float = 0.0,
    repeat: bool = False,
) -> Entry:
    """Submit a file once and add it to the ledger, whose writability is checked before.

    A note is kept from the request that makes the submission until the ledger holds it: if the process is killed
    between the two, ``sync_ledger`` finds the submission by the note.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    slug : str
        The competition.
    file : Path
        The CSV to submit.
    run : Run or None
        The run that wrote the file; a note of the submission is left in its folder.
    message : str
        The description; empty for the run's name and id, or the file's name.
    out : Path
        The folder of all runs, which holds the ledger.
    kernel : Pushed, optional
        The version of a kernel that wrote the file, in a competition that takes submissions from notebooks only.
    choosing : float
        What is added to the run's forecast for selection bias, because it was chosen as the best of several runs.
    repeat : bool
        Submit a file that the ledger has already.

    Returns
    -------
    Entry
        The ledger's entry; its status is "pending".

    Raises
    ------
    RemoteError
        If Kaggle does not accept the submission.
    SubmissionError
        If the ledger has the file already, as another process has just submitted it.
    OutputError
        If the ledger cannot be written; its message holds Kaggle's number where the submission was already made.
    """
    message = message or (_name_of(run) if run else file.name)
    made = replace(_entry_of_run(run, choosing), slug=slug, message=message, file=file.name, sha256=sha256_of(file))
    check_ledger_writable(out, slug)
    if kernel is None:
        send = partial(kaggle.competitions.submit, slug, file, message)
    else:
        send = partial(kaggle.competitions.submit_output, slug, kernel.ref, kernel.version, file.name, message)
    with one_at_a_time(out, slug):
        if not repeat:
            refuse_repetition(out, slug, made.sha256)
        return _send_noted(send, made, run, out=out)


def _send_noted(send: Callable[..., int], made: Entry, run: Run | None, *, out: Path) -> Entry:
    """Send a submission and add it to the ledger; until then, there is a note of it."""
    notes: list[Attempt] = []
    try:
        ref = send(on_send=lambda known: notes.append(write_attempt(out, made, known)))
    except RemoteError as error:
        if error.code != "submission-uncertain":
            _delete(notes)
        raise
    entry = replace(made, ref=ref, date=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()))
    if run is not None:
        mark_submitted(run, entry)
    try:
        add_entries(out, made.slug, [entry])
    except KpipeError as error:
        raise OutputError(
            f"Kaggle accepted {made.file} as submission {ref}, but it could not be added to the ledger. {error} "
            f"Do not submit it again: `kpipe submissions {made.slug}` adds it to the ledger.",
            code="cannot-write",
        ) from error
    _delete(notes)
    return entry


def _delete(notes: list[Attempt]) -> None:
    for note in notes:
        with contextlib.suppress(OSError):
            note.path.unlink(missing_ok=True)


def refuse_repetition(out: Path, slug: str, sha256: str) -> None:
    """Refuse to submit a file that the ledger has already.

    Parameters
    ----------
    out : Path
        The folder of all runs, which holds the ledger.
    slug : str
        The competition.
    sha256 : str
        Hash of the file.

    Raises
    ------
    SubmissionError
        With the number and date of the submission.
    """
    before = [entry for entry in read_ledger(out, slug) if entry.sha256 == sha256]
    if before:
        raise SubmissionError(
            f"The same file was submitted before, as {before[0].ref} on {before[0].date[:10]}: its score will be the "
            "same. To spend a submission on it, add --force.",
            code="already-submitted",
        )


def settle_attempts(kaggle: Kaggle, slug: str, *, out: Path) -> None:
    """Find out whether Kaggle accepted submissions whose outcome is unknown, as kpipe was killed or got no response.

    Accepted ones are added to the ledger. Kaggle may list a submission some seconds after it was made; the others are
    forgotten after that time.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    slug : str
        The competition.
    out : Path
        The folder of all runs.

    Raises
    ------
    RemoteError
        If Kaggle does not list the submissions.
    OutputError
        If the ledger cannot be written.
    """
    if not read_attempts(out, slug):
        return
    _LOG.warning("An earlier submission to %s was interrupted: looking for it in the list of submissions.", slug)
    with one_at_a_time(out, slug):
        youngest = min((attempt.age() for attempt in read_attempts(out, slug)), default=0.0)
        for _ in poll(max(0.0, competition_calls.LISTED_WITHIN - youngest)):
            sync_ledger(kaggle, slug, out=out)
            if not (left := read_attempts(out, slug)):
                return
        _delete(left)


def _name_of(run: Run) -> str:
    """The default description of a run's submission."""
    name, run_id = run.record.get("name"), run.record["run_id"]
    return f"{name} (kpipe {run_id})" if name else f"kpipe {run_id}"


def _entry_of_run(run: Run | None, choosing: float = 0.0) -> Entry:
    """What a run says of a submission; the rest of the entry is empty."""
    empty = Entry(ref=0, slug="", date="", message="", file="")
    if run is None:
        return empty
    record = run.record
    named = {name: record[name] for name in ("run_id", "score", "standard_error")}
    forecast = record.get("forecast")  # runs of earlier versions have none
    given = forecast if isinstance(forecast, Mapping) else {}
    ends = {end: as_number(given.get(end)) for end in ("low", "high")}
    expected: dict[str, Any] = {f"expected_{end}": n if n is None else n + choosing for end, n in ends.items()}
    return replace(empty, **named, **expected, metric=record["metric"]["name"])


def wait_for_score(
    kaggle: Kaggle, entry: Entry, *, out: Path, on_wait: Callable[[float], None], seconds: float = 1800.0
) -> Entry:
    """The entry of a submission with its score, as soon as Kaggle has one.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    entry : Entry
        The submission.
    out : Path
        The folder of all runs, which holds the ledger.
    on_wait : callable
        Called with the seconds waited so far, before each pause.
    seconds : float
        How long to wait.

    Returns
    -------
    Entry
        With the status "complete" or "error".

    Raises
    ------
    RemoteError
        If there is no score after ``seconds``. The submission stands: ``sync_ledger`` finds its score later.
    """
    for waited in poll(seconds):
        found = next((e for e in sync_ledger(kaggle, entry.slug, out=out) if e.ref == entry.ref), entry)
        if found.status != "pending":
            return found
        on_wait(waited)
    raise RemoteError(
        f"Kaggle has not scored submission {entry.ref} in {seconds / 60:.0f} minutes. The submission was made: "
        f"`kpipe submissions {entry.slug}` will show its score.",
        code="score-pending",
    )


def sync_ledger(kaggle: Kaggle, slug: str, *, out: Path) -> list[Entry]:
    """The ledger, updated from Kaggle's list, including submissions made elsewhere.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    slug : str
        The competition.
    out : Path
        The folder of all runs, which holds the ledger.

    Returns
    -------
    list of Entry
        Newest first.

    Raises
    ------
    RemoteError
        If Kaggle does not list the submissions.
    OutputError
        If the ledger cannot be written.
    DataError
        If the file is not a ledger.
    """
    known = {entry.ref for entry in read_ledger(out, slug)}
    listed, attempts = kaggle.competitions.submissions(slug), read_attempts(out, slug)
    runs = submitted_runs(out, slug) if any(one.ref not in known for one in listed) else {}
    entries, settled = [], []
    for one in listed:
        run = None if one.ref in known else runs.get(one.ref)
        entry = _entry(slug, one, _entry_of_run(run), sha256=run.record["submission"]["sha256"] if run else "")
        if run is None and one.ref not in known and (attempt := find_attempt(one, attempts)):
            entry = _entry(slug, one, attempt.entry, sha256=attempt.entry.sha256)
            _mark_run(entry, out)
            attempts.remove(attempt)
            settled.append(attempt)
        entries.append(entry)
    add_entries(out, slug, entries)
    _delete(settled)
    return read_ledger(out, slug)


def _mark_run(entry: Entry, out: Path) -> None:
    """Leave the note of a submission in the folder of its run, if that is still there."""
    with contextlib.suppress(KpipeError):
        if entry.run_id:
            mark_submitted(find_run(entry.run_id, out), entry)


def _entry(slug: str, one: Submission, known: Entry, *, sha256: str) -> Entry:
    """A submission as Kaggle lists it, with what this machine knows of it."""
    return replace(
        known,
        ref=one.ref,
        slug=slug,
        date=one.date.isoformat(timespec="seconds"),
        message=one.description,
        file=one.file_name,
        sha256=sha256,
        status=one.status,
        error=one.error,
        public_score=one.public_score,
        private_score=one.private_score,
    )
