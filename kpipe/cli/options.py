"""Options that several commands share, and the request that a command line specifies."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kpipe.core.request import RunRequest

__all__ = [
    "DATA_OPTIONS",
    "REQUEST_OPTIONS",
    "RUN_HELP",
    "add_json_option",
    "add_out_option",
    "add_output_options",
    "add_request_options",
    "add_slug",
    "add_submit_options",
    "duration",
    "given_options",
    "integer",
    "print_settings",
    "request_from",
    "share",
]

RUN_HELP = "a run: its folder, id (or part of it) or name, or last or best (titanic/best)"


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
    from kpipe.core.option_kinds import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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


def share(text: str) -> float:
    """Return the number of a share such as 20% or 0.2.

    Parameters
    ----------
    text : str

    Returns
    -------
    float

    Raises
    ------
    argparse.ArgumentTypeError
        If the text is no number.

    Examples
    --------
    >>> share("20%"), share("0.2")
    (0.2, 0.2)
    """
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a share such as 20%; got {text!r}") from None


def _option(flag: str, metavar: str, help: str, **settings: Any) -> tuple[str, dict[str, Any]]:
    """A flag, and what ``add_argument`` takes besides."""
    return flag, {"metavar": metavar, "help": help, **settings}


_DATA = "a folder, zip or table of Kaggle's files; default: KPIPE_DATA, kpipe.toml, this folder, Kaggle or the sample"
_FILES = "a file in the folder or zip, or a path; default: inferred from the file names"
_SAMPLE = "the sample submission, given like --train; default: derived from test if there is none"
_EXTRA = "an additional training file, whose rows are never used for validation; repeatable"
_SIZE = "length of a picture's longer side in pixels; default: 64, or less if the pictures are smaller"
_SPLIT = "how train and test were split: by row, or by a column of groups or dates; default: inferred"
_ALL_ROWS = "also train on the rows that kpipe vault locked away; for the final run"
_FRESH = "do not reuse fits from earlier runs"
_KEEP_MODELS = "save the fitted models in the run's folder (models/); fits from earlier runs are not reused"
_NAME = "a name for the run, accepted by other commands"
_WEIGHTS = "a file or folder of pretrained weights, or none; default: those on this machine; nothing is downloaded"
_BUDGET = "time limit, such as 90s, 5m or 1h; skips models that would exceed it"

# What the competition is, and how to train. Each option is named by the field of RunRequest that it sets.
DATA_OPTIONS = {
    "data": _option("--data", "PATH", _DATA),
    "train": _option("--train", "FILE", f"the training table: {_FILES}"),
    "test": _option("--test", "FILE", "the test table, given like --train"),
    "sample": _option("--sample", "FILE", _SAMPLE),
    "extra": _option("--extra", "FILE", _EXTRA, action="append"),
    "size": _option("--size", "N", _SIZE, type=integer(8)),
    "metric": _option("--metric", "NAME", "the metric; default: the competition's, else inferred"),
    "target": _option("--target", "COLUMN", "a target column; repeatable; default: inferred", action="append"),
    "id": _option("--id", "COLUMN", "the id column; default: inferred"),
    "split": _option("--split", "rows|COLUMN", _SPLIT),
    "drop": _option("--drop", "COLUMN", "hide a column from the models; repeatable", action="append"),
    "text": _option("--text", "COLUMN", "treat a column as text; repeatable", action="append"),
}
_TRAINING_OPTIONS = {
    "models": _option("--model", "NAME", "use this model; repeatable; default: the competition's", action="append"),
    "folds": _option("--folds", "N", "number of folds; default: the competition's", type=integer(2)),
    "device": _option("--device", "NAME", "device for torch models: auto, cpu, cuda or mps"),
    "weights": _option("--weights", "PATH", _WEIGHTS),
    "jobs": _option("--jobs", "N", "number of models to fit in parallel; default: one per core", type=integer(1)),
    "budget": _option("--budget", "TIME", _BUDGET, type=duration),
    "all_rows": ("--all-rows", {"help": _ALL_ROWS, "action": "store_true", "default": None}),
    "fresh": ("--fresh", {"help": _FRESH, "action": "store_true", "default": None}),
    "keep_models": ("--keep-models", {"help": _KEEP_MODELS, "action": "store_true", "default": None}),
    "name": _option("--name", "NAME", _NAME),
    "note": _option("--note", "TEXT", "a note for lists and reports, such as what the run tries"),
    "seeds": _option("--seed", "N", "average over seeds; repeatable; default: 0", action="append", type=integer(0)),
}
REQUEST_OPTIONS = {**DATA_OPTIONS, **_TRAINING_OPTIONS}


def add_slug(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the competition.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of a command.
    optional : bool
        Whether it may be omitted.
    """
    from kpipe.core.request import slug_of

    slug = "the competition, as in kaggle.com/competitions/SLUG, or its address"
    parser.add_argument("slug", metavar="SLUG", type=slug_of, nargs="?" if optional else None, help=slug)


def add_request_options(
    parser: argparse.ArgumentParser, names: Iterable[str] = REQUEST_OPTIONS
) -> argparse._ArgumentGroup:
    """Add options of a run, in the groups "competition" and "training".

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of a command.
    names : iterable of str
        Fields of RunRequest; default: all of ``REQUEST_OPTIONS``.

    Returns
    -------
    argument group
        The group "training", for more options.
    """
    competition, training = parser.add_argument_group("competition"), parser.add_argument_group("training")
    for name in names:
        flag, settings = REQUEST_OPTIONS[name]
        (competition if name in DATA_OPTIONS else training).add_argument(flag, dest=name, **settings)
    return training


def given_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a run that were given on the command line.

    Parameters
    ----------
    options : argparse.Namespace
        The parsed command line.

    Returns
    -------
    dict
        Field of RunRequest to value.
    """
    given = {name: getattr(options, name, None) for name in REQUEST_OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


def request_from(options: argparse.Namespace) -> RunRequest:
    """Return the request that a command line and ``kpipe.toml`` specify, and print what the file sets.

    Parameters
    ----------
    options : argparse.Namespace
        The parsed command line, with ``slug`` and, if the command has it, ``out``.

    Returns
    -------
    RunRequest

    Raises
    ------
    UsageError
        If an option or a setting has an impossible value.
    """
    from kpipe.problem.settings import SETTINGS, make_request

    out = {"out": options.out} if "out" in options else {}
    names = [name for name in SETTINGS if name in options]  # those that the command has
    request = make_request(options.slug, {**given_options(options), **out}, names=names)
    if not getattr(options, "quiet", False):
        print_settings(request)
    return request


def print_settings(request: RunRequest) -> None:
    """Print to stderr what ``kpipe.toml`` sets, if anything.

    Parameters
    ----------
    request : RunRequest
    """
    from kpipe.cli.messages import print_message
    from kpipe.problem.settings import settings_of

    settings = settings_of(request)
    if settings is not None and settings.sentence:
        print_message(settings.sentence)


def add_submit_options(group: argparse._ActionsContainer) -> None:
    """Add the options of submitting to Kaggle.

    Parameters
    ----------
    group : argparse.ArgumentParser or argument group
        Of a command.
    """
    add = group.add_argument
    add(
        "-m",
        "--message",
        metavar="TEXT",
        default="",
        help="description of the submission; default: the run's name and id",
    )
    add("--no-wait", dest="wait", action="store_false", help="do not wait for the score")
    yes = "submit without confirmation; required in non-interactive sessions (CI, agents)"
    add("--yes", action="store_true", help=yes)
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
