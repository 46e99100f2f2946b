from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kpipe.data.pixel_detection import find_pixel_columns


def named(form: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {form.format(number): values[:, number].astype(np.uint8) for number in range(values.shape[1])}


def survey(columns: int = 100) -> np.ndarray:
    """Answers from 0 to 4 that depend on five traits, in an order that says nothing."""
    rng = np.random.default_rng(0)
    answers = rng.normal(size=(400, 5)) @ rng.normal(size=(5, columns)) + rng.normal(size=(400, columns))
    return np.clip(np.round(answers), -2, 2) + 2


def genotypes() -> np.ndarray:
    """0, 1 or 2 copies of an allele, each place like the one before it."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(400, 128)), axis=1)
    return (walk > -3).astype(int) + (walk > 3)


@pytest.mark.parametrize("form", ["{}", "f{}", "Col_{}", "pixel{}"])
def test_images_are_found_whatever_their_columns_are_called(form: str) -> None:
    digits = named(form, load_digits().data)
    assert find_pixel_columns(digits) == list(digits)


@pytest.mark.parametrize("form", ["{}", "Q{}", "f_{}"])
@pytest.mark.parametrize("values", [survey(), genotypes(), np.random.default_rng(1).poisson(3, (300, 90))])
def test_answers_genotypes_and_counts_are_not_pixels(form: str, values: np.ndarray) -> None:
    assert find_pixel_columns(named(form, values)) == []


def test_columns_with_names_of_their_own_are_not_pixels() -> None:
    columns = named("pixel{}", load_digits().data)
    words = {f"{chr(97 + i % 26)}{chr(97 + i // 26)}": values for i, values in enumerate(columns.values())}
    assert find_pixel_columns(words) == []
    assert find_pixel_columns({}) == []


def test_other_small_integers_beside_pixels_are_not_pixels() -> None:
    pixels = named("pixel{}", load_digits().data)
    assert find_pixel_columns({"day": np.ones(1797, dtype=np.uint8), **pixels}) == list(pixels)


def test_a_single_row_is_no_image_unless_its_columns_are_called_pixels() -> None:
    first = load_digits().data[:1]
    assert find_pixel_columns(named("f{}", first)) == []
    assert len(find_pixel_columns(named("pixel{}", first))) == 64
