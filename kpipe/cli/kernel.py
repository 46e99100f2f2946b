"""``kpipe kernel``."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import (
    REQUEST_OPTIONS,
    add_json_option,
    add_out_option,
    add_request_options,
    add_submit_options,
    given_options,
    print_settings,
)
from kpipe.errors import UsageError

if TYPE_CHECKING:
    from kpipe.kaggle.kernel.build import KernelSpec
    from kpipe.runs.ledger import Entry
    from kpipe.runs.run import Run

__all__ = ["COMMAND"]

_OF_MACHINES = ("data", "jobs")  # settings of this machine, which do not apply on Kaggle


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("action", choices=["build", "push"], help="build: write the kernel's folder; push: run it on Kaggle and submit")
    add("what", metavar="RUN|SLUG|DIR", help="a run to repeat, a competition or, for push, a folder created by build")
    add_request_options(parser, ["metric", "models"])
    add("--dir", metavar="DIR", type=Path, help="the folder to write; default: kernels/SLUG")
    add("--gpu", action="store_true", help="request a T4 GPU")
    add("--package", metavar="NAME", dest="packages", action="append", default=[], help="add a package; repeatable")
    attach = "attach a Kaggle dataset or model, such as pretrained weights, named as in its URL; repeatable"
    add("--input", metavar="NAME", dest="inputs", action="append", default=[], help=attach)
    add("--user", metavar="NAME", help="your Kaggle user name; default: from the credentials")
    add("--dry-run", action="store_true", help="push: show what would be uploaded, and upload nothing")
    add("--no-submit", dest="submit", action="store_false", help="push: do not submit the kernel's output")
    add_submit_options(parser.add_argument_group("submission, with push"))
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Build a kernel, or push one and submit its output."""
    folder = Path(options.what)
    if options.action == "build" or not (folder / "kernel-metadata.json").is_file():
        folder = _build(options)
    if options.action == "push" and not options.dry_run:
        return _push(folder, options)
    if options.json:
        _print_json(folder)
    elif options.dry_run:
        _print_dry_run(folder)
    else:
        print(folder)
    return 0


def _build(options: argparse.Namespace) -> Path:
    """Build the kernel's folder, of a run with the code that the run has kept."""
    from kpipe.runs.kept_code import using_kept_code

    run = _run(options)
    if run is None:
        return _build_of(_spec(options), options)
    if given := given_options(options):
        raise UsageError(
            f"A kernel repeats a run as it was: omit {' and '.join(REQUEST_OPTIONS[name][0] for name in given)}.",
            code="conflicting-options",
        )
    from kpipe.kaggle.kernel.build import spec_of_run

    with using_kept_code(run) as notes:
        _print_notes(run, notes)
        return _build_of(spec_of_run(run), options)


def _run(options: argparse.Namespace) -> Run | None:
    """The run that is meant, or None for a competition."""
    from kpipe import competitions
    from kpipe.runs.find import find_run

    if competitions.folder(options.what) is not None:
        return None
    try:
        return find_run(options.what, options.out)
    except UsageError as error:
        if error.code != "unknown-run" or "/" in options.what:
            raise
        return None


def _build_of(spec: KernelSpec, options: argparse.Namespace) -> Path:
    from kpipe.kaggle.kernel.build import build_kernel
    from kpipe.kaggle.kernel.wheels import download_wheels

    user = _user(options)
    folder = options.dir or Path("kernels") / spec.request.slug
    wheels = download_wheels(options.packages, folder / "wheels", username=user) if options.packages else ""
    built = build_kernel(spec, folder, username=user, gpu=options.gpu, wheels=wheels, inputs=options.inputs)
    print(f"{built.script}: {built.script.stat().st_size:,} bytes, kpipe's sha256 {built.sha256}", file=sys.stderr)
    return built.folder


def _spec(options: argparse.Namespace) -> KernelSpec:
    """What a kernel of a competition is to run."""
    from kpipe.kaggle.kernel.build import KernelSpec, on_kaggle
    from kpipe.problem.competition import find
    from kpipe.problem.settings import SETTINGS, make_request

    _check_exists(options.what)
    print_competition_notes([])
    names = [name for name in SETTINGS if name not in _OF_MACHINES]
    request = make_request(options.what, given_options(options), names=names)
    print_settings(request)
    if request.metric is None and find(request.slug).metric is None:
        note = "No metric was specified: the kernel will infer one from the sample submission"
        print(f"{note}. Specify it with --metric NAME.", file=sys.stderr)
    return KernelSpec(on_kaggle(request))


def _print_notes(run: Run, notes: tuple[str, ...]) -> None:
    """Print notes, and what has changed in the code that the kernel embeds since the run was made."""
    from kpipe.runs.code_hashes import code_hashes
    from kpipe.runs.differences import differences

    changed = differences({"code": run.record.get("code")}, {"code": code_hashes(run.record["slug"])})
    if changed:
        notes += (f"Changed since {run.record['run_id']} was made: {'; '.join(changed)}.",)
    for note in notes:
        print(note, file=sys.stderr)


def _check_exists(slug: str) -> None:
    """Raise UsageError for a competition of which there are neither a module nor files, and that Kaggle lacks."""
    from kpipe import competitions
    from kpipe.data.locate import locate
    from kpipe.errors import DataError, RemoteError
    from kpipe.kaggle.client import connect
    from kpipe.kaggle.credentials import find_credentials
    from kpipe.problem.settings import read_settings

    if not competitions.is_slug(slug) or competitions.folder(slug) is not None:
        return  # build_kernel refuses an invalid slug
    near = competitions.suggestion(slug)
    try:
        if find_credentials() is None:
            settings = read_settings(slug)
            locate(slug, settings.options().get("data") if settings is not None else None)
        else:
            connect().competitions.get(slug)
    except DataError:
        raise UsageError(
            f"There is neither a run nor a competition module {slug!r}.{near} For any other competition, put its files "
            f"into this folder ({slug}.zip), or set up credentials (`kpipe doctor`) so that kpipe can ask Kaggle.",
            code="data-not-found",
        ) from None
    except RemoteError as error:
        raise UsageError(f"{error}{near}", code=error.code) from error


def _user(options: argparse.Namespace) -> str:
    from kpipe.kaggle.credentials import find_credentials

    credentials = find_credentials()
    user = options.user or (credentials.username if credentials else "")
    if not user:
        raise UsageError(
            "A kernel needs an owner: pass your Kaggle user name with --user NAME.", code="missing-argument"
        )
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", user, flags=re.IGNORECASE):
        raise UsageError(
            f"--user must be your user name on Kaggle, as in kaggle.com/USER, and not your full name; got {user!r}.",
            code="invalid-value",
        )
    return str(user)


def _print_dry_run(folder: Path) -> None:
    script = _script(folder)
    print((folder / "kernel-metadata.json").read_text(encoding="utf-8"), end="")
    print(f"{script}: {script.stat().st_size:,} bytes. Nothing was uploaded.")


def _script(folder: Path) -> Path:
    from kpipe.kaggle.kernel.push import read_metadata

    return folder / str(read_metadata(folder)["code_file"])


def _print_json(folder: Path, output: Path | None = None, entry: Entry | None = None) -> None:
    """Print a kernel, and the result of running it on Kaggle if it has written ``output``."""
    from dataclasses import asdict

    from kpipe.cli.json_output import print_json

    script = _script(folder)
    paths = {"folder": str(folder), "script": str(script), "bytes": script.stat().st_size}
    done = {"uploaded": output is not None, "output": None if output is None else str(output)}
    print_json({**paths, **done, "submission": None if entry is None else asdict(entry)})


def _push(folder: Path, options: argparse.Namespace) -> int:
    """Run the kernel on Kaggle, fetch its output and, unless told otherwise, submit it."""
    from functools import partial

    from kpipe.cli.submit import check_confirmed, submit_file
    from kpipe.kaggle.client import connect
    from kpipe.kaggle.kernel import push, wheels
    from kpipe.runs.find import run_of_file

    metadata = push.read_metadata(folder)
    if options.submit:
        check_confirmed(options)
    kaggle, on_status = connect(), partial(print, file=sys.stderr, flush=True)
    if wheels.dataset_name(folder / "wheels") in metadata["dataset_sources"]:
        wheels.ensure_dataset(kaggle, folder / "wheels", on_status=on_status)
    pushed = kaggle.kernels.push(folder)
    push.wait_until_complete(kaggle, pushed, on_status=on_status)
    file = push.fetch_output(kaggle, pushed, folder / "output")
    if not options.json:
        print(file)
    entry = None
    if options.submit:
        (slug,) = metadata["competition_sources"]
        only_kernels = kaggle.competitions.get(slug).is_kernels_submissions_only
        entry = submit_file(slug, file, run_of_file(file), options, kernel=pushed if only_kernels else None)
    if options.json:
        _print_json(folder, file, entry)
    return 1 if entry is not None and entry.status == "error" else 0


COMMAND = Command(
    description=(
        "Build a self-contained Kaggle kernel, or run it on Kaggle. The script embeds kpipe: it needs no network and "
        "installs nothing."
    ),
    examples=(
        ("kpipe kernel build titanic --user me", "write kernels/titanic/"),
        ("kpipe kernel push kernels/titanic --dry-run", "show what would be uploaded"),
    ),
    add_options=_add_options,
    execute=_execute,
)
