"""Make a run again: read the request of an unfinished or a finished run, and compare two runs' bytes.

Both read a folder's ``call.json`` or ``run.json`` as data: whatever it holds is validated, whoever wrote it. The
training is ``kpipe.pipeline``'s.
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
import pandas as pd

from kpipe.competitions import is_slug
from kpipe.core.devices import resolve_device
from kpipe.core.request import RunRequest
from kpipe.errors import DataError, UsageError
from kpipe.runs.provenance import RerunSpec, differences
from kpipe.runs.run import Run, refuse_blend
from kpipe.runs.unfinished import CALL, UnfinishedRun, find_unfinished
from kpipe.training.cross_validation import Fits

__all__ = ["Reproduction", "compare_reproduction", "request_to_reproduce", "request_to_resume"]

_MACHINE = ("system", "processor")
_MOST_THREADS = 4096


def request_to_resume(
    name: str, *, out: Path, slug: str | None = None, changes: Mapping[str, Any]
) -> tuple[RunRequest, RerunSpec]:
    """The request with which an unfinished run was started, and what its inputs must still be.

    Parameters
    ----------
    name : str
        Its folder, or the key in the folder's name.
    out : path
        Folder of runs, in which a key is looked up.
    slug : str, optional
        The competition that the run must be of.
    changes : mapping
        Options that replace those of the run: ``data``, ``jobs``, ``budget``. None leaves an option as it was.

    Returns
    -------
    tuple of RunRequest and RerunSpec

    Raises
    ------
    UsageError
        If there is no such run, a process works on it, it belongs to another competition, or it is a reproduction.
    DataError
        If its file does not hold what kpipe writes.
    """
    found = _find_one(name, out)
    place = found.path / CALL
    if found.at_work:
        raise UsageError(f"A run is at work in {found.path}: wait until it has finished.")
    if not found.call:
        raise UsageError(f"{place} does not say how the run was started: give the same kpipe run command again.")
    own = found.call.get("slug")
    if not isinstance(own, str) or not is_slug(own) or own != found.path.parent.name:
        raise DataError(f"{place}: slug must be that of the folder, {found.path.parent.name!r}; got {own!r}.")
    if slug not in (None, own):
        raise UsageError(f"{found.path} is a run of {own}, not of {slug}: omit the competition.")
    if reproduced := found.call.get("reproduces"):
        raise UsageError(f"{found.path} is a reproduction: resume it with kpipe reproduce {reproduced}.")
    given = {name: value for name, value in changes.items() if value is not None}
    out = found.path.parent.parent
    request = RunRequest.from_json(own, found.call.get("options"), place=place, **given, out=out)
    inputs = found.call.get("inputs")
    return request, RerunSpec(inputs=inputs if isinstance(inputs, dict) else {})


def _find_one(name: str, out: Path) -> UnfinishedRun:
    folder = Path(name)
    if "/" in name or folder.is_dir():
        folder = folder.resolve()
        beside = find_unfinished(folder.parent.parent, folder.parent.name)
        candidates = [found for found in beside if found.path == folder]
    else:
        candidates = [found for found in find_unfinished(out) if name in (found.key, found.path.name)][:1]
    if not candidates:
        known = [f"{found.key} ({found.path.parent.name}, {found.parts} fits)" for found in find_unfinished(out)]
        listed = f"These can be resumed: {'; '.join(known)}." if known else f"There are none under {out}."
        raise UsageError(f"There is no unfinished run {name!r}. {listed}")
    return candidates[0]


def request_to_reproduce(first: Run, *, out: Path, data: str | Path | None = None) -> tuple[RunRequest, RerunSpec]:
    """The request that makes a finished run again from nothing: the same fits, whatever its budget skipped.

    Parameters
    ----------
    first : Run
    out : path
        Folder in which the second run works.
    data : str or path, optional
        Where the files are now; by default where they were.

    Returns
    -------
    tuple of RunRequest and RerunSpec

    Raises
    ------
    UsageError
        If the run is a blend of runs, or was made by a version of kpipe that did not record its options.
    DataError
        If its record is broken.
    """
    refuse_blend(first)
    record, place = first.record, first.path / "run.json"
    fits = _fits(record, place)
    if not is_slug(record["slug"]):
        raise DataError(f"{place}: {record['slug']!r} is not the slug of a competition.")
    changes: dict[str, Any] = {"models": list(fits), "device": _device(record.get("device")), "budget": None}
    changes |= {"jobs": _count(record, "jobs"), "out": out, **({"data": data} if data else {})}
    request = RunRequest.from_json(record["slug"], record.get("options"), place=place, **changes)
    then = _inputs(record, tuple(fits))
    rerun = RerunSpec(then=then, threads=_count(record, "threads"), fits=fits, of=str(record.get("run_id")))
    return request, rerun


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A run and its reproduction, compared.

    Attributes
    ----------
    first, second : Run
        The run, and the one that was made again. Where both have the same bytes, the second's folder is removed.
    same : bool
        Whether the submissions have the same bytes.
    differs : tuple of str
        Phrases on what differs in their inputs and results.
    """

    first: Run
    second: Run
    same: bool
    differs: tuple[str, ...]


def compare_reproduction(first: Run, second: Run) -> Reproduction:
    """Compare a run with its reproduction, byte by byte.

    Parameters
    ----------
    first, second : Run

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
        differs += _outcomes(first, second)
    return Reproduction(first=first, second=second, same=same, differs=tuple(differs))


def _fits(record: Mapping[str, Any], place: Path) -> Fits:
    """Model → seed → folds, as recorded. Raises DataError where that is not what it must be."""
    try:
        fits = {
            str(model["name"]): {int(seed): [int(fold) for fold in folds] for seed, folds in model["fits"].items()}
            for model in record["models"]
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{place} does not say which fits were made: {type(error).__name__}: {error}.") from error
    if not fits or not all(seeds and min(seeds) >= 0 and all(seeds.values()) for seeds in fits.values()):
        raise DataError(f"{place} does not say which fits were made: models must have seeds, and seeds folds.")
    last = record.get("folds")  # as a fold's number: all rows
    if not isinstance(last, int) or not all(
        _are_folds(folds, last) for seeds in fits.values() for folds in seeds.values()
    ):
        raise DataError(
            f"{place} does not say which fits were made: folds must be different numbers from 0 to {last!r}, however: "
            f"{fits!r:.200}."
        )
    return fits


def _are_folds(folds: Sequence[int], last: int) -> bool:
    return bool(folds) and len(set(folds)) == len(folds) and min(folds) >= 0 and max(folds) <= last


def _count(record: Mapping[str, Any], name: str) -> int | None:
    machine = record.get("machine")
    value = machine.get(name) if isinstance(machine, dict) else None
    return value if isinstance(value, int) and 0 < value <= _MOST_THREADS else None


def _device(name: object) -> str:
    """The device of then, where it is here as well; else the best there is, which the account then names."""
    try:
        return resolve_device(str(name))
    except UsageError:
        return "auto"


def _inputs(record: Mapping[str, Any], models: tuple[str, ...]) -> dict[str, Any]:
    """The inputs of a run, as its record holds them; of the models those that were trained in the end."""
    data, settings, machine = (record.get(name) for name in ("data", "settings", "machine"))
    return {
        "files": data.get("files") if isinstance(data, dict) else None,
        "code": record.get("code"),
        "versions": record.get("versions"),
        "settings": {**settings, "models": list(models)} if isinstance(settings, dict) else None,
        "machine": {name: machine.get(name) for name in _MACHINE} if isinstance(machine, dict) else None,
    }


def _outcomes(first: Run, second: Run) -> list[str]:
    """How far what two runs gave is apart: the submission's rows, and which models' predictions."""
    try:
        content = (first.path / "submission.csv").read_bytes()
        one, two = first.submission, second.submission
        old, new = (pd.read_parquet(each.path / "test.parquet") for each in (first, second))
    except (OSError, ValueError, KeyError) as error:
        return [f"submission: that of then cannot be read: {error}"]
    if hashlib.sha256(content).hexdigest() != first.record["submission"]["sha256"]:
        return ["submission: the file was changed after the run wrote it"]
    if one.shape != two.shape:
        return [f"submission: had {one.shape[0]} rows, has {two.shape[0]}"]
    rows = int((one.astype(str) != two.astype(str)).any(axis=1).sum())
    apart = [f"submission: {rows} of {len(one)} rows differ"]
    for name in old.columns.intersection(new.columns):
        if len(old) == len(new) and old[name].dtype.kind == new[name].dtype.kind == "f":
            most = np.nanmax(np.abs(old[name] - new[name]), initial=0.0)
            apart += [f"predictions: {name} differs by up to {most:.2g}"] if most > 0 else []
    return apart
