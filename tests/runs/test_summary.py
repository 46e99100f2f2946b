from __future__ import annotations

import pytest

from kpipe.cli.console.runs import print_runs
from kpipe.core.formatting import format_with_error
from kpipe.runs.summary import format_forecast, summary_html, summary_line

RECORD = {
    "slug": "made-by-hand",
    "run_id": "r1",
    "metric": {"name": "r2", "greater_is_better": True},
    "score": -0.05,
    "standard_error": 0.01,
    "models": [{"name": "linear", "score": -0.05, "standard_error": 0.01, "weight": 1.0}],
    "baseline": -0.1,
    "baseline_standard_error": 0.01,
    "baseline_name": "mean",
    "checks": [],
    "data": {"origin": "directory"},
}


def test_the_terminal_the_report_and_the_notebook_format_a_negative_score_in_the_same_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = "\N{MINUS SIGN}0.0500 ± 0.0100"
    assert format_with_error(-0.05, 0.01) == written
    summary = {"metric": "r2", "models": ["linear"], "seconds": 1.0, "not_passed": {}, "submitted": False}
    print_runs("x: r2", [RECORD | summary])
    assert written in capsys.readouterr().out
    assert written in summary_line(RECORD)
    assert written in summary_html(RECORD)


def test_the_notebook_shows_a_record_of_which_only_the_necessary_keys_are_there() -> None:
    optional = ("baseline", "baseline_standard_error", "baseline_name", "data")
    record = {key: value for key, value in RECORD.items() if key not in optional}
    shown = summary_html({**record, "metric": {"name": "r2"}, "models": [{"name": "linear"}]})
    assert "baseline: unknown" in shown
    assert "unknown ± unknown" in shown


def test_a_forecast_says_which_failed_checks_make_it_unreliable() -> None:
    record = {"forecast": {"value": 0.8463, "low": 0.8012, "high": 0.8871}}
    checks = [
        {"name": name, "status": status, "detail": ""}
        for name, status in (
            ("target leakage", "fail"),
            ("row-order leakage", "warn"),
            ("better than the baseline", "fail"),
        )
    ]
    assert format_forecast(record | {"checks": checks}) == (
        "0.846 (95 %: 0.801 to 0.887), unreliable: target leakage failed"
    )
    assert format_forecast(record | {"checks": checks[1:]}) == "0.846 (95 %: 0.801 to 0.887)"
    assert format_forecast(record | {"checks": "none"}) == "0.846 (95 %: 0.801 to 0.887)"
