"""Words around the number or date in every cell of a column: "Price: $3", "72K followers", "as of 2019-01-31"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

__all__ = ["Affixes"]

_MIN_SHARE = 0.95  # of the cells must share the words
_MAXIMUM = 12  # words on either side
_START = re.compile(r"\D*")
_SIGNS = " \t\xa0-+−–($€£¥₹₽₩"  # noqa: RUF001 - characters that may begin a number
_ENDS = re.compile(r"[^\d\s]+$"), re.compile(r"\S+$")  # signs and letters, else a word with digits
_MONTH = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")
_DATE = re.compile(r"\d{4}|\d[:/-]\d|\d\.\d+\.")  # all cells may have the same year, which is not a unit
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Affixes:
    """The text that nearly all cells of a column have before and after their number or date.

    Attributes
    ----------
    leading : tuple of str
        Whole words at the start of a cell, in lower case.
    prefix : str
        Text directly before the number, in lower case.
    trailing : tuple of str
        Words at the end of a cell, in lower case, the last one first.
    """

    leading: tuple[str, ...] = ()
    prefix: str = ""
    trailing: tuple[str, ...] = ()

    @classmethod
    def of(cls, cells: pa.Array) -> Self | None:
        """Find the words that nearly all cells share; None if there are none.

        Parameters
        ----------
        cells : pyarrow.Array
            (n,) distinct strings.

        Returns
        -------
        Affixes or None
        """
        texts = [_plain(cell) for cell in cells.to_pylist()]
        leading: list[str] = []
        while len(leading) < _MAXIMUM and (word := _common(texts, _first_word)):
            leading.append(word)
            texts = [_without_first(text, word) for text in texts]
        prefix = _common(texts, _lead)
        texts = [text.removeprefix(prefix).lstrip() for text in texts]
        trailing: list[str] = []
        while len(trailing) < _MAXIMUM and (word := _common(texts, _last_word)):
            trailing.append(word)
            texts = [_without_last(text, word) for text in texts]
        changed = leading or prefix or trailing or any(_ORDINAL.search(text) for text in texts)
        return cls(tuple(leading), prefix, tuple(trailing)) if changed else None

    def strip(self, cells: pa.Array) -> pa.Array:
        """Remove these words from cells.

        Parameters
        ----------
        cells : pyarrow.Array
            (n,) strings.

        Returns
        -------
        pyarrow.Array
            (n,) strings in lower case.

        Examples
        --------
        >>> cells = pa.array(["Only $3 left!", "Only $4.50 left!"])
        >>> Affixes.of(cells).strip(cells).to_pylist()
        ['$3', '$4.50']
        """
        return pa.array(
            [None if cell is None else self._strip(_plain(cell)) for cell in cells.to_pylist()], pa.string()
        )

    def _strip(self, text: str) -> str:
        for word in self.leading:
            text = _without_first(text, word)
        text = text.removeprefix(self.prefix).lstrip()
        for word in self.trailing:
            text = _without_last(text, word)
        return _ORDINAL.sub("", text)


def _plain(cell: str) -> str:
    return cell.replace("\xa0", " ").strip().lower()


def _common(texts: list[str], part: Callable[[str], str]) -> str:
    """The part that nearly all texts share; "" if there is none."""
    found = Counter(map(part, texts)).most_common(1)
    return found[0][0] if found and found[0][1] >= _MIN_SHARE * len(texts) else ""


def _first_word(text: str) -> str:
    """The first word; "" if it has a digit, or is a sign or a currency that belongs to the number."""
    word, _, rest = text.partition(" ")
    is_word = word.strip(_SIGNS) and not any(map(str.isdigit, word)) and not _MONTH.match(word)
    return word if rest and is_word else ""


def _without_first(text: str, word: str) -> str:
    return text.removeprefix(word).lstrip() if _first_word(text) == word else text


def _lead(text: str) -> str:
    """The text before the first digit, without signs and currencies; "" for a text without digits."""
    lead = _START.match(text)
    found = "" if lead is None or len(lead[0]) == len(text) else lead[0].rstrip(_SIGNS)
    return "" if _MONTH.match(found) else found


def _last_word(text: str) -> str:
    """The last word, without the s of a plural; "" if no digit stands before it."""
    found = _end(text)
    if found is None or not any(map(str.isdigit, text[: found.start()])):
        return ""
    word = found[0]
    if _MONTH.match(word) or _DATE.search(word):
        return ""
    return word.removesuffix("s") if len(word) > 2 else word


def _end(text: str) -> re.Match[str] | None:
    return _ENDS[0].search(text) or _ENDS[1].search(text)


def _without_last(text: str, word: str) -> str:
    found = _end(text)
    return text[: found.start()].rstrip() if found is not None and _last_word(text) == word else text
