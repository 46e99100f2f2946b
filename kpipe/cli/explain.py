"""``kpipe explain``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable

from kpipe.cli.command import Command
from kpipe.cli.messages import wrap
from kpipe.cli.options import add_json_option

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    name = "an error code, or a check's name; default: list all of them"
    parser.add_argument("name", metavar="CODE|CHECK", nargs="*", help=name)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print one explanation, or the first sentence of each."""
    from kpipe.cli.explanations import explain, explanations

    name = " ".join(options.name)
    found = [explain(name)] if name else list(explanations().values())
    if options.json:
        from kpipe.cli.json_output import print_json

        objects = [one._asdict() for one in found]
        print_json(objects[0] if name else objects)
    elif name:
        _print_one(found[0].name, found[0].kind, found[0].lines())
    else:
        for one in found:
            print(f"{one.name}: {one.means.split('. ')[0].rstrip('.')}.")
    return 0


def _print_one(name: str, kind: str, paragraphs: Iterable[str]) -> None:
    print(f"{name} ({kind})")
    width = shutil.get_terminal_size().columns
    for paragraph in paragraphs:
        plain = paragraph.replace("**", "")
        print("\n" + "\n".join(wrap(plain, width) if sys.stdout.isatty() else [plain]))


COMMAND = Command(
    description=(
        "Explain an error code or a check, offline: what it means, how it is detected, an example and the fix. "
        "Codes are printed by --json."
    ),
    examples=(
        ("kpipe explain unknown-metric", "an error"),
        ("kpipe explain target leakage", "a check"),
        ("kpipe explain", "list all codes and checks"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
