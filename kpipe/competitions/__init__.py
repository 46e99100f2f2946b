"""The folders of competitions, combined in one ``__path__``, in which the first folder of a name wins.

The order is: the folder that ``KPIPE_COMPETITIONS`` names; the workspace that the current folder lies in
(``kpipe.core.workspace``); installed packages (entry points of the group ``kpipe.competitions``); this package in the
wheel; ``competitions/`` in the checkout. A competition is a folder ``<slug>/competition.py``, and adding one changes
no other file. Listing competitions imports none of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from kpipe.core import workspace
from kpipe.core.wording import did_you_mean

__all__ = [
    "CHECKOUT",
    "folder",
    "folders",
    "ignored_notes",
    "is_slug",
    "known_slug",
    "module_meant",
    "slugs",
    "suggestion",
    "user_folders",
]

CHECKOUT = Path(__file__).resolve().parents[2]

_GROUP = "kpipe.competitions"  # of entry points; a value is the dotted name of a package of competition folders

# Kaggle's slugs: words joined by hyphens, early ones with capitals. Nothing else reaches an import or a path.
_SLUG = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


def user_folders() -> list[Path]:
    """Return the user's folders of competitions: ``KPIPE_COMPETITIONS``, and the workspace's if it is trusted.

    Returns
    -------
    list of Path
    """
    places = []
    if user := os.environ.get("KPIPE_COMPETITIONS"):
        places.append(Path(user).expanduser().resolve())
    if (mine := workspace.find_trusted()) is not None:
        places.append(mine / "competitions")
    return places


def _search_path() -> list[str]:
    places = user_folders()
    for point in entry_points(group=_GROUP):
        places += _folders_of(point)
    places.append(Path(__file__).parent)
    if (CHECKOUT / "pyproject.toml").is_file():
        places.append(CHECKOUT / "competitions")
    return list(dict.fromkeys(map(str, places)))


def _folders_of(point: EntryPoint) -> list[Path]:
    """The folders of the package that an entry point names, without importing it; empty if it is not installed."""
    top, *below = point.module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return []
    roots = (spec.submodule_search_locations or ()) if spec is not None else ()
    return [path for root in roots if (path := Path(root, *below)).is_dir()]


__path__ = _search_path()


def is_slug(name: str) -> bool:
    """Whether a name is a valid slug, which is safe in a path or an import.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_slug("house-prices-advanced-regression-techniques"), is_slug("../titanic"), is_slug("")
    (True, False, False)
    >>> is_slug("GiveMeSomeCredit")
    True
    """
    return _SLUG.fullmatch(name) is not None


def slugs() -> list[str]:
    """List the competitions that have a module, sorted, without importing them.

    Returns
    -------
    list of str
    """
    found = {module.parent.name for place in __path__ for module in Path(place).glob("*/competition.py")}
    return sorted(filter(is_slug, found))


def known_slug(slug: str) -> str:
    """Return the slug of a competition with a module that differs from a name only in case; else the name.

    Parameters
    ----------
    slug : str
        As the user typed it.

    Returns
    -------
    str

    Examples
    --------
    >>> known_slug("Titanic"), known_slug("AI4Code")
    ('titanic', 'AI4Code')
    """
    if folder(slug) is not None or not is_slug(slug):
        return slug
    return next((name for name in slugs() if name.lower() == slug.lower()), slug)


def suggestion(slug: str) -> str:
    """Suggest the most similar competition.

    Parameters
    ----------
    slug : str
        A name without a competition, as the user typed it.

    Returns
    -------
    str
        It begins with a space, so that it can follow another sentence; "" if no name is similar.

    Examples
    --------
    >>> suggestion("titanik")
    ' Did you mean titanic?'
    """
    return did_you_mean(slug, slugs())


def module_meant(slug: str, data: str | Path | None = None) -> str | None:
    """Return the competition with a module that the user probably means by a slug without one.

    Parameters
    ----------
    slug : str
        As the user typed it.
    data : str or Path, optional
        The competition's files, whose name may be Kaggle's slug.

    Returns
    -------
    str or None

    Examples
    --------
    >>> module_meant("house-prices"), module_meant("mine", "titanic.zip"), module_meant("titanic")
    ('house-prices-advanced-regression-techniques', 'titanic', None)
    """
    if not is_slug(slug) or folder(known_slug(slug)) is not None:
        return None
    name = Path(data or "").name.removesuffix(".zip")
    return next((known for known in slugs() if known == name or known.startswith(f"{slug}-")), None)


def folders(slug: str) -> list[Path]:
    """List every folder of a competition: the first is used and shadows the others.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.

    Returns
    -------
    list of Path
    """
    candidates = (Path(place) / slug for place in __path__)
    return [path for path in candidates if is_slug(slug) and (path / "competition.py").is_file()]


def folder(slug: str) -> Path | None:
    """Return the folder of a competition, or None if it has no module.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.

    Returns
    -------
    Path or None
    """
    return next(iter(folders(slug)), None)


def ignored_notes() -> Iterator[str]:
    """Yield sentences about ignored competitions: of an untrusted workspace, or of a package that is not installed.

    Returns
    -------
    iterator of str
    """
    found = workspace.find()
    if found is not None and not workspace.is_trusted(found):
        yield (
            f"{found / workspace.MARKER} marks a workspace in which you have not called `kpipe init`: its competitions "
            f"and settings are not used. If you trust the code in it: kpipe init {found}"
        )
    for point in entry_points(group=_GROUP):
        if not _folders_of(point):
            yield f"The entry point {point.name} = {point.value} is ignored: the package is not installed."
