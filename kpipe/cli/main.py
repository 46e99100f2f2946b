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
from typing import TYPE_CHECKING, NoReturn

from kpipe.cli.help import HelpFormatter, epilog
from kpipe.cli.interrupts import INTERRUPTED, was_interrupted
from kpipe.cli.messages import print_message
from kpipe.core.streams import GuardedStream, guarded_streams
from kpipe.core.wording import did_you_mean
from kpipe.errors import KpipeError, UsageError

if TYPE_CHECKING:
    from kpipe.cli.command import Command

__all__ = ["COMMANDS", "EXAMPLES", "get_parser", "main"]

# Each command, and the summary that ``kpipe --help`` shows.
COMMANDS = {
    "run": "Train and validate models, and write a submission",
    "reproduce": "Repeat a finished run and compare the submissions",
    "show": "Show what a run would do, and why",
    "check": "Test a competition module for leaks and mistakes",
    "list": "List competitions with a module, models or metrics",
    "runs": "List finished runs",
    "compare": "Compare two runs on the same rows",
    "restore": "Restore the competition module of a run",
    "blend": "Combine the models of several runs into a new run",
    "vault": "Lock away training rows, and score single runs on them",
    "holdout": "Make a practice competition with known answers from train.csv",
    "grade": "Score a submission against answers that you have",
    "clean": "Delete runs to free disk space",
    "init": "Create a workspace for your own competition modules",
    "new": "Write a competition module from the competition's files",
    "submit": "Submit a run or a CSV file to Kaggle",
    "submissions": "List submissions and their scores",
    "kernel": "Build a self-contained Kaggle kernel, or run it on Kaggle",
    "report": "Write a report of a run, or of all runs, as an HTML page",
    "doctor": "Check Python, packages, device, disk and Kaggle credentials",
    "study": "Reproduce a study from the notebooks that kpipe is based on",
    "explain": "Explain an error code or a check",
    "skill": "Print a skill for coding agents",
    "completion": "Print a shell completion script",
}

EXAMPLES = (
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
        wrong, and 130 after Ctrl-C. If output cannot be written (full disk), the command still completes; the status is
        1 instead of 0 only if the output is its only result, as for a listing or JSON. With ``--json``, stdout always
        holds exactly one JSON document: the command's output or its error.
    """
    with guarded_streams() as (stdout, _):
        sys.exit(_main(args, stdout))


def _main(args: Sequence[str] | None, stdout: GuardedStream) -> int:
    """Parse the command line and run the command; the exit status."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        from kpipe.cli.completion import complete

        complete(get_parser())
    args = list(sys.argv[1:] if args is None else args)
    names = [arg for arg in args if not arg.startswith("-")][:1]
    parser = get_parser(names, as_json="--json" in args)
    if not args:
        parser.print_help(sys.stderr)
        sys.exit(2)
    if names and names[0] not in COMMANDS:
        hint = did_you_mean(names[0], COMMANDS) or " See kpipe --help."
        parser.error(f"unknown command {names[0]!r}.{hint}", code="unknown-command")
    options, unknown = parser.parse_known_args(args)
    if unknown:
        hint = _hint(unknown[0], args, options.parser)
        options.parser.error(f"unknown arguments: {' '.join(unknown)}.{hint}", code="unknown-option")
    as_json = getattr(options, "json", False)
    status = _execute_for_program(options) if as_json else _execute(options)
    stdout.flush()
    if stdout.error is None or isinstance(stdout.error, BrokenPipeError):  # a reader that leaves (| head) has enough
        return status
    print_message(f"Part of the output could not be written to stdout: {stdout.error.strerror}.")
    is_listing = import_module(f"kpipe.cli.{options.command}").COMMAND.is_listing
    return status or int(is_listing or as_json)


def _hint(unknown: str, args: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """What an argument that no command takes may have been meant for; it begins with a blank."""
    if unknown.startswith("-"):
        return did_you_mean(unknown.split("=")[0], parser._option_string_actions)
    if "--data" in parser._option_string_actions and (unknown.endswith((".zip", ".csv")) or os.path.exists(unknown)):
        return f" For the data: --data {unknown}. Put a path with blanks in quotes."
    place = args.index(unknown)
    if place > 1 and args[place - 2].startswith("-"):
        return (
            f" For several values, repeat the option: {args[place - 2]} {unknown}. Put a value with blanks in quotes."
        )
    return ""


def _call(options: argparse.Namespace) -> int:
    from kpipe.cli.wrong_slug import refuse_wrong_slug

    refuse_wrong_slug(options)
    return int(options.execute(options))


def _execute(options: argparse.Namespace) -> int:
    """Run the command; the exit status."""
    try:
        return _call(options)
    except (KeyboardInterrupt, KpipeError) as error:
        return _print_failure(error)


def _execute_for_program(options: argparse.Namespace) -> int:
    """Run the command, and print to stdout what it prints or, if it fails, its error as JSON; the exit status."""
    from contextlib import redirect_stdout
    from io import StringIO

    printed = StringIO()
    try:
        with redirect_stdout(printed):
            status = _call(options)
    except (KeyboardInterrupt, Exception) as error:
        _print_document(KeyboardInterrupt() if was_interrupted() else error, options)
        if isinstance(error, KeyboardInterrupt | KpipeError):
            return _print_failure(error)
        raise
    print(printed.getvalue(), end="")
    return status


def _print_failure(error: KeyboardInterrupt | KpipeError) -> int:
    """Print a message to stderr; the exit status."""
    if isinstance(error, KeyboardInterrupt):
        print_message(" ".join(("Interrupted.", *map(str, error.args))))
        return INTERRUPTED
    if was_interrupted():  # the error is that of a fit, a download or an import that Ctrl-C interrupted
        print_message("Interrupted.")
        return INTERRUPTED
    print_message(f"Error: {error}")
    if error.code != type(error).code:  # the general codes explain nothing that the message does not
        print_message(f"More about this: kpipe explain {error.code}")
    return error.exit_status


def _print_document(error: BaseException, options: argparse.Namespace | None = None) -> None:
    from kpipe.cli.json_output import error_document

    print(error_document(error, vars(options) if options else None))


class _Parser(argparse.ArgumentParser):
    """A parser that prints an error of the command line as JSON too, if ``--json`` is on it."""

    as_json = False

    def error(self, message: str, *, code: str = "bad-usage") -> NoReturn:
        if self.as_json:
            _print_document(UsageError(message, code=code))
        super().error(message)


def get_parser(names: Collection[str] | None = None, *, as_json: bool = False) -> _Parser:
    """Return the parser of the command line.

    Parameters
    ----------
    names : collection of str, optional
        The commands whose options are added; their modules are imported. Default: all.
    as_json : bool
        Print errors of the command line as JSON to stdout, besides the message on stderr.

    Returns
    -------
    argparse.ArgumentParser
        Its result holds ``execute`` (the command's function), ``command`` (its name) and ``parser`` (its parser).
    """
    parser = _Parser(
        prog="kpipe",
        usage="kpipe COMMAND [OPTIONS]",
        description="Train, validate and submit models for Kaggle competitions.",
        epilog=epilog(EXAMPLES),
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.as_json = as_json
    parser.add_argument("--version", action="version", version=f"kpipe {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, prog="kpipe")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, allow_abbrev=False, formatter_class=HelpFormatter)
        command.as_json = as_json
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
    shapes = {None: " {}", "?": " [{}]", "+": " {0} [{0} ...]", "*": " [{0} ...]"}
    return "".join(
        shapes[action.nargs].format(action.metavar or f"{{{','.join(action.choices or ())}}}")  # type: ignore[index]
        for action in parser._get_positional_actions()
    )


def _version() -> str:
    from kpipe._version import __version__

    return __version__
