"""A plot of cross-validation scores against public leaderboard scores."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from kpipe.core.plots import COLOURS, new_figure, set_title
from kpipe.runs.ledger import Entry

__all__ = ["leaderboard_plot"]


def leaderboard_plot(entries: Sequence[Entry]) -> Figure:
    """Plot the public leaderboard score of each submission against its cross-validation score.

    Parameters
    ----------
    entries : sequence of Entry
        Submissions to one competition; at least one has both scores.

    Returns
    -------
    Figure
        The dashed line marks equal scores. Upright bands are the intervals in which the runs' forecasts expect the
        leaderboard score; error bars are one standard error of the cross-validation score.
    """
    known = [entry for entry in entries if entry.score is not None and entry.public_score is not None]
    x, y = ([getattr(entry, name) for entry in known] for name in ("score", "public_score"))
    errors, slug, metric = [entry.standard_error or 0.0 for entry in known], known[0].slug, known[0].metric
    with new_figure(1, 1, height=4.5) as (figure, axes):
        ax = axes[0, 0]
        bands = [entry for entry in known if entry.expected_low is not None and entry.expected_high is not None]
        lows, highs = ([getattr(entry, f"expected_{end}") for entry in bands] for end in ("low", "high"))
        ax.vlines(
            [entry.score for entry in bands], lows, highs, color=COLOURS[0], alpha=0.25, linewidth=9, label="expected"
        )
        ax.errorbar(x, y, xerr=errors, fmt="o", color=COLOURS[0], capsize=3, label="submission ± standard error")
        ends = [min([*x, *y]), max([*x, *y])]
        ax.plot(ends, ends, color=COLOURS[4], linestyle="--", linewidth=1, label="equal scores")
        ax.set_xlabel(f"cross-validation score ({metric})")
        ax.set_ylabel(f"public leaderboard score ({metric})")
        ax.legend()
        if bands:
            near = sum(not entry.is_unexpected for entry in bands)
            set_title(
                figure, f"{slug}: {near} of {len(bands)} public leaderboard scores lie in their expected interval"
            )
            return figure
        near = sum(abs(a - b) <= 2 * error for a, b, error in zip(x, y, errors, strict=True))
        set_title(
            figure,
            f"{slug}: {near} of {len(known)} public leaderboard scores lie within two standard errors of the "
            "cross-validation score",
        )
    return figure
