"""Categories and labels that are spelled in two ways, in test or in train, and categories that only test has."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import list_names
from kpipe.core.values import Folds
from kpipe.problem.problem import Problem
from kpipe.problem.vocabulary import labels_alike, plain_spelling

__all__ = [
    "TABLE_CHECKS",
    "labels_spelled_alike",
    "new_categories",
    "odd_spellings",
    "recoded_categories",
    "shifted_codes",
]

_MIN_SHARE = 0.003  # of test, from which odd spellings are reported
_MAX_FREE = 0.2  # share of a column's texts that may be different cells, for spellings to be compared
_MAX_CATEGORIES = 50  # of train, for a new category of test to be odd
# Categories of a column under other names, at most; difference of their shares, at most; that of the most and the least
# frequent, at least; rows of test.
_MAX_RECODED, _AS_FREQUENT, _UNEVEN, _MIN_TEST_ROWS = 12, 0.05, 0.15, 100
_BY_CHANCE = 1e-6  # probability that so many rows of a category are all in test


def odd_spellings(train: pd.Series, test: pd.Series) -> Iterator[str]:
    """Sentences about test categories that train spells differently, or about two spellings in train.

    Parameters
    ----------
    train, test : Series
        A column of texts in both tables.

    Yields
    ------
    str
    """
    counts = train.dropna().astype(str).value_counts()
    known = counts.index
    if len(known) > _MAX_FREE * max(train.notna().sum(), 1):
        return
    cells = test.dropna().astype(str)
    new = cells[~cells.isin(known)]
    if len(new):
        plain = dict(zip(plain_spelling(known.to_series()), known, strict=True))
        meant = plain_spelling(new).map(plain).dropna()
        if len(meant) >= max(3, _MIN_SHARE * len(test)):
            yield (
                f"{train.name} is spelled differently in {len(meant)} rows of test ({len(meant) / len(test):.1%}): "
                f"{new[meant.index[0]]!r}, but {meant.iloc[0]!r} in train. Convert it in clean, such as with "
                ".str.strip().str.lower()."
            )
    plain_known = plain_spelling(known.to_series())
    twice = counts[(plain_known.duplicated(keep=False) & (plain_known != "")).to_numpy()]
    if twice.empty:
        return
    by_plain = twice.groupby(plain_known[twice.index].to_numpy())
    if by_plain.min().max() >= max(3, _MIN_SHARE * len(train)):
        alike = by_plain.get_group(by_plain.min().idxmax())
        shown = [f"{category!r} ({count} rows)" for category, count in alike.items()]
        yield (
            f"{train.name} has categories in train that differ only in case, blanks, accents or separators: "
            f"{' and '.join(shown[:3])}. Models treat them as different categories: merge them in clean."
        )


def new_categories(train: pd.Series, test: pd.Series) -> Iterator[str]:
    """A sentence about a test category that never occurs in train, although it is too frequent for that by chance.

    Parameters
    ----------
    train, test : Series
        A column of texts in both tables.

    Yields
    ------
    str
    """
    known, counts = train.dropna().astype(str).unique(), test.dropna().astype(str).value_counts()
    if not 2 <= len(known) <= _MAX_CATEGORIES:
        return
    new = counts[~counts.index.isin(known)]
    least = np.log(_BY_CHANCE) / np.log(len(test) / (len(train) + len(test)))
    if len(new) and len(new) <= len(known) and new.iloc[0] >= max(least, _MIN_SHARE * len(test)):
        yield (
            f"{train.name} is {new.index[0]!r} in {new.iloc[0]} rows of test ({new.iloc[0] / len(test):.1%}), but "
            f"never in train (it has {list_names([repr(str(category)) for category in known])}): if it is another code "
            "for one of these categories, convert it in clean."
        )


def recoded_categories(train: pd.Series, test: pd.Series) -> tuple[bool, str] | None:
    """Describe categories of test none of which train has, but which are as frequent as train's.

    Parameters
    ----------
    train, test : Series
        A column of texts in both tables.

    Returns
    -------
    (bool, str) or None
        Whether it is certain that they stand for train's, because they begin with the same letters (M and F for
        male and female), and a sentence. None without such ones, and where shares are alike among themselves, as
        those of the countries of a survey.
    """
    if not 2 <= train.nunique() <= _MAX_RECODED:
        return None
    ours, theirs = (part.dropna().astype(str).value_counts(normalize=True) for part in (train, test))
    if len(ours) != len(theirs) or ours.index.isin(theirs.index).any():
        return None
    if plain_spelling(theirs.index.to_series()).isin(plain_spelling(ours.index.to_series())).any():
        return None  # only the spelling differs
    distance = float(np.abs(ours.to_numpy() - theirs.to_numpy()).sum()) / 2
    if distance > _AS_FREQUENT or ours.iloc[0] - ours.iloc[-1] < _UNEVEN or len(test) < _MIN_TEST_ROWS:
        return None
    by_letter = _by_first_letter(theirs.index, ours.index)
    meant = by_letter or dict(zip(theirs.index, ours.index, strict=True))
    names = ", ".join(f"{now!r}: {then!r}" for now, then in meant.items())
    return by_letter is not None, (
        f"{train.name} has none of train's categories in test, but as many others with the same frequencies: probably "
        "the same categories under other names. If so, convert them in clean; by their "
        f"{'first letters' if by_letter else 'frequency'}, {{{names}}}."
    )


def _by_first_letter(now: pd.Index, then: pd.Index) -> dict[str, str] | None:
    """The name of ``then`` that begins like each name of ``now``; None unless all pair off."""
    ours, theirs = ({plain_spelling(pd.Series([name])).iloc[0][:1]: name for name in names} for names in (then, now))
    if len(ours) < len(then) or ours.keys() != theirs.keys() or "" in ours:
        return None
    return {name: ours[letter] for letter, name in theirs.items()}


def shifted_codes(train: pd.Series, test: pd.Series) -> str | None:
    """A sentence about whole numbers that stand for categories, and start at another number in test; None without such.

    Parameters
    ----------
    train, test : Series
        A column of numbers in both tables.

    Returns
    -------
    str or None
    """
    if not 2 <= train.nunique() <= _MAX_RECODED or len(test) < _MIN_TEST_ROWS:
        return None
    ours, theirs = (part.dropna().value_counts(normalize=True).sort_index() for part in (train, test))
    if len(ours) != len(theirs):
        return None
    by = np.unique(theirs.index.to_numpy(dtype=np.float64) - ours.index.to_numpy(dtype=np.float64))
    distance = float(np.abs(ours.to_numpy() - theirs.to_numpy()).sum()) / 2
    if len(by) > 1 or not by[0] or distance > _AS_FREQUENT or ours.max() - ours.min() < _UNEVEN:
        return None
    return (
        f"{train.name} is {theirs.index[0]:g} to {theirs.index[-1]:g} in test, but {ours.index[0]:g} to "
        f"{ours.index[-1]:g} in train, and as frequent if {abs(by[0]):g} is {'subtracted' if by[0] > 0 else 'added'}: "
        "the numbering of the categories starts at another number. Convert those of test in clean."
    )


def labels_spelled_alike(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether two labels of the target probably mean the same, as those that differ only in case or blanks.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
        None where all labels differ.
    """
    twice = [] if problem.labels is None else [label for alike in labels_alike(problem.labels) for label in alike]
    if twice:
        counts = problem.tables.train[problem.targets[0]].astype(str).value_counts()
        shown = [f"{label!r} ({counts.get(label, 0)} rows)" for label in twice]
        yield (
            "fail",
            f"{problem.targets[0]} has labels that probably mean the same: {list_names(shown)}. They "
            f"count as different classes. Convert them to one label in clean, such as with "
            f"train[{quote(problem.targets[0])}].str.strip().str.lower().",
        )


TABLE_CHECKS = (TableCheck("labels spelled alike", labels_spelled_alike),)
