"""How a run was asked for: what ``call.json`` holds while it works, and what is said of runs that never ended."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpipe.core.values import Folds, Tables
from kpipe.errors import DataError, UsageError
from kpipe.problem.competition import Competition
from kpipe.runs.provenance import RerunSpec, differences, machine, made_of
from kpipe.runs.store import RunFolder, UnfinishedRun, key_of, unfinished
from kpipe.training.cross_validation import n_parallel, threads_for

__all__ = ["as_given", "call_of", "notes_on", "options_from"]

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+(-\d+)?")
_SHOWN = 3  # unfinished runs of which a new one tells
_KINDS = {
    **dict.fromkeys(("data", "metric", "id", "split", "device"), ("text",)),
    **dict.fromkeys(("models", "text", "drop"), ("a list of text",)),
    **dict.fromkeys(("folds", "jobs"), ("a whole number",)),
    "budget": ("a number",),
    "target": ("text", "a list of text"),
    "seed": ("a list of whole numbers",),
}


def call_of(
    competition: Competition,
    tables: Tables,
    folds: Folds,
    *,
    models: Sequence[str],
    device: str,
    options: Mapping[str, Any],
    again: RerunSpec,
) -> dict[str, Any]:
    """What ``call.json`` holds, JSON types; its ``key`` names everything that results depend on.

    Raises UsageError where a run that is gone on with would be made of other things than it was.
    """
    made = made_of(competition, tables, models, seed=options["seed"], folds=len(folds.train), device=device)
    if again.made is not None and (changed := differences(again.made, made)):
        raise UsageError(
            f"The unfinished run cannot be gone on with, since what it is made of has changed. {'; '.join(changed)}. "
            f"Start anew with kpipe run {competition.slug}; the old folder can be deleted."
        )
    fits = len(models) * len(options["seed"]) * (len(folds.train) + folds.refit)
    lanes = n_parallel(fits, jobs=options["jobs"], device=device)
    call = {"schema": 1, "slug": competition.slug, "key": key_of({**made, "reproduces": again.of})}
    call |= {"reproduces": again.of, "jobs": lanes, "threads": again.threads or threads_for(lanes)}
    return json.loads(json.dumps({**call, "options": options, "made_of": made}))


def as_given(data: str | Path | None) -> str | None:
    """A path that means the same in every folder; a word that is none, such as "sample", as it is."""
    if data is None or not os.path.exists(Path(data).expanduser()):
        return data if data is None else str(data)
    return str(Path(data).expanduser().resolve())


def options_from(call: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """The options of ``kpipe.run`` that a ``call.json`` or ``run.json`` holds, from wherever it is: it is not trusted.

    Raises DataError where they are not what they must be, UsageError where there are none.
    """
    options = call.get("options")
    if options is None:
        raise UsageError(f"{place} does not say with which options it was made: an earlier kpipe wrote it.")
    if not isinstance(options, dict):
        raise DataError(f"{place}: options must be an object, however: {type(options).__name__}.")
    for name, value in options.items():
        if name not in _KINDS:
            raise DataError(f"{place}: there is no option {name!r}.")
        if value is not None and not any(_is(value, kind) for kind in _KINDS[name]):
            raise DataError(f"{place}: the option {name!r} must be {' or '.join(_KINDS[name])}, however: {value!r}.")
    return {name: value for name, value in options.items() if value is not None}


def _is(value: object, kind: str) -> bool:
    if kind.startswith("a list of "):
        return isinstance(value, list) and all(_is(item, kind.removeprefix("a list of ")) for item in value)
    if kind == "text":
        return isinstance(value, str) and "\0" not in value
    numbers = int if "whole" in kind else (int, float)
    return isinstance(value, numbers) and not isinstance(value, bool) and 0 <= value < float("inf")


def notes_on(space: RunFolder, again: RerunSpec) -> tuple[str, ...]:
    """Sentences on what has changed since a run that is reproduced, and on unfinished runs that nobody works on."""
    if again.then is not None:
        here = {**space.call["made_of"], "machine": machine()}
        changed = differences(again.then, here)
        return (f"Since {again.of} was made, this has changed: {'; '.join(changed)}.",) if changed else ()
    home = space.path.parent
    found = [other for other in unfinished(home.parent, home.name) if other.path != space.path and not other.at_work]
    return tuple(_said(other, space.call["made_of"]) for other in found[-_SHOWN:])


def _said(other: UnfinishedRun, made: Mapping[str, Any]) -> str:
    before = other.call.get("made_of")
    changed = differences(before, made) if isinstance(before, dict) else ["code: of another kpipe"]
    lies = f"An unfinished run lies in {other.path} ({'; '.join(changed) or 'the same but for its name'})."
    if _useless(changed):
        return f"{lies} Nothing can go on with it any more: its folder can be deleted."
    again = str(other.call.get("reproduces"))
    command = f"kpipe reproduce {again}" if _RUN_ID.fullmatch(again) else f"kpipe run --resume {other.key}"
    return f"{lies} {command} goes on with it, or its folder can be deleted."


def _useless(changed: Sequence[str]) -> bool:
    return any(change.startswith(("code", "versions")) for change in changed)
