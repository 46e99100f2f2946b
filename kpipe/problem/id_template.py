"""Learn how ids of the sample submission are built from test's columns, such as ``Store_Dept_Date``."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

__all__ = ["IdTemplate", "find_template"]

_MAX_STEPS = 20_000  # of the search for templates of one id
_MAX_TEMPLATES = 200  # that are tried on test's rows
_PROBED = 1_000  # rows of test on which a template is tried before all rows
_MAX_SEPARATOR = 4  # characters between two columns
_LITERAL = re.compile(r"[\W_]*|[\W_]+[a-z][\W_]+|x", re.IGNORECASE)  # "", "_", " - ", " x "


@dataclass(frozen=True)
class _Part:
    """A column and the format of its values in ids."""

    column: str
    form: str

    def texts(self, frame: pd.DataFrame) -> pd.Series | None:
        """(n,) the column's values as in ids; None if they cannot be formatted in this way."""
        return _format(frame[self.column], self.form) if self.column in frame else None


@dataclass(frozen=True)
class IdTemplate:
    """How the ids of the sample submission are built from columns.

    Attributes
    ----------
    parts : tuple of _Part
        The columns, with the formats of their values.
    literals : tuple of str
        The text before each part, and after the last.
    """

    parts: tuple[_Part, ...]
    literals: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in the order of the ids."""
        return tuple(part.column for part in self.parts)

    def __str__(self) -> str:
        """Such as ``{Store}_{Dept}``."""
        words = [f"{literal}{{{column}}}" for literal, column in zip(self.literals, self.columns, strict=False)]
        return "".join(words) + self.literals[-1]

    def build(self, frame: pd.DataFrame) -> pd.Series | None:
        """Build the ids of a table's rows.

        Parameters
        ----------
        frame : DataFrame of shape (n, columns)

        Returns
        -------
        Series or None
            (n,) str; None where a column is missing.
        """
        texts = [part.texts(frame) for part in self.parts]
        ids: pd.Series | str = self.literals[0]
        for text, literal in zip(texts, self.literals[1:], strict=True):
            if text is None:
                return None
            ids = ids + text + literal
        return ids if isinstance(ids, pd.Series) else None


def find_template(test: pd.DataFrame, ids: pd.Series) -> IdTemplate | None:
    """Find the template that builds exactly the ids of the sample submission from the rows of test.

    Parameters
    ----------
    test : DataFrame of shape (m, columns)
    ids : Series
        (s,) the ids of the sample submission. Test may have further rows.

    Returns
    -------
    IdTemplate or None
        If several templates fit, the one with the fewest columns, in test's order.

    Examples
    --------
    >>> test = pd.DataFrame({"Store": [2, 1], "Dept": [7, 8]})
    >>> str(find_template(test, pd.Series(["1_8", "2_7"])))
    '{Store}_{Dept}'
    """
    wanted = ids.astype(str)
    if len(test) < len(wanted) or not wanted.is_unique or wanted.str.len().max() > 200:
        return None
    candidates = list(itertools.islice(_candidates(test, wanted), _MAX_TEMPLATES))
    order = {name: position for position, name in enumerate(test.columns)}
    candidates.sort(key=lambda one: (len(one.parts), [order[name] for name in one.columns]))
    known = pd.Index(wanted)
    return next((one for one in candidates if _fits(one, test, known)), None)


def _fits(template: IdTemplate, test: pd.DataFrame, wanted: pd.Index) -> bool:
    if len(wanted) == len(test):
        probe = template.build(test.head(_PROBED))
        if probe is None or not probe.isin(wanted).all():
            return False
    built = template.build(test)
    return built is not None and built.is_unique and bool(wanted.isin(built).all())


def _candidates(test: pd.DataFrame, ids: pd.Series) -> Iterator[IdTemplate]:
    """Yield templates that build the first id."""
    text = str(ids.iloc[0])
    values = {part: found for part, found in _values(test) if _contains_any(text, found)}
    start = os.path.commonprefix(list(ids)) if len(ids) > 1 else ""  # noqa: RUF071  # letters, no paths
    end = os.path.commonprefix([one[::-1] for one in ids]) if len(ids) > 1 else ""  # noqa: RUF071
    steps = itertools.count()

    def search(position: int, parts: tuple[_Part, ...], literals: tuple[str, ...]) -> Iterator[IdTemplate]:
        rest = len(text) - position
        if parts and rest <= len(end):
            yield IdTemplate(parts, (*literals, text[position:]))
        used = {part.column for part in parts}
        longest = _MAX_SEPARATOR if parts else len(start)
        for skipped in range(min(longest, rest) + 1):
            literal = text[position : position + skipped]
            if parts and not _LITERAL.fullmatch(literal):
                continue
            begin = position + skipped
            for part, known in values.items():
                if part.column in used:
                    continue
                for stop in range(begin + 1, len(text) + 1):
                    if next(steps) > _MAX_STEPS:
                        return
                    if text[begin:stop] in known:
                        yield from search(stop, (*parts, part), (*literals, literal))

    return search(0, (), ())


def _contains_any(text: str, values: set[str]) -> bool:
    """Whether a part of a text is one of the values."""
    return any(text[a:b] in values for a, b in itertools.combinations(range(len(text) + 1), 2))


def _values(test: pd.DataFrame) -> Iterator[tuple[_Part, set[str]]]:
    """Yield each column in each format that changes its values, with the set of the values."""
    for column in test.columns:
        seen: list[set[str]] = []
        for form in _forms(test[column]):
            texts = _format(test[column], form)
            if texts is not None and (found := set(texts.dropna())) not in seen:
                seen.append(found)
                yield _Part(str(column), form), found


def _forms(column: pd.Series) -> Sequence[str]:
    if pd.api.types.is_bool_dtype(column):
        return ("text",)
    if pd.api.types.is_float_dtype(column):
        return ("number",)
    if pd.api.types.is_integer_dtype(column):
        widths = range(len(str(column.max())), 13) if len(column) else ()
        return ("text", *(f"pad {width}" for width in widths if width > 1))
    return ("text", "trimmed", "number", "digits", "upper", "lower")


def _format(column: pd.Series, form: str) -> pd.Series | None:
    """(n,) values in a format: stripped, as integers, zero-padded, digits only, or in one case."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.dt.strftime("%Y-%m-%d")
    if form == "number":
        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.isna().any() or (numbers % 1 != 0).any() or (numbers.abs() > 2**53).any():
            return None
        return numbers.astype("int64").astype(str)
    text = column.astype(str)
    if form in ("upper", "lower"):
        return text.str.upper() if form == "upper" else text.str.lower()
    if form == "digits":
        return text.str.replace(r"\D", "", regex=True) if text.head(50).str.fullmatch(r"[\d/.-]{6,10}").all() else None
    return text.str.strip() if form == "trimmed" else text.str.zfill(int(form[4:])) if form != "text" else text
