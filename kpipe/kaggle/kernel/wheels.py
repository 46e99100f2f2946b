"""Additional packages for a kernel: wheels for the Python of Kaggle's image, uploaded as a private dataset."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kpipe.errors import OutputError, RemoteError, UsageError
from kpipe.kaggle.client import Kaggle
from kpipe.kaggle.polling import poll

__all__ = ["dataset_name", "download_wheels", "ensure_dataset"]

_PYTHON = "3.12"  # of Kaggle's image
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_FAILED = ("failed", "deleted")


def download_wheels(packages: Sequence[str], folder: Path, *, username: str) -> str:
    """Download wheels with pip, without their dependencies, and describe them as a dataset.

    Parameters
    ----------
    packages : sequence of str
        Names, as pip takes them.
    folder : Path
        Where to write the wheels and dataset-metadata.json; wheels that are there are deleted.
    username : str
        The owner of the dataset.

    Returns
    -------
    str
        The dataset's name, owner/slug. It holds a hash of the wheels: the same wheels are the same dataset.

    Raises
    ------
    UsageError
        If there is no wheel for the image, with pip's message, or pip is not installed.
    OutputError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.whl"):
            old.unlink()
        _pip_download(packages, folder)
        return _describe_dataset(folder, username)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror}. Choose another --dir.", code="cannot-write"
        ) from error


def _describe_dataset(folder: Path, username: str) -> str:
    """Write dataset-metadata.json, and return the dataset's name."""
    digest = hashlib.sha256()
    for wheel in sorted(folder.glob("*.whl")):
        digest.update(wheel.name.encode() + wheel.read_bytes())
    name = f"{username}/kpipe-wheels-{digest.hexdigest()[:12]}"
    metadata = {"id": name, "title": name.split("/")[1], "licenses": [{"name": "other"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return name


def _pip_download(packages: Sequence[str], folder: Path) -> None:
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    image = ["--python-version", _PYTHON, "--implementation", "cp", *platforms]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(folder), *image, "--", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.returncode:
        return
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    if errors:
        raise UsageError(
            f"There is no wheel for Kaggle's Python {_PYTHON} of {', '.join(packages)}: {errors[-1]}",
            code="kernel-not-buildable",
        )
    reason = (done.stderr.strip().splitlines() or ["it printed no error"])[-1]
    raise UsageError(
        f"The wheels of {', '.join(packages)} cannot be downloaded, because pip does not run: {reason}. "
        "--package needs pip: add it to the environment with `python -m ensurepip`.",
        code="missing-package",
    )


def dataset_name(folder: Path) -> str:
    """The name of the dataset that a folder of wheels describes.

    Parameters
    ----------
    folder : Path
        Written by ``download_wheels``.

    Returns
    -------
    str
        owner/slug; empty if there is no dataset-metadata.json.

    Raises
    ------
    UsageError
        If dataset-metadata.json does not describe a dataset.
    """
    path = folder / "dataset-metadata.json"
    if not path.is_file():
        return ""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path} does not describe a dataset ({error}). `kpipe kernel build` writes it.",
            code="broken-kernel-folder",
            file=str(path),
        ) from error


def ensure_dataset(kaggle: Kaggle, folder: Path, *, on_status: Callable[[str], None], seconds: float = 1800.0) -> None:
    """Create the private dataset of a folder of wheels unless it exists, and wait until it is ready.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    folder : Path
        Written by ``download_wheels``.
    on_status : callable
        Called with a line of text for each new state.
    seconds : float
        How long to wait.

    Raises
    ------
    RemoteError
        If Kaggle does not accept the dataset, or it is not ready after ``seconds``.
    """
    name = dataset_name(folder)
    if not kaggle.kernels.dataset_status(name):
        kaggle.kernels.create_dataset(folder)
    last = ""
    for _ in poll(seconds):
        status = kaggle.kernels.dataset_status(name)
        if status != last:
            on_status(f"{name}: {status or 'not created yet'}")
            last = status
        if status == "ready":
            return
        if status in _FAILED:
            raise RemoteError(f"Kaggle could not create the dataset {name}: {status}.", code="dataset-failed")
    raise RemoteError(
        f"The dataset {name} is not ready after {seconds / 60:.0f} minutes. Try again later.", code="dataset-failed"
    )
