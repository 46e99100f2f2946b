"""Tables of several runs: a list, a comparison, what would be removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.display import score_shown
from kpipe.cli.console.layout import print_table, teller
from kpipe.errors import printable
from kpipe.runs.compare import Comparison
from kpipe.runs.prune import Removable

__all__ = ["show_comparison", "show_removable", "show_runs"]

_SHOWN = 5  # rows that changed sides, of each kind
_VERDICTS = {"better": "bold green", "worse": "bold red", "cannot tell": "yellow"}


def show_runs(runs: Sequence[Mapping[str, Any]], *, slug: str | None = None) -> None:
    """A table for each competition, a line for each run, to stdout."""
    console = teller()
    if not runs:
        of = f" of {printable(slug)}" if slug else ""
        console.print(f"There are no finished runs{of} here. kpipe run SLUG makes one.", markup=False)
    for slug, metric in dict.fromkeys((one["slug"], one["metric"]) for one in runs):
        table = Table(box=box.SIMPLE_HEAD, title=printable(f"{slug}: {metric}"), title_justify="left")
        table.add_column("run", no_wrap=True)
        table.add_column("score ± error", no_wrap=True, justify="right")
        table.add_column("models", overflow="fold")
        table.add_column("seconds", no_wrap=True, justify="right")
        table.add_column("notes", overflow="fold")
        for one in runs:
            if (one["slug"], one["metric"]) == (slug, metric):
                table.add_row(*(Text(printable(cell)) for cell in _cells(one)))
        print_table(console, table)


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    notes = [f"checks {status}" for status in one["checks"]]
    if one["submitted"]:
        notes.append("sent" if one["public_score"] is None else f"public {one['public_score']}")
    seconds = "" if one["seconds"] is None else f"{one['seconds']:.0f}"
    return one["run_id"], score_shown(one), ", ".join(one["models"]), seconds, ", ".join(notes)


def show_comparison(found: Comparison) -> None:
    """The verdict first, to stdout, then what it rests on."""
    console = teller()
    direction = "higher" if found.greater_is_better else "lower"
    words = "from" if found.verdict == "cannot tell" else "than"
    verdict = (found.verdict, _VERDICTS[found.verdict])
    console.print(Text.assemble(f"{found.b}: ", verdict, f" {words} {found.a}."), soft_wrap=True)
    console.print(
        f"{found.metric} ({direction} is better): {found.scores[0]:.5g} before, {found.scores[1]:.5g} now. "
        f"Difference {found.difference:+.2g} ± {found.standard_error:.2g}, paired over {found.rows:,} rows.",
        soft_wrap=True,
        markup=False,
    )
    if not found.same_folds:
        console.print(
            "The folds differ: their luck is in the difference too, and not in its error.",
            style="yellow",
            soft_wrap=True,
        )
    console.print(f"Changed: {printable(_changes(found.changed))}.", soft_wrap=True, markup=False)
    if len(found.sides):
        first = f" The first {_SHOWN} of each:" if max(found.won, found.lost) > _SHOWN else ""
        console.print(f"Rows won: {found.won:,}, lost: {found.lost:,}.{first}")
        table = Table(box=box.SIMPLE_HEAD)
        for name in found.sides.rename(columns={"a": "before", "b": "now"}).columns:
            table.add_column(str(name), overflow="fold")
        for change in ("won", "lost"):
            for row in found.sides[found.sides["change"] == change].head(_SHOWN).itertuples(index=False):
                table.add_row(*(Text(printable(f"{v:.5g}" if isinstance(v, float) else str(v))) for v in row))
        print_table(console, table)


def show_removable(going: Sequence[Removable], *, removed: bool) -> None:
    """What goes, or would go, to stdout."""
    console = teller()
    for one in going:
        console.print(
            f"{one.size / 2**20:8.1f} MiB  {printable(str(one.path))}: {one.why}", soft_wrap=True, markup=False
        )
    total = sum(one.size for one in going) / 2**20
    if not going:
        console.print("Nothing to remove.")
    elif removed:
        console.print(f"Removing {_folders(len(going))}, {total:.1f} MiB.")
    else:
        console.print(f"{_folders(len(going))}, {total:.1f} MiB. Nothing was removed: --yes removes them.")


def _folders(count: int) -> str:
    return f"{count} folder{'s' * (count != 1)}"


def _changes(phrases: Sequence[str]) -> str:
    """Phrases of one kind behind its word: ``options: folds was 5, is 3; models was ...``.

    >>> _changes(["options: a was 1, is 2", "options: b is newly there", "data: train.csv changed"])
    'options: a was 1, is 2; b is newly there; data: train.csv changed'
    """
    alike = groupby((phrase.split(": ", 1) for phrase in phrases), key=lambda parts: parts[0])
    told = [f"{word}: {'; '.join(parts[-1] for parts in kind)}" for word, kind in alike]
    return "; ".join(told) or "nothing that kpipe knows of"
