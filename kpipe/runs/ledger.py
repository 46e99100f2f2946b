"""The ledger of submissions: which run and file was submitted, with its cross-validation and leaderboard scores.

The ledger is ``<out>/<slug>/ledger.json``. It joins what only this machine knows (the run, the file, the
cross-validation score) with what Kaggle lists (the number of the submission, its status and scores).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from kpipe.errors import DataError, KpipeError, OutputError
from kpipe.runs.files import cannot_write, write_file
from kpipe.runs.find import competition_folder, find_run
from kpipe.runs.json_types import NUMBER, check_types, refuse_constant
from kpipe.runs.run import Run

__all__ = [
    "SUBMITTED",
    "Entry",
    "add_entries",
    "check_ledger_writable",
    "mark_submitted",
    "read_entry",
    "read_ledger",
    "submitted_runs",
]

SUBMITTED = "submitted.json"  # a file in the folder of a submitted run; kpipe never removes such a run

_LOCK_SECONDS = 10.0  # how long to wait for another process that writes the ledger; writing takes milliseconds


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A submission: its number on Kaggle, the file, the run that wrote the file, and the result.

    Attributes
    ----------
    ref : int
        The number of the submission on Kaggle.
    slug : str
        The competition.
    date : str
        When it was submitted, in ISO 8601.
    message, file : str
        The description and the file's name, as Kaggle lists them.
    sha256 : str
        Hash of the file; empty for a submission made elsewhere.
    run_id : str
        The run that wrote the file; empty if no run did.
    metric, score, standard_error : str, float or None, float or None
        The run's cross-validation score.
    expected_low, expected_high : float or None
        The interval in which the run's forecast expects the score on the leaderboard.
    status : str
        "pending", "complete" or "error".
    error : str
        Why Kaggle could not score the file.
    public_score, private_score : float or None
        Kaggle's scores; None while they are unknown.
    """

    ref: int
    slug: str
    date: str
    message: str
    file: str
    sha256: str = ""
    run_id: str = ""
    metric: str = ""
    score: float | None = None
    standard_error: float | None = None
    expected_low: float | None = None
    expected_high: float | None = None
    status: str = "pending"
    error: str = ""
    public_score: float | None = None
    private_score: float | None = None

    @property
    def is_unexpected(self) -> bool:
        """Whether the public score lies outside the expected interval."""
        if self.expected_low is None or self.expected_high is None or self.public_score is None:
            return False
        return not self.expected_low <= self.public_score <= self.expected_high


# Types of an entry's fields; "?" marks those that an older kpipe did not write.
_ENTRY = {
    "ref": int,
    **dict.fromkeys(("slug", "date", "message", "file"), str),
    **dict.fromkeys(("sha256?", "run_id?", "metric?", "status?", "error?"), str),
    **dict.fromkeys(("score?", "standard_error?", "expected_low?", "expected_high?"), NUMBER),
    **dict.fromkeys(("public_score?", "private_score?"), NUMBER),
}


def read_ledger(out: Path, slug: str) -> list[Entry]:
    """Return every submission in the ledger, newest first.

    Parameters
    ----------
    out : Path
        The folder that holds the runs, as in ``--out``.
    slug : str
        The competition.

    Returns
    -------
    list of Entry
        Empty if there is no ledger.

    Raises
    ------
    DataError
        If the file is not a ledger.
    UsageError
        If the slug could lead out of ``out``.
    """
    path = _path(out, slug)
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
        check_types(entries, [{}], "it")
        return [read_entry(entry) for entry in entries]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} is not a ledger of submissions: {error}. Move it away, and try again.",
            code="broken-ledger",
            file=str(path),
        ) from error


def read_entry(value: object) -> Entry:
    """An entry from what JSON holds.

    Parameters
    ----------
    value : object
        From ``json.loads``.

    Returns
    -------
    Entry

    Raises
    ------
    ValueError, TypeError
        If it is not the object of an entry.
    """
    check_types(value, _ENTRY, "it")
    return Entry(**value)  # type: ignore[arg-type]  # checked


def check_ledger_writable(out: Path, slug: str) -> None:
    """Check that a submission can be added to the ledger, by writing the ledger unchanged.

    Parameters
    ----------
    out : Path
        The folder that holds the runs, as in ``--out``.
    slug : str
        The competition.

    Raises
    ------
    OutputError
        If the ledger cannot be written or another process does not release it.
    DataError
        If the file is not a ledger.
    """
    add_entries(out, slug, [])


def add_entries(out: Path, slug: str, entries: Sequence[Entry]) -> None:
    """Add submissions to the ledger, either all or none of them.

    Parameters
    ----------
    out : Path
        The folder that holds the runs, as in ``--out``.
    slug : str
        The competition.
    entries : sequence of Entry
        New submissions, or known ones, whose status and leaderboard scores are updated.

    Raises
    ------
    OutputError
        If the ledger cannot be written or another process does not release it.
    DataError
        If the file is not a ledger.
    """
    path = _path(out, slug)
    with _locked(path):
        known = {entry.ref: entry for entry in read_ledger(out, slug)}
        for entry in entries:
            known[entry.ref] = _merge(known.get(entry.ref), entry)
        newest = sorted(known.values(), key=lambda entry: (entry.date, entry.ref), reverse=True)
        content = json.dumps([asdict(entry) for entry in newest], indent=2) + "\n"
        write_file(path, content.encode())


def mark_submitted(run: Run, entry: Entry) -> None:
    """Write a note of a submission into the folder of its run, if that is writable.

    Parameters
    ----------
    run : Run
        The run whose file was submitted.
    entry : Entry
        The submission.
    """
    with contextlib.suppress(OutputError):  # the ledger has the submission, too
        write_file(run.path / SUBMITTED, (json.dumps({"ref": entry.ref, "date": entry.date}) + "\n").encode())


def submitted_runs(out: Path, slug: str) -> dict[int, Run]:
    """Return the submitted runs by their submission's number on Kaggle, from the notes in their folders.

    Parameters
    ----------
    out : Path
        The folder that holds the runs, as in ``--out``.
    slug : str
        The competition.

    Returns
    -------
    dict of int to Run
        Runs whose note or record cannot be read are left out.
    """
    found = {}
    for path in competition_folder(out, slug).glob(f"*/{SUBMITTED}"):
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError, KpipeError):
            note = json.loads(path.read_text(encoding="utf-8"))
            check_types(note, {"ref": int}, "it")
            found[note["ref"]] = find_run(str(path.parent), out)
    return found


def _path(out: Path, slug: str) -> Path:
    return competition_folder(out, slug) / "ledger.json"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a ledger; create its folder if that does not exist."""
    lock = FileLock(path.with_name(".ledger.lock"), timeout=_LOCK_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"Another process is writing {path} and has not finished within {_LOCK_SECONDS:.0f} seconds. "
            "Wait for it or stop it, then try again.",
            code="cannot-write",
        ) from None
    except NotImplementedError:  # filelock raises this on a file system without locks
        raise OutputError(
            f"{path.parent} is on a file system without locks. Choose another --out DIR.", code="cannot-write"
        ) from None
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    try:
        yield
    finally:
        lock.release()


def _merge(old: Entry | None, new: Entry) -> Entry:
    """Return the ledger's entry, updated after Kaggle has listed the submission again."""
    if old is None or new.sha256:
        return new
    changed = {name: getattr(new, name) for name in ("status", "error", "public_score", "private_score")}
    return replace(old, **changed)
