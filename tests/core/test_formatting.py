from __future__ import annotations

import pytest

from kpipe.cli.console.runs import print_runs
from kpipe.core.formatting import format_score, format_with_error, summary_html, summary_line

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


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.5, "0.5000"), (-0.05, "\N{MINUS SIGN}0.0500"), (-12345.6, "\N{MINUS SIGN}12,346"), (2e-5, "2.00e-05")],
)
def test_a_score_has_four_decimals_or_as_many_as_its_size_needs(value: float, written: str) -> None:
    assert format_score(value) == written


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_score_that_is_missing_or_not_finite_is_unknown(value: float | None) -> None:
    assert format_score(value) == "unknown"


def test_a_standard_error_has_as_many_decimals_as_its_score() -> None:
    assert format_with_error(12345.6, 5.4321) == "12,346 ± 5"


def test_the_terminal_the_report_and_the_notebook_write_a_negative_score_alike(
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
