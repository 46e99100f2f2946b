"""``kpipe doctor``: check that this machine and this account are ready."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.options import add_json_option
from kpipe.errors import KpipeError

if TYPE_CHECKING:
    from kpipe.core.values import Status
    from kpipe.kaggle.client import Kaggle
    from kpipe.kaggle.credentials import Credentials

__all__ = ["COMMAND", "Finding", "findings"]

_PACKAGES = ("torch", "fastai", "scikit-learn", "pandas", "lightgbm", "catboost", "kaggle", "fastkaggle", "six")
_EXTRAS = ("xgboost",)
_LITTLE_DISK = 5 << 30  # bytes; the larger tabular competitions need as much, including the cache


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check of the doctor.

    Parameters
    ----------
    name : str
        What was checked.
    status : {"pass", "warn", "fail"}
        The result.
    detail : str
        What was found.
    fix : str
        What to do about it; empty if there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""


def _add_options(parser: argparse.ArgumentParser) -> None:
    slug = "also check this competition: its rules, and the submissions left today"
    parser.add_argument("slug", metavar="SLUG", nargs="?", help=slug)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print each finding as soon as it is known."""
    from kpipe.cli.console.doctor import print_finding

    results = []
    for finding in findings(options.slug):
        results.append(finding)
        if not options.json:
            print_finding(finding)
    if options.json:
        from kpipe.cli.json_output import print_json

        keys = {"name": "name", "status": "status", "detail": "detail", "mend": "fix"}  # "mend" as in earlier versions
        print_json([{key: getattr(one, name) for key, name in keys.items()} for one in results])
    return 1 if any(finding.status == "fail" for finding in results) else 0


def findings(slug: str | None = None) -> Iterator[Finding]:
    """Check the machine, then the credentials, the account and, if given, a competition.

    Parameters
    ----------
    slug : str, optional
        A competition to check too.

    Yields
    ------
    Finding
        The result of each check, in the order of the checks.
    """
    from kpipe.kaggle.credentials import find_credentials

    yield _python()
    yield _packages()
    yield _device()
    yield _disk()
    yield from _credentials()
    if find_credentials() is not None:
        yield from _account(slug)
    elif slug is not None:
        detail = "Its rules and the submissions left cannot be checked without credentials."
        yield Finding(name=slug, status="warn", detail=detail)


def _python() -> Finding:
    version = platform.python_version()
    tested = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{version} ({sys.executable})"
    if tested:
        return Finding(name="Python", status="pass", detail=detail)
    return Finding(name="Python", status="warn", detail=detail, fix="kpipe is tested with Python 3.11 to 3.13.")


def _packages() -> Finding:
    from kpipe.core.packages import install_command, installed_versions

    versions = installed_versions((*_PACKAGES, *_EXTRAS))
    detail = ", ".join(f"{name} {version}" for name, version in versions.items())
    if missing := [name for name in _PACKAGES if name not in versions]:
        fix = f"Install the missing packages: {install_command(*missing)}"
        return Finding(name="packages", status="fail", detail=detail, fix=fix)
    absent = [name for name in _EXTRAS if name not in versions]
    fix = f"Optional: {', '.join(absent)} ({install_command(extra='xgboost')})." if absent else ""
    return Finding(name="packages", status="pass", detail=detail, fix=fix)


def _device() -> Finding:
    from kpipe.core.devices import available_cores, resolve_device

    return Finding(name="device", status="pass", detail=f"{resolve_device('auto')}, {available_cores()} CPU cores")


def _disk() -> Finding:
    from kpipe.data.cache import cache_folder

    folder = cache_folder()
    place = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # Path.exists may raise
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:,.1f} GB free for the cache in {folder}"
    if not os.access(place, os.W_OK):
        fix = "Set KPIPE_CACHE to a writable folder."
        return Finding(name="disk", status="fail", detail=f"{place} cannot be written", fix=fix)
    if free < _LITTLE_DISK:
        fix = "Free some space, or set KPIPE_CACHE to a folder on another disk."
        return Finding(name="disk", status="warn", detail=detail, fix=fix)
    return Finding(name="disk", status="pass", detail=detail)


def _credentials() -> Iterator[Finding]:
    from kpipe.kaggle.credentials import all_credentials, find_credentials

    every, used = all_credentials(), find_credentials()
    if not every:
        fix = (
            "Create a token on https://www.kaggle.com/settings, under API, and save it in the file "
            "~/.kaggle/access_token (chmod 600). Without credentials, kpipe works on files that you download yourself."
        )
        yield Finding(name="credentials", status="warn", detail="none found", fix=fix)
    for credentials in every:
        yield _credential(credentials, used)


def _credential(credentials: Credentials, used: Credentials | None) -> Finding:
    kinds = {"token": "an API token", "key": "a user name and key", "oauth": "a login of kaggle auth"}
    detail = f"{kinds[credentials.kind]} in {credentials.place}"
    if credentials.problem:
        fix = "Remove it, or create a new one on https://www.kaggle.com/settings."
        return Finding(name="credentials", status="warn", detail=f"{detail}: {credentials.problem}", fix=fix)
    if credentials.open_file is not None:
        detail = f"{detail}; other users of this machine can read {credentials.open_file}"
        return Finding(name="credentials", status="warn", detail=detail, fix=f"chmod 600 {credentials.open_file}")
    if used is not None and credentials.place != used.place:
        detail = f"{detail}, not used: {used.place} takes precedence"
        return Finding(name="credentials", status="pass", detail=detail)
    return Finding(name="credentials", status="pass", detail=f"{detail}, used")


def _account(slug: str | None) -> Iterator[Finding]:
    """Check the account behind the credentials, then a competition."""
    from kpipe.kaggle.client import connect

    try:
        kaggle = connect()
        name = kaggle.username()
    except KpipeError as error:
        yield Finding(name="account", status="fail", detail=str(error))
        return
    yield Finding(name="account", status="pass", detail=f"Logged in to Kaggle as {name}.")
    yield _quota(kaggle)
    if slug is not None:
        yield from _competition(kaggle, slug)


def _quota(kaggle: Kaggle) -> Finding:
    try:
        used, allowed = kaggle.gpu_hours()
    except KpipeError as error:
        return Finding(name="GPU quota", status="warn", detail=str(error))
    left = max(0.0, allowed - used)
    detail = f"{left:.1f} of {allowed:.1f} hours left this week in kernels"
    return Finding(name="GPU quota", status="pass" if left else "warn", detail=detail)


def _competition(kaggle: Kaggle, slug: str) -> Iterator[Finding]:
    try:
        entered = kaggle.competitions.get(slug).user_has_entered
        left = kaggle.competitions.submissions_left(slug)
    except KpipeError as error:
        yield Finding(name=slug, status="fail", detail=str(error))
        return
    if entered:
        yield Finding(name="rules", status="pass", detail=f"You have accepted the rules of {slug}.")
    else:
        fix = f"Accept them on https://www.kaggle.com/competitions/{slug}/rules"
        yield Finding(name="rules", status="fail", detail=f"You have not accepted the rules of {slug}.", fix=fix)
    status, fix = ("pass", "") if left else ("warn", "Try again after midnight UTC.")
    yield Finding(name="submissions", status=status, detail=f"{left} left today for {slug}", fix=fix)  # type: ignore[arg-type]


COMMAND = Command(
    description=(
        "Check Python, packages, device, disk and Kaggle credentials, and print how to fix problems. With "
        "SLUG, also check that the competition's rules are accepted."
    ),
    examples=(
        ("kpipe doctor", "check this machine and the credentials"),
        ("kpipe doctor titanic", "also check that titanic's rules are accepted"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
