"""Call a competition's ``clean``, and explain failures and invalid results."""

from __future__ import annotations

import traceback

import pandas as pd

from kpipe.core.values import Tables
from kpipe.errors import KpipeError, UsageError
from kpipe.problem import competition as competition_module
from kpipe.problem.competition import Competition

__all__ = ["clean_tables"]


def clean_tables(competition: Competition, tables: Tables) -> Tables:
    """Return the tables after the competition's ``clean``.

    Parameters
    ----------
    competition : Competition
    tables : Tables

    Returns
    -------
    Tables

    Raises
    ------
    UsageError
        If ``clean`` fails or returns something else.
    """
    try:
        cleaned = competition.clean(tables)
    except (KpipeError, MemoryError):
        raise
    except Exception as error:
        raise _clean_error(competition, error) from error
    if not isinstance(cleaned, Tables):
        raise _result_error(competition, "Tables, such as dataclasses.replace(tables, train=..., test=...)", cleaned)
    for frame in (cleaned.train, cleaned.test):
        if not isinstance(frame, pd.DataFrame):
            raise _result_error(competition, "a DataFrame for train and one for test", frame)
    return cleaned


def _clean_error(competition: Competition, error: Exception) -> UsageError:
    """The error for a ``clean`` that fails, with the line of the author's file that failed."""
    ours = (__file__, competition_module.__file__)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in ours]
    lines = [frame.lineno for frame in frames if frame.filename == frames[0].filename]
    place = f"{frames[0].filename}, line {lines[-1]}" if frames else f"The clean of {competition.slug}"
    message = f"{place}: {type(error).__name__}: {str(error).rstrip('.')}."
    if isinstance(error, AttributeError | TypeError) and "'Tables' object" in message:
        message += " clean gets all tables: for a function of a single frame, write clean=row_by_row(function)."
    return UsageError(message, code="broken-module")


def _result_error(competition: Competition, must: str, got: object) -> UsageError:
    what = "None (is a return missing?)" if got is None else f"a {type(got).__name__}"
    hint = " For a function of a single frame: clean=row_by_row(function)." if isinstance(got, pd.DataFrame) else ""
    return UsageError(f"The clean of {competition.slug} must return {must}; got {what}.{hint}", code="broken-module")
