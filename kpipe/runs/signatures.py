"""Signatures of files in a run's folder, by which this user's own files are known from those that others have sent.

Loading a kept model or importing a kept module runs code, so that only files which this user wrote are loaded. The
signatures are made with the secret that also signs the store of fits; they lie beside the files.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from pathlib import Path

from kpipe.runs.files import write_file
from kpipe.runs.fits import read_secret

__all__ = ["is_own", "sign"]

_SIGNATURES = "signatures.json"


def sign(folder: Path, files: Iterable[Path]) -> None:
    """Sign files in a folder, if there are any.

    Parameters
    ----------
    folder : Path
        Gets ``signatures.json``.
    files : iterable of Path
        Files in the folder or below it.

    Raises
    ------
    OutputError
        If the signatures cannot be written.
    """
    secret, names = read_secret(), [file.relative_to(folder).as_posix() for file in files]
    if names and secret is not None:
        signatures = {name: _signature(secret, name, (folder / name).read_bytes()) for name in names}
        write_file(folder / _SIGNATURES, json.dumps(signatures, indent=2).encode())


def is_own(folder: Path, file: Path, content: bytes) -> bool:
    """Whether this user wrote a file, and nobody has changed it since.

    Parameters
    ----------
    folder : Path
        That ``sign`` was given.
    file : Path
        A file in the folder or below it.
    content : bytes
        Of the file, as it will be used.

    Returns
    -------
    bool
    """
    secret, name = read_secret(), file.relative_to(folder).as_posix()
    try:
        signature = str(json.loads((folder / _SIGNATURES).read_text(encoding="utf-8"))[name])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return secret is not None and hmac.compare_digest(signature.encode(), _signature(secret, name, content).encode())


def _signature(secret: bytes, name: str, content: bytes) -> str:
    return hmac.new(secret, name.encode() + b"\0" + content, hashlib.sha256).hexdigest()
