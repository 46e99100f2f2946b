from __future__ import annotations

from dataclasses import replace

from kpipe.report.leaderboard import leaderboard_plot
from kpipe.runs.ledger import Entry

ENTRY = Entry(
    ref=1, slug="titanic", date="2026-11-27T12:00:00Z", message="", file="submission.csv", metric="accuracy",
    score=0.84, standard_error=0.01, status="complete", public_score=0.83,
)  # fmt: skip


def test_the_plot_counts_the_public_scores_near_cross_validation() -> None:
    far, elsewhere = replace(ENTRY, ref=2, public_score=0.77), replace(ENTRY, ref=3, score=None, metric="")
    figure = leaderboard_plot([elsewhere, ENTRY, far])
    title = " ".join(figure.get_suptitle().split())
    assert title.startswith("titanic: 1 of 2 public leaderboard scores lie within two standard errors")
    assert figure.axes[0].get_xlabel() == "cross-validation score (accuracy)"


def test_the_plot_draws_the_forecasts_and_counts_the_scores_that_they_hold() -> None:
    held, missed = (
        replace(ENTRY, ref=ref, score=0.8, expected_low=0.79, expected_high=0.87, public_score=public)
        for ref, public in ((1, 0.83), (2, 0.77))
    )
    figure = leaderboard_plot([held, missed, replace(ENTRY, ref=3)])
    assert " ".join(figure.get_suptitle().split()) == (
        "titanic: 1 of 2 public leaderboard scores lie in their expected interval"
    )
    (bands,) = figure.axes[0].collections[:1]
    assert [[tuple(end) for end in path.vertices] for path in bands.get_paths()] == [[(0.8, 0.79), (0.8, 0.87)]] * 2
