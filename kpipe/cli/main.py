"""The ``kpipe`` command: parse, call, show; the only place that words errors for people.

Nothing heavy is imported here: ``kpipe --help`` loads argparse and no more, and each command what it needs
(``docs/decisions/0002-command-line.md``).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from types import ModuleType

from kpipe.cli.help import Help, after, say
from kpipe.errors import KpipeError

__all__ = ["COMMANDS", "main"]

_TELLING = ("run", "show", "check", "list")  # commands that say whose competition they take
_INTERRUPTED = 130  # 128 + SIGINT: what shells expect of a command that Ctrl-C has ended


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status: 0 done, 1 a check or a run failed, 2 wrong call or input."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what could follow
        from kpipe.cli.completion import complete

        complete(_parser())
    args = sys.argv[1:] if args is None else args
    parser = _parser([arg for arg in args if not arg.startswith("-")][:1])
    if not args:
        parser.print_help(sys.stderr)
        sys.exit(2)
    options, unknown = parser.parse_known_args(args)
    if unknown:
        _refuse(options.parser, unknown)
    try:
        if options.command in _TELLING:
            from kpipe.cli.starting import whose

            for note in whose(options):
                say(f"Note: {note}")
        status = options.call(options)
    except KpipeError as error:
        say(f"Error: {error}")
        status = error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        status = _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left (kpipe list | head): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def _parser(names: Collection[str] | None = None) -> argparse.ArgumentParser:
    """The command line. names : commands whose options are added; default: all, which loads the modules of all."""
    parser = argparse.ArgumentParser(
        prog="kpipe",
        description="From a Kaggle competition's name to a score one can believe.",
        epilog=after(""),
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kpipe {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, does) in COMMANDS.items():
        command = commands.add_parser(name, help=does, allow_abbrev=False)
        if names is None or name in names:
            _fill(command, name, import_module(f"kpipe.cli.{module}"))
    return parser


def _refuse(command: argparse.ArgumentParser, unknown: Sequence[str]) -> None:
    """Leave with the arguments that a command does not take, and the option that was meant."""
    from difflib import get_close_matches

    close = get_close_matches(unknown[0].split("=")[0], command._option_string_actions, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    command.error(f"unrecognized arguments: {' '.join(unknown)}.{hint}")


def _fill(command: argparse.ArgumentParser, name: str, module: ModuleType) -> None:
    """The command's options, and the function that does it: ``run`` and ``run_options`` of its module."""
    call = getattr(module, name, None) or getattr(module, f"{name}_")
    getattr(module, f"{name}_options")(command)
    command.description = call.__doc__
    command.epilog = after(name, command.epilog)
    command.formatter_class = Help
    command.set_defaults(call=call, command=name, parser=command)


def _version() -> str:
    import kpipe

    return kpipe.__version__


# Each command's module in kpipe.cli, and what it does: the beginning of its function's docstring.
COMMANDS = {
    "run": ("running", "Train, validate, predict, check and write a submission for a competition"),
    "reproduce": ("running", "Make a finished run again and compare"),
    "show": ("running", "Show what a run would do"),
    "check": ("checking", "Look for leaks and slips"),
    "list": ("running", "List the competitions that have a module"),
    "runs": ("comparing", "List the runs that are there"),
    "compare": ("comparing", "Compare a run with another on the same rows"),
    "blend": ("comparing", "Make a run from runs"),
    "clean": ("comparing", "Free disk"),
    "init": ("starting", "Make a folder a workspace"),
    "new": ("starting", "Write a module for a competition, from what its files tell"),
    "submit": ("sending", "Send a run's submission, or a CSV, to Kaggle"),
    "submissions": ("sending", "List what was submitted"),
    "kernel": ("sending", "Make a self-contained kernel script of a run or a competition, and run it on Kaggle"),
    "report": ("looking", "Write a run as one HTML page"),
    "doctor": ("looking", "Look at Python, packages, device, disk and Kaggle credentials"),
    "study": ("looking", "Train a notebook's nets as published, and again as run does"),
    "completion": ("starting", "Print what makes a shell complete commands, options, competitions, models and runs"),
}
