"""A study: its progress, its text and its tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import SAMPLE_WARNING, get_console, print_table
from kpipe.studies.result import StudyResult, format_cell, is_short

__all__ = ["print_study", "study_progress"]


def study_progress(name: str) -> Callable[[str], None]:
    """Return a function that prints what a study is doing, to stderr.

    Parameters
    ----------
    name : str
        The study.

    Returns
    -------
    callable
        Takes a line of text.
    """
    console = get_console(stderr=True)
    return lambda line: console.print(f"{name}: {line}", markup=False)


def print_study(result: StudyResult, folder: Path) -> None:
    """Print the text and tables of a study, and where its files are, to stdout.

    Parameters
    ----------
    result : StudyResult
        What the study found.
    folder : Path
        The folder of its page, tables and plots.
    """
    console = get_console()
    source = f"\nAfter {result.source}. Trained on {result.data}."
    console.print(Text.assemble((result.title, "bold"), source))
    if result.notice:
        console.print(Text(result.notice, style="bold yellow"))
    for section in result.sections:
        console.print(Text(f"\n{section.heading}", style="bold"))
        console.print(Text(section.text))
        for name, frame in section.tables.items():
            if is_short(frame):
                print_table(console, _table(name, frame))
    done = f"\nFinished in {result.seconds:.0f} s. Page, tables and plots: "
    console.print(Text.assemble(done, (str(folder), "bold")), soft_wrap=True)
    if result.sample:
        console.print(SAMPLE_WARNING, style="bold yellow")


def _table(name: str, frame: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=name, title_justify="left")
    for column, dtype in frame.dtypes.items():
        table.add_column(str(column), justify="right" if pd.api.types.is_numeric_dtype(dtype) else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(format_cell(value)) for value in row))
    return table
