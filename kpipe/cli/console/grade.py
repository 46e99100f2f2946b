"""The score of a submission on answers."""

from __future__ import annotations

from kpipe.cli.console.layout import get_console
from kpipe.cli.json_output import print_json
from kpipe.errors import printable
from kpipe.grading.grade import Grade

__all__ = ["print_grade"]


def print_grade(grade: Grade, *, json: bool) -> None:
    """Print a grade to stdout, and its notes to stderr.

    Parameters
    ----------
    grade : Grade
    json : bool
        Print JSON.
    """
    if json:
        print_json(grade.to_json())
    for sentence in () if json else grade.sentences():
        get_console().print(printable(sentence), markup=False)
    for note in grade.notes:
        get_console(stderr=True).print(printable(note), style="yellow", markup=False)
