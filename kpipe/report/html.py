"""The HTML of a page: the template, the style sheet, the script, and the policy that lets nothing else run.

A run's folder is not trusted: the template escapes every text, and the page's content security policy allows only
kpipe's own style sheet and script, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import groupby

import jinja2
from markupsafe import Markup

from kpipe.report.blocks import Block, Finding, Plot, Section, Table
from kpipe.report.colours import SERIES
from kpipe.report.svg import svg
from kpipe.runs.provenance import versions

__all__ = ["render", "render_index"]

_LEVELS = {"bad": "problem", "warn": "warning", "good": "good", "note": "note"}  # in this order on the page
_SHOWN_ROWS = 10  # of a long table, until the reader expands it; style.css has the same number


def render(header: Mapping[str, str], sections: Sequence[Section]) -> str:
    """The page.

    Parameters
    ----------
    header : mapping of str to str
        The texts at the top of the page, by their names in the template.
    sections : sequence of Section
        The sections; their findings are listed at the top, the most serious first.

    Returns
    -------
    str
        HTML that loads no other file.
    """
    findings: list[tuple[Finding, Section]] = [(found, section) for section in sections for found in section.findings]
    findings.sort(key=lambda pair: list(_LEVELS).index(pair[0].level))
    template = _environment().get_template("template.html")
    return template.render(
        **header,
        sections=sections,
        findings=findings,
        levels=_LEVELS,
        shown_rows=_SHOWN_ROWS,
        version=versions()["kpipe"],
        **_style_and_script(("style.css",), ("sort.js", "script.js")),
    )


def render_index(folder: str, groups: Sequence[object], skipped: Sequence[str]) -> str:
    """The page of all runs.

    Parameters
    ----------
    folder : str
        Where the runs are.
    groups : sequence of Group
        The runs by competition and metric, see ``kpipe.report.index``.
    skipped : sequence of str
        Why runs are not on the page.

    Returns
    -------
    str
        HTML that loads no other file.
    """
    template = _environment().get_template("index.html")
    return template.render(
        folder=folder,
        groups=groups,
        skipped=skipped,
        version=versions()["kpipe"],
        **_style_and_script(("style.css", "index.css"), ("sort.js", "index.js")),
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kpipe", "report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"grouped": _grouped, "svg": svg}
    return environment


def _grouped(blocks: Iterable[Block]) -> list[tuple[str, list[tuple[int, Block]]]]:
    """Numbered blocks by type, neighbours of one type together: plots and small tables are placed in pairs."""
    shown = [block for block in blocks if not isinstance(block, Plot) or block.on_page]
    groups = groupby(enumerate(shown), key=lambda pair: "Pair" if _in_pairs(pair[1]) else type(pair[1]).__name__)
    return [(name, list(group)) for name, group in groups]


def _in_pairs(block: Block) -> bool:
    return isinstance(block, Plot) or (isinstance(block, Table) and block.small)


@cache
def _style_and_script(styles: tuple[str, ...], scripts: tuple[str, ...]) -> dict[str, Markup]:
    """The style sheet and the script of a page, joined from the files named, and the policy that allows both."""
    style, script = _joined(styles) + _generated_rules(), _joined(scripts)
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}


def _joined(names: tuple[str, ...]) -> str:
    folder = resources.files("kpipe.report")
    return "".join((folder / name).read_text(encoding="utf-8") for name in names)


def _generated_rules() -> str:
    """The rules of the style sheet for colours of lines, shades of cells and lengths of bars."""
    rules = [f".{how}-s{n}{{{how}:var(--s{n})}}" for n in range(len(SERIES)) for how in ("fill", "stroke")]
    rules += [f".l{n}{{background:color-mix(in srgb,var(--accent) {5 * n}%,transparent)}}" for n in range(10)]
    rules += [
        f".b{n}{{background:linear-gradient(to right,var(--tint) {n}%,transparent {n}%)}}" for n in range(0, 101, 5)
    ]
    return "\n".join(rules) + "\n"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
