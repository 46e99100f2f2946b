"""Human-readable summaries of a run's record: its score in a line, its forecast, and the table shown in notebooks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from kpipe.core.formatting import format_score, format_with_error, with_minus_sign
from kpipe.runs.recorded import as_number, recorded_data

__all__ = ["clipped_predictions", "format_forecast", "summary_html", "summary_line"]

# Legible on light and on dark notebook themes: text keeps the page's colour, the one accent contrasts with both.
_CELL = "padding:.2em 1em .2em 0;border-bottom:1px solid rgba(128,128,128,.3);text-align:"
_SCORE_HOLDS = {"better than the baseline", "real data"}  # a check fails, and the score still holds
_SCORE = "font-size:2.2em;font-weight:700;letter-spacing:-.02em;color:#3b7dd8"


def summary_line(record: Mapping[str, Any]) -> str:
    """A run's competition, metric, score and standard error in one line.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``; keys may be missing or of other types.

    Returns
    -------
    str

    Examples
    --------
    >>> summary_line({"slug": "titanic", "metric": {"name": "accuracy"}, "score": 0.8653, "standard_error": 0.0114})
    'titanic: accuracy 0.8653 ± 0.0114'
    """
    metric = record.get("metric")
    name = metric.get("name") if isinstance(metric, Mapping) else None
    score, error = (as_number(record.get(name)) for name in ("score", "standard_error"))
    sample = " (of the sample, not Kaggle's data)" if recorded_data(record).get("origin") == "sample" else ""
    return f"{record.get('slug')}: {name} {format_with_error(score, error)}{sample}"


def format_forecast(record: Mapping[str, Any], choosing: float = 0.0) -> str:
    """The expected leaderboard score in a run's record, as text.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``; keys may be missing or of other types.
    choosing : float
        What is added for selection bias, because the run was chosen as the best of several.

    Returns
    -------
    str
        The value with its 95 % interval, to two digits of half of the interval's width, or why there is none; empty
        where the record has no forecast, as those of earlier versions.

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
    >>> leak = {"name": "target leakage", "status": "fail", "detail": ""}
    >>> format_forecast({"forecast": {"value": 0.8463, "low": None, "high": None}, "checks": [leak]})
    '0.8463 (too few independent rows for an interval), unreliable: target leakage failed'
    """
    text = _forecast_text(record, choosing)
    doubts = _failed_checks(record)
    return f"{text}, unreliable: {doubts} failed" if text and doubts else text


def _failed_checks(record: Mapping[str, Any]) -> str:
    """The failed checks after which a score need not hold for test; empty if all of these passed."""
    checks = record.get("checks")
    known = [check for check in checks if isinstance(check, Mapping)] if isinstance(checks, list) else []
    failed = [str(check.get("name")) for check in known if check.get("status") == "fail"]
    return ", ".join(dict.fromkeys(name for name in failed if name not in _SCORE_HOLDS))


def _forecast_text(record: Mapping[str, Any], choosing: float) -> str:
    forecast = record.get("forecast")
    if not isinstance(forecast, Mapping) or not forecast:
        return ""
    value, low, high = (as_number(forecast.get(name)) for name in ("value", "low", "high"))
    if value is None:
        return "unknown, because the score is not a number"
    value += choosing
    if low is None or high is None or not math.isfinite(value + low + high):
        return f"{format_score(value)} (too few independent rows for an interval)"
    low, high = low + choosing, high + choosing
    digits = min(max(0, 1 - math.floor(math.log10((high - low) / 2))), 12) if high > low else 4
    value_text, low_text, high_text = (with_minus_sign(f"{number:,.{digits}f}") for number in (value, low, high))
    return f"{value_text} (95 %: {low_text} to {high_text})"


def clipped_predictions(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each target whose predictions were raised to a lower bound.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``.

    Yields
    ------
    str

    Examples
    --------
    >>> record = {"clipped": {"visits": {"lower": 0.0, "oof": 1200, "test": 1}}}
    >>> list(clipped_predictions(record))
    ['Predictions of visits below 0 became 0: 1,200 out-of-fold, 1 of test.']
    """
    clipped, inferred = record.get("clipped"), record.get("inferred")
    reason = str(inferred.get("bounds", "")).rpartition(": ")[2] if isinstance(inferred, Mapping) else ""
    for name, of_target in clipped.items() if isinstance(clipped, Mapping) else ():
        if not isinstance(of_target, Mapping):
            continue
        lower, oof, test = (as_number(of_target.get(key)) for key in ("lower", "oof", "test"))
        if lower is not None and oof is not None and test is not None:
            counts = f"{oof:,.0f} out-of-fold, {test:,.0f} of test"
            why = f" ({reason})" if reason else ""
            yield f"Predictions of {name} below {lower:g} became {lower:g}: {counts}{why}."


def summary_html(record: Mapping[str, Any]) -> str:
    """A run's score, models and checks as an HTML fragment, for a notebook.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``; optional keys may be missing. Its texts are escaped.

    Returns
    -------
    str
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
    if recorded_data(record).get("origin") == "sample":
        notes.append("trained on the sample, not on Kaggle's data")
    counted = f"{passed} of {len(checks)} checks passed" + (f", {skipped} skipped" if skipped else "")
    return "; ".join([counted, *notes])


def _row(cells: Sequence[str], tag: str = "td") -> Markup:
    aligned = [
        Markup('<{} style="{}">{}</{}>').format(tag, _CELL + ("left" if place == 0 else "right"), cell, tag)
        for place, cell in enumerate(cells)
    ]
    return Markup("<tr>{}</tr>").format(Markup("").join(aligned))
