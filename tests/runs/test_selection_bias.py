"""Selection bias among finished runs, by function and by command."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kpipe.cli.console.layout import get_console
from kpipe.cli.console.selection_bias import find_selection_bias
from kpipe.core import selection
from kpipe.core.metrics import get_metric
from kpipe.errors import InputError
from kpipe.runs.find import find_run
from kpipe.runs.run import Run
from kpipe.runs.selection_bias import estimate_selection_bias
from tests.cli.calls import call

LABELS = np.random.default_rng(7).integers(2, size=600)


def fake_run(home: Path, name: str, seed: int, metric: str = "accuracy", **changes: Any) -> Run:
    """A finished run whose predictions are hardly better than a coin."""
    rng, y = np.random.default_rng(seed), changes.pop("y", LABELS)
    p = np.clip(0.5 + 0.02 * (2 * y - 1) + 0.2 * rng.normal(size=len(y)), 0.01, 0.99)
    found, folder = get_metric(metric), home / "made-by-hand" / name
    folder.mkdir(parents=True)
    classes = {"blend/0": 1 - p, "blend/1": p} if found.task == "classification" else {"blend": p}
    frame = pd.DataFrame({"row": np.arange(len(y)), "survived": y, **classes})
    frame.to_parquet(folder / "oof.parquet")
    predicted = np.column_stack([1 - p, p])
    score = found.function(y, predicted.argmax(axis=1) if found.needs == "label" else predicted)
    record = {
        "slug": "made-by-hand",
        "run_id": name,
        "target": "survived",
        "score": score,
        "standard_error": 0.02,
        "rows": len(y),
        "metric": {"name": metric, "greater_is_better": found.greater_is_better},
        "data": {"files": {"train.csv": "a", "test.csv": "b"}},
        "models": [{"name": "linear"}],
        "seed": [0],
        "checks": [],
        "submission": {"sha256": "c", "sendable": True},
        **changes,
    }
    (folder / "run.json").write_text(json.dumps(record))
    return Run(path=folder, record=record)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "auc", "f1"])
def test_the_best_of_twenty_coins_is_expected_to_score_like_a_coin(tmp_path: Path, metric: str) -> None:
    runs = [fake_run(tmp_path, f"run-{seed}", seed, metric) for seed in range(20)]
    bias, scores = estimate_selection_bias(runs[0]), [run.score for run in runs]
    better = max if get_metric(metric).greater_is_better else min
    assert (bias.runs, bias.score, bias.left_out) == (20, pytest.approx(better(scores)), {})
    assert 15 < bias.tries <= 20
    spread = abs(bias.score - np.mean(scores))
    assert abs(bias.expected - np.mean(scores)) < 0.4 * spread
    assert bias.correction != 0


def test_the_selection_bias_does_not_depend_on_the_run_that_one_looks_at(tmp_path: Path) -> None:
    runs = [fake_run(tmp_path, f"run-{seed}", seed) for seed in range(6)]  # accuracies of resampled rows often tie
    assert len({estimate_selection_bias(run).expected for run in runs}) == 1


def test_the_best_of_equal_scores_is_the_run_that_the_name_best_selects(tmp_path: Path) -> None:
    runs = [fake_run(tmp_path, name, 1) for name in ("run-a", "run-b", "run-c")]
    assert estimate_selection_bias(runs[0]).best == find_run("best", tmp_path).record["run_id"] == "run-c"


def test_the_selection_bias_is_that_of_real_runs_even_after_one_on_the_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        fake_run(tmp_path, f"real-{seed}", seed)
    fake_run(tmp_path, "sample", 3, data={"files": {"train.csv": "c"}, "origin": "sample"})
    fake_run(tmp_path, "wrong", 4, checks=[{"name": "target leakage", "status": "fail", "detail": ""}])
    assert call("runs", "made-by-hand", "--out", tmp_path) == 0
    assert "Best of 3 comparable runs" in capsys.readouterr().out


def test_with_one_run_nothing_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = fake_run(tmp_path, "only-run", 0)
    bias = estimate_selection_bias(run)
    assert (bias.runs, bias.tries, bias.expected) == (1, 1.0, bias.score)
    assert bias.score == pytest.approx(run.score)
    assert bias.correction == 0.0
    assert list(bias.sentences()) == []


def test_runs_that_do_not_compare_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = {
        "other-files": ({"data": {"files": {"train.csv": "x"}}}, "other files"),
        "other-metric": ({"metric": "log_loss"}, "metric log_loss"),
        "other-target": ({"target": "died"}, "other target"),
        "other-rows": ({"rows": 10}, "other rows"),
        "other-truth": ({"y": 1 - LABELS}, "other rows or targets"),
        "failed": ({"checks": [{"name": "leak", "status": "fail", "detail": ""}]}, "failed the check leak"),
    }
    for name, (changes, _) in others.items():
        fake_run(tmp_path, name, 1, **changes)
    broken = fake_run(tmp_path, "broken", 2)
    (broken.path / "oof.parquet").write_bytes(b"no parquet")
    runs = [fake_run(tmp_path, f"run-{seed}", seed) for seed in range(3)]
    bias = estimate_selection_bias(runs[0])
    assert bias.runs == 3
    assert {name: bias.left_out[name] for name in others} == {name: reason for name, (_, reason) in others.items()}
    assert bias.left_out["broken"].startswith("oof.parquet cannot be read")
    assert call("runs", "made-by-hand", "--out", tmp_path) == 0
    shown = capsys.readouterr().out
    assert re.search(
        r"Best of 3 comparable runs: run-\d with 0\.\d{4}\. The best of several scores is partly due to chance", shown
    )
    assert "Not comparable, and therefore excluded: " in shown
    assert "failed (failed the check leak)" in shown
    assert "other-files (other files)" not in shown  # it has a table of its own


def test_without_predictions_the_selection_bias_is_unknown_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fake_run(tmp_path, "no-oof", 0)
    (run.path / "oof.parquet").unlink()
    with pytest.raises(InputError, match=r"oof\.parquet is not in the run's folder"):
        estimate_selection_bias(run)
    assert find_selection_bias(run, get_console()) is None
    assert "Selection bias unknown: oof.parquet is not" in capsys.readouterr().out


def test_runs_compare_and_report_say_what_choosing_flatters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [fake_run(tmp_path, f"run-{seed}", seed) for seed in range(4)]
    best = estimate_selection_bias(runs[0]).best
    assert call("runs", "made-by-hand", "--out", tmp_path, "--json") == 0
    listed = {one["run_id"]: one["luck"] for one in json.loads(capsys.readouterr().out)}
    assert [bias["best"] for bias in listed.values()] == 4 * [best]  # the same at each run that compares
    assert call("compare", "run-0", "run-1", "--out", tmp_path) == 0
    assert "Best of 4 comparable runs" in capsys.readouterr().out
    assert call("compare", "run-0", "run-1", "--out", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["luck"]["best"] == best
    assert call("report", "run-0", "--out", tmp_path) == 0
    assert "Best of 4 comparable runs" in (runs[0].path / "report.html").read_text()


@pytest.mark.parametrize("metric", ["auc", "f1"])
def test_predictions_are_read_one_run_after_another(
    tmp_path: Path, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_DRAWS", 20)
    y = np.random.default_rng(0).integers(2, size=20_000)
    runs = [fake_run(tmp_path, f"run-{seed}", seed, metric, y=y) for seed in range(30)]
    tracemalloc.start()
    assert estimate_selection_bias(runs[0]).runs == 30
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15 * y.size * 2 * 8  # half of the predictions of all runs


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "auc"])
def test_a_hundred_runs_of_100_000_rows_take_seconds_at_most(tmp_path: Path, metric: str) -> None:
    y = np.random.default_rng(0).integers(2, size=100_000)
    runs = [fake_run(tmp_path, f"run-{seed}", seed, metric, y=y) for seed in range(100)]
    start = time.process_time()
    assert estimate_selection_bias(runs[0]).runs == 100
    assert time.process_time() - start < 5  # less than one on an idle machine
