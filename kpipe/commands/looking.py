"""``doctor`` and ``study``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.commands.options import at_least, list_options

__all__ = ["doctor", "doctor_options", "study", "study_options"]


def study_options(command: argparse.ArgumentParser) -> None:
    """The options of ``study``."""
    from kpipe.studies import STUDIES

    names = "\n".join(f"  {name:24} {text}" for name, (_, text) in STUDIES.items())
    command.epilog = f"studies:\n{names}"
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    add = command.add_argument
    add("name", metavar="NAME", help="the study")
    add("--data", metavar="PATH", type=Path, help="a folder or Kaggle's zip; default: as for run")
    add("--runs", metavar="N", type=at_least(1), help="how often what is random is drawn; default: the study's own")
    add("--epochs", metavar="N", type=at_least(1), help="train no longer: a quick look, with other numbers")
    add("--out", metavar="DIR", type=Path, default="studies", help="where DIR/NAME/ is made; default: studies")
    add("--json", action="store_true", help="print every number as JSON to stdout, and nothing else")


def study(options: argparse.Namespace) -> int:
    """Train a notebook's nets as published, and again as run does: what it said, and what is so."""
    from kpipe import display
    from kpipe.studies import study
    from kpipe.studies.findings import as_json, save, writable

    folder = options.out / options.name
    writable(folder)  # before minutes of training
    found = study(
        options.name, data=options.data, runs=options.runs, epochs=options.epochs, tell=display.tell_study(options.name)
    )
    if options.json:
        print(as_json(found), end="")
    save(found, folder)
    if options.json:
        return 0
    display.show_study(found, folder)
    return 0


def doctor_options(command: argparse.ArgumentParser) -> None:
    """The options of ``doctor``."""
    command.add_argument(
        "slug", metavar="SLUG", nargs="?", help="look at this competition too: rules, submissions left"
    )
    list_options(command)


def doctor(options: argparse.Namespace) -> int:
    """Look at Python, packages, device, disk and Kaggle credentials: each finding with its mend."""
    import json
    from dataclasses import asdict

    from kpipe import display, doctor

    found = []
    for finding in doctor.findings(options.slug):
        found.append(finding)
        if not options.json:
            display.show_finding(finding)
    if options.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    return 1 if any(finding.status == "fail" for finding in found) else 0
