"""Run folders: store, find, record, resume, reproduce, compare, blend, prune and track runs.

``kpipe.runs()`` is a table of them, see ``kpipe.runs.listing``: the package can be called, because it has the name that
a user of Python expects for the table.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """The package, and the function ``kpipe.runs``."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """A table of the finished runs, see ``kpipe.runs.listing.runs``."""
        from kpipe.runs.listing import runs

        return runs(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
