"""Further packages for a kernel: wheels for the image's Python, in a private dataset, waited for until it is ready."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kpipe.errors import RemoteError, UsageError
from kpipe.kaggle.client import Kaggle

__all__ = ["dataset_of", "gather", "provide"]

_PYTHON = "3.12"  # of Kaggle's image
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 20.0  # seconds between two looks at a dataset that is being made
_FAILED = ("failed", "deleted")


def gather(packages: Sequence[str], folder: Path, *, username: str) -> str:
    """Wheels of packages, as pip finds them, without their dependencies; gives the dataset's name, owner/slug.

    The name holds a hash of the wheels: the same wheels are one dataset, and other wheels another.
    Raises UsageError with pip's words where there is no wheel for the image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    places = [part for platform in _PLATFORMS for part in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]
    version = ["--python-version", _PYTHON, "--implementation", "cp", *places]
    done = subprocess.run(
        [*command, str(folder), *version, "--", *packages], capture_output=True, text=True, check=False
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise UsageError(f"There is no wheel for Kaggle's Python {_PYTHON} of {', '.join(packages)}: {errors[-1]}")
    digest = hashlib.sha256()
    for wheel in sorted(folder.glob("*.whl")):
        digest.update(wheel.name.encode() + wheel.read_bytes())
    name = f"{username}/kpipe-wheels-{digest.hexdigest()[:12]}"
    metadata = {"id": name, "title": name.split("/")[1], "licenses": [{"name": "other"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return name


def dataset_of(folder: Path) -> str:
    """The name of the dataset that a folder of wheels is; "" where there is none. Raises UsageError if it is broken."""
    path = folder / "dataset-metadata.json"
    if not path.is_file():
        return ""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} does not describe a dataset ({error}). `kpipe kernel build` writes it.") from error


def provide(kaggle: Kaggle, folder: Path, *, tell: Callable[[str], None], seconds: float = 1800.0) -> None:
    """See that the private dataset of a folder of wheels is there and ready; upload it if it is not.

    Raises RemoteError where Kaggle does not take it, or has not made it ready after ``seconds``.
    """
    name = dataset_of(folder)
    status = kaggle.kernels.dataset_status(name)
    if not status:
        kaggle.kernels.create_dataset(folder)
    began, pause, last = time.monotonic(), _FIRST_PAUSE, ""
    while (status := kaggle.kernels.dataset_status(name)) != "ready":
        if status != last:
            tell(f"{name}: {status or 'not there yet'}")
            last = status
        if status in _FAILED:
            raise RemoteError(f"Kaggle could not make the dataset {name}: {status}.")
        if time.monotonic() - began > seconds:
            raise RemoteError(f"The dataset {name} is not ready after {seconds / 60:.0f} minutes. Try again later.")
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)
    tell(f"{name}: ready")
