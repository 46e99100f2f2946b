"""The comparison of two runs: the verdict, and what it is based on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import get_console, print_table, print_text
from kpipe.errors import printable
from kpipe.runs.compare import Comparison

__all__ = ["print_comparison"]

_PARAMETERS, _LINES = 10, 60  # shown of the parameters that changed, and of the diff
_LINE_STYLES = {"+": "green", "-": "red"}
_STYLES = {"better": "bold green", "worse": "bold red", "no significant difference": "yellow"}


def print_comparison(comparison: Comparison, *, rows: int) -> None:
    """Print a comparison to stdout, the verdict first.

    Parameters
    ----------
    comparison : Comparison
        Of two runs.
    rows : int
        How many of the rows won are listed, and of those lost.
    """
    console, better = get_console(), "higher" if comparison.greater_is_better else "lower"
    print_text(console, _verdict(comparison))
    before, now = comparison.scores
    difference = _difference(comparison.difference, comparison.standard_error)
    print_text(
        console,
        f"{comparison.metric} ({better} is better): {before:.5g} before, {now:.5g} now. "
        f"Difference {difference}, paired over {comparison.rows:,} rows.",
    )
    if not comparison.same_folds:
        warning = "The folds differ: the standard error does not include the additional variance of the difference."
        print_text(console, Text(warning, style="yellow"))
    print_text(console, f"Changed: {printable(_changes(comparison.changed))}.")
    _print_parameters(comparison)
    _print_code(comparison)
    if len(comparison.sides):
        first = f" The {rows} largest changes of each:" if rows > 1 else " The largest change of each:"
        first = first if max(comparison.won, comparison.lost) > rows > 0 else ""
        by = f" ({comparison.won_by})" if comparison.won_by else ""
        print_text(console, f"Rows improved: {comparison.won:,}, worsened: {comparison.lost:,}{by}.{first}")
        if rows:
            print_table(console, _table(comparison.first_sides(rows)))


def _print_parameters(comparison: Comparison) -> None:
    if not comparison.parameters:
        return
    print_text(get_console(), "Parameters that changed:")
    for one in comparison.parameters[:_PARAMETERS]:
        text = f"  {one['model']}: {one['parameter']} was {one['a']!r:.60}, is {one['b']!r:.60}"
        print_text(get_console(), printable(text))
    if (more := len(comparison.parameters) - _PARAMETERS) > 0:
        print_text(get_console(), f"  and {more} more (--json lists them)")


def _print_code(comparison: Comparison) -> None:
    if not comparison.code:
        return
    print_text(get_console(), "Code of the competition that changed:")
    for line in comparison.code[:_LINES]:
        print_text(get_console(), Text(f"  {printable(line)}", style=_LINE_STYLES.get(line[:1], "")))
    if (more := len(comparison.code) - _LINES) > 0:
        print_text(get_console(), f"  and {more} more lines (--json lists them)")


def _difference(difference: float, standard_error: float) -> str:
    """Both with as many decimals as two digits of the standard error need.

    >>> _difference(0.0101, 0.00643), _difference(-12.0, 3.25), _difference(0.05, 0.0)
    ('+0.0101 ± 0.0064', '-12.0 ± 3.2', '+0.05 ± 0')
    """
    if not 1e-6 < standard_error < math.inf:
        return f"{difference:+.2g} ± {standard_error:.2g}"
    decimals = max(1 - math.floor(math.log10(standard_error)), 0)
    return f"{difference:+.{decimals}f} ± {standard_error:.{decimals}f}"


def _verdict(comparison: Comparison) -> Text:
    verdict = comparison.verdict
    word = "than" if verdict in ("better", "worse") else "from"
    return Text.assemble(f"{comparison.b}: ", (verdict, _STYLES[verdict]), f" {word} {comparison.a}.")


def _table(sides: pd.DataFrame) -> Table:
    """Rows that the second run predicts better, and worse, than the first."""
    sides = sides.rename(columns={"a": "before", "b": "now"})
    table = Table(box=box.SIMPLE_HEAD)
    for name in sides.columns:
        table.add_column(str(name), overflow="fold")
    for row in sides.itertuples(index=False):
        table.add_row(*(Text(printable(f"{v:.5g}" if isinstance(v, float) else str(v))) for v in row))
    return table


def _changes(phrases: Sequence[str]) -> str:
    """Phrases of one kind, joined behind its name.

    >>> _changes(["options: a was 1, is 2", "options: b is new", "data: train.csv changed"])
    'options: a was 1, is 2; b is new; data: train.csv changed'
    """
    kinds = groupby((phrase.split(": ", 1) for phrase in phrases), key=lambda parts: parts[0])
    joined = [f"{kind}: {'; '.join(parts[-1] for parts in group)}" for kind, group in kinds]
    return "; ".join(joined) or "nothing that kpipe records"
