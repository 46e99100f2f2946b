"""Submitting, waiting for the score, and the ledger of what was submitted: cross-validation beside leaderboard.

The ledger is ``<out>/<slug>/ledger.json``: what Kaggle forgets (which run, which file, which score out-of-fold) beside
what Kaggle says (its number, status, scores).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pandas as pd

from kpipe import competitions
from kpipe.core.values import Tables
from kpipe.errors import DataError, OutputError, RemoteError, SubmissionError, UsageError
from kpipe.kaggle.client import Kaggle, Pushed, Submission
from kpipe.problem.competition import Competition
from kpipe.runs.store import Run, RunFolder
from kpipe.submission import prove

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "SENT",
    "Entry",
    "SubmissionAllowance",
    "check_can_submit",
    "home_of",
    "ledger",
    "picture",
    "prove_file",
    "run_named",
    "run_of",
    "send",
    "sync_ledger",
    "wait_for_score",
]

SENT = "submitted.json"  # in a run's folder: Kaggle's number, wherever the ledger lies; such a run is never removed
_PART = 4  # characters of an id at the least
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_LARGEST_RECORD = 64 << 20  # bytes
_NUMBER = (float, int, type(None))
# Of ``run.json``, what is used when it is read again, as ``_check_kinds`` takes it.
_RECORD: dict[str, Any] = {
    "slug": str,
    "run_id": str,
    "score": _NUMBER,
    "standard_error": _NUMBER,
    "metric": {"name": str},
    "models": [{"name": str}],
    "seed": [int],
    "checks": [{"name": str, "status": str, "detail": str}],
    "submission": {"sha256": str, "sendable": bool},
    **dict.fromkeys(("id?", "split?"), (str, type(None))),
    **dict.fromkeys(("target?", "drop?", "text?"), (str, list, type(None))),
}
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 20.0  # seconds between two looks at a pending submission


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A submission: Kaggle's number of it, the file, the run it came from, and what both sides say of it.

    score, standard_error, metric : out-of-fold, of the run; None for a file without one.
    status : "pending", "complete" or "error"; error : Kaggle's reason.
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
    status: str = "pending"
    error: str = ""
    public_score: float | None = None
    private_score: float | None = None


# What the fields of an entry hold; those that an older kpipe did not write have their defaults.
_ENTRY = {
    "ref": int,
    **dict.fromkeys(("slug", "date", "message", "file"), str),
    **dict.fromkeys(("sha256?", "run_id?", "metric?", "status?", "error?"), str),
    **dict.fromkeys(("score?", "standard_error?", "public_score?", "private_score?"), _NUMBER),
}


def run_named(name: str, out: Path) -> Run:
    """The run of a folder, or of an id under ``out``: whole, or so much of its beginning or end that one alone has it.

    Raises UsageError if there is none or several, DataError if it is broken.

    A folder may come from elsewhere: it is data. What its record does not say as a run would is refused here, so that
    no name in it leads out of a folder or into a script.
    """
    folders = [Path(name)] if os.path.isfile(os.path.join(name, "run.json")) else []
    if not folders and _RUN_ID.fullmatch(name):
        folders = _found(name, out)
    if len(folders) > 1:
        several = ", ".join(str(folder) for folder in folders[-5:])
        raise UsageError(f"{name!r} stands for {len(folders)} runs: give more of the id, or a folder, as of {several}.")
    if not folders:
        raise UsageError(f"There is no run {name!r}: give a run's folder, or its id under {out}.")
    try:
        return Run(path=folders[0], record=_record(folders[0] / "run.json"))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{folders[0] / 'run.json'} is no record of a run: {error}.") from error


def _found(name: str, out: Path) -> list[Path]:
    """Folders of the runs of an id; or of those that begin or end with so much of it."""
    exact = [record.parent for record in sorted(out.glob(f"*/{name}/run.json"))]
    if exact or len(name) < _PART:
        return exact
    ids = sorted({*out.glob(f"*/{name}*/run.json"), *out.glob(f"*/*{name}/run.json")})
    return [record.parent for record in ids if not record.parent.name.startswith(".")]


def _record(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_RECORD:
        raise ValueError(f"it has more than {_LARGEST_RECORD:,} bytes")
    record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    _check_kinds(record, _RECORD, "it")
    json.dumps(record, ensure_ascii=False).encode()  # fails for halves of characters, which no file can hold
    if not competitions.is_slug(record["slug"]):
        raise ValueError(f"its slug {record['slug']!r} cannot be a competition's")
    if not _RUN_ID.fullmatch(record["run_id"]):
        raise ValueError(f"its run_id {record['run_id']!r} cannot be a run's")
    return dict(record)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON's")


def _check_kinds(value: Any, kinds: Any, place: str) -> None:
    """Raise TypeError unless a value is of the types that are listed for it.

    Of an object, those of its keys are, of which those with "?" may be missing; a list stands for any number of them.
    """
    if isinstance(kinds, dict):
        if not isinstance(value, dict):
            raise TypeError(f"{place} must be an object, however: {value!r}")
        for key, inner in kinds.items():
            name = key.rstrip("?")
            if name in value:
                _check_kinds(value[name], inner, f"{name!r}")
            elif name == key:
                raise TypeError(f"{place} lacks {name!r}")
    elif isinstance(kinds, list):
        if not isinstance(value, list):
            raise TypeError(f"{place} must be a list, however: {value!r}")
        for one in value:
            _check_kinds(one, kinds[0], f"each of {place}")
    elif type(value) not in _alternatives(kinds):
        raise TypeError(f"{place} must be {_said(kinds)}, however: {value!r}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{place} must be finite, however: {value}")


def _alternatives(kinds: Any) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _said(kinds: Any) -> str:
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return " or ".join(words.get(kind, kind.__name__) for kind in _alternatives(kinds))


def run_of(file: Path) -> Run | None:
    """The run that wrote a CSV, if its record stands beside it and knows the file's bytes."""
    try:
        run = run_named(str(file.parent), file.parent)
    except (UsageError, DataError):
        return None
    return run if run.record["submission"]["sha256"] == _sha256(file) else None


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
    digest = _sha256(file)
    if run is not None:
        _refuse_run(run, digest, force=force)
    before = [entry for entry in ledger(out, slug) if entry.sha256 == digest]
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
        sha256=_sha256(file),
        **(_of_run(run) if run else {}),
    )
    _keep(out, slug, [entry])
    if run is not None:
        with contextlib.suppress(OutputError):  # a folder that cannot be written: the ledger has it
            RunFolder(run.path).write(SENT, (json.dumps({"ref": ref, "date": entry.date}) + "\n").encode())
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
    home_of(out, slug)  # before Kaggle is asked
    _keep(out, slug, [_entry(slug, one) for one in kaggle.submissions(slug)])
    return ledger(out, slug)


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


def home_of(out: Path, slug: str) -> Path:
    """The folder of a competition's runs and ledger: no name leads out of ``out``."""
    if not competitions.is_slug(slug):
        raise UsageError(f"{slug!r} cannot be a competition: slugs are lower-case letters, digits and hyphens.")
    return out / slug


def ledger(out: Path, slug: str) -> list[Entry]:
    """Every submission known here, newest first. Raises DataError where the file is broken."""
    path = home_of(out, slug) / "ledger.json"
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
        _check_kinds(entries, [_ENTRY], "it")
        return [Entry(**entry) for entry in entries]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is no ledger of submissions: {error}. Move it away, and call this again.") from error


def _keep(out: Path, slug: str, entries: Sequence[Entry]) -> None:
    """Write entries, whole or not at all; of one that is there, what only this machine knows is kept."""
    home = home_of(out, slug)
    home.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(home / ".ledger.lock"):
        known = {entry.ref: entry for entry in ledger(out, slug)}
        for entry in entries:
            known[entry.ref] = _merged(known.get(entry.ref), entry)
        newest = sorted(known.values(), key=lambda entry: (entry.date, entry.ref), reverse=True)
        content = json.dumps([asdict(entry) for entry in newest], indent=2) + "\n"
        RunFolder(home).write("ledger.json", content.encode())


def _merged(old: Entry | None, new: Entry) -> Entry:
    if old is None or new.sha256:
        return new
    told = {name: getattr(new, name) for name in ("status", "error", "public_score", "private_score")}
    return replace(old, **told)


def picture(entries: Sequence[Entry]) -> Figure:
    """Cross-validation against the public leaderboard, a point a submission; on the dashed line they agree."""
    from kpipe.core.plots import COLOURS, answer, canvas

    known = [entry for entry in entries if entry.score is not None and entry.public_score is not None]
    x, y = ([getattr(entry, name) for entry in known] for name in ("score", "public_score"))
    errors = [entry.standard_error or 0.0 for entry in known]
    with canvas(1, 1, height=4.5) as (figure, axes):
        ax = axes[0, 0]
        ax.errorbar(
            x, y, xerr=errors, fmt="o", color=COLOURS[0], capsize=3, label="a submission, ± standard error of CV"
        )
        ends = [min([*x, *y]), max([*x, *y])]
        ax.plot(ends, ends, color=COLOURS[4], linestyle="--", linewidth=1, label="CV = leaderboard")
        ax.set_xlabel(f"cross-validation, {known[0].metric}")
        ax.set_ylabel(f"public leaderboard, {known[0].metric}")
        ax.legend()
        near = sum(abs(a - b) <= 2 * e for a, b, e in zip(x, y, errors, strict=True))
        answer(figure, f"{known[0].slug}: {near} of {len(known)} public scores lie within two standard errors of CV")
    return figure


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
