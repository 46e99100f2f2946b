"""A picture of the scores of systems over their time limits, for scores.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks._held_out import PLANS
from kpipe.core.plots import COLOURS, STYLES, new_figure, set_title

_COLUMNS = 2
_SYSTEMS = ("kpipe", "autogluon", "mljar", "histgb")  # in the order of their colours


def draw_curves(results: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Draw a plot for each competition with two time limits at least.

    Parameters
    ----------
    results : mapping
        Of ``scores.py``'s result file. Of several versions of a system, the one measured last counts.
    file : Path
        PNG or SVG.
    """
    known = [entry for entry in results.values() if not entry["error"] and "slug" in entry]
    table = pd.DataFrame(known, columns=["slug", "system", "budget", "fifth", "score", "standard_error"])
    table = table.drop_duplicates(["slug", "system", "budget", "fifth"], keep="last")
    several = [slug for slug, rows in table.groupby("slug", sort=False) if rows["budget"].nunique() > 1]
    if not several:
        raise SystemExit("There are no scores of one competition at two time limits: measure with other --seconds.")
    rows = -(-len(several) // _COLUMNS)
    with new_figure(rows, _COLUMNS, height=2.6) as (figure, axes):
        for ax, slug in zip(axes.flat, several, strict=False):
            _draw(ax, str(slug), table[table["slug"] == slug])
        for ax in axes.flat[len(several) :]:
            ax.set_axis_off()
        set_title(figure, "Scores on held-out rows over the time limit, with one standard error")
        figure.savefig(file, dpi=120)


def _draw(ax: Axes, slug: str, table: pd.DataFrame) -> None:
    seconds = sorted(table["budget"].unique())
    for number, system in enumerate(_SYSTEMS):
        of_system = table[table["system"] == system].groupby("budget")
        if not len(of_system):
            continue
        score = of_system["score"].mean()
        error = of_system["standard_error"].agg(lambda errors: np.sqrt((errors**2).mean() / len(errors)))
        style = {"color": COLOURS[number], "linestyle": STYLES[number], "marker": "o", "markersize": 4, "capsize": 3}
        ax.errorbar(score.index * 1.03**number, score, yerr=error, label=system, **style)  # beside one another
    better = "higher" if PLANS[slug].scorer.greater_is_better else "lower"
    ax.set_title(slug)
    ax.set_ylabel(f"{PLANS[slug].metric} ({better} is better)")
    ax.set_xlabel("time limit, seconds")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(seconds))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"{one:g}" for one in seconds])
    ax.legend()
