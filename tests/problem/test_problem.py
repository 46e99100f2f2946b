"""A problem: a competition with every field determined."""

from __future__ import annotations

import numpy as np
import pytest

from kpipe.errors import DataError
from tests.tables import problem_of, survivors


def test_a_text_target_of_a_regression_is_refused_with_an_example() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "yes", "no")
    with pytest.raises(DataError, match=r"'survived' of a regression must hold numbers; got '(yes|no)'"):
        problem_of(made, metric="rmse")
