"""Several runs: a list of them, and those that can be deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import get_console, print_table, print_text
from kpipe.cli.console.selection_bias import print_selection_bias
from kpipe.core.formatting import format_with_error
from kpipe.errors import printable
from kpipe.runs.prune import Removable
from kpipe.runs.selection_bias import SelectionBias

__all__ = ["print_removable", "print_runs"]


def print_runs(
    runs: Sequence[Mapping[str, Any]],
    *,
    slug: str | None = None,
    meant: str = "",
    biases: Mapping[str, SelectionBias | None] = {},
    expected: Mapping[str, str] = {},
) -> None:
    """Print a table for each competition and metric to stdout, with a row for each run.

    Parameters
    ----------
    runs : sequence of mapping
        Summaries of runs, see ``kpipe.runs.prune.summarize``.
    slug : str, optional
        The competition that was asked for, if only one was.
    meant : str
        Where there are no runs: a question that names the competition that was probably meant, after a blank.
    biases : mapping of str to SelectionBias
        Metric to the selection bias among its runs, which is printed below its table.
    expected : mapping of str to str
        Metric to the forecast of its best run, after choosing, which is printed below that.
    """
    console = get_console()
    if not runs:
        of = f" of {printable(slug)}" if slug else ""
        console.print(f"No finished runs{of} found.{meant} To make one: kpipe run SLUG", markup=False)
    for key in dict.fromkeys((run["slug"], run["metric"]) for run in runs):
        print_table(console, _table(": ".join(key), [run for run in runs if (run["slug"], run["metric"]) == key]))
        print_selection_bias(biases.get(key[1]), console)
        if text := expected.get(key[1]):
            console.print(f"Expected of it on the leaderboard: {text}", markup=False)


def _table(title: str, runs: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=printable(title), title_justify="left")
    table.add_column("run", no_wrap=True)
    table.add_column("score ± standard error", no_wrap=True, justify="right")
    table.add_column("models", overflow="fold")
    table.add_column("seconds", no_wrap=True, justify="right")
    table.add_column("notes", overflow="fold")
    for run in runs:
        table.add_row(*(Text(printable(cell)) for cell in _cells(run)))
    return table


def _cells(run: Mapping[str, Any]) -> tuple[str, ...]:
    notes = [run["note"]] if run.get("note") else []
    notes += [f"{status}: {', '.join(names)}" for status, names in run["not_passed"].items() if status != "skipped"]
    if run["submitted"]:
        notes.append("submitted" if run["public_score"] is None else f"public {run['public_score']}")
    seconds = "" if run["seconds"] is None else f"{run['seconds']:.0f}"
    score = format_with_error(run["score"], run["standard_error"])
    named = f"{run['run_id']}\n{run['name']}" if run.get("name") else run["run_id"]
    return named, score, ", ".join(run["models"]), seconds, "; ".join(notes)


def print_removable(runs: Sequence[Removable], *, removing: bool) -> None:
    """Print the runs that can be deleted, and their sizes, to stdout.

    Parameters
    ----------
    runs : sequence of Removable
        The folders, their sizes and the reasons.
    removing : bool
        Whether they are about to be deleted.
    """
    console = get_console()
    for run in runs:
        line = f"{run.size / 2**20:8.1f} MiB  {printable(str(run.path))}: {run.why}"
        print_text(console, line)
    total = f"{len(runs)} folder{'s' * (len(runs) != 1)}, {sum(run.size for run in runs) / 2**20:.1f} MiB"
    if not runs:
        console.print("Nothing to delete.")
    elif removing:
        console.print(f"Deleting {total}.")
    else:
        console.print(f"{total}. Nothing was deleted: to delete, add --yes.")
