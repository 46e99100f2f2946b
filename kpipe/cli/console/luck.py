"""What choosing the best of several runs flatters, in a line or two."""

from __future__ import annotations

from rich.console import Console

from kpipe.errors import InputError, printable
from kpipe.runs.luck import Luck, luck_of
from kpipe.runs.run import Run

__all__ = ["find_luck", "print_luck"]


def find_luck(run: Run, console: Console) -> Luck | None:
    """Return the luck of choosing among the runs that compare with one; None, after saying why, if it is unknown.

    Parameters
    ----------
    run : Run
        A finished run.
    console : rich.console.Console
        Where to say why.
    """
    try:
        return luck_of(run)
    except InputError as error:
        console.print(f"Luck of choosing unknown: {error}", style="yellow", markup=False)
        return None


def print_luck(luck: Luck | None, console: Console, *, run_id: str | None = None) -> None:
    """Print the luck of choosing, if there was a choice.

    Parameters
    ----------
    luck : Luck or None
    console : rich.console.Console
        Where to print.
    run_id : str, optional
        The run that the user looks at; if it is not the best one, the best one is named.
    """
    for sentence in luck.sentences(run_id) if luck else ():
        console.print(printable(sentence), markup=False, soft_wrap=True)
