"""Names that users give to runs, and words that stand for a run: "last" and "best"."""

from __future__ import annotations

import re

from kpipe.errors import UsageError

__all__ = ["BEST", "LAST", "check_run_name"]

LAST, BEST = "last", "best"

_NAME = re.compile(r"\w[\w .,+=()-]{0,59}")


def check_run_name(name: str) -> None:
    """Raise an error unless a run can have this name.

    Parameters
    ----------
    name : str

    Raises
    ------
    UsageError
        If the name is "last" or "best", is longer than 60 characters, does not begin with a letter or digit, or
        contains characters other than letters, digits, blanks and ``_.,+=()-``.

    Examples
    --------
    >>> check_run_name("lr-with-titles")
    """
    if name in (LAST, BEST):
        raise UsageError(
            f"{name!r} cannot be the name of a run: it stands for the {name} run of a competition. "
            "Choose another name.",
            code="invalid-run-name",
        )
    if not _NAME.fullmatch(name) or name != name.strip():
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a run: names have up to 60 letters, digits, blanks and _.,+=()-, and "
            "begin with a letter or digit. A longer text can be its --note.",
            code="invalid-run-name",
        )
