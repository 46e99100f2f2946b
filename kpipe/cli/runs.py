"""``kpipe runs``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kpipe.cli.command import Command
from kpipe.cli.messages import print_message
from kpipe.cli.options import add_json_option, add_out_option

if TYPE_CHECKING:
    from kpipe.runs.comparable import RunGroup
    from kpipe.runs.selection_bias import SelectionBias

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
    from kpipe.runs.comparable import group_runs
    from kpipe.runs.find import find_runs

    runs, errors = find_runs(options.out, options.slug or "*")
    groups = group_runs(runs)
    listed = [_listed(group, options, errors) for group in groups]
    if options.json:
        _print_json(listed, options.sort)
    else:
        _print_tables(groups, listed, options)
    for skipped in errors:
        print_message(f"Skipped: {skipped}")
    return 0


class _Listed(NamedTuple):
    """The runs of a group that are listed, and the selection bias of its best run, where it is estimated."""

    summaries: list[dict[str, Any]]
    bias: SelectionBias | None


def _listed(group: RunGroup, options: argparse.Namespace, errors: list[str]) -> _Listed:
    from kpipe.runs.listing import summarize

    summaries, without_ledger = summarize(group.runs, options.out)
    errors += without_ledger
    listed = [one for one in summaries if options.model is None or options.model in one["models"]]
    if options.sort != "created":
        listed.sort(key=lambda one: _sort_key(one, options.sort))
    return _Listed(listed, _selection_bias(group) if options.slug else None)  # for all competitions it takes long


def _selection_bias(group: RunGroup) -> SelectionBias | None:
    """Of the best run of a group; None where no run may be chosen."""
    from kpipe.cli.console.layout import get_console
    from kpipe.cli.console.selection_bias import find_selection_bias
    from kpipe.runs.comparable import may_be_chosen

    latest = [run for run in group.runs if may_be_chosen(run)][-1:]
    bias = find_selection_bias(latest[0], get_console(stderr=True)) if latest else None
    if bias is None:
        return None
    members = {run.record["run_id"] for run in group.runs}  # those of other groups have their own table
    return replace(bias, left_out={name: why for name, why in bias.left_out.items() if name in members})


def _print_json(listed: Sequence[_Listed], sort: str) -> None:
    from kpipe.cli.json_output import print_json

    runs = [
        {**one, "luck": asdict(bias) if bias is not None and one["run_id"] not in bias.left_out else None}
        for summaries, bias in listed
        for one in summaries
    ]
    by_time = sort == "created"
    print_json(sorted(runs, key=lambda one: (str(one["created"]), one["run_id"]) if by_time else _sort_key(one, sort)))


def _print_tables(groups: Sequence[RunGroup], listed: Sequence[_Listed], options: argparse.Namespace) -> None:
    from kpipe.cli.console.runs import print_no_runs, print_runs
    from kpipe.core.wording import did_you_mean

    shown = [(group, one) for group, one in zip(groups, listed, strict=True) if one.summaries]
    for group, (summaries, bias) in shown:
        title = f"{group.slug}: {group.metric}" + (f" ({group.apart})" if group.apart else "")
        print_runs(title, summaries, bias=bias, expected=_expected(group, bias))
    if not shown:
        meant = "" if groups or not options.slug else did_you_mean(options.slug, _competitions_with_runs(options.out))
        print_no_runs(options.out, slug=options.slug, model=options.model, meant=meant)
    elif options.slug is None and any(len(group.runs) > 1 for group in groups):
        print("The best score, corrected for selection bias: kpipe runs SLUG")


def _expected(group: RunGroup, bias: SelectionBias | None) -> str:
    """The forecast of the best run, after choosing; empty where there was no choice."""
    from kpipe.runs.summary import format_forecast

    records = [run.record for run in group.runs if bias and bias.runs > 1 and run.record["run_id"] == bias.best]
    return format_forecast(records[0], bias.correction) if bias and records else ""


def _competitions_with_runs(out: Path) -> set[str]:
    """The slugs of all finished runs in a folder."""
    from kpipe.runs.find import find_runs

    return {str(run.record["slug"]) for run in find_runs(out, "*")[0]}


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
