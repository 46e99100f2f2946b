"""Single cells that do not fit their column: infinite numbers, and text or symbols in a column of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import TypedColumn, strictest
from kpipe.data.numbers import NumberFormat
from kpipe.errors import DataError

__all__ = ["OnNote", "check_numbers", "without_infinite_cells", "without_odd_cells"]

OnNote = Callable[[str], None]  # called with a sentence for the user

# A column of at least 50 values is numeric if all but 3 of them, or all but 1 %, are numbers. If the same column in the
# other table holds only numbers, up to 5 % may be something else.
_MIN_VALUES, _MAX_STRAYS, _SHARE_OF_STRAYS, _SHARE_BESIDE_NUMBERS = 50, 3, 0.01, 0.05
_SAMPLED = 1000  # cells that decide whether all cells are examined
_BATCH = 4096  # cells converted to Python strings at a time: the first few often decide
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|(?i)^\s*[+-]?inf(inity)?\s*$"
# What people write for a missing number, in lower case.
_PLACEHOLDERS = pa.array(
    "|?|??|-|--|---|.|..|*|n.a.|n.a|na|n/a|nan|nil|none|null|unknown|missing|undefined|not available|#div/0!"
    "|#value!|#ref!|#name?|#num!|#n/a|-inf|#null!".split("|")
)


def without_infinite_cells(
    files: Mapping[str, CsvFile], name: str, typed: Mapping[str, TypedColumn], on_note: OnNote
) -> dict[str, TypedColumn]:
    """Replace infinite numbers by missing values.

    Parameters
    ----------
    files : mapping of role to CsvFile
        Files that have the column.
    name : str
        The column.
    typed : mapping of role to TypedColumn
        Its values in each file.
    on_note : callable
        Called with a sentence that says how many cells are affected, and where.

    Returns
    -------
    dict of role to TypedColumn
    """
    found = dict(typed)
    for role, column in typed.items():
        infinite = pc.is_inf(column.values) if column.kind == "float" else None
        row = -1 if infinite is None else pc.index(infinite, True).as_py()
        if row >= 0:
            count = pc.sum(infinite).as_py()
            found[role] = TypedColumn("float", pc.if_else(infinite, pa.scalar(None, pa.float64()), column.values))
            more = f", here and in {count - 1:,} more cells" if count > 1 else ""
            on_note(f"{files[role].place(row)}: {name!r} is infinite{more}: read as missing. As text: --text {name}.")
    return found


def without_odd_cells(
    files: Mapping[str, CsvFile], name: str, typed: Mapping[str, TypedColumn], on_note: OnNote
) -> dict[str, TypedColumn]:
    """Replace the few cells of a numeric column that are not numbers by missing values; leave other columns unchanged.

    There may be many placeholders of a missing number (``?``, ``-``, a blank), but only few other cells (``3O``).

    Parameters
    ----------
    files : mapping of role to CsvFile
        Files that have the column.
    name : str
        The column.
    typed : mapping of role to TypedColumn
        Its values in each file.
    on_note : callable
        Called with a sentence that says how many cells are affected, and where.

    Returns
    -------
    dict of role to TypedColumn
    """
    texts = {role: column.values for role, column in typed.items() if column.kind == "text"}
    if not texts or not all(map(_may_hold_numbers, texts.values())):
        return dict(typed)
    numbers = {role: pc.match_substring_regex(values, _NUMBER) for role, values in texts.items()}
    placeholders = {role: _are_placeholders(values) for role, values in texts.items()}
    odd = {role: pc.invert(pc.or_(numbers[role], placeholders[role])) for role in texts}
    strays = sum(_count(mask) for mask in odd.values())
    total = sum(_count(mask) for mask in numbers.values()) + strays
    total += sum(column.present for role, column in typed.items() if role not in texts)
    beside = len(typed) > len(texts) and strays <= max(1, _SHARE_BESIDE_NUMBERS * total)
    few = total >= _MIN_VALUES and strays <= max(_MAX_STRAYS, _SHARE_OF_STRAYS * total)
    if not (strays == 0 or beside or few) or total <= 2 * strays:
        return dict(typed)
    if strays and any(map(_are_formatted, texts.values())):
        return dict(typed)
    null = pa.scalar(None, pa.string())
    found = {role: strictest(pc.fill_null(pc.if_else(numbers[role], texts[role], null), "")) for role in texts}
    if any(column.kind not in ("int", "float", "empty") for column in found.values()):
        return dict(typed)  # codes with leading zeros
    for role, values in texts.items():
        _describe(files[role], name, values, pc.invert(numbers[role]), on_note)
    return dict(typed) | found


def _are_formatted(values: pa.ChunkedArray) -> bool:
    """Whether cells are formatted numbers (1,234 or 36 months), which are parsed later."""
    return NumberFormat.of(values.to_pandas()) is not None


def _share_a_format(values: pa.ChunkedArray, others: Sequence[pa.ChunkedArray]) -> bool:
    """Whether one number format parses nearly all of these cells and the numbers of the other files."""
    texts = [part.slice(0, _SAMPLED).drop_null().cast(pa.string()).to_pandas() for part in (values, *others)]
    form = NumberFormat.of(pd.concat(texts, ignore_index=True))
    return form is not None and all(form.parse(text).notna().mean() >= 1 - _SHARE_BESIDE_NUMBERS for text in texts)


def _may_hold_numbers(values: pa.ChunkedArray) -> bool:
    """Whether most of the first cells that are not missing are numbers."""
    first = values.slice(0, _SAMPLED).drop_null()
    numbers = _count(pc.match_substring_regex(first, _NUMBER))
    return 2 * numbers >= len(first) - _count(_are_placeholders(first)) and (numbers > 0 or len(first) < len(values))


def _are_placeholders(values: pa.ChunkedArray) -> pa.ChunkedArray:
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    return pc.if_else(pc.is_valid(values), pc.is_in(plain, _PLACEHOLDERS), pa.scalar(None, pa.bool_()))


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _describe(file: CsvFile, name: str, values: pa.ChunkedArray, odd: pa.ChunkedArray, on_note: OnNote) -> None:
    """Report how many cells are not numbers, what they hold, and where the first one is."""
    count, row = _count(odd), pc.index(odd, True).as_py()
    if row < 0:
        return
    different = pc.unique(values.filter(pc.fill_null(odd, False))).to_pylist()[:4]
    shown = ", ".join(repr(cell[:20]) for cell in different[:3]) + (", ..." if len(different) > 3 else "")
    cells = f"{count:,} cell{'s' * (count > 1)}"
    on_note(
        f"{file.place(row)}: {name!r} holds numbers except in {cells} ({shown}), read as missing. "
        f"As text: --text {name}."
    )


def check_numbers(files: Mapping[str, CsvFile], name: str, typed: Mapping[str, TypedColumn]) -> None:
    """Refuse text in a column that holds only numbers in the other file, if numbers are at least as many as texts.

    Fewer numbers prove nothing: by chance, the only row of test may have a ticket number without letters.

    Parameters
    ----------
    files : mapping of role to CsvFile
        Files that have the column.
    name : str
        The column.
    typed : mapping of role to TypedColumn
        Its values in each file.

    Raises
    ------
    DataError
        The message names file, line, column and cell.
    """
    numbers = sum(column.present for column in typed.values() if column.kind in ("int", "float"))
    for role, column in typed.items():
        if column.kind != "text" or not numbers:
            continue
        rows = _rows_of_text(column.values, most=numbers)
        # Formatted numbers such as 1,234 are parsed later, if one format fits both files.
        others = [other.values for other in typed.values() if other is not column]
        if rows and len(rows) <= numbers and not _share_a_format(column.values, others):
            cells = f", here and in {len(rows) - 1:,} more cells" if len(rows) > 1 else ""
            raise DataError(
                f"{files[role].place(rows[0])}: {name!r} must hold numbers, as in the other file; got "
                f"{column.values[rows[0]].as_py()[:100]!r}{cells}. Fix the cells, leave them empty, or read the column "
                f'as text with text=["{name}"] (--text {name}).',
                code="not-a-number",
                column=name,
                **files[role].where(rows[0]),
            )
        _check_scales(files[role], name, column, typed)


def _check_scales(file: CsvFile, name: str, column: TypedColumn, typed: Mapping[str, TypedColumn]) -> None:
    """Refuse numbers with a unit here and plain numbers in the other file if they cannot be on the same scale."""
    others = [other for other in typed.values() if other.kind in ("int", "float")]
    if not others or not _are_formatted(column.values.slice(0, _SAMPLED)):
        return
    if not _share_a_format(column.values, [other.values for other in others]):
        formatted, plain = (pc.drop_null(values)[0].as_py() for values in (column.values, others[0].values))
        raise DataError(
            f"{file.name}: {name!r} is written as {str(formatted)[:100]!r} here and as {plain} in the other file, and "
            f"it is unclear how to compare the two. Write them in the same way, leave the column out (--drop {name}), "
            f"or read it as text (--text {name}).",
            code="not-a-number",
            file=file.name,
            column=name,
        )


def _rows_of_text(values: pa.ChunkedArray, *, most: int) -> list[int]:
    """Rows whose cells are not numbers; stops after ``most`` + 1 of them, since the column is text then."""
    cells = enumerate(cell for chunk in values.chunks for part in _batches(chunk) for cell in part.to_pylist())
    return list(itertools.islice((row for row, cell in cells if cell is not None and not _is_number(cell)), most + 1))


def _batches(chunk: pa.StringArray) -> Iterator[pa.StringArray]:
    return (chunk[start : start + _BATCH] for start in range(0, len(chunk), _BATCH))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
