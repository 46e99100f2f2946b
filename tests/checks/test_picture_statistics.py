"""Pictures of test that are unlike train's, and marks that tell the class, are found; natural pictures pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kpipe.checks.picture_statistics import pictures_alike, pixels_tell_the_class
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds
from tests.checks.test_pictures import problem_of, scenes

N, M = 800, 400


def landscapes(count: int, seed: int) -> np.ndarray:
    """Scenes that are lighter above, and more blue than red."""
    made = scenes(count, seed).astype(float)
    made += np.linspace(40, -40, made.shape[1])[None, :, None, None] + np.array([-20, 0, 20])
    return np.clip(made, 0, 255).astype(np.uint8)


def found(check: Callable[..., object], problem: Problem) -> tuple[str, str]:
    (finding,) = check(problem, make_folds(problem))  # type: ignore[misc]
    return finding


def grey(pictures: np.ndarray) -> np.ndarray:
    return np.repeat(pictures.mean(axis=3, keepdims=True), 3, axis=3).astype(np.uint8)


def half_upside_down(pictures: np.ndarray) -> np.ndarray:
    return np.concatenate([pictures[::2, ::-1], pictures[1::2]])


def blurred(pictures: np.ndarray) -> np.ndarray:
    wide = pictures.astype(float)
    return sum(np.roll(wide, step, axis=axis) for axis in (1, 2) for step in (-2, -1, 0, 1, 2)).astype(float) / 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (grey, "colour (0 in test"),
        (lambda pictures: pictures[..., ::-1], "red minus blue"),
        (half_upside_down, "brightness of the upper half minus the lower"),
        (lambda pictures: blurred(pictures).astype(np.uint8), "contrast"),
    ],
)
def test_pictures_of_test_that_are_unlike_are_a_warning(change: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    status, text = found(pictures_alike, problem_of(landscapes(N, 0), change(landscapes(M, 1))))
    assert status == "warn"
    assert words in text


@pytest.mark.parametrize("seed", range(3))
def test_pictures_that_are_similar_pass(seed: int) -> None:
    problem = problem_of(landscapes(N, 2 * seed), landscapes(M, 2 * seed + 1))
    assert found(pictures_alike, problem)[0] == "pass"
    assert found(pixels_tell_the_class, problem)[0] == "pass"


@pytest.mark.parametrize(("share", "status"), [(1.0, "fail"), (0.5, "warn")])
def test_a_mark_on_the_pictures_of_a_class_is_found_with_its_place(share: float, status: str) -> None:
    pictures = landscapes(N, 0)
    of_class = (np.arange(N) // 2 % 2 == 1) & (np.random.default_rng(0).random(N) < share)
    pictures[of_class, 2, 1:6] = 255
    found_status, text = found(pixels_tell_the_class, problem_of(pictures, landscapes(M, 1)))
    assert found_status == status
    assert "The pixel at row 3, column" in text
    assert "crop or mask it" in text
