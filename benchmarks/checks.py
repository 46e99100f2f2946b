"""How sensitive the checks of tables and folds are, and how long they take.

    python benchmarks/checks.py [--slug SLUG]... [--trials 5] [--check NAME] [--times-only | --texts-only | --alarms]

Each mistake of ``tests/plants.py`` is planted in Kaggle's real tables, in smaller and smaller shares of the rows, with
several seeds. A cell is the number of seeds with which the check in the second column did not pass and named the
mistake; the last column is the smallest share at which it did with all seeds. The clean tables must pass first. Times
are CPU time of one thread (``time.process_time``), the minimum of three, for each check; also on 76,000 x 370 generated
values. ``--texts-only`` prints the message for each mistake, as in the first list of ``docs/checks.md``.
``--alarms`` prints every warning and failure on unmodified tables: Kaggle's own, and as many draws of train and test
from each train.csv as ``--trials`` says, whole groups together.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kpipe.core.request import RunRequest
from kpipe.core.values import Source, Tables
from kpipe.pipeline import prepare
from kpipe.problem.competition import Competition
from kpipe.problem.problem import define_problem
from tests.plants import CHECKS, PLANTS, Prepared

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))
SLUGS = ["titanic", "spaceship-titanic", "house-prices-advanced-regression-techniques", "digit-recognizer"]
SHARES = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005]


def read(slug: str) -> Prepared:
    return Prepared.of(prepare(RunRequest(slug, data=KAGGLE / f"{slug}.zip")))


def wide(rows: int = 76_000, columns: int = 370) -> Prepared:
    """As large as Santander's: 76,000 customers, 370 columns of numbers, mostly zeros."""
    rng = np.random.default_rng(0)

    def drawn() -> pd.DataFrame:
        values = np.where(rng.random((rows, columns)) < 0.7, 0.0, rng.gamma(1, 100, (rows, columns)).round(2))
        return pd.DataFrame(values, columns=[f"var{number}" for number in range(columns)])

    train, test = drawn(), drawn()
    train.insert(0, "ID", np.arange(rows))
    test.insert(0, "ID", rows + np.arange(rows))
    train["TARGET"] = (rng.random(rows) < 0.04 + 0.1 * (train["var0"] > 0)).astype(int)
    source = Source(origin="directory", path=Path("made"), files={})
    tables = Tables(train=train, test=test, sample=test[["ID"]].assign(TARGET=0.5), source=source)
    return Prepared.of(define_problem(Competition(slug="wide"), tables))


def print_times(names: list[tuple[str, Prepared]]) -> None:
    print("| CPU seconds | " + " | ".join(name for name, _ in names) + " |")
    print("|---|" + "---|" * len(names))
    sums = np.zeros(len(names))
    for check in CHECKS:
        taken = [min(_seconds(given, check) for _ in range(3)) for _, given in names]
        sums += taken
        print(f"| {check} | " + " | ".join(f"{seconds:.2f}" for seconds in taken) + " |", flush=True)
    print("| **all** | " + " | ".join(f"**{seconds:.2f}**" for seconds in sums) + " |\n", flush=True)


def _seconds(given: Prepared, check: str) -> float:
    start = time.process_time()
    given.check(check)
    return time.process_time() - start


def print_sensitivity(slug: str, given: Prepared, trials: int, check: str | None) -> None:
    alarms = [check.name for check in given.checks().values() if check.status != "pass"]
    assert not alarms, f"the tables of {slug} are clean, but these checks did not pass: {alarms}"
    print(f"\n{slug}: {len(given.tables.train)} rows, caught of {trials}\n")
    print("| planted mistake | check | " + " | ".join(f"{share:.1%}" for share in SHARES) + " | all from |")
    print("|---|---|" + "---|" * (len(SHARES) + 1))
    for plant in PLANTS:
        if plant.fits(given) and check in (None, plant.check):
            caught = list(_caught(plant, given, trials))
            whole = [share for share, count in zip(SHARES, caught, strict=False) if count == trials]
            cells = [*map(str, caught), *["0"] * (len(SHARES) - len(caught))]
            least = f"{min(whole):.1%}" if whole else "–"
            print(f"| {plant.mistake} | {plant.check} | {' | '.join(cells)} | {least} |", flush=True)


def print_texts(given: dict[str, Prepared]) -> None:
    """Print the message for each mistake, from the first competition in which it is caught."""
    for plant in PLANTS:
        for slug, prepared in given.items():
            seeds = range(3) if plant.fits(prepared) else ()
            found = next(filter(None, (plant.caught(prepared, seed=seed) for seed in seeds)), None)
            if found is not None:
                verb = {"fail": "fails", "warn": "warns"}[found.status]
                mistake = plant.mistake[0].upper() + plant.mistake[1:]
                print(f"- **{mistake} ({slug})**: *{found.name}* {verb}.\n", flush=True)
                print(
                    textwrap.fill(found.detail, 120, initial_indent="  > ", subsequent_indent="  > "), "\n", flush=True
                )
                break


def print_alarms(slug: str, given: Prepared, trials: int) -> None:
    whole = given.tables
    by = whole.train.index.to_series() if given.problem.groups is None else whole.train[given.problem.groups]
    draws = [given]
    for seed in range(trials):
        tested = by.isin(np.random.default_rng(seed).permutation(by.unique())[::4])
        test = whole.train[tested].reset_index(drop=True).drop(columns=list(given.problem.targets))
        train = whole.train[~tested].reset_index(drop=True)
        draws.append(Prepared.of(given.problem, replace(whole, train=train, test=test)))
    found = [check for draw in draws for check in draw.checks().values()]
    counts = [sum(check.status == status for check in found) for status in ("warn", "fail")]
    print(f"| {slug} | {len(draws)} | {len(found)} | {counts[0]} | {counts[1]} |", flush=True)
    for check in found:
        if check.status != "pass":
            print(f"    {check.status} {check.name}: {check.detail}", flush=True)


def _caught(plant, given: Prepared, trials: int) -> Iterator[int]:
    """Of each share, until none of the trials of two shares running is caught."""
    none = 0
    for share in SHARES:
        count = sum(plant.caught(given, share, seed) is not None for seed in range(trials))
        none = 0 if count else none + 1
        yield count
        if none == 2 and "share" not in plant.mistake:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slug", action="append")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--times-only", action="store_true")
    parser.add_argument("--texts-only", action="store_true")
    parser.add_argument("--alarms", action="store_true")
    parser.add_argument("--check", help="only the mistakes that this check must catch")
    options = parser.parse_args()
    given = {slug: read(slug) for slug in options.slug or SLUGS}
    if options.alarms:
        print("| competition | draws | checks | warnings | failures |\n|---|---|---|---|---|")
        for slug, prepared in given.items():
            print_alarms(slug, prepared, options.trials)
        return
    if options.texts_only:
        print_texts(given)
        return
    if options.times_only or not options.check:
        print_times([*given.items(), ("76,000 x 370", wide())])
    if not options.times_only:
        for slug, prepared in given.items():
            print_sensitivity(slug, prepared, options.trials, options.check)


if __name__ == "__main__":
    main()
