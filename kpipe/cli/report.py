"""``kpipe report``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpipe.cli.command import Command
from kpipe.cli.options import RUN_HELP, add_out_option, duration
from kpipe.errors import KpipeError

if TYPE_CHECKING:
    from kpipe.core.request import RunRequest
    from kpipe.report import RunData
    from kpipe.runs.run import Run

__all__ = ["COMMAND", "write_report"]

_BUDGET = 20.0  # seconds for refitting a model


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help=RUN_HELP)
    add("--data", metavar="PATH", help="a folder or zip of Kaggle's files; default: where the run read them")
    add("--to", metavar="FILE", type=Path, help="the page; default: report.html in the run's folder")
    budget = "time for refitting a model to measure feature importance; default: 20s"
    add("--budget", metavar="TIME", type=duration, default=_BUDGET, help=budget)
    add("--no-importance", dest="budget", action="store_const", const=0.0, help="do not measure feature importance")
    add_out_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Write the report and print its path."""
    from kpipe.runs.find import find_run

    run = find_run(options.run, options.out)
    print(write_report(run, data=options.data, to=options.to, budget=options.budget))
    return 0


def write_report(run: Run, *, data: str | None = None, to: Path | None = None, budget: float = _BUDGET) -> Path:
    """Write the report of a run, with the competition's files if they can still be read.

    Parameters
    ----------
    run : Run
        A finished run.
    data : str, optional
        A folder or zip of the competition's files; default: where the run read them.
    to : Path, optional
        The page; default: ``report.html`` in the run's folder.
    budget : float
        Seconds for refitting a model to measure feature importance; 0 to leave it out.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    KpipeError
        If ``data`` is given and cannot be read, or the page cannot be written.
    """
    from kpipe import report

    read, absent = _data_of(run, data)
    return report.write(run, to, data=read, no_data=absent, budget=budget)


def _data_of(run: Run, path: str | None) -> tuple[RunData | None, str]:
    """The competition and the tables of a run; or None, and the reason."""
    from kpipe import pipeline
    from kpipe.report import RunData

    place = path or _place_of(run.record)
    if path is None and place != "sample" and not os.path.exists(place):  # Path.exists raises for a long name
        return None, f"{place} does not exist. To show the data, add --data PATH."
    try:
        problem = pipeline.prepare(_request_of(run.record, place))
    except KpipeError as error:
        if path is not None:
            raise
        return None, str(error)
    return RunData(problem=problem), ""


def _place_of(record: Mapping[str, Any]) -> str:
    """Where a run read its files; if they are gone and were the sample, the sample of today."""
    data = record["data"] if isinstance(record.get("data"), dict) else {}
    place = str(data.get("path") or "The folder or zip that the run read")
    return "sample" if data.get("origin") == "sample" and not os.path.exists(place) else place


def _request_of(record: Mapping[str, Any], place: str) -> RunRequest:
    """The request whose problem is that of a run, with the files in another place."""
    from kpipe.core.request import COMPETITION_OPTIONS, FILE_OPTIONS, RunRequest

    fields = {name: record[name] for name in COMPETITION_OPTIONS if name != "metric" and record.get(name)}
    options = record["options"] if isinstance(record.get("options"), dict) else {}
    fields |= {name: options[name] for name in FILE_OPTIONS if options.get(name)}
    metric = record["metric"].get("name") if isinstance(record.get("metric"), dict) else None
    return RunRequest(record["slug"], data=place, metric=_known_metric(metric), **fields)


def _known_metric(name: object) -> str | None:
    """The name of a metric of kpipe's; None for one that the competition itself defines."""
    from kpipe.core.metrics import get_metric

    try:
        return None if not isinstance(name, str) else get_metric(name).name
    except KpipeError:
        return None


COMMAND = Command(
    description=(
        "Write a run as an HTML page: scores, prediction errors, columns, feature importance, checks and provenance."
    ),
    examples=(("kpipe report 20261121T092754Z-f40eed", "write report.html into the run's folder"),),
    add_options=_add_options,
    execute=_execute,
)
