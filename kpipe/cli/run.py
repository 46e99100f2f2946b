"""``kpipe run``."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.head_start import seconds_since_start, start_workers_early
from kpipe.cli.messages import print_competition_notes, print_message
from kpipe.cli.options import (
    REQUEST_OPTIONS,
    add_out_option,
    add_output_options,
    add_request_options,
    add_slug,
    add_submit_options,
    given_options,
    request_from,
)
from kpipe.core.collector import collect_as_usual
from kpipe.errors import KpipeError, UsageError

if TYPE_CHECKING:
    from kpipe.core.request import RunRequest
    from kpipe.pipeline import Callbacks
    from kpipe.runs.run import Run

__all__ = ["COMMAND"]

_WITH_RESUME = ("data", "jobs", "budget")  # options that may be changed when a run is resumed


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser, optional=True)
    add = add_request_options(parser).add_argument
    add("--resume", metavar="RUN", help="resume an unfinished run, given its folder or key, with the same options")
    add("--cluster", metavar="KIND=ADDRESS", help="train on a cluster: dask=tcp://HOST:8786, ray=auto or ray=HOST:6379")
    output = parser.add_argument_group("output")
    add_out_option(output)
    output.add_argument("--report", action="store_true", help="also write report.html into the run's folder")
    track = "log the run to the MLflow server at MLFLOW_TRACKING_URI"
    output.add_argument("--track", choices=["mlflow"], help=track)
    add_output_options(output)
    submission = parser.add_argument_group("submission")
    submission.add_argument("--submit", action="store_true", help="submit to Kaggle and wait for the score")
    add_submit_options(submission)


def _execute(options: argparse.Namespace) -> int:
    """Train, print the result and, if asked, report, track and submit it."""
    began = time.perf_counter() - seconds_since_start()
    start_workers_early(options)
    from kpipe.cli.console.progress import show_progress
    from kpipe.cli.console.run import print_run
    from kpipe.training.backends import connect_to_cluster

    collect_as_usual()
    if not options.quiet:
        print_competition_notes([options.slug or ""], options.data)
    _connect_first(options)
    with show_progress(quiet=options.quiet) as progress, connect_to_cluster(options.cluster):
        run = (_resume if options.resume else _train)(options, progress.callbacks, began)
    status = print_run(run, json=options.json, quiet=options.quiet)
    if options.quiet and run.record["data"]["origin"] == "sample" and options.data != "sample":
        print_message("Trained on sample data, not on Kaggle's: for the real files, pass --data FOLDER_OR_ZIP.")
    _report_and_track(run, options)
    return _submit(run, options) if options.submit else status


def _connect_first(options: argparse.Namespace) -> None:
    """Raise for missing credentials or a missing --yes now, and not after hours of training."""
    if options.submit:
        from kpipe.cli.submit import check_confirmed
        from kpipe.kaggle.client import connect

        connect()
        check_confirmed(options)
    if options.track:
        from kpipe.runs import tracking

        tracking.connect()


def _train(options: argparse.Namespace, callbacks: Callbacks, began: float) -> Run:
    from kpipe import pipeline
    from kpipe.problem.remembered_data import suggest_entry

    if options.slug is None:
        raise UsageError(
            "Name a competition, as in kaggle.com/competitions/SLUG: kpipe run SLUG. Or resume a run: --resume RUN.",
            code="missing-argument",
        )
    request = request_from(options)
    if options.data and not (options.quiet or options.json) and (entry := suggest_entry(options.slug, options.data)):
        print_message(entry)
    if request.name and not options.quiet:
        _warn_of_namesakes(request)
    return pipeline.run(request, spent=time.perf_counter() - began, **callbacks)  # imports take seconds


def _warn_of_namesakes(request: RunRequest) -> None:
    """Print a note if an earlier run has the same name, since the name then refers to several runs."""
    from kpipe.runs.find import find_runs

    named = [run for run in find_runs(request.out)[0] if run.record.get("name") == request.name]
    if named:
        print_message(
            f"Note: {request.name!r} is already the name of {named[-1].record['run_id']}. Commands will not know which "
            "of the runs you mean by it, and ask for an id."
        )


def _resume(options: argparse.Namespace, callbacks: Callbacks, began: float) -> Run:
    from kpipe import pipeline

    changes = given_options(options)
    if other := [REQUEST_OPTIONS[name][0] for name in changes if name not in _WITH_RESUME]:
        raise UsageError(
            f"--resume keeps the options that the run was started with: omit {', '.join(other)}.",
            code="conflicting-options",
        )
    spent = time.perf_counter() - began
    return pipeline.resume(
        options.resume, out=options.out, slug=options.slug, changes=changes, spent=spent, **callbacks
    )


def _report_and_track(run: Run, options: argparse.Namespace) -> None:
    """Write the report and log to MLflow, if asked, and print where."""
    if options.report:
        from kpipe.report import write

        print(f"Report: {write(run)}", file=sys.stderr)
    if options.track:
        from kpipe.runs import tracking

        print(f"MLflow: {tracking.track(run)}", file=sys.stderr)


def _submit(run: Run, options: argparse.Namespace) -> int:
    from kpipe.cli.submit import submit_file

    try:
        entry = submit_file(run.record["slug"], run.path / "submission.csv", run, options)
    except KpipeError as error:
        error.next = (f"kpipe submit {shlex.quote(str(run.path))}",)  # the run itself is complete
        raise
    return 1 if entry.status == "error" else 0


COMMAND = Command(
    description=(
        "Train and validate models, and write a submission for a competition. kpipe finds the files, infers what you "
        "do not specify, and checks the result for leaks and mistakes. Options that you use every time can be set in "
        "the workspace's kpipe.toml (kpipe init)."
    ),
    examples=(
        ("kpipe run titanic --data titanic.zip", "train on Kaggle's zip, or a folder of its files"),
        ("kpipe run titanic --model linear --model boosting", "train two models and combine them"),
        ("kpipe run playground-series-s3e26 --metric log_loss --budget 5m", "any competition, in five minutes"),
        ("kpipe run titanic --seed 0 --seed 1 --folds 10", "average over two seeds, with ten folds"),
        ("kpipe run titanic --submit -m first", "submit to Kaggle and wait for the score"),
    ),
    add_options=_add_options,
    execute=_execute,
)
