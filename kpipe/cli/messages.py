"""Messages on stderr, printed without Rich so that errors and help cost no import."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable

from kpipe.errors import printable

__all__ = ["print_competition_notes", "print_message", "wrap"]


def wrap(line: str, width: int, *, indent: str = "") -> list[str]:
    """Break a line between words, never inside one.

    Parameters
    ----------
    line : str
        The line to break.
    width : int
        The longest line, in characters; a longer word stays whole.
    indent : str
        What every line but the first starts with.

    Returns
    -------
    list of str
        At least one line.

    Examples
    --------
    >>> wrap("kpipe run titanic", 10)
    ['kpipe run', 'titanic']
    """
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def print_message(message: str) -> None:
    """Print a message to stderr: wrapped on a terminal, one line in a file or a pipe.

    Parameters
    ----------
    message : str
        Control characters in it are escaped.
    """
    message = printable(message)
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        message = "\n".join(part for line in message.splitlines() for part in wrap(line, width))
    print(message, file=sys.stderr)


def print_competition_notes(slugs: Iterable[str], data: str | None = None) -> None:
    """Print a note for each competition module that hides another or is passed over, and each workspace left unused.

    Parameters
    ----------
    slugs : iterable of str
        The competitions that a command uses.
    data : str, optional
        The files of the competition.
    """
    from kpipe import competitions

    for note in competitions.ignored_notes():
        print_message(f"Note: {note}")
    for slug in slugs:
        folders = competitions.folders(slug)
        if len(folders) > 1:
            hidden = ", ".join(map(str, folders[1:]))
            print_message(f"Note: using {slug} from {folders[0]}, which takes precedence over {hidden}.")
        if (meant := competitions.module_meant(slug, data)) is not None:
            print_message(
                f"Note: {slug} has no module; {meant} has one, with its features and metric: kpipe run {meant}."
            )
