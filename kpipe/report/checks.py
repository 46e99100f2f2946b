"""The section "Checks": every check with its result."""

from __future__ import annotations

from kpipe.report.blocks import (
    Cell,
    Column,
    Finding,
    Section,
    Table,
    short,
)
from kpipe.runs.loaded import LoadedRun

__all__ = ["findings", "section"]

_STATUS = {"pass": "pass", "warn": "warn", "fail": "fail"}


def section(run: LoadedRun) -> Section:
    """Every check with what it found."""
    rows, passed = [], 0
    for check in run.items("checks"):
        given = check if isinstance(check, dict) else {}
        status = _STATUS.get(str(given.get("status")), "warn")
        passed += status == "pass"
        order = float(list(_STATUS).index(status))
        rows.append([
            Cell(shown=short(given.get("name"))),
            Cell(shown=status, status=status, value=-order),
            Cell(shown=short(given.get("detail"), 600)),
        ])  # fmt: skip
    columns = [Column(name=name, numeric=False) for name in ("check", "result", "found")]
    lead = f"{passed} of {len(rows)} pass. They look for what makes a score too good to be true."
    return Section(
        key="checks", title="Checks", lead=lead, blocks=[Table(caption="Honesty checks", columns=columns, rows=rows)]
    )


def findings(run: LoadedRun) -> list[Finding]:
    """Checks that did not pass, guesses, and sample data."""
    found = []
    if run.text("data", "origin") == "sample":
        text = (
            "Trained on the sample that comes with kpipe, not on Kaggle's data: no score here means anything on Kaggle."
        )
        found.append(Finding(level="warn", text=text, section="configuration"))
    for check in run.items("checks"):
        status = check.get("status") if isinstance(check, dict) else None
        if status in ("warn", "fail"):
            text = f"{short(check.get('name'), 60)}: {short(check.get('detail'), 400)}"
            found.append(Finding(level="bad" if status == "fail" else "warn", text=text, section="checks"))
    for name, reason in run.mapping("inferred").items():
        if (told := str(reason)).startswith("a guess"):
            text = f"{short(name, 40)} is {short(told, 300)}."
            found.append(Finding(level="note", text=text, section="configuration"))
    return found
