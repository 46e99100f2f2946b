"""Find the id column of a competition, and check that its values are unique."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from kpipe.core.wording import listed
from kpipe.data.csv_reader import CsvFile
from kpipe.errors import DataError

__all__ = ["check_ids", "columns_unique_together", "id_columns"]

_MIN_UNIQUE = 0.9  # of train's ids: from this share on they identify rows, and a repeated one is a mistake in the file
# What to do if an id has several rows.
_ADVICE = {
    "train": "Remove them, or name another column with --id.",
    "test": "Combine the rows of each id into one in clean (kpipe new writes a module for it), or name another column "
    "with --id.",
    "sample": "kpipe predicts one row per id. If another column identifies the rows, pass it with --id. If several "
    "labels are expected for each id, best first, keep one row per id in the sample submission, with the labels "
    "separated by blanks: kpipe then ranks them (--metric map@K), and you write each label of its submission on its "
    "own row.",
}
_MIN_ROWS = 20  # of train; with fewer, the share of unique ids is not meaningful


def id_columns(files: Mapping[str, CsvFile], id: str | None) -> list[str]:
    """Find the column that identifies the rows of the sample submission.

    Parameters
    ----------
    files : mapping of role to CsvFile
        The roles are "train", "test" and "sample".
    id : str or None
        The id column, if it is known.

    Returns
    -------
    list of str
        One name: ``id``; else a column that the sample shares with test, preferably one without repeated values; else
        a column of the sample that train lacks. Empty if there is none.
    """
    sample, test, train = (files[role].header for role in ("sample", "test", "train"))
    if id is not None and (id in sample or id in test):  # else it is joined from columns, or refused later
        return [id]
    shared = [name for name in sample if name in test]
    unique = [name for name in shared if len(files["sample"].columns[name].unique()) == files["sample"].rows]
    return (unique or shared)[:1] or [name for name in sample if name not in train][:1]


def check_ids(
    files: Mapping[str, CsvFile], frames: Mapping[str, pd.DataFrame], ids: Sequence[str], *, extra: int = 0
) -> None:
    """Refuse repeated ids, except in train if they identify entities with several rows each, such as customers.

    Parameters
    ----------
    files, frames : mapping of role to CsvFile and DataFrame
        The roles are "train", "test" and "sample".
    ids : sequence of str
        The id columns.
    extra : int
        Number of rows at the end of train that come from further training files, whose ids may repeat.

    Raises
    ------
    DataError
        The message names the file, the id and two lines.
    """
    if columns_unique_together(frames["test"], frames["sample"]):
        return
    for role, whole in frames.items():
        frame = whole.iloc[: len(whole) - extra] if role == "train" and extra else whole
        for name in ids:
            if name in frame.columns and not (role == "train" and _have_several_rows(frame[name])):
                if role == "test" and _may_be_part_of_an_id(frame[name], frames["sample"]):
                    continue  # see kpipe.problem.alignment
                if role == "test" and _may_be_combined(frame[name], frames):
                    continue  # by clean; else the rehearsal of the submission refuses them
                together = _unique_together(frame, frames["sample"], name) if role == "test" else []
                advice = _advice_on_several_ids(together) if together else _ADVICE[role]
                _check_unique(files[role], frame[name], advice=advice)


def columns_unique_together(test: pd.DataFrame, sample: pd.DataFrame) -> list[str]:
    """Find columns that identify the rows of test and of the sample submission only in combination.

    Parameters
    ----------
    test, sample : DataFrame

    Returns
    -------
    list of str
        At least two, in the order of the sample submission; empty if one column suffices, or no combination does.

    Examples
    --------
    >>> test = pd.DataFrame({"store": [1, 1, 2, 2], "day": [1, 2, 1, 2]})
    >>> columns_unique_together(test, test.assign(y=0).iloc[::-1])
    ['store', 'day']
    """
    shared = [str(name) for name in sample.columns if name in test.columns]
    if len(shared) < 2 or any(sample[name].is_unique and test[name].is_unique for name in shared):
        return []
    if sample.duplicated(shared).any() or test.duplicated(shared).any():
        return []
    wanted, known = (pd.MultiIndex.from_frame(frame[shared].astype(str)) for frame in (sample, test))
    return shared if bool(wanted.isin(known).all()) else []


def _unique_together(test: pd.DataFrame, sample: pd.DataFrame, id: str) -> list[str]:
    """The columns that test shares with the sample submission, if they are unique only in combination; else none."""
    shared = [str(name) for name in sample.columns if name in test.columns]
    if len(shared) < 2 or id not in shared or test.duplicated(shared).any() or not test[id].duplicated().any():
        return []
    return shared


def _advice_on_several_ids(names: Sequence[str]) -> str:
    return (
        f"The sample submission has several id columns, which are unique together in test.csv: {listed(names)}. But "
        "its rows repeat them, or are not in test.csv, so rows cannot be matched: write these columns in the same way "
        "in both files, or name another column with --id."
    )


def _may_be_part_of_an_id(ids: pd.Series, sample: pd.DataFrame) -> bool:
    """Whether many of test's ids repeat and the sample has other ids, which may join several columns."""
    repeat = ids.nunique() < _MIN_UNIQUE * len(ids)
    return repeat and ids.name in sample and not sample[ids.name].isin(ids).all()


def _may_be_combined(ids: pd.Series, frames: Mapping[str, pd.DataFrame]) -> bool:
    """Whether test has several rows for most of the sample submission's ids, as train has for its own."""
    train, sample = frames["train"], frames["sample"]
    if ids.name not in sample or ids.name not in train:
        return False
    wanted = sample[ids.name]
    many = ids.nunique() < _MIN_UNIQUE * len(ids) and ids.nunique() == len(wanted)
    return many and _have_several_rows(train[ids.name]) and bool(wanted.isin(ids).all())


def _have_several_rows(ids: pd.Series) -> bool:
    """Whether train's ids are of entities with several rows each, such as customers."""
    return len(ids) > _MIN_ROWS and ids.nunique() < _MIN_UNIQUE * len(ids)


def _check_unique(file: CsvFile, ids: pd.Series, *, advice: str) -> None:
    repeated = ids[ids.duplicated()]
    if len(repeated):
        first, second = int((ids == repeated.iloc[0]).to_numpy().argmax()), int(repeated.index[0])
        places = _places(file, first, second)
        raise DataError(
            f"{file.name}: the id column {ids.name!r} must not repeat a value; got {repeated.iloc[0]} twice "
            f"({places}). Rows that repeat an id: {len(repeated)}. {advice}",
            code="repeated-ids",
            column=ids.name,
            **file.where(second),
        )


def _places(file: CsvFile, first: int, second: int) -> str:
    """The lines (or rows) of two rows, with the names of the files if they are in different parts of a table."""
    one, other = file.where(first), file.where(second)
    if one["file"] != other["file"]:
        return f"{file.place(first)} and {file.place(second)}"
    unit = "line" if "line" in one else "row"
    return f"{unit}s {one[unit]} and {other[unit]}"
