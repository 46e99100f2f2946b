"""``kpipe runs``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.messages import print_message
from kpipe.cli.options import add_json_option, add_out_option

if TYPE_CHECKING:
    from kpipe.runs.run import Run

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("slug", metavar="SLUG", nargs="?", help="list only the runs of this competition")
    order = "sort order, with the latest or best run last; default: created"
    add("--sort", choices=["created", "score", "seconds"], default="created", help=order)
    add("--model", metavar="NAME", help="list only the runs that trained this model")
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print the finished runs, and to stderr those that cannot be read."""
    from dataclasses import asdict

    from kpipe.cli.console.layout import get_console
    from kpipe.cli.console.runs import print_runs
    from kpipe.cli.console.selection_bias import find_selection_bias
    from kpipe.core.formatting import format_forecast
    from kpipe.core.wording import did_you_mean
    from kpipe.runs.find import find_runs
    from kpipe.runs.prune import summarize

    runs, unreadable = find_runs(options.out, options.slug or "*")
    summaries, without_ledger = summarize(runs, options.out)
    choosable = sorted(runs, key=_may_be_chosen) if options.slug else []  # for all competitions it takes long
    latest = {run.record["metric"]["name"]: run for run in choosable}
    biases = {metric: find_selection_bias(run, get_console(stderr=True)) for metric, run in latest.items()}
    summaries = [one for one in summaries if options.model is None or options.model in one["models"]]
    if options.sort != "created":
        summaries.sort(key=lambda one: _sort_key(one, options.sort))
    if options.json:
        from kpipe.cli.json_output import print_json

        of_best = {bias.best: asdict(bias) for bias in biases.values() if bias}
        print_json([{**one, "luck": of_best.get(one["run_id"])} for one in summaries])
    else:
        records = {run.record["run_id"]: run.record for run in runs if _may_be_chosen(run)}
        expected = {
            metric: format_forecast(records[bias.best], bias.correction)
            for metric, bias in biases.items()
            if bias is not None and bias.runs > 1 and bias.best in records
        }
        meant = did_you_mean(options.slug, _competitions_with_runs(options.out)) if options.slug and not runs else ""
        print_runs(summaries, slug=options.slug, meant=meant, biases=biases, expected=expected)
    for skipped in (*unreadable, *without_ledger):
        print_message(f"Skipped: {skipped}")
    return 0


def _competitions_with_runs(out: Path) -> set[str]:
    """The slugs of all finished runs in a folder."""
    from kpipe.runs.find import find_runs

    return {str(run.record["slug"]) for run in find_runs(out, "*")[0]}


def _may_be_chosen(run: Run) -> bool:
    """Whether somebody would submit it: no run on the sample, and none that failed a check."""
    failed = any(check["status"] == "fail" for check in run.record["checks"])
    return not failed and run.record.get("data", {}).get("origin") != "sample"


def _sort_key(run: Mapping[str, object], field: str) -> tuple[bool, float]:
    """Sort the best score or the shortest time last, and what has none first."""
    value = run[field]
    if not isinstance(value, int | float):
        return False, 0.0
    return True, float(value) if field == "score" and run["greater_is_better"] else -float(value)


COMMAND = Command(
    description="List finished runs: their scores, models, times, failed checks and leaderboard scores.",
    examples=(
        ("kpipe runs", "all runs in submissions/"),
        ("kpipe runs titanic --sort score", "the runs of one competition, the best last"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
