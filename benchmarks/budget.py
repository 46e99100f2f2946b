"""Budgets: wall clock, processor time and score of ``kpipe run --budget`` over several budgets.

    python benchmarks/budget.py [--data FOLDER] [--budgets 10 30 60 120] [--rows 120000]

Runs the command on titanic, playground-series-s3e26 and digit-recognizer (files in FOLDER, as Kaggle zips them), and on
a made-up table of many rows, each in an empty cache, one after the other. Prints a line for each run, and how far the
whole command was over its budget. The load of the machine is printed beside it: other work makes every run end later.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

AT_MOST, AT_LEAST = 1.05, 0.9  # of a budget: over it nothing may go, and so much of it should be used
COMPETITIONS = ("titanic", "playground-series-s3e26", "digit-recognizer")


def make_table(folder: Path, *, rows: int) -> None:
    """Numbers, categories, and two classes that depend on a wave, a product, a category and chance."""
    rng = np.random.default_rng(0)
    total = rows + rows // 4
    numbers = {f"number_{place}": np.round(rng.normal(size=total), 3) for place in range(10)}
    labels = {f"kind_{place}": rng.integers(0, 5 * 2**place, total) for place in range(5)}
    effect = rng.normal(size=80)[labels["kind_4"]]
    score = np.sin(2 * numbers["number_0"]) + numbers["number_1"] * numbers["number_2"] + effect
    frame = pd.DataFrame(numbers | {name: np.char.add("k", codes.astype(str)) for name, codes in labels.items()})
    frame.insert(0, "id", np.arange(total))
    target = (score + rng.logistic(size=total) > 0).astype(int)
    frame[:rows].assign(target=target[:rows]).to_csv(folder / "train.csv", index=False)
    frame[rows:].to_csv(folder / "test.csv", index=False)
    frame.loc[rows:, ["id"]].assign(target=0).to_csv(folder / "sample_submission.csv", index=False)


def run(slug: str, data: Path, budget: float, home: Path) -> tuple[float, float, dict[str, object]]:
    """Seconds by the clock and of the processor, and the run's record; the record of a failed run is empty."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "kpipe", "run", slug, "--data", str(data), "--budget", f"{budget:g}s"]
    found = subprocess.run(
        [*command, "--out", str(home / "out"), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"KPIPE_CACHE": str(home / "cache")},
        check=False,
    )
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, worked, json.loads(found.stdout) if found.stdout.strip() else {}


def describe(record: dict[str, object]) -> str:
    models = record.get("models")
    if not isinstance(models, list):
        return "no run"
    seeds = sum(len(model["seeds"]) for model in models)
    return f"{record['score']:.4f} ± {record['standard_error']:.4f}, {len(models)} models, {seeds} seeds in all"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/kaggle"))
    parser.add_argument("--budgets", type=float, nargs="+", default=[10, 30, 60, 120])
    parser.add_argument("--rows", type=int, default=120_000)
    parser.add_argument("--only", choices=[*COMPETITIONS, "many-rows"], nargs="+")
    options = parser.parse_args()
    late = 0
    with tempfile.TemporaryDirectory() as made:
        make_table(Path(made), rows=options.rows)
        tables = {slug: options.data / f"{slug}.zip" for slug in COMPETITIONS} | {"many-rows": Path(made)}
        print("table                    budget   wall  share   CPU  load  score")
        for slug in options.only or tables:
            for budget in options.budgets:
                with tempfile.TemporaryDirectory() as home:
                    load = os.getloadavg()[0]
                    seconds, worked, record = run(slug, tables[slug], budget, Path(home))
                share = seconds / budget
                late += share > AT_MOST or not record
                numbers = f"{budget:6g} {seconds:6.1f} {100 * share:5.0f}% {worked:5.0f} {load:5.1f}"
                print(f"{slug:<24} {numbers}  {describe(record)}", flush=True)
    print(f"{late} runs failed, or ended more than {100 * (AT_MOST - 1):.0f} % late")
    return int(late > 0)


if __name__ == "__main__":
    sys.exit(main())
