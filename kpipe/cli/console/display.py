"""What a run looks like while it works, and the tables that close it. Rich is loaded only to show something."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import print_table, teller
from kpipe.cli.doctor import Finding
from kpipe.core.formatting import format_with_error
from kpipe.core.metrics import Metric
from kpipe.core.values import Check, Tables
from kpipe.errors import printable
from kpipe.pipeline import RunPlan
from kpipe.problem.competition import Competition
from kpipe.runs.ledger import Entry
from kpipe.runs.run import Run
from kpipe.studies.findings import Findings, cell, shown
from kpipe.training.cross_validation import FitFinished

__all__ = [
    "described",
    "progress",
    "score_shown",
    "show_check",
    "show_competition",
    "show_entries",
    "show_entry",
    "show_finding",
    "show_run",
    "show_study",
    "show_sum_of_checks",
    "tell_doing",
    "tell_study",
    "waiting",
]

_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red"}
_SAMPLE = (
    "THIS IS SAMPLE DATA, not Kaggle's: its scores mean nothing and its submission can never be sent. "
    "For the real files, pass --data FOLDER_OR_ZIP."
)

_ROOM_FOR_A_BAR = 70  # columns


class Telling(Protocol):
    """Someone who is told how a run goes."""

    def started(self, start: RunPlan) -> None:
        """What is about to be trained."""

    def tell(self, done: FitFinished) -> None:
        """A task has ended."""

    def downloading(self, done: int, size: int) -> None:
        """So many bytes of Kaggle's files are there, of so many (0: not known)."""


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Telling]:
    """Tells stderr how a run goes: a live bar on a terminal, plain lines elsewhere, nothing when quiet.

    When the run is interrupted, says where its finished part lies.
    """
    console = teller(stderr=True)
    telling = _Quiet() if quiet else _Live(console) if console.is_terminal else _Lines(console)
    try:
        yield telling
    except KeyboardInterrupt:
        telling.close()
        kept = f"What was finished is kept in {telling.path}; the same command goes on from there."
        if telling.path is not None:
            console.print(kept if telling.path.exists() else "No model fit had ended: nothing is kept.", markup=False)
        raise
    finally:
        telling.close()


class _Quiet:
    """Says nothing, but remembers where the run works."""

    def __init__(self) -> None:
        self.path: Any = None

    def started(self, start: RunPlan) -> None:
        self.path = start.path

    def tell(self, done: FitFinished) -> None:
        """Nothing."""

    def downloading(self, done: int, size: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class _Lines(_Quiet):
    """A line for each task that has ended."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.tenths = -1

    def downloading(self, done: int, size: int) -> None:
        """A line for each tenth."""
        tenths = 10 * done // size if size else 0
        if tenths > self.tenths:
            self.tenths = tenths
            of_all = f"{10 * tenths} % of {_bytes(size)}" if size else "..."
            self.console.print(f"Downloading from Kaggle: {of_all}", markup=False)

    def started(self, start: RunPlan) -> None:
        super().started(start)
        self.console.print(start.sentence, markup=False)
        for note in start.notes:
            self.console.print(note, markup=False)
        if start.tables.source.origin == "sample":
            self.console.print(_SAMPLE, markup=False)

    def tell(self, done: FitFinished) -> None:
        took = "kept from before" if done.resumed else f"{done.seconds:.1f} s"
        line = f"[{done.done}/{done.total}] {done.model}, fold {done.fold + 1}, seed {done.seed}: {took}"
        self.console.print(line, markup=False)


def _bytes(size: float) -> str:
    """A size for people.

    >>> _bytes(34_877), _bytes(15_300_000)
    ('34.9 kB', '15.3 MB')
    """
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


class _Live(_Lines):
    """A bar with the time that is left, and above it a line per model."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        narrow = console.width < _ROOM_FOR_A_BAR
        between = () if narrow else (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"))
        columns = (TextColumn("{task.description}"), *between, TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, transient=True)

    def started(self, start: RunPlan) -> None:
        super().started(start)
        self.task = self.bar.add_task("training", total=len(start.models) * start.folds)
        self.bar.start()

    def tell(self, done: FitFinished) -> None:
        self.bar.update(
            self.task, description=f"{done.model}, fold {done.fold + 1}", completed=done.done, total=done.total
        )

    def close(self) -> None:
        self.bar.stop()


def show_run(run: Run) -> None:
    """The closing table, the checks that did not pass, and the path of the submission, to stdout."""
    console = teller()
    record = run.record
    print_table(console, _scores(record))
    _print_notes(console, record)
    console.print(Text.assemble("Submission: ", (str(run.path / "submission.csv"), "bold")), soft_wrap=True)


def _scores(record: Mapping[str, Any]) -> Table:
    metric = record["metric"]
    arrow = "higher is better" if metric["greater_is_better"] else "lower is better"
    guess = ", a guess" if record["inferred"].get("metric", "").startswith("a guess") else ""
    table = Table(
        box=box.SIMPLE_HEAD, title=f"{record['slug']}: {metric['name']} ({arrow}{guess})", title_justify="left"
    )
    for name, side in (
        ("model", "left"),
        ("score ± standard error", "right"),
        ("seconds", "right"),
        ("weight", "right"),
    ):
        table.add_column(name, justify=side)  # type: ignore[arg-type]  # "left" and "right" are what Rich takes
    for model in record["models"]:
        table.add_row(model["name"], score_shown(model), f"{model['seconds']:.1f}", f"{model['weight']:.2f}")
    table.add_section()
    table.add_row("blend, submitted", score_shown(record), f"{record['seconds']:.1f}", "", style="bold")
    baseline = {"score": record["baseline"], "standard_error": record["baseline_standard_error"]}
    table.add_row(f"baseline: {record['baseline_name']}", score_shown(baseline), "", "")
    return table


def score_shown(record: Mapping[str, Any]) -> str:
    """The score of a record and its standard error, written with the same number of decimals."""
    return format_with_error(record["score"], record["standard_error"])


def _print_notes(console: Console, record: Mapping[str, Any]) -> None:
    rows = record["data"]["rows"]
    seen = f"{record['rows']:,} of {rows['train']:,} rows, {record['folds']} folds"
    console.print(f"Out-of-fold over {seen}, seed {', '.join(map(str, record['seed']))}.")
    for field in ("splitter", "groups", "target", "task", "columns", "metric", "positive"):
        reason = record["inferred"].get(field, "")
        if reason.startswith("a guess"):
            console.print(f"{field} is {reason}.", style="yellow", markup=False)
    for name, reason in record["left_out"].items():
        console.print(f"{name} was left out: {reason}.", style="yellow", markup=False)
    passed = sum(check["status"] == "pass" for check in record["checks"])
    others = ", ".join(dict.fromkeys(check["name"] for check in record["checks"] if check["status"] != "pass"))
    but = f"; not: {printable(others)}" if others else ""
    console.print(f"Checks: {passed} of {len(record['checks'])} pass{but}.", markup=False)
    sample = record["data"]["origin"] == "sample"
    for check in record["checks"]:
        if check["status"] != "pass" and not (sample and check["name"] == "real data"):  # said below, aloud
            label = Text.assemble(
                (check["status"], _STYLES[check["status"]]), f" {check['name']}: {printable(check['detail'])}"
            )
            console.print(label)
    if sample:
        console.print(_SAMPLE, style="bold yellow")


def described(competition: Competition, tables: Tables) -> dict[str, Any]:
    """A resolved competition as JSON types: each field with its value and, where it was inferred, the reason."""
    metric = competition.metric
    assert isinstance(metric, Metric)
    assert competition.columns is not None
    assert competition.models is not None
    values = {
        "slug": competition.slug,
        "data": f"{tables.source.origin}: {tables.source.path}",
        "rows": {"train": len(tables.train), "test": len(tables.test)},
        "id": competition.id,
        "target": list(competition.targets),
        "task": competition.task,
        "metric": metric.name,
        "columns": list(competition.columns),
        "features": None if competition.features is None else repr(competition.features),
        "splitter": repr(competition.splitter),
        "groups": competition.groups,
        "models": list(competition.models),
        "default": list(competition.default or competition.models),
        **({"budgeted": list(competition.budgeted)} if competition.budgeted else {}),
    }
    reasons = {name: ("a guess: " if r.guess else "") + r.text for name, r in competition.inferred.items()}
    return {**values, "inferred": reasons}


# What a field is set with, where the files do not say it as it is.
_OVERRIDES = {
    "id": "--id",
    "target": "--target",
    "task": "--metric",
    "groups": "--split",
    "columns": "--drop, --text",
    "features": "a module's own",
    "splitter": "--split, --folds",
    "models": "--model",
}


def show_competition(competition: Competition, tables: Tables) -> None:
    """What a run would do, to stdout: each field, its value and its reason."""
    console = teller()
    fields = described(competition, tables)
    reasons = fields.pop("inferred")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("field")
    table.add_column("value", overflow="fold")
    table.add_column("why", overflow="fold")
    for name, value in fields.items():
        silent = name in ("slug", "data", "rows") or value is None
        overriding = f" ({_OVERRIDES[name]})" if name in reasons and name in _OVERRIDES else ""
        all_models = name == "default" and value == fields["models"]
        given = "" if silent else "all its models" if all_models else "the competition says so"
        table.add_row(name, Text(_shown(value)), Text(reasons.get(name, given) + overriding))
    print_table(console, table)
    if tables.source.origin == "sample":
        console.print(_SAMPLE, style="bold yellow")


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) > 20:
        return f"{len(value)}: {', '.join(value[:10])}, ..., {value[-1]}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:,}" for name, number in value.items())
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def show_finding(finding: Finding) -> None:
    """What the doctor found, and its mend, to stdout."""
    console = teller()
    console.print(
        Text.assemble((f"{finding.status:5}", _STYLES[finding.status]), f"{finding.name}: {finding.detail}"),
    )
    if finding.mend:
        console.print(Text(f"     {finding.mend}"))


def tell_doing(doing: str) -> None:
    """What is being done, to stderr."""
    teller(stderr=True).print(f"... {doing}", style="dim", markup=False)


def show_check(check: Check) -> None:
    """One check, to stdout."""
    found = Text.assemble(
        (f"{check.status:5}", _STYLES[check.status]), (check.name, "bold"), f": {printable(check.detail)}"
    )
    teller().print(found)


def show_sum_of_checks(checks: Sequence[Check]) -> None:
    """How many of each kind, to stdout."""
    counts = {status: sum(check.status == status for check in checks) for status in _STYLES}
    print(f"{counts['pass']} pass, {counts['warn']} warn, {counts['fail']} fail.")


@contextlib.contextmanager
def waiting(entry: Entry, *, left_today: int) -> Iterator[Callable[[float], None]]:
    """Tells stderr that a submission was made and how long its score takes; says where it is found after Ctrl-C."""
    console = teller(stderr=True)
    console.print(f"Submitted {entry.file} to {entry.slug} as {entry.ref}; {left_today} left today.", markup=False)
    try:
        yield lambda seconds: console.print(f"Waiting for the score, {seconds:.0f} s ...", markup=False)
    except KeyboardInterrupt:
        console.print(f"The submission was made. `kpipe submissions {entry.slug}` shows its score.", markup=False)
        raise


def show_entry(entry: Entry) -> None:
    """What Kaggle made of a submission, beside cross-validation, to stderr: stdout is the run's."""
    console = teller(stderr=True)
    if entry.status == "error":
        console.print(
            f"Kaggle could not score {entry.ref}: {printable(entry.error) or 'it gives no reason'}",
            style="bold red",
            markup=False,
        )
    elif entry.status == "complete":
        known = {"cross-validation": _cv(entry), "public": entry.public_score, "private": entry.private_score}
        told = [f"{name} {value}" for name, value in known.items() if value is not None and value != ""]
        console.print(f"{entry.slug}, {entry.ref}: {', '.join(told)}.", markup=False)


def show_entries(slug: str, entries: Sequence[Entry], *, rank: int | None, fresh: bool) -> None:
    """The ledger, newest first, to stdout."""
    console = teller()
    table = Table(box=box.SIMPLE_HEAD, title=f"{slug}: submissions", title_justify="left")
    for name in ("date", "ref", "run", "CV ± standard error", "public", "private", "status", "message"):
        justify: Literal["left", "right"] = "right" if name in ("public", "private") else "left"
        table.add_column(name, justify=justify, no_wrap=name == "run")
    for entry in entries:
        scores = (cell(entry.public_score), cell(entry.private_score))
        status = f"{entry.status}: {entry.error}" if entry.error else entry.status
        shown = (entry.date[:16].replace("T", " "), str(entry.ref), entry.run_id or entry.file, _cv(entry), *scores)
        table.add_row(*(Text(printable(text)) for text in (*shown, status, entry.message)))
    if entries:
        print_table(console, table)
    else:
        console.print(f"Nothing was submitted to {slug} from here.")
    if rank:
        console.print(f"Rank: {rank:,}.")
    if not fresh and entries:
        console.print("Without Kaggle credentials this is what was known last.", style="yellow")


def _cv(entry: Entry) -> str:
    return "" if entry.score is None else score_shown({"score": entry.score, "standard_error": entry.standard_error})


def tell_study(name: str) -> Callable[[str], None]:
    """Tells stderr what a study is at."""
    console = teller(stderr=True)
    return lambda line: console.print(f"{name}: {line}", markup=False)


def show_study(found: Findings, folder: Path) -> None:
    """A study's words and tables, and where its files are, to stdout."""
    console = teller()
    console.print(Text.assemble((found.title, "bold"), f"\nAfter {found.source}. Trained on {found.data}."))
    if found.notice:
        console.print(Text(found.notice, style="bold yellow"))
    for section in found.sections:
        console.print(Text(f"\n{section.heading}", style="bold"))
        console.print(Text(section.text))
        for name, frame in section.tables.items():
            if shown(frame):
                print_table(console, _frame(name, frame))
    console.print(
        Text.assemble(f"\nIn {found.seconds:.0f} s. Page, tables and pictures: ", (str(folder), "bold")), soft_wrap=True
    )
    if found.sample:
        console.print(_SAMPLE, style="bold yellow")


def _frame(name: str, frame: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=name, title_justify="left")
    cells = [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    for column, dtype in frame.dtypes.items():
        table.add_column(str(column), justify="right" if pd.api.types.is_numeric_dtype(dtype) else "left")
    for row in cells:
        table.add_row(*map(Text, row))
    return table
