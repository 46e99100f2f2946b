from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.core.statistics import (
    bootstrap_standard_error,
    clustered_standard_error,
    extreme_share_standard_error,
    jackknife_standard_error,
    misranked_shares,
    smoothing_bandwidth,
)

VALUES = np.random.default_rng(0).normal(size=400)
ROWS = np.arange(400)


def test_the_error_of_a_mean_of_independent_rows_is_the_deviation_over_the_root_of_their_number() -> None:
    assert clustered_standard_error(VALUES, ROWS) == pytest.approx(VALUES.std(ddof=1) / 20)


def test_four_copies_of_a_row_count_as_one_group() -> None:
    copies = clustered_standard_error(np.tile(VALUES, 4), np.tile(ROWS, 4))
    assert copies == pytest.approx(clustered_standard_error(VALUES, ROWS))


def test_numbers_of_groups_need_not_be_consecutive() -> None:
    groups = ROWS // 2
    assert clustered_standard_error(VALUES, groups * 7 + 3) == clustered_standard_error(VALUES, groups)


def test_equal_values_have_no_error() -> None:
    assert clustered_standard_error(np.ones(8), np.arange(8) // 2) == 0


@pytest.mark.parametrize("resample", [bootstrap_standard_error, jackknife_standard_error])
def test_resampling_a_mean_gives_its_standard_error(resample) -> None:
    for groups in (ROWS, ROWS // 4):
        error = resample(lambda rows: float(VALUES[rows].mean()), groups)
        assert error == pytest.approx(clustered_standard_error(VALUES, groups), rel=0.25)


def test_resamples_without_a_finite_statistic_are_left_out() -> None:
    def statistic(rows: np.ndarray) -> float:
        return float(VALUES[rows].mean()) if rows[0] % 2 else float("nan")

    assert bootstrap_standard_error(statistic, ROWS) == pytest.approx(0.05, rel=0.25)
    assert np.isnan(bootstrap_standard_error(lambda rows: float("nan"), ROWS))


def test_a_share_of_0_in_few_rows_is_less_certain_than_in_many() -> None:
    assert extreme_share_standard_error(20) > 2 * extreme_share_standard_error(100) > 0


def test_the_bandwidth_of_smoothing_is_silvermans_and_0_only_of_equal_values() -> None:
    spread = min(VALUES.std(), np.subtract(*np.quantile(VALUES, [0.75, 0.25])) / 1.34)
    assert smoothing_bandwidth(VALUES) == pytest.approx(0.9 * spread * 400**-0.2)
    assert smoothing_bandwidth(np.array([0.0] * 9 + [1.0])) > 0
    assert smoothing_bandwidth(np.ones(9)) == 0
    assert smoothing_bandwidth(np.column_stack([VALUES, VALUES * 2])).shape == (2,)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_the_misranked_share_is_that_of_all_pairs_and_ties_count_half(rows: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([score for score, _ in rows], float), np.array([one for _, one in rows], bool)
    found = misranked_shares(scores, positive)
    for share, score, is_positive in zip(found, scores, positive, strict=True):
        others = scores[positive != is_positive]
        wrong = (others > score) if is_positive else (others < score)
        assert share == (wrong.sum() + (others == score).sum() / 2) / max(len(others), 1)
