"""``kpipe holdout``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import (
    DATA_OPTIONS,
    add_json_option,
    add_request_options,
    add_slug,
    integer,
    request_from,
    share,
)

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser)
    add = parser.add_argument
    add(
        "--share",
        metavar="SHARE",
        type=share,
        required=True,
        help="the share of the training rows to hold out, such as 20%%",
    )
    add("--out", metavar="DIR", dest="folder", type=Path, help="an empty folder to write to; default: holdout-SLUG")
    add("--seed", metavar="N", type=integer(0), default=0, help="seed for drawing the rows; default: 0")
    add_request_options(parser, [name for name in DATA_OPTIONS if name != "extra"])
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Write the competition and its answers, and print where they are."""
    from kpipe.cli.console.holdout import print_holdout
    from kpipe.grading.holdout import make_holdout

    print_competition_notes([])
    request = request_from(options)
    folder = options.folder or Path(f"holdout-{request.slug}")
    print_holdout(make_holdout(request, folder, share=options.share, seed=options.seed), json=options.json)
    return 0


COMMAND = Command(
    description=(
        "Make a practice competition from train.csv, split as the competition splits train and test: by rows, whole "
        "groups or time. The answers are stored separately, so that kpipe or another tool can be evaluated blind "
        "(kpipe grade)."
    ),
    examples=(
        ("kpipe holdout titanic --data titanic.zip --share 20%", "write holdout-titanic/"),
        ("kpipe run titanic --data holdout-titanic/data", "train on its train.csv, and predict its test.csv"),
        ("kpipe grade titanic 20261121T092754Z-f40eed --answers holdout-titanic/answers.csv", "score that run"),
    ),
    add_options=_add_options,
    execute=_execute,
    usage="[OPTIONS] --share SHARE SLUG",
)
