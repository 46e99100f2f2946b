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
    assert CalendarRegressor().fit(X, y).structure_.drift_ == 0


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
    with pytest.raises(UsageError, match="needs a numeric target, but the target holds classes"):
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
    design = CalendarRegressor().fit(X, y).structure_.effects_.encode(X.drop(columns="day"), X["day"])
    assert design.nnz == design.count_nonzero()


def test_a_holiday_that_moves_is_foreseen() -> None:
    X, y = sales(4)
    X["town"] = X["town"].map({"Rome": "Italy", "Oslo": "Norway", "Bonn": "Germany"})
    easter = pd.to_datetime(["2015-04-05", "2016-03-27", "2017-04-16", "2018-04-01"])
    after = np.min([(X["day"] - day).dt.days.where(lambda days: days >= 0, 99) for day in easter], axis=0)
    y = y * np.where((after >= 1) & (after < 7), 1.5, 1.0)
    assert error(*ahead(X, y, years=3)) < 0.04


def test_a_date_by_mistake_changes_nothing_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    X, y = sales(3)
    wrong = pd.concat([X, X.tail(1).assign(day=pd.Timestamp("2099-12-31"))], ignore_index=True)
    right = CalendarRegressor().fit(X, y)
    with caplog.at_level("WARNING", logger="kpipe"):
        found = CalendarRegressor().fit(wrong, np.append(y, 1e6))
    assert found.predict(X) == pytest.approx(right.predict(X))
    assert "far from the others: 1, such as 2099-12-31" in caplog.text
    assert found.predict(wrong.tail(1)).max() < 2 * y.max()


def test_the_drift_does_not_continue_for_ever() -> None:
    X, y = sales(4, growth=0.1)
    fitted = CalendarRegressor().fit(X, y)
    later = [fitted.predict(X.tail(1).assign(day=pd.Timestamp(f"{year}-06-01")))[0] for year in (2022, 2032, 2099)]
    assert later[0] < 1.2 * later[1]
    assert later[1] == pytest.approx(later[2], rel=0.2)


def test_of_many_rows_a_part_is_fitted_and_all_are_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = sales(3)
    whole = CalendarRegressor().fit(X, y).predict(X)
    monkeypatch.setattr("kpipe.models.calendar._MAX_ROWS", 3_000)
    part = CalendarRegressor().fit(X, y).predict(X)
    assert len(part) == len(X)
    assert error(whole, part) < 0.02


def weather(days: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Hourly demand that is highest in mild weather."""
    draw = np.random.default_rng(0)
    hours = pd.Series(pd.date_range("2020-01-01", periods=24 * days, freq="h"))
    heat = draw.uniform(-10, 40, size=len(hours)).round(1)
    log = (
        3 + 0.5 * np.sin(2 * np.pi * hours.dt.hour / 24) - 0.004 * (heat - 15) ** 2 + 0.1 * draw.normal(size=len(hours))
    )
    return pd.DataFrame({"day": hours, "heat": heat}), np.exp(log.to_numpy())


def test_boosted_residuals_are_added_where_they_help_and_left_out_where_they_do_not() -> None:
    X, y = weather(120)
    now = (X["day"] < "2020-04-01").to_numpy()
    fitted = CalendarRegressor("absolute").fit(X[now], y[now])
    assert fitted.share_ == 0.5
    structure = np.expm1(fitted.structure_.predict(fitted._rows(X[~now])))
    assert error(y[~now], fitted.predict(X[~now])) < 0.7 * error(y[~now], structure)
    assert CalendarRegressor().fit(X, np.random.default_rng(1).normal(size=len(X))).share_ == 0.0


def test_the_same_rows_and_seed_give_the_same_bytes() -> None:
    X, y = weather(60)
    first, second = (CalendarRegressor().fit(X, y).predict(X).tobytes() for _ in range(2))
    assert first == second
