"""Output streams that never fail a run: unencodable characters are replaced, and write errors are recorded.

Containers and cron jobs may have no UTF-8 locale, closed descriptors or full disks, and the reader of a pipe may exit.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

__all__ = ["GuardedStream", "encodable_text", "guarded_streams"]

# Replacements for non-ASCII characters of kpipe's own output. Other characters, such as those of column names, are
# escaped, so that two names never look the same.
_PLAIN = {
    **{"±": "+-", "…": "...", "×": "x", "→": "->", "·": "*", "²": "^2", "≤": "<=", "≥": ">="},
    **dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}─━╸╺", "-"),
}
_HANDLER = "kpipe.plain"  # name of the error handler


def encodable_text(text: str, encoding: str) -> str:
    r"""Replace the characters of a text that an encoding lacks.

    Parameters
    ----------
    text : str
    encoding : str

    Returns
    -------
    str

    Examples
    --------
    >>> encodable_text("größe: 0.8 ± 0.1", "ascii"), encodable_text("0.8 ± 0.1", "utf-8")
    ('gr\\xf6\\xdfe: 0.8 +- 0.1', '0.8 ± 0.1')
    """
    return text.encode(encoding, _HANDLER).decode(encoding, "surrogateescape")


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """Python calls this for characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start]
    if "\udc80" <= found <= "\udcff":  # an undecodable byte of a path: the same byte
        return bytes([ord(found) - 0xDC00]), error.start + 1
    return _PLAIN.get(found) or found.encode("ascii", "backslashreplace").decode(), error.start + 1


codecs.register_error(_HANDLER, _replace)


class GuardedStream:
    """A text stream whose writes never raise; after the first failure, nothing more is written.

    Parameters
    ----------
    stream : file object or None
        The stream to write to; None if the process has none.

    Attributes
    ----------
    error : OSError or None
        The error of the first write that failed.
    """

    def __init__(self, stream: TextIO | None) -> None:
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):  # bytes that cannot be written, or a closed stream
                stream.reconfigure(errors=_HANDLER)
        self._stream = stream or cast(TextIO, io.TextIOWrapper(_Nowhere(), encoding="utf-8", errors=_HANDLER))
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, if that is possible."""
        if self.error is None:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, if that is possible."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Record the error, and redirect the descriptor to the null device: Python flushes buffers again at exit."""
        self.error = error if isinstance(error, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF))
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Nowhere(io.RawIOBase):
    """A stream that discards what is written."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        return len(content)


@contextlib.contextmanager
def guarded_streams() -> Iterator[tuple[GuardedStream, GuardedStream]]:
    """Guard stdout and stderr in a ``with`` block.

    Yields
    ------
    tuple of GuardedStream
        Stdout and stderr.
    """
    _open_descriptors()
    before = sys.stdout, sys.stderr
    stdout, stderr = GuardedStream(sys.stdout), GuardedStream(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, stdout), cast(TextIO, stderr)
    try:
        yield stdout, stderr
    finally:
        for stream in (stdout, stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _open_descriptors() -> None:
    """Open the null device in place of closed standard streams: otherwise the next opened file gets their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # takes the lowest free number
