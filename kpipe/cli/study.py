"""``kpipe study``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.options import integer
from kpipe.errors import UsageError

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    from kpipe.studies import STUDIES

    names = "\n".join(f"  {name:24} {text}" for name, (_, text) in STUDIES.items())
    parser.epilog = f"studies:\n{names}"
    add = parser.add_argument
    add("name", metavar="STUDY", nargs="?", help="the study")
    add("--data", metavar="PATH", type=Path, help="a folder or zip of Kaggle's files; default: as for run")
    add("--runs", metavar="N", type=integer(1), help="number of repetitions with different random numbers")
    add("--epochs", metavar="N", type=integer(1), help="train at most N epochs: faster, but with different results")
    add("--out", metavar="DIR", type=Path, default=Path("studies"), help="write to DIR/NAME/; default: studies")
    add("--json", action="store_true", help="print every number as JSON")


def _execute(options: argparse.Namespace) -> int:
    """Run a study, write its page and print its results."""
    from kpipe.cli.console.study import print_study, study_progress
    from kpipe.studies import STUDIES, study
    from kpipe.studies.result import as_json, check_writable, save

    if options.name is None:
        raise UsageError(
            f"Name a study: kpipe study NAME. The studies are: {', '.join(STUDIES)}.", code="missing-argument"
        )
    folder = options.out / options.name
    if options.name in STUDIES:
        check_writable(folder)  # fail before minutes of training, not after
    on_progress = study_progress(options.name)
    result = study(options.name, data=options.data, runs=options.runs, epochs=options.epochs, on_progress=on_progress)
    if options.json:
        print(as_json(result), end="")
    save(result, folder)
    if not options.json:
        print_study(result, folder)
    return 0


COMMAND = Command(
    description=(
        "Reproduce a study from the notebooks that kpipe is based on: train their networks as published, then validate "
        "them as kpipe run does, and compare the conclusions."
    ),
    examples=(
        ("kpipe study titanic-from-scratch", "on the embedded sample"),
        ("kpipe study titanic-from-scratch --data titanic.zip", "the published numbers, on Kaggle's files"),
    ),
    add_options=_add_options,
    execute=_execute,
)
