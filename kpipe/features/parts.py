"""Parts of labels that identify rows: pieces between marks (L47181/P), frequent words, and numbers in titles."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

__all__ = ["LabelParts"]

_PIECE = r"\d+|[^\W\d_]+"
_MIN_SHARE = 0.95  # of the cells must have the same pieces in the same order
_MAX_PIECES = 12  # more, and it is a text or a hash
_MIN_REPEATED = 0.5  # of the cells must have a piece, or a word, that other cells have
_MIN_WORD_SHARE, _MAX_WORDS = 0.01, 50  # of the cells must have a word; words at most
_SAMPLED = 2000  # cells that decide


@dataclass(frozen=True)
class LabelParts:
    """Parts that the labels of a column share, although nearly every row has a unique label.

    Parameters
    ----------
    shape : str
        The pieces of a label, "a" for letters and "0" for digits; "" where labels have no common shape.
    pieces : tuple of int
        The positions of pieces that carry information.
    words : tuple of str
        Frequent words, in lower case.
    has_number : bool
        Whether the first number of a title is a feature.
    """

    shape: str
    pieces: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    has_number: bool = False

    @classmethod
    def fit(cls, column: pd.Series) -> Self | None:
        """The parts of a column's labels, or None if they have nothing in common.

        Parameters
        ----------
        column : Series of shape (n,)
            Text of the fitting rows.

        Returns
        -------
        LabelParts or None
        """
        cells = column.dropna().astype(str)
        sampled = cells.iloc[:: max(1, len(cells) // _SAMPLED)]
        found = sampled.str.findall(_PIECE)
        shapes = found.map(_shape)
        if not len(shapes):
            return None
        shape, count = Counter(shapes).most_common(1)[0]
        if count >= _MIN_SHARE * len(shapes) and 1 < len(shape) <= _MAX_PIECES:
            pieces = tuple(n for n, kind in enumerate(shape) if _is_informative(found[shapes == shape].str[n], kind))
            return cls(shape, pieces) if pieces else None
        words = _frequent_words(sampled)
        has_number = bool(words) and bool(_first_number(cells).notna().mean() > _MIN_REPEATED)
        return cls("", words=words, has_number=has_number) if words else None

    def transform(self, column: pd.Series) -> dict[str, pd.Series]:
        """The parts as columns: pieces of letters as labels, pieces of digits as numbers, and words as 0 or 1.

        Parameters
        ----------
        column : Series of shape (n,)
            The same column of any rows.

        Returns
        -------
        dict of str to Series of shape (n,)
            By name; missing where a label has another shape.
        """
        text = column.astype(object).where(column.notna(), "").astype(str)
        if not self.shape:
            lower = text.str.lower()
            words = {f"{column.name}: {word}": _has_word(lower, word) for word in self.words}
            number = {f"{column.name}: number": _first_number(text)} if self.has_number else {}
            sizes = {f"{column.name}: words": text.str.count(r"\S+").astype(float)}
            return words | number | sizes
        found = text.str.findall(_PIECE)
        found = found.where(found.map(_shape) == self.shape)
        parts = {}
        for n in self.pieces:
            piece = found.str[n]
            values = pd.to_numeric(piece).astype(float) if self.shape[n] == "0" else piece.astype("str")
            parts[f"{column.name}: part {n + 1}"] = values
        return parts


def _shape(pieces: list[str]) -> str:
    return "".join("0" if piece[0].isdecimal() else "a" for piece in pieces)


def _is_informative(pieces: pd.Series, kind: str) -> bool:
    """Whether a piece differs between labels, and is a number that does not count the rows, or letters that repeat."""
    if pieces.nunique() < 2:
        return False
    if kind == "a":
        return bool(pieces.duplicated(keep=False).mean() >= _MIN_REPEATED)
    if pieces.str.len().max() > 15:
        return False  # a hash
    steps = np.diff(pd.to_numeric(pieces).to_numpy(dtype=float))
    return not bool((steps > 0).all() or (steps < 0).all())


def _frequent_words(cells: pd.Series) -> tuple[str, ...]:
    """Words that many cells have; none where fewer than half of the cells have such a word."""
    found = cells.str.lower().str.findall(r"[^\W\d_]\w+").map(set)
    counts = Counter(word for words in found for word in words)
    least = max(3, _MIN_WORD_SHARE * len(found))
    frequent = [word for word, count in counts.most_common(_MAX_WORDS) if least <= count < len(found)]
    covered = found.map(lambda words: not words.isdisjoint(frequent)).mean()
    return tuple(sorted(frequent)) if covered >= _MIN_REPEATED else ()


def _has_word(text: pd.Series, word: str) -> pd.Series:
    return text.str.contains(rf"(?:^|\W){word}(?:\W|$)", regex=True).astype(float)


def _first_number(text: pd.Series) -> pd.Series:
    return pd.to_numeric(text.str.extract(r"(\d+(?:\.\d+)?)", expand=False)).astype(float)
