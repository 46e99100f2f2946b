"""Sphinx configuration of the site (`make docs`). kpipe generates the reference pages' lists."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import kpipe

os.environ["COLUMNS"] = "88"  # the width at which argparse formats --help


def _repository() -> dict[str, str]:
    """The link to the source, where the address is known: of CI, or of the clone in which the site is built."""
    address = os.environ.get("GITHUB_SERVER_URL", "https://github.com") + "/" + os.environ.get("GITHUB_REPOSITORY", "")
    if not os.environ.get("GITHUB_REPOSITORY"):
        asked = subprocess.run(["git", "remote", "get-url", "origin"], capture_output=True, text=True, check=False)
        address = re.sub(r"^git@([^:]+):", r"https://\1/", asked.stdout.strip()).removesuffix(".git")
    if not re.match(r"https://[^@]+$", address):
        return {}
    return {"source_repository": address, "source_branch": "main", "source_directory": "docs/"}


project, author, version = "kpipe", "kpipe developers", kpipe.__version__
copyright = author
html_title = f"kpipe {version}"
html_static_path = ["_static"]
html_extra_path = ["llms.txt"]
html_css_files = ["kpipe.css"]
html_logo = html_favicon = "_static/logo.svg"
html_theme_options = _repository()
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
copybutton_prompt_text = r"\$ |>>> |\.\.\. "  # of a console and of a doctest: only commands are copied
copybutton_prompt_is_regexp = True
smartquotes = False  # "--split" must not become a dash
add_module_names = False
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
    """Yield each command with its usage, its description and its options, each of which has an address."""
    from kpipe.cli.main import COMMANDS, get_parser

    parser = get_parser()
    subparsers = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    yield f"## kpipe\n\n```text\n{parser.format_help()}```\n"
    for name in COMMANDS:
        yield from _command(f"kpipe {name}", subparsers.choices[name])


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield a command and, below it, its own commands."""
    yield f"## {name}\n\n```text\n{parser.format_help()}```\n\n```{{program}} {name}\n```\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for own, sub in action.choices.items():
                yield from _command(f"{name} {own}", sub)
        elif action.option_strings and action.help != argparse.SUPPRESS:
            yield _option(action, parser)


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or '|'.join(map(str, action.choices or ()))}"
    spellings = ", ".join(f"{each}{value}".strip() for each in action.option_strings)
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    return f"````{{option}} {spellings}\n{text}\n````\n"


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
    app.connect("doctree-resolved", _dashes)
    return {"parallel_read_safe": True}


def _dashes(app: Any, document: Any, name: str) -> None:
    """Sphinx writes "--" between a parameter and its description; without smartquotes it stays."""
    from docutils import nodes

    for text in list(document.findall(lambda node: isinstance(node, nodes.Text) and node.astext() == " -- ")):
        text.parent.replace(text, nodes.Text(" \N{EN DASH} "))
