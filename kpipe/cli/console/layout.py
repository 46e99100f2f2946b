"""The console, and tables that fit it: cells are wrapped, never cut, and become lists on a narrow terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpipe.cli.attendance import calling_program
from kpipe.cli.messages import wrap
from kpipe.core.streams import encodable_text

__all__ = ["SAMPLE_WARNING", "STATUS_STYLES", "get_console", "print_table", "print_text"]

STATUS_STYLES = {"pass": "green", "skipped": "dim", "warn": "yellow", "fail": "bold red"}
SAMPLE_WARNING = (
    "THIS IS SAMPLE DATA, not Kaggle's: its scores mean nothing, and its predictions cannot be submitted. "
    "For the real files, pass --data FOLDER_OR_ZIP."
)

_BREAKABLE = 24  # characters from which a word without such a sign may be broken if there is no room
_USUAL_WIDTH = 80  # characters of a line where the width of the terminal is unknown
_NARROWEST = 12  # characters that headers keep where each row is a list
_SIGNS = "/\\_-.,=:("  # after which a word is broken rather than between two letters
_PIECE = re.compile(rf"[^\s{re.escape(_SIGNS)}]*[{re.escape(_SIGNS)}]|[^\s{re.escape(_SIGNS)}]+")


def get_console(*, stderr: bool = False) -> Console:
    """Return a console that wraps text between words on a terminal, and does not wrap it in a file or a pipe.

    Where a coding agent or CI calls kpipe, its terminal is treated as a pipe: no colours, no bars.

    Parameters
    ----------
    stderr : bool
        Print to stderr instead of stdout.

    Returns
    -------
    rich.console.Console
    """
    plain = bool(calling_program())
    console = _Console(
        stderr=stderr, highlight=False, force_terminal=False if plain else None, no_color=True if plain else None
    )
    console.soft_wrap = not console.is_terminal
    if console.width < 1:  # COLUMNS=0, where the width is unknown: Rich would print nothing
        console.width = _USUAL_WIDTH
    return console


class _Console(Console):
    """A console that lays out what its stream can show: Rich takes every stream for UTF-8 that it was not given."""

    @property
    def encoding(self) -> str:
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(encodable_text(text, self.encoding), **options)


def print_table(console: Console, table: Table) -> None:
    """Print a table at most as wide as the console, without cutting anything.

    Right-aligned columns (numbers) and columns with ``no_wrap`` (names to copy) are never wrapped, all others are. If
    even that does not fit, each row becomes a list of its cells.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    table : rich.table.Table
        Its columns' widths are changed.
    """
    cells = [[_plain(cell) for cell in column.cells] for column in table.columns]
    ranges = [
        _widths(_plain(column.header), texts, whole=column.no_wrap or column.justify == "right")
        for column, texts in zip(table.columns, cells, strict=True)
    ]
    spare = console.width - (3 * len(ranges) + 1) - sum(low for low, _, _ in ranges)  # SIMPLE_HEAD's edges and gaps
    if spare < 0:
        for part in _as_lists(table, cells, room=console.width - 2 - max(low for low, _, _ in ranges)):
            _print_stripped(console, part)
        return
    for column, texts, width in zip(table.columns, cells, _distribute(ranges, spare), strict=True):
        column.width, column.no_wrap, column.overflow = width, False, "fold"
        column._cells = [
            cell if cell_len(text) <= width else _broken(text, width)
            for cell, text in zip(column.cells, texts, strict=True)
        ]
    _print_stripped(console, table)


def print_text(console: Console, text: str | Text) -> None:
    """Print a text that a terminal breaks between words only: a path that is longer than a line stays whole.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    text : str or Text
        Its control characters must be escaped already.
    """
    styled = text if isinstance(text, Text) else Text(text)
    if not console.is_terminal:
        console.print(styled, soft_wrap=True)
        return
    for line in wrap(styled.plain, console.width):
        start = styled.plain.find(line)
        console.print(styled[start : start + len(line)] if start >= 0 else Text(line), soft_wrap=True)


def _print_stripped(console: Console, part: Table | Text | str) -> None:
    """Print a table or a part of a list; in a file or a pipe without the blanks that only fill its lines."""
    if console.is_terminal:
        console.print(part, soft_wrap=False)
        return
    with console.capture() as captured:
        console.print(part, soft_wrap=False)
    for line in captured.get().splitlines():
        console.out(line.rstrip(), highlight=False)


def _broken(text: str, width: int) -> Text:
    """A text in lines of at most ``width``: broken between words, and a longer word after a sign such as a slash."""
    lines = []
    for line in (part for whole in text.split("\n") for part in wrap(whole, width)):
        rest = line
        while cell_len(rest) > width:
            fits = rest[:width]
            while cell_len(fits) > width:
                fits = fits[:-1]
            cut = max((fits.rfind(sign) + 1 for sign in _SIGNS), default=0) or len(fits)
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    return Text("\n".join(lines))


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _widths(header: str, texts: Sequence[str], *, whole: bool) -> tuple[int, int, int]:
    """Widths of a column: the smallest possible; with no cell wrapped; with the header not wrapped either."""
    longest = max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
    words = max((cell_len(piece) for text in texts for piece in _PIECE.findall(text)), default=0)
    heading = max((cell_len(word) for word in header.split()), default=0)
    low = max(heading, longest if whole else min(words, _BREAKABLE))
    return low, max(low, longest), max(low, longest, cell_len(header))


def _distribute(ranges: Sequence[tuple[int, int, int]], spare: int) -> list[int]:
    """Widths of the columns: spare space goes to cells that wrap first, then to headers that wrap.

    >>> _distribute([(3, 5, 9), (2, 2, 2), (3, 4, 4)], 4)
    [6, 2, 4]
    """
    widths = [low for low, _, _ in ranges]
    for stage in (1, 2):
        while spare > 0 and any(width < wanted[stage] for width, wanted in zip(widths, ranges, strict=True)):
            for number, wanted in enumerate(ranges):
                if spare > 0 and widths[number] < wanted[stage]:
                    widths[number], spare = widths[number] + 1, spare - 1
    return widths


def _as_lists(table: Table, cells: Sequence[Sequence[str]], *, room: int) -> Iterator[Text | Table | str]:
    """The title, and each row as a list of headers and cells. room : columns that the widest cell leaves to headers."""
    if table.title:
        yield Text(_plain(table.title), style="italic")
    headers = [_plain(column.header) for column in table.columns]
    longest = max(map(cell_len, headers))
    for row, texts in zip(table.rows, zip(*cells, strict=True), strict=True):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", overflow="fold", width=min(longest, max(room, _NARROWEST)))
        grid.add_column(style=row.style or "", overflow="fold")
        for header, text in zip(headers, texts, strict=True):
            if text:
                grid.add_row(Text(header), Text(text))
        yield ""
        yield grid
    yield ""
