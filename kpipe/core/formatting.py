"""How scores and text are written for people, and the summary of a run that a notebook shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

__all__ = ["as_html", "as_line", "plain", "scored", "with_error", "with_minus_sign"]

# In the colours of whatever page the notebook is: currentColor at several strengths, one accent that both can bear.
_CELL = "padding:.2em 1em .2em 0;border-bottom:1px solid rgba(128,128,128,.3);text-align:"
_SCORE = "font-size:2.2em;font-weight:700;letter-spacing:-.02em;color:#3b7dd8"


def scored(value: float | None, like: float | None = None) -> str:
    """A score: four decimals, or as many as a tiny or a huge one calls for; written like another score if given.

    >>> scored(0.86532), scored(None), scored(12345.6), scored(0.00001234)
    ('0.8653', 'unknown', '12,346', '1.23e-05')
    """
    if value is None or not math.isfinite(value):
        return "unknown"
    size = abs(value if like is None or not math.isfinite(like) else like)
    return with_minus_sign(format(value, ".2e" if 0 < size < 0.001 else ".4f" if size < 100 else ",.0f"))


def with_error(value: float | None, error: float | None, like: float | None = None) -> str:
    """A score and its standard error, to the same decimal; that of another score if given."""
    like = value if like is None else like
    return f"{scored(value, like)} ± {scored(error, like)}"


def with_minus_sign(number: str) -> str:
    r"""A formatted number with a minus sign (U+2212) in place of its leading hyphen.

    >>> ascii(with_minus_sign("-0.5")), with_minus_sign("1e-05")
    ("'\\u22120.5'", '1e-05')
    """
    return "\N{MINUS SIGN}" + number[1:] if number.startswith("-") else number


def plain(value: object) -> str:
    """Any value as text without control characters, which neither XML nor a reader can use.

    >>> plain("a" + chr(0) + "b")
    'a b'
    """
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in text)


def as_line(record: Mapping[str, Any]) -> str:
    """``run.json`` in a few words, whatever it holds.

    >>> as_line({"slug": "titanic", "metric": {"name": "accuracy"}, "score": 0.8653, "standard_error": 0.0114})
    'titanic: accuracy 0.8653 ± 0.0114'
    """
    metric, data = (_mapping(record.get(name)) for name in ("metric", "data"))
    score, error = (_number(record.get(name)) for name in ("score", "standard_error"))
    sample = " (of the sample, not Kaggle's data)" if data.get("origin") == "sample" else ""
    return f"{record.get('slug')}: {metric.get('name')} {with_error(score, error)}{sample}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def as_html(record: Mapping[str, Any]) -> str:
    """``run.json`` as a piece of HTML: the score, the models, the checks. What the record says is escaped."""
    metric = record["metric"]
    direction = "higher is better" if metric["greater_is_better"] else "lower is better"
    rows = [
        (model["name"], with_error(model["score"], model["standard_error"]), f"{model['weight']:.2f}")
        for model in record["models"]
    ]
    below = with_error(record["baseline"], record["baseline_standard_error"])
    rows.append((f"baseline: {record['baseline_name']}", below, ""))
    head = _row(("model", "score ± standard error", "weight"), "th")
    passed = sum(check["status"] == "pass" for check in record["checks"])
    notes = [f"{check['status']}: {check['name']}" for check in record["checks"] if check["status"] != "pass"]
    if record["data"]["origin"] == "sample":
        notes.append("trained on the sample, not on Kaggle's data")
    told = "; ".join([f"{passed} of {len(record['checks'])} checks pass", *notes])
    return Markup(
        '<div><div><b>{}</b> · {} ({}) · run {}</div><div><span style="{}">{}</span> ± {}</div>'
        '<table style="border-collapse:collapse"><thead>{}</thead><tbody>{}</tbody></table><div>{}</div></div>'
    ).format(
        *(record["slug"], metric["name"], direction, record["run_id"], _SCORE, scored(record["score"])),
        *(scored(record["standard_error"], record["score"]), head, Markup("").join(map(_row, rows)), told),
    )


def _row(cells: Sequence[str], tag: str = "td") -> Markup:
    aligned = [
        Markup('<{} style="{}">{}</{}>').format(tag, _CELL + ("left" if place == 0 else "right"), cell, tag)
        for place, cell in enumerate(cells)
    ]
    return Markup("<tr>{}</tr>").format(Markup("").join(aligned))
