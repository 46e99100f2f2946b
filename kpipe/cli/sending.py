"""``submit``, ``submissions`` and ``kernel``: what goes to Kaggle, and what comes back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.options import list_options, out_option, send_options
from kpipe.errors import SubmissionError, UsageError

if TYPE_CHECKING:
    from kpipe.kaggle.client import Pushed
    from kpipe.runs.ledger import Entry
    from kpipe.runs.run import Run

__all__ = ["kernel", "kernel_options", "sent", "submissions", "submissions_options", "submit", "submit_options"]


def submit_options(command: argparse.ArgumentParser) -> None:
    """The options of ``submit``."""
    add = command.add_argument
    add("what", metavar="RUN|CSV", help="a run's folder, its id, or the beginning or end of it; or a CSV")
    add("--competition", metavar="SLUG", help="of a CSV that no run wrote")
    send_options(command)
    out_option(command)
    add("--json", action="store_true", help="print the ledger's entry as JSON")


def submissions_options(command: argparse.ArgumentParser) -> None:
    """The options of ``submissions``."""
    add = command.add_argument
    add("slug", metavar="SLUG", help="the competition")
    out_option(command)
    list_options(command)


def kernel_options(command: argparse.ArgumentParser) -> None:
    """The options of ``kernel``."""
    add = command.add_argument
    add("action", choices=["build", "push"], help="build: write the kernel's folder; push: run it on Kaggle and submit")
    add("what", metavar="RUN|SLUG|DIR", help="a run, which the kernel repeats; a competition; for push, what was built")
    add("--model", metavar="NAME", dest="models", action="append", default=[], help="of a competition; repeatable")
    add("--dir", metavar="DIR", type=Path, help="where to write; default: kernels/SLUG")
    add("--gpu", action="store_true", help="ask for a T4")
    add("--package", metavar="NAME", dest="packages", action="append", default=[], help="further wheel; repeatable")
    add("--user", metavar="NAME", help="your name on Kaggle; default: that of the credentials")
    add("--dry-run", action="store_true", help="push: show what would be sent, and send nothing")
    add("--no-submit", dest="submit", action="store_false", help="push: do not submit what the kernel wrote")
    send_options(command)
    out_option(command)


def sent(slug: str, file: Path, run: Run | None, options: argparse.Namespace, *, kernel: Pushed | None = None) -> Entry:
    """Guarded, proved if no run of ours did, sent, written down, and waited for unless told otherwise."""
    from kpipe import pipeline
    from kpipe.cli.console import display
    from kpipe.kaggle import submit
    from kpipe.kaggle.client import connect

    if run is None:
        submit.prove_file(file, *pipeline.prepare(slug))
    out, kaggle = options.out, connect()
    guard = submit.check_can_submit(kaggle, slug, file, run, out=out, force=options.force)
    if guard.last and not options.yes:
        _ask_for_the_last(slug)
    entry = submit.send(kaggle, slug, file, run, message=options.message, out=out, kernel=kernel)
    with display.waiting(entry, left_today=guard.left_today - 1) as tell:
        if options.wait:
            entry = submit.wait_for_score(kaggle, entry, out=out, tell=tell)
    display.show_entry(entry)
    return entry


def _ask_for_the_last(slug: str) -> None:
    if not sys.stdin.isatty():
        raise SubmissionError(f"It would be the last submission for {slug} today. To spend it, add --yes.")
    print(f"This is the last submission for {slug} today. Send it? [y/N] ", end="", file=sys.stderr, flush=True)
    if input().strip().lower() not in ("y", "yes"):
        raise SubmissionError("Nothing was sent.")


def submit(options: argparse.Namespace) -> int:
    """Send a run's submission, or a CSV, to Kaggle: guarded, written into the ledger, and waited for."""
    import json
    from dataclasses import asdict

    from kpipe.runs import find

    if options.what.endswith(".csv"):
        file = Path(options.what)
        run = find.run_of_file(file)
        slug = run.record["slug"] if run else options.competition
        if slug is None:
            raise UsageError(f"No run wrote {file}: say which competition it is for, with --competition SLUG.")
    else:
        run = find.find_run(options.what, options.out)
        slug, file = run.record["slug"], run.path / "submission.csv"
    entry = sent(slug, file, run, options)
    if options.json:
        print(json.dumps(asdict(entry), indent=2))
    return 1 if entry.status == "error" else 0


def submissions(options: argparse.Namespace) -> int:
    """List what was submitted: its run, cross-validation beside leaderboard, as a table and as a picture."""
    import json
    from dataclasses import asdict

    from kpipe.cli.console import display
    from kpipe.kaggle import submit
    from kpipe.kaggle.client import connect
    from kpipe.kaggle.credentials import find as find_credentials
    from kpipe.report.leaderboard import leaderboard_plot
    from kpipe.runs import ledger

    out, kaggle = options.out, connect() if find_credentials() else None
    entries = submit.sync_ledger(kaggle, options.slug, out=out) if kaggle else ledger.read_ledger(out, options.slug)
    if options.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
        return 0
    rank = kaggle.competition(options.slug).user_rank if kaggle else None
    display.show_entries(options.slug, entries, rank=rank, fresh=kaggle is not None)
    if any(entry.score is not None and entry.public_score is not None for entry in entries):
        path = out / options.slug / "submissions.png"
        leaderboard_plot(entries).savefig(path, dpi=130)
        print(f"Picture: {path}")
    return 0


def kernel(options: argparse.Namespace) -> int:
    """Make a self-contained kernel script of a run or a competition, and run it on Kaggle: offline, kpipe inside."""
    if options.action == "build":
        print(_built(options))
        return 0
    return _push(options)


def _built(options: argparse.Namespace) -> Path:
    from kpipe import competitions
    from kpipe.kaggle.credentials import find as find_credentials
    from kpipe.kaggle.kernel import build as kernel
    from kpipe.kaggle.kernel.wheels import gather
    from kpipe.runs import find

    slug, made_from, chosen = options.what, "", {"models": options.models} if options.models else {}
    if competitions.folder(slug) is None and ("/" in slug or any(options.out.glob(f"*/{slug}"))):
        run = find.find_run(options.what, options.out)
        slug, made_from, chosen = run.record["slug"], run.record["run_id"], kernel.options_of(run)
    credentials = find_credentials()
    user = options.user or (credentials.username if credentials else "")
    if not user:
        raise UsageError("A kernel belongs to somebody: give your name on Kaggle with --user NAME.")
    folder = options.dir or Path("kernels") / slug
    wheels = gather(options.packages, folder / "wheels", username=user) if options.packages else ""
    built = kernel.build(slug, chosen, folder, username=user, gpu=options.gpu, made_from=made_from, wheels=wheels)
    print(f"{built.script}: {built.script.stat().st_size:,} bytes, kpipe's sha256 {built.sha256}", file=sys.stderr)
    return built.folder


def _push(options: argparse.Namespace) -> int:
    from functools import partial

    from kpipe.kaggle.client import connect
    from kpipe.kaggle.kernel import push as kernel_push
    from kpipe.kaggle.kernel import wheels
    from kpipe.runs import find

    folder = Path(options.what)
    if not (folder / "kernel-metadata.json").is_file():
        folder = _built(options)
    metadata = kernel_push.read_metadata(folder)
    if options.dry_run:
        print((folder / "kernel-metadata.json").read_text(encoding="utf-8"), end="")
        script = folder / metadata["code_file"]
        print(f"{script}: {script.stat().st_size:,} bytes. Nothing was sent.")
        return 0
    kaggle, tell = connect(), partial(print, file=sys.stderr, flush=True)
    if wheels.dataset_of(folder / "wheels") in metadata["dataset_sources"]:
        wheels.provide(kaggle, folder / "wheels", tell=tell)
    pushed = kaggle.push_kernel(folder)
    kernel_push.followed(kaggle, pushed, tell=tell)
    file = kernel_push.fetched(kaggle, pushed, folder / "output")
    print(file)
    if not options.submit:
        return 0
    (slug,) = metadata["competition_sources"]
    only_kernels = kaggle.competition(slug).is_kernels_submissions_only
    entry = sent(slug, file, find.run_of_file(file), options, kernel=pushed if only_kernels else None)
    return 1 if entry.status == "error" else 0
