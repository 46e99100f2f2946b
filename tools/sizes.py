"""Print the longest functions and modules, and fail if one exceeds the limit.

    python tools/sizes.py [FOLDER]...

The length of a function is counted from ``def`` to the last line of its body, without decorators and docstring.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

__all__ = ["functions", "main"]

FUNCTION_LIMIT, MODULE_LIMIT = 60, 500  # lines
SHOWN = 5
FOLDERS = ("kpipe", "competitions", "tools", "benchmarks", "tests")


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    end = node.end_lineno or node.lineno
    first = node.body[0]
    documented = ast.get_docstring(node, clean=False) is not None
    return end - node.lineno + 1 - (((first.end_lineno or first.lineno) - first.lineno + 1) if documented else 0)


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the length and the location of every function in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield length(node), f"{path}:{node.lineno} {node.name}"


def main(folders: list[str]) -> int:
    """Print the sizes; return 1 if a limit is exceeded, else 0."""
    paths = [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    found = sorted((item for path in paths for item in functions(path)), reverse=True)
    modules = sorted(((len(path.read_text(encoding="utf-8").splitlines()), str(path)) for path in paths), reverse=True)
    if not found:
        print(f"No functions under {', '.join(folders)}: run this in the root of the checkout.", file=sys.stderr)
        return 1
    print(f"{len(found)} functions, median {median(lines for lines, _ in found):g} lines; the longest:")
    print(*(f"  {lines:4} {place}" for lines, place in found[:SHOWN]), sep="\n")
    print(f"{len(modules)} modules, median {median(lines for lines, _ in modules):g} lines; the longest:")
    print(*(f"  {lines:4} {place}" for lines, place in modules[:SHOWN]), sep="\n")
    broken = [
        f"{place}: {lines} lines, the limit is {FUNCTION_LIMIT}" for lines, place in found if lines > FUNCTION_LIMIT
    ]
    broken += [
        f"{place}: {lines} lines, the limit is {MODULE_LIMIT}" for lines, place in modules if lines > MODULE_LIMIT
    ]
    print(*broken, sep="\n", end="\n" if broken else "", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [folder for folder in FOLDERS if Path(folder).is_dir()]))
