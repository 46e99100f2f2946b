"""A vault, and what opening it for a run shows."""

from __future__ import annotations

from collections.abc import Sequence

from kpipe.cli.console.layout import get_console
from kpipe.cli.json_output import print_json
from kpipe.core.formatting import format_with_error
from kpipe.errors import printable
from kpipe.vault import Look, VaultStatus

__all__ = ["print_look", "print_vault"]


def print_vault(status: VaultStatus, notes: Sequence[str] = (), *, json: bool) -> None:
    """Print what is locked away, and the openings, to stdout.

    Parameters
    ----------
    status : VaultStatus
    notes : sequence of str
        Further sentences, printed to stderr.
    json : bool
        Print JSON.
    """
    vault = status.vault
    if json:
        print_json(vault.summary() | {"changed": status.changed})
    else:
        console, locked = get_console(), vault.locked
        console.print(
            f"{printable(vault.slug)}: {len(locked.rows):,} of {locked.train_rows:,} rows of train.csv are locked away "
            f"({printable(vault.how)}). Runs neither train nor validate on them, except with --all-rows.",
            markup=False,
        )
        for opening in vault.openings:
            score = "kept locked"
            if opening.score is not None:
                score = format_with_error(opening.score, opening.standard_error)
            console.print(
                f"Opened {printable(opening.created)} for {printable(opening.run_id)}: {score}.", markup=False
            )
        if not vault.openings:
            console.print("Never opened. To score a run on these rows: kpipe vault open RUN.")
    for note in filter(None, (*notes, status.note)):
        get_console(stderr=True).print(printable(note), style="yellow", markup=False)


def print_look(look: Look, *, json: bool) -> None:
    """Print the score of a run on the rows of a vault, or why it stays locked, to stdout.

    Parameters
    ----------
    look : Look
    json : bool
        Print JSON.
    """
    if json:
        print_json(look.to_json())
        return
    for sentence in look.sentences():
        get_console().print(printable(sentence), markup=False)
