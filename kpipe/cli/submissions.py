"""``kpipe submissions``."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.options import add_json_option, add_out_option

if TYPE_CHECKING:
    from kpipe.runs.ledger import Entry

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", metavar="SLUG", help="the competition")
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Update the recorded submissions from Kaggle, and print them."""
    from kpipe.cli.console.submissions import print_entries
    from kpipe.kaggle import submit
    from kpipe.kaggle.client import connect
    from kpipe.kaggle.credentials import find_credentials
    from kpipe.runs.ledger import read_ledger

    out, kaggle = options.out, connect() if find_credentials() else None
    entries = submit.sync_ledger(kaggle, options.slug, out=out) if kaggle else read_ledger(out, options.slug)
    if options.json:
        from dataclasses import asdict

        from kpipe.cli.json_output import print_json

        print_json([asdict(entry) for entry in entries])
        return 0
    rank = kaggle.competitions.get(options.slug).user_rank if kaggle else None
    print_entries(options.slug, entries, rank=rank, fresh=kaggle is not None)
    _plot(entries, out / options.slug / "submissions.png")
    return 0


def _plot(entries: Sequence[Entry], path: Path) -> None:
    """Plot leaderboard scores against cross-validation, if any submission has both."""
    from kpipe.report.leaderboard import leaderboard_plot
    from kpipe.runs.files import write_file

    if any(entry.score is not None and entry.public_score is not None for entry in entries):
        buffer = io.BytesIO()
        leaderboard_plot(entries).savefig(buffer, format="png", dpi=130)
        write_file(path, buffer.getvalue())
        print(f"Plot: {path}")


COMMAND = Command(
    description=(
        "List submissions with their cross-validation and leaderboard scores, and plot one against the other. Without "
        "Kaggle credentials, the last known scores are shown."
    ),
    examples=(("kpipe submissions titanic", "list what was submitted to titanic"),),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
