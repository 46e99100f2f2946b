"""Split the only table of a competition into train and test: its target is missing in the rows to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from kpipe.core.wording import listed, missing_column_message
from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import is_missing
from kpipe.errors import DataError

__all__ = ["split_only_table"]


def split_only_table(
    file: CsvFile, sample: CsvFile | None, targets: Sequence[str]
) -> tuple[CsvFile, CsvFile, list[str]]:
    """Split one table into train and test: test's rows are those without a target.

    Parameters
    ----------
    file : CsvFile
    sample : CsvFile or None
        The sample submission, if there is one.
    targets : sequence of str
        The target columns, where they are known.

    Returns
    -------
    train, test : CsvFile
    notes : list of str

    Raises
    ------
    DataError
        If it is unclear which rows are to be predicted.
    """
    target = _find_target(file, sample, targets)
    empty = is_missing(file.columns[target])
    if empty.all() or not empty.any():
        state = "in every row" if empty.all() else "in no row"
        raise DataError(
            f"{file.name} is the only table, and its target {target!r} is missing {state}. Leave it empty in the rows "
            "to predict, or move these rows to a separate file and name it with --test. For another target: --target.",
            code="no-test",
            file=file.name,
            column=target,
        )
    if sample is not None and empty.sum() != sample.rows:
        raise DataError(
            f"There is no test.csv: {file.name} is the only table, but {target!r} is missing in {empty.sum():,} of its "
            f"rows, and {sample.name} has {sample.rows:,} rows. Name the file to predict with --test FILE, or the "
            "target with --target.",
            code="no-test",
            file=file.name,
            column=target,
        )
    train, test = (file.take(np.flatnonzero(mask)) for mask in (~empty, empty))
    note = (
        f"{file.name} is the only table: its {train.rows:,} rows with a {target} are train, its {test.rows:,} rows "
        "without one are test. To use other files: --train, --test."
    )
    return train, test.without([target]), [note]


def _find_target(file: CsvFile, sample: CsvFile | None, targets: Sequence[str]) -> str:
    if targets:
        if missing := [name for name in targets if name not in file.columns]:
            raise DataError(
                missing_column_message(file.name, "the target", missing[0], file.header),
                code="missing-column",
                file=file.name,
                column=missing[0],
            )
        return targets[0]
    n_missing = {name: int(np.sum(is_missing(file.columns[name]))) for name in file.header}
    incomplete = [name for name in file.header if n_missing[name]]
    target = _last_block(file, incomplete) if sample is None else _target_of_sample(file, sample, n_missing)
    if target is not None:
        return target
    state = f"several have missing values ({listed(incomplete)})" if len(incomplete) > 1 else "no column is the target"
    raise DataError(
        f"{file.name} is the only table, and it is unclear which rows to predict: {state}. Name the target "
        "with --target COLUMN, and leave it empty in the rows to predict; or name the files with --train and --test.",
        code="no-test",
        file=file.name,
    )


def _target_of_sample(file: CsvFile, sample: CsvFile, n_missing: Mapping[str, int]) -> str | None:
    """The incomplete column that the sample submission names; else the one missing in as many rows as that has."""
    asked = [name for name in sample.header if name in file.columns]
    incomplete = [name for name in asked if n_missing[name]]
    as_many = [name for name in file.header if n_missing[name] == sample.rows]
    if not incomplete and len(as_many) == 1:
        return as_many[0]
    return next(iter([*incomplete, *(name for name in asked if name != sample.header[0])]), None)


def _last_block(file: CsvFile, incomplete: Sequence[str]) -> str | None:
    """The only column that is missing in exactly the last, or the first, rows."""
    blocks = [name for name in incomplete if _is_missing_in_block(file.columns[name])]
    return blocks[0] if len(blocks) == 1 else None


def _is_missing_in_block(cells: pa.ChunkedArray) -> bool:
    """Whether the missing cells are exactly the last, or the first, rows."""
    missing = is_missing(cells)
    return bool(missing[0] != missing[-1] and np.count_nonzero(np.diff(missing)) == 1)
