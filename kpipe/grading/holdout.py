"""Make a competition with known answers from train.csv, to evaluate kpipe, or another tool, on unseen rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kpipe import pipeline
from kpipe.core.request import RunRequest
from kpipe.core.values import Tables
from kpipe.core.wording import listed
from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import cast_or_none
from kpipe.data.further_tables import FurtherTables
from kpipe.data.loading import FileChoice, open_text
from kpipe.data.locate import locate
from kpipe.data.picture_files import PictureFolder
from kpipe.data.picture_tables import COLUMN, numbers_of
from kpipe.errors import UsageError
from kpipe.problem.alignment import align_rows
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.problem import Problem, define_problem
from kpipe.problem.vault_rows import check_share, draw_rows
from kpipe.runs.files import cannot_write, write_file

__all__ = ["Holdout", "make_holdout"]

_RECORD, _ANSWERS, _DATA = "holdout.json", "answers.csv", "data"
_FILE_NAME = re.compile(r"[\w-][\w.-]{0,200}")
_CELLS = 1_000_000  # converted to Python's strings at a time


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """A competition made of train.csv, and where it was written.

    Attributes
    ----------
    slug : str
    share : float
        Of train's rows that was asked for.
    seed : int
    rows : int
        The number of rows that were held out.
    train_rows : int
        The number of rows of train.csv.
    how : str
        How they were drawn, a phrase.
    folder : Path
        It holds ``data/``, the competition, and ``answers.csv``.
    notes : tuple of str
        Sentences for the user.
    """

    slug: str
    share: float
    seed: int
    rows: int
    train_rows: int
    how: str
    folder: Path
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        """The folder of the competition's files: what a tool may see."""
        return self.folder / _DATA

    @property
    def answers(self) -> Path:
        """The answers to the rows of its test.csv."""
        return self.folder / _ANSWERS

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            **{name: getattr(self, name) for name in ("slug", "share", "seed", "rows", "train_rows", "how")},
            "data": str(self.data),
            "answers": str(self.answers),
            "notes": list(self.notes),
        }


def make_holdout(request: RunRequest, folder: Path, *, share: float, seed: int = 0) -> Holdout:
    """Hold a part of train.csv out as the competition holds out test.csv, and write both as a competition.

    Whole groups are held out where the folds keep groups whole, times that lie as test does where the folds follow
    time, and otherwise rows spread like the target. Every cell is the text that the file has.

    Parameters
    ----------
    request : RunRequest
        The competition and its files.
    folder : Path
        Where to write: ``data/train.csv``, ``data/test.csv``, ``data/sample_submission.csv`` and ``answers.csv``.
    share : float
        Of train's rows: above 0, at most 0.5.
    seed : int
        Of the draw.

    Returns
    -------
    Holdout

    Raises
    ------
    UsageError
        If the folder is not empty, the files are the sample's, a row has several pictures, or the share leaves too
        little.
    DataError
        If the files cannot be read.
    """
    check_share(share)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(
            f"{folder} is not empty. Remove it, or choose another folder with --out DIR.", code="file-exists"
        )
    competition, files = pipeline.read_competition(request)
    _check_source(files)
    problem = define_problem(competition, files)
    competition, spelled = unify_spelling(competition, files)
    aligned = align_rows(competition, files).train
    if len(problem.y) != len(aligned):
        raise UsageError(
            "A part can be held out only where clean keeps train's rows: this competition's changes them.",
            code="no-holdout",
        )
    rows, how = draw_rows(problem, share, seed=seed)
    choice = FileChoice(request.train, request.test, request.sample, targets=competition.targets)
    with open_text(locate(problem.slug, files.source.path), choice) as (text, pictures):
        made = _Made(problem, spelled, aligned, text, rows)
        holdout = Holdout(
            slug=problem.slug,
            share=share,
            seed=seed,
            rows=len(rows),
            train_rows=len(files.train),
            how=how,
            folder=folder,
            notes=tuple(made.notes()),
        )
        for name, content in _further_files(files).items():
            write_file(holdout.data / name, content)
        if pictures is not None:
            _write_pictures(made, pictures, holdout.data)
    tables = {"train": made.train(), "test": made.test(), "sample_submission": made.sample()}
    for name, table in tables.items():
        write_file(holdout.data / f"{name}.csv", _to_csv(table))
    write_file(holdout.answers, _to_csv(made.answers()))
    record = {**holdout.to_json(), "files": dict(files.source.files)}
    write_file(folder / _RECORD, (json.dumps(record, indent=2) + "\n").encode())
    return holdout


def _check_source(files: Tables) -> None:
    if files.source.origin == "sample":
        raise UsageError(
            "This is sample data: it has nothing to learn. Name Kaggle's files with --data.", code="sample-data"
        )


def _further_files(files: Tables) -> dict[str, bytes]:
    """The further tables that the competition's ``clean`` has read."""
    return files.others.contents() if isinstance(files.others, FurtherTables) else {}


def _write_pictures(made: _Made, pictures: PictureFolder, data: Path) -> None:
    """Write each row's picture to ``train/`` or ``test/`` under its id. Raises OutputError if that fails."""
    for folder, names in made.pictures().items():
        (data / folder).mkdir(parents=True, exist_ok=True)
        for name, number in names.items():
            picture = pictures.pictures[number]
            path = (
                data / folder / (name if name.endswith(Path(picture.path).suffix) else name + Path(picture.path).suffix)
            )
            try:
                path.write_bytes(pictures.read(picture))
            except OSError as error:
                raise cannot_write(path, error) from error


def _to_csv(table: Mapping[str, pa.ChunkedArray]) -> bytes:
    """A CSV file, a batch of rows at a time, since as Python's strings many cells take much memory."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    for batch in pa.table(dict(table)).to_batches(max_chunksize=max(_CELLS // max(len(table), 1), 1)):
        writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return text.getvalue().encode()


class _Made:
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
                f"The target {made[0]!r} is made by this competition's clean: no file holds its answers.",
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
                "kpipe cannot tell which rows of train.csv have a target. Remove those that have none.",
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
                f"Ids of train.csv repeat ({listed(ids[ids.duplicated()].unique(), 3)}), and answers are joined by id. "
                "Name another column with --id.",
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
                "A part of these pictures cannot be held out: no column of train names its rows.", code="no-holdout"
            )
        numbers = [numbers_of(cell) for cell in file.columns[COLUMN].to_pylist()]
        if any(len(each) != 1 for each in numbers):
            raise UsageError(
                "A part can be held out where each row has one picture: these have several.", code="no-holdout"
            )
        ids = file.columns[self.names[id]].to_pylist()
        if wrong := next((one for one in ids if not _FILE_NAME.fullmatch(one)), None):
            raise UsageError(f"The id {wrong!r} cannot be the name of a picture's file.", code="no-holdout")
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
