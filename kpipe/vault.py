"""Lock rows of train away, and score runs on them.

Later runs train and validate without these rows, and predict them in the same way as test. Their predictions are in the
run's folder and the true targets only in train.csv, until ``open_vault`` compares both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpipe import pipeline
from kpipe.core.formatting import format_with_error
from kpipe.core.metrics import Metric, evaluate, gain_over, paired_standard_error
from kpipe.core.request import RunRequest
from kpipe.core.values import Score, Source, Tables
from kpipe.data.loading import FileChoice, hash_files
from kpipe.errors import DataError, KpipeError, UsageError
from kpipe.problem.alignment import align_rows
from kpipe.problem.competition import Competition
from kpipe.problem.locked import LockedRows, raw_targets_of
from kpipe.problem.problem import Problem
from kpipe.problem.vault_rows import check_share, draw_rows
from kpipe.runs.files import sha256_of
from kpipe.runs.find import competition_folder, find_run, find_runs
from kpipe.runs.locks import try_lock
from kpipe.runs.prediction_tables import ENSEMBLE, VAULT_PREDICTIONS, output_columns
from kpipe.runs.recorded import recorded_vault
from kpipe.runs.run import Run
from kpipe.runs.summary import format_forecast
from kpipe.runs.tables import read_parquet, to_numbers
from kpipe.runs.vault import (
    FILE,
    Opening,
    Vault,
    changed_files,
    fingerprint,
    margin,
    read_vault,
    with_opening,
    write_vault,
)

__all__ = ["Look", "VaultStatus", "make_vault", "open_vault", "show_vault"]

_NORMAL_95 = 1.96  # standard errors of a normal distribution on either side of 95 %


def make_vault(request: RunRequest, *, share: float) -> tuple[Vault, tuple[str, ...]]:
    """Lock a share of train's rows away: by group, by time as test was split off, or else stratified by target.

    Parameters
    ----------
    request : RunRequest
        The competition, its files, and ``out``, where the vault is kept.
    share : float
        Above 0, at most 0.5.

    Returns
    -------
    vault : Vault
    notes : tuple of str
        Notes for the user, such as that finished runs have seen these rows.

    Raises
    ------
    UsageError
        If there is already a vault, the data is the sample, or the share leaves too few rows, groups or classes.
    """
    check_share(share)
    home = competition_folder(request.out, request.slug)
    if (vault := read_vault(home)) is not None:
        raise UsageError(
            f"{request.slug} has a vault of {len(vault.locked.rows):,} rows already, made at {vault.created} and "
            f"{_times(len(vault.openings))}. To make another one, move {home / FILE} away; runs made with it "
            "can then no longer be opened.",
            code="vault-exists",
        )
    competition, files = pipeline.read_competition(request)
    if files.source.origin == "sample":
        raise UsageError(
            "This is sample data: there is nothing to lock away. Pass Kaggle's files with --data.", code="sample-data"
        )
    problem = pipeline.prepare(replace(request, all_rows=True))
    files = align_rows(competition, files)
    _check_that_clean_keeps(problem, competition, files)
    rows, how = draw_rows(problem, share)
    vault = _vault(problem, files, rows, share=share, how=how)
    write_vault(home, vault)
    return vault, tuple(_notes(request.out, request.slug))


def _times(count: int) -> str:
    return {0: "never opened", 1: "opened once"}.get(count, f"opened {count} times")


def _check_that_clean_keeps(problem: Problem, competition: Competition, files: Tables) -> None:
    """Raise UsageError unless train's rows and targets after ``clean`` are those of the file."""
    raw = raw_targets_of(competition, files, problem.targets)
    if len(raw) != len(problem.y):
        raise UsageError(
            "A vault requires a clean that keeps train's rows: this competition's clean changes their number.",
            code="vault-unsuitable",
        )
    if not np.array_equal(_encode(problem, raw), problem.y, equal_nan=problem.y.dtype.kind == "f"):
        raise UsageError(
            "A vault requires a clean that leaves the target unchanged: this competition's clean changes it.",
            code="vault-unsuitable",
        )


def _encode(problem: Problem, raw: pd.DataFrame) -> np.ndarray:
    """(n,) or (n, t) targets of the file, encoded as for models; NaN or -1 for values that are not valid."""
    if problem.labels is None:
        values = to_numbers("train.csv", raw)
        return (values if len(problem.targets) > 1 else values[:, 0]).astype(problem.y.dtype)
    codes = {str(label): code for code, label in enumerate(problem.labels)}
    return raw.iloc[:, 0].astype(str).map(codes).fillna(-1).to_numpy(dtype=np.int64)


def _vault(problem: Problem, files: Tables, rows: np.ndarray, *, share: float, how: str) -> Vault:
    named = problem.id in files.train and files.train[problem.id].astype(str).is_unique
    ids = tuple(files.train[problem.id].iloc[rows].astype(str)) if named else ()
    positions, hashes = tuple(map(int, rows)), dict(files.source.files)
    locked = LockedRows(
        rows=positions,
        train_rows=len(files.train),
        id=problem.id if named else "",
        ids=ids,
        sha256=fingerprint(problem.slug, ids, positions, hashes),
    )
    path = str(files.source.path)
    return Vault(slug=problem.slug, created=_now(), share=share, how=how, files=hashes, path=path, locked=locked)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _notes(out: Path, slug: str) -> Iterator[str]:
    if runs := find_runs(out, slug)[0]:
        yield (
            f"{len(runs)} finished run{'s' * (len(runs) > 1)} of {slug} trained on these rows, too. What you learned "
            "from them cannot be undone, and the vault cannot be opened for them."
        )


@dataclass(frozen=True, kw_only=True)
class VaultStatus:
    """A vault, and whether the competition's files are still those that it was made from.

    Attributes
    ----------
    vault : Vault
    changed : tuple of str or None
        The names of files that have changed or are missing; None if no files were found to compare.
    note : str
        What the user should know of the files; "" if they are those of the vault.
    """

    vault: Vault
    changed: tuple[str, ...] | None = ()
    note: str = ""


def show_vault(request: RunRequest) -> VaultStatus:
    """Return the vault of a competition, and compare its files.

    The files are searched for where ``kpipe run`` looks, except on Kaggle, then in the place that the vault records.

    Parameters
    ----------
    request : RunRequest
        The competition, its files, and ``out``, where the vault is kept.

    Returns
    -------
    VaultStatus

    Raises
    ------
    UsageError
        If there is no vault.
    DataError
        If it is damaged, or the files that the request names cannot be read.
    """
    home = competition_folder(request.out, request.slug)
    vault = read_vault(home)
    if vault is None:
        raise UsageError(
            f"{request.slug} has no vault in {request.out}. To lock rows away: kpipe vault {request.slug} --share 20%.",
            code="no-vault",
        )
    source = _find_files(request, vault)
    if source is None:
        note = "The files that this vault was made from were not found. To compare them, name them with --data."
        return VaultStatus(vault=vault, changed=None, note=note)
    changed = tuple(changed_files(vault, source))
    note = (
        f"The files in {source.path} are not those that this vault was made from: {', '.join(changed)} changed or "
        "missing. kpipe run refuses them. Name the files that it was made from with --data, train on all rows with "
        f"--all-rows, or make a new vault after moving {home / FILE} away."
    )
    return VaultStatus(vault=vault, changed=changed, note=note if changed else "")


def _find_files(request: RunRequest, vault: Vault) -> Source | None:
    """The competition's files, other than its sample; None if there are none."""
    choice = FileChoice.of(request, ())
    if request.data is not None:
        return hash_files(request.slug, request.data, choice=choice)
    for place in (None, vault.path or None):
        with suppress(DataError):  # the files are no longer there
            if (found := hash_files(request.slug, place, choice=choice)).origin != "sample":
                return found
    return None


@dataclass(frozen=True, kw_only=True)
class Look:
    """The result of opening the vault for a run.

    Attributes
    ----------
    run : Run
    opening : Opening
        Its score is None if the score was not shown.
    vault : Vault
        The vault, including this opening.
    best : Opening or None
        The best opening whose score was shown before.
    needed : float
        The number of standard errors of the difference by which the run's score had to beat the best one.
    metric : str
    """

    run: Run
    opening: Opening
    vault: Vault
    best: Opening | None
    needed: float
    metric: str

    def sentences(self) -> Iterator[str]:
        """Yield sentences for the user."""
        run_id, rows, record = self.run.record["run_id"], len(self.vault.locked.rows), self.run.record
        if self.opening.score is None and self.best is not None:
            shown = format_with_error(self.best.score, self.best.standard_error)
            yield (
                f"{run_id} does not beat the best score shown so far, {shown} ({self.best.run_id}), by more than "
                f"{self.needed:.1f} standard errors of the difference: its own score stays locked."
            )
        else:
            shown = format_with_error(self.opening.score, self.opening.standard_error)
            yield f"{run_id}: {self.metric} {shown} on the {rows:,} rows of the vault."
            yield f"Own estimate: {format_with_error(record['score'], record['standard_error'])}.{self._forecast()}"
        count = len(self.vault.openings)
        times = f"{count} run{'s' * (count > 1)}"
        yield f"This vault was opened for {times}. The more often it is opened, the less reliable its scores become."

    def _forecast(self) -> str:
        found = self.run.record.get("forecast")
        names = ("value", "low", "high")
        if not isinstance(found, dict) or not all(isinstance(found.get(name), int | float) for name in names):
            return ""
        value, low, high = (found[name] for name in names)
        text = f" Forecast for the leaderboard: {format_forecast(self.run.record)}"
        if self.opening.score is None or self.opening.standard_error is None:
            return f"{text}."
        # The interval is for a score on test; the score on the vault has its own standard error.
        error = float(np.hypot((high - low) / (2 * _NORMAL_95), self.opening.standard_error))
        within = abs(self.opening.score - value) <= _NORMAL_95 * error
        verdict = (
            "agrees with it within the errors of both"
            if within
            else "deviates from it by more than both errors explain"
        )
        return f"{text}; the vault's score {verdict}."

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            **asdict(self.opening),
            "shown": self.opening.score is not None,
            "metric": self.metric,
            "rows": len(self.vault.locked.rows),
            "openings": len(self.vault.openings),
            "needed": self.needed,
            "best": None if self.best is None else asdict(self.best),
            "forecast": self.run.record.get("forecast"),
        }


def open_vault(name: str, *, out: Path, data: str | Path | None = None) -> Look:
    """Score a run on the rows of the vault, and show the score if it is significant (see ``kpipe.runs.vault``).

    Opening the same run again shows the same result and does not count again.

    Parameters
    ----------
    name : str
        A run's folder, or its id under ``out``.
    out : Path
        The folder that runs are written to.
    data : str or Path, optional
        Where the files are now; by default, where the run read them.

    Returns
    -------
    Look

    Raises
    ------
    UsageError
        If the run was made without this vault, is scored by another metric than earlier openings, or another process is
        opening the vault.
    DataError
        If files have changed since the vault was made, or the run's predictions are invalid.
    """
    run = find_run(name, out)
    home = run.path.resolve().parent
    with try_lock(home / FILE) as acquired:
        if not acquired:
            raise UsageError(f"Another process is opening {home / FILE}: try again.", code="vault-in-use")
        vault = _vault_of(run, home)
        problem, y = _problem_and_truth(run, home, vault, data)
        metric, sha256 = problem.metric, sha256_of(run.path / VAULT_PREDICTIONS)
        _check_metric(run, vault, metric)
        known = next((one for one in vault.openings if one.sha256 == sha256), None)
        before = vault.openings[: vault.openings.index(known)] if known else vault.openings
        best = replace(vault, openings=before).best(greater_is_better=metric.greater_is_better)
        needed = margin(len(before)) if before else 0.0
        if known is None:
            known = _judge(run, problem, y, best, needed, sha256)
            vault = with_opening(vault, known)
            write_vault(home, vault)  # before anything is shown
    return Look(run=run, opening=known, vault=vault, best=best, needed=needed, metric=metric.name)


def _vault_of(run: Run, home: Path) -> Vault:
    vault, run_id = read_vault(home), run.record["run_id"]
    if vault is None:
        raise UsageError(
            f"There is no vault in {home}: lock rows away with kpipe vault {run.record['slug']} --share 20%.",
            code="no-vault",
        )
    if recorded_vault(run.record) is None:
        raise UsageError(
            f"{run_id} has trained on the vault's rows: it was made before the vault, or with --all-rows.",
            code="vault-unsuitable",
        )
    if recorded_vault(run.record) != vault.locked.sha256:
        raise UsageError(f"{run_id} was made with another vault than {home / FILE}.", code="vault-unsuitable")
    return vault


def _check_metric(run: Run, vault: Vault, metric: Metric) -> None:
    """Raise UsageError if scores of another metric were shown: changing the metric would give uncounted looks."""
    shown = next((opening.metric for opening in vault.openings if opening.metric), metric.name)
    if shown != metric.name:
        raise UsageError(
            f"{run.record['run_id']} is scored by {metric.name}, but this vault was opened with {shown}: the scores "
            f"cannot be compared. Repeat the run with --metric {shown}.",
            code="vault-unsuitable",
        )


def _problem_and_truth(run: Run, home: Path, vault: Vault, data: str | Path | None) -> tuple[Problem, np.ndarray]:
    """The problem of a run, and the true targets of the vault's rows, which the competition's code has not seen."""
    place, changes = run.path / "run.json", {"out": home.parent, **({"data": data} if data else {})}
    request = RunRequest.from_json(run.record["slug"], run.record.get("options"), place=place, **changes)
    competition, files = pipeline.read_competition(request)
    if files.source.origin != "sample" and (changed := changed_files(vault, files.source)):
        raise DataError(
            f"The vault was made from other files than those in {files.source.path}: {', '.join(changed)} changed or "
            "missing. Name the files that it was made from with --data.",
            code="vault-mismatch",
        )
    problem = pipeline.prepare(request)
    if problem.locked is None:
        raise DataError(
            f"The files of {place} are not found where the run read them: name them with --data.", code="data-not-found"
        )
    files = align_rows(competition, files)
    raw = raw_targets_of(competition, files, problem.targets).iloc[vault.locked.positions(files.train)]
    return problem, _encode(problem, raw)


def _judge(run: Run, problem: Problem, y: np.ndarray, best: Opening | None, needed: float, sha256: str) -> Opening:
    """The opening of a run, with its score if that beats the best one shown so far by enough."""
    metric, predictions = problem.metric, _predictions(run, len(y))
    score = evaluate(metric, y, predictions, groups=problem.vault_blocks)
    shown = best is None or _is_shown(metric, problem, y, predictions, score, best, needed, run.path.parent)
    return Opening(
        run_id=run.record["run_id"],
        sha256=sha256,
        created=_now(),
        score=score.value if shown else None,
        standard_error=score.standard_error if shown and np.isfinite(score.standard_error) else None,
        metric=metric.name,
    )


def _predictions(run: Run, rows: int) -> np.ndarray:
    table = read_parquet(run.path / VAULT_PREDICTIONS)
    predictions = to_numbers(VAULT_PREDICTIONS, table[output_columns(table, ENSEMBLE)])
    if len(predictions) != rows or predictions.shape[1] == 0 or np.isnan(predictions).any():
        raise DataError(
            f"{run.path / VAULT_PREDICTIONS} does not hold a prediction for each row of the vault.", code="broken-run"
        )
    return predictions


def _is_shown(
    metric: Metric,
    problem: Problem,
    y: np.ndarray,
    predictions: np.ndarray,
    score: Score,
    best: Opening,
    needed: float,
    home: Path,
) -> bool:
    """Whether a score beats the best one shown so far by more than ``needed`` standard errors of the difference."""
    before = Score(
        value=best.score if best.score is not None else float("nan"),
        standard_error=best.standard_error or 0.0,
        rows=len(y),
    )
    gain, error = gain_over(metric, score, before)
    try:
        other = _predictions(Run(path=home / best.run_id, record={}), len(y))
        error = paired_standard_error(metric, y, other, predictions, groups=problem.vault_blocks)
    except KpipeError:
        pass  # the best run was deleted: the two scores then count as independent
    return bool(gain > needed * error)
