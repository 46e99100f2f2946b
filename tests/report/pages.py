"""Helpers of the tests of the report: pages, runs that are made by hand, and hostile text."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpipe.report import write
from kpipe.report.blocks import Section
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.run import Run

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{7*7}} $x_{'


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def is_safe(page: Page) -> bool:
    """One script and one style, ours; no handler, no style attribute, nothing from outside."""
    names = [name for _, attributes in page.tags for name in attributes]
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("href", "src")]
    return (
        len(page.named("script")) == len(page.named("style")) == 1
        and not [name for name in names if name.startswith("on") or name == "style"]
        and all(link is not None and link.startswith(("#", "data:image/png;base64,")) for link in links)
    )


def changed(folder: Path, **fields: Any) -> Run:
    record = json.loads((folder / "run.json").read_text(encoding="utf-8")) | fields
    return Run(path=folder, record=record)  # past the command's own look at the record


def by_hand(folder: Path, *, target: str | list[str], metric: str, oof: dict[str, Any], test: dict[str, Any]) -> Run:
    """A run folder as ``kpipe.run`` writes it, of predictions that nobody trained."""
    rows, test_rows = (len(next(iter(columns.values()))) for columns in (oof, test))
    pd.DataFrame({"row": np.arange(rows), **oof}).to_parquet(folder / "oof.parquet")
    pd.DataFrame({"row": np.arange(test_rows), **test}).to_parquet(folder / "test.parquet")
    halves = [(fold, row, "valid" if row % 2 == fold else "train") for fold in (0, 1) for row in range(rows)]
    pd.DataFrame(halves, columns=["fold", "row", "role"]).to_parquet(folder / "folds.parquet")
    pd.DataFrame({"id": range(test_rows)}).to_csv(folder / "submission.csv", index=False)
    record = {
        "schema": 1,
        "run_id": "by-hand",
        "slug": "made-by-hand",
        "target": target,
        "metric": {"name": metric, "greater_is_better": metric not in ("rmse", "log_loss")},
        "score": 0.5,
        "standard_error": 0.1,
        "baseline": 0.1,
        "models": [{"name": "linear", "score": 0.5, "fold_scores": [0.4, 0.6], "weight": 1.0, "seconds": 1.0}],
    }
    return Run(path=folder, record=record)


def page_of(run: Run, **options: Any) -> Page:
    return Page(write(run, **{"budget": 0.0, **options}).read_text(encoding="utf-8"))


def loaded_regression(folder: Path, **fields: Any) -> LoadedRun:
    """A regression whose score is 0.5 and whose baseline is 0.1, greater being better."""
    oof = {"y": np.array([0.0, 1.0]), "blend": np.array([0.1, 0.9])}
    run = by_hand(folder, target="y", metric="r2", oof=oof, test={"blend": np.array([0.5])})
    return load_run(Run(path=folder, record={**run.record, **fields}))


def findings(section: Section) -> list[tuple[str, str]]:
    """The levels and texts of a section's findings."""
    return [(found.level, found.text) for found in section.findings]
