"""The selection bias of the best of several runs, in a line or two."""

from __future__ import annotations

from rich.console import Console

from kpipe.errors import InputError, printable
from kpipe.runs.run import Run
from kpipe.runs.selection_bias import SelectionBias, estimate_selection_bias

__all__ = ["find_selection_bias", "print_selection_bias"]


def find_selection_bias(run: Run, console: Console) -> SelectionBias | None:
    """Return the selection bias among the runs comparable to one; None, after printing why, if it is unknown.

    Parameters
    ----------
    run : Run
        A finished run.
    console : rich.console.Console
        Where to print why.
    """
    try:
        return estimate_selection_bias(run)
    except InputError as error:
        console.print(f"Selection bias unknown: {error}", style="yellow", markup=False)
        return None


def print_selection_bias(bias: SelectionBias | None, console: Console, *, run_id: str | None = None) -> None:
    """Print the selection bias, if there was a choice.

    Parameters
    ----------
    bias : SelectionBias or None
    console : rich.console.Console
        Where to print.
    run_id : str, optional
        The run that the user looks at; if it is not the best one, the best one is named.
    """
    for sentence in bias.sentences(run_id) if bias else ():
        console.print(printable(sentence), markup=False, soft_wrap=True)
