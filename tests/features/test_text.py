from __future__ import annotations

import pandas as pd
import pytest

from kpipe.features.text import TextFeatures

STORY = pd.Series(["The ship sails at dawn!", "Nobody saw the ship leave port", "At dawn it was gone"], name="story")


def test_free_text_becomes_dimensions_of_its_words_and_counts() -> None:
    features = TextFeatures.fit(STORY, random_state=0)
    assert features is not None
    found = {name: values.tolist() for name, values in features.transform(STORY).items()}
    assert list(found)[-4:] == ["story: letters", "story: words", "story: capitals", "story: marks"]
    assert next(iter(found)) == "story: topic 0"
    assert found["story: letters"] == [23, 30, 19]
    assert found["story: words"] == [5, 6, 5]
    assert found["story: capitals"] == [1, 1, 1]
    assert found["story: marks"] == [1, 0, 0]


def test_missing_text_is_empty_text() -> None:
    features = TextFeatures.fit(STORY, random_state=0)
    assert features is not None
    found = features.transform(pd.Series([None], name="story", dtype="str"))
    assert {float(values[0]) for values in found.values()} == {0.0}


def test_a_column_of_labels_has_no_text_features() -> None:
    assert TextFeatures.fit(pd.Series(["never smoked", "smokes"]), random_state=0) is None


@pytest.mark.parametrize("cells", [["old house", "new barn", None, None], ["old house", "new york new"]])
def test_texts_that_share_no_word_are_learned_though_cells_are_missing_or_repeat_a_word(cells: list[str]) -> None:
    column = pd.Series(cells, dtype="str", name="title")
    found = TextFeatures.learn(column, random_state=0).transform(column)
    assert found["title: words"].tolist() == [len((cell or "").split()) for cell in cells]
