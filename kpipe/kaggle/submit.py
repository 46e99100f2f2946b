"""Submit a file to Kaggle, wait for its score, and keep the ledger of submissions in step with Kaggle.

References
----------
https://github.com/Kaggle/kaggle-api: the endpoints behind ``kpipe.kaggle.client``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kpipe.errors import KpipeError, OutputError, RemoteError
from kpipe.kaggle.client import Kaggle
from kpipe.kaggle.polling import poll
from kpipe.kaggle.responses import Pushed, Submission
from kpipe.problem.problem import Problem
from kpipe.problem.submission_file import read_submission
from kpipe.runs.files import sha256_of
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

__all__ = ["submit_file", "sync_ledger", "validate_file", "wait_for_score"]


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
) -> Entry:
    """Submit a file once and add it to the ledger, whose writability is checked before.

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

    Returns
    -------
    Entry
        The ledger's entry; its status is "pending".

    Raises
    ------
    RemoteError
        If Kaggle does not accept the submission.
    OutputError
        If the ledger cannot be written; its message holds Kaggle's number where the submission was already made.
    """
    message = message or (_name_of(run) if run else file.name)
    made = replace(_entry_of_run(run, choosing), slug=slug, message=message, file=file.name, sha256=sha256_of(file))
    check_ledger_writable(out, slug)
    if kernel is None:
        ref = kaggle.competitions.submit(slug, file, message)
    else:
        ref = kaggle.competitions.submit_output(slug, kernel.ref, kernel.version, file.name, message)
    entry = replace(made, ref=ref, date=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()))
    if run is not None:
        mark_submitted(run, entry)
    try:
        add_entries(out, slug, [entry])
    except KpipeError as error:
        raise OutputError(
            f"Kaggle accepted {file.name} as submission {ref}, but it could not be added to the ledger. {error} "
            f"Do not submit it again: `kpipe submissions {slug}` adds it to the ledger.",
            code="cannot-write",
        ) from error
    return entry


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
    listed = kaggle.competitions.submissions(slug)
    runs = submitted_runs(out, slug) if any(one.ref not in known for one in listed) else {}
    add_entries(out, slug, [_entry(slug, one, run=None if one.ref in known else runs.get(one.ref)) for one in listed])
    return read_ledger(out, slug)


def _entry(slug: str, one: Submission, *, run: Run | None) -> Entry:
    """A submission as Kaggle lists it, with the run that a note in the run's folder names."""
    return replace(
        _entry_of_run(run),
        ref=one.ref,
        slug=slug,
        date=one.date.isoformat(timespec="seconds"),
        message=one.description,
        file=one.file_name,
        sha256=run.record["submission"]["sha256"] if run else "",
        status=one.status,
        error=one.error,
        public_score=one.public_score,
        private_score=one.private_score,
    )
