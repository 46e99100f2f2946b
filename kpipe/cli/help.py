"""The layout of ``--help``: commands of examples are never broken, and columns adapt to the terminal."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence

from kpipe.cli.messages import wrap

__all__ = ["Example", "HelpFormatter", "epilog"]

Example = tuple[str, str]  # what to type, and what it does

_NARROW = 60  # columns; in a narrower terminal, the description of an option begins on a line of its own


def epilog(examples: Sequence[Example], text: str = "") -> str:
    """Return what ``--help`` shows after the options: a text, and examples.

    The description of an example is printed beside it or, if that does not fit the terminal, above it.

    Parameters
    ----------
    examples : sequence of (str, str)
        What to type, and what it does.
    text : str
        Lines to show before the examples.

    Returns
    -------
    str
        The lines, wrapped to the width of the terminal.
    """
    width = shutil.get_terminal_size().columns
    longest = max((len(typed) for typed, _ in examples), default=0)
    lines = [f"  {typed:{longest}}  {does}" for typed, does in examples]
    if any(len(line) > width for line in lines):
        lines = [
            line for typed, does in examples for line in (*wrap(f"  # {does}", width, indent="  # "), f"  {typed}")
        ]
    before = [part for line in text.splitlines() for part in wrap(line, width, indent="    ")]
    return "\n".join([*before, *[""] * bool(before), "examples:", *lines])


class HelpFormatter(argparse.HelpFormatter):
    """argparse's formatter, except that texts of several lines keep their line breaks.

    Parameters
    ----------
    prog : str
        The program's name, as argparse passes it.
    """

    def __init__(self, prog: str) -> None:
        width = shutil.get_terminal_size().columns - 2  # as argparse
        super().__init__(prog, max_help_position=24 if width >= _NARROW else 8, width=width)

    def _format_action(self, action: argparse.Action) -> str:
        if isinstance(action, argparse._SubParsersAction):  # the commands, without a line COMMAND above them
            return "".join(self._format_action(command) for command in action._get_subactions())
        return super()._format_action(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        return "\n".join(text.splitlines())
