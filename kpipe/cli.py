"""The ``kpipe`` command: parse, call, show; the only place that words errors for people.

Nothing heavy is imported here: ``kpipe --help`` loads argparse and no more (``docs/decisions/0002-command-line.md``).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from kpipe.commands import checking, comparing, looking, running, sending, starting
from kpipe.commands.helping import Help, after, say
from kpipe.errors import KpipeError

__all__ = ["COMMANDS", "main"]

_INTERRUPTED = 130  # 128 + SIGINT: what shells expect of a command that Ctrl-C has ended


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status: 0 done, 1 a check or a run failed, 2 wrong call or input."""
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what could follow
        from kpipe.commands.completing import complete

        complete(parser)
    options = parser.parse_args(args)
    try:
        for note in starting.whose(options):
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kpipe",
        description="From a Kaggle competition's name to a score one can believe.",
        epilog=after(""),
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kpipe {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (add_options, call) in COMMANDS.items():
        text = (call.__doc__ or "").strip()
        command = commands.add_parser(name, help=text.split(":")[0].rstrip("."), description=text, allow_abbrev=False)
        add_options(command)
        command.epilog = after(name, command.epilog)
        command.formatter_class = Help
        command.set_defaults(call=call, command=name)
    return parser


def _version() -> str:
    import kpipe

    return kpipe.__version__


COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "run": (running.run_options, running.run),
    "reproduce": (running.reproduce_options, running.reproduce),
    "show": (running.show_options, running.show),
    "check": (checking.check_options, checking.check),
    "list": (running.list_options, running.list_),
    "runs": (comparing.runs_options, comparing.runs),
    "compare": (comparing.compare_options, comparing.compare),
    "blend": (comparing.blend_options, comparing.blend),
    "clean": (comparing.clean_options, comparing.clean),
    "init": (starting.init_options, starting.init),
    "new": (starting.new_options, starting.new),
    "submit": (sending.submit_options, sending.submit),
    "submissions": (sending.submissions_options, sending.submissions),
    "kernel": (sending.kernel_options, sending.kernel),
    "report": (looking.report_options, looking.report),
    "doctor": (looking.doctor_options, looking.doctor),
    "study": (looking.study_options, looking.study),
    "completion": (starting.completion_options, starting.completion),
}
