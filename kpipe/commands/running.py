"""``run``, ``show`` and ``list``."""

from __future__ import annotations

import argparse
import sys

from kpipe.commands.options import FIELDS, at_least, data_options, list_options, seconds, send_options
from kpipe.commands.sending import sent

__all__ = ["list_", "list_options", "run", "run_options", "show", "show_options"]


def run_options(command: argparse.ArgumentParser) -> None:
    """The options of ``run``."""
    data_options(command)
    add = command.add_argument
    add("--model", metavar="NAME", dest="models", action="append", default=[], help="train only this; repeatable")
    add("--budget", metavar="TIME", type=seconds, help="leave out models that would end after it: 90s, 5m or 1h")
    add("--folds", metavar="N", type=at_least(2), help="number of folds; default: the competition's")
    add("--seed", metavar="N", type=at_least(0), action="append", help="average over seeds; repeatable; default: 0")
    add("--device", metavar="NAME", default="auto", help="auto, cpu, cuda or mps, for torch models")
    add("--jobs", metavar="N", type=at_least(1), help="model fits at a time; default: one per core")
    add("--out", metavar="DIR", default="submissions", help="where run folders are made; default: submissions")
    add("--submit", action="store_true", help="send the submission to Kaggle and wait for its score")
    send_options(command)
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print run.json to stdout, and nothing else")
    shown.add_argument("--quiet", action="store_true", help="print only the path of the submission")


def run(options: argparse.Namespace) -> int:
    """Train, validate, predict, check and write a submission for a competition."""
    from kpipe import display, pipeline

    if options.submit:
        from kpipe.remote.client import connect

        connect()  # credentials that are missing or refused are said before hours of training

    names = ("data", *FIELDS, "models", "budget", "folds", "device", "jobs", "out")
    with display.progress(quiet=options.quiet) as progress:
        finished = pipeline.run(
            options.slug,
            seed=options.seed or (0,),
            started=progress.started,
            tell=progress.tell,
            downloading=progress.downloading,
            command=["kpipe", *sys.argv[1:]],
            **{name: getattr(options, name) for name in names},
        )
    if options.json:
        print((finished.path / "run.json").read_text(), end="")
    elif options.quiet:
        print(finished.path / "submission.csv")
    else:
        display.show_run(finished)
    if options.submit:
        entry = sent(options.slug, finished.path / "submission.csv", finished, options)
        return 1 if entry.status == "error" else 0
    return 1 if any(check["status"] == "fail" for check in finished.record["checks"]) else 0


def show_options(command: argparse.ArgumentParser) -> None:
    """The options of ``show``."""
    data_options(command)
    list_options(command)


def show(options: argparse.Namespace) -> int:
    """Show what a run would do: each field of the competition, its value, and why it has it."""
    from kpipe import display, pipeline

    names = ("data", *FIELDS)
    competition, tables = pipeline.prepare(options.slug, **{name: getattr(options, name) for name in names})
    if options.json:
        import json

        print(json.dumps(display.described(competition, tables), indent=2))
    else:
        display.show_competition(competition, tables)
    return 0


def list_(options: argparse.Namespace) -> int:
    """List the competitions that have a module: any other slug works too, with --data."""
    from kpipe import competitions

    slugs = competitions.slugs()
    if options.json:
        import json

        print(json.dumps([{"slug": slug, "path": str(competitions.folder(slug))} for slug in slugs], indent=2))
    else:
        print("\n".join(slugs))
    return 0
