"""Where competitions live: one ``__path__``, in which the first folder of a name wins.

First the user's folder (environment variable ``KPIPE_COMPETITIONS``), then that of the workspace in which the current
folder lies (``kpipe.core.workspace``), then those of installed packages (entry points of the group
``kpipe.competitions``), then the wheel's (this package), then the checkout's ``competitions/``. A competition is a
folder ``<slug>/competition.py``; adding one touches nothing else. Listing them imports none of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from kpipe.core import workspace

__all__ = ["CHECKOUT", "folder", "folders", "is_slug", "own", "slugs", "suggestion", "unused"]

CHECKOUT = Path(__file__).resolve().parents[2]

GROUP = "kpipe.competitions"  # of entry points; a value is the dotted name of a package of competition folders

# Kaggle's slugs: lower-case words joined by hyphens. Nothing else reaches an import or a path.
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def own() -> list[Path]:
    """The user's folders of competitions: that of ``KPIPE_COMPETITIONS``, and the workspace's."""
    places = []
    if user := os.environ.get("KPIPE_COMPETITIONS"):
        places.append(Path(user).expanduser().resolve())
    if (mine := workspace.found()) is not None and workspace.is_trusted(mine):
        places.append(mine / "competitions")
    return places


def _places() -> list[str]:
    places = own()
    for point in entry_points(group=GROUP):
        places += _folders_of(point)
    places.append(Path(__file__).parent)
    if (CHECKOUT / "pyproject.toml").is_file():
        places.append(CHECKOUT / "competitions")
    return list(dict.fromkeys(map(str, places)))


def _folders_of(point: EntryPoint) -> list[Path]:
    """The folders of the package that an entry point names, found without importing it; none where it is not there."""
    top, *below = point.module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return []
    within = (spec.submodule_search_locations or ()) if spec is not None else ()
    return [path for location in within if (path := Path(location, *below)).is_dir()]


__path__ = _places()


def is_slug(name: str) -> bool:
    """Whether a name can be a competition's: it is used in paths and imports.

    >>> is_slug("house-prices-advanced-regression-techniques"), is_slug("../titanic"), is_slug("")
    (True, False, False)
    """
    return _SLUG.fullmatch(name) is not None


def slugs() -> list[str]:
    """Every competition that has a folder, sorted, without importing one."""
    found = {module.parent.name for place in __path__ for module in Path(place).glob("*/competition.py")}
    return sorted(filter(is_slug, found))


def suggestion(slug: str) -> str:
    """A sentence that names the known slug most like this one, with a blank before it; empty if none is similar.

    >>> suggestion("titanik")
    ' Did you mean titanic?'
    """
    known = slugs()
    close = get_close_matches(slug.lower(), known, n=1) or [name for name in known if slug and name.startswith(slug)]
    return f" Did you mean {close[0]}?" if close else ""


def folders(slug: str) -> list[Path]:
    """Every folder of a competition: the first is used, and hides the others."""
    candidates = (Path(place) / slug for place in __path__)
    return [path for path in candidates if is_slug(slug) and (path / "competition.py").is_file()]


def folder(slug: str) -> Path | None:
    """The folder of a competition, or None where it has none."""
    return next(iter(folders(slug)), None)


def unused() -> Iterator[str]:
    """What looks like competitions and is not taken, as sentences: a workspace of others', a package that is absent."""
    found = workspace.found()
    if found is not None and not workspace.is_trusted(found):
        yield (
            f"{found / workspace.MARKER} says that this is a workspace, but `kpipe init` was not called there by you: "
            f"its competitions are not used. If you trust the code in it: kpipe init {found}"
        )
    for point in entry_points(group=GROUP):
        if not _folders_of(point):
            yield f"The entry point {point.name} = {point.value} names a package that is not installed: it is left out."
