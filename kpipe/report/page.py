"""A run as one HTML page: ``write``. It loads nothing, sends nothing, and needs no more than the run's folder.

A run's folder is not trusted: everything that comes from it or from the data is escaped, and the page's own security
policy lets no script and no style run but the two that kpipe put there, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from kpipe.core.metrics import Metric
from kpipe.core.values import Tables
from kpipe.data.further_tables import file_hashes
from kpipe.errors import OutputError
from kpipe.problem.competition import Competition
from kpipe.report import (
    checks,
    configuration,
    folds,
    groups,
    importance,
    learning_curves,
    models,
    permutation,
    predictions,
    score,
    submission,
    worst_rows,
)
from kpipe.report import data as data_section
from kpipe.report.blocks import Block, Finding, Section, Text, format_score, format_with_error, plain_text
from kpipe.report.svg import svg
from kpipe.runs.loaded import LoadedRun, OofPredictions, read
from kpipe.runs.provenance import versions
from kpipe.runs.run import Run

__all__ = ["FILE", "Data", "write"]

FILE = "report.html"
_SERIES = 7  # colours of lines
_WORDS = {"good": "good", "note": "note", "warn": "look", "bad": "wrong"}


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a run was made from: its competition, resolved, and its tables.

    raw : train before the competition cleaned it, as people know it.
    """

    competition: Competition
    tables: Tables
    raw: pd.DataFrame


def write(
    run: Run, path: Path | None = None, *, data: Data | None = None, absent: str = "", budget: float = 20.0
) -> Path:
    """Write a run's report, and say where.

    path : default: ``report.html`` in the run's folder.
    data : what the run was made from; without it the pages about rows and columns are left out.
    absent : why there is no data, for the page.
    budget : seconds for training a model again, for the importance of the columns; 0: not at all.
    Raises OutputError where it cannot be written.
    """
    target = path or run.path / FILE
    page = _page(run, data, absent, budget)
    try:
        target.write_bytes(page.encode("utf-8", "replace"))
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror}. Choose another place with --to FILE."
        ) from error
    return target


def _page(run: Run, data: Data | None, absent: str, budget: float) -> str:
    own = data.competition.metric if data is not None and isinstance(data.competition.metric, Metric) else None
    loaded = read(run, metric=own)
    absent = _differs(loaded, data) or absent
    sections, found, left_out = _sections(loaded, None if absent else data, budget)
    if absent:
        left_out.insert(0, f"What needs the data (columns, groups, rows in full, importance): {absent}")
    sections.append(_left_out(loaded, left_out))
    order = {"bad": 0, "warn": 1, "good": 2, "note": 3}
    findings = sorted(found, key=lambda finding: order[finding.level])
    return (
        _environment()
        .get_template("template.html")
        .render(
            **_header(loaded),
            sections=sections,
            findings=findings,
            keys={section.key: section.title for section in sections},
            words=_WORDS,
            **_own_files(),
            version=versions()["kpipe"],
        )
    )


def _differs(loaded: LoadedRun, data: Data | None) -> str:
    """Why data is not what the run was made from; empty where it is, or where there is none."""
    if data is None:
        return ""
    known, now = loaded.mapping("data", "files"), file_hashes(data.tables)
    changed = [name for name in sorted(set(known) | set(now)) if known.get(name) != now.get(name)]
    if changed:
        named = ", ".join(plain_text(name)[:60] for name in changed[:3])
        return f"{data.tables.source.path} does not hold the files that the run was made from ({named} differ)."
    if loaded.oof is not None and len(loaded.oof.y) != len(data.tables.train):
        return "train.csv does not have the rows that the run's predictions are of."
    return ""


def _sections(loaded: LoadedRun, data: Data | None, budget: float) -> tuple[list[Section], list[Finding], list[str]]:
    oof, metric = loaded.oof, loaded.metric
    sections, left_out = [score.section(loaded)], list(loaded.missing)
    found = [*checks.findings(loaded), *score.findings(loaded), *models.findings(loaded)]
    if oof is not None and metric is not None and oof.is_predicted.any():
        sections.append(predictions.section(loaded, oof))
        found += predictions.findings(loaded, oof)
        more, told, why = _rows(loaded, oof, data, budget)
        sections, found, left_out = sections + more, found + told, left_out + why
    sections.append(models.section(loaded))
    if (curves := learning_curves.section(loaded)) is not None:
        sections.append(curves)
    if oof is not None:
        sections.append(submission.section(loaded, oof))
    if data is not None:
        section, told = data_section.data(*_features(data))
        sections.append(section)
        found += told
    sections += [checks.section(loaded), folds.section(loaded, oof), configuration.section(loaded)]
    return sections, found, left_out


def _features(data: Data) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = list(data.competition.columns or ())
    return data.tables.train[names], data.tables.test[names]


def _rows(
    loaded: LoadedRun, oof: OofPredictions, data: Data | None, budget: float
) -> tuple[list[Section], list[Finding], list[str]]:
    """Importance, groups and worst rows: what needs the data, and what can be said without it."""
    if data is None:
        return [worst_rows.section(loaded, oof, frame=None, first=())], [], []
    frame = _features(data)[0].iloc[oof.rows] if _placed(oof) else _features(data)[0]
    sections: list[Section] = []
    found: list[Finding] = []
    left_out: list[str] = []
    names = [str(name) for name in frame.columns]
    known: permutation.Importance | str = "it was not asked for."
    if budget > 0:
        known = permutation.permuted(loaded, oof, data.competition, data.tables, seconds=budget)
    if isinstance(known, str):
        left_out.append(f"Importance of the columns: {known}")
    else:
        sections.append(importance.section(loaded, known))
        found += importance.findings(known)
        names = [line.column for line in known.lines]
    if worst_rows.picture_side(frame) is None:
        section, told = groups.section(loaded, oof, frame)
        sections.append(section)
        found += told
    sections.append(
        worst_rows.section(loaded, oof, **_readable(data, oof, frame, names, ranked=not isinstance(known, str)))
    )
    return sections, found, left_out


def _readable(
    data: Data, oof: OofPredictions, frame: pd.DataFrame, names: list[str], *, ranked: bool
) -> dict[str, Any]:
    """Rows as people know them, and the columns to show first: what the models see, the most important first."""
    known = {*oof.targets, data.competition.id}
    if worst_rows.picture_side(frame) is not None or len(data.raw) != len(frame):
        return {"frame": frame, "first": names, "ranked": ranked}
    raw = data.raw.iloc[oof.rows] if _placed(oof) else data.raw
    raw = raw[[name for name in raw.columns if name not in known]]
    return {
        "frame": raw,
        "first": [*(name for name in names if name in raw), *(c for c in raw if c not in names)],
        "ranked": ranked,
    }


def _placed(oof: OofPredictions) -> bool:
    return bool(len(oof.rows)) and oof.rows.min() >= 0 and oof.rows.max() < len(oof.rows)


def _left_out(loaded: LoadedRun, reasons: Iterable[str]) -> Section:
    lead = "What this page does not show, and why."
    blocks = [Text(text=plain_text(reason)) for reason in reasons]
    return Section(key="left-out", title="Left out", lead=lead, blocks=blocks, open=False)


def _header(loaded: LoadedRun) -> dict[str, Any]:
    own, error = loaded.number("score"), loaded.number("standard_error")
    interval = (
        "" if own is None or error is None else f"{format_score(own - 2 * error)} to {format_score(own + 2 * error)}"
    )
    rows_, total = loaded.number("rows"), loaded.number("data", "rows", "train")
    counted = (
        "unknown rows"
        if rows_ is None
        else f"{rows_:,.0f} rows"
        if total is None
        else f"{rows_:,.0f} of {total:,.0f} rows"
    )
    return {
        "slug": loaded.text("slug"),
        "run_id": loaded.text("run_id") or loaded.path.name,
        "metric": loaded.text("metric", "name", default="unknown metric"),
        "direction": "higher is better" if loaded.greater_is_better else "lower is better",
        "shown_score": format_score(own),
        "shown_error": format_score(error, own),
        "baseline": format_with_error(loaded.number("baseline"), loaded.number("baseline_standard_error")),
        "baseline_name": loaded.text("baseline_name"),
        "interval": interval,
        "judged_on": f"{counted}, {loaded.text('folds', default='?')} folds",
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kpipe", "report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"grouped": _grouped, "svg": svg}
    return environment


def _grouped(blocks: Iterable[Block]) -> list[tuple[str, list[Any]]]:
    """Blocks of one kind together, so that pictures stand side by side; others with their number."""
    numbered = enumerate(blocks)
    runs = [(kind, list(part)) for kind, part in groupby(numbered, key=lambda pair: type(pair[1]).__name__)]
    return [(kind, [block for _, block in part] if kind == "Picture" else part) for kind, part in runs]


@cache
def _own_files() -> dict[str, Any]:
    """Our style and script, and the policy that lets nothing else run."""
    folder = resources.files("kpipe.report")
    style = (folder / "style.css").read_text(encoding="utf-8") + _graded()
    script = (folder / "script.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}


def _graded() -> str:
    """The rules that come in steps: colours of lines, of cells, and the lengths of bars."""
    rules = [f".{how}-s{n}{{{how}:var(--s{n})}}" for n in range(_SERIES) for how in ("fill", "stroke")]
    rules += [f".l{n}{{background:color-mix(in srgb,var(--accent) {5 * n}%,transparent)}}" for n in range(10)]
    rules += [
        f".b{n}{{background:linear-gradient(to right,var(--tint) {n}%,transparent {n}%)}}" for n in range(0, 101, 5)
    ]
    return "\n".join(rules) + "\n"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
