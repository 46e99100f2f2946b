"""How Sphinx makes the site (`make docs`). Commands, metrics and models are described by kpipe itself, at build."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from typing import Any

import kpipe

os.environ["COLUMNS"] = "88"  # how wide argparse writes what --help says

project, author, version = "kpipe", "kpipe developers", kpipe.__version__
copyright = author
html_title = "kpipe"
html_static_path = ["_static"]
html_css_files = ["kpipe.css"]
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
highlight_language = "none"
html_copy_source = html_show_sourcelink = False

# A line of this project's docstrings that describes a parameter or a field: "slug : Kaggle's name of it."
_FIELD = re.compile(r"(\*{0,2}[A-Za-z_][\w]*(?:, \w+)*) : (.*)")


def fields(lines: list[str]) -> Iterator[str]:
    """A docstring's lines, its fields as a list of definitions."""
    inside = False
    for line in lines:
        if match := _FIELD.fullmatch(line):
            if not inside:
                yield ""
            inside = True
            yield from (f"**{match[1].replace('*', '')}**", f"    {match[2]}")
        elif inside and line and not line.startswith(" "):
            inside = False
            yield from ("", line)
        else:
            yield line


def process(app: Any, what: str, name: str, it: Any, options: Any, lines: list[str]) -> None:
    """What autodoc calls for each docstring."""
    lines[:] = list(fields(lines))


def commands() -> Iterator[str]:
    """What each command's --help says."""
    from kpipe.cli.main import COMMANDS, get_parser

    parser = get_parser()
    subparsers = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    yield f"## kpipe\n\n```text\n{parser.format_help()}```\n"
    for name in COMMANDS:
        yield f"## kpipe {name}\n\n```text\n{subparsers.choices[name].format_help()}```\n"


def metrics() -> Iterator[str]:
    """A table of the metrics."""
    from kpipe.core.metrics import METRICS

    yield "| name | better is | judges |\n|---|---|---|"
    for name, metric in sorted(METRICS.items()):
        yield f"| `{name}` | {'higher' if metric.greater_is_better else 'lower'} | {metric.needs} |"


def models() -> Iterator[str]:
    """A table of the catalogue."""
    from kpipe.models import CATALOG

    yield "| name | what it is |\n|---|---|"
    yield from (f"| `{name}` | {description} |" for name, (_, description) in CATALOG.items())


def setup(app: Any) -> dict[str, bool]:
    """Directives of our own: `commands`, `metrics` and `models`, written by kpipe itself."""
    from sphinx.util.docutils import SphinxDirective

    for source in (commands, metrics, models):

        class Told(SphinxDirective):
            text = staticmethod(source)

            def run(self) -> list[Any]:
                """The text, parsed as Markdown."""
                return self.parse_text_to_nodes("\n".join(self.text()), allow_section_headings=True)

        app.add_directive(source.__name__, Told)
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
