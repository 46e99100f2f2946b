"""Wide tables: the time of ``kpipe show`` grows in proportion to the number of columns, at most.

    python benchmarks/wide.py [--columns 5000 20000] [--rows 300] [--kind numbers|mixed]

Makes tables of random numbers, or of numbers, whole numbers, labels and missing values, and runs the command on each in
a process with an empty cache. CPU seconds, so that other work on the machine counts little; the time that the command
takes on a table of 100 columns is subtracted.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

BASELINE_COLUMNS = 100  # columns of the table whose time is subtracted
MAX_GROWTH = 1.5  # times as long a column in the widest table as in the narrowest


def make_table(folder: Path, *, rows: int, columns: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=(rows, columns)), 3)
    table = {f"x{number}": values[:, number] for number in range(columns)}
    if kind == "mixed":
        words = np.array("red green blue yes no north south east west".split())
        table |= {f"x{number}": words[rng.integers(0, len(words), rows)] for number in range(0, columns, 3)}
        table |= {f"x{number}": rng.integers(0, 50, rows) for number in range(1, columns, 9)}
    frame = pd.DataFrame({"id": np.arange(rows), **table})
    cut = int(0.7 * rows)
    target = (values[:cut, 2] + rng.normal(size=cut) > 0).astype(int)
    pd.concat([frame[:cut], pd.Series(target, name="target")], axis=1).to_csv(folder / "train.csv", index=False)
    frame[cut:].to_csv(folder / "test.csv", index=False)
    frame.loc[cut:, ["id"]].assign(target=0).to_csv(folder / "sample_submission.csv", index=False)


def seconds(columns: int, *, rows: int, kind: str) -> float:
    """CPU seconds of ``kpipe show``."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "data"
        folder.mkdir()
        make_table(folder, rows=rows, columns=columns, kind=kind)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "kpipe", "show", "wide", "--data", str(folder), "--json"]
        environment = os.environ | {"KPIPE_CACHE": str(Path(home) / "cache")}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--kind", choices=["numbers", "mixed"], default="numbers")
    options = parser.parse_args()
    start = seconds(BASELINE_COLUMNS, rows=options.rows, kind=options.kind)
    each = []
    for columns in options.columns:
        taken = seconds(columns, rows=options.rows, kind=options.kind)
        each.append((taken - start) / (columns - BASELINE_COLUMNS))
        print(
            f"{columns:7,} columns: {taken:6.1f} s, {1000 * each[-1]:.2f} ms a column beyond the first 100", flush=True
        )
    growth = each[-1] / each[0]
    print(f"a column of the last table takes {growth:.2f} times as long as one of the first (at most {MAX_GROWTH})")
    return int(growth > MAX_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
