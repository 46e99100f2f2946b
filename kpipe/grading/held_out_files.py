"""The files of a competition made from another one's train.csv, with the cells unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from kpipe.core.values import Tables
from kpipe.core.wording import listed
from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import cast_or_none
from kpipe.data.picture_tables import COLUMN, numbers_of
from kpipe.errors import UsageError
from kpipe.problem.problem import Problem

__all__ = ["HeldOutFiles"]

_FILE_NAME = re.compile(r"[\w-][\w.-]{0,200}")


class HeldOutFiles:
    """The tables of the new competition, column name → cells as text.

    Parameters
    ----------
    problem : Problem
        Of all rows.
    spelled : Tables
        The tables with the sample submission's names of id and target.
    aligned : DataFrame
        The rows of train that have a target, in their order.
    text : mapping of str to CsvFile
        "train", "test" and "sample" as they are in the files.
    rows : (m,) array of int
        Positions in ``aligned`` of the rows to hold out.

    Raises
    ------
    UsageError
        If rows of train.csv and of the competition cannot be matched, or a target is in no file.
    """

    def __init__(
        self,
        problem: Problem,
        spelled: Tables,
        aligned: pd.DataFrame,
        text: Mapping[str, CsvFile],
        rows: np.ndarray,
    ) -> None:
        self.problem, self.spelled, self.text = problem, spelled, text
        # Column as the sample submission spells it → as the file does. Pixels, of pictures, come after all others.
        self.headers = {role: [name for name in file.header if name != COLUMN] for role, file in text.items()}
        self.names = dict(zip(map(str, spelled.train.columns), self.headers["train"], strict=False))
        if len(spelled.train) != text["train"].rows:
            raise UsageError(
                "Pictures of train are broken: remove them and their rows from the files, then try again.",
                code="no-holdout",
            )
        if made := [name for name in problem.targets if name not in self.names]:
            raise UsageError(
                f"The target {made[0]!r} is computed by this competition's clean: no file contains its answers.",
                code="no-holdout",
            )
        self.held = self._rows_with_target(aligned)[rows]
        self.parts = problem.tables.id_parts
        self.ids = _text(()) if self.parts else self._ids(aligned, rows)

    def _rows_with_target(self, aligned: pd.DataFrame) -> np.ndarray:
        """The position in the file of each row that has a target."""
        train = self.spelled.train
        if len(aligned) == len(train):
            return np.arange(len(train))
        known = train[list(self.problem.targets)].notna().any(axis=1)
        if len(self.problem.targets) == 1 and known.sum() != len(aligned):  # a number stands for a missing target
            name = self.problem.targets[0]
            known &= train[name].isin(aligned[self.names[name]])
        found = np.flatnonzero(known)
        if len(found) != len(aligned):
            raise UsageError(
                "kpipe cannot determine which rows of train.csv have a target. Remove those that have none.",
                code="no-holdout",
            )
        return found

    def _ids(self, aligned: pd.DataFrame, rows: np.ndarray) -> pa.ChunkedArray:
        """(m,) ids of the rows, which are counted where train has none, as test's are then."""
        id, sample = self.problem.id, self.text["sample"]
        ids = pd.Series(dtype=object)
        if id in self.names:
            ids = self._cells(id).to_pandas()
        elif id in aligned:
            ids = aligned[id].iloc[rows].astype(str)
        if not ids.is_unique:
            raise UsageError(
                f"Ids of train.csv repeat ({listed(ids[ids.duplicated()].unique(), 3)}), and answers are matched by "
                "id. Name another column with --id.",
                code="repeated-ids",
            )
        first = cast_or_none(sample.columns[sample.header[0]], pa.int64())
        start = 0 if first is None else first[0].as_py()
        return _text(ids if len(ids) else range(start, start + len(rows)))

    def _cells(self, name: str) -> pa.ChunkedArray:
        """(m,) cells of a column of train in the rows that are held out."""
        return self.text["train"].columns[self.names[name]].take(pa.array(self.held))

    def notes(self) -> Iterator[str]:
        """Yield a sentence about the columns of test that train lacks."""
        if lost := [name for name in self._test_names().values() if not self._is_made(name)]:
            yield f"The new test.csv lacks {listed(lost)}, which train.csv does not have."

    def _test_names(self) -> dict[str, str]:
        """Column of test as its file spells it → as the sample submission does."""
        return dict(zip(self.headers["test"], map(str, self.spelled.test.columns), strict=False))

    def _is_made(self, name: str) -> bool:
        return name == self.problem.id or name in self.names

    def train(self) -> dict[str, pa.ChunkedArray]:
        """The other rows, with all columns."""
        file = self.text["train"]
        kept = file.take(np.setdiff1d(np.arange(file.rows), self.held))
        return {name: kept.columns[name] for name in self.headers["train"]}

    def pictures(self) -> dict[str, dict[str, int]]:
        """The number of the picture of each row, by the row's id: those of train and of test."""
        file, id = self.text["train"], self.problem.id
        if id not in self.names:
            raise UsageError(
                "These pictures cannot be split into a holdout: no column of train identifies its rows.",
                code="no-holdout",
            )
        numbers = [numbers_of(cell) for cell in file.columns[COLUMN].to_pylist()]
        if any(len(each) != 1 for each in numbers):
            raise UsageError("A holdout requires one picture per row: these rows have several.", code="no-holdout")
        ids = file.columns[self.names[id]].to_pylist()
        if wrong := next((one for one in ids if not _FILE_NAME.fullmatch(one)), None):
            raise UsageError(f"The id {wrong!r} cannot be used as a picture's file name.", code="no-holdout")
        held = set(self.held.tolist())
        return {
            folder: {ids[row]: numbers[row][0] for row in range(file.rows) if (row in held) == (folder == "test")}
            for folder in ("train", "test")
        }

    def test(self) -> dict[str, pa.ChunkedArray]:
        """The held-out rows, with test's columns in their order."""
        return {
            written: self.ids if name == self.problem.id and not self.parts else self._cells(name)
            for written, name in self._test_names().items()
            if self._is_made(name)
        }

    def sample(self) -> dict[str, pa.ChunkedArray]:
        """A sample submission for them, with the placeholders of the competition's own."""
        file, test = self.text["sample"], set(self._test_names().values())
        placeholders = file.take(np.arange(len(self.held)) % file.rows).columns
        copied = ({*self.parts} | test & self.names.keys()) - {*self.problem.submission_columns}
        found = {name: self._cells(name) if name in copied else placeholders[name] for name in file.header}
        return found if self.parts else {**found, self.problem.id: self.ids}

    def answers(self) -> dict[str, pa.ChunkedArray]:
        """The ids and the targets."""
        ids = {part: self._cells(part) for part in self.parts} if self.parts else {self.problem.id: self.ids}
        return {**ids, **{name: self._cells(name) for name in self.problem.targets}}


def _text(values: Iterable[object]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(map(str, values), pa.string())])
