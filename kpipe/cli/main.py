"""The ``kpipe`` command: parse the command line, run one command, print its error if it fails.

A command is a module ``kpipe/cli/<name>.py`` that defines ``COMMAND``, and a line in ``COMMANDS``. No command is
imported here: ``kpipe --help`` loads argparse only, and each command what it needs, see
``docs/decisions/0002-command-line.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from kpipe.cli.help import HelpFormatter, epilog
from kpipe.cli.interrupts import INTERRUPTED, was_interrupted
from kpipe.cli.messages import print_message
from kpipe.core.streams import GuardedStream, guarded_streams
from kpipe.core.wording import did_you_mean
from kpipe.errors import KpipeError

if TYPE_CHECKING:
    from kpipe.cli.command import Command

__all__ = ["COMMANDS", "get_parser", "main"]

# Each command, and the summary that ``kpipe --help`` shows.
COMMANDS = {
    "run": "Train and validate models, and write a submission",
    "reproduce": "Repeat a finished run and compare the submissions",
    "show": "Show what a run would do, and why",
    "check": "Test a competition module for leaks and mistakes",
    "list": "List the competitions that have a module",
    "runs": "List finished runs",
    "compare": "Compare two runs on the same rows",
    "blend": "Combine the models of several runs into a new run",
    "vault": "Lock rows of train away, and open them for single runs",
    "clean": "Delete runs to free disk space",
    "init": "Create a workspace for your own competition modules",
    "new": "Write a competition module from the competition's files",
    "submit": "Submit a run or a CSV file to Kaggle",
    "submissions": "List submissions and their scores",
    "kernel": "Build a self-contained Kaggle kernel, or run it on Kaggle",
    "report": "Write a report of a run as an HTML page",
    "doctor": "Check Python, packages, device, disk and Kaggle credentials",
    "study": "Reproduce a study from the notebooks that kpipe is based on",
    "completion": "Print a shell completion script",
}

_EXAMPLES = (
    ("kpipe run titanic", "train on the embedded sample; no account needed"),
    ("kpipe run titanic --data titanic.zip", "train on Kaggle's files"),
    ("kpipe show titanic", "show what a run would do, and why"),
    ("kpipe run titanic --submit -m first", "train, submit and wait for the score (see kpipe doctor)"),
)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Parameters
    ----------
    args : sequence of str, optional
        The arguments after ``kpipe``; default: those of the process.

    Raises
    ------
    SystemExit
        Always. Its code is 0 if the command succeeded, 1 if a check or a run failed, 2 if the call or the input was
        wrong, and 130 after Ctrl-C. Output that cannot be written (full disk) costs no run: only where it is all that a
        command makes, a listing or JSON, the status is 1 instead of 0.
    """
    with guarded_streams() as (stdout, _):
        sys.exit(_main(args, stdout))


def _main(args: Sequence[str] | None, stdout: GuardedStream) -> int:
    """Parse the command line and run the command; the exit status."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        from kpipe.cli.completion import complete

        complete(get_parser())
    args = sys.argv[1:] if args is None else args
    names = [arg for arg in args if not arg.startswith("-")][:1]
    parser = get_parser(names)
    if not args:
        parser.print_help(sys.stderr)
        sys.exit(2)
    if names and names[0] not in COMMANDS:
        parser.error(f"unknown command {names[0]!r}.{did_you_mean(names[0], COMMANDS) or ' See kpipe --help.'}")
    options, unknown = parser.parse_known_args(args)
    if unknown:
        known = options.parser._option_string_actions
        options.parser.error(f"unknown arguments: {' '.join(unknown)}.{did_you_mean(unknown[0].split('=')[0], known)}")
    status = _execute(options)
    stdout.flush()
    if stdout.error is None or isinstance(stdout.error, BrokenPipeError):  # a reader that leaves (| head) has enough
        return status
    print_message(f"Part of the output could not be written to stdout: {stdout.error.strerror}.")
    is_listing = import_module(f"kpipe.cli.{options.command}").COMMAND.is_listing
    return status or int(is_listing or getattr(options, "json", False))


def _execute(options: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    try:
        return int(options.execute(options))
    except KeyboardInterrupt as error:
        print_message(" ".join(("Interrupted.", *map(str, error.args))))
        return INTERRUPTED
    except KpipeError as error:
        if was_interrupted():  # what the interrupt has made of a fit, a download or an import
            print_message("Interrupted.")
            return INTERRUPTED
        print_message(f"Error: {error}")
        return error.exit_status


def get_parser(names: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Parameters
    ----------
    names : collection of str, optional
        The commands whose options are added; their modules are imported. Default: all.

    Returns
    -------
    argparse.ArgumentParser
        Its result holds ``execute`` (the command's function), ``command`` (its name) and ``parser`` (its parser).
    """
    parser = argparse.ArgumentParser(
        prog="kpipe",
        usage="kpipe COMMAND [OPTIONS]",
        description="Train, validate and submit models for Kaggle competitions.",
        epilog=epilog(_EXAMPLES),
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kpipe {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, prog="kpipe")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, allow_abbrev=False, formatter_class=HelpFormatter)
        if names is None or name in names:
            _add_command(command, name)
    return parser


def _add_command(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the options and the help of a command to its parser."""
    command: Command = import_module(f"kpipe.cli.{name}").COMMAND
    command.add_options(parser)
    parser.usage = f"kpipe {name} {command.usage or '[OPTIONS]' + _positionals(parser)}"
    parser._positionals.title = "arguments"
    parser.description = command.description
    parser.epilog = epilog(command.examples, parser.epilog or "")
    parser.set_defaults(execute=command.execute, command=name, parser=parser)


def _positionals(parser: argparse.ArgumentParser) -> str:
    """The arguments of a command that are not options, as in a line of usage."""
    shapes = {None: " {}", "?": " [{}]", "+": " {0} [{0} ...]"}
    return "".join(
        shapes[action.nargs].format(action.metavar or f"{{{','.join(action.choices or ())}}}")  # type: ignore[index]
        for action in parser._get_positional_actions()
    )


def _version() -> str:
    import kpipe

    return kpipe.__version__
