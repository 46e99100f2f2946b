"""The rank and medal that a score would have earned on a leaderboard.

References
----------
https://www.kaggle.com/progression: the number of medals by the number of teams. "Percentage calculations are rounded
down. For example, a competition with 9 teams will not award any gold medals"; 10 + 0.2 % is "an extra gold medal for
every 500 additional teams". Competitions for getting started, Playground and Community ones award none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric
from kpipe.core.wording import listed
from kpipe.data.column_names import plain_name
from kpipe.data.csv_reader import CsvFile
from kpipe.data.files import list_files
from kpipe.data.formats import parse_table
from kpipe.data.single_table import numbers_of, read_table
from kpipe.errors import DataError

__all__ = ["Leaderboard", "Standing", "medal_places", "rank_on", "read_leaderboard"]

_MEDALS = ("gold", "silver", "bronze")
_EXACT = 15  # decimals: rounding to as many leaves a float unchanged


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The scores of all teams.

    Attributes
    ----------
    scores : (n,) float
        The best score of each team, in the order of the file.
    decimals : int
        The number of decimals of the scores in the file.
    public : bool
        Whether the file is, by its name, the public leaderboard.
    """

    scores: np.ndarray
    decimals: int
    public: bool = False


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The rank of a score among those of all teams.

    Attributes
    ----------
    rank : int
        One more than the number of teams with a better score: of equal scores, Kaggle ranks the earlier one first.
    teams : int
    medal : {"gold", "silver", "bronze", ""}
    last : mapping of str to int
        Medal to the last rank that is awarded it; 0 where none is.
    scores : mapping of str to float or None
        Medal to the score of that rank.
    """

    rank: int
    teams: int
    medal: str
    last: Mapping[str, int]
    scores: Mapping[str, float | None]


def medal_places(teams: int) -> dict[str, int]:
    """The last rank that is awarded each medal, by Kaggle's rule.

    Parameters
    ----------
    teams : int
        The number of teams.

    Returns
    -------
    dict of str to int
        "gold", "silver" and "bronze"; 0 where no team is awarded it.

    Examples
    --------
    >>> medal_places(9), medal_places(5000)
    ({'gold': 0, 'silver': 1, 'bronze': 3}, {'gold': 20, 'silver': 250, 'bronze': 500})
    """
    if teams < 100:
        places = (teams * 10 // 100, teams * 20 // 100, teams * 40 // 100)
    elif teams < 250:
        places = (10, teams * 20 // 100, teams * 40 // 100)
    elif teams < 1000:
        places = (10 + teams // 500, 50, 100)
    else:
        places = (10 + teams // 500, teams * 5 // 100, teams * 10 // 100)
    return dict(zip(_MEDALS, places, strict=True))


def rank_on(leaderboard: Leaderboard, score: float, metric: Metric) -> Standing:
    """The rank and the medal of a score.

    Parameters
    ----------
    leaderboard : Leaderboard
    score : float
        It is rounded to the leaderboard's number of decimals.
    metric : Metric
        Its direction says which scores are better.

    Returns
    -------
    Standing
    """
    scores, own = (np.round(values, leaderboard.decimals) for values in (leaderboard.scores, score))
    sign = -1 if metric.greater_is_better else 1
    rank = int((sign * scores < sign * own).sum()) + 1
    last, best_first = medal_places(len(scores)), np.sort(sign * scores) * sign
    return Standing(
        rank=rank,
        teams=len(scores),
        medal=next((medal for medal in _MEDALS if rank <= last[medal]), ""),
        last=last,
        scores={medal: float(best_first[place - 1]) if place else None for medal, place in last.items()},
    )


def _check_direction(name: str, scores: np.ndarray, metric: Metric) -> None:
    """Raise DataError if a sorted leaderboard begins with the worst score: it is that of another metric."""
    steps = np.diff(scores) * (-1 if metric.greater_is_better else 1)  # at least 0 from the best to the worst
    if len(scores) > 1 and (steps <= 0).all() and (steps < 0).any():
        better = "higher" if metric.greater_is_better else "lower"
        raise DataError(
            f"{name} goes from {scores[0]:g} to {scores[-1]:g}, and a {better} {metric.name} is better: this is the "
            "leaderboard of another metric. Pass the competition's metric: --metric NAME.",
            code="metric-unsuitable",
        )


def read_leaderboard(file: Path, metric: Metric) -> Leaderboard:
    """A leaderboard: Kaggle's download (a CSV file or the zip that holds it), or a snapshot of MLE-bench.

    Parameters
    ----------
    file : Path
        A table with a row for each team, or for each of a team's scores, and a column ``Score``.
    metric : Metric
        Its direction says which of a team's scores is its best one.

    Returns
    -------
    Leaderboard

    Raises
    ------
    DataError
        If the file is no leaderboard, or is sorted the other way round, as that of another metric.
    """
    table = _table(file)
    names = {plain_name(name): name for name in table.header}
    if "score" not in names:
        raise DataError(
            f"{table.name} is no leaderboard: it needs a column 'Score'; it has: {listed(table.header)}.",
            code="broken-table",
            file=table.name,
        )
    scores, text = numbers_of(table, names["score"]), table.columns[names["score"]].to_pandas().str.strip()
    known = scores.notna()
    if "hasscore" in names:  # MLE-bench writes 0 for teams without a score
        known &= table.columns[names["hasscore"]].to_pandas().str.strip().str.lower() == "true"
    if not known.any():
        raise DataError(f"{table.name} is no leaderboard: no row has a score.", code="broken-table", file=table.name)
    teams = table.columns[names["teamid"]].to_pandas() if "teamid" in names else pd.Series(np.arange(table.rows))
    if teams.is_unique:
        _check_direction(table.name, scores[known].to_numpy(), metric)
    return Leaderboard(
        scores=_best_of_teams(scores[known], teams[known], metric),
        decimals=_decimals(text[known]),
        public="publicleaderboard" in plain_name(table.name),
    )


def _table(file: Path) -> CsvFile:
    if file.suffix.lower() != ".zip":
        return read_table(file)
    inside = list_files(file)
    if len(inside) != 1:
        raise DataError(
            f"{file} must hold one table, the leaderboard; it holds {len(inside)}. Pass the table itself.",
            code="ambiguous-files",
            file=str(file),
        )
    return parse_table(inside[0].name, inside[0].read())


def _best_of_teams(scores: pd.Series, teams: pd.Series, metric: Metric) -> np.ndarray:
    """Each team's best score: old downloads of public leaderboards hold all that a team ever had."""
    by_team = scores.groupby(teams, sort=False)
    return (by_team.max() if metric.greater_is_better else by_team.min()).to_numpy()


def _decimals(text: pd.Series) -> int:
    """The largest number of decimals of a score; as many as a float has if a score is written with an exponent."""
    if text.str.contains("e", case=False).any():
        return _EXACT
    return int(text.str.partition(".")[2].str.len().max())
