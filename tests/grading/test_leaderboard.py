"""Ranks and medals by Kaggle's rule (https://www.kaggle.com/progression)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.core.metrics import get_metric
from kpipe.errors import DataError
from kpipe.grading.leaderboard import Leaderboard, medal_places, rank_on, read_leaderboard

ACCURACY, RMSE = get_metric("accuracy"), get_metric("rmse")
TEAMS = st.integers(1, 30_000)


@pytest.mark.parametrize(
    ("teams", "gold", "silver", "bronze"),
    [
        (0, 0, 0, 0),
        (9, 0, 1, 3),  # Kaggle's example: "a competition with 9 teams will not award any gold medals"
        (10, 1, 2, 4),
        (99, 9, 19, 39),
        (100, 10, 20, 40),
        (249, 10, 49, 99),
        (250, 10, 50, 100),
        (500, 11, 50, 100),  # Kaggle's example
        (999, 11, 50, 100),
        (1000, 12, 50, 100),
        (5000, 20, 250, 500),  # Kaggle's example
        (10_208, 30, 510, 1020),
    ],
)
def test_the_number_of_medals_is_kaggles(teams: int, gold: int, silver: int, bronze: int) -> None:
    assert medal_places(teams) == {"gold": gold, "silver": silver, "bronze": bronze}


@given(teams=TEAMS)
def test_more_teams_never_get_fewer_medals_and_better_medals_are_fewer(teams: int) -> None:
    places, more = medal_places(teams), medal_places(teams + 1)
    assert all(more[medal] >= places[medal] for medal in places)
    assert 0 <= places["gold"] <= places["silver"] <= places["bronze"] <= teams


@given(teams=st.integers(1, 3_000), place=st.integers(0, 3_000), greater=st.booleans())
def test_the_score_of_a_place_has_the_medal_of_that_place(teams: int, place: int, greater: bool) -> None:
    place = min(place, teams - 1)
    scores = np.arange(teams) / 10_000
    scores = scores[::-1] if greater else scores
    standing = rank_on(Leaderboard(scores=scores, decimals=4), scores[place], ACCURACY if greater else RMSE)
    last = medal_places(teams)
    assert (standing.rank, standing.teams) == (place + 1, teams)
    assert standing.medal == next((name for name, rank in last.items() if place + 1 <= rank), "")
    assert [standing.scores[name] for name in last] == [scores[rank - 1] if rank else None for rank in last.values()]


@given(scores=st.lists(st.integers(0, 50), min_size=1, max_size=200), own=st.integers(0, 50))
def test_a_better_score_never_ranks_lower_and_ties_share_the_best_rank(scores: list[int], own: int) -> None:
    board = Leaderboard(scores=np.array(scores, dtype=float), decimals=5)
    ours, better = (rank_on(board, score, RMSE).rank for score in (own, own - 1))
    assert ours == 1 + sum(score < own for score in scores)
    assert better <= ours


def test_a_score_is_rounded_as_the_leaderboard_rounds() -> None:
    board = Leaderboard(scores=np.array([0.7799, 0.7751]), decimals=4)
    assert rank_on(board, 0.77993, ACCURACY).rank == rank_on(board, 0.77989, ACCURACY).rank == 1
    assert rank_on(board, 0.77, ACCURACY).rank == 3


KAGGLE = "Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount,TeamMemberUserNames\n"


def test_kaggles_download_is_read_as_csv_and_in_its_zip(tmp_path: Path) -> None:
    content = f'\ufeff{KAGGLE}1,7,"a, b",2026-01-01,0.80000,3,ada\n2,8,c,2026-01-02,0.79904,1,bob\n'.encode()
    path = tmp_path / "titanic-publicleaderboard-2026-09-30T17:41:44.csv"
    path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "titanic.zip", "w") as archive:
        archive.writestr(path.name, content)
    for file in (path, tmp_path / "titanic.zip"):
        board = read_leaderboard(file, ACCURACY)
        assert board.scores.tolist() == [0.8, 0.79904]
        assert (board.decimals, board.public) == (5, True)


def test_a_snapshot_of_mle_bench_is_read_without_teams_that_have_no_score(tmp_path: Path) -> None:
    rows = "0.25,1,True,2017-01-01,0.25,True\n0.5,2,True,2017-01-02,0.50,True\n,3,False,2017-01-03,0.0,False\n"
    (tmp_path / "leaderboard.csv").write_text(f"scoreNullable,teamId,hasTeamName,submissionDate,score,hasScore\n{rows}")
    board = read_leaderboard(tmp_path / "leaderboard.csv", get_metric("log_loss"))
    assert board.scores.tolist() == [0.25, 0.5]
    assert not board.public


@pytest.mark.parametrize(("metric", "best"), [(ACCURACY, [0.9, 0.7]), (RMSE, [0.5, 0.6])])
def test_of_an_old_download_with_each_score_of_a_team_the_best_counts(tmp_path: Path, metric, best) -> None:
    frame = pd.DataFrame({"TeamId": [1, 2, 1, 2], "TeamName": list("abab"), "Score": [0.5, 0.6, 0.9, 0.7]})
    frame.to_csv(tmp_path / "board.csv", index=False)
    assert read_leaderboard(tmp_path / "board.csv", metric).scores.tolist() == best


def test_the_leaderboard_of_another_metric_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board.csv").write_text("teamId,score\n1,0.1\n2,0.2\n3,0.3\n")
    assert len(read_leaderboard(tmp_path / "board.csv", RMSE).scores) == 3
    with pytest.raises(DataError, match=r"board\.csv goes from 0\.1 to 0\.3, and a higher accuracy is better"):
        read_leaderboard(tmp_path / "board.csv", ACCURACY)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "needs a column 'Score'; it has: a, b"),
        ("teamId,score\n1,\n", "no row has a score"),
        ("teamId,score\n1,high\n", "line 2: 'score' must hold numbers; got 'high'"),
        ("", "is empty"),
    ],
)
def test_what_is_no_leaderboard_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "board.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_leaderboard(tmp_path / "board.csv", ACCURACY)
