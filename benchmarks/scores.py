"""Compare kpipe, AutoGluon (best_quality) and scikit-learn's HistGradientBoosting on held-out rows.

    python benchmarks/scores.py [--autogluon /path/to/venv/bin/python] [--repeats 1] [--fifths 1] [--out scores.json]
                                [--systems kpipe autogluon histgb] [--kpipe-options "..."] [SLUG ...]

A fifth of train.csv is held out (stratified for classes, by whole groups if there are any). The other rows are written
as a competition of their own, with a test.csv without the target. Each system gets this folder, the same time limit
and the same cores, one after the other. This process scores what each system would submit, with kpipe's metrics; no
system sees the answers.

kpipe knows the metric, and has its modules, whose authors knew all of train.csv. AutoGluon knows the metric and the
kind of problem, and does not see the id. If the competition scores logarithms, for which AutoGluon has no metric, it
gets the logarithm of the target, and so does HistGradientBoosting. HistGradientBoosting has default options, except the
absolute loss for metrics of absolute errors, and ignores text columns with more categories than it supports.

Standard errors are over held-out rows, or groups. Optimism is the own estimate minus the held-out score in standard
errors of their difference, positive if the estimate was too good; kpipe's own estimate is in its run.json, those of the
others come from their out-of-fold predictions. A win means that no other system scored better on this fifth. A system
that fails has lost, and its last line of output is printed. --out is written after each system: the same command
resumes after an interruption, and repeats only what has changed (seconds, options, kpipe's code).

AutoGluon 1.6.3 requires pandas 2, so install it in a venv of its own, with `pip install torch torchvision --index-url
https://download.pytorch.org/whl/cpu` and `pip install "autogluon.tabular[catboost,fastai,lightgbm,ray]==1.6.3"
xgboost-cpu`.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import kpipe  # noqa: E402
from benchmarks._command import Failure, failure, run_command  # noqa: E402
from kpipe import competitions  # noqa: E402
from kpipe.core.metrics import Metric, evaluate, get_metric, output  # noqa: E402
from kpipe.core.values import Score  # noqa: E402
from kpipe.problem.competition import class_columns  # noqa: E402

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", ROOT.parent / "shared" / "kaggle"))
PARTS = 5
SEED = 7919  # of the first repeat; different from 0, the seed of kpipe's folds
DRAWS = 400  # the relative error of a standard error from 400 resamples is 3.5 % (1 / sqrt(2 * 400))
MAX_CATEGORIES = 255  # HistGradientBoosting's bins
MEASURED = (("score", "standard_error"), ("gain", "gain_error"), ("own", "own_standard_error"))
HEADER = """
| competition | metric | system | held out | gain over AutoGluon | own estimate | optimism | seconds | wins |
|---|---|---|---|---|---|---|---|---|"""

Array = np.ndarray
Entry = dict[str, Any]
Answer = tuple[Array, Score, Entry]  # (m, k) for the held-out rows, its own estimate of the score, details


@dataclass(frozen=True)
class Plan:
    """A competition, its metric, and the time limit of each system.

    Parameters
    ----------
    metric : str
        kpipe's name of the metric.
    autogluon, problem : str
        AutoGluon's names of the metric and the kind of problem.
    seconds : float
        Time limit.
    group_until : str
        Rows whose ids are equal up to this character form a group; "" for independent rows.
    """

    slug: str
    id: str
    target: str
    metric: str
    autogluon: str
    problem: str
    seconds: float
    group_until: str = ""

    @property
    def scorer(self) -> Metric:
        return get_metric(self.metric)

    def groups(self, ids: pd.Series) -> Array | None:
        return ids.str.partition(self.group_until)[0].to_numpy() if self.group_until else None


HOUSES, SERIES = "house-prices-advanced-regression-techniques", "playground-series-s3"
_ALL = (
    Plan("titanic", "PassengerId", "Survived", "accuracy", "accuracy", "binary", 240),
    Plan(HOUSES, "Id", "SalePrice", "log_rmse", "root_mean_squared_error", "regression", 240),  # of the logarithm
    Plan("spaceship-titanic", "PassengerId", "Transported", "accuracy", "accuracy", "binary", 120, group_until="_"),
    Plan(f"{SERIES}e26", "id", "Status", "log_loss", "log_loss", "multiclass", 120),
    Plan(f"{SERIES}e25", "id", "Hardness", "median_ae", "median_absolute_error", "regression", 120),
    Plan(f"{SERIES}e2", "id", "stroke", "auc", "roc_auc", "binary", 120),
)
PLANS = {plan.slug: plan for plan in _ALL}


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """Four fifths of train.csv for training and one fifth for scoring; all cells are text, as in the file.

    Parameters
    ----------
    train : DataFrame
        With the target.
    test : DataFrame
        Without the target.
    sample : DataFrame
        In the format of the original sample submission.
    answers : Series
        (m,) targets of the test rows.
    """

    plan: Plan
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame
    answers: pd.Series

    @property
    def labels(self) -> list[str]:
        return [] if self.plan.scorer.task == "regression" else sorted(self.train[self.plan.target].unique())

    def evaluated(self, predicted: Array, *, train: bool = False) -> Score:
        """Score of predictions (n, k) for the test rows, or the train rows."""
        target, ids = (self.train[self.plan.target], self.train) if train else (self.answers, self.test)
        y, groups = truth(target, self.labels), self.plan.groups(ids[self.plan.id])
        return evaluate(self.plan.scorer, y, predicted, groups=groups)


def as_text(file: Any) -> pd.DataFrame:
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def read(plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """train.csv and the sample submission in Kaggle's zip."""
    with zipfile.ZipFile(KAGGLE / f"{plan.slug}.zip") as archive:
        sample = next(name for name in archive.namelist() if name.endswith("_submission.csv"))
        train, sample = (as_text(io.BytesIO(archive.read(name))) for name in ("train.csv", sample))
    return train, sample


def hold_out(plan: Plan, train: pd.DataFrame, sample: pd.DataFrame, *, repeat: int, fifth: int) -> HoldOut:
    """Hold out a fifth. The five fifths of a repeat are disjoint, and the same arguments give the same rows."""
    kind: Any = KFold if plan.scorer.task == "regression" else StratifiedKFold
    splitter = (StratifiedGroupKFold if plan.group_until else kind)(PARTS, shuffle=True, random_state=SEED + repeat)
    kept, held = list(splitter.split(train, train[plan.target], plan.groups(train[plan.id])))[fifth]
    unseen = train.iloc[np.sort(held)].reset_index(drop=True)
    cells = {name: unseen[plan.id] if name == plan.id else sample[name].iloc[0] for name in sample.columns}
    return HoldOut(
        plan=plan,
        train=train.iloc[np.sort(kept)].reset_index(drop=True),
        test=unseen.drop(columns=plan.target),
        sample=pd.DataFrame(cells),
        answers=unseen[plan.target],
    )


def write(held: HoldOut, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, frame in (("train", held.train), ("test", held.test), ("sample_submission", held.sample)):
        frame.to_csv(folder / f"{name}.csv", index=False)


def truth(target: pd.Series, labels: list[str]) -> Array:
    """(n,) codes into labels, or values."""
    return pd.Index(labels).get_indexer(target) if labels else target.astype(float).to_numpy()


def predictions(plan: Plan, labels: list[str], submitted: pd.DataFrame, ids: pd.Series) -> Array:
    """(n, k) predictions of a submission, in the order of ids. Raises Failure if it cannot be scored."""
    if submitted[plan.id].duplicated().any() or set(submitted[plan.id]) != set(ids):
        raise Failure("the ids of its submission differ from those of test.csv")
    values = submitted.set_index(plan.id).loc[ids]
    if plan.scorer.needs == "label":
        codes = pd.Index(labels).get_indexer(values.iloc[:, 0])
        if (codes < 0).any():
            raise Failure(f"train.csv lacks labels of its submission, such as {values.iloc[codes.argmin(), 0]!r}")
        return np.eye(len(labels))[codes]
    numbers = values.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        raise Failure("its submission has cells that are not finite numbers")
    if plan.scorer.needs == "value":
        return numbers
    if numbers.shape[1] == 1:
        return np.column_stack([1 - numbers, numbers])
    named = class_columns(list(values.columns), plan.target, labels) or []
    return numbers[:, [named.index(label) for label in labels]]


def paired_gain(metric: Metric, y: Array, first: Array, second: Array, groups: Array | None) -> tuple[float, float]:
    """How much better the first output scores than the second on the same rows, and the standard error.

    Both are scored on the same resamples of rows, or of groups (paired bootstrap; Efron 1979).
    """
    rng, sign = np.random.default_rng(0), 1 if metric.greater_is_better else -1
    parts = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    members = np.split(np.argsort(parts, kind="stable"), np.flatnonzero(np.diff(np.sort(parts))) + 1)

    def difference(rows: Array) -> float:
        return sign * (metric.function(y[rows], first[rows]) - metric.function(y[rows], second[rows]))

    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        if metric.task == "regression" or len(np.unique(y[rows])) == len(np.unique(y)):  # AUC needs two
            drawn.append(difference(rows))
    return difference(np.arange(len(y))), float(np.std(drawn, ddof=1))


@dataclass(frozen=True, kw_only=True)
class Job:
    """The input of a system: the rows (also in the folder), the time limit, the options, and the output folder."""

    held: HoldOut
    folder: Path
    out: Path
    seconds: float
    options: argparse.Namespace

    def submitted(self, file: Path, ids: pd.Series) -> Array:
        if not file.is_file():
            raise failure(self.out, f"wrote no {file.name}")
        return predictions(self.held.plan, self.held.labels, as_text(file), ids)


def run_kpipe(job: Job) -> Answer:
    plan = job.held.plan
    command = [sys.executable, "-m", "kpipe", "run", plan.slug, "--data", str(job.folder), "--metric", plan.metric]
    command += ["--budget", f"{job.seconds:g}s", "--json", "--out", str(job.out / "runs")]
    status, printed = run_command([*command, *shlex.split(job.options.kpipe_options)], job.out, job.seconds)
    try:
        record = json.loads(printed)  # also with status 1, if a check failed: the submission exists
    except json.JSONDecodeError as error:
        raise failure(job.out, f"exited with status {status}") from error
    file = job.out / "runs" / plan.slug / record["run_id"] / "submission.csv"
    value, error = (np.float64(record[name]) for name in ("score", "standard_error"))  # None becomes NaN
    own = Score(value=value, standard_error=error, rows=record["rows"])
    details = {name: record[name] for name in ("models", "left_out", "checks")}
    return job.submitted(file, job.held.test[plan.id]), own, details


def run_autogluon(job: Job) -> Answer:
    plan, worker = job.held.plan, Path(__file__).with_name("_autogluon.py")
    command = [job.options.autogluon, str(worker), str(job.folder), str(job.out), "--metric", plan.autogluon]
    command += ["--id", plan.id, "--target", plan.target, "--problem", plan.problem]
    command += ["--seconds", f"{job.seconds:g}", "--cores", str(job.options.cores)]
    status, _ = run_command(command + ["--log"] * plan.scorer.log_target, job.out, job.seconds)
    if status:
        raise failure(job.out, f"exited with status {status}")
    predicted = job.submitted(job.out / "submission.csv", job.held.test[plan.id])
    oof = job.submitted(job.out / "oof.csv", job.held.train[plan.id])
    return predicted, job.held.evaluated(oof, train=True), json.loads((job.out / "autogluon.json").read_text())


def run_histgb(job: Job) -> Answer:
    plan, metric, labels = job.held.plan, job.held.plan.scorer, job.held.labels
    train, test = (pd.read_csv(job.folder / f"{name}.csv") for name in ("train", "test"))
    rows = pd.concat([train, test]).drop(columns=[plan.id, plan.target])
    texts = {name: rows[name].astype("category") for name in rows.select_dtypes(exclude="number").columns}
    rows = rows.assign(**texts).drop(columns=[name for name in texts if rows[name].nunique() > MAX_CATEGORIES])
    if labels:
        model: Any = HistGradientBoostingClassifier(random_state=0)
    else:
        loss = "absolute_error" if metric.name in ("mae", "median_ae") else "squared_error"
        model = HistGradientBoostingRegressor(loss=loss, random_state=0)
    if metric.log_target:
        model = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    kind, method = (StratifiedKFold, "predict_proba") if labels else (KFold, "predict")
    X, X_test, y = rows[: len(train)], rows[len(train) :], truth(job.held.train[plan.target], labels)
    with threadpool_limits(1):  # two threads wait for each other: next to other jobs, 112 s instead of 8
        oof = cross_val_predict(model, X, y, cv=kind(PARTS, shuffle=True, random_state=0), method=method)
        predicted = getattr(model.fit(X, y), method)(X_test)
    return predicted.reshape(len(X_test), -1), job.held.evaluated(oof.reshape(len(X), -1), train=True), {}


SYSTEMS: dict[str, Callable[[Job], Answer]] = {"kpipe": run_kpipe, "autogluon": run_autogluon, "histgb": run_histgb}


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One system on one fifth of one competition."""

    plan: Plan
    repeat: int
    fifth: int
    system: str

    def key(self, options: argparse.Namespace, versions: dict[str, str]) -> str:
        """A name that contains everything a result depends on."""
        fifth, seconds = f"{self.plan.slug} {self.repeat}/{self.fifth}", options.seconds or self.plan.seconds
        return f"{fifth} {self.plan.metric} {self.system} {versions[self.system]} {seconds:g} s {options.cores} cores"


def one(unit: Unit, options: argparse.Namespace) -> Entry:
    """Run a system and score it, or record why it has no score."""
    plan, seconds = unit.plan, options.seconds or unit.plan.seconds
    held = hold_out(plan, *read(plan), repeat=unit.repeat, fifth=unit.fifth)
    entry: Entry = {"budget": seconds, "rows": len(held.test), "load_before": round(os.getloadavg()[0], 2)}
    with tempfile.TemporaryDirectory(prefix="kpipe-scores-") as home:
        folder, out = Path(home) / plan.slug, Path(home) / "out"
        out.mkdir()
        write(held, folder)
        start = time.perf_counter()
        try:
            answer = SYSTEMS[unit.system](Job(held=held, folder=folder, out=out, seconds=seconds, options=options))
            entry |= {"error": None} | scored(held, answer)
        except Exception as error:  # the system has lost, and the others continue
            name = "" if isinstance(error, Failure) else f"{type(error).__name__}: "
            entry |= {"error": f"{name}{error}".splitlines()[0]}
        return entry | {"seconds": round(time.perf_counter() - start, 1)}


def scored(held: HoldOut, answer: Answer) -> Entry:
    predicted, own, details = answer
    entry: Entry = {"details": details, "output": output(held.plan.scorer, predicted).tolist()}
    for score, names in ((held.evaluated(predicted), MEASURED[0]), (own, MEASURED[2])):
        values = (float(value) for value in (score.value, score.standard_error))
        entry |= zip(names, (value if math.isfinite(value) else None for value in values), strict=True)
    return entry


def describe(unit: Unit, entry: Entry) -> str:
    where = f"{unit.plan.slug} {unit.repeat}/{unit.fifth} {unit.system}"
    if entry["error"]:
        return f"{where}: FAILED after {entry['seconds']:.0f} s: {entry['error']}"
    held = _with_error(entry["score"], entry["standard_error"])
    own = _with_error(entry["own"], entry["own_standard_error"])
    return (
        f"{where}: {unit.plan.metric} {held} held out, {own} by its own estimate, {entry['seconds']:.0f} s "
        f"of {entry['budget']:g}, load before {entry['load_before']}"
    )


def measured(results: dict[Unit, Entry]) -> pd.DataFrame:
    """One row per unit: the measurements, NaN if it failed, and whether it won."""
    rows = []
    for unit, entry in results.items():
        same = {u.system: e for u, e in results.items() if replace(u, system="") == replace(unit, system="")}
        scores = [other["score"] for other in same.values() if not other["error"]]
        won = not entry["error"] and not any(unit.plan.scorer.better(score, entry["score"]) for score in scores)
        row = {"slug": unit.plan.slug, "system": unit.system, "won": won, "seconds": entry["seconds"]}
        row |= {name: np.float64(entry.get(name)) for pair in MEASURED for name in pair}
        pair = [same.get(system, {}).get("output") for system in (unit.system, "autogluon")]
        if unit.system != "autogluon" and None not in pair:
            held = hold_out(unit.plan, *read(unit.plan), repeat=unit.repeat, fifth=unit.fifth)
            y, groups = truth(held.answers, held.labels), unit.plan.groups(held.test[unit.plan.id])
            row["gain"], row["gain_error"] = paired_gain(unit.plan.scorer, y, *map(np.array, pair), groups)
        rows.append(row)
    return pd.DataFrame(rows)


def means(rows: pd.DataFrame, fifths: int) -> Entry:
    """Means of one system on one competition over its fifths, with standard errors, and the optimism.

    The fifths of one repeat are disjoint, so their mean has a smaller standard error. Other repeats use the same rows
    again, and own estimates share most of their rows, so these means do not.
    """
    found: Entry = {"of": len(rows), "done": int(rows["score"].notna().sum()), "wins": int(rows["won"].sum())}
    for name, error in MEASURED:
        known = rows[rows[name].notna()]
        independent = 1 if name == "own" else max(1, min(fifths, len(known)))
        found |= {name: known[name].mean(), error: math.sqrt((known[error] ** 2).mean() / independent)}
    sign = 1 if PLANS[rows["slug"].iloc[0]].scorer.greater_is_better else -1
    both = math.hypot(found["standard_error"], found["own_standard_error"])
    return found | {"optimism": sign * (found["own"] - found["score"]) / both if both else math.nan}


def shown(slug: str, system: str, mean: Entry, seconds: float) -> str:
    start, end = f"| {slug} | {PLANS[slug].metric} | {system} |", f"| {seconds:.0f} | {mean['wins']} of {mean['of']} |"
    if not mean["done"]:
        return f"{start} failed | | | {end}"
    held = _with_error(mean["score"], mean["standard_error"])
    some = "" if mean["done"] == mean["of"] else f" ({mean['done']} of {mean['of']}, the others failed)"
    gain = _with_error(mean["gain"], mean["gain_error"], "+") if math.isfinite(mean["gain"]) else ""
    own = _with_error(mean["own"], mean["own_standard_error"])
    return f"{start} {held}{some} | {gain} | {own} | {mean['optimism']:+.1f} {end}"


def _with_error(value: float | None, error: float | None, sign: str = "") -> str:
    return f"{np.float64(value):{sign}.4f} ± {np.float64(error):.4f}"


def report(results: dict[Unit, Entry], fifths: int) -> Iterator[str]:
    yield HEADER
    for (slug, system), rows in measured(results).groupby(["slug", "system"], sort=False):
        yield shown(slug, system, means(rows, fifths), rows["seconds"].mean())
    yield from ("", *(describe(unit, entry) for unit, entry in results.items() if entry["error"]))


def versions(options: argparse.Namespace) -> dict[str, str]:
    """Version of each system; "" for AutoGluon if its interpreter does not have it."""
    code = hashlib.sha256()
    for folder in (Path(kpipe.__file__).parent, *filter(None, map(competitions.folder, competitions.slugs()))):
        for path in sorted(folder.rglob("*.py")):
            code.update(path.read_bytes())
    ask = [options.autogluon, "-c", "from importlib.metadata import version as v; print(v('autogluon.tabular'))"]
    try:
        autogluon = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        autogluon = ""
    own = f"{kpipe.__version__}+{code.hexdigest()[:12]} {options.kpipe_options}".strip()
    return {"kpipe": own, "autogluon": autogluon, "histgb": sklearn.__version__}


def load_results(file: Path) -> dict[str, Entry]:
    return json.loads(file.read_text())["results"] if file.exists() else {}


def save_results(file: Path, results: dict[str, Entry]) -> None:
    """Write a temporary file, then rename it, so that the file is always complete. One result per line."""
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "machine": platform.platform()}
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry, allow_nan=False)}" for name, entry in results.items())
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(f'{{"machine": {json.dumps(machine)},\n"results": {{\n{rows}\n}}}}\n')
    os.replace(beside, file)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("slugs", nargs="*", metavar="SLUG", help=f"default: all of {', '.join(PLANS)}")
    add("--autogluon", default=sys.executable, metavar="PYTHON", help="a Python with AutoGluon")
    add("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    add("--repeats", type=int, default=1, help="how often to draw new fifths")
    add("--fifths", type=int, default=1, choices=range(1, PARTS + 1), help="how many fifths to hold out")
    add("--seconds", type=float, help="time limit instead of the default of each competition, for a quick test")
    add("--cores", type=int, default=2)
    add("--kpipe-options", default="", metavar='"..."', help="additional options of kpipe run")
    add("--retry", action="store_true", help="repeat failed systems")
    add("--out", type=Path, default=Path("scores.json"))
    options = parser.parse_args()
    if unknown := [slug for slug in options.slugs if slug not in PLANS]:
        parser.error(f"no plan for {', '.join(unknown)}; the plans are: {', '.join(PLANS)}")
    options.slugs = options.slugs or list(PLANS)
    return options


def main() -> None:
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that child processes also end
    if hasattr(os, "sched_setaffinity"):  # the same cores for all systems and their children
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    names = versions(options)
    if "autogluon" in options.systems and not names["autogluon"]:
        print(f"AutoGluon is skipped: {options.autogluon} does not have it (see --autogluon).")
        options.systems = [system for system in options.systems if system != "autogluon"]
    print(", ".join(f"{system} {names[system]}" for system in options.systems), flush=True)
    found, results = load_results(options.out), {}
    every = product(range(options.repeats), range(options.fifths), options.slugs, options.systems)
    for repeat, fifth, slug, system in every:
        unit = Unit(plan=PLANS[slug], repeat=repeat, fifth=fifth, system=system)
        name = unit.key(options, names)
        if name not in found or (options.retry and found[name]["error"]):
            found[name] = one(unit, options)
            save_results(options.out, found)
        results[unit] = found[name]
        print(describe(unit, results[unit]), flush=True)
    print(*(report(results, options.fifths) if results else ()), sep="\n")
    if any(versions(options)[system] != names[system] for system in options.systems):
        print("Code or packages changed during the benchmark: not all results belong to the versions above.")


if __name__ == "__main__":
    main()
