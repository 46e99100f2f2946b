"""``run``, ``show`` and ``list``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kpipe.cli.looking import reported
from kpipe.cli.options import (
    FIELDS,
    at_least,
    data_options,
    list_options,
    out_option,
    print_run,
    run_printed_options,
    seconds,
    send_options,
)
from kpipe.cli.sending import sent
from kpipe.errors import UsageError

if TYPE_CHECKING:
    from kpipe.runs.reproduce import Reproduction
    from kpipe.runs.run import Run

__all__ = [
    "list_",
    "list_options",
    "reproduce",
    "reproduce_options",
    "run",
    "run_options",
    "show",
    "show_options",
]

_CAUSES = ("data", "code", "versions", "options", "machine")
_RESUMED = ("data", "jobs", "budget")  # options that --resume takes beside it


def run_options(command: argparse.ArgumentParser) -> None:
    """The options of ``run``."""
    data_options(command, slug="?")
    add = command.add_argument
    add("--resume", metavar="RUN", help="go on with an unfinished run, by its folder or key, with its own options")
    add("--model", metavar="NAME", dest="models", action="append", default=[], help="train only this; repeatable")
    add("--budget", metavar="TIME", type=seconds, help="leave out models that would end after it: 90s, 5m or 1h")
    add("--folds", metavar="N", type=at_least(2), help="number of folds; default: the competition's")
    add("--seed", metavar="N", type=at_least(0), action="append", help="average over seeds; repeatable; default: 0")
    add("--device", metavar="NAME", default="auto", help="auto, cpu, cuda or mps, for torch models")
    add("--jobs", metavar="N", type=at_least(1), help="model fits at a time; default: one per core")
    add("--cluster", metavar="KIND=ADDRESS", help="train on dask=tcp://HOST:8786, ray=auto or ray=HOST:6379")
    out_option(command)
    add("--report", action="store_true", help="write report.html into the run's folder: the run as a page")
    add("--track", choices=["mlflow"], help="log the run to MLflow, at MLFLOW_TRACKING_URI")
    add("--submit", action="store_true", help="send the submission to Kaggle and wait for its score")
    send_options(command)
    run_printed_options(command)


def run(options: argparse.Namespace) -> int:
    """Train, validate, predict, check and write a submission for a competition."""
    from kpipe.cli.console import display
    from kpipe.training import backends as clusters

    if options.submit:
        from kpipe.kaggle.client import connect

        connect()  # credentials that are missing or refused are said before hours of training
    if options.track:
        from kpipe.runs import tracking

        tracking.connect()  # for the same reason

    with display.progress(quiet=options.quiet) as progress, clusters.opened(options.cluster):
        told = {"started": progress.started, "tell": progress.tell, "downloading": progress.downloading}
        finished = _resumed(options, **told) if options.resume else _run(options, **told)
    status = print_run(finished, options)
    if options.report:
        path = reported(finished)
        print(f"Report: {path}", file=sys.stderr)
    if options.track:
        print(f"MLflow: {tracking.track(finished)}", file=sys.stderr)
    if options.submit:
        entry = sent(finished.record["slug"], finished.path / "submission.csv", finished, options)
        return 1 if entry.status == "error" else 0
    return status


def _run(options: argparse.Namespace, **told: Any) -> Run:
    from kpipe import pipeline

    if options.slug is None:
        raise UsageError("Which competition? kpipe run SLUG, as in kaggle.com/competitions/SLUG; or --resume RUN.")
    given = {name: getattr(options, name) for name in ("data", *FIELDS, "models", "budget", "folds", "device", "jobs")}
    command = ["kpipe", *sys.argv[1:]]
    return pipeline.run(options.slug, seed=options.seed or (0,), out=options.out, command=command, **given, **told)


def _resumed(options: argparse.Namespace, **told: Any) -> Run:
    from kpipe.runs import reproduce as repeating

    other = [name for name in (*FIELDS, "models", "folds", "seed") if getattr(options, name)]
    other += ["device"] * (options.device != "auto")
    if other:
        named = ", ".join(f"--{name.removesuffix('s')}" for name in other)
        raise UsageError(f"--resume goes on with the options that the run was begun with: leave out {named}.")
    given = {name: getattr(options, name) for name in _RESUMED}
    command = ["kpipe", *sys.argv[1:]]
    return repeating.resume(options.resume, out=options.out, slug=options.slug, command=command, **given, **told)


def reproduce_options(command: argparse.ArgumentParser) -> None:
    """The options of ``reproduce``."""
    add = command.add_argument
    add("what", metavar="RUN", help="a run's folder, its id, or the beginning or end of it")
    add("--data", metavar="PATH", help="where the files are now; default: where they were")
    out_option(command)
    list_options(command)


def reproduce(options: argparse.Namespace) -> int:
    """Make a finished run again and compare: exit status 0 if its submission has the same bytes, else 1 and why."""
    from kpipe.cli.console import display
    from kpipe.runs import reproduce as repeating

    with display.progress(quiet=False) as progress:
        told = {"started": progress.started, "tell": progress.tell, "downloading": progress.downloading}
        command = ["kpipe", *sys.argv[1:]]
        found = repeating.reproduce(options.what, out=options.out, data=options.data, command=command, **told)
    if options.json:
        import json

        first, second = (run.record["submission"]["sha256"] for run in (found.first, found.second))
        sums = {"sha256": first, "again": second, "differs": list(found.differs)}
        print(json.dumps({"run_id": found.first.record["run_id"], "same": found.same, **sums}, indent=2))
    else:
        print("\n".join(_account(found)))
    return 0 if found.same else 1


def _account(found: Reproduction) -> Iterator[str]:
    run_id = found.first.record["run_id"]
    if found.same:
        yield f"The same bytes: {run_id} was made again, and its submission is the same."
    else:
        yield f"Other bytes: {run_id} was made again, and its submission is another. The new run: {found.second.path}"
        if not any(phrase.startswith(_CAUSES) for phrase in found.differs):
            yield "Its data, code, versions, options and machine are the same: a model is not settled by its seed."
    for phrase in found.differs:
        yield f"  {phrase}"


def show_options(command: argparse.ArgumentParser) -> None:
    """The options of ``show``."""
    data_options(command)
    list_options(command)


def show(options: argparse.Namespace) -> int:
    """Show what a run would do: each field of the competition, its value, and why it has it."""
    from kpipe import pipeline
    from kpipe.cli.console import display

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
