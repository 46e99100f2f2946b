"""``kpipe compare``."""

from __future__ import annotations

import argparse

from kpipe.cli.command import Command
from kpipe.cli.messages import print_message
from kpipe.cli.options import RUN_HELP, add_json_option, add_out_option, integer

__all__ = ["COMMAND"]

_ROWS = 5
_LINES = 400  # of the diff of code in JSON


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="RUN", help=RUN_HELP)
    parser.add_argument("b", metavar="RUN", help="another run, compared with the first")
    rows = f"number of improved and of worsened rows to list, largest changes first; default: {_ROWS}"
    parser.add_argument("--rows", metavar="N", type=integer(0), default=_ROWS, help=rows)
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print the comparison of two runs."""
    from dataclasses import asdict

    from kpipe.cli.console.comparison import print_comparison
    from kpipe.cli.console.layout import get_console
    from kpipe.cli.console.selection_bias import find_selection_bias, print_selection_bias
    from kpipe.runs.compare import compare
    from kpipe.runs.find import find_run

    a, b = (find_run(name, options.out) for name in (options.a, options.b))
    if a.record["run_id"] == b.record["run_id"]:
        print_message(f"Note: {options.a} and {options.b} are the same run, {a.record['run_id']}.")
    comparison, bias = compare(a, b), find_selection_bias(b, get_console(stderr=True))
    if options.json:
        import json

        from kpipe.cli.json_output import print_json

        sides = json.loads(comparison.first_sides(options.rows).to_json(orient="records"))
        record = {**asdict(comparison), "sides": sides, "won": comparison.won, "lost": comparison.lost}
        record |= {"code": comparison.code[:_LINES], "code_lines": len(comparison.code)}
        record["luck"] = asdict(bias) if bias else None
        print_json(record)
    else:
        print_comparison(comparison, rows=options.rows)
        print_selection_bias(bias, get_console(), run_id=comparison.b)
    return 0


COMMAND = Command(
    description=(
        "Compare two runs on the same rows: whether the second is significantly better or worse than the first, and "
        "what changed between them."
    ),
    examples=(("kpipe compare 20261121T092754Z-f40eed 20261121T101502Z-1c9ab2", "is the second run better?"),),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
