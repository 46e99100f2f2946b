from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.models import model

REGRESSION = Context(task="regression", seed=0)


def test_a_missing_library_is_refused_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(
        UsageError, match=r"'xgboost' needs a package that is not installed: pip install '.*\[xgboost\]'"
    ):
        model("xgboost")(REGRESSION)


@pytest.mark.parametrize("name", ["learning_rate", "eta"])
def test_learning_rate_given_by_the_user_is_kept_on_a_large_table(name: str) -> None:
    pytest.importorskip("xgboost", reason="the extra 'xgboost' is not installed")
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame({"x": rng.normal(size=50_000)}), rng.normal(size=50_000)
    rates = [
        model("xgboost", **options)(REGRESSION).fit(X, y)[-1].estimator_.get_params()["learning_rate"]
        for options in ({}, {name: 0.02})
    ]
    assert rates == [0.06, 0.02]


def test_options_replace_the_defaults_of_their_names_and_of_their_aliases() -> None:
    pytest.importorskip("xgboost", reason="the extra 'xgboost' is not installed")
    params = model("xgboost", **{"lambda": 7.0, "verbosity": 1, "seed": 9})(REGRESSION)[-1].estimator.get_params()
    assert (params["reg_lambda"], params["verbosity"], params["random_state"]) == (7.0, 1, 9)
    assert "lambda" not in params
