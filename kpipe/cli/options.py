"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kpipe.core.request import RunRequest

__all__ = [
    "FIELDS",
    "RUN_HELP",
    "add_data_options",
    "add_json_option",
    "add_out_option",
    "add_output_options",
    "add_submit_options",
    "add_training_options",
    "duration",
    "integer",
    "request_from",
]

FIELDS = ("metric", "target", "id", "text", "split", "drop")  # options that describe a competition

RUN_HELP = "a run: its folder, its id, or the beginning or end of its id"


def add_data_options(parser: argparse.ArgumentParser, *, slug: str | None = None) -> None:
    """Add the competition and the options that say where its files are and how to read them.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of a command.
    slug : str, optional
        "?" if the competition may be omitted.
    """
    parser.add_argument("slug", metavar="SLUG", nargs=slug, help="the competition, as in kaggle.com/competitions/SLUG")
    add = parser.add_argument_group("competition").add_argument
    add("--data", metavar="PATH", help="a folder or zip of Kaggle's files; default: KPIPE_DATA, Kaggle or the sample")
    add("--metric", metavar="NAME", help="the metric; default: the competition's, else inferred")
    add("--target", metavar="COLUMN", action="append", help="a target column; repeatable; default: inferred")
    add("--id", metavar="COLUMN", help="the id column; default: inferred")
    split = "how train and test were split: by row, or by a column of groups or dates; default: inferred"
    add("--split", metavar="rows|COLUMN", help=split)
    add("--drop", metavar="COLUMN", action="append", default=[], help="hide a column from the models; repeatable")
    add("--text", metavar="COLUMN", action="append", default=[], help="read a column as text; repeatable")


def request_from(options: argparse.Namespace) -> RunRequest:
    """The request that a command line asks for: every option that is a field of ``RunRequest``.

    Parameters
    ----------
    options : argparse.Namespace
        Parsed options; those that ``RunRequest`` lacks are ignored.

    Returns
    -------
    RunRequest

    Raises
    ------
    UsageError
        If an option has an impossible value.
    """
    from dataclasses import fields

    from kpipe.core.request import RunRequest

    given = {field.name: getattr(options, field.name, None) for field in fields(RunRequest)}
    return RunRequest(**{name: value for name, value in given.items() if value not in (None, [])})


def add_training_options(group: argparse._ActionsContainer, *, model: str) -> None:
    """Add ``--model``, ``--folds``, ``--device`` and ``--jobs``.

    Parameters
    ----------
    group : argparse.ArgumentParser or argument group
        Of a command.
    model : str
        The help text of ``--model``.
    """
    add = group.add_argument
    add("--model", metavar="NAME", dest="models", action="append", default=[], help=model)
    add("--folds", metavar="N", type=integer(2), help="number of folds; default: the competition's")
    add("--device", metavar="NAME", default="auto", help="device for torch models: auto, cpu, cuda or mps")
    add("--jobs", metavar="N", type=integer(1), help="number of models to fit in parallel; default: one per core")


def add_submit_options(group: argparse._ActionsContainer) -> None:
    """Add the options of submitting to Kaggle.

    Parameters
    ----------
    group : argparse.ArgumentParser or argument group
        Of a command.
    """
    add = group.add_argument
    add("-m", "--message", metavar="TEXT", default="", help="description of the submission; default: the run's id")
    add("--no-wait", dest="wait", action="store_false", help="do not wait for the score")
    add("--yes", action="store_true", help="use the last submission of the day without asking")
    add("--force", action="store_true", help="submit even if a check failed or the file was submitted before")


def add_json_option(group: argparse._ActionsContainer) -> None:
    """Add ``--json``.

    Parameters
    ----------
    group : argparse.ArgumentParser or argument group
        Of a command.
    """
    group.add_argument("--json", action="store_true", help="print JSON")


def add_out_option(group: argparse._ActionsContainer) -> None:
    """Add ``--out``.

    Parameters
    ----------
    group : argparse.ArgumentParser or argument group
        Of a command.
    """
    where = "the folder that holds the runs; default: submissions"
    group.add_argument("--out", metavar="DIR", type=Path, default=Path("submissions"), help=where)


def add_output_options(group: argparse._ActionsContainer) -> None:
    """Add ``--json`` and ``--quiet``, of which one may be given.

    Parameters
    ----------
    group : argparse.ArgumentParser or argument group
        Of a command that makes a run.
    """
    either = group.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true", help="print only the content of run.json")
    either.add_argument("--quiet", action="store_true", help="print only the path of the submission")


def duration(text: str) -> float:
    """Return the seconds of a duration such as 90, 90s, 5m or 1h.

    Parameters
    ----------
    text : str
        A positive number and a unit: s (the default), m or h.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    argparse.ArgumentTypeError
        If the text is not a positive duration.

    Examples
    --------
    >>> duration("5m"), duration("90")
    (300.0, 90.0)
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:].lower() in units else (text, "s")
    try:
        seconds = float(number) * units[unit.lower()]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a duration such as 90s, 5m or 1h; got {text!r}")
    return seconds


def integer(smallest: int) -> Callable[[str], int]:
    """Return a function that parses an integer of at least ``smallest``.

    Parameters
    ----------
    smallest : int
        The smallest value allowed.

    Returns
    -------
    callable
        Takes a text and returns an int; raises argparse.ArgumentTypeError for any other text.

    Examples
    --------
    >>> integer(1)("3")
    3
    """

    def parse(text: str) -> int:
        value = int(text) if text.isdecimal() else smallest - 1
        if value < smallest:
            raise argparse.ArgumentTypeError(f"must be an integer of at least {smallest}; got {text!r}")
        return value

    return parse
