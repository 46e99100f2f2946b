"""Draw the picture of the architecture page from the code: the path of the data, and the layers of packages.

    python tools/architecture.py [--check]

The steps are the calls in ``kpipe.pipeline.run``, in order; the layers are those that import-linter enforces
(``pyproject.toml``), each with the first sentence of its package's docstring. ``--check`` writes nothing, and
fails if the picture in ``docs/pictures/`` is out of date.
"""

from __future__ import annotations

import ast
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

__all__ = ["draw", "layers", "steps"]

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
# The value that each function returns.
GIVES = {
    "prepare": "Problem",
    "choose_models": "models",
    "make_folds": "Folds",
    "rehearse": "Baseline",
    "cross_validate": "Predictions",
    "combine": "Ensemble",
    "make_submission": "Submission",
    "make_forecast": "Forecast",
    "run_checks": "Checks",
    "save_run": "Run",
}
WIDTH, ROW, LEFT, RIGHT = 980, 46, 330, 600
STYLE = """
text { font-family: system-ui, sans-serif; font-size: 14px; fill: #1f2933 }
.name { font-weight: 600 } .small { font-size: 12px; fill: #52606d } .head { font-size: 16px; font-weight: 600 }
rect { fill: #f5f7fa; stroke: #9aa5b1; rx: 6 } .step { fill: #e6f0fb; stroke: #4a7fb5 }
line { stroke: #4a7fb5; stroke-width: 1.5; marker-end: url(#tip) } #tip path { fill: #4a7fb5 }
@media (prefers-color-scheme: dark) {
text { fill: #e4e7eb } .small { fill: #9aa5b1 } rect { fill: #1f2933; stroke: #52606d } .step { fill: #16324f } }
"""


def layers() -> list[list[str]]:
    """The packages and modules of each layer, the highest first.

    Returns
    -------
    list of list of str
        Dotted names without ``kpipe.``; those of one list may not import each other.
    """
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [c for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return [[name.strip().removeprefix("kpipe.") for name in layer.split("|")] for layer in contract["layers"]]


def steps() -> list[tuple[str, str, str]]:
    """The steps of a run, in the order of the code.

    Returns
    -------
    list of (str, str, str)
        Function, its package or module, and the value that it returns.
    """
    tree = ast.parse((ROOT / "kpipe" / "pipeline.py").read_text(encoding="utf-8"))
    homes = {
        alias.asname or alias.name: (node.module or "").split(".")[1]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kpipe.")
        for alias in node.names
    }
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = []
    for name in _calls(functions, "run"):
        if name in GIVES:
            home = {"prepare": "data, problem"}.get(name) or homes.get(name, "pipeline")
            found.append((name, home, GIVES[name]))
    return found


def _calls(functions: dict[str, ast.FunctionDef], name: str) -> Iterator[str]:
    """Names that a function calls, in order; calls of ``conclude`` are replaced by those that it makes."""
    calls = [
        node for node in ast.walk(functions[name]) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    for call in sorted(calls, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0)):
        assert isinstance(call.func, ast.Name)
        if call.func.id == "conclude":
            yield from _calls(functions, "conclude")
        else:
            yield call.func.id


def summary(name: str) -> str:
    """The first line of a package's or module's docstring, up to a full stop or a colon's explanation."""
    folder = ROOT / "kpipe" / name
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    documented = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return documented.split("\n\n")[0].replace("\n", " ").replace("``", "").split(". ")[0].rstrip(".")


def draw() -> str:
    """The picture, as SVG."""
    run, house = steps(), layers()
    rows = list(_layer_rows(house))
    height = 90 + max(len(run) * (ROW + 18), sum(size for _, size, _ in rows) + len(rows) * 8)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>kpipe: the path of the data, and the layers that imports follow</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>',
        '<text class="head" x="20" y="30">The path of the data: pipeline.run()</text>',
        f'<text class="head" x="{LEFT + 30}" y="30">The house: each layer imports only from those below</text>',
        *_path(run),
        *_house(rows),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _path(run: list[tuple[str, str, str]]) -> Iterator[str]:
    for number, (function, home, gives) in enumerate(run):
        top = 50 + number * (ROW + 18)
        yield f'<rect class="step" x="20" y="{top}" width="{LEFT - 60}" height="{ROW}"/>'
        yield f'<text class="name" x="32" y="{top + 19}">{function}()</text>'
        yield f'<text class="small" x="32" y="{top + 37}">{home}: {escape(gives)}</text>'
        if number + 1 < len(run):
            middle = 20 + (LEFT - 60) // 2
            yield f'<line x1="{middle}" y1="{top + ROW}" x2="{middle}" y2="{top + ROW + 17}"/>'


def _layer_rows(house: list[list[str]]) -> Iterator[tuple[str, int, list[str]]]:
    """(names, height, lines of summary) of each layer."""
    for names in house:
        wrapped = [line for name in names for line in textwrap.wrap(summary(name), 92)]
        yield (
            " | ".join(f"{name}/" if (ROOT / "kpipe" / name).is_dir() else f"{name}.py" for name in names),
            (26 + 16 * len(wrapped)),
            wrapped,
        )


def _house(rows: list[tuple[str, int, list[str]]]) -> Iterator[str]:
    top = 50
    for names, height, wrapped in rows:
        yield f'<rect x="{LEFT + 30}" y="{top}" width="{RIGHT}" height="{height}"/>'
        yield f'<text class="name" x="{LEFT + 42}" y="{top + 19}">{escape(names)}</text>'
        for number, line in enumerate(wrapped):
            yield f'<text class="small" x="{LEFT + 42}" y="{top + 37 + 16 * number}">{escape(line)}</text>'
        top += height + 8


def main(args: list[str]) -> int:
    """Write the picture, or check it; 1 where it is out of date."""
    picture = draw()
    if "--check" in args:
        current = PICTURE.read_text(encoding="utf-8") if PICTURE.is_file() else ""
        if current != picture:
            print(f"{PICTURE} is out of date: run python tools/architecture.py", file=sys.stderr)
        return int(current != picture)
    PICTURE.write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
