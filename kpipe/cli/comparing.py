"""``runs``, ``compare``, ``blend`` and ``clean``."""

from __future__ import annotations

import argparse
import json
import sys

from kpipe.cli.options import at_least, list_options, out_option, print_run, run_printed_options
from kpipe.errors import printable

__all__ = ["blend", "blend_options", "clean", "clean_options", "compare", "compare_options", "runs", "runs_options"]


def runs_options(command: argparse.ArgumentParser) -> None:
    """The options of ``runs``."""
    add = command.add_argument
    add("slug", metavar="SLUG", nargs="?", help="of this competition only")
    add(
        "--sort",
        choices=["created", "score", "seconds"],
        default="created",
        help="best or latest last; default: created",
    )
    add("--model", metavar="NAME", help="only runs that trained it")
    out_option(command)
    list_options(command)


def runs(options: argparse.Namespace) -> int:
    """List the runs that are there: score, models, time, leaderboard."""
    from kpipe.cli.console import runs as display_runs
    from kpipe.runs import prune as keeping

    there, broken = keeping.finished(options.out, options.slug or "*")
    listed = [keeping.summary(run, options.out) for run in there]
    listed = [one for one in listed if options.model is None or options.model in one["models"]]
    if options.sort != "created":
        listed.sort(key=lambda one: _key(one, options.sort))
    if options.json:
        print(json.dumps(listed, indent=2))
    else:
        display_runs.show_runs(listed, slug=options.slug)
    for error in broken:
        print(f"Left out: {error}", file=sys.stderr)
    return 0


def _key(one: dict[str, object], field: str) -> tuple[bool, float]:
    """The best, or the quickest, last; without a number, first."""
    value = one[field]
    if not isinstance(value, int | float):
        return False, 0.0
    return True, float(value) if field == "score" and one["greater_is_better"] else -float(value)


def compare_options(command: argparse.ArgumentParser) -> None:
    """The options of ``compare``."""
    add = command.add_argument
    add("a", metavar="RUN", help="a run's folder, its id, or the beginning or end of it: what there was")
    add("b", metavar="RUN", help="another: what is new")
    out_option(command)
    list_options(command)


def compare(options: argparse.Namespace) -> int:
    """Compare a run with another on the same rows: better, worse, or cannot tell, and what changed between them."""
    from dataclasses import asdict

    from kpipe.cli.console import runs as display_runs
    from kpipe.runs import compare as comparing
    from kpipe.runs.find import find_run

    found = comparing.compare(*(find_run(name, options.out) for name in (options.a, options.b)))
    if options.json:
        sides = json.loads(found.sides.to_json(orient="records"))
        print(json.dumps({**asdict(found), "sides": sides, "won": found.won, "lost": found.lost}, indent=2))
    else:
        display_runs.show_comparison(found)
    return 0


def blend_options(command: argparse.ArgumentParser) -> None:
    """The options of ``blend``."""
    add = command.add_argument
    add("runs", metavar="RUN", nargs="+", help="two runs or more: folders, ids, or the beginning or end of them")
    add("--data", metavar="PATH", help="a folder or Kaggle's zip; default: where the first run found it")
    out_option(command)
    run_printed_options(command)


def blend(options: argparse.Namespace) -> int:
    """Make a run from runs: all their models, weighed on the same folds."""
    from kpipe.runs import blend as combining

    made = combining.combine(options.runs, out=options.out, data=options.data, command=["kpipe", *sys.argv[1:]])
    return print_run(made, options)


def clean_options(command: argparse.ArgumentParser) -> None:
    """The options of ``clean``."""
    add = command.add_argument
    add("slug", metavar="SLUG", nargs="?", help="of this competition only")
    add("--keep", metavar="N", type=at_least(0), help="also finished runs, but for the N best by each metric")
    add("--yes", action="store_true", help="remove what is listed; without it nothing is removed")
    out_option(command)


def clean(options: argparse.Namespace) -> int:
    """Free disk: unfinished runs, and finished ones by rule; says what would go, and removes it with --yes."""
    from kpipe.cli.console import runs as display_runs
    from kpipe.runs import prune as keeping

    going = keeping.removable(options.out, options.slug or "*", keep=options.keep)
    display_runs.show_removable(going, removed=options.yes)
    if options.yes:
        for path in keeping.remove(going):
            print(f"A run has gone on with {printable(str(path))}: it was left.", file=sys.stderr)
    return 0
