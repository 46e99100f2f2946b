"""The result of a study, and the folder that it is written to: a page, tables as CSV, and plots as PNG and SVG."""

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

__all__ = ["StudyResult", "StudySection", "as_json", "check_writable", "format_cell", "is_short", "save"]

_LONGEST_TABLE = 40  # rows; of a longer table the page gives only the name of the file


@dataclass(frozen=True, kw_only=True)
class StudySection:
    """A section of a study's page.

    Parameters
    ----------
    heading : str
        The title.
    text : str
        Paragraphs of Markdown.
    tables : mapping of str to DataFrame
        By the name of the file without its ending.
    figures : mapping of str to Figure
        By the name of the file without its ending. The figure's suptitle is its description for readers who cannot
        see it.
    files : mapping of str to bytes
        Further files, by their names.
    """

    heading: str
    text: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """The result of a study.

    Parameters
    ----------
    title : str
        The title of the page.
    source : str
        The notebook that the study reproduces.
    data : str
        The training data, in words.
    sections : tuple of StudySection
        The content of the page.
    sample : bool
        Whether the data is the embedded sample instead of Kaggle's.
    name : str
        The name of the study on the command line.
    notice : str
        A warning above the first section; empty for a full study.
    seconds : float
        How long the study took.
    """

    title: str
    source: str
    data: str
    sections: tuple[StudySection, ...]
    sample: bool = False
    name: str = ""
    notice: str = ""
    seconds: float = 0.0


def as_json(result: StudyResult) -> str:
    """All texts and numbers of a study as JSON.

    Parameters
    ----------
    result : StudyResult
        The study.

    Returns
    -------
    str
        Numbers that are not finite are null.
    """
    sections = [
        {
            "heading": section.heading,
            "text": section.text,
            "tables": {name: _records(table) for name, table in section.tables.items()},
            "figures": sorted(section.figures),
        }
        for section in result.sections
    ]
    content = {
        "study": result.name,
        "title": result.title,
        "source": result.source,
        "data": result.data,
        "sample": result.sample,
        "notice": result.notice,
        "seconds": round(result.seconds, 3),
        "versions": versions(),
        "sections": sections,
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=12))
    return records


def check_writable(folder: Path) -> None:
    """Make a folder and check that files can be written to it.

    Parameters
    ----------
    folder : Path
        The folder.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"The study cannot be written to {folder}: {error.strerror}. Choose another --out.", code="cannot-write"
    )


def save(result: StudyResult, folder: Path) -> None:
    """Write ``README.md``, ``study.json``, a CSV for each table, and a PNG and an SVG for each figure.

    Parameters
    ----------
    result : StudyResult
        The study.
    folder : Path
        The folder, which is made if it does not exist.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for section in result.sections:
            _save_section(section, folder)
        (folder / "study.json").write_text(as_json(result), encoding="utf-8")
        (folder / "README.md").write_text("\n".join(_page(result)), encoding="utf-8")
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _save_section(section: StudySection, folder: Path) -> None:
    for name, table in section.tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")
    for name, figure in section.figures.items():
        # Without dates and random ids, the same study gives the same bytes.
        figure.savefig(folder / f"{name}.png", dpi=130, metadata={"Software": None})
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    for name, content in section.files.items():
        (folder / name).write_bytes(content)


def _page(result: StudyResult) -> Iterator[str]:
    yield from (f"# {result.title}", "", f"After {result.source}", "")
    yield from (f"Made by `kpipe study {result.name}` in {result.seconds:.0f} s from {result.data}.", "")
    if result.notice:
        yield from (f"**{result.notice}**", "")
    for section in result.sections:
        yield from _page_section(section)


def _page_section(section: StudySection) -> Iterator[str]:
    yield from (f"## {section.heading}", "", section.text.strip(), "")
    for name, figure in section.figures.items():
        description = " ".join(figure.get_suptitle().split())
        yield from (f"![{description}]({name}.png)", "", f"([SVG]({name}.svg))", "")
    for name in section.files:
        yield from ((f"![{name}]({name})" if name.endswith(".gif") else f"The file `{name}` is written too."), "")
    for name, table in section.tables.items():
        yield from _page_table(name, table)


def _page_table(name: str, table: pd.DataFrame) -> Iterator[str]:
    if not is_short(table):
        yield from (f"`{name}.csv` has {len(table):,} rows: {', '.join(table.columns)}.", "")
        return
    sides = ["---:" if pd.api.types.is_numeric_dtype(dtype) else "---" for dtype in table.dtypes]
    yield from (f"| {' | '.join(table.columns)} |", f"| {' | '.join(sides)} |")
    for row in table.itertuples(index=False):
        yield f"| {' | '.join(format_cell(value) for value in row)} |"
    yield from ("", f"([CSV]({name}.csv))", "")


def is_short(table: pd.DataFrame) -> bool:
    """Whether a table is short enough to be shown.

    Parameters
    ----------
    table : DataFrame
        The table.

    Returns
    -------
    bool
    """
    return len(table) <= _LONGEST_TABLE


def format_cell(value: Any) -> str:
    """A table cell as text: at most four decimals, empty for a missing value.

    Parameters
    ----------
    value : Any
        A number, a text or None.

    Returns
    -------
    str

    Examples
    --------
    >>> [format_cell(value) for value in (0.82584, 13.8941, 28123.4, 2.4e-7, 100.0, 7, float("nan"), "deep")]
    ['0.8258', '13.8941', '28,123', '2.4e-07', '100', '7', '', 'deep']
    """
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, float):
        size = abs(value)
        return format(value, ".1e" if 0 < size < 5e-5 else ",.0f" if size >= 1000 or value.is_integer() else ".4f")
    return format(value, ",") if isinstance(value, int) else str(value)
