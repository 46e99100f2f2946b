"""The console, and tables that fit it: cells are wrapped, never cut, and become lists on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpipe.core.streams import plain_text

__all__ = ["SAMPLE_WARNING", "STATUS_STYLES", "get_console", "print_table"]

STATUS_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red"}
SAMPLE_WARNING = (
    "THIS IS SAMPLE DATA, not Kaggle's: its scores mean nothing, and its predictions cannot be submitted. "
    "For the real files, pass --data FOLDER_OR_ZIP."
)

_BREAKABLE = 12  # characters from which a word may be broken if there is no room


def get_console(*, stderr: bool = False) -> Console:
    """Return a console that wraps text between words on a terminal, and does not wrap it in a file or a pipe.

    Parameters
    ----------
    stderr : bool
        Print to stderr instead of stdout.

    Returns
    -------
    rich.console.Console
    """
    console = _Console(stderr=stderr, highlight=False)
    console.soft_wrap = not console.is_terminal
    return console


class _Console(Console):
    """A console that lays out what its stream can show: Rich takes every stream for UTF-8 that it was not given."""

    @property
    def encoding(self) -> str:
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain_text(text, self.encoding), **options)


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
            console.print(part, soft_wrap=False)
        return
    for column, width in zip(table.columns, _distribute(ranges, spare), strict=True):
        column.width, column.no_wrap, column.overflow = width, False, "fold"
    console.print(table, soft_wrap=False)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _widths(header: str, texts: Sequence[str], *, whole: bool) -> tuple[int, int, int]:
    """Widths of a column: the smallest possible; with no cell wrapped; with the header not wrapped either."""
    longest = max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
    words = max((cell_len(word) for text in texts for word in text.split()), default=0)
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
        grid.add_column(style="dim", overflow="fold", width=min(longest, max(room, _BREAKABLE)))
        grid.add_column(style=row.style or "", overflow="fold")
        for header, text in zip(headers, texts, strict=True):
            if text:
                grid.add_row(Text(header), Text(text))
        yield ""
        yield grid
    yield ""
