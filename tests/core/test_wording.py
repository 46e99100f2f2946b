from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.cli.main import COMMANDS
from kpipe.core.wording import closest, did_you_mean, listed, missing_column_message
from kpipe.models import CATALOG


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("drug", ["Id", "Drug"], "Drug"),
        ("passenger id", ["PassengerId", "Pclass"], "PassengerId"),
        ("runn", COMMANDS, "run"),
        ("shwo", COMMANDS, "show"),
        ("rnu", COMMANDS, "run"),
        ("numleaves", ["max_depth", "num_leaves"], "num_leaves"),
        ("boost", CATALOG, "boosting"),
        ("all", CATALOG, None),
        ("fly", COMMANDS, None),
        ("", CATALOG, None),
        ("-", ["_", "run"], None),
    ],
)
def test_the_word_that_was_meant_is_named_and_none_where_nothing_is_near(word, known, meant) -> None:
    assert closest(word, known) == meant
    assert did_you_mean(word, known) == (f" Did you mean {meant}?" if meant else "")


@given(st.text(min_size=1), st.lists(st.text(), max_size=5))
def test_a_word_that_exists_but_for_case_is_always_found(word: str, others: list[str]) -> None:
    near = closest(word.swapcase(), [*others, word])
    if any(c.isalnum() for c in word) and word.swapcase().casefold() == word.casefold():
        assert near is not None
    assert near is None or near in [*others, word]


def test_a_list_is_cut_to_five_and_a_count() -> None:
    assert listed(range(5)) == "0, 1, 2, 3, 4"
    assert listed(range(1005)) == "0, 1, 2, 3, 4 and 1,000 more"


def test_a_column_that_is_lacking_is_named_with_the_one_that_was_meant_and_the_first_five() -> None:
    message = missing_column_message("train.csv", "the target", "Survivd", ["Id", "Survived", *"abcdefg"])
    assert message == (
        "train.csv lacks the target 'Survivd'. Did you mean Survived? It has: Id, Survived, a, b, c and 4 more."
    )
