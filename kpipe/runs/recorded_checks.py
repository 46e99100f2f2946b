"""Convert checks that earlier versions of kpipe wrote to ``run.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["RENAMED", "current_check", "current_check_name"]

RENAMED = {
    "clean, row by row": "clean is row-wise",
    "target kept": "target unchanged by clean",
    "folds apart": "training and validation rows disjoint",
    "groups whole": "groups kept together",
    "time goes forward": "validation after training",
    "copies apart": "duplicates across folds",
    "near-copies apart": "near-duplicates across folds",
    "target hidden": "target leakage",
    "order blind": "row-order leakage",
    "columns in order": "column alignment",
    "levels seen": "unseen categories",
    "gaps alike": "missingness shift",
    "folds mirror test": "group overlap matches test",
    "train and test alike": "adversarial validation",
    "metric prefers the truth": "metric direction",
    "beats the baseline": "better than the baseline",
    "models learn": "models better than the baseline",
    "predictions vary": "constant predictions",
    "one prediction for most": "collapsed predictions",
    "rows on their own": "batch dependence",
    "classes trained": "classes in training rows",
    "postprocess is blind": "postprocess leakage",
    "models train": "fits succeed",
    "choices made apart": "thresholds and weights cross-fitted",
    "held-out rows have no say": "validation rows leak into fitting",
    "same seed, same predictions": "reproducible fits",
    "nothing learnt from noise": "shuffled-target test",
}

_SKIPPED = ("Skipped: ", "Not checked: ")  # how the text of a check began that was skipped


def current_check_name(name: str) -> str:
    """The current name of a check.

    Parameters
    ----------
    name : str
        As a run's record has it.

    Returns
    -------
    str
        The same where the check was not renamed.

    Examples
    --------
    >>> current_check_name("copies apart"), current_check_name("real data")
    ('duplicates across folds', 'real data')
    """
    return RENAMED.get(name, name)


def current_check(check: Mapping[str, Any]) -> dict[str, Any]:
    """A check with its current name and status.

    Parameters
    ----------
    check : mapping
        ``name``, ``status`` and ``detail``, as a run's record has them. Earlier versions gave a skipped one "pass".

    Returns
    -------
    dict

    Examples
    --------
    >>> current_check({"name": "levels seen", "status": "pass", "detail": "Skipped: no time was left."})["status"]
    'skipped'
    """
    was_skipped = check["status"] == "pass" and check["detail"].startswith(_SKIPPED)
    return {**check, "name": current_check_name(check["name"]), **({"status": "skipped"} if was_skipped else {})}
