"""The section "Checks": the result of each check of the run."""

from __future__ import annotations

from typing import Any

from kpipe.report.blocks import Cell, Column, Finding, Section, Table, text_cell
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun

__all__ = ["section"]

_STATUS = ("pass", "warn", "fail")


def section(run: LoadedRun) -> Section:
    """The section "Checks".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section
    """
    checks: list[dict[str, Any]] = [check if isinstance(check, dict) else {} for check in run.items("checks")]
    rows = [_row(check) for check in checks]
    passed = sum(check.get("status") == "pass" for check in checks)
    table = Table(
        caption="Checks of this run",
        columns=[Column(name=name, numeric=False) for name in ("check", "result", "details")],
        rows=rows,
    )
    summary = (
        f"{passed} of {len(rows)} checks passed. They look for leaks and other mistakes that make scores too "
        "optimistic."
    )
    return Section(key="checks", title="Checks", summary=summary, blocks=[table], findings=_findings(checks))


def _row(check: dict[str, Any]) -> list[Cell]:
    status = check.get("status") if check.get("status") in _STATUS else "warn"
    badge = Cell(text=str(status), status=str(status), value=-float(_STATUS.index(str(status))))
    return [text_cell(check.get("name")), badge, text_cell(check.get("detail"), 600)]


def _findings(checks: list[dict[str, Any]]) -> list[Finding]:
    return [
        Finding(
            level="bad" if check["status"] == "fail" else "warn",
            text=f"{short(check.get('name'), 60)}: {short(check.get('detail'), 400)}",
        )
        for check in checks
        if check.get("status") in ("warn", "fail")
    ]
