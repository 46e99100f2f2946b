"""Beside the score: the submission, the checks, the folds, and what the run was made of."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Picture,
    Section,
    Table,
    Text,
    compact,
    number,
    share,
    short,
    text,
)
from kpipe.report.drawing import histogram
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["check_findings", "checks", "configuration", "folds", "submission"]

_SHOWN = 6  # columns of a submission that are drawn
_STATUS = {"pass": "pass", "warn": "warn", "fail": "fail"}
_TITLE = "Submission against train"


def submission(facts: LoadedRun, judged: OofPredictions) -> Section:
    """What is predicted for the test rows, beside what train holds and what was predicted for its rows."""
    blocks: list[Block] = []
    if judged.labels is not None and facts.metric is not None and facts.metric.needs == "label":
        blocks += _labels(facts, judged, judged.labels)
    elif facts.test is not None:
        blocks += _numbers(facts, judged, facts.test)
    rows = 0 if facts.submission is None else len(facts.submission)
    lead = (
        f"submission.csv has {rows:,} rows. Test rows drawn like train's should be predicted to look like train's; "
        "where they do not, test is another kind of data, or something went wrong on the way."
    )
    if not blocks:
        blocks.append(Text(text="The predictions for the test rows are not in the run's folder."))
    return Section(key="submission", title=_TITLE, lead=lead, blocks=blocks)


def _labels(facts: LoadedRun, judged: OofPredictions, labels: tuple[str, ...]) -> list[Block]:
    true = np.bincount(judged.y, minlength=len(labels)) / max(len(judged.y), 1)
    made = judged.blend[judged.made].argmax(axis=1)
    oof = np.bincount(made, minlength=len(labels)) / max(len(made), 1)
    if facts.test is None:
        return []
    kept = facts.test[~np.isnan(facts.test).any(axis=1)]
    test = np.bincount(kept.argmax(axis=1), minlength=len(labels)) / max(len(kept), 1)
    rows = [
        [Cell(shown=short(label)), *(Cell(shown=share(p), value=p, bar=round(20 * p) * 5) for p in parts)]
        for label, *parts in zip(labels, true.tolist(), oof.tolist(), test.tolist(), strict=True)
    ]
    columns = [
        Column(name="class", numeric=False),
        Column(name="train", why="the truth"),
        Column(name="out-of-fold", why="predicted for train's rows"),
        Column(name="submission", why="predicted for test's rows"),
    ]
    return [Table(caption="Share of each class", columns=columns, rows=rows)]


def _numbers(facts: LoadedRun, judged: OofPredictions, test: np.ndarray) -> list[Block]:
    names = judged.labels or judged.targets
    places = range(len(names)) if len(names) != 2 or judged.labels is None else range(1, 2)
    made = judged.blend[judged.made]
    blocks: list[Block] = []
    rows = []
    for place in places:
        truth = _truth(judged, place)
        oof, sent = made[:, place], test[:, place][~np.isnan(test[:, place])]
        if len(blocks) < _SHOWN and len(sent) and len(oof):
            blocks.append(_drawn(str(names[place]), truth, oof, sent, chance=judged.labels is not None))
        parts = [float(part.mean()) if len(part) else None for part in (truth, oof, sent)]
        rows.append([Cell(shown=short(names[place])), *(number(p and float(f"{p:.5g}")) for p in parts)])
    columns = [
        Column(name="class" if judged.labels else "target", numeric=False),
        Column(name="train", why="the truth; of a class, its share"),
        Column(name="out-of-fold", why="predicted for train's rows"),
        Column(name="submission", why="predicted for test's rows"),
    ]
    return [*blocks, Table(caption="Means", columns=columns, rows=rows)]


def _truth(judged: OofPredictions, place: int) -> np.ndarray:
    if judged.labels is not None:
        return (judged.y == place).astype(float)
    return judged.y[:, place] if judged.y.ndim > 1 else judged.y.astype(float)


def _drawn(name: str, truth: np.ndarray, oof: np.ndarray, sent: np.ndarray, *, chance: bool) -> Picture:
    values = {"submission": sent, "out-of-fold": oof} | ({} if chance else {"train's truth": truth})
    both = np.concatenate(list(values.values()))
    low, high = np.quantile(both, [0.002, 0.998])
    positive = low > 0 and high / low > 50 and not chance
    edges = np.geomspace(low, high, 31) if positive else np.linspace(low, high if high > low else low + 1, 31)

    def paint(ax: object) -> None:
        histogram(ax, values, edges=edges)  # type: ignore[arg-type]  # matplotlib's Axes
        if positive:
            ax.set_xscale("log")  # type: ignore[attr-defined]
        ax.set_xlabel(f"chance of {short(name, 24)}" if chance else short(name, 40))  # type: ignore[attr-defined]

    told = ", ".join(f"{key} {compact(float(f'{np.median(value):.4g}'))}" for key, value in values.items())
    what = "Chances" if chance else "Values"
    return Picture(
        paint=paint,
        name="submission",
        of=name,
        alt=f"{what} of {short(name)}; medians: {told}.",
        caption=f"{what} of {short(name, 40)} predicted for test's rows and for train's. Medians: {told}.",
        height=2.8,
    )


def checks(facts: LoadedRun) -> Section:
    """Every check with what it found."""
    rows, passed = [], 0
    for check in facts.items("checks"):
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


def check_findings(facts: LoadedRun) -> list[Finding]:
    """Checks that did not pass, guesses, and sample data."""
    found = []
    if facts.text("data", "origin") == "sample":
        text = (
            "Trained on the sample that comes with kpipe, not on Kaggle's data: no score here means anything on Kaggle."
        )
        found.append(Finding(level="warn", text=text, section="configuration"))
    for check in facts.items("checks"):
        status = check.get("status") if isinstance(check, dict) else None
        if status in ("warn", "fail"):
            text = f"{short(check.get('name'), 60)}: {short(check.get('detail'), 400)}"
            found.append(Finding(level="bad" if status == "fail" else "warn", text=text, section="checks"))
    for name, reason in facts.mapping("inferred").items():
        if (told := str(reason)).startswith("a guess"):
            text = f"{short(name, 40)} is {short(told, 300)}."
            found.append(Finding(level="note", text=text, section="configuration"))
    return found


def folds(facts: LoadedRun, judged: OofPredictions | None) -> Section:
    """What each fold trained on and was judged on."""
    lead = "Which rows trained and which were predicted, in each fold. Rows in neither were not used there."
    key, title = "folds", "Folds"
    if facts.folds is None:
        return Section(key=key, title=title, lead=lead, blocks=[Text(text="The folds are not in the run's folder.")])
    frame = facts.folds
    total = len(judged.y) if judged is not None else None
    target = _targets_of_rows(judged)
    rows = []
    for fold in sorted(frame["fold"].unique())[:100]:
        part = frame[frame["fold"] == fold]
        train = part.loc[part["role"].astype(str) == "train", "row"].to_numpy()
        valid = part.loc[part["role"].astype(str) != "train", "row"].to_numpy()
        row = [Cell(shown=short(_counted(fold)), value=_place(fold)), number(len(train)), number(len(valid))]
        row.append(number(None if total is None else total - len(train) - len(valid)))
        if target is not None:
            row += [number(_mean_of(target[1], rows_)) for rows_ in (train, valid)]
        rows.append(row)
    columns = [Column(name="fold"), Column(name="training rows"), Column(name="validation rows"), Column(name="unused")]
    if target is not None:
        columns += [Column(name=f"{target[0]}, training"), Column(name=f"{target[0]}, validation")]
    reason = facts.text("inferred", "splitter")
    blocks: list[Block] = [Table(caption="Folds", columns=columns, rows=rows)]
    blocks += [Text(text=f"The folds were chosen by kpipe: {short(reason, 300)}.")] if reason else []
    return Section(key=key, title=title, lead=lead, blocks=blocks, open=False)


def _counted(fold: object) -> object:
    return int(fold) + 1 if isinstance(fold, int | np.integer) else fold


def _place(fold: object) -> float | None:
    return float(fold) if isinstance(fold, int | float | np.number) else None


def _targets_of_rows(judged: OofPredictions | None) -> tuple[str, pd.Series] | None:
    """What to compare folds by: the mean of the target, or the share of the most frequent class; by row of train."""
    if judged is None or judged.y.ndim > 1:
        return None
    if judged.labels is None:
        return "mean target", pd.Series(judged.y, index=judged.rows)
    code = int(np.bincount(judged.y).argmax())
    return f"share of {short(judged.labels[code], 20)}", pd.Series(judged.y == code, index=judged.rows).astype(float)


def _mean_of(values: pd.Series, rows: np.ndarray) -> float | None:
    found = values.reindex(rows).dropna()
    return float(f"{found.mean():.4g}") if len(found) else None


def configuration(facts: LoadedRun) -> Section:
    """What would be needed to make the run again."""
    record = facts.record
    shown = {
        "run": facts.text("run_id"),
        "made": facts.text("created"),
        "command": " ".join(map(str, facts.items("command"))) or "from Python",
        "data": f"{facts.text('data', 'origin')}: {facts.text('data', 'path')}",
        "rows": ", ".join(f"{name} {count}" for name, count in facts.mapping("data", "rows").items()),
        "target": ", ".join(facts.targets),
        "id": facts.text("id"),
        "task": facts.text("task"),
        "seeds": ", ".join(map(str, facts.items("seed"))),
        "device": facts.text("device"),
        "seconds": facts.text("seconds"),
        "peak memory, MiB": facts.text("peak_memory_mib"),
        "submission, sha256": facts.text("submission", "sha256"),
    }
    known = set(shown) | {"schema", "run_id", "slug", "created", "status", "metric", "inferred", "models", "left_out"}
    known |= {"score", "standard_error", "rows", "fold_scores", "baseline", "baseline_standard_error", "baseline_name"}
    known |= {"checks", "submission", "seed", "folds", "peak_memory_mib", "versions"}
    shown |= {name: _said(value) for name, value in record.items() if name not in known and value not in (None, [], {})}
    blocks: list[Block] = [_pairs("How it was made", shown, ("what", "value"))]
    if reasons := facts.mapping("inferred"):
        blocks.append(_pairs("What the files were taken to mean", reasons, ("field", "why")))
    if files := facts.mapping("data", "files"):
        blocks.append(_pairs("Files, by their content", files, ("file", "sha256")))
    if found := facts.mapping("versions"):
        blocks.append(_pairs("Versions", found, ("package", "version")))
    lead = "The same data, options, code and versions give the same run again."
    return Section(key="configuration", title="Configuration", lead=lead, blocks=blocks, open=False)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _pairs(caption: str, pairs: dict[str, object] | dict[str, str], names: tuple[str, str]) -> Table:
    rows: Iterable[list[Cell]] = (
        [*text([_spaced(name)]), Cell(shown=short(value, 600))] for name, value in pairs.items() if value != ""
    )
    columns = [Column(name=name, numeric=False) for name in names]
    return Table(caption=caption, columns=columns, rows=list(rows), sortable=False)


def _spaced(name: object) -> str:
    return re.sub(r"_", " ", str(name)) if isinstance(name, str) and name.islower() and "." not in name else str(name)
