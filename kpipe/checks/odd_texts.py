"""Test texts that are written differently from train's: in capitals, with HTML codes, in a wrong encoding, cut off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from kpipe.checks.statistics import two_proportion_z

__all__ = ["odd_codes", "odd_texts"]

_MIN_ROWS, _MIN_SHARE, _SIGNIFICANT = 200, 0.01, 6.0  # of test; difference of shares of rows; its standard errors
_NEVER = 0.001  # share of train's codes that have a form
_LETTERS = re.compile(r"[^\W\d_]")
_MARKS = {
    # What is looked for after the length: a text that was cut off lacks its full stop, too.
    "HTML entities such as &quot;": re.compile(r"&(?:[a-z]{2,8}|#\d{2,5}|#x[0-9a-f]{2,5});", re.IGNORECASE),
    "HTML tags such as <br>": re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE),
    "characters of a wrong encoding such as â€™ or Ã©": re.compile(
        r"â€|Ã[\x80-\xbf\u2018-\u203a©¨¤¶¼]|Â[\xa0-\xbf]|\ufffd"
    ),
    "escaped characters such as \\n": re.compile(r"\\[nrtu\"']"),
    "web addresses": re.compile(r"https?://|www\."),
    "line breaks": re.compile(r"[\r\n]"),
    "letters beyond ASCII": re.compile(r"[^\x00-\x7f]"),
    "digits": re.compile(r"\d"),
    "a comma or a full stop": re.compile(r"[.,]"),
    "a small letter at its beginning": re.compile(r"^\W*[a-z]"),
    "quotation marks": re.compile(r"[\"\u201c\u201d]"),
}
_SHOWN = 40  # characters of an example


def odd_texts(train: pd.Series, test: pd.Series) -> Iterator[str]:
    """Sentences about a free-text column that is written differently in test.

    Parameters
    ----------
    train, test : Series
        The column in both tables.

    Yields
    ------
    str
        At most one.
    """
    ours, theirs = (part.dropna().astype(str) for part in (train, test))
    if min(len(ours), len(theirs)) < _MIN_ROWS:
        return
    for what, which in _ways(ours, theirs):
        shares = [float(part.mean()) for part in which]
        z = abs(two_proportion_z(shares[1], len(theirs), shares[0], len(ours)))
        if z > _SIGNIFICANT and abs(shares[1] - shares[0]) > _MIN_SHARE:
            marked = theirs[which[1]] if shares[1] > shares[0] else ours[which[0]]
            shown = _excerpt(str(marked.iloc[0]), _MARKS.get(what.removeprefix("has ")))
            yield (
                f"{train.name} {what} in {shares[1]:.1%} of test's rows, in {shares[0]:.1%} of train's, such as "
                f"{shown!r}: the texts of the two files are written differently. Convert them to the same form in "
                "clean."
            )
            return


def odd_codes(train: pd.Series, test: pd.Series) -> Iterator[str]:
    """Sentences about a column of codes of which some of test's have another form, such as B/5 among B/5/P.

    Parameters
    ----------
    train, test : Series
        The column in both tables.

    Yields
    ------
    str
        At most one.
    """
    ours, theirs = (_forms(part.dropna().astype(str)) for part in (train, test))
    if min(len(ours), len(theirs)) < _MIN_ROWS:
        return
    shares = theirs.value_counts(normalize=True)
    for form, share in shares[shares > _MIN_SHARE].items():
        usual = float((ours == form).mean())
        z = two_proportion_z(float(share), len(theirs), usual, len(ours))
        if usual <= _NEVER and z > _SIGNIFICANT:
            shown = str(test[theirs.index[theirs == form][0]])
            yield (
                f"{train.name} has codes such as {shown!r} in {share:.1%} of test's rows, in {usual:.1%} of train's, "
                f"where most are like {str(train[ours.index[ours == ours.mode().iloc[0]][0]])!r}: perhaps a part is "
                "missing. Convert them to the same form in clean."
            )
            return


def _forms(texts: pd.Series) -> pd.Series:
    """Texts with a for any letters and 9 for any digits.

    >>> _forms(pd.Series(["B/5/P", "AC 12"])).tolist()
    ['a/9/a', 'a 9']
    """
    return texts.str.replace(r"[^\W\d_]+", "a", regex=True).str.replace(r"\d+", "9", regex=True)


def _excerpt(text: str, pattern: re.Pattern[str] | None) -> str:
    """A part of a text with what was found.

    >>> _excerpt("He said so, and it was &quot;done&quot; by then, as all knew.", re.compile("&"))
    '...said so, and it was &quot;done&quot; by ...'
    """
    found = pattern.search(text) if pattern is not None else None
    start = max(0, found.start() - _SHOWN // 2) if found is not None else 0
    part = text[start : start + _SHOWN]
    return f"{'...' * (start > 0)}{part}{'...' * (start + _SHOWN < len(text))}"


def _ways(train: pd.Series, test: pd.Series) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """What a text may be like, and which rows of train and of test are."""
    for what, has in (("is all upper case", str.isupper), ("is all lower case", str.islower)):
        yield what, (_each(train, has), _each(test, has))
    lengths = train.str.len().to_numpy(), test.str.len().to_numpy()
    values, counts = np.unique(lengths[1], return_counts=True)
    longest = int(values[np.argmax(counts)])
    yield f"has exactly {longest} characters", (lengths[0] == longest, lengths[1] == longest)
    for what, pattern in _MARKS.items():
        yield f"has {what}", (train.str.contains(pattern).to_numpy(), test.str.contains(pattern).to_numpy())
    yield from _edges(train, test)


def _edges(train: pd.Series, test: pd.Series) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """Marks and digits with which a text may begin or end, such as > before a quotation."""
    for where, place in (("begins", 0), ("ends", -1)):
        ours, theirs = (texts.str[place].fillna("").to_numpy(dtype=str) for texts in (train, test))
        for character in sorted({*ours, *theirs}):
            if character and not character.isalpha():
                yield f"{where} with {str(character)!r}", (ours == character, theirs == character)


def _each(texts: pd.Series, has: Callable[[str], bool]) -> np.ndarray:
    return np.array([bool(_LETTERS.search(text)) and has(text) for text in texts], dtype=bool)
