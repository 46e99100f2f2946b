from __future__ import annotations

import pandas as pd
import pytest

from kpipe.cli.console.comparison import print_comparison
from kpipe.runs.compare import Comparison, Verdict


def comparison(verdict: Verdict, *, same_folds: bool = True, rows: int = 0) -> Comparison:
    sides = pd.DataFrame({"row": range(rows), "truth": 1, "a": 0.25, "b": 0.75, "change": ["won"] * rows})
    return Comparison(
        a="r1",
        b="r2",
        metric="accuracy",
        greater_is_better=True,
        scores=(0.8, 0.85),
        difference=0.05,
        standard_error=0.01,
        rows=891,
        verdict=verdict,
        same_folds=same_folds,
        changed=("options: folds was 5, is 10", "data: train.csv changed"),
        sides=sides,
    )


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        ("better", "r2: better than r1."),
        ("worse", "r2: worse than r1."),
        ("no significant difference", "r2: no significant difference from r1."),
    ],
)
def test_the_verdict_comes_first_then_what_it_is_based_on(
    verdict: Verdict, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_comparison(comparison(verdict), rows=5)
    assert capsys.readouterr().out.splitlines() == [
        sentence,
        "accuracy (higher is better): 0.8 before, 0.85 now. Difference +0.050 ± 0.010, paired over 891 rows.",
        "Changed: options: folds was 5, is 10; data: train.csv changed.",
    ]


def test_other_folds_are_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(comparison("better", same_folds=False), rows=5)
    assert "The folds differ: the standard error does not include" in capsys.readouterr().out


def test_the_first_rows_that_changed_are_shown_and_all_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(comparison("better", rows=7), rows=5)
    out = capsys.readouterr().out
    assert "Rows improved: 7, worsened: 0. The 5 largest changes of each:" in out
    assert all(line == line.rstrip() for line in out.splitlines())
    assert out.count(" 0.75   won") == 5
    print_comparison(comparison("better", rows=7), rows=1)
    assert "The largest change of each:" in capsys.readouterr().out
