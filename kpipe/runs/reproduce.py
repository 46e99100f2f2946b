"""Read the request of a finished run, to repeat it, and compare the bytes of both runs.

A run's record is data that anybody may have written: everything in it is validated.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpipe.competitions import is_slug
from kpipe.core.devices import resolve_device
from kpipe.core.request import RunRequest
from kpipe.errors import DataError, UsageError
from kpipe.runs.differences import differences
from kpipe.runs.provenance import recorded_inputs
from kpipe.runs.recorded import recorded_vault
from kpipe.runs.rerun import RerunSpec
from kpipe.runs.run import Run, refuse_blend
from kpipe.runs.tables import read_parquet
from kpipe.runs.vault import FILE, read_vault
from kpipe.training.cross_validation import Fits, ShortenedFits

__all__ = ["Reproduction", "compare_reproduction", "request_to_reproduce", "rerun_spec"]

_MACHINE = ("system", "processor")
_MAX_THREADS = 4096


def request_to_reproduce(first: Run, *, out: Path, data: str | Path | None = None) -> tuple[RunRequest, RerunSpec]:
    """The request that repeats a finished run from scratch: exactly its fits, whatever its budget allowed.

    Parameters
    ----------
    first : Run
        The run to reproduce.
    out : Path
        The folder in which the second run works.
    data : str or Path, optional
        Where the files are now; by default where they were.

    Returns
    -------
    request : RunRequest
    rerun : RerunSpec

    Raises
    ------
    UsageError
        If the run is a blend of runs, or a version of kpipe made it that did not record its options.
    DataError
        If its record is broken.
    """
    rerun, record, place = rerun_spec(first), first.record, first.path / "run.json"
    if not is_slug(record["slug"]):
        raise DataError(f"{place}: {record['slug']!r} is not the slug of a competition.", code="broken-run")
    fits = rerun.fits or {}
    changes: dict[str, Any] = {"models": list(fits), "device": _device(record.get("device")), "budget": None}
    changes |= {"name": None, "note": None}
    changes |= {"jobs": _count(record, "jobs"), "out": out, **({"data": data} if data else {})}
    changes |= _vault(first, out)
    request = RunRequest.from_json(record["slug"], record.get("options"), place=place, **changes)
    return request, rerun


def rerun_spec(first: Run) -> RerunSpec:
    """The settings to take over from a finished run to repeat it: its fits, and the threads of each fit.

    Parameters
    ----------
    first : Run
        A finished run.

    Returns
    -------
    RerunSpec

    Raises
    ------
    UsageError
        If the run is a blend of runs.
    DataError
        If its record does not say which fits it made.
    """
    refuse_blend(first)
    record = first.record
    fits = _fits(record, first.path / "run.json")
    then, steps = _inputs(record, tuple(fits)), _shortened(record, first.path / "run.json")
    of = str(record.get("run_id"))
    return RerunSpec(then=then, threads=_count(record, "threads"), fits=fits, steps=steps, of=of)


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A run and its reproduction, compared.

    Parameters
    ----------
    first, second : Run
        The run, and the run that was made again. If ``same``, the folder of the second is removed.
    same : bool
        Whether both submissions have the same bytes.
    differs : tuple of str
        Phrases on what differs in their inputs and results.
    """

    first: Run
    second: Run
    same: bool
    differs: tuple[str, ...]


def compare_reproduction(first: Run, second: Run) -> Reproduction:
    """Compare a run with its reproduction, byte by byte, and remove the reproduction's folder if they are equal.

    Parameters
    ----------
    first, second : Run
        The run, and the run that was made again.

    Returns
    -------
    Reproduction
    """
    models = tuple(str(model["name"]) for model in second.record["models"])
    same = second.record["submission"]["sha256"] == first.record.get("submission", {}).get("sha256")
    differs = differences(_inputs(first.record, models), _inputs(second.record, models))
    if same:
        shutil.rmtree(second.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds other runs
            second.path.parent.rmdir()
    else:
        differs += _differing_results(first, second)
    return Reproduction(first=first, second=second, same=same, differs=tuple(differs))


def _fits(record: Mapping[str, Any], place: Path) -> Fits:
    """Model → seed → folds, from a record. Raises DataError if it does not hold what kpipe writes."""
    try:
        fits = {
            str(model["name"]): {int(seed): [int(fold) for fold in folds] for seed, folds in model["fits"].items()}
            for model in record["models"]
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _no_fits(place, f"{type(error).__name__}: {error}") from error
    if not fits or not all(seeds and min(seeds) >= 0 for seeds in fits.values()):
        raise _no_fits(place, "each model must have seeds, at least 0")
    last = record.get("folds")  # fits on all rows have this number
    every = [folds for seeds in fits.values() for folds in seeds.values()]
    if not isinstance(last, int) or not all(_are_folds(folds, last) for folds in every):
        raise _no_fits(place, f"folds must be different numbers from 0 to {last!r}; got {fits!r:.200}")
    return fits


def _shortened(record: Mapping[str, Any], place: Path) -> ShortenedFits:
    """Name of a fit → the steps of its networks, from a record. Raises DataError if they are no steps."""
    found: ShortenedFits = record.get("shortened") or {}
    for nets in found.values():
        if not all(len(steps) == 2 and 0 < steps[1] <= steps[0] for steps in nets):
            raise _no_fits(place, f"shortened fits must have two numbers of steps each; got {nets!r:.200}")
    return found


def _vault(first: Run, out: Path) -> dict[str, Any]:
    """Train on all rows where the run had no vault. Raises UsageError if it had one that is not in force in ``out``."""
    made_with = recorded_vault(first.record)
    if made_with is None:
        return {"all_rows": True}
    home = out / first.record["slug"]
    if (vault := read_vault(home)) is None or vault.locked.sha256 != made_with:
        raise UsageError(
            f"{first.record['run_id']} was made with a vault that is not in {home}. Reproduce the run with --out "
            f"in the folder that holds it, or copy its {FILE} there.",
            code="no-vault",
        )
    return {}


def _no_fits(place: Path, reason: str) -> DataError:
    return DataError(f"{place} does not say which fits the run made: {reason}.", code="broken-run")


def _are_folds(folds: Sequence[int], last: int) -> bool:
    return bool(folds) and len(set(folds)) == len(folds) and min(folds) >= 0 and max(folds) <= last


def _count(record: Mapping[str, Any], name: str) -> int | None:
    machine = record.get("machine")
    value = machine.get(name) if isinstance(machine, dict) else None
    return value if isinstance(value, int) and 0 < value <= _MAX_THREADS else None


def _device(name: object) -> str:
    """The device of the first run, if this machine has it; otherwise the best one, which counts as a difference."""
    try:
        return resolve_device(str(name))
    except UsageError:
        return "auto"


def _inputs(record: Mapping[str, Any], models: tuple[str, ...]) -> dict[str, Any]:
    """The inputs that a record holds; the models are those that were actually trained."""
    inputs, machine = recorded_inputs(record), record.get("machine")
    settings = inputs["settings"]
    return {
        **inputs,
        "settings": {**settings, "models": list(models)} if isinstance(settings, dict) else None,
        "machine": {name: machine.get(name) for name in _MACHINE} if isinstance(machine, dict) else None,
    }


def _differing_results(first: Run, second: Run) -> list[str]:
    """Phrases on how far the submissions and the models' predictions differ."""
    try:
        content = (first.path / "submission.csv").read_bytes()
        one, two = first.submission, second.submission
        old, new = (read_parquet(run.path / "test.parquet") for run in (first, second))
    except (OSError, ValueError, LookupError, DataError) as error:
        return [f"submission: the first one cannot be read: {error}"]
    if hashlib.sha256(content).hexdigest() != first.record["submission"]["sha256"]:
        return ["submission: the file was changed after the run wrote it"]
    if len(one) != len(two):
        return [f"submission: had {len(one)} rows, has {len(two)}"]
    if list(one.columns) != list(two.columns):
        return [f"submission: had the columns {', '.join(one.columns)}; has {', '.join(two.columns)}"]
    rows = int((one.astype(str) != two.astype(str)).any(axis=1).sum())
    found = [f"submission: {rows} of {len(one)} rows differ"]
    for name in old.columns.intersection(new.columns):
        if len(old) == len(new) and old[name].dtype.kind == new[name].dtype.kind == "f":
            most = np.nanmax(np.abs(old[name] - new[name]), initial=0.0)
            found += [f"predictions: {name} differs by up to {most:.2g}"] if most > 0 else []
    return found
