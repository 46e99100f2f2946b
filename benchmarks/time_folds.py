"""Compare the estimates of several splitters with the test score, if test has days 20 to 31 of each month (simulated).

    python benchmarks/time_folds.py [DRAWS]

Two years of hours: a trend, seasons, hours of the day, and a demand that is similar on neighbouring days and that no
column has. The model is kpipe's automatic features with scikit-learn's HistGradientBoosting; the metric is the RMSE
of logarithms.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from kpipe.core.values import Splitter
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.cut_outs import PeriodEnds, TimeBlocks

HOURS = pd.date_range("2011-01-01", "2012-12-31 23:00", freq="h")
RUSH = np.array([5, 3, 2, 1, 1, 3, 10, 25, 35, 20, 15, 17, 20, 20, 20, 22, 30, 42, 40, 30, 22, 17, 12, 8]) / 10
FOLDS: dict[str, Splitter] = {
    "random rows": KFold(5, shuffle=True, random_state=0),
    "ends of months (inferred)": PeriodEnds("when", "month", horizon=7),
    "blocks of 12 days": TimeBlocks("when", "12 days"),
}


def rentals(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The columns of each hour, and the logarithm of its rentals."""
    rng = np.random.default_rng(seed)
    day = np.arange(len(HOURS)) // 24
    demand = np.zeros(day.max() + 1)
    for today in range(1, len(demand)):
        demand[today] = 0.8 * demand[today - 1] + rng.normal(0, 0.25)
    season = np.sin(2 * np.pi * (HOURS.day_of_year.to_numpy() - 100) / 365)
    degrees = 15 + 10 * season + rng.normal(0, 3, len(demand))[day]
    noise = rng.normal(0, 0.15, len(HOURS))
    weekend = HOURS.day_of_week.to_numpy() >= 5
    level = 0.5 * day / 365 + 0.03 * degrees + 0.6 * demand[day] - 0.1 * weekend + noise
    count = rng.poisson(40 * RUSH[HOURS.hour] * np.exp(level))
    return pd.DataFrame({"when": HOURS, "degrees": degrees.round(1)}), np.log1p(count)


def squared_errors(X: pd.DataFrame, y: np.ndarray, train: np.ndarray, valid: np.ndarray) -> np.ndarray:
    features = AutomaticFeatures().fit(X.iloc[train], y[train])
    model = HistGradientBoostingRegressor(max_iter=200, random_state=0)
    model.fit(features.transform(X.iloc[train]), y[train])
    return np.asarray((model.predict(features.transform(X.iloc[valid])) - y[valid]) ** 2)


def main() -> None:
    found: dict[str, list[float]] = {name: [] for name in ("test", *FOLDS)}
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 4):
        X, y = rentals(seed)
        is_test = X["when"].dt.day.to_numpy() >= 20
        train = np.flatnonzero(~is_test)
        found["test"].append(float(np.sqrt(squared_errors(X, y, train, np.flatnonzero(is_test)).mean())))
        X, y = X.iloc[train].reset_index(drop=True), y[train]
        for name, splitter in FOLDS.items():
            errors = [squared_errors(X, y, *pair) for pair in splitter.split(X)]
            found[name].append(float(np.sqrt(np.concatenate(errors).mean())))
    for name, scores in found.items():
        print(f"{name:26} {np.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})")
    assert abs(np.mean(found["ends of months (inferred)"]) - np.mean(found["test"])) < 0.02


if __name__ == "__main__":
    main()
