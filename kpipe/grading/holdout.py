"""Make a competition with known answers from train.csv, to evaluate kpipe, or another tool, on unseen rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kpipe import pipeline
from kpipe.core.request import RunRequest
from kpipe.core.values import Tables
from kpipe.data.further_tables import FurtherTables
from kpipe.data.loading import FileChoice, open_text
from kpipe.data.locate import locate
from kpipe.data.picture_files import PictureFolder
from kpipe.errors import UsageError
from kpipe.grading.held_out_files import HeldOutFiles
from kpipe.problem.alignment import align_rows
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.problem import define_problem
from kpipe.problem.vault_rows import check_share, draw_rows
from kpipe.runs.files import cannot_write, write_file

__all__ = ["Holdout", "make_holdout"]

_RECORD, _ANSWERS, _DATA = "holdout.json", "answers.csv", "data"
_CELLS = 1_000_000  # converted to Python's strings at a time


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """A competition made from train.csv, and where it was written.

    Attributes
    ----------
    slug : str
    share : float
        The share of train's rows that was asked for.
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
        """The folder of the competition's files, which a tool may read."""
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
        The share of train's rows to hold out: above 0, at most 0.5.
    seed : int
        The seed of the random draw.

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
            "A holdout requires a clean that keeps the rows of train: this competition's clean changes them.",
            code="no-holdout",
        )
    rows, how = draw_rows(problem, share, seed=seed)
    choice = FileChoice(request.train, request.test, request.sample, targets=competition.targets)
    with open_text(locate(problem.slug, files.source.path), choice) as (text, pictures):
        made = HeldOutFiles(problem, spelled, aligned, text, rows)
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
            "This is sample data, from which nothing can be learned. Pass Kaggle's files with --data.",
            code="sample-data",
        )


def _further_files(files: Tables) -> dict[str, bytes]:
    """The further tables that the competition's ``clean`` has read."""
    return files.others.contents() if isinstance(files.others, FurtherTables) else {}


def _write_pictures(made: HeldOutFiles, pictures: PictureFolder, data: Path) -> None:
    """Write each row's picture to ``train/`` or ``test/`` under its id. Raises OutputError if that fails."""
    for folder, names in made.pictures().items():
        (data / folder).mkdir(parents=True, exist_ok=True)
        for name, number in names.items():
            picture = pictures.pictures[number]
            suffix = Path(picture.path).suffix
            path = data / folder / f"{name.removesuffix(suffix)}{suffix}"
            try:
                path.write_bytes(pictures.read(picture))
            except OSError as error:
                raise cannot_write(path, error) from error


def _to_csv(table: Mapping[str, pa.ChunkedArray]) -> bytes:
    """A CSV file, written in batches of rows, since cells take much more memory as Python's strings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    for batch in pa.table(dict(table)).to_batches(max_chunksize=max(_CELLS // max(len(table), 1), 1)):
        writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return text.getvalue().encode()
