"""Several runs: a list of them, and those that can be deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
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

__all__ = ["print_no_runs", "print_removable", "print_runs"]


def print_runs(
    title: str, runs: Sequence[Mapping[str, Any]], *, bias: SelectionBias | None = None, expected: str = ""
) -> None:
    """Print a table of runs to stdout, with a row for each, and the best score corrected for selection bias.

    Parameters
    ----------
    title : str
        The competition, the metric and, if need be, the files.
    runs : sequence of mapping
        Summaries of comparable runs, see ``kpipe.runs.listing.summarize``.
    bias : SelectionBias, optional
        The selection bias of the best of them.
    expected : str
        The forecast of the best run, after choosing.
    """
    console = get_console()
    print_table(console, _table(title, runs))
    print_selection_bias(bias, console)
    if expected:
        console.print(f"Expected on the leaderboard: {expected}", markup=False)


def print_no_runs(out: Path, *, slug: str | None, model: str | None, meant: str) -> None:
    """Print that no run was found, and where they were looked for.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    slug, model : str or None
        The competition and the model that the user asked for.
    meant : str
        A question that names the competition that was probably meant, after a blank; may be empty.
    """
    of = f" of {slug}" * bool(slug) + f" with the model {model}" * bool(model)
    print_text(
        get_console(), printable(f"No finished runs{of} found in {out}.{meant} To make one: kpipe run {slug or 'SLUG'}")
    )


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
