"""``kpipe grade``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import (
    DATA_OPTIONS,
    add_json_option,
    add_out_option,
    add_request_options,
    add_slug,
    given_options,
    print_settings,
)

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser)
    add = parser.add_argument
    add("submission", metavar="SUBMISSION", help="a CSV file, or a run: its folder or its id")
    answers = "a table with the ids and true targets of the test rows, and Kaggle's Usage column if available"
    add("--answers", metavar="FILE", type=Path, required=True, help=answers)
    board = "the scores of all teams (Kaggle's download, or MLE-bench's leaderboard.csv), to compute rank and medal"
    add("--leaderboard", metavar="FILE", type=Path, help=board)
    add_request_options(parser, DATA_OPTIONS)
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print the score of a submission on answers."""
    from kpipe.cli.console.grade import print_grade
    from kpipe.grading.grade import grade, request_of_grade
    from kpipe.runs.find import find_submission

    print_competition_notes([])
    file, run = find_submission(options.submission, options.out)
    request = request_of_grade(options.slug, run, out=options.out, **given_options(options))
    print_settings(request)
    graded = grade(request, file, options.answers, leaderboard=options.leaderboard, run=run)
    print_grade(graded, json=options.json)
    return 0


COMMAND = Command(
    description=(
        "Score a submission with the competition's metric against answers that you have, such as those of a holdout "
        "(kpipe holdout) or of a competition that has ended. Rows are matched by id."
    ),
    examples=(
        ("kpipe grade titanic submission.csv --data titanic.zip --answers answers.csv", "score a CSV file"),
        ("kpipe grade titanic 20261121T092754Z-f40eed --answers answers.csv", "score a run"),
        (
            "kpipe grade titanic submission.csv --answers answers.csv --leaderboard leaderboard.csv",
            "with the rank and medal it would have earned",
        ),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
    usage="[OPTIONS] --answers FILE SLUG SUBMISSION",
)
