"""How often a run's forecast holds: train and test drawn anew from Kaggle's train.csv, as the competition drew them.

    python benchmarks/forecast.py [--redraws 20] [--first 0] [--shift] [--out forecast.json] [SLUG ...]

Each redraw divides the rows of train.csv, at most as many as stated below, into a train and a test table of the
competition's own proportions: by row, by whole groups, or at a point in time. ``--shift`` draws test rows more often
where one column, another one in each redraw, is high. A cheap model is trained on the train table by kpipe's own path,
which never sees a target of the test table, and makes a forecast; this script then scores its test predictions.

For each competition: how often the score lies within the forecast's 95 % interval; the intervals' mean width divided by
that of an oracle, which knows the standard deviation of (score - forecast) over the redraws and adds 1.96 of them to
both sides; the root mean square errors of the out-of-fold score and of the forecast; and the seconds of a forecast. The
rows of all redraws come from one file, so that the redraws of a small competition overlap; the difference between the
scores of two parts of a finite table varies as much as that between two samples of a population.

The settings of ``kpipe.forecast`` were chosen on redraws 0 to 19. Redraws from ``--first 20`` on are fresh.

--out is written after each competition.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kpipe.core.metrics import evaluate, output  # noqa: E402
from kpipe.core.request import RunRequest  # noqa: E402
from kpipe.core.values import Context, Ensemble, Tables  # noqa: E402
from kpipe.data import loading  # noqa: E402
from kpipe.forecast.forecast import make_forecast  # noqa: E402
from kpipe.models.text import RawColumnsPipeline, RowText  # noqa: E402
from kpipe.problem.competition import Competition, Factory  # noqa: E402
from kpipe.problem.problem import Problem, apply_request, define_problem  # noqa: E402
from kpipe.training.combine import combine  # noqa: E402
from kpipe.training.cross_validation import cross_validate  # noqa: E402
from kpipe.training.estimators import choose_models  # noqa: E402
from kpipe.training.folds import make_folds  # noqa: E402

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", ROOT.parent / "shared" / "kaggle"))


@dataclass(frozen=True)
class Plan:
    """How a competition is redrawn.

    Parameters
    ----------
    models : tuple of str
        Cheap ones.
    rows : int
        The number of rows of train.csv that a redraw divides, at most.
    group_until : str
        Ids that are equal up to this character form a group, which is not divided; "" for rows.
    time : str
        The column of dates by which test comes after train, as long as Kaggle's; "" for a random division.
    """

    slug: str
    metric: str
    models: tuple[str, ...] = ("linear",)
    rows: int = 4000
    group_until: str = ""
    time: str = ""


HOUSES, SERIES = "house-prices-advanced-regression-techniques", "playground-series-s3"
_ALL = (
    Plan("titanic", "accuracy"),
    Plan(HOUSES, "log_rmse"),
    Plan("spaceship-titanic", "accuracy", group_until="_"),
    Plan(f"{SERIES}e2", "auc"),
    Plan(f"{SERIES}e25", "median_ae", rows=10_000),
    Plan(f"{SERIES}e26", "log_loss"),
    Plan("digit-recognizer", "accuracy", rows=2000),
    Plan("spooky-author-identification", "log_loss", ("words",)),
    Plan("tabular-playground-series-sep-2022", "smape", ("calendar",), time="date"),
)
PLANS = {plan.slug: plan for plan in _ALL}


def redraws(plan: Plan, seeds: range, *, shifted: bool) -> Iterator[dict[str, float]]:
    """The score, the forecast and its parts, and the score on test of each redraw."""
    request = RunRequest(plan.slug, metric=plan.metric)
    # Redrawn rows of train and test were both in sight when the modules were written.
    competition = replace(apply_request(request), selection_bias=0.0)
    files = loading.load(plan.slug, KAGGLE / f"{plan.slug}.zip", text=competition.text, id=competition.id)
    id = define_problem(competition, files).id
    for seed in seeds:
        rng = np.random.default_rng(seed)
        train, test = divide(plan, files, id, rng, shifted=shifted)
        yield fit(plan, competition, files, id, train, test)


def divide(
    plan: Plan, files: Tables, id: str, rng: np.random.Generator, *, shifted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of train.csv that become train and test."""
    frame = files.train
    if plan.time:
        return divide_at_time(frame, files.test, plan.time, rng)
    units = frame[id].str.partition(plan.group_until)[0] if plan.group_until else pd.Series(np.arange(len(frame)))
    numbers, share = units.factorize()[0], len(files.test) / (len(frame) + len(files.test))
    kept = rng.permutation(numbers.max() + 1)[: round(plan.rows * (numbers.max() + 1) / len(frame))]
    order = -np.log(rng.random(len(kept))) / odds(frame, numbers, kept, rng) if shifted else rng.random(len(kept))
    tested = kept[np.argsort(order)[: round(share * len(kept))]]
    is_test, is_kept = np.isin(numbers, tested), np.isin(numbers, kept)
    return np.flatnonzero(is_kept & ~is_test), np.flatnonzero(is_test)


def odds(frame: pd.DataFrame, numbers: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How readily each kept group is drawn for test: up to 9 times more where a column is high."""
    columns = [name for name in frame.columns[1:-1] if 2 <= frame[name].nunique() <= len(frame) // 2]
    if not columns:
        raise SystemExit("--shift needs a column of few values, and this table has none")
    values = frame[columns[int(rng.integers(len(columns)))]]
    ranks = pd.Series(values.to_numpy()).rank(pct=True).fillna(0.5).groupby(numbers).mean().to_numpy()
    return np.asarray(9.0 ** ranks[kept])


def divide_at_time(
    frame: pd.DataFrame, test: pd.DataFrame, column: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Train until a random day of the last horizons, test for as long as Kaggle's; of a random half of the series."""
    dates, tested = pd.to_datetime(frame[column]), pd.to_datetime(test[column])
    horizon = tested.max() - tested.min()
    first, last = dates.min() + 2 * horizon, dates.max() - horizon
    cut = first + (last - first) * rng.random()
    series = frame.groupby(list(frame.columns[2:-1])).ngroup().to_numpy()
    kept = np.isin(series, rng.permutation(series.max() + 1)[: (series.max() + 1) // 2])
    is_train, is_test = (dates <= cut).to_numpy(), ((dates > cut) & (dates <= cut + horizon)).to_numpy()
    return np.flatnonzero(kept & is_train), np.flatnonzero(kept & is_test)


def fit(
    plan: Plan, competition: Competition, files: Tables, id: str, train: np.ndarray, test: np.ndarray
) -> dict[str, float]:
    frame = files.train
    answers = frame.iloc[test].reset_index(drop=True)
    target = [name for name in frame if name not in files.test]
    sample = files.sample.iloc[np.arange(len(test)) % len(files.sample)].reset_index(drop=True)
    sample = sample.assign(**{id: answers[id] if id in answers else np.arange(1, len(test) + 1)})
    tables = replace(
        files, train=frame.iloc[train].reset_index(drop=True), test=answers.drop(columns=target), sample=sample
    )
    problem = define_problem(competition, tables)
    folds = make_folds(problem)
    predictions = cross_validate(problem, folds, models=choose(problem, plan.models), jobs=1, threads=1)
    ensemble = combine(problem, folds, predictions)
    own = evaluate(problem.metric, problem.y, ensemble.oof, folds=folds.valid, groups=problem.blocks)
    start = time.perf_counter()
    forecast = make_forecast(problem, folds, predictions, ensemble, own)
    return {
        "score": own.value,
        "value": forecast.value,
        "low": forecast.low,
        "high": forecast.high,
        "seconds": time.perf_counter() - start,
        "on_test": score(problem, ensemble, answers[target[0]]),
    }


def choose(problem: Problem, names: tuple[str, ...]) -> Mapping[str, Factory]:
    """Models of kpipe, or logistic regression on TF-IDF of words: a tenth of the time of the model ``text``."""
    return {"words": words} if names == ("words",) else choose_models(problem, list(names))


def words(context: Context, **options: Any) -> RawColumnsPipeline:
    linear = LogisticRegression(C=10.0, max_iter=200, tol=1e-3, random_state=context.seed, **options)
    weights = TfidfVectorizer(min_df=2, sublinear_tf=True)
    return RawColumnsPipeline([("text", RowText()), ("words", weights), ("linear", linear)])


def score(problem: Problem, ensemble: Ensemble, column: pd.Series) -> float:
    if problem.labels is None:
        y = column.to_numpy(dtype=float)
    else:
        y = column.map({label: code for code, label in enumerate(problem.labels)}).to_numpy(dtype=np.int64)
    return float(problem.metric.function(y, output(problem.metric, ensemble.test)))


def summary(found: pd.DataFrame) -> dict[str, float]:
    error = found["on_test"] - found["value"]
    return {
        "held": float(((found["on_test"] >= found["low"]) & (found["on_test"] <= found["high"])).mean()),
        "width": float((found["high"] - found["low"]).mean() / (2 * 1.96 * error.std(ddof=1))),
        "error of score": float(np.sqrt(((found["on_test"] - found["score"]) ** 2).mean())),
        "error of forecast": float(np.sqrt((error**2).mean())),
        "seconds": float(found["seconds"].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slugs", nargs="*", default=list(PLANS))
    parser.add_argument("--redraws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first redraw")
    parser.add_argument("--shift", action="store_true")
    parser.add_argument("--out", type=Path, help="write every redraw as JSON")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.redraws)
    everything: dict[str, Any] = {}
    print("| competition | metric | held | width / oracle's | error of the score | of the forecast | seconds |")
    print("|---|---|---|---|---|---|---|")
    for slug in options.slugs:
        found = pd.DataFrame(redraws(PLANS[slug], seeds, shifted=options.shift))
        everything[slug] = found.to_dict("list")
        if options.out:
            options.out.write_text(json.dumps(everything, indent=1))
        numbers = summary(found)
        print(
            f"| {slug} | {PLANS[slug].metric} | {numbers['held']:.0%} | {numbers['width']:.2f} "
            f"| {numbers['error of score']:.4f} | {numbers['error of forecast']:.4f} | {numbers['seconds']:.2f} |",
            flush=True,
        )
    every = [summary(pd.DataFrame(found)) for found in everything.values()]
    print(f"Of all redraws {np.mean([one['held'] for one in every]):.1%} are held; ", end="")
    print(f"mean width {np.mean([one['width'] for one in every]):.2f} times the oracle's.")


if __name__ == "__main__":
    main()
