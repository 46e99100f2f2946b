"""Compare two runs, by function and by command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.core.statistics import misranked_shares
from kpipe.runs.compare import compare
from kpipe.runs.run import Run
from tests.cli.calls import call
from tests.runs.helpers import trained


def test_the_difference_is_that_of_the_scores_with_a_paired_standard_error(both: tuple[Run, Run]) -> None:
    found = compare(*both)
    assert found.difference == pytest.approx(both[1].score - both[0].score)
    right = [run.oof.filter(like="blend/").to_numpy().argmax(axis=1) == run.oof["survived"] for run in both]
    difference = right[1].astype(float) - right[0].astype(float)
    assert found.standard_error == pytest.approx(np.std(difference, ddof=1) / np.sqrt(len(difference)))
    assert found.standard_error < np.hypot(both[0].standard_error, both[1].standard_error)
    assert (found.won, found.lost) == ((difference > 0).sum(), (difference < 0).sum())
    assert found.rows == 300
    assert found.same_folds


def test_a_run_does_not_differ_from_itself(both: tuple[Run, Run]) -> None:
    found = compare(both[0], both[0])
    assert (found.difference, found.verdict, len(found.sides)) == (0.0, "no significant difference", 0)


def test_a_comparison_is_shown_in_one_line(both: tuple[Run, Run]) -> None:
    ids = [run.record["run_id"] for run in both]
    shown = repr(compare(*both))
    assert shown.startswith(f"<Comparison {ids[1]}: no significant difference from {ids[0]}, accuracy ")
    assert "\n" not in shown
    assert len(shown) < 200


def test_the_better_run_is_better_and_the_other_one_is_worse(home: Path) -> None:
    good, bad = (
        trained(home, "prices", models=["linear"]),
        trained(home, "prices", models=["linear"], drop=["x"]),
    )
    found, reverse = compare(bad, good), compare(good, bad)
    assert (found.verdict, reverse.verdict) == ("better", "worse")
    assert found.standard_error == pytest.approx(reverse.standard_error)
    assert found.won > found.lost
    assert any("drop was" in phrase for phrase in found.changed)


def test_the_command_prints_the_verdict_what_changed_and_the_rows(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [run.record["run_id"] for run in both]
    assert call("compare", *ids, "--out", home / "out") == 0
    shown = capsys.readouterr().out
    assert f"{ids[1]}: " in shown.splitlines()[0]
    assert 'models was ["linear"], is ["forest"]' in shown
    assert "Rows improved: " in shown
    assert call("compare", *ids, "--out", home / "out", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 300


def test_runs_of_different_competitions_are_not_compared(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    other = trained(home, "prices", models=["linear"])
    assert call("compare", both[0].path, other.path) == 2
    assert "they are runs of different competitions" in capsys.readouterr().err


def test_if_folds_keep_groups_whole_the_standard_error_is_clustered_by_group(priced: tuple[Run, Run]) -> None:
    one, two = (run.oof for run in priced)
    difference = (two["blend"] - two["price"]).abs() - (one["blend"] - one["price"]).abs()
    sums = (difference - difference.mean()).groupby(np.arange(240) // 25).sum()
    clustered = np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(difference)
    found = compare(*priced)
    assert found.standard_error == pytest.approx(clustered)
    assert found.standard_error > 1.5 * difference.std() / np.sqrt(len(difference))


def test_with_a_single_group_the_standard_error_is_unknown(priced: tuple[Run, Run], tmp_path: Path) -> None:
    copies = []
    for run in priced:
        shutil.copytree(run.path, tmp_path / run.record["run_id"])
        copies.append(replace(run, path=tmp_path / run.record["run_id"]))
        run.oof.assign(**{"fold group": 0}).to_parquet(copies[-1].path / "oof.parquet")
    found = compare(*copies)
    assert np.isnan(found.standard_error)
    assert found.verdict == "no significant difference"


@pytest.mark.slow
def test_runs_on_kaggles_files_compare(kaggle_zip: Callable[[str], Path], tmp_path: Path) -> None:
    zip_ = kaggle_zip("titanic")
    a, b = (kpipe.run("titanic", data=zip_, models=[m], out=tmp_path, jobs=1) for m in ("woman-child-group", "linear"))
    found = compare(a, b)
    assert isinstance(found.sides, pd.DataFrame)
    assert found.sides["truth"].isin(["0", "1"]).all()


def test_under_auc_a_row_is_won_by_its_rank_among_the_other_class(home: Path) -> None:
    one, two = (trained(home, models=[name], metric="auc") for name in ("constant", "linear"))
    found = compare(one, two)
    assert found.won_by == "by more than 10% in the rank among the other class"
    assert found.won > found.lost
    assert found.won + found.lost > 0
    y, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.5, 0.9])
    assert misranked_shares(scores, y).tolist() == [0.0, 0.5, 0.5, 0.0]
    assert misranked_shares(np.full(4, 0.5), y).tolist() == [0.5] * 4


def test_under_log_loss_a_row_is_won_by_the_probability_of_its_class(home: Path) -> None:
    one, two = (trained(home, models=[name], metric="log_loss") for name in ("constant", "linear"))
    found = compare(one, two)
    assert found.won_by == "by more than 10% in the probability of the true class"
    won = found.sides[found.sides["change"] == "won"]
    assert (won["b"] > won["a"]).all()


def test_the_rows_of_labels_that_changed_most_come_first(both: tuple[Run, Run]) -> None:
    found = compare(*both)
    classes = both[0].oof.filter(like="blend/")
    truth = both[0].oof["survived"].astype(str).map({name.removeprefix("blend/"): n for n, name in enumerate(classes)})
    sure = [run.oof.filter(like="blend/").to_numpy()[range(len(truth)), truth] for run in both]
    change = np.abs(sure[1] - sure[0])[found.sides["row"]]
    assert (np.diff(change) <= 0).all()
    assert set(found.first_sides(2)["change"].value_counts()) == {2}


def test_json_lists_the_first_rows_and_counts_all(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    ids, found = [run.record["run_id"] for run in both], compare(*both)
    assert min(found.won, found.lost) > 5
    for rows, option in ((10, ()), (0, ("--rows", 0)), (found.won + found.lost, ("--rows", 10_000))):
        assert call("compare", *ids, "--out", home / "out", "--json", *option) == 0
        printed = json.loads(capsys.readouterr().out)
        assert (printed["won"], printed["lost"], len(printed["sides"])) == (found.won, found.lost, rows)
