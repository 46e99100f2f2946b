"""What a study finds, and the folder it is written to: a page, its tables as CSV, its pictures as PNG and SVG."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kpipe.errors import OutputError
from kpipe.runs.provenance import versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Findings", "Section", "as_json", "cell", "save", "shown", "writable"]

_LONG = 40  # rows; a longer table is for a program to read: the page names its file


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a study.

    text : paragraphs of Markdown.
    tables, figures, files : name of the file without its ending (of ``files`` with it) → what it holds. A figure's
        suptitle is the answer that it gives, and its description for those who cannot see it.
    """

    heading: str
    text: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study's result.

    source : the notebook. data : what it was trained on, in words. sample : whether that is no data of Kaggle's.
    notice : what a reader must know first; empty for a full study.
    """

    title: str
    source: str
    data: str
    sections: tuple[Section, ...]
    sample: bool = False
    name: str = ""
    notice: str = ""
    seconds: float = 0.0


def as_json(found: Findings) -> str:
    """Every number of a study, as JSON; a number that is not finite is null."""
    sections = [
        {
            "heading": section.heading,
            "text": section.text,
            "tables": {name: _records(table) for name, table in section.tables.items()},
            "figures": sorted(section.figures),
        }
        for section in found.sections
    ]
    head = {"study": found.name, "title": found.title, "source": found.source, "data": found.data}
    rest = {
        "sample": found.sample,
        "notice": found.notice,
        "seconds": round(found.seconds, 3),
        "versions": versions(),
        "sections": sections,
    }
    return json.dumps({**head, **rest}, indent=2, allow_nan=False) + "\n"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=12))
    return records


def writable(folder: Path) -> None:
    """Make the folder. Raises OutputError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"The study cannot be written to {folder}: {error.strerror}. Choose another --out.")


def save(found: Findings, folder: Path) -> None:
    """Write ``README.md``, ``study.json``, a CSV per table, a PNG and an SVG per figure.

    Raises OutputError where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for section in found.sections:
            for name, table in section.tables.items():
                table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")
            for name, figure in section.figures.items():
                # no date and no random ids: the same study gives the same bytes
                figure.savefig(folder / f"{name}.png", dpi=130, metadata={"Software": None})
                figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
            for name, content in section.files.items():
                (folder / name).write_bytes(content)
        (folder / "study.json").write_text(as_json(found), encoding="utf-8")
        (folder / "README.md").write_text("\n".join(_page(found)), encoding="utf-8")
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _page(found: Findings) -> Iterator[str]:
    yield from (f"# {found.title}", "", f"After {found.source}", "")
    yield from (f"Made by `kpipe study {found.name}` in {found.seconds:.0f} s from {found.data}.", "")
    if found.notice:
        yield from (f"**{found.notice}**", "")
    for section in found.sections:
        yield from (f"## {section.heading}", "", section.text.strip(), "")
        for name, figure in section.figures.items():
            words = " ".join(figure.get_suptitle().split())
            yield from (f"![{words}]({name}.png)", "", f"([SVG]({name}.svg))", "")
        for name in section.files:
            yield from ((f"![{name}]({name})" if name.endswith(".gif") else f"The file `{name}` is written too."), "")
        for name, table in section.tables.items():
            yield from _markdown(name, table)


def _markdown(name: str, table: pd.DataFrame) -> Iterator[str]:
    if not shown(table):
        yield from (f"`{name}.csv` has {len(table):,} rows: {', '.join(table.columns)}.", "")
        return
    sides = ["---:" if pd.api.types.is_numeric_dtype(dtype) else "---" for dtype in table.dtypes]
    yield from (f"| {' | '.join(table.columns)} |", f"| {' | '.join(sides)} |")
    for row in table.itertuples(index=False):
        yield f"| {' | '.join(cell(value) for value in row)} |"
    yield from ("", f"([CSV]({name}.csv))", "")


def shown(table: pd.DataFrame) -> bool:
    """Whether a table is short enough to be read as it is."""
    return len(table) <= _LONG


def cell(value: Any) -> str:
    """A table's cell for people: four decimals, fewer where they say nothing; empty for what is missing.

    >>> [cell(value) for value in (0.82584, 13.8941, 28123.4, 2.4e-7, 100.0, 7, float("nan"), "deep")]
    ['0.8258', '13.8941', '28,123', '2.4e-07', '100', '7', '', 'deep']
    """
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, float):
        size = abs(value)
        return format(value, ".1e" if 0 < size < 5e-5 else ",.0f" if size >= 1000 or value.is_integer() else ".4f")
    return format(value, ",") if isinstance(value, int) else str(value)
