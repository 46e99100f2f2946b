"""Selection bias: the corrected score of the best of many configurations is what new rows give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from kpipe.core.selection import effective_tries, expected_after_choosing, gather, random_blocks

ROWS, REPEATS = 200, 40


def simulated(configurations: int, difference: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(rows, configurations) correct or not, correlated between configurations; and the true accuracies."""
    error = np.sqrt(0.5 * 0.5 / ROWS)
    shift = difference * error / 0.4 * rng.normal(size=configurations)  # 0.4: the normal density at 0
    scores = np.sqrt(0.5) * (rng.normal(size=(ROWS, 1)) + rng.normal(size=(ROWS, configurations))) + shift
    return (scores > 0).astype(float), norm.cdf(shift)


@pytest.mark.parametrize("configurations", [2, 20, 200])
@pytest.mark.parametrize("difference", [0.0, 0.7])
def test_the_corrected_score_is_unbiased_within_a_standard_error(configurations: int, difference: float) -> None:
    rng, error = np.random.default_rng(1), np.sqrt(0.5 * 0.5 / ROWS)
    corrected, best = [], []
    for _ in range(REPEATS):
        correct, true = simulated(configurations, difference, rng)
        chosen = correct.mean(axis=0).argmax()
        best.append(correct.mean(axis=0)[chosen] - true[chosen])
        corrected.append(expected_after_choosing(correct, np.ones(ROWS)) - true[chosen])
    assert abs(np.mean(corrected)) < error
    if configurations > 2:
        assert np.mean(best) > 2 * abs(np.mean(corrected))
        assert np.mean(best) > 0.7 * error


def test_of_groups_whole_groups_are_drawn() -> None:
    rng, groups = np.random.default_rng(0), np.arange(400) // 20
    losses = rng.normal(size=(20, 30))[groups]  # all rows of a group agree, so that there are 20 units, not 400
    units = random_blocks(groups)
    sums = np.column_stack([gather(one, units) for one in losses.T])
    by_group = expected_after_choosing(sums, np.bincount(units).astype(float))
    by_row = expected_after_choosing(losses, np.ones(400))
    assert abs(by_group) < 0.6 * by_row < by_row < losses.mean(axis=0).max()


def test_one_run_keeps_its_score_and_so_do_equal_runs() -> None:
    losses = np.random.default_rng(0).random((100, 1))
    for same in (losses, losses[:, [0, 0, 0]]):
        assert expected_after_choosing(same, np.ones(100)) == losses.mean()
        assert effective_tries(same, np.ones(100)) == pytest.approx(1.0)


def test_a_run_that_is_clearly_the_best_keeps_its_score() -> None:
    losses = np.random.default_rng(0).random((500, 5))
    losses[:, 3] -= 0.5
    found = expected_after_choosing(losses, np.ones(500), greater_is_better=False)
    assert found == pytest.approx(losses[:, 3].mean(), abs=1e-12)


def test_lower_is_better_and_roots_are_corrected_upwards() -> None:
    errors = np.random.default_rng(0).normal(size=(300, 20)) ** 2
    found = expected_after_choosing(errors, np.ones(300), root=True, greater_is_better=False)
    assert np.sqrt(errors.mean(axis=0).min()) < found < np.sqrt(errors.mean(axis=0).max())


def test_many_rows_become_two_thousand_blocks_of_equal_size() -> None:
    units = random_blocks(np.arange(100_000))
    assert np.bincount(units).tolist() == [50] * 2000
    assert random_blocks(np.array([7, 3, 7])).tolist() == [1, 0, 1]


@pytest.mark.parametrize(("correlation", "tries"), [(0.0, 20.0), (0.5, 20 / (1 + 19 * 0.25)), (1.0, 1.0)])
def test_correlated_runs_count_as_fewer_tries(correlation: float, tries: float) -> None:
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(3000, 1)), rng.normal(size=(3000, 20))
    losses = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    assert effective_tries(losses, np.ones(3000)) == pytest.approx(tries, rel=0.1)
