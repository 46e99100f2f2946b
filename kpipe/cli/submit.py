"""``kpipe submit``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli import attendance
from kpipe.cli.command import Command
from kpipe.cli.options import RUN_HELP, add_out_option, add_submit_options
from kpipe.errors import SubmissionError, UsageError

if TYPE_CHECKING:
    from kpipe.kaggle.responses import Pushed
    from kpipe.runs.ledger import Entry
    from kpipe.runs.run import Run

__all__ = ["COMMAND", "check_confirmed", "submit_file"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("what", metavar="RUN|CSV", help=f"{RUN_HELP}; or a CSV file")
    add("--competition", metavar="SLUG", help="the competition of a CSV file that kpipe did not write")
    add("--data", metavar="PATH", help="Kaggle's files, to validate such a CSV file; default: as for run")
    add_submit_options(parser)
    add_out_option(parser)
    add("--json", action="store_true", help="print the recorded submission as JSON")


def _execute(options: argparse.Namespace) -> int:
    """Submit a run or a CSV file."""
    from kpipe.runs.find import find_submission

    file, run = find_submission(options.what, options.out)
    slug = run.record["slug"] if run else options.competition
    if slug is None:
        raise UsageError(
            f"No run wrote {file}. Say which competition it is for: --competition SLUG.", code="missing-argument"
        )
    if run is not None and options.data:
        raise UsageError(
            "--data is for a CSV file that no run wrote: a run's submission was validated already.",
            code="conflicting-options",
        )
    entry = submit_file(slug, file, run, options)
    if options.json:
        from dataclasses import asdict

        from kpipe.cli.json_output import print_json

        print_json(asdict(entry))
    return 1 if entry.status == "error" else 0


def submit_file(
    slug: str, file: Path, run: Run | None, options: argparse.Namespace, *, kernel: Pushed | None = None
) -> Entry:
    """Validate a file, submit it, record the submission and wait for its score.

    Parameters
    ----------
    slug : str
        The competition.
    file : Path
        The submission.
    run : Run or None
        The run that wrote the file; a file without one is validated against the sample submission first.
    options : argparse.Namespace
        Holds the options of ``add_submit_options`` and ``out``.
    kernel : Pushed, optional
        The kernel that wrote the file, for competitions that accept submissions from kernels only.

    Returns
    -------
    Entry
        The recorded submission.

    Raises
    ------
    SubmissionError
        If the file is invalid or must not be submitted, or the user declined.
    """
    from kpipe import pipeline
    from kpipe.cli.console.layout import get_console
    from kpipe.cli.console.selection_bias import find_selection_bias, print_selection_bias
    from kpipe.cli.console.submissions import print_entry, show_wait
    from kpipe.core.request import RunRequest
    from kpipe.kaggle import allowance, submit
    from kpipe.kaggle.client import connect
    from kpipe.runs.summary import format_forecast

    out, kaggle = options.out, connect()  # missing credentials are reported first
    choosing = 0.0
    if run is None:
        submit.validate_file(
            file, pipeline.prepare(RunRequest(slug, data=getattr(options, "data", None), all_rows=True))
        )
    else:
        console = get_console(stderr=True)
        bias = find_selection_bias(run, console)
        print_selection_bias(bias, console, run_id=run.record["run_id"])
        choosing = bias.correction if bias is not None and bias.best == run.record["run_id"] else 0.0
        if expected := format_forecast(run.record, choosing):
            console.print(f"Expected on the leaderboard: {expected}", markup=False)
    allowed = allowance.check_can_submit(kaggle, slug, file, run, out=out, force=options.force)
    check_confirmed(options)
    if allowed.is_last and not options.yes:
        _confirm_last(slug)
    entry = submit.submit_file(
        kaggle,
        slug,
        file,
        run,
        message=options.message,
        out=out,
        kernel=kernel,
        choosing=choosing,
        repeat=options.force,
    )
    with show_wait(entry, left_today=allowed.left_today - 1) as on_wait:
        if options.wait:
            entry = submit.wait_for_score(kaggle, entry, out=out, on_wait=on_wait)
    print_entry(entry)
    return entry


def check_confirmed(options: argparse.Namespace) -> None:
    """Refuse to submit where nobody can be asked, unless ``--yes`` says that the user wants it.

    Parameters
    ----------
    options : argparse.Namespace
        Holds ``yes``.

    Raises
    ------
    SubmissionError
        If nobody is at the terminal, and ``--yes`` was not given.
    """
    reason = attendance.non_interactive_reason()
    if reason and not options.yes:
        raise SubmissionError(
            f"Nothing was submitted: nobody can be asked, because {reason}. Submissions are limited and cannot be "
            "taken back. If the user has asked for this one, add --yes.",
            code="needs-confirmation",
        )


def _confirm_last(slug: str) -> None:
    """Ask before the last submission of the day is used. Raises SubmissionError unless the answer is yes."""
    print(f"This is the last submission for {slug} today. Submit? [y/N] ", end="", file=sys.stderr, flush=True)
    if input().strip().lower() not in ("y", "yes"):
        raise SubmissionError("Nothing was submitted.", code="declined")


COMMAND = Command(
    description=(
        "Submit a run or a CSV file to Kaggle, and wait for the score. kpipe validates the file first and records the "
        "submission."
    ),
    examples=(
        ("kpipe submit 20261121T092754Z-f40eed -m first", "submit a run"),
        ("kpipe submit mine.csv --competition titanic", "submit a file that kpipe did not write"),
    ),
    add_options=_add_options,
    execute=_execute,
)
