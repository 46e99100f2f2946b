"""Tables of pictures: which picture belongs to which row of train and test, and which label it has.

What a competition of pictures lacks as tables is written here as text, and read like any other file: train and test get
a column with the place of each row's picture among all.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from kpipe.core.wording import listed
from kpipe.data.files import SourceFile
from kpipe.data.formats import parse_tables
from kpipe.data.picture_files import Picture
from kpipe.data.roles import Roles
from kpipe.errors import DataError

__all__ = ["COLUMN", "with_pictures"]

COLUMN = "number of the picture"  # a name that no table has
_FEWEST = 10  # pictures of a competition; fewer illustrate its description
_TRAIN, _TEST = {"train", "training"}, {"test", "testing"}
_ENOUGH, _FEW_COLUMNS = (0.5, 0.9), 3  # share of cells that must name pictures: of labels alone, of a wider table
_LABELLED = re.compile(r"([A-Za-z][A-Za-z ]*?)[._\- ]?\(?\d+\)?$")  # cat.0, dog_12, rose (3)
_MOST_CLASSES = 0.2  # of the pictures, so that names without a system are no classes
_WORDS = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class _Rows:
    """A table's text, cell by cell."""

    name: str
    header: list[str]
    cells: list[list[str]]
    key: str = ""  # the column that names the pictures

    def column(self, name: str) -> list[str]:
        number = self.header.index(name)
        return [row[number] for row in self.cells]


def with_pictures(roles: Roles, pictures: Sequence[Picture]) -> Roles | None:
    """The roles of a competition's files, with tables of its pictures for train and test.

    Parameters
    ----------
    roles : Roles
        Of the tables that there are.
    pictures : sequence of Picture

    Returns
    -------
    Roles or None
        None if no table names the pictures and neither do their folders: then this is no competition of pictures.

    Raises
    ------
    DataError
        A row of test has no picture, or the pictures have no labels; the message names them.
    """
    if len(pictures) < _FEWEST:
        return None
    numbers = {picture.path: str(number) for number, picture in enumerate(pictures)}
    sets = _by_role(pictures)
    train, notes = _train(roles, sets["train"])
    if train is None:
        return None
    test, more = _test(roles, sets["test"], train.key)
    files = {
        **{role: file for role, file in roles.files.items() if role not in ("train", "labels")},
        "train": _as_file(train, "train.csv", numbers),
        "test": _as_file(test, "test.csv", numbers),
    }
    used = {train.name, test.name}
    others = tuple(file for file in roles.others if file.path not in used)
    return replace(roles, files=files, others=others, parts={}, notes=(*roles.notes, *notes, *more))


def _by_role(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    """The pictures that may belong to train, and to test: by their folders, where these say so."""
    named = {role: [p for p in pictures if _says(p, kind)] for role, kind in (("train", _TRAIN), ("test", _TEST))}
    neither = [picture for picture in pictures if not _says(picture, _TRAIN | _TEST)]
    return {role: [*those, *neither] for role, those in named.items()}


def _says(picture: Picture, kind: set[str]) -> bool:
    return any(kind & set(_WORDS.findall(folder.lower())) for folder in picture.folders)


def _train(roles: Roles, pictures: Sequence[Picture]) -> tuple[_Rows | None, list[str]]:
    """The rows of train: of the table that names the pictures, else of the names of files or folders."""
    candidates = [roles.files[role] for role in ("train", "labels") if role in roles.files]
    for file in [*candidates, *roles.others]:
        rows = _read(file)
        if rows is not None and (found := _match(rows, pictures)) is not None:
            column, paths = found
            missing = [cell for cell, path in zip(rows.column(column), paths, strict=True) if not path]
            notes = [f"Each row of {file.name} has a picture, which its column {column} names."]
            if missing:
                notes = [
                    f"{len(missing):,} of {len(paths):,} rows of {file.name} have no picture and are left out: "
                    f"{listed(missing)}."
                ]
            extra = len(pictures) - len({path for path in paths if path})
            if extra and "test" not in roles.files:
                notes.append(f"{extra:,} pictures of train are in no row of {file.name}, and are not used.")
            kept = [[*row, path] for row, path in zip(rows.cells, paths, strict=True) if path]
            return _Rows(file.path, [*rows.header, COLUMN], kept, column), notes
    labels, how = _labels(pictures) if "train" not in roles.files else (None, "")
    if labels is None:
        return None, []
    id, target = _names(roles)
    # In the order of hashes: names or numbers as ids, or classes that take turns, would tell the label.
    ordered = sorted(zip(pictures, labels, strict=True), key=lambda each: sha256(each[0].path.encode()).digest())
    cells = [[str(row + 1), label, picture.path] for row, (picture, label) in enumerate(ordered)]
    counts = Counter(labels)
    shown = ", ".join(f"{label} ({count:,})" for label, count in counts.most_common(5))
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    return _Rows("", [id, target, COLUMN], cells, id), [f"The labels of train are {how}: {shown}{more}."]


def _labels(pictures: Sequence[Picture]) -> tuple[list[str] | None, str]:
    """The label of each picture, by the folder that it lies in or by the letters that its name starts with."""
    folders = [picture.folders[-1] if picture.folders else "" for picture in pictures]
    if _are_classes(folders):
        return folders, "the names of the folders"
    found = [_LABELLED.match(picture.stem) for picture in pictures]
    prefixes = [each[1] if each else "" for each in found]
    if all(prefixes) and _are_classes(prefixes):
        return prefixes, "the beginnings of the file names"
    return None, ""


def _are_classes(labels: Sequence[str]) -> bool:
    counts = Counter(labels)
    return 2 <= len(counts) <= max(2, _MOST_CLASSES * len(labels)) and min(counts.values()) >= 2


def _names(roles: Roles) -> tuple[str, str]:
    """The names of the id and the target: those of the sample submission."""
    sample = _read(roles.files["sample"]) if "sample" in roles.files else None
    if sample is None or len(sample.header) != 2:
        return (sample.header[0] if sample is not None else "id"), "label"
    return sample.header[0], sample.header[1]


def _test(roles: Roles, pictures: Sequence[Picture], usual: str) -> tuple[_Rows, list[str]]:
    """The rows of test: of test's table, else of the sample submission, else all pictures of test."""
    for role in ("test", "sample"):
        rows = _read(roles.files[role]) if role in roles.files else None
        if rows is None:
            continue
        found = _match(rows, pictures, usual)
        if found is None:
            first = f"Its first row is {', '.join(rows.cells[0][:5])}." if rows.cells else "It has no rows."
            raise DataError(
                f"No column of {rows.name} names the pictures of test, such as {_examples(pictures)}. {first}",
                code="unmatched-ids",
                file=rows.name,
            )
        column, paths = found
        if missing := [cell for cell, path in zip(rows.column(column), paths, strict=True) if not path]:
            raise DataError(
                f"{len(missing):,} of {len(paths):,} rows of {rows.name} have no picture: {listed(missing)}. There are "
                f"{len(pictures):,} pictures of test, such as {_examples(pictures)}. Check that all were downloaded.",
                code="unmatched-ids",
                file=rows.name,
            )
        kept = [name for name in rows.header if role == "test" or name == column]
        columns = [rows.column(name) for name in kept] + [paths]
        return _Rows(roles.files[role].path, [*kept, COLUMN], [list(row) for row in zip(*columns, strict=True)]), []
    if not pictures:
        raise DataError(
            "There are no pictures to predict: put them into a folder test, or name them in a test.csv.", code="no-test"
        )
    ordered = sorted(pictures, key=_by_number)
    note = f"The rows to predict are all {len(ordered):,} pictures of test, in the order of their names."
    return _Rows("", [usual, COLUMN], [[picture.stem, picture.path] for picture in ordered]), [note]


def _by_number(picture: Picture) -> tuple[int, str]:
    numbers = re.findall(r"\d+", picture.stem)
    return int(numbers[-1]) if numbers else 0, picture.path


def _examples(pictures: Sequence[Picture]) -> str:
    return listed([picture.path for picture in pictures[:3]]) or "none"


def _match(rows: _Rows, pictures: Sequence[Picture], usual: str = "") -> tuple[str, list[str]] | None:
    """The column that names the pictures, and the path of each row's picture, "" where there is none.

    Of several columns that name as many, it is the ``usual`` one: that of train.
    """
    enough = _ENOUGH[len(rows.header) > _FEW_COLUMNS]
    for spelled in (str.strip, _in_lower_case, _without_zeros):  # cells have lost the blanks around them
        index = _index(pictures, spelled)
        named = {name: [index.get(spelled(cell), "") for cell in rows.column(name)] for name in rows.header}
        # An age is the number of a picture, too, but many rows have the same one.
        best = max(named, key=lambda name: (len({*named[name]} - {""}), name == usual))
        if sum(map(bool, named[best])) >= max(1, enough * len(rows.cells)):
            return best, named[best]
    return None


def _in_lower_case(name: str) -> str:
    return name.strip().lower()


def _without_zeros(name: str) -> str:
    """0012.jpg and 12 are one picture, where no other is called 12."""
    return _in_lower_case(name).lstrip("0")


def _index(pictures: Sequence[Picture], spelled: Callable[[str], str]) -> dict[str, str]:
    """What names a picture → its path: its path, its base name and its stem, where only one picture has it."""
    index: dict[str, str] = {}
    for part in ("stem", "name", "path"):
        found: dict[str, list[str]] = {}
        for picture in pictures:
            found.setdefault(spelled(getattr(picture, part)), []).append(picture.path)
        index |= {name: paths[0] for name, paths in found.items() if len(paths) == 1}
    return index


def _read(file: SourceFile) -> _Rows | None:
    """A table's cells; None if it cannot be read."""
    try:
        (parsed,) = parse_tables([file.name], [file.read()])
    except DataError:
        return None
    columns = [[cell.strip() for cell in parsed.columns[name].to_pylist()] for name in parsed.header]
    return _Rows(file.name, parsed.header, [list(row) for row in zip(*columns, strict=True)])


def _as_file(rows: _Rows, name: str, numbers: Mapping[str, str]) -> SourceFile:
    """The rows as a file of text, whose last column has the number of each picture in place of its path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows.header)
    writer.writerows([*cells, numbers[path]] for *cells, path in rows.cells)
    content = text.getvalue().encode()
    path = rows.name or name
    return SourceFile(f"{SourceFile(path, bytes).stem}.csv", lambda most=None: content[:most])  # no longer packed
