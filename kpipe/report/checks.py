"""The section "Checks": warnings and failures, and collapsed below them the checks that passed or were skipped."""

from __future__ import annotations

from typing import Any

from kpipe.report.blocks import Block, Cell, Column, Finding, Section, Table, text_cell
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun

__all__ = ["section", "summary"]

_STATUS = ("pass", "skipped", "warn", "fail")
_COLUMNS = [Column(name=name, numeric=False) for name in ("check", "result", "details")]


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
    checks = _checks(run)
    passed = [_row(check) for check in checks if check.get("status") == "pass"]
    skipped = [_row(check) for check in checks if check.get("status") == "skipped"]
    others = [_row(check) for check in checks if check.get("status") not in ("pass", "skipped")]
    blocks: list[Block] = []
    if others:
        blocks.append(Table(caption="Checks that did not pass", columns=_COLUMNS, rows=others, cards=True))
    if passed:
        count = f"{len(passed)} check{'s' * (len(passed) > 1)} passed"
        blocks.append(Table(caption=count, columns=_COLUMNS, rows=passed, cards=True, folded=True))
    if skipped:
        count = f"{len(skipped)} check{'s were' if len(skipped) > 1 else ' was'} skipped"
        blocks.append(Table(caption=count, columns=_COLUMNS, rows=skipped, cards=True, folded=True))
    text = (
        f"{len(passed)} of {len(checks)} checks passed. They look for leaks and other mistakes that make scores too "
        "optimistic."
    )
    return Section(key="checks", title="Checks", summary=text, blocks=blocks, findings=_findings(checks))


def summary(run: LoadedRun) -> str:
    """How many checks passed, were skipped, warned and failed.

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    str
        Empty where the record has no checks.
    """
    statuses = [check.get("status") for check in _checks(run)]
    words = {"pass": "passed", "skipped": "skipped", "warn": "warned", "fail": "failed"}
    return ", ".join(f"{count} {words[name]}" for name in _STATUS if (count := statuses.count(name)))


def _checks(run: LoadedRun) -> list[dict[str, Any]]:
    return [check if isinstance(check, dict) else {} for check in run.items("checks")]


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
