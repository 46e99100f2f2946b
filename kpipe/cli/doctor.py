"""What this machine and this account are ready for; each finding with its mend."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from kpipe.core.devices import resolve_device
from kpipe.core.packages import install_command, installed_versions
from kpipe.core.values import Status
from kpipe.data.loading import cache_folder
from kpipe.errors import KpipeError
from kpipe.kaggle.client import Kaggle, connect
from kpipe.kaggle.credentials import Credentials, find, found
from kpipe.training.worker import cores

__all__ = ["Finding", "findings"]

_PACKAGES = ("torch", "fastai", "scikit-learn", "pandas", "lightgbm", "catboost", "kaggle", "fastkaggle", "six")
_EXTRAS = ("xgboost",)
_LITTLE_DISK = 5 << 30  # bytes; the larger competitions of tables need as much, with their cache


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. mend : what to do about it; empty where nothing is to be done."""

    name: str
    status: Status
    detail: str
    mend: str = ""


def findings(slug: str | None = None) -> Iterator[Finding]:
    """The machine first, then the credentials, the account behind them, and a competition, if one is named."""
    yield _python()
    yield _packages()
    yield _device()
    yield _disk()
    yield from _credentials()
    if find() is None:
        if slug is not None:
            told = "Without credentials neither its rules nor the submissions that are left can be looked up."
            yield Finding(name=slug, status="warn", detail=told)
        return
    try:
        kaggle = connect()
        name = kaggle.username()
    except KpipeError as error:
        yield Finding(name="account", status="fail", detail=str(error))
        return
    yield Finding(name="account", status="pass", detail=f"Kaggle knows you as {name}.")
    yield _quota(kaggle)
    if slug is not None:
        yield from _competition(kaggle, slug)


def _python() -> Finding:
    version = platform.python_version()
    tested = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{version} ({sys.executable})"
    if tested:
        return Finding(name="Python", status="pass", detail=detail)
    return Finding(name="Python", status="warn", detail=detail, mend="kpipe is tested with Python 3.11 to 3.13.")


def _packages() -> Finding:
    versions = installed_versions((*_PACKAGES, *_EXTRAS))
    missing = [name for name in _PACKAGES if name not in versions]
    detail = ", ".join(f"{name} {version}" for name, version in versions.items())
    if missing:
        mend = f"Install the missing packages: {install_command(*missing)}"
        return Finding(name="packages", status="fail", detail=detail, mend=mend)
    absent = [name for name in _EXTRAS if name not in versions]
    mend = f"Not needed: {', '.join(absent)} ({install_command(extra='xgboost')})." if absent else ""
    return Finding(name="packages", status="pass", detail=detail, mend=mend)


def _device() -> Finding:
    device = resolve_device("auto")
    return Finding(name="device", status="pass", detail=f"{device}, {cores()} CPU cores")


def _disk() -> Finding:
    folder = cache_folder()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:,.1f} GB free for the cache in {folder}"
    if not os.access(place, os.W_OK):
        return Finding(name="disk", status="fail", detail=f"{place} cannot be written", mend="Set KPIPE_CACHE.")
    if free < _LITTLE_DISK:
        return Finding(name="disk", status="warn", detail=detail, mend="Free space, or set KPIPE_CACHE elsewhere.")
    return Finding(name="disk", status="pass", detail=detail)


def _credentials() -> Iterator[Finding]:
    every, used = found(), find()
    if not every:
        mend = (
            "Create a token on https://www.kaggle.com/settings, under API, and put it into the file "
            "~/.kaggle/access_token (chmod 600). Without it, kpipe works on files that you download yourself."
        )
        yield Finding(name="credentials", status="warn", detail="none found", mend=mend)
    for one in every:
        yield _credential(one, used)


def _credential(one: Credentials, used: Credentials | None) -> Finding:
    kind = {"token": "an API token", "key": "a user name and key", "oauth": "a login of kaggle auth"}[one.kind]
    detail = f"{kind} in {one.place}"
    if one.problem:
        mend = "Remove it, or create a new one on https://www.kaggle.com/settings."
        return Finding(name="credentials", status="warn", detail=f"{detail}: {one.problem}", mend=mend)
    if one.open_file is not None:
        detail = f"{detail}; others on this machine may read {one.open_file}"
        return Finding(name="credentials", status="warn", detail=detail, mend=f"chmod 600 {one.open_file}")
    if used is not None and one.place != used.place:
        return Finding(name="credentials", status="pass", detail=f"{detail}, not used: {used.place} goes before it")
    return Finding(name="credentials", status="pass", detail=f"{detail}, used")


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
        entered = kaggle.competition(slug).user_has_entered
        left = kaggle.left_today(slug)
    except KpipeError as error:
        yield Finding(name=slug, status="fail", detail=str(error))
        return
    if entered:
        yield Finding(name="rules", status="pass", detail=f"The rules of {slug} are accepted.")
    else:
        page = f"https://www.kaggle.com/competitions/{slug}/rules"
        yield Finding(name="rules", status="fail", detail=f"The rules of {slug} are not accepted.", mend=f"Open {page}")
    yield Finding(
        name="submissions", status="pass" if left else "warn", detail=f"{left} left today for {slug}",
        mend="" if left else "More after midnight UTC.",
    )  # fmt: skip
