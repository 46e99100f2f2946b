from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kpipe.report import write
from tests.report.pages import by_hand, is_safe, page_of


def test_a_regression_shows_residuals_and_errors_by_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.exp(rng.normal(10, 1, size=200))
    guess = y * np.exp(rng.normal(0, 0.1, size=200))
    run = by_hand(
        tmp_path,
        target="price",
        metric="log_rmse",
        oof={"price": y, "blend": guess, "linear": guess},
        test={"blend": y},
    )
    page = page_of(run)
    for title in ("Errors by true value", "Residuals by prediction", "Distribution of residuals"):
        assert title in page.text
    assert is_safe(page)


def test_each_of_several_targets_has_its_own_plots(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    values = {"a": a, "b": b, "blend/a": a, "blend/b": a}
    run = by_hand(tmp_path, target=["a", "b"], metric="rmse", oof=values, test={"blend/a": a, "blend/b": b})
    headings = re.findall(r"<h3>(.*?)</h3>", write(run).read_text(encoding="utf-8"))
    assert headings == ["a", "b"]


def test_a_target_that_is_missing_in_some_rows_is_shown_on_the_others(tmp_path: Path) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 60))
    true = np.where(np.arange(60) % 3, a, np.nan)
    values = {"a": true, "b": b, "blend/a": a, "blend/b": a}
    run = by_hand(tmp_path, target=["a", "b"], metric="rmse", oof=values, test={"blend/a": a, "blend/b": b})
    headings = re.findall(r"<h3>(.*?)</h3>", write(run).read_text(encoding="utf-8"))
    assert headings == ["a", "b"]
