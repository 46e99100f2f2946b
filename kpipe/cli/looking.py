"""``doctor``, ``report`` and ``study``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.options import at_least, list_options, out_option, seconds
from kpipe.errors import KpipeError, UsageError

if TYPE_CHECKING:
    from kpipe.report import Data
    from kpipe.runs.run import Run

__all__ = ["doctor", "doctor_options", "report", "report_options", "reported", "study", "study_options"]

_REFIT = 20.0  # seconds that a report takes to train a model again


def study_options(command: argparse.ArgumentParser) -> None:
    """The options of ``study``."""
    from kpipe.studies import STUDIES

    names = "\n".join(f"  {name:24} {text}" for name, (_, text) in STUDIES.items())
    command.epilog = f"studies:\n{names}"
    add = command.add_argument
    add("name", metavar="NAME", nargs="?", help="the study")
    add("--data", metavar="PATH", type=Path, help="a folder or Kaggle's zip; default: as for run")
    add("--runs", metavar="N", type=at_least(1), help="how often what is random is drawn; default: the study's own")
    add("--epochs", metavar="N", type=at_least(1), help="train no longer: a quick look, with other numbers")
    add("--out", metavar="DIR", type=Path, default="studies", help="where DIR/NAME/ is made; default: studies")
    add("--json", action="store_true", help="print every number as JSON to stdout, and nothing else")


def study(options: argparse.Namespace) -> int:
    """Train a notebook's nets as published, and again as run does: what it said, and what is so."""
    from kpipe.cli.console import display
    from kpipe.studies import STUDIES, study
    from kpipe.studies.findings import as_json, save, writable

    if options.name is None:
        raise UsageError(f"Which study? kpipe study NAME, of: {', '.join(STUDIES)}.")
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

    from kpipe.cli import doctor
    from kpipe.cli.console import display

    found = []
    for finding in doctor.findings(options.slug):
        found.append(finding)
        if not options.json:
            display.show_finding(finding)
    if options.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    return 1 if any(finding.status == "fail" for finding in found) else 0


def report_options(command: argparse.ArgumentParser) -> None:
    """The options of ``report``."""
    add = command.add_argument
    add("run", metavar="RUN", help="a run's folder, its id, or the beginning or end of it")
    add("--data", metavar="PATH", help="a folder or Kaggle's zip; default: where the run read it")
    add("--to", metavar="FILE", type=Path, help="the page; default: report.html in the run's folder")
    add(
        "--budget",
        metavar="TIME",
        type=seconds,
        default=_REFIT,
        help="to train a model again, for importance; default: 20s",
    )
    add("--no-importance", dest="budget", action="store_const", const=0.0, help="do not train a model again")
    out_option(command)


def report(options: argparse.Namespace) -> int:
    """Write a run as one HTML page: scores, errors, columns, checks, all that is known of it."""
    from kpipe.runs import find

    run = find.find_run(options.run, options.out)
    print(reported(run, data=options.data, to=options.to, budget=options.budget))
    return 0


def reported(run: Run, *, data: str | None = None, to: Path | None = None, budget: float = _REFIT) -> Path:
    """Write a run's report, with the data it was made from where that can be reached, and say where."""
    from kpipe import report

    found, absent = _data_of(run, data)
    return report.write(run, to, data=found, absent=absent, budget=budget)


def _data_of(run: Run, path: str | None) -> tuple[Data | None, str]:
    """The competition and the tables of a run; or None, and why."""
    from kpipe import pipeline
    from kpipe.data.loading import load
    from kpipe.report import Data

    record = run.record
    source = record.get("data")
    given = source if isinstance(source, dict) else {}
    place = path or str(given.get("path", ""))
    if path is None and not (Path(place).is_dir() or Path(place).is_file()):
        if given.get("origin") != "sample":
            return None, f"{place or 'its place'} is not there. Add --data PATH to show it."
        place = "sample"
    names = ("id", "target", "split", "drop", "text")
    fields = {name: record[name] for name in names if record.get(name)}
    metric = record.get("metric")
    named = metric.get("name") if isinstance(metric, dict) else None
    try:
        competition, tables = pipeline.prepare(record["slug"], data=place, metric=_known(named), **fields)
        raw = load(record["slug"], place, text=competition.text, id=competition.id).train
    except KpipeError as error:
        if path is not None:
            raise
        return None, str(error)
    return Data(competition=competition, tables=tables, raw=raw), ""


def _known(metric: object) -> str | None:
    """A metric's name if kpipe knows it; another one is the competition's own, which says it itself."""
    from kpipe.core.metrics import get_metric

    try:
        return None if not isinstance(metric, str) else get_metric(metric).name
    except KpipeError:
        return None
