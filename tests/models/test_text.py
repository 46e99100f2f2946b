from __future__ import annotations

import pandas as pd
import pytest

from kpipe.core.values import Context
from kpipe.models import model
from kpipe.models.text import RowText

TABLE = pd.DataFrame(
    {
        "story": pd.Series(["the ship sails at dawn", "nobody saw it leave port", None], dtype="str"),
        "town": pd.Series(["Port Said", None, "Rome"], dtype="str"),
        "age": [1.0, 2.0, 3.0],
    }
)


def test_a_row_becomes_its_free_text_followed_by_its_labels_as_words() -> None:
    rows = RowText().fit(TABLE).transform(TABLE)
    assert rows.tolist() == [
        "the ship sails at dawn town_Port_Said",
        "nobody saw it leave port town_missing",
        " town_Rome",
    ]


def test_a_table_without_free_text_is_refused() -> None:
    with pytest.raises(ValueError, match="'text' needs a column of free text, but there is none"):
        model("text")(Context(task="regression")).fit(TABLE[["town", "age"]], [1.0, 2.0, 3.0])
