"""The log of a run: the messages of kpipe's logger during the run, in a file in the run's folder."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from kpipe.runs.files import cannot_write

__all__ = ["log_to_file"]


class _LogFile(logging.FileHandler):
    """A log file that remembers the logger's level from before the first of the runs in progress."""

    def __init__(self, path: Path, level_before: int) -> None:
        super().__init__(path, encoding="utf-8")
        self.level_before = level_before
        self.setLevel(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore a log that cannot be written; if the disk is full, writing the results reports it."""


@contextlib.contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Write the messages of the ``kpipe`` logger to a file, and the error that ends the run, if any.

    Afterwards the logger has its old level, and no handler of the run.

    Parameters
    ----------
    path : Path
        The file; lines are appended if it exists.

    Raises
    ------
    OutputError
        If the file cannot be opened.
    """
    logger = logging.getLogger("kpipe")
    level = next((file.level_before for file in _log_files(logger)), logger.level)
    try:
        handler = _LogFile(path, level)
    except OSError as error:
        raise cannot_write(path, error) from error
    logger.addHandler(handler)
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    try:
        yield
    except BaseException as error:
        logger.exception("the run ended: %s", type(error).__name__)
        raise
    finally:
        logger.removeHandler(handler)
        if not _log_files(logger):
            logger.setLevel(level)
        with contextlib.suppress(OSError):
            handler.close()


def _log_files(logger: logging.Logger) -> list[_LogFile]:
    return [handler for handler in logger.handlers if isinstance(handler, _LogFile)]
