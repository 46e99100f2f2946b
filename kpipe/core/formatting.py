"""How scores and text are written for people, and the summary of a run that a notebook shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

__all__ = [
    "format_forecast",
    "format_score",
    "format_with_error",
    "plain_text",
    "summary_html",
    "summary_line",
    "with_minus_sign",
]

# Legible on light and on dark notebook themes: text keeps the page's colour, the one accent contrasts with both.
_CELL = "padding:.2em 1em .2em 0;border-bottom:1px solid rgba(128,128,128,.3);text-align:"
_SCORE = "font-size:2.2em;font-weight:700;letter-spacing:-.02em;color:#3b7dd8"


def format_score(value: float | None, like: float | None = None) -> str:
    """A score as text, with a number of decimals that suits its size.

    Parameters
    ----------
    value : the score.
    like : another score, whose size chooses the number of decimals instead.

    Returns
    -------
    Four decimals below 100, none from 100, scientific notation below 0.001; "unknown" for None, NaN or infinity.

    Examples
    --------
    >>> format_score(0.86532), format_score(None), format_score(12345.6), format_score(0.00001234)
    ('0.8653', 'unknown', '12,346', '1.23e-05')
    """
    if value is None or not math.isfinite(value):
        return "unknown"
    size = abs(value if like is None or not math.isfinite(like) else like)
    return with_minus_sign(format(value, ".2e" if 0 < size < 0.001 else ".4f" if size < 100 else ",.0f"))


def format_with_error(value: float | None, error: float | None, like: float | None = None) -> str:
    """A score and its standard error as text, both with the same number of decimals.

    Parameters
    ----------
    value, error : the score and its standard error.
    like : a score whose size chooses the number of decimals; ``value`` where it is None.

    Returns
    -------
    ``value ± error``, each as ``format_score`` writes it.

    Examples
    --------
    >>> format_with_error(0.8653, 0.01142)
    '0.8653 ± 0.0114'
    """
    like = value if like is None else like
    return f"{format_score(value, like)} ± {format_score(error, like)}"


def format_forecast(record: Mapping[str, Any], choosing: float = 0.0) -> str:
    """What a run's record expects on the leaderboard, as text.

    Parameters
    ----------
    record : the content of ``run.json``; keys may be missing or of other types.
    choosing : what is added for selection bias, because the run was chosen as the best of several.

    Returns
    -------
    The value with its 95 % interval, to two digits of half of the interval's width, or why there is none; empty where
    the record has no forecast, as those of earlier versions.

    Examples
    --------
    >>> format_forecast({"forecast": {"value": 0.8463, "low": 0.8012, "high": 0.8871}})
    '0.846 (95 %: 0.801 to 0.887)'
    >>> format_forecast({"forecast": {"value": 0.8463, "low": 0.7851, "high": 0.8918}})
    '0.846 (95 %: 0.785 to 0.892)'
    >>> format_forecast({"forecast": {"value": 0.8463, "low": None, "high": None}})
    '0.8463 (too few independent rows for an interval)'
    >>> format_forecast({"forecast": {"value": None, "low": None, "high": None}})
    'unknown, because the score is not a number'
    """
    forecast = _mapping(record.get("forecast"))
    value, low, high = (_number(forecast.get(name)) for name in ("value", "low", "high"))
    if value is None:
        return "unknown, because the score is not a number" if forecast else ""
    value += choosing
    if low is None or high is None or not math.isfinite(value + low + high):
        return f"{format_score(value)} (too few independent rows for an interval)"
    low, high = low + choosing, high + choosing
    digits = min(max(0, 1 - math.floor(math.log10((high - low) / 2))), 12) if high > low else 4
    value_text, low_text, high_text = (with_minus_sign(f"{number:,.{digits}f}") for number in (value, low, high))
    return f"{value_text} (95 %: {low_text} to {high_text})"


def with_minus_sign(number: str) -> str:
    r"""A formatted number with a minus sign (U+2212) in place of its leading hyphen.

    Parameters
    ----------
    number : what ``format`` returned.

    Returns
    -------
    The same text where it does not start with a hyphen.

    Examples
    --------
    >>> ascii(with_minus_sign("-0.5")), with_minus_sign("1e-05")
    ("'\\u22120.5'", '1e-05')
    """
    return "\N{MINUS SIGN}" + number[1:] if number.startswith("-") else number


def plain_text(value: object) -> str:
    """Any value as text without control characters, which XML forbids.

    Parameters
    ----------
    value : anything, such as a cell of a table or an exception.

    Returns
    -------
    ``str(value)`` with a space for each character that is not printable.

    Examples
    --------
    >>> plain_text("a" + chr(0) + "b")
    'a b'
    """
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in text)


def summary_line(record: Mapping[str, Any]) -> str:
    """A run's competition, metric, score and standard error in one line.

    Parameters
    ----------
    record : the content of ``run.json``; keys may be missing or of other types.

    Returns
    -------
    One line of text.

    Examples
    --------
    >>> summary_line({"slug": "titanic", "metric": {"name": "accuracy"}, "score": 0.8653, "standard_error": 0.0114})
    'titanic: accuracy 0.8653 ± 0.0114'
    """
    metric, data = (_mapping(record.get(name)) for name in ("metric", "data"))
    score, error = (_number(record.get(name)) for name in ("score", "standard_error"))
    sample = " (of the sample, not Kaggle's data)" if data.get("origin") == "sample" else ""
    return f"{record.get('slug')}: {metric.get('name')} {format_with_error(score, error)}{sample}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def summary_html(record: Mapping[str, Any]) -> str:
    """A run's score, models and checks as an HTML fragment, for a notebook.

    Parameters
    ----------
    record : the content of ``run.json``; optional keys may be missing. Its texts are escaped.

    Returns
    -------
    A ``div`` with inline styles.
    """
    metric = record["metric"]
    direction = "higher is better" if metric.get("greater_is_better", True) else "lower is better"
    head = _row(("model", "score ± standard error", "weight"), "th")
    return Markup(
        '<div><div><b>{}</b> · {} ({}) · run {}</div><div><span style="{}">{}</span> ± {}</div>'
        '<table style="border-collapse:collapse"><thead>{}</thead><tbody>{}</tbody></table><div>{}</div></div>'
    ).format(
        *(record["slug"], metric["name"], direction, record["run_id"], _SCORE, format_score(record["score"])),
        *(format_score(record["standard_error"], record["score"]), head, _score_rows(record), _notes(record)),
    )


def _score_rows(record: Mapping[str, Any]) -> Markup:
    """A table row for each model, and one for the baseline."""
    rows = [
        (
            model["name"],
            format_with_error(model.get("score"), model.get("standard_error")),
            f"{model['weight']:.2f}" if "weight" in model else "",
        )
        for model in record["models"]
    ]
    baseline = format_with_error(record.get("baseline"), record.get("baseline_standard_error"))
    rows.append((f"baseline: {record.get('baseline_name', 'unknown')}", baseline, ""))
    return Markup("").join(map(_row, rows))


def _notes(record: Mapping[str, Any]) -> str:
    """How many checks passed, which did not, and whether the data are the sample."""
    checks = record["checks"]
    passed = sum(check["status"] == "pass" for check in checks)
    skipped = sum(check["status"] == "skipped" for check in checks)
    notes = [f"{check['status']}: {check['name']}" for check in checks if check["status"] in ("warn", "fail")]
    if record.get("fallback"):
        notes.insert(0, "NO MODEL WAS TRAINED, as the budget was too short: every row has the same prediction")
    if _mapping(record.get("data")).get("origin") == "sample":
        notes.append("trained on the sample, not on Kaggle's data")
    counted = f"{passed} of {len(checks)} checks passed" + (f", {skipped} skipped" if skipped else "")
    return "; ".join([counted, *notes])


def _row(cells: Sequence[str], tag: str = "td") -> Markup:
    aligned = [
        Markup('<{} style="{}">{}</{}>').format(tag, _CELL + ("left" if place == 0 else "right"), cell, tag)
        for place, cell in enumerate(cells)
    ]
    return Markup("<tr>{}</tr>").format(Markup("").join(aligned))
