"""Names of columns that differ by case, accents, blanks or signs alone (``id-01`` and ``id_01``)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["match_names", "plain_name"]


def plain_name(name: object) -> str:
    """A name without what people write in different ways: case, accents, blanks and signs.

    Parameters
    ----------
    name : object

    Returns
    -------
    str
        "" for a name of signs alone.

    Examples
    --------
    >>> plain_name("Prénom_01") == plain_name("prenom-01 ")
    True
    """
    letters = unicodedata.normalize("NFKD", str(name)).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def match_names(names: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """Columns of one file that are those of another file in another spelling.

    Parameters
    ----------
    names, others : sequence of str
        Columns of each file.

    Returns
    -------
    dict of str to str
        A name that only the first file has → the one name that only the second file has, and that is alike.

    Examples
    --------
    >>> match_names(["id-01", "a"], ["id_01", "a", "b"])
    {'id-01': 'id_01'}
    """
    here, there = set(names), set(others)
    mine = {name: plain_name(name) for name in names if name not in there}
    theirs = {name: plain_name(name) for name in others if name not in here}
    by_plain = {plain: name for name, plain in theirs.items()}
    repeated = {plain for spellings in (mine, theirs) for plain, n in Counter(spellings.values()).items() if n > 1}
    return {
        name: by_plain[plain] for name, plain in mine.items() if plain and plain in by_plain and plain not in repeated
    }
