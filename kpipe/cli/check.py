"""``kpipe check``."""

from __future__ import annotations

import argparse

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import (
    REQUEST_OPTIONS,
    add_json_option,
    add_out_option,
    add_request_options,
    add_slug,
    request_from,
)

__all__ = ["COMMAND"]

_OF_RUNS_ONLY = ("budget", "seeds")  # a check fits each model once


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser)
    add_request_options(parser, (name for name in REQUEST_OPTIONS if name not in _OF_RUNS_ONLY))
    add_out_option(parser)  # where a vault may be in force, whose rows no check may see
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Run the checks and print each as it completes."""
    from kpipe import pipeline
    from kpipe.cli.console import checks as console
    from kpipe.cli.console.progress import show_progress

    print_competition_notes([options.slug], options.data)
    with show_progress(quiet=False, every_step=True) as progress:
        checks = pipeline.check(
            request_from(options),
            on_download=progress.on_download,
            on_step=progress.on_step,
            on_check=(lambda check: None) if options.json else console.print_check,
        )
    if options.json:
        from dataclasses import asdict

        from kpipe.cli.json_output import print_json

        print_json([asdict(check) for check in checks])
    else:
        console.print_check_counts(checks)
    return 1 if any(check.status == "fail" for check in checks) else 0


COMMAND = Command(
    description=(
        "Test a competition module for leaks and mistakes: run every check of kpipe run, then refit a fold on "
        "deliberately altered data."
    ),
    examples=(
        ("kpipe check titanic --data titanic.zip", "test with all models of the module"),
        ("kpipe check titanic --model linear", "a quick test: one model, on the embedded sample"),
    ),
    add_options=_add_options,
    execute=_execute,
)
