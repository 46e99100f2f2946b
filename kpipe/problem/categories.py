"""Unify categories that train and test spell differently: with blanks, in another case, 1.0 for 1."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.core.values import Tables
from kpipe.core.wording import listed

__all__ = ["unify_categories"]

_MAX_CATEGORIES = 1_000  # categories of a column of test; with more, they are names or texts
_SYSTEMATIC = 0.5  # of test's categories must be absent from train, and this share of them must match after all


def unify_categories(files: Tables) -> tuple[Tables, list[str]]:
    """Rename test's categories to train's, in columns where test spells most of them differently.

    Parameters
    ----------
    files : Tables
        The tables as they are in the files.

    Returns
    -------
    tables : Tables
        The same object if nothing has to change.
    notes : list of str
        Sentences for the user about the columns that changed.
    """
    both = [str(name) for name in files.train if name in files.test and pd.api.types.is_string_dtype(files.train[name])]
    both = [name for name in both if pd.api.types.is_string_dtype(files.test[name])]
    files, notes = _without_stray_blanks(files, both)
    changed = {}
    for name in both:
        if spelled := _spellings(files.train[name], files.test[name]):
            changed[name] = files.test[name].map(lambda cell, of=spelled: of.get(cell, cell), na_action="ignore")
            old, new = next(iter(spelled.items()))
            notes.append(
                f"{name!r}: test.csv spells {len(spelled):,} value{'s' * (len(spelled) > 1)} differently from "
                f"train.csv ({old!r} for {new!r}); kpipe reads them as train's. If they differ in meaning, rename them."
            )
    return (replace(files, test=files.test.assign(**changed)) if changed else files), notes


def _without_stray_blanks(files: Tables, both: list[str]) -> tuple[Tables, list[str]]:
    """Strip text in columns where most cells of one table have surrounding blanks, and none of the other."""
    train, test = files.train, files.test
    names = [name for name in both if _differ_by_blanks(train[name], test[name])]
    if not names:
        return files, []
    train, test = (frame.assign(**{c: frame[c].str.strip() for c in names}) for frame in (train, test))
    note = f"Blanks around the values of {listed(names)} are removed: only one of train.csv and test.csv has them."
    return replace(files, train=train, test=test), [note]


def _differ_by_blanks(a: pd.Series, b: pd.Series) -> bool:
    first = (pa.array(x.head(1000), pa.string(), from_pandas=True).unique() for x in (a, b))
    if not any(pc.any(pc.not_equal(pc.utf8_trim_whitespace(cells), cells)).as_py() for cells in first):
        return False  # a fifth of the time: a table may have 100,000 columns
    shares = sorted(float((cells.str.strip() != cells).mean()) for cells in (x.head(1000).dropna() for x in (a, b)))
    return shares[0] == 0 and shares[1] > 0.5


def _spellings(train: pd.Series, test: pd.Series) -> dict[str, str]:
    """Test's category → the one category of train with the same key; empty unless most of them have one."""
    if test.head(10 * _MAX_CATEGORIES).nunique() > _MAX_CATEGORIES:
        return {}
    values, known = _values(test), set(_values(train))
    unknown = [value for value in values if value not in known]
    if len(values) > _MAX_CATEGORIES or len(unknown) < _SYSTEMATIC * len(values):
        return {}
    by_key: dict[str, list[str]] = {}
    for value in sorted(known):
        by_key.setdefault(_key(value), []).append(value)
    found = {value: by_key[key][0] for value in unknown if len(by_key.get(key := _key(value), ())) == 1}
    return found if len(found) > _SYSTEMATIC * len(unknown) else {}


def _values(column: pd.Series) -> list[str]:
    return [str(value) for value in column.unique() if not pd.isna(value)]


def _key(value: str) -> str:
    """A category without differences in case, blanks and Unicode forms, and 1 for 1.0."""
    plain = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    whole = plain.removesuffix(".0")
    return whole if whole.lstrip("-").isdecimal() else plain
