"""Import scipy without parsing its docstrings, in processes where nobody reads them.

scipy 1.16 and 1.17 parse the docstrings of some 600 functions when they are imported, to add a table or a parameter to
each: 0.4 of the 1.4 s that kpipe's imports take, in the command and in every worker process.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

__all__ = ["skip_scipy_docs"]

_TESTED = ("1.16.", "1.17.")  # versions whose import has been tried without docstrings


def skip_scipy_docs() -> None:
    """Let scipy, if it is imported later, treat the docstrings of its functions as empty.

    Only the command line and worker processes call this: in a notebook, scipy's documentation stays as it is.
    """
    try:
        is_tested = version("scipy").startswith(_TESTED)
    except PackageNotFoundError:
        return
    if is_tested and "scipy" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds scipy's modules that read docstrings, and patches each after it was loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        change = _CHANGES.get(name)
        if change is None:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                change(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this spec's loader alone
        return spec


class _EmptyDocstring(defaultdict[str, list[Any]]):
    """A parsed docstring in which every section is empty."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__(list)

    def __str__(self) -> str:
        return "\n\n"  # as of a signature and a summary, which scipy cuts off


def _parse_nothing(docscrape: Any) -> None:
    docscrape.FunctionDoc = docscrape.ClassDoc = _EmptyDocstring


def _format_nothing(doccer: Any) -> None:
    doccer.docformat = lambda docstring, docdict=None: docstring


_CHANGES: dict[str, Callable[[Any], None]] = {
    "scipy._lib._docscrape": _parse_nothing,
    "scipy._lib.doccer": _format_nothing,
}
