"""Options that commands share, and what they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kpipe.runs.run import Run

__all__ = [
    "FIELDS",
    "at_least",
    "data_options",
    "list_options",
    "out_option",
    "print_run",
    "run_printed_options",
    "seconds",
    "send_options",
]

FIELDS = ("metric", "target", "id", "text", "split", "drop")  # options that say what a competition is


def data_options(command: argparse.ArgumentParser, *, slug: str | None = None) -> None:
    """The options by which files are found and read. slug : "?" where the competition may be left out."""
    add = command.add_argument
    add("slug", metavar="SLUG", nargs=slug, help="the competition, as in kaggle.com/competitions/SLUG")
    add("--data", metavar="PATH", help="a folder or Kaggle's zip; default: what is found, last the embedded sample")
    add("--metric", metavar="NAME", help="the metric; default: the competition's, or a guess")
    add("--target", metavar="COLUMN", action="append", help="the target column; repeatable; default: inferred")
    add("--id", metavar="COLUMN", help="the id column; default: inferred")
    add("--split", metavar="rows|COLUMN", help="rows are independent, or were set apart by a column of groups or dates")
    add("--drop", metavar="COLUMN", action="append", default=[], help="a column that models may not see; repeatable")
    add("--text", metavar="COLUMN", action="append", default=[], help="read a column as text; repeatable")


def send_options(command: argparse.ArgumentParser) -> None:
    """The options of sending a submission."""
    add = command.add_argument
    add("-m", "--message", metavar="TEXT", default="", help="what Kaggle shows beside the submission; default: the run")
    add("--no-wait", dest="wait", action="store_false", help="do not wait for the score")
    add("--yes", action="store_true", help="spend the last submission of the day without asking")
    add("--force", action="store_true", help="send although a check failed or the same file was sent before")


def list_options(command: argparse.ArgumentParser) -> None:
    """``--json``."""
    command.add_argument("--json", action="store_true", help="print JSON")


def out_option(command: argparse.ArgumentParser) -> None:
    """``--out``."""
    told = "where run folders are; default: submissions"
    command.add_argument("--out", metavar="DIR", type=Path, default="submissions", help=told)


def run_printed_options(command: argparse.ArgumentParser) -> None:
    """``--json`` or ``--quiet``: how ``print_run`` prints."""
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print run.json to stdout, and nothing else")
    shown.add_argument("--quiet", action="store_true", help="print only the path of the submission")


def print_run(run: Run, options: argparse.Namespace) -> int:
    """Print a run that has ended, to stdout; the exit status: 1 where a check failed."""
    if options.json:
        print((run.path / "run.json").read_text(encoding="utf-8"), end="")
    elif options.quiet:
        print(run.path / "submission.csv")
    else:
        from kpipe.cli.console import display

        display.show_run(run)
    return 1 if any(check["status"] == "fail" for check in run.record["checks"]) else 0


def seconds(text: str) -> float:
    """Seconds of a time as 90, 90s, 5m or 1h.

    >>> seconds("5m"), seconds("90")
    (300.0, 90.0)
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:].lower() in units else (text, "s")
    try:
        seconds = float(number) * units[unit.lower()]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a time such as 90s, 5m or 1h, however: {text!r}")
    return seconds


def at_least(smallest: int) -> Callable[[str], int]:
    """What reads a whole number of at least so much."""

    def number(text: str) -> int:
        value = int(text) if text.isdecimal() else smallest - 1
        if value < smallest:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {smallest}, however: {text!r}")
        return value

    return number
