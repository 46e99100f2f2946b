"""Signatures of files in a run's folder, which distinguish this user's files from files that others have sent.

Loading a kept model or importing a kept module runs code, so that only files which this user wrote are loaded. The
signatures are made with the secret that also signs the store of fits; they lie beside the files.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from kpipe.data.cache import cache_folder
from kpipe.runs.files import write_file

__all__ = ["SIGNATURE_BYTES", "is_own", "read_secret", "sign"]

SIGNATURE_BYTES = 32  # of SHA-256, and of the secret

_SIGNATURES = "signatures.json"
_SECRET = "fits.key"  # in the folder of the cache


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
    """Whether this user wrote a file, and it has not been changed since.

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


def read_secret() -> bytes | None:
    """The user's secret, made on first use.

    Returns
    -------
    bytes or None
        None if it can neither be read nor written.
    """
    path = cache_folder() / _SECRET
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.suppress(FileExistsError),
            open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file,
        ):
            file.write(secrets.token_bytes(SIGNATURE_BYTES))
        secret = path.read_bytes()
        return secret if len(secret) == SIGNATURE_BYTES else None
    return None
