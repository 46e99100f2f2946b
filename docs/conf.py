"""Sphinx configuration of the site (`make docs`). kpipe generates the reference pages' lists."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

import kpipe

os.environ["COLUMNS"] = "88"  # the width at which argparse formats --help

project, author, version = "kpipe", "kpipe developers", kpipe.__version__
copyright = author
html_title = "kpipe"
html_static_path = ["_static"]
html_css_files = ["kpipe.css"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
napoleon_google_docstring = False
napoleon_use_rtype = False
html_theme = "furo"
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
highlight_language = "none"
html_copy_source = html_show_sourcelink = False


def commands() -> Iterator[str]:
    """Yield the output of --help of each command."""
    from kpipe.cli.main import COMMANDS, get_parser

    parser = get_parser()
    subparsers = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    yield f"## kpipe\n\n```text\n{parser.format_help()}```\n"
    for name in COMMANDS:
        yield f"## kpipe {name}\n\n```text\n{subparsers.choices[name].format_help()}```\n"


def metrics() -> Iterator[str]:
    """Yield the lines of a table of the metrics."""
    from kpipe.core.metrics import METRICS

    yield "| name | better is | scores |\n|---|---|---|"
    for name, metric in sorted(METRICS.items()):
        yield f"| `{name}` | {'higher' if metric.greater_is_better else 'lower'} | {metric.needs} |"


def models() -> Iterator[str]:
    """Yield the lines of a table of the models."""
    from kpipe.models import CATALOG

    yield "| name | description |\n|---|---|"
    yield from (f"| `{name}` | {description} |" for name, (_, description) in CATALOG.items())


def errors() -> Iterator[str]:
    """Yield a section for each code of an error."""
    yield from _explanations("error")


def checks() -> Iterator[str]:
    """Yield a section for each check."""
    yield from _explanations("check")


def _explanations(kind: str) -> Iterator[str]:
    from kpipe.cli.explanations import explanations

    for one in explanations().values():
        if one.kind == kind:
            yield "\n\n".join((f"## {one.name}", *one.lines())) + "\n"


def setup(app: Any) -> dict[str, bool]:
    """Add the directives `commands`, `metrics`, `models`, `errors` and `checks`."""
    from sphinx.util.docutils import SphinxDirective

    for source in (commands, metrics, models, errors, checks):

        class Generated(SphinxDirective):
            text = staticmethod(source)

            def run(self) -> list[Any]:
                """Parse the text as Markdown."""
                return self.parse_text_to_nodes("\n".join(self.text()), allow_section_headings=True)

        app.add_directive(source.__name__, Generated)
    return {"parallel_read_safe": True}
