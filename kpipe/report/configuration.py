"""The section "Configuration": the data, options and versions of the run."""

from __future__ import annotations

from collections.abc import Mapping

from kpipe.report.blocks import Block, Column, Finding, Section, Table, text_cell
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.record import inferred_reasons
from kpipe.runs.summary import clipped_predictions

__all__ = ["section"]

# Fields of run.json that other tables and sections show.
_SHOWN_ELSEWHERE = frozenset({
    "schema", "run_id", "slug", "created", "status", "command", "data", "target", "id", "task", "metric", "seed",
    "device", "seconds", "peak_memory_mib", "inferred", "models", "left_out", "score", "standard_error", "rows",
    "fold_scores", "baseline", "baseline_standard_error", "baseline_name", "checks", "submission", "folds", "versions",
    "conversions", "columns_left_out", "fallback", "plan",
})  # fmt: skip
_LONGEST = 600  # characters of a value
_MAX_NAMED = 5  # columns in a finding
_EMPTY: tuple[object, ...] = (None, "", [], {})


def section(run: LoadedRun) -> Section:
    """The section "Configuration".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section
    """
    tables = (
        ("Run", _fields(run), ("field", "value")),
        ("Inferred from the files", run.mapping("inferred"), ("field", "reason")),
        ("Columns read as numbers or dates", run.mapping("conversions"), ("column", "how")),
        ("Columns left out", run.mapping("columns_left_out"), ("column", "reason")),
        ("Data files", run.mapping("data", "files"), ("file", "sha256")),
        ("Versions", run.mapping("versions"), ("package", "version")),
    )
    blocks: list[Block] = [_table(caption, pairs, names) for caption, pairs, names in tables if pairs]
    summary = "A run with the same data, options, code and versions gives the same result."
    return Section(
        key="configuration",
        title="Configuration",
        summary=summary,
        blocks=blocks,
        findings=[*_guesses(run), *_left_out(run), *_clipped(run)],
        open=False,
    )


def _fields(run: LoadedRun) -> dict[str, str]:
    rows = run.mapping("data", "rows").items()
    fields = {
        "run": run.text("run_id"),
        "created": run.text("created"),
        "command": " ".join(map(str, run.items("command"))) or "from Python",
        "data": f"{run.text('data', 'origin')}: {run.text('data', 'path')}",
        "rows": ", ".join(f"{name} {count}" for name, count in rows),
        "target": ", ".join(run.targets),
        "id": run.text("id"),
        "task": run.text("task"),
        "seeds": ", ".join(map(str, run.items("seed"))),
        "device": run.text("device"),
        "seconds": run.text("seconds"),
        "peak memory, MiB": run.text("peak_memory_mib"),
        "submission, sha256": run.text("submission", "sha256"),
    }
    others = {name: value for name, value in run.record.items() if name not in _SHOWN_ELSEWHERE}
    return fields | {_heading(name): _as_text(value) for name, value in others.items() if value not in _EMPTY}


def _heading(name: object) -> str:
    """``standard_error`` as ``standard error``; names of packages and files stay as they are."""
    text = str(name)
    return text.replace("_", " ") if text.islower() and "." not in text else text


def _as_text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_as_text(inner)}" for name, inner in value.items() if inner not in _EMPTY)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _table(caption: str, pairs: Mapping[str, object], names: tuple[str, str]) -> Table:
    rows = [[text_cell(name), text_cell(value, _LONGEST)] for name, value in pairs.items() if value != ""]
    columns = [Column(name=name, numeric=False) for name in names]
    return Table(caption=caption, columns=columns, rows=rows, sortable=False)


def _guesses(run: LoadedRun) -> list[Finding]:
    return [
        Finding(level="note", text=f"{short(name, 40)} is a guess: {short(reason.text, 300)}.")
        for name, reason in inferred_reasons(run.record).items()
        if reason.guess
    ]


def _clipped(run: LoadedRun) -> list[Finding]:
    return [Finding(level="note", text=short(text, 300)) for text in clipped_predictions(run.record)]


def _left_out(run: LoadedRun) -> list[Finding]:
    """A finding where models do not see some columns: a reader must not have to look for it."""
    names = list(run.mapping("columns_left_out"))
    if not names:
        return []
    shown = ", ".join(short(name, 40) for name in names[:_MAX_NAMED]) + ", ..." * (len(names) > _MAX_NAMED)
    return [Finding(level="note", text=f"Columns that the models do not see: {shown}.")]
