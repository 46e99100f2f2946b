from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.models import model
from tests.tables import dated, problem_of, survivors


def test_numbers_of_later_dates_are_predicted_by_the_calendar_model_too() -> None:
    assert next(iter(problem_of(dated(later=True)).models)) == "calendar"
    assert "calendar" not in problem_of(dated(later=False)).models
    made = dated(later=True)
    made.train["sales"] = np.where(made.train["sales"] > 100, "high", "low")
    made.sample["sales"] = "low"
    assert "calendar" not in problem_of(made).models


def test_a_budget_adds_other_configurations_and_many_rows_get_models_that_end_in_time() -> None:
    few = problem_of(survivors())
    assert few.default == ("boosting", "linear", "catboost", "forest", "tabular-net")
    assert few.budgeted == ("catboost-deep", "boosting-random", "forest-deep")  # in the order of training
    assert [*few.models][-2:] == ["boosting-random", "forest-deep"]  # what brings least for its time is last
    many = problem_of(survivors(200_000))
    assert many.default == ("boosting", "linear", "catboost")
    assert many.budgeted == ("boosting-random", "tabular-net")


def test_catboost_counts_its_trees_where_that_takes_no_longer_than_the_other_models() -> None:
    few = problem_of(survivors())
    assert few.models["catboost"].options["early_stopping_rounds"]
    assert problem_of(survivors(200_000)).models["catboost"] == model("catboost")
    several = survivors()
    several.train["survived"] = np.arange(80) % 4
    assert problem_of(several).models["catboost"] == model("catboost")


def test_of_a_thousand_columns_the_quickest_model_is_the_first() -> None:
    made = survivors()
    noise = {f"noise {number}": np.linspace(0, 1, len(made.train)) ** number for number in range(1, 1_001)}
    rest = {name: values[: len(made.test)] for name, values in noise.items()}
    wide = replace(
        made,
        train=pd.concat([made.train, pd.DataFrame(noise)], axis=1),
        test=pd.concat([made.test, pd.DataFrame(rest)], axis=1),
    )
    problem = problem_of(wide)
    assert problem.default == ("linear", "boosting", "catboost", "forest", "tabular-net")
    assert "the fastest for 1,002 columns first" in problem.reasons["models"].text
