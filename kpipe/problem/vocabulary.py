"""Spell the labels of train as the sample submission does: 1 for Yes, ``<=50K`` without a leading blank."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from kpipe.problem.positive import positive_class

__all__ = [
    "labels_alike",
    "labels_meet",
    "labels_of_sample",
    "labels_per_row",
    "plain_spelling",
    "words_of_combinations",
]

# Pairs of words for no and yes; each is also tried in upper case and capitalised.
_PAIRS = (
    ("0", "1"),
    ("no", "yes"),
    ("n", "y"),
    ("false", "true"),
    ("f", "t"),
    ("negative", "positive"),
    ("absent", "present"),
    ("-1", "1"),
)
_NOT = ("no ", "no_", "no-", "not ", "not_", "not-", "non ", "non_", "non-")
_CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.capitalize, str.title)
_SEPARATORS = ("", " ", "_", "-")  # of words; "" leaves them as they are
_SAME_LABELS = {"true": "1", "false": "0"}
_RANKED = 0.5  # of a sample submission's rows have several words if it ranks labels
# Cyrillic letters that look like Latin ones.
_CYRILLIC = [0x410, 0x412, 0x421, 0x415, 0x41D, 0x406, 0x41A, 0x41C, 0x41E, 0x420, 0x422, 0x425]
_CYRILLIC += [0x430, 0x435, 0x456, 0x43E, 0x440, 0x441, 0x443, 0x445]
_LOOK_ALIKE = dict(zip(_CYRILLIC, "ABCEHIKMOPTXaeiopcyx", strict=True))


def labels_of_sample(labels: np.ndarray, placeholder: pd.Series, names: Sequence[str]) -> np.ndarray:
    """Spell labels as the sample submission does.

    Parameters
    ----------
    labels : ndarray
        (k,) train's labels.
    placeholder : Series
        (m,) the sample submission's column.
    names : sequence of str
        Names of the target and of the column: a label of that name means yes.

    Returns
    -------
    ndarray
        (k,) the same labels if the sample submission does not spell them differently.

    Examples
    --------
    >>> labels_of_sample(np.array(["No", "Yes"], dtype=object), pd.Series([0, 0]), ("churn",)).tolist()
    [0, 1]
    >>> labels_of_sample(np.array([" <=50K", " >50K"], dtype=object), pd.Series(["<=50K"]), ("income",)).tolist()
    ['<=50K', '>50K']
    """
    present = placeholder.dropna().drop_duplicates()
    if not len(present):
        return labels
    kind = present.dtype.kind
    if kind in "iuf" and (numbers := _as_numbers(labels, whole=kind != "f")) is not None:
        return numbers
    words = [str(label) for label in labels]
    wanted = {_plain_number(value) for value in present}
    if kind not in "iufb" and wanted <= set(words):
        return labels
    found = next((written for written in _spellings(words, names) if wanted <= set(written)), None)
    if found is None or (kind in "iuf" and not all(_is_whole(word) for word in found)):
        return labels
    if kind == "b":
        return np.array([word == "True" for word in found])
    return np.array([present.dtype.type(word) for word in found]) if kind in "iuf" else np.array(found, dtype=object)


def labels_meet(labels: np.ndarray, placeholder: pd.Series) -> bool:
    """Whether labels fit the sample submission's column: the same type and, for words, at least one in common.

    Parameters
    ----------
    labels : ndarray
        (k,) labels as ``labels_of_sample`` returns them.
    placeholder : Series
        (m,) the sample submission's column.

    Returns
    -------
    bool
        For labels that are combinations of words, one word in common suffices.
    """
    present = placeholder.dropna().drop_duplicates()
    if not len(present) or (labels.dtype.kind in "iufb" and present.dtype.kind in "iufb"):
        return True
    shown = {_plain_number(value) for value in present}
    words = words_of_combinations(labels)
    return bool(shown & {str(label) for label in labels} or {word for cell in shown for word in cell.split()} & words)


def labels_per_row(cells: pd.Series, labels: pd.Series) -> int:
    """The number of labels that a sample submission ranks in each row, separated by blanks; 0 if it ranks none.

    Parameters
    ----------
    cells : Series
        (m,) the sample submission's column.
    labels : Series
        (n,) train's labels.

    Returns
    -------
    int

    Examples
    --------
    >>> labels_per_row(pd.Series(["7 1 3", "7 1 3"]), pd.Series([1, 2, 3, 4]))
    3
    >>> labels_per_row(pd.Series(["sugar beet"]), pd.Series(["fat hen", "maize", "sugar beet"]))
    0
    """
    if pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_float_dtype(labels):
        return 0
    texts = cells.astype(str)
    if not texts.str.contains(" ").mean() > _RANKED:
        return 0
    if pd.api.types.is_numeric_dtype(labels) and not texts.str.fullmatch(r"[-\d\s]+").all():
        return 0
    ranked = int(texts.str.count(r"\S+").max())
    return ranked if labels.nunique() > ranked > 1 and not labels.astype(str).str.contains(" ").any() else 0


def words_of_combinations(labels: Iterable[object]) -> set[str]:
    """The words of labels that are combinations of fewer words, such as ``haze primary``: several labels to a cell.

    Parameters
    ----------
    labels : iterable
        Without repetitions.

    Returns
    -------
    set of str
        Empty where labels are single ones.

    Examples
    --------
    >>> sorted(words_of_combinations(["haze", "haze road", "road"])), words_of_combinations(["fat hen", "sugar beet"])
    (['haze', 'road'], set())
    """
    cells = [str(label) for label in labels]
    words = {word for cell in cells for word in cell.split()}
    return words if 1 < len(words) < len(cells) else set()


def _as_numbers(labels: np.ndarray, *, whole: bool) -> np.ndarray | None:
    """Labels that are numbers, as the sample submission's integers or floats: 1 for True and for 1.0."""
    if isinstance(labels[0], str):
        return None
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(numbers).all() or (whole and bool((numbers % 1 != 0).any())):
        return None
    return numbers.astype(np.int64) if whole else numbers


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _plain_number(value: object) -> str:
    """A value as text, without the fraction of a whole number."""
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def _spellings(words: list[str], names: Sequence[str]) -> Iterator[list[str]]:
    """Yield spellings of the labels: stripped, in another case, and for two labels as another pair."""
    for separator in _SEPARATORS:
        for case in _CASES:
            written = [case(_join_words(word.strip(), separator)) for word in words]
            if len(set(written)) == len(words):
                yield written
    if len(words) == 2 and (yes := _code_of_yes(words, names)) is not None:
        for pair in _PAIRS:
            for case in _CASES:
                yield [case(pair[code == yes]) for code in (0, 1)]


def _join_words(word: str, separator: str) -> str:
    return separator.join(word.replace("_", " ").replace("-", " ").split()) if separator else word


def _code_of_yes(words: Sequence[str], names: Sequence[str]) -> int | None:
    """The code of the label that means yes; None if that is unclear."""
    plain = [word.strip().lower().removesuffix(".0") for word in words]
    for pair in _PAIRS:
        if set(plain) == set(pair):
            return plain.index(pair[1])
    negated = [word.startswith(_NOT) for word in plain]
    if sum(negated) == 1:
        return negated.index(False)
    # Only a label that reads as positive makes the answer the same, whichever label comes first.
    first, second = positive_class(words, names), 1 - positive_class(words[::-1], names)
    return first if first == second else None


def plain_spelling(texts: pd.Series) -> pd.Series:
    """Texts without case, accents, blanks and separators, in Latin letters; numbers keep their separators.

    Parameters
    ----------
    texts : Series
        (n,) of any dtype.

    Returns
    -------
    Series
        (n,) strings, equal for texts that probably mean the same.

    Examples
    --------
    >>> plain_spelling(pd.Series(["New York", "new-york ", "NewYork", "Café", "1-2"])).tolist()
    ['newyork', 'newyork', 'newyork', 'cafe', '1-2']
    """
    return texts.astype(str).map(_plain)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKE)).casefold()
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    if re.search(r"[^\W\d_]{2}", letters):
        return re.sub(r"[\s_.,:;/'\"()-]+", "", letters)
    return re.sub(r"[\s_]+|(?<=[a-z])[-.](?=[a-z])|(?<=[a-z])\.$", "", letters)


def labels_alike(labels: np.ndarray) -> list[list[str]]:
    """Find labels that probably mean the same: they differ in case, blanks or hyphens, or are True and 1.

    Parameters
    ----------
    labels : ndarray
        (k,) train's labels.

    Returns
    -------
    list of list of str
        Groups of two labels or more; empty if all labels differ, and for numbers.

    Examples
    --------
    >>> labels_alike(np.array(["No", "no ", "yes", True, "1.0"], dtype=object))
    [['No', 'no '], ['True', '1.0']]
    """
    if labels.dtype.kind != "O":
        return []
    texts = pd.Series([str(label) for label in labels])
    plain = plain_spelling(texts).str.removesuffix(".0").replace(_SAME_LABELS)
    return [group.tolist() for word, group in texts.groupby(plain, sort=False) if word and len(group) > 1]
