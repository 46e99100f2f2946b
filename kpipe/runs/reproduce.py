"""A run made again: ``resume`` goes on with one that never ended, ``reproduce`` makes a finished one from nothing.

Both take a folder's ``call.json`` or ``run.json`` for data: what they hold is checked, whoever wrote it.
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
from kpipe.errors import DataError, UsageError
from kpipe.pipeline import run
from kpipe.runs.calls import options_from
from kpipe.runs.find import find_run
from kpipe.runs.provenance import Fits, RerunSpec, differences
from kpipe.runs.store import CALL, Run, UnfinishedRun, refuse_blend, unfinished

__all__ = ["Reproduction", "reproduce", "resume"]

_MACHINE = ("system", "processor")
_MOST_THREADS = 4096


def resume(name: str, *, out: str | Path = "submissions", slug: str | None = None, **given: Any) -> Run:
    """Go on with an unfinished run, with the options that it was begun with.

    name : its folder, or the key in the folder's name. slug : which competition it must be of.
    given : ``data``, ``jobs`` and ``budget`` instead of those it was begun with, and what else ``kpipe.run`` takes.
    Raises UsageError where there is no such run, a run is at work on it, or what it is made of has changed, naming it.
    """
    found = _unfinished(name, Path(out))
    place = found.path / CALL
    if found.at_work:
        raise UsageError(f"A run is at work in {found.path}: wait until it has ended.")
    if not found.call:
        raise UsageError(f"{place} does not say how the run was begun: give the same kpipe run command again.")
    own = found.call.get("slug")
    if not isinstance(own, str) or not is_slug(own) or own != found.path.parent.name:
        raise DataError(f"{place}: slug must be that of the folder, {found.path.parent.name!r}, however: {own!r}.")
    if slug not in (None, own):
        raise UsageError(f"{found.path} is a run of {own}, not of {slug}: leave the competition out.")
    if again := found.call.get("reproduces"):
        raise UsageError(f"{found.path} is a reproduction: kpipe reproduce {again} goes on with it.")
    options = options_from(found.call, place) | {name: value for name, value in given.items() if value is not None}
    made = found.call.get("made_of")
    return run(
        own, **options, out=found.path.parent.parent, again=RerunSpec(made=made if isinstance(made, dict) else {})
    )


def _unfinished(name: str, out: Path) -> UnfinishedRun:
    folder = Path(name)
    if "/" in name or folder.is_dir():
        folder = folder.resolve()
        candidates = [found for found in unfinished(folder.parent.parent, folder.parent.name) if found.path == folder]
    else:
        candidates = [found for found in unfinished(out) if name in (found.key, found.path.name)][:1]
    if not candidates:
        known = [f"{found.key} ({found.path.parent.name}, {found.parts} fits)" for found in unfinished(out)]
        can = f"What can: {'; '.join(known)}." if known else f"There is none under {out}."
        raise UsageError(f"There is no unfinished run {name!r} to go on with. {can}")
    return candidates[0]


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of making a run again.

    first, second : the run, and the one that was made again; of the same bytes, the second's folder is gone.
    same : the submissions have the same bytes.
    differs : what differs in what they are made of, and in what they gave; phrases.
    """

    first: Run
    second: Run
    same: bool
    differs: tuple[str, ...]


def reproduce(
    name: str, *, out: str | Path = "submissions", data: str | Path | None = None, **told: Any
) -> Reproduction:
    """Make a finished run again, from nothing: the same fits, whatever a clock allowed then; and compare the bytes.

    name : a run's folder, or its id under ``out``, where the second run works as well. Killed, it goes on when it is
    called again. data : where the files are now; default: where they were.
    Raises UsageError where there is no such run or it does not say how it was made, DataError where it is broken.
    """
    first = find_run(name, Path(out))
    refuse_blend(first)
    record, place = first.record, first.path / "run.json"
    options, fits = options_from(record, place), _fits(record, place)
    options |= {"data": data or options.get("data"), "models": list(fits), "device": _device(record.get("device"))}
    options |= {"jobs": _count(record, "jobs"), "budget": None}
    then = _made(record, tuple(fits))
    again = RerunSpec(then=then, threads=_count(record, "threads"), fits=fits, of=str(record.get("run_id")))
    if not is_slug(record["slug"]):
        raise DataError(f"{place}: {record['slug']!r} is no competition's slug.")
    second = run(record["slug"], **options, out=out, again=again, **told)
    same = second.record["submission"]["sha256"] == record.get("submission", {}).get("sha256")
    differs = differences(then, _made(second.record, tuple(fits)))
    if same:
        shutil.rmtree(second.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # other runs are in it
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


def _made(record: Mapping[str, Any], models: tuple[str, ...]) -> dict[str, Any]:
    """What a run is made of, out of its record; of the models those that were trained in the end."""
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
