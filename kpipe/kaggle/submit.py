"""Submit to Kaggle and wait for the score.

References
----------
https://github.com/Kaggle/kaggle-api: the endpoints behind ``kpipe.kaggle.client``.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kpipe.core.values import Tables
from kpipe.errors import OutputError, RemoteError, SubmissionError
from kpipe.kaggle.client import Kaggle, Pushed, Submission
from kpipe.problem.competition import Competition
from kpipe.runs.files import sha256_of, write_file
from kpipe.runs.find import competition_folder
from kpipe.runs.ledger import SENT, Entry, add_entries, read_ledger
from kpipe.runs.run import Run
from kpipe.submission import prove

__all__ = ["SubmissionAllowance", "check_can_submit", "prove_file", "send", "sync_ledger", "wait_for_score"]

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 20.0  # seconds between two looks at a pending submission


@dataclass(frozen=True, kw_only=True)
class SubmissionAllowance:
    """What stands before a submission: how many are left today, counted before it. ``last`` : it would be the last."""

    left_today: int

    @property
    def last(self) -> bool:
        return self.left_today == 1


def check_can_submit(
    kaggle: Kaggle, slug: str, file: Path, run: Run | None, *, out: Path, force: bool
) -> SubmissionAllowance:
    """Refuse what must not or should not be sent; nothing is sent here.

    force : send although a check failed or the same file was submitted before; sample data is refused all the same.
    Raises SubmissionError with the reason.
    """
    digest = sha256_of(file)
    if run is not None:
        _refuse_run(run, digest, force=force)
    before = [entry for entry in read_ledger(out, slug) if entry.sha256 == digest]
    if before and not force:
        raise SubmissionError(
            f"The same file was submitted before, as {before[0].ref} on {before[0].date[:10]}: its score will be the "
            "same. To spend a submission on it, add --force."
        )
    left = kaggle.left_today(slug)
    if left < 1:
        raise SubmissionError(f"No submission for {slug} is left today: try again after midnight UTC.")
    return SubmissionAllowance(left_today=left)


def _refuse_run(run: Run, digest: str, *, force: bool) -> None:
    if not run.record["submission"]["sendable"]:
        raise SubmissionError("This run was made from sample data, which is not Kaggle's: it can never be submitted.")
    if run.record["submission"]["sha256"] != digest:
        raise SubmissionError(f"{run.path / 'submission.csv'} was changed after the run wrote it. Submit it as a CSV.")
    failed = [check for check in run.record["checks"] if check["status"] == "fail"]
    if failed and not force:
        raise SubmissionError(
            f"The check {failed[0]['name']!r} failed: {failed[0]['detail']} To submit all the same, add --force."
        )


def prove_file(file: Path, competition: Competition, tables: Tables) -> None:
    """Raise SubmissionError unless a CSV from elsewhere is what the sample submission asks for."""
    if tables.source.origin == "sample":
        raise SubmissionError(f"{file} cannot be proved: Kaggle's files of {competition.slug} are not here.")
    types = {str(name): dtype for name, dtype in tables.sample.dtypes.items()}
    try:
        frame = pd.read_csv(file, dtype=types)
    except (OSError, ValueError) as error:
        raise SubmissionError(f"{file} cannot be read as a submission: {error}") from error
    prove(frame, competition, tables)


def send(
    kaggle: Kaggle, slug: str, file: Path, run: Run | None, *, message: str, out: Path, kernel: Pushed | None = None
) -> Entry:
    """Submit, once, and write it into the ledger and the run's folder at once: whatever happens then, it is known.

    kernel : the version that wrote the file, in a competition that takes kernels only.
    Raises RemoteError where Kaggle does not take it.
    """
    message = message or (f"kpipe {run.record['run_id']}" if run else file.name)
    if kernel is None:
        ref = kaggle.submit(slug, file, message)
    else:
        ref = kaggle.submit_code(slug, kernel.ref, kernel.version, file.name, message)
    entry = Entry(
        ref=ref,
        slug=slug,
        date=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        message=message,
        file=file.name,
        sha256=sha256_of(file),
        **(_of_run(run) if run else {}),
    )
    add_entries(out, slug, [entry])
    if run is not None:
        with contextlib.suppress(OutputError):  # a folder that cannot be written: the ledger has it
            write_file(run.path / SENT, (json.dumps({"ref": ref, "date": entry.date}) + "\n").encode())
    return entry


def _of_run(run: Run) -> dict[str, Any]:
    record = run.record
    named = {name: record[name] for name in ("run_id", "score", "standard_error")}
    return {**named, "metric": record["metric"]["name"]}


def wait_for_score(
    kaggle: Kaggle, entry: Entry, *, out: Path, tell: Callable[[float], None], seconds: float = 1800.0
) -> Entry:
    """The entry with its score, as soon as Kaggle has one.

    tell : called with the seconds waited, before each pause.
    Raises RemoteError if there is none after ``seconds``; the submission stands, and ``refreshed`` finds it.
    """
    began, pause = time.monotonic(), _FIRST_PAUSE
    while True:
        found = next((e for e in sync_ledger(kaggle, entry.slug, out=out) if e.ref == entry.ref), entry)
        if found.status != "pending":
            return found
        waiting = time.monotonic() - began
        if waiting > seconds:
            raise RemoteError(
                f"Kaggle has not scored submission {entry.ref} in {seconds / 60:.0f} minutes. It was made: "
                f"`kpipe submissions {entry.slug}` shows its score as soon as there is one."
            )
        tell(waiting)
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)


def sync_ledger(kaggle: Kaggle, slug: str, *, out: Path) -> list[Entry]:
    """The ledger with what Kaggle says now, submissions made elsewhere included; newest first."""
    competition_folder(out, slug)  # before Kaggle is asked
    add_entries(out, slug, [_entry(slug, one) for one in kaggle.submissions(slug)])
    return read_ledger(out, slug)


def _entry(slug: str, one: Submission) -> Entry:
    return Entry(
        ref=one.ref,
        slug=slug,
        date=one.date.isoformat(timespec="seconds"),
        message=one.description,
        file=one.file_name,
        status=one.status,
        error=one.error,
        public_score=one.public_score,
        private_score=one.private_score,
    )
