"""A competition made from a part of train.csv, and what to do with it."""

from __future__ import annotations

import shlex

from kpipe.cli.console.layout import get_console
from kpipe.cli.json_output import print_json
from kpipe.errors import printable
from kpipe.grading.holdout import Holdout

__all__ = ["print_holdout"]


def print_holdout(holdout: Holdout, *, json: bool) -> None:
    """Print what was held out and where it lies to stdout, and notes to stderr.

    Parameters
    ----------
    holdout : Holdout
    json : bool
        Print JSON.
    """
    if json:
        print_json(holdout.to_json())
    data, answers = (shlex.quote(str(path)) for path in (holdout.data, holdout.answers))
    lines = (
        f"{holdout.slug}: {holdout.rows:,} of {holdout.train_rows:,} rows of train.csv are held out ({holdout.how}).",
        f"{data} holds the competition, {answers} the answers: keep these away from the model.",
        f"To train: kpipe run {holdout.slug} --data {data}",
        f"To score: kpipe grade {holdout.slug} RUN --answers {answers}",
    )
    for line in () if json else lines:
        get_console().print(printable(line), markup=False)
    for note in holdout.notes:
        get_console(stderr=True).print(printable(note), style="yellow", markup=False)
