"""How what is shown fits the terminal: tables fold their words, never cut them, and become lists where it is narrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_table", "teller"]

_BROKEN = 12  # characters from which a word may be broken where there is no room


def teller(*, stderr: bool = False) -> Console:
    """A console whose sentences break between words on a terminal, and stay whole in a file or a pipe."""
    console = Console(stderr=stderr, highlight=False)
    console.soft_wrap = not console.is_terminal
    return console


def print_table(console: Console, table: Table) -> None:
    """Print a table that is as wide as the console at most, all of it.

    Columns on the right (numbers) and those without wrapping (names to copy) stay whole, the others break. Where even
    that does not fit, each row becomes a list of its cells.
    """
    cells = [[_plain(cell) for cell in column.cells] for column in table.columns]
    ranges = [
        _range(_plain(column.header), texts, whole=column.no_wrap or column.justify == "right")
        for column, texts in zip(table.columns, cells, strict=True)
    ]
    spare = console.width - (3 * len(ranges) + 1) - sum(low for low, _, _ in ranges)  # SIMPLE_HEAD's edges and gaps
    if spare < 0:
        for part in _as_lists(table, cells, room=console.width - 2 - max(low for low, _, _ in ranges)):
            console.print(part, soft_wrap=False)
        return
    for column, width in zip(table.columns, _shared(ranges, spare), strict=True):
        column.width, column.no_wrap, column.overflow = width, False, "fold"
    console.print(table, soft_wrap=False)


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _range(header: str, texts: Sequence[str], *, whole: bool) -> tuple[int, int, int]:
    """Widths of a column: the least; where its cells do not break; where its heading does not break either."""
    longest = max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
    words = max((cell_len(word) for text in texts for word in text.split()), default=0)
    heading = max((cell_len(word) for word in header.split()), default=0)
    low = max(heading, longest if whole else min(words, _BROKEN))
    return low, max(low, longest), max(low, longest, cell_len(header))


def _shared(ranges: Sequence[tuple[int, int, int]], spare: int) -> list[int]:
    """Widths: the spare columns go round until no cell breaks, then until no heading does.

    >>> _shared([(3, 5, 9), (2, 2, 2), (3, 4, 4)], 4)
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
    """Title and rows, each a list of headings and cells. room : columns that the widest cell leaves to headings."""
    if table.title:
        yield Text(_plain(table.title), style="italic")
    headers = [_plain(column.header) for column in table.columns]
    longest = max(map(cell_len, headers))
    for row, shown in zip(table.rows, zip(*cells, strict=True), strict=True):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", overflow="fold", width=min(longest, max(room, _BROKEN)))
        grid.add_column(style=row.style or "", overflow="fold")
        for header, text in zip(headers, shown, strict=True):
            if text:
                grid.add_row(Text(header), Text(text))
        yield ""
        yield grid
    yield ""
