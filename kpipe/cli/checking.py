"""``check``: a competition's code put to the test."""

from __future__ import annotations

import argparse

from kpipe.cli.options import FIELDS, at_least, data_options, list_options

__all__ = ["check", "check_options"]


def check_options(command: argparse.ArgumentParser) -> None:
    """The options of ``check``."""
    data_options(command)
    add = command.add_argument
    add("--model", metavar="NAME", dest="models", action="append", default=[], help="check only this; repeatable")
    add("--folds", metavar="N", type=at_least(2), help="number of folds; default: the competition's")
    add("--device", metavar="NAME", default="auto", help="auto, cpu, cuda or mps, for torch models")
    add("--jobs", metavar="N", type=at_least(1), help="model fits at a time; default: one per core")
    list_options(command)


def check(options: argparse.Namespace) -> int:
    """Look for leaks and slips: everything that run checks, and a fold fitted again on purpose spoilt data."""
    import json
    from dataclasses import asdict

    from kpipe.checks import conformance
    from kpipe.cli.console import display

    names = ("data", *FIELDS, "models", "folds", "device", "jobs")
    given = {name: getattr(options, name) for name in names}
    if options.json:
        found = conformance.check(options.slug, **given)
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        found = conformance.check(options.slug, tell=display.tell_doing, found=display.show_check, **given)
        display.show_sum_of_checks(found)
    return 1 if any(one.status == "fail" for one in found) else 0
