"""What a terminal shows without Rich: help with examples, and messages, as wide as it is."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap

from kpipe.errors import printable

__all__ = ["EXAMPLES", "Help", "after", "say"]

_NARROW = 60  # columns below which what an option does stands below it, and not beside it

# Of each command; "" is kpipe itself. (what to type, what it does)
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("kpipe run titanic", "train on the embedded sample, no account needed"),
        ("kpipe run titanic --data titanic.zip", "train on Kaggle's own files"),
        ("kpipe show titanic", "what a run would do, and why"),
        ("kpipe run titanic --submit -m first", "train, submit, wait for the score (credentials: kpipe doctor)"),
    ),
    "run": (
        ("kpipe run titanic --data titanic.zip", "with Kaggle's zip, or a folder of its files"),
        ("kpipe run titanic --model linear --model boosting", "two models, blended"),
        ("kpipe run playground-series-s3e26 --metric log_loss --budget 5m", "any competition, in five minutes"),
        ("kpipe run titanic --seed 0 --seed 1 --folds 10", "an average over seeds, on ten folds"),
        ("kpipe run titanic --submit -m first", "and send it to Kaggle"),
    ),
    "reproduce": (("kpipe reproduce 20261121T092754Z-f40eed", "whether the run's bytes can be made again"),),
    "show": (
        ("kpipe show titanic", "on the embedded sample"),
        ("kpipe show playground-series-s3e26 --data playground-series-s3e26.zip", "what is inferred, and why"),
        ("kpipe show titanic --split Pclass --drop Cabin", "what other options would make of it"),
    ),
    "check": (
        ("kpipe check titanic --data titanic.zip", "all models of the module"),
        ("kpipe check titanic --model linear", "quick: one model, on the sample"),
    ),
    "list": (
        ("kpipe list", "their names"),
        ("kpipe list --json", "and where they are"),
    ),
    "runs": (
        ("kpipe runs", "all that are in submissions/"),
        ("kpipe runs titanic --sort score", "one competition's, the best last"),
    ),
    "compare": (("kpipe compare 20261121T092754Z-f40eed 20261121T101502Z-1c9ab2", "is the second one better?"),),
    "blend": (("kpipe blend 20261121T092754Z-f40eed 20261121T101502Z-1c9ab2", "a third run, of both"),),
    "clean": (
        ("kpipe clean", "what would go"),
        ("kpipe clean titanic --keep 5 --yes", "all but the five best runs of titanic, at once"),
    ),
    "init": (
        ("kpipe init", "the current folder"),
        ("kpipe init ~/kaggle", "another, made if it is not there"),
    ),
    "new": (
        ("kpipe new playground-series-s3e26 --data playground-series-s3e26.zip", "from the files"),
        ("kpipe new playground-series-s3e26 --metric log_loss", "and what you know of it"),
    ),
    "submit": (
        ("kpipe submit 20261121T092754Z-f40eed -m first", "a run"),
        ("kpipe submit mine.csv --competition titanic", "a file that no run wrote"),
    ),
    "submissions": (("kpipe submissions titanic", "cross-validation beside leaderboard"),),
    "kernel": (
        ("kpipe kernel build titanic --user me", "write kernels/titanic/"),
        ("kpipe kernel push kernels/titanic --dry-run", "what would be sent"),
    ),
    "report": (("kpipe report 20261121T092754Z-f40eed", "write report.html beside run.json"),),
    "doctor": (
        ("kpipe doctor", "this machine, and the credentials"),
        ("kpipe doctor titanic", "and whether titanic's rules were accepted"),
    ),
    "study": (
        ("kpipe study titanic-from-scratch", "on the embedded sample"),
        ("kpipe study titanic-from-scratch --data titanic.zip", "the notebook's own numbers"),
    ),
    "completion": (
        ('eval "$(kpipe completion bash)"', "in ~/.bashrc"),
        ('eval "$(kpipe completion zsh)"', "in ~/.zshrc, after compinit"),
        ("kpipe completion fish | source", "in ~/.config/fish/config.fish"),
    ),
}


def after(command: str, text: str | None = None) -> str:
    """What stands below a command's options: its own text, folded, and its examples.

    What an example does stands beside it, or where that does not fit, above it: what is typed is never broken.
    """
    width = shutil.get_terminal_size().columns
    given = EXAMPLES.get(command, ())
    longest = max((len(typed) for typed, _ in given), default=0)
    lines = [f"  {typed:{longest}}  {does}" for typed, does in given]
    if any(len(line) > width for line in lines):
        lines = [line for typed, does in given for line in (*_folded(f"  # {does}", "  # ", width), f"  {typed}")]
    own = [part for line in (text or "").splitlines() for part in _folded(line, "    ", width)]
    return "\n".join([*own, *[""] * bool(own), "examples:", *lines])


def _folded(line: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def say(message: str) -> None:
    """Print to stderr; on a terminal lines break between words, elsewhere they stay whole."""
    message = printable(message)
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        lines = (_folded(line, "", width) for line in message.splitlines())
        message = "\n".join(part for parts in lines for part in parts)
    print(message, file=sys.stderr)


class Help(argparse.HelpFormatter):
    """argparse's, but text of several lines keeps them, and a narrow terminal gets what options do below them."""

    def __init__(self, prog: str) -> None:
        width = shutil.get_terminal_size().columns - 2
        super().__init__(prog, max_help_position=24 if width >= _NARROW else 8, width=width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        return "\n".join(text.splitlines())
