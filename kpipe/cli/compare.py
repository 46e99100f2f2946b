"""``kpipe compare``."""

from __future__ import annotations

import argparse

from kpipe.cli.command import Command
from kpipe.cli.options import RUN_HELP, add_json_option, add_out_option

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="RUN", help=RUN_HELP)
    parser.add_argument("b", metavar="RUN", help="another run, compared with the first")
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print the comparison of two runs."""
    from kpipe.cli.console.comparison import print_comparison
    from kpipe.runs.compare import compare
    from kpipe.runs.find import find_run

    comparison = compare(*(find_run(name, options.out) for name in (options.a, options.b)))
    if options.json:
        import json
        from dataclasses import asdict

        sides = json.loads(comparison.sides.to_json(orient="records"))
        record = {**asdict(comparison), "sides": sides, "won": comparison.won, "lost": comparison.lost}
        print(json.dumps(record, indent=2))
    else:
        print_comparison(comparison)
    return 0


COMMAND = Command(
    description=(
        "Compare two runs on the same rows: whether the second is significantly better or worse than the first, and "
        "what changed between them."
    ),
    examples=(("kpipe compare 20261121T092754Z-f40eed 20261121T101502Z-1c9ab2", "is the second run better?"),),
    add_options=_add_options,
    execute=_execute,
)
