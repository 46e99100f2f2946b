"""The ``kpipe`` command: parse, call, show; the only place that words errors for people.

Nothing heavy is imported here: ``kpipe --help`` loads argparse and no more (``docs/decisions/0002-command-line.md``).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.errors import KpipeError, SubmissionError, UsageError

if TYPE_CHECKING:
    from kpipe.leaderboard import Entry
    from kpipe.remote.client import Pushed
    from kpipe.runs import Run

__all__ = ["COMMANDS", "main"]

_FIELDS = ("metric", "target", "id", "text", "split", "drop")  # options that say what a competition is
_INTERRUPTED = 130  # 128 + SIGINT: what shells expect of a command that Ctrl-C has ended

_EXAMPLES = """examples:
  kpipe run titanic                      train on the embedded sample, no account needed
  kpipe run titanic --data titanic.zip   train on Kaggle's own files
  kpipe show titanic                     what a run would do, and why
  kpipe run titanic --submit -m first    train, submit, wait for the score (credentials: kpipe doctor)
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status: 0 done, 1 a check or a run failed, 2 wrong call or input."""
    options = _parser().parse_args(args)
    try:
        status = options.call(options)
    except KpipeError as error:
        print(f"Error: {error}", file=sys.stderr)
        status = error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        status = _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left (kpipe list | head): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kpipe",
        description="From a Kaggle competition's name to a score one can believe.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kpipe {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (add_options, call) in COMMANDS.items():
        text = (call.__doc__ or "").strip()
        command = commands.add_parser(name, help=text.split(":")[0].rstrip("."), description=text, allow_abbrev=False)
        add_options(command)
        command.set_defaults(call=call)
    return parser


def _version() -> str:
    import kpipe

    return kpipe.__version__


def _data_options(command: argparse.ArgumentParser) -> None:
    """The options by which files are found and read."""
    add = command.add_argument
    add("slug", metavar="SLUG", help="the competition, as in kaggle.com/competitions/SLUG")
    add("--data", metavar="PATH", help="a folder or Kaggle's zip; default: what is found, last the embedded sample")
    add("--metric", metavar="NAME", help="the metric; default: the competition's, or a guess")
    add("--target", metavar="COLUMN", action="append", help="the target column; repeatable; default: inferred")
    add("--id", metavar="COLUMN", help="the id column; default: inferred")
    add("--split", metavar="rows|COLUMN", help="rows are independent, or were set apart by a column of groups or dates")
    add("--drop", metavar="COLUMN", action="append", default=[], help="a column that models may not see; repeatable")
    add("--text", metavar="COLUMN", action="append", default=[], help="read a column as text; repeatable")


def _run_options(command: argparse.ArgumentParser) -> None:
    _data_options(command)
    add = command.add_argument
    add("--model", metavar="NAME", dest="models", action="append", default=[], help="train only this; repeatable")
    add("--budget", metavar="TIME", type=_seconds, help="leave out models that would end after it: 90s, 5m or 1h")
    add("--folds", metavar="N", type=_at_least(2), help="number of folds; default: the competition's")
    add("--seed", metavar="N", type=_at_least(0), action="append", help="average over seeds; repeatable; default: 0")
    add("--device", metavar="NAME", default="auto", help="auto, cpu, cuda or mps, for torch models")
    add("--jobs", metavar="N", type=_at_least(1), help="model fits at a time; default: one per core")
    add("--out", metavar="DIR", default="submissions", help="where run folders are made; default: submissions")
    add("--submit", action="store_true", help="send the submission to Kaggle and wait for its score")
    _send_options(command)
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print run.json to stdout, and nothing else")
    shown.add_argument("--quiet", action="store_true", help="print only the path of the submission")


def _send_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("-m", "--message", metavar="TEXT", default="", help="what Kaggle shows beside the submission; default: the run")
    add("--no-wait", dest="wait", action="store_false", help="do not wait for the score")
    add("--yes", action="store_true", help="spend the last submission of the day without asking")
    add("--force", action="store_true", help="send although a check failed or the same file was sent before")


def _submit_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("what", metavar="RUN|CSV", help="a run's folder or id, or a CSV")
    add("--competition", metavar="SLUG", help="of a CSV that no run wrote")
    _send_options(command)
    add("--out", metavar="DIR", default="submissions", help="where run folders are; default: submissions")
    add("--json", action="store_true", help="print the ledger's entry as JSON")


def _submissions_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("slug", metavar="SLUG", help="the competition")
    add("--out", metavar="DIR", default="submissions", help="where run folders are; default: submissions")
    add("--json", action="store_true", help="print JSON")


def _show_options(command: argparse.ArgumentParser) -> None:
    _data_options(command)
    _list_options(command)


def _list_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def _study_options(command: argparse.ArgumentParser) -> None:
    from kpipe.studies import STUDIES

    names = "\n".join(f"  {name:24} {text}" for name, (_, text) in STUDIES.items())
    command.epilog = f"studies:\n{names}"
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    add = command.add_argument
    add("name", metavar="NAME", help="the study")
    add("--data", metavar="PATH", type=Path, help="a folder or Kaggle's zip; default: as for run")
    add("--runs", metavar="N", type=_at_least(1), help="how often what is random is drawn; default: the study's own")
    add("--epochs", metavar="N", type=_at_least(1), help="train no longer: a quick look, with other numbers")
    add("--out", metavar="DIR", type=Path, default="studies", help="where DIR/NAME/ is made; default: studies")
    add("--json", action="store_true", help="print every number as JSON to stdout, and nothing else")


def _run(options: argparse.Namespace) -> int:
    """Train, validate, predict, check and write a submission for a competition."""
    from kpipe import display, pipeline

    if options.submit:
        from kpipe.remote.client import connect

        connect()  # credentials that are missing or refused are said before hours of training

    names = ("data", *_FIELDS, "models", "budget", "folds", "device", "jobs", "out")
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
        entry = _sent(options.slug, finished.path / "submission.csv", finished, options)
        return 1 if entry.status == "error" else 0
    return 1 if any(check["status"] == "fail" for check in finished.record["checks"]) else 0


def _sent(
    slug: str, file: Path, run: Run | None, options: argparse.Namespace, *, kernel: Pushed | None = None
) -> Entry:
    """Guarded, proved if no run of ours did, sent, written down, and waited for unless told otherwise."""
    from kpipe import display, leaderboard, pipeline
    from kpipe.remote.client import connect

    if run is None:
        leaderboard.prove_file(file, *pipeline.prepare(slug))
    out, kaggle = Path(options.out), connect()
    guard = leaderboard.guard(kaggle, slug, file, run, out=out, force=options.force)
    if guard.last and not options.yes:
        _ask_for_the_last(slug)
    entry = leaderboard.send(kaggle, slug, file, run, message=options.message, out=out, kernel=kernel)
    with display.waiting(entry, left_today=guard.left_today - 1) as tell:
        if options.wait:
            entry = leaderboard.waited(kaggle, entry, out=out, tell=tell)
    display.show_entry(entry)
    return entry


def _ask_for_the_last(slug: str) -> None:
    if not sys.stdin.isatty():
        raise SubmissionError(f"It would be the last submission for {slug} today. To spend it, add --yes.")
    print(f"This is the last submission for {slug} today. Send it? [y/N] ", end="", file=sys.stderr, flush=True)
    if input().strip().lower() not in ("y", "yes"):
        raise SubmissionError("Nothing was sent.")


def _submit(options: argparse.Namespace) -> int:
    """Send a run's submission, or a CSV, to Kaggle: guarded, written into the ledger, and waited for."""
    import json
    from dataclasses import asdict

    from kpipe import leaderboard

    if options.what.endswith(".csv"):
        file = Path(options.what)
        run = leaderboard.run_of(file)
        slug = run.record["slug"] if run else options.competition
        if slug is None:
            raise UsageError(f"No run wrote {file}: say which competition it is for, with --competition SLUG.")
    else:
        run = leaderboard.run_named(options.what, Path(options.out))
        slug, file = run.record["slug"], run.path / "submission.csv"
    entry = _sent(slug, file, run, options)
    if options.json:
        print(json.dumps(asdict(entry), indent=2))
    return 1 if entry.status == "error" else 0


def _submissions(options: argparse.Namespace) -> int:
    """List what was submitted: its run, cross-validation beside leaderboard, as a table and as a picture."""
    import json
    from dataclasses import asdict

    from kpipe import display, leaderboard
    from kpipe.remote.client import connect
    from kpipe.remote.credentials import find

    out, kaggle = Path(options.out), connect() if find() else None
    entries = leaderboard.refreshed(kaggle, options.slug, out=out) if kaggle else leaderboard.ledger(out, options.slug)
    if options.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
        return 0
    rank = kaggle.competition(options.slug).user_rank if kaggle else None
    display.show_entries(options.slug, entries, rank=rank, fresh=kaggle is not None)
    if any(entry.score is not None and entry.public_score is not None for entry in entries):
        path = out / options.slug / "submissions.png"
        leaderboard.picture(entries).savefig(path, dpi=130)
        print(f"Picture: {path}")
    return 0


def _list(options: argparse.Namespace) -> int:
    """List the competitions that have a module: any other slug works too, with --data."""
    from kpipe import competitions

    slugs = competitions.slugs()
    if options.json:
        import json

        print(json.dumps([{"slug": slug, "path": str(competitions.folder(slug))} for slug in slugs], indent=2))
    else:
        print("\n".join(slugs))
    return 0


def _show(options: argparse.Namespace) -> int:
    """Show what a run would do: each field of the competition, its value, and why it has it."""
    from kpipe import display, pipeline

    names = ("data", *_FIELDS)
    competition, tables = pipeline.prepare(options.slug, **{name: getattr(options, name) for name in names})
    if options.json:
        import json

        print(json.dumps(display.described(competition, tables), indent=2))
    else:
        display.show_competition(competition, tables)
    return 0


def _study(options: argparse.Namespace) -> int:
    """Train a notebook's nets as published, and again as run does: what it said, and what is so."""
    from kpipe import display
    from kpipe.studies import study
    from kpipe.studies.findings import as_json, save, writable

    folder = options.out / options.name
    writable(folder)  # before minutes of training
    found = study(
        options.name, data=options.data, runs=options.runs, epochs=options.epochs, tell=display.tell_study(options.name)
    )
    if options.json:
        print(as_json(found), end="")
    save(found, folder)
    if options.json:
        return 0
    display.show_study(found, folder)
    return 0


def _kernel_options(command: argparse.ArgumentParser) -> None:
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
    _send_options(command)
    add("--out", metavar="DIR", default="submissions", help="where run folders are; default: submissions")


def _kernel(options: argparse.Namespace) -> int:
    """Make a self-contained kernel script of a run or a competition, and run it on Kaggle: offline, kpipe inside."""
    if options.action == "build":
        print(_built(options))
        return 0
    return _push(options)


def _built(options: argparse.Namespace) -> Path:
    from kpipe import competitions, kernel, leaderboard
    from kpipe.remote.credentials import find
    from kpipe.wheels import gather

    slug, made_from, chosen = options.what, "", {"models": options.models} if options.models else {}
    if competitions.folder(slug) is None and ("/" in slug or any(Path(options.out).glob(f"*/{slug}"))):
        run = leaderboard.run_named(options.what, Path(options.out))
        slug, made_from, chosen = run.record["slug"], run.record["run_id"], kernel.options_of(run)
    credentials = find()
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

    from kpipe import kernel_push, leaderboard, wheels
    from kpipe.remote.client import connect

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
    entry = _sent(slug, file, leaderboard.run_of(file), options, kernel=pushed if only_kernels else None)
    return 1 if entry.status == "error" else 0


def _doctor_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "slug", metavar="SLUG", nargs="?", help="look at this competition too: rules, submissions left"
    )
    _list_options(command)


def _doctor(options: argparse.Namespace) -> int:
    """Look at Python, packages, device, disk and Kaggle credentials: each finding with its mend."""
    import json
    from dataclasses import asdict

    from kpipe import display, doctor

    found = []
    for finding in doctor.findings(options.slug):
        found.append(finding)
        if not options.json:
            display.show_finding(finding)
    if options.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    return 1 if any(finding.status == "fail" for finding in found) else 0


COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "run": (_run_options, _run),
    "show": (_show_options, _show),
    "list": (_list_options, _list),
    "submit": (_submit_options, _submit),
    "submissions": (_submissions_options, _submissions),
    "kernel": (_kernel_options, _kernel),
    "doctor": (_doctor_options, _doctor),
    "study": (_study_options, _study),
}


def _seconds(text: str) -> float:
    """Seconds of a time as 90, 90s, 5m or 1h.

    >>> _seconds("5m"), _seconds("90")
    (300.0, 90.0)
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:].lower() in units else (text, "s")
    try:
        seconds = float(number) * units[unit.lower()]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a time such as 90s, 5m or 1h, however: {text!r}")
    return seconds


def _at_least(smallest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text) if text.isdecimal() else smallest - 1
        if value < smallest:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {smallest}, however: {text!r}")
        return value

    return number
