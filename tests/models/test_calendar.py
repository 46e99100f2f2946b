from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.models import model
from kpipe.models.calendar import CalendarRegressor


def sales(years: int, *, growth: float = 0.0, noise: float = 0.02) -> tuple[pd.DataFrame, np.ndarray]:
    """Daily sales of six series: levels, a week, a year and a new year that multiply, and a yearly growth."""
    draw = np.random.default_rng(0)
    days = pd.Series(pd.date_range("2015-01-01", periods=365 * years, freq="D"))
    parts = []
    for town, level in {"Rome": 100.0, "Oslo": 30.0, "Bonn": 300.0}.items():
        for item, swing in {"hat": 0.3, "mug": -0.3}.items():
            wave = swing * np.sin(2 * np.pi * days.dt.day_of_year / 365.25)
            week = 0.2 * (days.dt.day_of_week >= 5)
            peak = 0.5 * (days.dt.day_of_year <= 3)
            drift = growth * (days - days[0]).dt.days / 365.25
            log = np.log(level) + wave + week + peak + drift + noise * draw.normal(size=len(days))
            parts.append(pd.DataFrame({"day": days, "town": town, "item": item, "sold": np.exp(log)}))
    made = pd.concat(parts, ignore_index=True)
    return made.drop(columns="sold"), made["sold"].to_numpy()


def ahead(X: pd.DataFrame, y: np.ndarray, *, years: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction of the rows after so many years, from those before."""
    before = (X["day"] < X["day"].min() + pd.Timedelta(days=365 * years)).to_numpy()
    predicted = CalendarRegressor().fit(X[before], y[before]).predict(X[~before])
    return y[~before], predicted


def error(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(np.abs(np.log(predicted) - np.log(truth))))


def test_a_year_ahead_is_predicted_within_twice_the_noise() -> None:
    assert error(*ahead(*sales(3), years=2)) < 0.04


def test_a_growth_that_every_year_shows_is_continued() -> None:
    assert error(*ahead(*sales(5, growth=0.1), years=4)) < 0.05


def test_a_single_change_is_not_continued() -> None:
    X, y = sales(2)
    y = y * np.where(X["day"] >= "2016-01-01", 1.2, 1.0)
    assert CalendarRegressor().fit(X, y).drift_ == 0


def test_effects_add_where_the_target_is_not_positive() -> None:
    X, y = sales(2)
    shifted = CalendarRegressor().fit(X, y - 200.0)
    assert not shifted.multiplies_
    assert CalendarRegressor().fit(X, y).multiplies_


def test_hours_labels_that_train_does_not_hold_and_missing_dates_are_predicted() -> None:
    hours = pd.DataFrame({"at": pd.Series(pd.date_range("2020-01-01", periods=24 * 60, freq="h"))})
    y = 10.0 + (hours["at"].dt.hour.to_numpy() == 8) * 30.0
    table = hours.assign(shop="a", heat=np.arange(len(hours)) % 50)
    fitted = CalendarRegressor(alpha=0.01).fit(table, y)
    later = table.assign(at=table["at"] + pd.Timedelta(days=60), shop="new")
    later.loc[0, ["at", "heat"]] = [pd.NaT, np.nan]
    predicted = fitted.predict(later)
    assert np.isfinite(predicted).all()
    assert predicted[24 + 8] > 2.0 * predicted[24 + 9]


def test_dates_that_are_text_are_read() -> None:
    X, y = sales(1)
    text = X.assign(day=X["day"].dt.strftime("%Y-%m-%d").astype("str"))
    assert CalendarRegressor().fit(text, y).predict(text) == pytest.approx(CalendarRegressor().fit(X, y).predict(X))


def test_a_table_without_dates_and_a_classification_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a column of dates, but there is none"):
        CalendarRegressor().fit(pd.DataFrame({"town": pd.Series(["a", "b"], dtype="str")}), np.zeros(2))
    with pytest.raises(UsageError, match="needs numbers, but the target holds classes"):
        model("calendar")(Context(task="classification", n_classes=2))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_great_errors_are_no_obstacle_where_effects_add(loss: str) -> None:
    X, y = sales(1)
    noisy = 1e4 * np.random.default_rng(0).normal(size=len(y))
    assert np.isfinite(CalendarRegressor(loss).fit(X, noisy).predict(X)).all()  # type: ignore[arg-type]


def test_no_prediction_is_negative_where_no_target_is() -> None:
    X, y = sales(1)
    sparse = np.where(np.random.default_rng(0).random(len(y)) < 0.9, 0.0, y)
    found = CalendarRegressor("absolute").fit(X, sparse)
    assert found.multiplies_
    assert found.predict(X).min() == 0


def test_the_design_stores_no_zeros() -> None:
    X, y = sales(1)
    design = CalendarRegressor().fit(X, y).effects_.encode(X, X["day"])
    assert design.nnz == design.count_nonzero()
