"""What a run would do: the fields of a competition, their values and their reasons."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import SAMPLE_WARNING, get_console, print_table
from kpipe.core.metrics import Metric
from kpipe.core.values import Tables
from kpipe.problem.competition import Competition

__all__ = ["describe", "print_competition"]

_LONGEST_LIST, _FIRST_ITEMS = 20, 10  # items of a list shown whole, and of a longer one

# The options that set a field.
_OPTIONS = {
    "id": "--id",
    "target": "--target",
    "task": "--metric",
    "groups": "--split",
    "columns": "--drop, --text",
    "features": "set in a module",
    "splitter": "--split, --folds",
    "models": "--model",
}


def describe(competition: Competition, tables: Tables) -> dict[str, Any]:
    """Return a competition as JSON types.

    Parameters
    ----------
    competition : Competition
        With every field inferred.
    tables : Tables
        Its tables.

    Returns
    -------
    dict
        Each field with its value and, under ``inferred``, the reason of each inferred field.
    """
    metric = competition.metric
    assert isinstance(metric, Metric)
    assert competition.columns is not None
    assert competition.models is not None
    values = {
        "slug": competition.slug,
        "data": f"{tables.source.origin}: {tables.source.path}",
        "rows": {"train": len(tables.train), "test": len(tables.test)},
        "id": competition.id,
        "target": list(competition.targets),
        "task": competition.task,
        "metric": metric.name,
        "columns": list(competition.columns),
        "features": None if competition.features is None else repr(competition.features),
        "splitter": repr(competition.splitter),
        "groups": competition.groups,
        "models": list(competition.models),
        "default": list(competition.default or competition.models),
        **({"budgeted": list(competition.budgeted)} if competition.budgeted else {}),
    }
    reasons = {name: ("a guess: " if r.guess else "") + r.text for name, r in competition.inferred.items()}
    return {**values, "inferred": reasons}


def print_competition(competition: Competition, tables: Tables) -> None:
    """Print the fields of a competition to stdout, as a table.

    Parameters
    ----------
    competition : Competition
        With every field inferred.
    tables : Tables
        Its tables.
    """
    console = get_console()
    fields = describe(competition, tables)
    reasons = fields.pop("inferred")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("field")
    table.add_column("value", overflow="fold")
    table.add_column("why", overflow="fold")
    for name, value in fields.items():
        table.add_row(name, Text(_format(value)), Text(_reason(name, fields, reasons)))
    print_table(console, table)
    if tables.source.origin == "sample":
        console.print(SAMPLE_WARNING, style="bold yellow")


def _reason(name: str, fields: dict[str, Any], reasons: dict[str, str]) -> str:
    """Why a field has its value, and the options that set it."""
    if name in reasons:
        return reasons[name] + (f" ({_OPTIONS[name]})" if name in _OPTIONS else "")
    if name in ("slug", "data", "rows") or fields[name] is None:
        return ""
    return "all models" if name == "default" and fields[name] == fields["models"] else "set by the competition"


def _format(value: Any) -> str:
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        return f"{len(value)}: {', '.join(value[:_FIRST_ITEMS])}, ..., {value[-1]}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:,}" for name, number in value.items())
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
