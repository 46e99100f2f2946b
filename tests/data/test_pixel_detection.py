from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kpipe.data.pixel_detection import has_pixels


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
    assert has_pixels(digits)


@pytest.mark.parametrize("form", ["{}", "Q{}", "f_{}"])
@pytest.mark.parametrize("values", [survey(), genotypes(), np.random.default_rng(1).poisson(3, (300, 90))])
def test_answers_genotypes_and_counts_are_not_pixels(form: str, values: np.ndarray) -> None:
    assert not has_pixels(named(form, values))


def test_columns_with_names_of_their_own_are_not_pixels() -> None:
    columns = named("pixel{}", load_digits().data)
    words = {f"{chr(97 + i % 26)}{chr(97 + i // 26)}": values for i, values in enumerate(columns.values())}
    assert not has_pixels(words)
    assert not has_pixels({})


@pytest.mark.parametrize("form", ["{}{}", "pixel_{}_{}"])
def test_a_letter_for_each_channel_and_other_columns_are_no_obstacle(form: str) -> None:
    digits = load_digits().data.astype(np.uint8)
    channels = {form.format(letter, number): digits[:, number] for letter in "rgb" for number in range(64)}
    answers = named("question {}", survey())
    assert has_pixels({"day": np.ones(1797, dtype=np.uint8), **channels})
    assert has_pixels(named("pixel{}", digits[:400]) | answers)


def test_a_single_row_is_no_image_unless_its_columns_are_called_pixels() -> None:
    first = load_digits().data[:1]
    assert not has_pixels(named("f{}", first))
    assert has_pixels(named("pixel{}", first))


def test_a_hundred_thousand_genotypes_are_distinguished_from_an_image_in_a_second() -> None:
    block = np.repeat(genotypes(), 800, axis=1).astype(np.uint8)
    assert not has_pixels({f"rs{number}": block[:, number] for number in range(block.shape[1])})
