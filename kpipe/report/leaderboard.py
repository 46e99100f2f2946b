"""Cross-validation against the public leaderboard, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kpipe.runs.ledger import Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["leaderboard_plot"]


def leaderboard_plot(entries: Sequence[Entry]) -> Figure:
    """Cross-validation against the public leaderboard, a point a submission; on the dashed line they agree."""
    from kpipe.core.plots import COLOURS, new_figure, set_title

    known = [entry for entry in entries if entry.score is not None and entry.public_score is not None]
    x, y = ([getattr(entry, name) for entry in known] for name in ("score", "public_score"))
    errors = [entry.standard_error or 0.0 for entry in known]
    with new_figure(1, 1, height=4.5) as (figure, axes):
        ax = axes[0, 0]
        ax.errorbar(
            x, y, xerr=errors, fmt="o", color=COLOURS[0], capsize=3, label="a submission, ± standard error of CV"
        )
        ends = [min([*x, *y]), max([*x, *y])]
        ax.plot(ends, ends, color=COLOURS[4], linestyle="--", linewidth=1, label="CV = leaderboard")
        ax.set_xlabel(f"cross-validation, {known[0].metric}")
        ax.set_ylabel(f"public leaderboard, {known[0].metric}")
        ax.legend()
        near = sum(abs(a - b) <= 2 * e for a, b, e in zip(x, y, errors, strict=True))
        set_title(figure, f"{known[0].slug}: {near} of {len(known)} public scores lie within two standard errors of CV")
    return figure
