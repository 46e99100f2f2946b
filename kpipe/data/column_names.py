"""Match column names that differ only in case, accents, blanks or punctuation (``id-01`` and ``id_01``)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

__all__ = ["match_names", "plain_name", "words_of"]

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})


def plain_name(name: object) -> str:
    """A name without case, accents, blanks and punctuation.

    Parameters
    ----------
    name : object

    Returns
    -------
    str
        "" for a name without letters and digits.

    Examples
    --------
    >>> plain_name("Prénom_01") == plain_name("prenom-01 ")
    True
    """
    letters = unicodedata.normalize("NFKD", str(name)).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def _with_umlauts(name: object) -> str:
    """A plain name with umlauts transliterated: ``groesse`` for ``Größe``."""
    return plain_name(unicodedata.normalize("NFC", str(name)).casefold().translate(_UMLAUTS))


def match_names(names: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """Find the columns of one file that another file spells differently.

    Parameters
    ----------
    names, others : sequence of str
        Columns of each file.

    Returns
    -------
    dict of str to str
        A name that only the first file has → the matching name that only the second file has.

    Examples
    --------
    >>> match_names(["id-01", "a"], ["id_01", "a", "b"])
    {'id-01': 'id_01'}
    """
    found = _match(names, others, plain_name)
    left = [name for name in names if name not in found], [name for name in others if name not in found.values()]
    return found | _match(*left, _with_umlauts)


def _match(names: Sequence[str], others: Sequence[str], key: Callable[[object], str]) -> dict[str, str]:
    here, there = set(names), set(others)
    mine = {name: key(name) for name in names if name not in there}
    theirs = {name: key(name) for name in others if name not in here}
    by_plain = {plain: name for name, plain in theirs.items()}
    repeated = {plain for spellings in (mine, theirs) for plain, n in Counter(spellings.values()).items() if n > 1}
    return {
        name: by_plain[plain] for name, plain in mine.items() if plain and plain in by_plain and plain not in repeated
    }


def words_of(name: str) -> set[str]:
    """The words of the name of a column, a file or a folder, in lower case.

    Parameters
    ----------
    name : str

    Returns
    -------
    set of str

    Examples
    --------
    >>> sorted(words_of("trainImages_rev1"))
    ['images', 'rev', 'train']
    """
    return set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))
