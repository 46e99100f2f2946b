from __future__ import annotations

import pandas as pd
import pytest

from kpipe.problem.target_labels import labels_to_unify


@pytest.mark.parametrize(
    ("labels", "shown", "expected"),
    [
        (["Yes"] * 3 + ["yes"] + ["No"] * 2 + ["No "], ["No"], {"yes": "Yes", "No ": "No"}),
        (["Yes"] * 3 + ["yes"] + ["No"] * 2, ["yes"], {"Yes": "yes"}),
        (["True"] * 3 + ["1"] + ["False"] * 2 + ["0"], [0], {"True": "1", "False": "0"}),
        (["True"] * 3 + ["1"] + ["False"] * 2 + ["0"], [0.5], {"1": "True", "0": "False"}),
        (["Y", "Y", "y", "N", "N", "n"], [0.5], {"y": "Y", "n": "N"}),
        (["low", "low", "Low", "mid", "high"], ["mid"], {"Low": "low"}),
        (["low", "Low", "mid"], ["low", "Low"], {}),
        (list("aAbBcC"), ["a"], {}),
        (["Yes", "No"], ["No"], {}),
        (["on", "On", "ON"], ["on"], {}),
    ],
)
def test_labels_that_mean_the_same_are_found(labels: list[str], shown: list[object], expected: dict[str, str]) -> None:
    sample = pd.DataFrame({"target": shown})
    assert labels_to_unify(pd.Series(labels, dtype="str"), sample) == expected
