"""Decide which of two labels a single probability refers to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["positive_class"]

_POSITIVE = ("1", "1.0", "true", "yes", "y", "t", "positive", "present")


def positive_class(labels: Iterable[object], names: Sequence[str]) -> int:
    """Return the code of the positive class, whose probability a submission with a single column contains.

    Parameters
    ----------
    labels : iterable
        The two labels, in the order of their codes.
    names : sequence of str
        Names of the target and of the submission's column; a label with such a name is positive.

    Returns
    -------
    int
        The code of the label that means yes (1, true, yes and the like, or one of ``names``); 1 if neither label does,
        or both do.

    Examples
    --------
    >>> positive_class(["churn", "stay"], ("churn",)), positive_class([0, 1], ("y",))
    (0, 1)
    """
    positive = {*_POSITIVE, *(name.lower() for name in names)}
    found = [code for code, label in enumerate(labels) if str(label).strip().lower() in positive]
    return found[0] if len(found) == 1 else 1
