"""The result of a run: a table of scores, notes, and the path of the submission."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import SAMPLE_WARNING, STATUS_STYLES, get_console, print_table
from kpipe.core.formatting import format_with_error
from kpipe.data.pixels import FILE_COLUMNS
from kpipe.errors import printable
from kpipe.runs.record import inferred_reasons
from kpipe.runs.run import Run
from kpipe.runs.summary import clipped_predictions, format_forecast

__all__ = ["print_run"]

_INFERRED = ("splitter", "groups", "target", "task", "columns", "metric", "positive")  # fields that may be guesses
_SETTERS = {"splitter": "--split", "task": "--metric, such as rmse or accuracy"}  # unless the reason says it

_MAX_NAMED = 5  # columns with a line each
_MAX_SKIPPED = 3  # checks that are named


def print_run(run: Run, *, json: bool, quiet: bool) -> int:
    """Print a finished run to stdout.

    Parameters
    ----------
    run : Run
        A finished run.
    json : bool
        Print only the content of ``run.json``.
    quiet : bool
        Print only the path of the submission.

    Returns
    -------
    int
        The exit status: 1 if a check failed, else 0.
    """
    if json:
        print((run.path / "run.json").read_text(encoding="utf-8"), end="")
    elif quiet:
        print(run.path / "submission.csv")
    else:
        _print_result(run)
    return 1 if any(check["status"] == "fail" for check in run.record["checks"]) else 0


def _print_result(run: Run) -> None:
    console, record = get_console(), run.record
    print_table(console, _scores(record))
    folds = f"{record['folds']} fold{'s' * (record['folds'] != 1)}"
    rows = f"{record['rows']:,} of {record['data']['rows']['train']:,} rows, {folds}"
    seeds = ", ".join(map(str, record["seed"]))
    took = f"The run took {record['seconds']:.1f} s"
    fits = record.get("fits", {})
    if reused := fits.get("reused"):
        took += f"; {reused} of {fits['all']} fits were reused from earlier runs"
    console.print(f"Out-of-fold scores over {rows}, seed {seeds}. {took}.")
    if shortened := record.get("shortened"):
        console.print(printable(_shortened(shortened)), markup=False)
    if record.get("left_out") and [model["name"] for model in record["models"]] == ["quick-linear"]:
        line = "Only quick-linear was trained, on at most 2,000 rows of a fold: a longer --budget trains the others."
        console.print(line, style="bold", markup=False)
    if record.get("fallback"):
        console.print(f"NO MODEL WAS TRAINED: {printable(str(record['fallback']))}", style="bold red", markup=False)
    if record["data"]["origin"] != "sample" and (expected := format_forecast(record)):
        console.print(f"Expected on the leaderboard: {expected}", style="bold", markup=False)
    for line in _warnings(record):
        console.print(line, style="yellow", markup=False)
    _print_checks(console, record)
    if record["data"]["origin"] == "sample":
        console.print(SAMPLE_WARNING, style="bold yellow")
    console.print(Text.assemble("Submission: ", (str(run.path / "submission.csv"), "bold")), soft_wrap=True)


def _shortened(fits: Iterable[str]) -> str:
    """How many fits a budget shortened, and of which models.

    >>> _shortened(["catboost-seed0-fold1"])
    'Shortened to keep the budget: 1 fit of catboost. A longer --budget trains all fits in full.'
    """
    models = [fit.rpartition("-seed")[0] for fit in fits]
    counted = f"{len(models)} fit{'s' * (len(models) != 1)} of {', '.join(sorted(set(models)))}"
    return f"Shortened to keep the budget: {counted}. A longer --budget trains all fits in full."


def _scores(record: Mapping[str, Any]) -> Table:
    """A row for each model, the ensemble and the baseline."""
    table = Table(box=box.SIMPLE_HEAD, title=_title(record), title_justify="left")
    table.add_column("model")
    for name in ("score ± standard error", "seconds", "weight"):
        table.add_column(name, justify="right")
    for model in record["models"]:
        score = format_with_error(model["score"], model["standard_error"])
        table.add_row(model["name"], score, f"{model['seconds']:.1f}", f"{model['weight']:.2f}")
    table.add_section()
    score = format_with_error(record["score"], record["standard_error"])
    table.add_row("ensemble, submitted", score, "", "", style="bold")
    baseline = format_with_error(record["baseline"], record["baseline_standard_error"])
    table.add_row(f"baseline: {record['baseline_name']}", baseline, "", "")
    return table


def _title(record: Mapping[str, Any]) -> str:
    metric = record["metric"]
    direction = "higher is better" if metric["greater_is_better"] else "lower is better"
    reason = inferred_reasons(record).get("metric")
    guess = ", a guess" if reason is not None and reason.guess else ""
    return f"{record['slug']}: {metric['name']} ({direction}{guess})"


def _warnings(record: Mapping[str, Any]) -> Iterator[str]:
    """Fields that were guessed, models that were skipped, and columns of the competition's files that were left out."""
    reasons = inferred_reasons(record)
    for field in _INFERRED:
        if field in reasons and reasons[field].guess:
            option = f"; set another with {_SETTERS[field]}" if field in _SETTERS else ""
            yield f"{field} is a guess: {reasons[field].text}{option}."
    yield from clipped_predictions(record)
    for name, reason in record["left_out"].items():
        yield f"{name} was skipped: {reason}."
    left_out = {name: why for name, why in record.get("columns_left_out", {}).items() if name not in FILE_COLUMNS}
    for name, reason in list(left_out.items())[:_MAX_NAMED]:
        yield f"The column {name} was left out: {reason}."
    if others := list(left_out)[_MAX_NAMED:]:
        named = ", ".join(others[:_MAX_NAMED]) + (", ..." if len(others) > _MAX_NAMED else "")
        yield f"{len(others)} more columns were left out: {named} (columns_left_out in run.json says why)."


def _first(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are.

    >>> _first(["a", "b"]), _first(["a", "b", "c", "d", "e", "f"])
    ('a, b', 'a, b, c and 3 more')
    """
    more = len(names) - _MAX_SKIPPED
    return ", ".join(names) if more < 2 else f"{', '.join(names[:_MAX_SKIPPED])} and {more} more"


def _print_checks(console: Console, record: Mapping[str, Any]) -> None:
    """Print how many checks passed, which were skipped, and those that did not pass."""
    checks = record["checks"]
    others = [check for check in checks if check["status"] in ("warn", "fail")]
    passed = sum(check["status"] == "pass" for check in checks)
    skipped = [check["name"] for check in checks if check["status"] == "skipped"]
    without = f"; skipped: {printable(_first(skipped))}" if skipped else ""
    names = ", ".join(dict.fromkeys(check["name"] for check in others))
    but = f"; not passed: {printable(names)}" if names else ""
    console.print(f"Checks: {passed} of {len(checks)} passed{without}{but}.", markup=False)
    sample = record["data"]["origin"] == "sample"
    for check in others:
        if not (sample and check["name"] == "real data"):  # the warning below the checks says so
            status, detail = check["status"], printable(check["detail"])
            console.print(Text.assemble((status, STATUS_STYLES[status]), f" {check['name']}: {detail}"))
