"""Compare kpipe, AutoGluon, mljar-supervised and scikit-learn's HistGradientBoosting on held-out rows.

    python benchmarks/scores.py [--autogluon PYTHON] [--mljar PYTHON] [--seconds 120] [--repeats 1] [--fifths 1]
                                [--systems kpipe autogluon mljar histgb] [--out scores.json] [SLUG ...]
    python benchmarks/scores.py --picture scores-over-time.png [--out scores.json]

A fifth of train.csv is held out (stratified for classes, by whole groups if there are any). The other rows are written
as a competition of their own, with a test.csv without the target. Each system gets this folder, the same time limit
and the same cores, one after the other. This process scores what each system would submit, with kpipe's metrics; no
system sees the answers.

kpipe knows the metric, and has its modules, whose authors knew all of train.csv. AutoGluon and mljar know the metric
and the kind of problem, and do not see the id. If the competition scores logarithms, for which they have no metric,
they get the logarithm of the target, and so does HistGradientBoosting. mljar minimises the mean of absolute errors
where the metric is their median. HistGradientBoosting has default options, except the absolute loss for metrics of
absolute errors, and ignores text columns with more categories than it supports.

Standard errors are over held-out rows, or groups. Optimism is the own estimate minus the held-out score in standard
errors of their difference, positive if the estimate was too good; kpipe's own estimate is in its run.json, those of
AutoGluon and HistGradientBoosting come from their out-of-fold predictions, and mljar's is not taken. A win means that
no other system scored better on this fifth. A system that fails has lost, and its last line of output is printed.
--out is written after each system: the same command resumes after an interruption, and repeats only what has changed
(seconds, options, kpipe's code). --picture draws the scores in that file over their time limits.

Besides the competitions there are plans for the tables that real_tables.py writes into KPIPE_TEST_DATA.

AutoGluon 1.6.3 requires pandas 2, so install it in a venv of its own, with `pip install torch torchvision --index-url
https://download.pytorch.org/whl/cpu` and `pip install "autogluon.tabular[catboost,fastai,lightgbm,ray]==1.6.3"
xgboost-cpu`. mljar: `pip install mljar-supervised==1.3.2` in another one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import kpipe  # noqa: E402
from benchmarks._command import Failure  # noqa: E402
from benchmarks._curves import draw_curves  # noqa: E402
from benchmarks._held_out import COMPETITIONS, PARTS, PLANS, Array, HoldOut, Plan, hold_out, read, truth, write  # noqa: E402
from benchmarks._systems import SYSTEMS, Answer, Job  # noqa: E402
from kpipe import competitions  # noqa: E402
from kpipe.core.metrics import Metric, output  # noqa: E402

DRAWS = 400  # the relative error of a standard error from 400 resamples is 3.5 % (1 / sqrt(2 * 400))
MEASURED = (("score", "standard_error"), ("gain", "gain_error"), ("own", "own_standard_error"))
BEST = "best_quality"
HEADER = """
| competition | metric | system | held out | gain over AutoGluon | own estimate | optimism | seconds | wins |
|---|---|---|---|---|---|---|---|---|"""

Entry = dict[str, Any]


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
    entry: Entry = {
        "slug": plan.slug,
        "system": unit.system,
        "fifth": unit.fifth,
        "budget": seconds,
        "rows": len(held.test),
        "load_before": round(os.getloadavg()[0], 2),
    }
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
    own = (
        ""
        if entry["own"] is None
        else f", {_with_error(entry['own'], entry['own_standard_error'])} by its own estimate"
    )
    return (
        f"{where}: {unit.plan.metric} {held} held out{own}, {entry['seconds']:.0f} s "
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
    own, optimism = _with_error(mean["own"], mean["own_standard_error"]), f"{mean['optimism']:+.1f}"
    if not math.isfinite(mean["own"]):
        own = optimism = ""
    return f"{start} {held}{some} | {gain} | {own} | {optimism} {end}"


def _with_error(value: float | None, error: float | None, sign: str = "") -> str:
    return f"{np.float64(value):{sign}.4f} ± {np.float64(error):.4f}"


def report(results: dict[Unit, Entry], fifths: int) -> Iterator[str]:
    yield HEADER
    for (slug, system), rows in measured(results).groupby(["slug", "system"], sort=False):
        yield shown(slug, system, means(rows, fifths), rows["seconds"].mean())
    yield from ("", *(describe(unit, entry) for unit, entry in results.items() if entry["error"]))


def versions(options: argparse.Namespace) -> dict[str, str]:
    """Version of each system; empty where its interpreter does not have it."""
    code = hashlib.sha256()
    for folder in (Path(kpipe.__file__).parent, *filter(None, map(competitions.folder, competitions.slugs()))):
        for path in sorted(folder.rglob("*.py")):
            code.update(path.read_bytes())
    own = f"{kpipe.__version__}+{code.hexdigest()[:12]} {options.kpipe_options}".strip()
    autogluon = _version(options.autogluon, "autogluon.tabular")
    preset = "" if options.preset == BEST else f" {options.preset}"
    mljar = _version(options.mljar, "mljar-supervised")
    return {
        "kpipe": own,
        "autogluon": autogluon and f"{autogluon}{preset}",
        "mljar": mljar,
        "histgb": sklearn.__version__,
    }


def _version(python: str, package: str) -> str:
    """The version of a package in another Python; empty if it lacks it."""
    ask = [python, "-c", f"from importlib.metadata import version as v; print(v({package!r}))"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


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
    add("slugs", nargs="*", metavar="SLUG", help=f"of {', '.join(PLANS)}; default: the competitions")
    add("--autogluon", default=sys.executable, metavar="PYTHON", help="a Python with AutoGluon")
    add("--mljar", default=sys.executable, metavar="PYTHON", help="a Python with mljar-supervised")
    add("--preset", default=BEST, help=f"of AutoGluon; default: {BEST}")
    add("--picture", type=Path, metavar="FILE", help="draw the scores in --out over their time limits, and end")
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
    options.slugs = options.slugs or list(COMPETITIONS)
    return options


def main() -> None:
    options = parsed()
    if options.picture:
        draw_curves(load_results(options.out), options.picture)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that child processes also end
    if hasattr(os, "sched_setaffinity"):  # the same cores for all systems and their children
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    names = versions(options)
    for system in [system for system in options.systems if not names[system]]:
        print(f"{system} is skipped: {getattr(options, system)} does not have it (see --{system}).")
        options.systems.remove(system)
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
