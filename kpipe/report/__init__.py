"""A run as one HTML page, and all runs on one: :func:`write`, :func:`write_index`.

``kpipe.report(run)`` writes the page of a run, see :func:`kpipe.report.page.report`: the package can be called, because
it has the name that a user of Python expects for the function.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from kpipe.report.index import INDEX, write_index
from kpipe.report.page import FILE, write

__all__ = ["FILE", "INDEX", "write", "write_index"]


class _CallablePackage(ModuleType):
    """The package, and the function ``kpipe.report``."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Write the report of a run, see ``kpipe.report.page.report``."""
        from kpipe.report.page import report

        return report(*args, **options)


sys.modules[__name__].__class__ = _CallablePackage
