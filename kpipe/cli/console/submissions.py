"""Submissions: while Kaggle scores one, its scores, and the list of all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import get_console, print_table
from kpipe.core.formatting import format_score, format_with_error
from kpipe.errors import printable
from kpipe.runs.ledger import Entry
from kpipe.studies.result import format_cell

__all__ = ["print_entries", "print_entry", "show_wait"]


@contextlib.contextmanager
def show_wait(entry: Entry, *, left_today: int) -> Iterator[Callable[[float], None]]:
    """Print to stderr that a submission was made and, on Ctrl-C, how to get its score later.

    Parameters
    ----------
    entry : Entry
        The submission.
    left_today : int
        How many more are allowed today.

    Yields
    ------
    callable
        Takes the seconds waited so far, and prints them.
    """
    console = get_console(stderr=True)
    console.print(f"Submitted {entry.file} to {entry.slug} as {entry.ref}; {left_today} left today.", markup=False)
    try:
        yield lambda seconds: console.print(f"Waiting for the score, {seconds:.0f} s ...", markup=False)
    except KeyboardInterrupt as error:
        error.args = (f"The submission was made. To see its score: kpipe submissions {entry.slug}",)
        raise


def print_entry(entry: Entry) -> None:
    """Print the scores of a submission, or why Kaggle could not score it, to stderr.

    Parameters
    ----------
    entry : Entry
        The submission.
    """
    console = get_console(stderr=True)
    if entry.status == "error":
        reason = printable(entry.error) or "it gives no reason"
        console.print(f"Kaggle could not score {entry.ref}: {reason}", style="bold red", markup=False)
    elif entry.status == "complete":
        scores = {"cross-validation": _cv(entry), "public": entry.public_score, "private": entry.private_score}
        known = [f"{name} {value}" for name, value in scores.items() if value is not None and value != ""]
        console.print(f"{entry.slug}, {entry.ref}: {', '.join(known)}.", markup=False)
        _print_surprise(entry, console)


def print_entries(slug: str, entries: Sequence[Entry], *, rank: int | None, fresh: bool) -> None:
    """Print submissions to stdout, the newest first.

    Parameters
    ----------
    slug : str
        The competition.
    entries : sequence of Entry
        Its submissions.
    rank : int or None
        The user's rank on the leaderboard, if known.
    fresh : bool
        Whether the scores were just updated from Kaggle.
    """
    console = get_console()
    if entries:
        print_table(console, _table(slug, entries))
        for entry in entries:
            _print_surprise(entry, console)
    else:
        console.print(f"Nothing was submitted to {slug} from this folder.")
    if rank:
        console.print(f"Rank: {rank:,}.")
    if not fresh and entries:
        console.print("These are the last known scores: updating them requires Kaggle credentials.", style="yellow")


def _table(slug: str, entries: Sequence[Entry]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=f"{slug}: submissions", title_justify="left")
    for name in ("date", "ref", "run", "CV ± standard error", "expected", "public", "private", "status", "message"):
        table.add_column(name, justify="right" if name in ("public", "private") else "left", no_wrap=name == "run")
    for entry in entries:
        scores = (_cv(entry), _expected(entry), format_cell(entry.public_score), format_cell(entry.private_score))
        status = f"{entry.status}: {entry.error}" if entry.error else entry.status
        texts = (entry.date[:16].replace("T", " "), str(entry.ref), entry.run_id or entry.file, *scores)
        table.add_row(*(Text(printable(text)) for text in (*texts, status, entry.message)))
    return table


def _print_surprise(entry: Entry, console: Console) -> None:
    """If the public score lies outside of the forecast, print that and what to look for."""
    if entry.is_unexpected:
        console.print(
            f"The public score {format_score(entry.public_score)} of {entry.ref} lies outside the expected interval, "
            f"{_expected(entry)}. If it counts only a part of the test rows, chance may explain that. Otherwise look "
            f"for: test rows that differ from train (`kpipe check {entry.slug}`: adversarial validation, "
            "group overlap, dates), a leak in the features or folds, a run selected among many on the same folds, or a "
            "metric other than the competition's.",
            style="yellow",
            markup=False,
        )


def _expected(entry: Entry) -> str:
    if entry.expected_low is None or entry.expected_high is None:
        return ""
    return f"{format_score(entry.expected_low)} to {format_score(entry.expected_high)}"


def _cv(entry: Entry) -> str:
    return "" if entry.score is None else format_with_error(entry.score, entry.standard_error)
