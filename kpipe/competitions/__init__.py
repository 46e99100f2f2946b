"""Where competitions live: one ``__path__``, in which the first folder of a name wins.

The user's folder (environment variable ``KPIPE_COMPETITIONS``), then the wheel's (this package), then the checkout's
``competitions/``. A competition is a folder ``<slug>/competition.py``; adding one touches nothing else. Listing them
imports none of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["folder", "is_slug", "slugs"]

_CHECKOUT = Path(__file__).resolve().parents[2]

# Kaggle's slugs: lower-case words joined by hyphens. Nothing else reaches an import or a path.
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def _places() -> list[str]:
    places = [Path(__file__).parent]
    if (_CHECKOUT / "pyproject.toml").is_file():
        places.append(_CHECKOUT / "competitions")
    if user := os.environ.get("KPIPE_COMPETITIONS"):
        places.insert(0, Path(user).expanduser().resolve())
    return [str(place) for place in places]


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


def folder(slug: str) -> Path | None:
    """The folder of a competition, or None where it has none."""
    candidates = (Path(place) / slug for place in __path__)
    return next((path for path in candidates if is_slug(slug) and (path / "competition.py").is_file()), None)
