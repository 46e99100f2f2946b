"""Build train, test and the sample submission from other layouts.

Labels may be in a file of their own, train and test in one table, and the sample submission may be missing. Notes tell
the user what was done.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.core.wording import listed, missing_column_message
from kpipe.data.column_names import match_names, plain_name
from kpipe.data.csv_reader import CsvFile, parse_csv
from kpipe.data.dtypes import is_missing, null_missing
from kpipe.data.encodings import DecodedText
from kpipe.data.only_table import split_only_table
from kpipe.data.tidying import tidy
from kpipe.errors import DataError, UsageError

__all__ = ["Assembled", "assemble"]

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")  # unique_names makes 5.1 of a second 5
_ID = re.compile(r"id$|(^|[^a-z])(index|unnamed: \d+|key|nr|no)$", re.IGNORECASE)


@dataclass(frozen=True)
class Assembled:
    """Train, test and the sample submission.

    Attributes
    ----------
    files : dict of str to CsvFile
        The roles are "train", "test" and "sample".
    extra : int
        Number of rows at the end of train that come from further training files.
    notes : tuple of str
        Sentences for the user about what was done.
    """

    files: dict[str, CsvFile]
    extra: int
    notes: tuple[str, ...]


def assemble(files: dict[str, CsvFile], extra: Sequence[CsvFile] = (), *, targets: Sequence[str] = ()) -> Assembled:
    """Build train, test and the sample submission from the files that exist.

    Parameters
    ----------
    files : dict of str to CsvFile
        "train" and, if such files exist, "test", "sample" and "labels".
    extra : sequence of CsvFile
        Further training files.
    targets : sequence of str
        The target columns, where they are known.

    Returns
    -------
    Assembled

    Raises
    ------
    DataError
        A table is missing and cannot be built; the message names the options that help.
    """
    notes = [note for file in [*files.values(), *extra] for note in file.notes]
    train, test, sample = files["train"], files.get("test"), files.get("sample")
    if "labels" in files:
        train, note = _join_labels(train, files["labels"], sample, targets)
        notes += note
    if test is None:
        train, test, note = split_only_table(train, sample, targets)
        notes += note
    test, note = _with_header_of(test, train, () if sample is None else sample.header)
    notes += note
    test, note = _with_names_of(test, train, but=() if sample is None else sample.header)
    notes += note
    test, note = _without_target(train, test, sample, targets)
    notes += note
    if sample is None:
        sample, note = _make_sample(train, test, targets)
        notes += note
    appended = 0
    for file in extra:
        train, note = _append(train, file)
        appended += file.rows
        notes += note
    return Assembled({"train": train, "test": test, "sample": sample}, appended, tuple(dict.fromkeys(notes)))


def _join_labels(
    train: CsvFile, labels: CsvFile, sample: CsvFile | None, targets: Sequence[str]
) -> tuple[CsvFile, list[str]]:
    """Train with the columns of a file of labels, joined by a shared column that is unique in the labels."""
    wanted = set(targets) or set(sample.header[1:] if sample is not None else ())
    if wanted & (set(train.header) - set(labels.header)):
        return train, []  # train has its target
    new = [name for name in labels.header if name not in train.header]
    if not new:
        return train, []
    columns, how = _labels_of(train, labels, new)
    note = f"{labels.name} is joined to {train.name} {how}: {listed(new)}."
    return replace(train, header=[*train.header, *new], columns=train.columns | columns), [note]


def _labels_of(train: CsvFile, labels: CsvFile, new: Sequence[str]) -> tuple[dict[str, pa.ChunkedArray], str]:
    """The columns of labels in the order of train's rows, and a phrase that says how they were matched."""
    shared = [name for name in train.header if name in labels.columns]
    unique = [name for name in shared if _is_unique(labels.columns[name])]
    if unique:
        rows = _rows_of(train.columns[unique[0]], labels.columns[unique[0]])
        without = f"; {rows.null_count:,} rows of {train.name} have no label" if rows.null_count else ""
        columns = {name: pc.fill_null(pc.take(labels.columns[name], rows), "") for name in new}
        chunked = {
            name: pa.chunked_array(cells) if isinstance(cells, pa.Array) else cells for name, cells in columns.items()
        }
        return chunked, f"by {unique[0]}{without}"
    if labels.rows == train.rows and all(train.columns[name].equals(labels.columns[name]) for name in shared):
        why = f"both have the same {listed(shared)}" if shared else "the files share no column"
        return {name: labels.columns[name] for name in new}, f"row by row, since {why}"
    raise DataError(
        f"{labels.name} has {labels.rows:,} rows, {train.name} has {train.rows:,}, and they share no column whose "
        f"values identify rows{f' (values of {listed(shared)} repeat)' * bool(shared)}. Add the id to both files, or "
        "join them and name the file with --train.",
        code="unmatched-ids",
        file=labels.name,
    )


def _rows_of(ids: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.ChunkedArray:
    """The position of each id among others; 1001 matches 1001.0 if no id matches exactly."""
    rows = pc.index_in(ids, value_set=others.combine_chunks())
    if rows.null_count < len(rows):
        return rows
    whole = (pc.replace_substring_regex(cells, r"\.0+$", "") for cells in (ids, others.combine_chunks()))
    return pc.index_in(next(whole), value_set=next(whole))


def _with_header_of(test: CsvFile, train: CsvFile, asked: Sequence[str]) -> tuple[CsvFile, list[str]]:
    """Test with train's column names if its own are mostly numbers, which shows that its first line is a row."""
    names = [name for name in train.header if name not in asked[1:]]
    found = test.header
    if (
        not asked
        or not test.content
        or len(found) != len(names)
        or {*map(plain_name, found)} & {*map(plain_name, names)}
    ):
        return test, []
    if 2 * sum(bool(_NUMBER.fullmatch(name)) for name in found) <= len(found):
        return test, []
    line = io.StringIO()
    csv.writer(line, delimiter=test.dialect.delimiter, lineterminator="\n").writerow(names)
    whole = parse_csv(test.name, DecodedText(line.getvalue().encode() + test.content, test.encoding))
    note = f"{test.name} has no header: its first line is read as a row, and its columns are named as in {train.name}."
    return replace(tidy(whole), kept=np.arange(whole.rows) - 1), [note]


def _with_names_of(test: CsvFile, train: CsvFile, *, but: Sequence[str]) -> tuple[CsvFile, list[str]]:
    """Test with column names spelled as in train, except those that the sample submission names."""
    found = match_names(test.header, train.header)
    renamed = {old: new for old, new in found.items() if old not in but and new not in but}
    if not renamed:
        return test, []
    names = listed([f"{old!r} as {new!r}" for old, new in renamed.items()])
    note = f"{test.name} spells columns differently from {train.name}; kpipe reads {names}."
    return _rename(test, renamed), [note]


def _without_target(
    train: CsvFile, test: CsvFile, sample: CsvFile | None, targets: Sequence[str]
) -> tuple[CsvFile, list[str]]:
    """Test without targets that are empty in every row."""
    shared = [name for name in test.header if name in train.columns]
    lacking = [name for name in train.header if name not in test.columns and not re.match("Unnamed: ", name)]
    asked = set(targets) | set(sample.header[1:] if sample is not None else ())
    empty = [
        name
        for name in shared
        if (name in asked or not lacking)
        and bool(np.all(is_missing(test.columns[name])))
        and not np.all(is_missing(train.columns[name]))
    ]
    if not empty or test.rows == 0 or (len(empty) > 1 and not set(empty) <= asked):
        return test, []
    note = f"{test.name}: {listed(empty)} is empty in every row, so it is treated as a target, not a feature."
    return test.without(empty), [note]


def _make_sample(train: CsvFile, test: CsvFile, targets: Sequence[str]) -> tuple[CsvFile, list[str]]:
    """A sample submission of test's ids and train's target."""
    wanted = list(targets) or [name for name in train.header if name not in test.columns]
    unknown = [name for name in wanted if name not in train.columns]
    if len(wanted) != 1 and not targets:
        which = f"several columns that test lacks ({listed(wanted)})" if wanted else "no column that test lacks"
        raise DataError(
            f"There is no sample submission, and {train.name} has {which}. Name the target with --target COLUMN, or a "
            "sample submission with --sample FILE.",
            code="no-target",
            file=train.name,
        )
    if unknown:
        raise DataError(
            missing_column_message(train.name, "the target", unknown[0], train.header),
            code="missing-column",
            file=train.name,
            column=unknown[0],
        )
    id = _id_of(test)
    if id is None:
        id = next(name for name in ("id", "row", "row number") if name not in [*train.columns, *test.columns])
        ids, how = pa.chunked_array([pa.array(map(str, range(test.rows)), pa.string())]), "row numbers"
    else:
        ids, how = test.columns[id], f"the ids ({id}) of {test.name}"
    first = {name: _first_value(train.columns[name]) for name in wanted}
    blank = {name: pa.chunked_array([pa.array([value] * test.rows, pa.string())]) for name, value in first.items()}
    note = (
        f"There is no sample submission: kpipe makes one from {how} and {listed(wanted)}, the column"
        f"{'s' * (len(wanted) > 1)} that {test.name} lacks. To use another one: --sample FILE."
    )
    made = CsvFile("sample_submission.csv", b"", [id, *wanted], test.rows, {id: ids} | blank)
    return made, [note]


def _id_of(test: CsvFile) -> str | None:
    """A column of test with unique values that is named like an id, or else its first if that holds whole numbers."""
    unique = [name for name in test.header if _is_unique(test.columns[name])]
    if named := [name for name in unique if _ID.search(name)]:
        return named[0]
    first = test.header[0]
    is_whole = first in unique and pc.all(pc.match_substring_regex(test.columns[first], r"^\d+$")).as_py()
    return first if is_whole else None


def _first_value(cells: pa.ChunkedArray) -> str:
    """The first value that is not missing; "" if all are."""
    present = null_missing(cells).drop_null()
    return present[0].as_py() if len(present) else ""


def _append(train: CsvFile, extra: CsvFile) -> tuple[CsvFile, list[str]]:
    """Train with the rows of a further file at its end."""
    renamed = _rename(extra, match_names(extra.header, train.header))
    lacking = [name for name in train.header if name not in renamed.columns]
    if len(lacking) > max(1, len(train.header) // 2):
        raise UsageError(
            f"--extra {extra.name}: it lacks {listed(lacking)}, columns of {train.name}.",
            code="missing-column",
            file=extra.name,
            column=lacking[0],
        )
    empty = pa.chunked_array([pa.array([""] * extra.rows, pa.string())])
    columns = {
        name: pa.chunked_array([*cells.chunks, *renamed.columns.get(name, empty).chunks], pa.string())
        for name, cells in train.columns.items()
    }
    note = (
        f"{extra.name}: its {extra.rows:,} rows are used for training in every fold, and never for validation"
        + (f"; it lacks {listed(lacking)}" if lacking else "")
        + "."
    )
    rows = train.rows + extra.rows
    return replace(train, columns=columns, rows=rows, appended=(*train.appended, renamed)), [note]


def _rename(file: CsvFile, names: dict[str, str]) -> CsvFile:
    header = [names.get(name, name) for name in file.header]
    return replace(file, header=header, columns={names.get(name, name): c for name, c in file.columns.items()})


def _is_unique(cells: pa.ChunkedArray) -> bool:
    return len(cells) > 0 and pc.count_distinct(cells, mode="all").as_py() == len(cells)
