"""Parts of texts and numbers that may contain the target: characters, words and digits by position, case or length."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

__all__ = ["MARKS", "find_telling_words", "number_in_words", "parts_of_numbers", "parts_of_texts"]

MARKS = ("The kind of blanks", "The alphabets within words")
"""Beginnings of the subjects of parts that no content explains: one class in all rows with such a part is a finding."""

_CHARACTERS = 8  # that are taken from either end
_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_BLANKS = re.compile(r"^\s|\s$|\s{2,}|[^\S ]|[\u200b-\u200d\ufeff]")  # all but single ones between words
_MARK, _DOUBLED = re.compile(r"[^\w\s]"), re.compile(r"([^\W_])\1")
_NUMBER = re.compile(r"(?<![\d.])-?\d+(?:[.,]\d+)?")
_HEXADECIMAL = re.compile(
    r"(?<![0-9a-z])(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{4,12}(?![0-9a-z])|(?<![0-9a-z])\d{4,12}(?![0-9a-z])"
)
_SMALL_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS = dict(zip(_SMALL_NUMBERS, range(20), strict=True)) | dict(zip(_TENS, range(20, 100, 10), strict=True))
_MULTIPLES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_TRIED = 200  # cells that show whether a column has numbers in words, or in hexadecimal digits
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_PLACES = dict(enumerate(_ORDINALS)) | {-1: "last"}
_PLACES |= {-place - 1: f"{which} to last" for place, which in enumerate(_ORDINALS[:5]) if place}
_MAX_DECIMALS, _SUMMED_DIGITS = 10, 12
_MIN_ROWS, _PURE = 5, 0.995  # rows of a telling word, and share of them in its class
_MIN_WORDS = 2.0  # words per cell, on average, of a text
_MIN_TOLD, _RIGHT, _MIN_SKILL = (
    0.9,
    0.99,
    0.97,
)  # rows of two classes that hold one; those that are right; errors removed
_CASES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("capitals", str.isupper),
    ("small letters", str.islower),
    ("title case", str.istitle),
)

Part = tuple[str, Sequence[object]]
"""The subject of a sentence about a part of each text, and the (n,) parts; None where a text has none."""


def parts_of_texts(column: str, cells: Sequence[str | None]) -> Iterator[Part]:
    """Parts of each text of a column.

    Parameters
    ----------
    column : str
        Its name.
    cells : (n,) sequence of str
        None where missing.

    Yields
    ------
    Part
    """
    texts = [cell or "" for cell in cells]
    tokens = [_TOKEN.findall(text) for text in texts]
    yield f"The length of {column}", [float(len(text)) for text in texts]
    yield f"The number of words of {column}", [float(text.count(" ")) for text in texts]
    yield f"The number of capitals in {column}", [float(sum(map(str.isupper, text))) for text in texts]
    yield f"The number of marks in {column}", [float(len(_MARK.findall(text))) for text in texts]
    yield f"The number of digits in {column}", [float(sum(map(str.isdigit, text))) for text in texts]
    yield f"Whether a character of {column} is doubled", [str(bool(_DOUBLED.search(text))) for text in texts]
    yield f"The number of different characters of {column}", [float(len(set(text))) for text in texts]
    yield f"The number of different parts of {column}", [float(len(set(parts))) for parts in tokens]
    yield f"The case of {column}", [next((name for name, of in _CASES if of(text)), "mixed") for text in texts]
    yield f"The punctuation of {column}", ["".join(sorted(set(re.findall(r"[^\w\s]", text)))) for text in texts]
    yield f"{MARKS[0]} in {column}", [_blanks(text) for text in texts]
    yield f"{MARKS[1]} of {column}", [_alphabets(text) for text in texts]
    yield f"The order of the words of {column}", [_order(parts) for parts in tokens]
    for size in (1, 3):
        yield f"The first {_characters(size)} of {column}", [text[:size] or None for text in texts]
        yield f"The last {_characters(size)} of {column}", [text[-size:] or None for text in texts]
    for place in range(1, _CHARACTERS):
        yield f"Character {place + 1} of {column}", [text[place : place + 1] or None for text in texts]
        yield (
            f"Character {place + 1} from the end of {column}",
            [text[-place - 1 : -place] or None for text in texts],
        )
    yield from _numbers_in_texts(column, texts)
    for place, which in _PLACES.items():
        part = [parts[place] if -len(parts) <= place < len(parts) else None for parts in tokens]
        yield f"The {which} part of {column}", part
        yield from _of_numbers(f"the {which} part of {column}", part)


def _blanks(text: str) -> str:
    """The blanks of a text but single ones, so that they can be seen.

    >>> _blanks("a  b "), _blanks("a b")
    ("'  ' and ' '", 'none')
    """
    return " and ".join(repr(blank) for blank in sorted(set(_BLANKS.findall(text)), reverse=True)) or "none"


def _alphabets(text: str) -> str:
    """The alphabets of a word that mixes two, as one with a letter that only looks like another.

    >>> _alphabets("Olsen"), _alphabets("Møller Иван"), _alphabets("Ols\u0435n")
    ('one', 'one', 'CYRILLIC and LATIN')
    """
    for word in () if text.isascii() else _TOKEN.findall(text):
        names = {unicodedata.name(letter, "").split(" ")[0] for letter in word if letter.isalpha()}
        if len(names) > 1:
            return " and ".join(sorted(names))
    return "one"


def _characters(size: int) -> str:
    return "character" if size == 1 else f"{size} characters"


def _order(parts: Sequence[str]) -> str:
    """Whether words are sorted.

    >>> _order(["a", "b"]), _order(["b", "a"]), _order(["a"])
    ('ascending', 'descending', 'none')
    """
    if len(parts) < 2:
        return "none"
    return "ascending" if parts == sorted(parts) else "descending" if parts == sorted(parts, reverse=True) else "none"


def _numbers_in_texts(column: str, texts: Sequence[str]) -> Iterator[Part]:
    """The numbers that texts hold, with their decimals: in digits, in words, and in hexadecimal digits."""
    found = [[float(number.replace(",", ".")) for number in _NUMBER.findall(text)[:2]] for text in texts]
    if any(len(numbers) > 1 for numbers in found):
        for place, which in enumerate(_ORDINALS[:2]):
            values = [numbers[place] if place < len(numbers) else float("nan") for numbers in found]
            yield f"The {which} number in {column}", values
        means = [sum(numbers) / 2 if len(numbers) > 1 else float("nan") for numbers in found]
        yield f"The mean of the first two numbers in {column}", means
    elif any(found):
        yield f"The number in {column}", [numbers[0] if numbers else float("nan") for numbers in found]
    if sum(number_in_words(text) is not None for text in texts[:_TRIED]) > len(texts[:_TRIED]) / 2:
        yield f"The number in words in {column}", [_or_nan(number_in_words(text)) for text in texts]
    if sum(_hexadecimal(text) is not None for text in texts[:_TRIED]) > len(texts[:_TRIED]) / 2:
        yield f"The hexadecimal number in {column}", [_or_nan(_hexadecimal(text)) for text in texts]


def _or_nan(number: float | None) -> float:
    return float("nan") if number is None else float(number)


def _hexadecimal(text: str) -> int | None:
    """The last number of hexadecimal digits; None without one."""
    found = _HEXADECIMAL.findall(text.lower())
    return int(found[-1], 16) if found else None


def number_in_words(text: str) -> int | None:
    """The first number that a text spells out in English; None if there is none.

    Parameters
    ----------
    text : str

    Returns
    -------
    int or None

    Examples
    --------
    >>> number_in_words("Two hundred and eight thousand, or so"), number_in_words("Rooms: forty-two")
    (208000, 42)
    >>> number_in_words("many") is None
    True
    """
    total, current = 0, None
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _WORDS:
            current = (current or 0) + _WORDS[word]
        elif word == "hundred":
            current = (current or 1) * _MULTIPLES[word]
        elif word in _MULTIPLES:
            total, current = total + (current or 1) * _MULTIPLES[word], 0
        elif current is not None and word != "and":
            break
    return None if current is None else total + current


def _of_numbers(which: str, part: Sequence[str | None]) -> Iterator[Part]:
    """Digits of parts that are numbers."""
    numbers = [text if text is not None and text.isdigit() else None for text in part]
    if sum(number is not None for number in numbers) > len(numbers) / 2:
        yield f"The last digit of {which}", [number and number[-1] for number in numbers]
        yield f"Whether {which} is even", [number and str(int(number[-1]) % 2) for number in numbers]
        yield f"The first digit of {which}", [number and number[0] for number in numbers]
        yield f"The size of {which}", [float(number[:15]) if number else float("nan") for number in numbers]


def parts_of_numbers(column: str, numbers: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Digits of each number of a column, and the sum of its digits.

    Parameters
    ----------
    column : str
        Its name.
    numbers : (n,) array of float
        NaN where missing.

    Yields
    ------
    tuple of (str, array)
        The subject of a sentence about them, and the (n,) parts; nothing for numbers of many decimals.
    """
    whole = np.abs(numbers)
    places = range(_MAX_DECIMALS + 1)
    decimals = next(
        (d for d in places if np.allclose(np.round(whole, d), whole, equal_nan=True, rtol=0, atol=1e-10)), None
    )
    if decimals is None:
        return
    units = np.round(whole * 10.0**decimals)
    yield f"Whether the last digit of {column} is even", units % 2
    for size, words in ((1, "digit"), (2, "two digits"), (3, "three digits"), (4, "four digits"), (5, "five digits")):
        yield f"The last {words} of {column}", units % 10**size
    digits = sum(units // 10**place % 10 for place in range(_SUMMED_DIGITS))
    for modulus in (2, 3, 10) if np.nanmax(units, initial=0) >= 100 else ():
        yield f"The remainder of the sum of the digits of {column} by {modulus}", digits % modulus
    for size, which in ((1, "second to last"), (2, "third to last")):
        yield f"The {which} digit of {column}", units // 10**size % 10


def find_telling_words(
    cells: Sequence[str | None], classes: np.ndarray, fold: np.ndarray, names: Sequence[str]
) -> tuple[int, str] | None:
    """Words that together predict the class of held-out rows; the number of rows that contain one, and examples.

    Parameters
    ----------
    cells : (n,) sequence of str
        None where missing.
    classes : (n,) array of int
    fold : (n,) array of int
        Fold of each row, by which words are validated.
    names : sequence of str
        Names of the classes.

    Returns
    -------
    tuple of (int, str) or None
        None where words tell no more than in honest texts: those who write differently use some words of their own,
        but not in nearly every text.
    """
    words = [{*re.findall(r"\w+", cell.lower()), *_TOKEN.findall(cell.lower())} if cell else set() for cell in cells]
    if sum(map(len, words)) < _MIN_WORDS * len(words):
        return None
    predicted = np.full(len(words), -1)
    has_word = np.zeros(len(words), dtype=bool)
    examples: dict[int, str] = {}
    for number in range(int(fold.max()) + 1):
        pure = _pure_words([words[row] for row in np.flatnonzero(fold != number)], classes[fold != number])
        rest = [row for row in np.flatnonzero(fold != number) if not words[row] & pure.keys()]
        usual = int(np.bincount(classes[rest] if rest else classes).argmax())
        for row in np.flatnonzero(fold == number):
            found = [pure[word] for word in words[row] if word in pure]
            predicted[row] = max(found)[1] if found else usual
            has_word[row] = bool(found)
        examples |= {kind: word for word, (_, kind) in sorted(pure.items(), key=lambda item: item[1])}
    right, most = predicted == classes, int(np.bincount(classes).max())
    of_class = [has_word[classes == kind].mean() for kind in range(len(names)) if (classes == kind).any()]
    skill = 1 - (~right).sum() / max(len(words) - most, 1)
    known = sum(share >= _MIN_TOLD for share in of_class) >= 2 and right[has_word].mean() >= _RIGHT
    if not has_word.any() or not (known or skill >= _MIN_SKILL):
        return None
    shown = ", ".join(f"{word!r} means {names[kind]}" for kind, word in list(examples.items())[:3])
    count = int(has_word.sum())
    return count, f"determine the class in {int(right[has_word].sum())} of {count} rows ({shown})"


def _pure_words(words: Sequence[set[str]], classes: np.ndarray) -> dict[str, tuple[int, int]]:
    """Words of a few rows or more that are in rows of one class only: their number of rows, and that class."""
    counts = [Counter[str]() for _ in range(int(classes.max()) + 1)]
    for found, kind in zip(words, classes, strict=True):
        counts[kind].update(found)
    total = sum(counts, Counter[str]())
    return {
        word: (total[word], kind)
        for kind, of_kind in enumerate(counts)
        for word, count in of_kind.items()
        if count >= _MIN_ROWS and count >= _PURE * total[word]
    }
