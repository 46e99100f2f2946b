"""Unify labels of the target with several spellings: Yes, yes and "No " are two classes."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

__all__ = ["label_key", "labels_to_unify"]

_MAXIMUM = 100  # labels
_PAIRS = {"1": "0", "true": "false", "yes": "no", "y": "n", "t": "f"}
_PAIRS |= {no: yes for yes, no in _PAIRS.items()}
_WORDS = {**dict.fromkeys(("1", "true", "yes", "y", "t"), "yes"), **dict.fromkeys(("0", "false", "no", "n", "f"), "no")}


def label_key(label: object) -> str:
    """A label without differences in case and blanks, and 1 for 1.0.

    Parameters
    ----------
    label : object

    Returns
    -------
    str

    Examples
    --------
    >>> label_key("Not  Sure ") == label_key("not sure")
    True
    """
    return " ".join(str(label).casefold().split()).removesuffix(".0")


def labels_to_unify(target: pd.Series, sample: pd.DataFrame) -> Mapping[str, str]:
    """Find labels that mean the same as another label.

    Labels that differ only in case or blanks mean the same. So do the words for yes and no (True, Y, 1) if there are no
    other labels. Single letters are not unified unless two classes result, and neither are labels that both occur in
    the sample submission.

    Parameters
    ----------
    target : Series
        (n,) the target of train.
    sample : DataFrame
        The sample submission without ids.

    Returns
    -------
    mapping of str to str
        Label → the label that replaces it; empty if all labels differ in meaning.

    Examples
    --------
    >>> target = pd.Series(["Yes", "Yes", "yes", "No", "No", "No "])
    >>> labels_to_unify(target, pd.DataFrame({"y": ["No"]}))
    {'yes': 'Yes', 'No ': 'No'}
    """
    if not pd.api.types.is_string_dtype(target):
        return {}
    counts = target.value_counts()
    labels = [str(label) for label in counts.index]
    if not 2 < len(labels) <= _MAXIMUM:
        return {}
    keys = {label: label_key(label) for label in labels}
    if set(keys.values()) <= _WORDS.keys():
        keys = {label: _WORDS[key] for label, key in keys.items()}
    n_classes = len(set(keys.values()))
    if not 2 <= n_classes < len(labels) or (n_classes > 2 and all(len(key) == 1 for key in keys.values())):
        return {}
    shown = {str(value) for column in sample.columns for value in (column, *sample[column].unique()[:_MAXIMUM])}
    wanted = [label for label in labels if label in shown]
    if len({keys[label] for label in wanted}) < len(wanted):
        return {}
    first, *_ = (*wanted, *labels)
    partner = [label for label in labels if label_key(label) == _PAIRS.get(label_key(first))]  # 0 beside 1, not True
    chosen: dict[str, str] = {}
    for label in (first, *wanted, *partner, *labels):
        chosen.setdefault(keys[label], label)
    return {label: chosen[key] for label, key in keys.items() if chosen[key] != label}
