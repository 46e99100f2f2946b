"""Texts of test that are written otherwise are found, with an example; texts that are alike pass."""

from __future__ import annotations

import html
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.odd_texts import odd_codes, odd_texts

WORDS = "it was a dark night and the wind, which never slept, blew over old O'Hara's house in May 1871".split()


def texts(count: int, seed: int) -> pd.Series:
    rng = np.random.default_rng(seed)
    made = [f"{' '.join(rng.choice(WORDS, rng.integers(8, 20)))} \u2018so\u2019 & on." for _ in range(count)]
    return pd.Series([text[0].upper() + text[1:] for text in made], name="story")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (str.upper, "is all upper case in 5.0% of test's rows, in 0.0% of train's"),
        (str.lower, "is all lower case"),
        (html.escape, "has HTML entities such as &quot; in 5.0% of test's rows"),
        (lambda text: f"<p>{text}</p>", "has HTML tags"),
        (lambda text: text.encode().decode("cp1252", "ignore"), "has characters of a wrong encoding"),
        (lambda text: text[:40], "has exactly 40 characters"),
        (lambda text: text.replace(" ", "\n", 1), "has line breaks"),
        (lambda text: f"> {text}", "begins with '>' in 5.0% of test's rows"),
        (lambda text: " ".join(text.split()[::-1]), "in 5.0% of test's rows"),
    ],
)
def test_texts_that_are_written_differently_in_test_are_found(change: Callable[[str], str], words: str) -> None:
    train, test = texts(2000, 0), texts(1000, 1)
    test[::20] = test[::20].map(change)
    [text] = odd_texts(train, test)
    assert words in text
    assert "Convert them to the same form in clean" in text


def test_texts_of_train_that_differ_from_test_are_found_as_well() -> None:
    train, test = texts(2000, 0), texts(1000, 1)
    train[::20] = train[::20].map(html.escape)
    [text] = odd_texts(train, test)
    assert "in 0.0% of test's rows, in 5.0% of train's" in text


@pytest.mark.parametrize("seed", range(5))
def test_texts_that_are_similar_pass(seed: int) -> None:
    assert list(odd_texts(texts(2000, 2 * seed), texts(1000, 2 * seed + 1))) == []


def test_codes_that_lack_a_part_in_some_rows_of_test_are_found() -> None:
    rng = np.random.default_rng(0)
    train, test = (
        pd.Series([f"B/{number}/P" for number in rng.integers(1, 2000, n)], name="cabin") for n in (900, 600)
    )
    assert list(odd_codes(train, test)) == []
    test[::20] = test[::20].str[:-2]
    [text] = odd_codes(train, test)
    assert "in 5.0% of test's rows, in 0.0% of train's" in text
    assert "B/" in text
