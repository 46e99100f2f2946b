"""``Command``: what each module of a command defines as ``COMMAND``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from kpipe.cli.help import Example

__all__ = ["Command"]


class Command(NamedTuple):
    """A command of ``kpipe``.

    Parameters
    ----------
    description : str
        What ``kpipe <name> --help`` says first: one or more sentences.
    examples : tuple of (str, str)
        What to type, and what it does.
    add_options : callable
        Takes the command's parser and adds its arguments and options.
    execute : callable
        Takes the parsed command line, runs the command and returns its exit status. It may raise KpipeError.
    is_listing : bool
        Whether printed text is the command's only result, so that its exit status is 1 where that cannot be printed.
    usage : str
        What follows the command's name in the line of usage; empty to derive it from the arguments.
    """

    description: str
    examples: tuple[Example, ...]
    add_options: Callable[[argparse.ArgumentParser], None]
    execute: Callable[[argparse.Namespace], int]
    is_listing: bool = False
    usage: str = ""
