"""What a run would do: the fields of a competition, their values and their reasons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import SAMPLE_WARNING, get_console, print_table
from kpipe.core.request import COMPETITION_OPTIONS, FILE_OPTIONS, RunRequest
from kpipe.data.pixels import FILE_COLUMNS, shown_columns
from kpipe.problem.blocks import time_column
from kpipe.problem.inference.text_columns import SEE_SHOW
from kpipe.problem.problem import Problem
from kpipe.problem.settings import Settings, settings_of
from kpipe.training.fold_dates import fold_dates
from kpipe.training.folds import make_folds

__all__ = ["describe", "print_competition"]

_LONGEST_LIST, _FIRST_ITEMS = 20, 10  # items of a list shown whole, and of a longer one

# The options that set a field.
_OPTIONS = {
    "id": "--id",
    "target": "--target",
    "task": "--metric",
    "groups": "--split",
    "columns": "--drop, --text",
    "features": "a module can set others",
    "splitter": "--split, --folds",
    "weights": "--weights",
    "models": "--model",
}
_INFERRED_LISTS = {  # where models are inferred
    "default": "the models of a run without --model",
    "budgeted": "the models that --budget adds; a longer training of a model replaces its shorter one",
}
# The options that set a field, if they are given or in kpipe.toml, by their names in a request.
_SETTERS = {
    **{name: (name,) for name in ("data", "id", "target", "metric")},
    **{"splitter": ("split",), "groups": ("split",), "columns": ("drop", "text")},
}


def describe(problem: Problem, request: RunRequest | None = None) -> dict[str, Any]:
    """Return a problem as JSON types.

    Parameters
    ----------
    problem : Problem
    request : RunRequest, optional
        Its request, which may have taken options from ``kpipe.toml``.

    Returns
    -------
    dict
        Each field with its value; under ``inferred`` the reason of each inferred field, and under ``guesses`` the
        fields whose value the files cannot prove. ``conversions`` and ``columns_left_out`` name columns.
    """
    tables = problem.tables
    return {
        "slug": problem.slug,
        "data": f"{tables.source.origin}: {tables.source.path}",
        "rows": {"train": len(tables.train), "test": len(tables.test)},
        "id": problem.id,
        "target": list(problem.targets),
        "task": problem.task,
        "metric": problem.metric.name,
        "columns": list(problem.columns),
        "features": None if problem.features is None else repr(problem.features),
        "splitter": repr(problem.splitter),
        **_fold_dates(problem),
        "groups": problem.groups,
        **({"weights": _weights(problem)} if problem.weights else {}),
        "models": list(problem.models),
        "default": list(problem.default),
        **({"budgeted": list(problem.budgeted)} if problem.budgeted else {}),
        **({"notes": list(tables.source.notes)} if tables.source.notes else {}),
        **_kpipe_toml(request),
        "inferred": {name: reason.text for name, reason in problem.reasons.items()},
        "guesses": [name for name, reason in problem.reasons.items() if reason.guess],
        "conversions": dict(problem.conversions),
        "columns_left_out": dict(problem.left_out),
    }


def _kpipe_toml(request: RunRequest | None) -> dict[str, Any]:
    """The workspace's file, the settings that count here, and all that it says about the competition."""
    settings = None if request is None else settings_of(request)
    if settings is None:
        return {}
    return {"kpipe_toml": {"file": str(settings.file), "options": list(settings.used), "table": dict(settings.written)}}


def _weights(problem: Problem) -> dict[str, str]:
    """The files of pretrained weights, by what they are for."""
    return {kind: "none" if found is None else found.path for kind, found in problem.weights.items()}


def _fold_dates(problem: Problem) -> dict[str, list[str]]:
    """The field that says what folds by time train on and validate; nothing for other folds."""
    if time_column(problem.splitter) is None:
        return {}
    dates = fold_dates(problem, make_folds(problem))
    return {"folds": dates} if dates else {}


def print_competition(problem: Problem, request: RunRequest) -> None:
    """Print the fields of a problem to stdout, as a table.

    Parameters
    ----------
    problem : Problem
    request : RunRequest
    """
    console, fields = get_console(), describe(problem, request)
    fields.pop("kpipe_toml", None)
    guesses, notes = fields.pop("guesses"), fields.pop("notes", [])
    conversions, left_out = fields.pop("conversions"), fields.pop("columns_left_out")
    reasons = {name: "a guess: " * (name in guesses) + text for name, text in fields.pop("inferred").items()}
    if "models" in reasons:
        reasons |= {name: why for name, why in _INFERRED_LISTS.items() if not getattr(problem.competition, name)}
    print_table(console, _table(problem, request, fields, reasons))
    for note in notes:
        if not note.endswith(SEE_SHOW):  # the lines below name every column
            console.print(Text(note))
    for name, words in conversions.items():
        if not any(note.startswith(f"{name} is {words}") for note in notes):
            console.print(f"{name} is {words}.", markup=False, highlight=False)
    for name, why in left_out.items():
        column = f"'{name}'" if name in FILE_COLUMNS else name
        console.print(f"{column} is left out: {why}.", markup=False, highlight=False)
    if (settings := settings_of(request)) is not None and (further := [*_of_runs(settings)]):
        console.print(Text(f"{settings.file} also sets, for runs: {settings.show(further)}."))
    if problem.tables.source.origin == "sample":
        console.print(SAMPLE_WARNING, style="bold yellow")


def _table(problem: Problem, request: RunRequest, fields: dict[str, Any], reasons: dict[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("field")
    table.add_column("value", overflow="fold")
    table.add_column("why", overflow="fold")
    shown = fields | {"features": _steps(problem.features), "columns": shown_columns(problem.columns)}
    for name, value in shown.items():
        if value is not None:
            table.add_row(name, Text(_format(value)), Text(_reason(name, fields, reasons, _origin(name, request))))
    return table


def _steps(features: Any) -> str | None:
    """A transformer as code on one line; of a pipeline, its steps in their order."""
    if features is None:
        return None
    steps = [step for _, step in features.steps] if hasattr(features, "steps") else [features]
    return ", then ".join(" ".join(_name(step).split()) for step in steps)


def _name(step: Any) -> str:
    """A step as code; of a plain function its name, since its address is of no use."""
    return getattr(getattr(step, "func", None), "__name__", None) or repr(step)


def _of_runs(settings: Settings) -> Iterator[str]:
    """The settings that do not change what a competition is."""
    return (name for name in settings.written if name not in ("data", *FILE_OPTIONS, *COMPETITION_OPTIONS))


def _origin(name: str, request: RunRequest) -> str:
    """Where the options were set that a field's value comes from; "" if none was set."""
    settings = settings_of(request)
    taken = settings.used if settings is not None else ()
    setters = _SETTERS.get(name, ())
    texts = []
    for option in (option for option in setters if getattr(request, option)):
        where = "set in kpipe.toml" if option in taken else f"set by --{option}"
        texts.append(f"{option} {where}" if len(setters) > 1 else where)
    return ", ".join(texts)


def _reason(name: str, fields: dict[str, Any], reasons: dict[str, str], origin: str) -> str:
    """Why a field has its value, and the options that set it."""
    if name in reasons:
        return reasons[name] + (f" ({_OPTIONS[name]})" if name in _OPTIONS else "") + f"; {origin}" * bool(origin)
    if origin:
        return origin
    if name in ("slug", "data", "rows", "folds") or fields[name] is None:
        return ""
    return "all models" if name == "default" and fields[name] == fields["models"] else "set by the competition"


def _format(value: Any) -> str:
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        return f"{len(value)}: {', '.join(value[:_FIRST_ITEMS])}, ..., {value[-1]}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {one:,}" if isinstance(one, int) else f"{name}: {one}" for name, one in value.items())
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
