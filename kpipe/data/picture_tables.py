"""Tables for competitions with pictures: which pictures and which label each row of train and test has.

Tables that such a competition lacks are written here as CSV and read like any other file. Train and test get a column
with the positions of each row's pictures in the list of all pictures.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from kpipe.core.wording import listed
from kpipe.data.column_names import words_of
from kpipe.data.files import SourceFile
from kpipe.data.formats import parse_tables
from kpipe.data.picture_files import Picture
from kpipe.data.picture_labels import TEST_WORDS, TRAIN_WORDS, labels_in_names, refuse_regions, without_drawings
from kpipe.data.picture_names import NamedPictures, PictureTable, match_pictures
from kpipe.data.roles import Roles
from kpipe.errors import DataError

__all__ = ["COLUMN", "PicturedRoles", "numbers_of", "unused_note", "with_pictures"]

COLUMN = "numbers of the pictures"  # a name that no table is expected to have
_MINIMUM = 10  # pictures of a competition; fewer are illustrations of its description
_MAX_BELOW = 4  # pictures of one row that are stacked vertically
_MAX_ALIGNED = 6


@dataclass(frozen=True)
class PicturedRoles:
    """The files of a competition with pictures.

    Attributes
    ----------
    roles : Roles
        Train and test have the column ``COLUMN``, see ``numbers_of``.
    aligned : bool
        Whether the pictures of a row become channels of one picture; otherwise they are stacked vertically.
    """

    roles: Roles
    aligned: bool


@dataclass(frozen=True)
class _Rows:
    """Rows of train or test with their pictures."""

    table: PictureTable
    named: NamedPictures
    notes: tuple[str, ...] = ()


def with_pictures(roles: Roles, pictures: Sequence[Picture]) -> PicturedRoles | None:
    """Assign the roles of a competition's files, with tables of its pictures for train and test.

    Parameters
    ----------
    roles : Roles
        The roles of the existing tables.
    pictures : sequence of Picture

    Returns
    -------
    PicturedRoles or None
        None if neither a table nor folders assign the pictures to rows or labels.

    Raises
    ------
    DataError
        A row of test has no picture, the pictures have no labels, or the competition asks for more than labels and
        numbers; the message names them.
    """
    if len(pictures) < _MINIMUM:
        return None
    plain, drawings = without_drawings(pictures)
    sample = _read(roles.files["sample"]) if "sample" in roles.files else None
    train = _train(roles, plain, sample, drawings)
    if train is None:
        return None
    test = _test(roles, plain, train, sample)
    paths = [path for rows in (train, test) for each in rows.named.paths for path in each]
    aligned = train.named.aligned and test.named.aligned and max(map(len, train.named.paths)) <= _MAX_ALIGNED
    count = max(map(len, train.named.paths)) if aligned else _MAX_BELOW
    numbers = {picture.path: number for number, picture in enumerate(pictures)}
    files = {
        **{role: file for role, file in roles.files.items() if role not in ("train", "labels")},
        "train": _as_file(_without_names(train, sample), "train.csv", numbers, count),
        "test": _as_file(_without_names(test, sample), "test.csv", numbers, count),
    }
    used = {train.table.name, test.table.name}
    others = tuple(file for file in roles.others if file.path not in used)
    notes = (*roles.notes, *train.notes, *test.notes, *_notes(train, pictures, paths, drawings, aligned, count))
    return PicturedRoles(replace(roles, files=files, others=others, parts={}, notes=notes), aligned)


def unused_note(pictures: Sequence[Picture]) -> list[str]:
    """The note for a competition whose pictures cannot be assigned to rows by a table or by folders.

    Parameters
    ----------
    pictures : sequence of Picture

    Returns
    -------
    list of str
        Empty for a few pictures, which are illustrations.
    """
    if len(pictures) < _MINIMUM:
        return []
    paths = listed([picture.path for picture in pictures], most=3)
    return [
        f"{len(pictures):,} pictures are not used, such as {paths}: no table column contains their names, and neither "
        "their folders nor their names are labels. To learn from them, add a column with their paths to train.csv and "
        "test.csv."
    ]


def _notes(
    train: _Rows,
    pictures: Sequence[Picture],
    paths: Sequence[str],
    drawings: Sequence[Picture],
    aligned: bool,
    count: int,
) -> Iterator[str]:
    """Notes about pictures that are not used, and about rows with several pictures."""
    most = max(map(len, train.named.paths))
    example = next(paths for paths in train.named.paths if len(paths) == most)
    if most > 1 and aligned:
        yield f"Each row has {count} pictures, which become channels of one picture: {listed(train.named.paths[0])}."
    elif most > 1:
        yield f"A row has up to {most} pictures, such as {listed(example)}: the first {count} are stacked vertically."
    used = {*paths, *(drawing.path for drawing in drawings)}
    if unused := [picture.path for picture in pictures if picture.path not in used]:
        yield f"Pictures that belong to no row are ignored ({len(unused):,}): {listed(unused)}."
    if drawings:
        yield f"Masks and similar pictures are ignored ({len(drawings):,}): {listed([each.path for each in drawings])}."


def _of_role(pictures: Sequence[Picture], own: set[str], other: set[str]) -> tuple[list[Picture], list[Picture]]:
    """The pictures in folders named like a role, and those in folders named like neither role."""
    says = {picture.path: set().union(*map(words_of, picture.folders)) for picture in pictures}
    named = [picture for picture in pictures if says[picture.path] & own]
    return named, [picture for picture in pictures if not says[picture.path] & (own | other)]


def _train(
    roles: Roles, pictures: Sequence[Picture], sample: PictureTable | None, drawings: Sequence[Picture]
) -> _Rows | None:
    """The rows of train, from the table that names the pictures, or else from the names of files or folders."""
    named, neither = _of_role(pictures, TRAIN_WORDS, TEST_WORDS)
    candidates = [roles.files[role] for role in ("train", "labels") if role in roles.files]
    for file in [*candidates, *roles.others]:
        table = _read(file)
        if table is not None and (found := match_pictures(table, [*named, *neither])) is not None:
            refuse_regions(table, sample, drawings)
            return _rows_with_pictures(replace(table, name=file.path), file.name, found)
    if "train" in roles.files:
        return None
    labelled = named or neither
    labels, how = labels_in_names(labelled)
    if labels is None:
        if drawings:
            refuse_regions(None, sample, drawings)
        return None
    id, target = _names(sample)
    # In the order of hashes: in the order of names, the id would reveal the label.
    ordered = sorted(zip(labelled, labels, strict=True), key=lambda each: sha256(each[0].path.encode()).digest())
    cells = [[str(row + 1), label] for row, (_, label) in enumerate(ordered)]
    counts = Counter(labels)
    shown = ", ".join(f"{label} ({count:,})" for label, count in counts.most_common(5))
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    return _Rows(
        PictureTable("", [id, target], cells),
        NamedPictures((id,), [(picture.path,) for picture, _ in ordered]),
        (f"The labels of train are {how}: {shown}{more}.",),
    )


def _rows_with_pictures(table: PictureTable, name: str, found: NamedPictures) -> _Rows:
    """The rows of a table of train that have pictures."""
    columns = " and ".join(found.columns)
    note = f"Each row of {name} has a picture, named in column {columns}."
    if len(found.columns) > 1:
        note = f"Each row of {name} has {len(found.columns)} pictures, which its columns {columns} name."
    elif any(len(paths) > 1 for paths in found.paths):
        note = f"Each row of {name} has pictures whose names start with the value of column {columns}."
    missing = [cell for cell, paths in zip(table.column(found.columns[0]), found.paths, strict=True) if not paths]
    if missing:
        note = (
            f"{len(missing):,} of {len(found.paths):,} rows of {name} have no picture and are left out: "
            f"{listed(missing)}."
        )
    kept = [row for row, paths in zip(table.cells, found.paths, strict=True) if paths]
    paths = [paths for paths in found.paths if paths]
    return _Rows(replace(table, cells=kept), replace(found, paths=paths), (note,))


def _names(sample: PictureTable | None) -> tuple[str, str]:
    """The names of the id and the target, as in the sample submission."""
    if sample is None or len(sample.header) != 2:
        return (sample.header[0] if sample is not None else "id"), "label"
    return sample.header[0], sample.header[1]


def _test(roles: Roles, pictures: Sequence[Picture], train: _Rows, sample: PictureTable | None) -> _Rows:
    """The rows of test, from test's table or the sample submission, or else all pictures of test."""
    named, neither = _of_role(pictures, TEST_WORDS, TRAIN_WORDS)
    if not (named or neither):
        raise DataError(
            "There are no pictures to predict: put them into a folder test. All pictures belong to train, such as "
            f"{_examples(pictures)}.",
            code="no-test",
        )
    for role in ("test", "sample"):
        table = sample if role == "sample" else _read(roles.files[role]) if role in roles.files else None
        if table is not None:
            found = _match_every_row(table, [*named, *neither], train, sample)
            kept = [name for name in table.header if role == "test" or name == found.columns[0]]
            cells = [list(row) for row in zip(*(table.column(name) for name in kept), strict=True)]
            return _Rows(PictureTable(roles.files[role].path, kept, cells), found)
    ordered = sorted(named or neither, key=_by_number)
    note = f"The rows to predict are all {len(ordered):,} test pictures, in the order of their names."
    id = train.named.columns[0]
    rows = PictureTable("", [id], [[picture.stem] for picture in ordered])
    return _Rows(rows, NamedPictures((id,), [(picture.path,) for picture in ordered]), (note,))


def _match_every_row(
    table: PictureTable, pictures: Sequence[Picture], train: _Rows, sample: PictureTable | None
) -> NamedPictures:
    """The pictures of the rows of test. Raises DataError if a row has none."""
    found = match_pictures(table, pictures, train.named.columns)
    if found is None:
        refuse_regions(train.table, sample, ())
        first = f"Its first row is {', '.join(table.cells[0][:5])}." if table.cells else "It has no rows."
        raise DataError(
            f"No column of {table.name} names the pictures of test, such as {_examples(pictures)}. {first}",
            code="unmatched-ids",
            file=table.name,
        )
    if missing := [cell for cell, paths in zip(table.column(found.columns[0]), found.paths, strict=True) if not paths]:
        raise DataError(
            f"{len(missing):,} of {len(found.paths):,} rows of {table.name} have no picture: {listed(missing)}. There "
            f"are {len(pictures):,} test pictures, such as {_examples(pictures)}. Check that all pictures were "
            "downloaded.",
            code="unmatched-ids",
            file=table.name,
        )
    return found


def _by_number(picture: Picture) -> tuple[int, str]:
    numbers = re.findall(r"\d+", picture.stem)
    return int(numbers[-1]) if numbers else 0, picture.path


def _examples(pictures: Sequence[Picture]) -> str:
    return listed([picture.path for picture in pictures[:3]]) or "none"


def _read(file: SourceFile) -> PictureTable | None:
    """A table's cells; None if it cannot be read."""
    try:
        (parsed,) = parse_tables([file.name], [file.read()])
    except DataError:
        return None
    columns = [[cell.strip() for cell in parsed.columns[name].to_pylist()] for name in parsed.header]
    return PictureTable(file.name, parsed.header, [list(row) for row in zip(*columns, strict=True)])


def _without_names(rows: _Rows, sample: PictureTable | None) -> _Rows:
    """The rows without the columns that name pictures, if another column is the id."""
    header, id = rows.table.header, sample.header[0] if sample is not None else rows.table.header[0]
    known = id.lower() in map(str.lower, header)
    naming = {*rows.named.columns, *rows.named.others} if known else set()
    kept = [name for name in header if name.lower() == id.lower() or name not in naming]
    cells = [list(row) for row in zip(*(rows.table.column(name) for name in kept), strict=True)]
    return replace(rows, table=replace(rows.table, header=kept, cells=cells))


def _as_file(rows: _Rows, name: str, numbers: Mapping[str, int], count: int) -> SourceFile:
    """The rows as a CSV file, whose last column has the positions of each row's pictures."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*rows.table.header, COLUMN])
    for cells, paths in zip(rows.table.cells, rows.named.paths, strict=True):
        writer.writerow([*cells, " ".join(f"n{numbers[path]}" for path in paths[:count])])  # n makes it text
    content = text.getvalue().encode()
    path = rows.table.name or name
    return SourceFile(f"{SourceFile(path, bytes).stem}.csv", lambda most=None: content[:most])  # no longer packed


def numbers_of(cell: str) -> tuple[int, ...]:
    """Parse the positions of a row's pictures from its cell in ``COLUMN``.

    Parameters
    ----------
    cell : str

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> numbers_of("n3 n12")
    (3, 12)
    """
    return tuple(int(number[1:]) for number in cell.split())
