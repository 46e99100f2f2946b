"""Match the cells of a table to pictures, by path, base name or stem; a row may have several pictures."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kpipe.data.picture_files import Picture

__all__ = ["NamedPictures", "PictureTable", "match_pictures"]

_ENOUGH, _FEW_COLUMNS = (0.5, 0.9), 3  # share of cells that must name pictures: in a table of few columns, or of more
_MINIMUM = 10  # distinct pictures that a larger table must name: labels such as 0 and 1 may be names of pictures too
_ONE_FOLDER = 0.9  # of the ambiguous cells must be resolved by one folder
_PART = re.compile(r"[-_. ]")

Paths = tuple[str, ...]


@dataclass(frozen=True)
class PictureTable:
    """A table's text, cell by cell.

    Attributes
    ----------
    name : str
        The file's name; "" for a table that kpipe creates.
    header : list of str
    cells : list of list of str
        (rows, columns).
    """

    name: str
    header: list[str]
    cells: list[list[str]]

    def column(self, name: str) -> list[str]:
        """The cells of a column.

        Parameters
        ----------
        name : str

        Returns
        -------
        list of str
        """
        number = self.header.index(name)
        return [row[number] for row in self.cells]


@dataclass(frozen=True)
class NamedPictures:
    """The pictures that the rows of a table name.

    Attributes
    ----------
    columns : tuple of str
        The columns that name them: several if a row has a picture in each of several columns.
    paths : list of tuple of str
        The paths of each row's pictures, in order; empty for a row without pictures.
    aligned : bool
        Whether each row has the same kinds of pictures in the same order, such as red, green and blue.
    others : tuple of str
        Further columns that name the same pictures, such as a file name beside an id.
    """

    columns: tuple[str, ...]
    paths: list[Paths]
    aligned: bool = True
    others: tuple[str, ...] = ()


def match_pictures(table: PictureTable, pictures: Sequence[Picture], usual: Sequence[str] = ()) -> NamedPictures | None:
    """Find the columns of a table that name pictures, and the pictures of each row.

    Parameters
    ----------
    table : PictureTable
    pictures : sequence of Picture
    usual : sequence of str
        Columns that name pictures in another table of the competition.

    Returns
    -------
    NamedPictures or None
        None if no column does.
    """
    wanted = max(1, _ENOUGH[len(table.header) > _FEW_COLUMNS] * len(table.cells))
    for spelled in (str.strip, _in_lower_case, _without_zeros, _base_name):  # cells are stripped already
        index = _index(pictures, spelled)
        named = {name: _look_up(index, table.column(name), spelled) for name in table.header}
        # An age is the number of a picture, too, but many rows have the same one.
        best = max(named, key=lambda name: (len({*named[name]} - {""}), name in usual))
        distinct = len({*named[best]} - {""})
        if sum(map(bool, named[best])) >= wanted and distinct >= min(_MINIMUM, wanted):
            named = {name: _complete(paths, table.column(name), pictures) for name, paths in named.items()}
            return _with_further(table, named, best, wanted)
    return _several(table, pictures, usual, wanted)


def _in_lower_case(name: str) -> str:
    return name.strip().lower()


def _without_zeros(name: str) -> str:
    """0012.jpg and 12 are one picture, if no other one is called 12."""
    return _in_lower_case(name).lstrip("0")


def _base_name(name: str) -> str:
    """Paths of another machine, such as ../input/photos/1.jpg."""
    return _in_lower_case(name).replace("\\", "/").rpartition("/")[2]


def _index(pictures: Sequence[Picture], spelled: Callable[[str], str]) -> Mapping[str, list[str]]:
    """Name → paths of the pictures with that name: the last parts of a path, with or without the extension."""
    index: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        parts = picture.path.split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            for name in {spelled(end), spelled(end[: len(end) - len(picture.name)] + picture.stem)}:
                if index[name][-1:] != [picture.path]:  # the same picture by another end of its path
                    index[name].append(picture.path)
    return index


def _look_up(index: Mapping[str, list[str]], cells: Sequence[str], spelled: Callable[[str], str]) -> list[str]:
    """The path of each cell's picture, "" if there is none.

    If several folders have a picture, such as one for each size, the folder with most of the pictures is used.
    """
    found = [index.get(spelled(cell), []) if cell else [] for cell in cells]
    several = [paths for paths in found if len(paths) > 1]
    if len({paths[0] for paths in several}) < min(_MINIMUM, len(several)):
        several, found = [], [paths if len(paths) == 1 else [] for paths in found]
    folders = Counter(folder for paths in several for folder in {_folder(path) for path in paths})
    chosen = min(folders, key=lambda name: (-folders[name], name), default="")
    if several and folders[chosen] < _ONE_FOLDER * len(several):
        chosen = "/"  # none: a name is ambiguous
    return [
        paths[0] if len(paths) == 1 else next((path for path in paths if _folder(path) == chosen), "")
        for paths in found
    ]


def _complete(paths: list[str], cells: Sequence[str], pictures: Sequence[Picture]) -> list[str]:
    """The paths, with pictures that no row has for cells whose names differ by case alone."""
    if all(paths) or not any(paths):
        return paths
    used = {*paths}
    index = _index([picture for picture in pictures if picture.path not in used], _in_lower_case)
    return [path or found for path, found in zip(paths, _look_up(index, cells, _in_lower_case), strict=True)]


def _folder(path: str) -> str:
    """The folder of a picture without the words train and test, plus the picture's extension."""
    return re.sub(r"train(ing)?|test(ing)?", "", path.rpartition("/")[0].lower()) + path[path.rfind(".") :].lower()


def _with_further(table: PictureTable, named: Mapping[str, list[str]], best: str, wanted: float) -> NamedPictures:
    """The best column's pictures, and those of other columns that name other pictures, such as left and right."""
    columns = [
        name
        for name, paths in named.items()
        if name == best
        or (
            sum(map(bool, paths)) >= wanted
            and not any(cell.replace(".", "").isdigit() for cell in table.column(name)[:100])
            and sum(a != b for a, b in zip(paths, named[best], strict=True)) >= wanted
        )
    ]
    rows = zip(*(named[name] for name in columns), strict=True)
    same = [name for name, paths in named.items() if sum(map(bool, paths)) >= wanted and name not in columns]
    others = tuple(name for name in same if all(a == b for a, b in zip(named[name], named[best], strict=True) if a))
    return NamedPictures(tuple(columns), [tuple(row) if all(row) else () for row in rows], others=others)


def _several(
    table: PictureTable, pictures: Sequence[Picture], usual: Sequence[str], wanted: float
) -> NamedPictures | None:
    """Several pictures a row: ID_red.png and ID_blue.png, ID-1.jpg and ID-2.jpg, or ID/1.jpg and ID/2.jpg."""
    index: dict[str, list[tuple[str, str]]] = defaultdict(list)  # name → (what kind of picture, path)
    for picture in pictures:
        for name, kind in _owners(picture):
            index[name].append((kind, picture.path))
    named = {
        name: [index.get(cell.lower(), []) if cell else [] for cell in table.column(name)] for name in table.header
    }
    best = max(named, key=lambda name: (len({str(each) for each in named[name] if each}), name in usual))
    found = [sorted(each, key=lambda pair: _in_order(pair[0])) for each in named[best]]
    if len({paths[0][1] for paths in found if paths}) < wanted:
        return None
    kinds = {tuple(kind for kind, _ in each) for each in found if each}
    return NamedPictures((best,), [tuple(path for _, path in each) for each in found], aligned=len(kinds) == 1)


def _owners(picture: Picture) -> Iterator[tuple[str, str]]:
    """Yield possible names of a row that has this picture among others, with the rest of the picture's name."""
    stem = picture.stem.lower()
    for part in _PART.finditer(stem):
        yield stem[: part.start()], stem[part.end() :]
    if picture.folders:
        yield picture.folders[-1].lower(), stem


def _in_order(kind: str) -> tuple[int, int, str]:
    """A sort key: colours in the order of channels, then numbers by value."""
    colours = ("red", "green", "blue", "yellow")
    number = re.findall(r"\d+", kind)
    return colours.index(kind) if kind in colours else len(colours), int(number[-1]) if number else 0, kind
