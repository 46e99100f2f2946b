"""Reading digit-recognizer's train.csv (77 MB) and test.csv (51 MB): pandas, pyarrow, polars, kpipe, and kpipe's cache.

    python benchmarks/reading.py [--data digit-recognizer.zip] [--runs 5]

Equal values are asserted first. Readers take turns, so that a busy machine hits all alike; the first turn is not
counted. Fails where the cache is less than 5 times as fast as pandas reading both files.

2026-11-21, 2 cores with little else to do, Python 3.11.7, pandas 3.1.1, pyarrow 26.0.1, polars 2.1.0, 5 runs:

    train.csv, already unzipped          seconds (min–max)     times as fast
    pandas.read_csv                       0.69 (0.68–0.75)         1.00
    pandas.read_csv, engine pyarrow       0.83 (0.81–0.94)         0.83
    pyarrow.csv, types inferred           0.78 (0.69–0.95)         0.88
    kpipe: parse and settle               0.78 (0.76–0.83)         0.88
    polars.read_csv                       0.53 (0.51–0.55)         1.30

    train.csv and test.csv
    pandas.read_csv, already unzipped     1.12 (1.06–1.15)         1.00
    kpipe: parse and settle, likewise     1.25 (1.21–2.08)         0.90
    kpipe.load, cold: unzip, hash, keep   1.89 (1.79–2.25)         0.59
    kpipe.load, from the cache            0.10 (0.10–0.12)        11.07

Both frames take 419 MiB as pandas reads them, 53 MiB as kpipe does. On a busy machine (load 3) readers that use both
cores lose most: pandas 0.73, kpipe 1.11, pyarrow 1.27, and the cache was still 8.9 times as fast.
"""

from __future__ import annotations

import argparse
import functools
import io
import os
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv

from kpipe.core.values import Tables
from kpipe.data.csv_reader import parse_csv
from kpipe.data.frames import to_frames
from kpipe.data.loading import load

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))
AT_LEAST = 5.0  # times as fast as pandas, from the cache
CACHED = "kpipe.load, from the cache"

Readers = dict[str, Callable[[], object]]


def readers_of_train(raw: bytes) -> Readers:
    readers: Readers = {
        "pandas.read_csv": lambda: pd.read_csv(io.BytesIO(raw)),
        "pandas.read_csv, engine pyarrow": lambda: pd.read_csv(io.BytesIO(raw), engine="pyarrow"),
        "pyarrow.csv, types inferred": lambda: pyarrow.csv.read_csv(pyarrow.BufferReader(raw)).to_pandas(),
        "kpipe: parse and settle": lambda: settled({"train": raw}),
    }
    try:
        import polars
    except ImportError:
        print("polars is not installed: left out")
        return readers
    return readers | {"polars.read_csv": lambda: polars.read_csv(raw)}


def readers_of_both(raw: Mapping[str, bytes], data: Path, home: Path) -> Readers:
    return {
        "pandas.read_csv, already unzipped": lambda: [pd.read_csv(io.BytesIO(raw[role])) for role in ("train", "test")],
        "kpipe: parse and settle, likewise": lambda: settled(raw),
        "kpipe.load, cold: unzip, hash, keep": lambda: loaded(data, Path(tempfile.mkdtemp(dir=home))),
        CACHED: functools.partial(loaded, data, home / "kept"),
    }


def settled(raw: Mapping[str, bytes]) -> dict[str, pd.DataFrame]:
    return to_frames({role: parse_csv(f"{role}.csv", content) for role, content in raw.items()}, ids=[], text=[])


def loaded(data: Path, home: Path) -> Tables:
    os.environ["KPIPE_CACHE"] = str(home)
    return load("digit-recognizer", data)


def in_turn(readers: Readers, runs: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in readers}
    for number in range(runs + 1):
        for name, reader in readers.items():
            start = time.perf_counter()
            reader()
            if number:
                times[name].append(time.perf_counter() - start)
    return times


def report(title: str, times: Mapping[str, list[float]]) -> dict[str, float]:
    """Print medians, ranges and ratios to the first; the ratios."""
    middle = {name: statistics.median(found) for name, found in times.items()}
    base = next(iter(middle.values()))
    print(f"\n{title:36} seconds (min–max)     times as fast")
    for name, found in times.items():
        print(f"{name:36} {middle[name]:5.2f} ({min(found):.2f}–{max(found):.2f})  {base / middle[name]:11.2f}")
    return {name: base / value for name, value in middle.items()}


def mebibytes(*frames: pd.DataFrame) -> float:
    return sum(int(frame.memory_usage(index=False).sum()) for frame in frames) / 2**20


def check_equal(raw: Mapping[str, bytes], data: Path, home: Path) -> None:
    """Every reader of both files gives pandas' values; prints what the frames take."""
    theirs = {role: pd.read_csv(io.BytesIO(content)) for role, content in raw.items()}
    fresh, kept = loaded(data, home / "kept"), loaded(data, home / "kept")
    for role, frame in theirs.items():
        for ours in (settled(raw)[role], getattr(fresh, role), getattr(kept, role)):
            assert list(ours.columns) == list(frame.columns), role
            np.testing.assert_array_equal(ours.to_numpy(), frame.to_numpy())
    sizes = mebibytes(*theirs.values()), mebibytes(kept.train, kept.test)
    print(f"equal values; train and test as frames: pandas {sizes[0]:.0f} MiB, kpipe {sizes[1]:.0f} MiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=KAGGLE / "digit-recognizer.zip")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with zipfile.ZipFile(options.data) as archive:
        raw = {role: archive.read(f"{role}.csv") for role in ("train", "test")}
    with tempfile.TemporaryDirectory() as folder:
        check_equal(raw, options.data, Path(folder))
        report("train.csv, already unzipped", in_turn(readers_of_train(raw["train"]), options.runs))
        both = in_turn(readers_of_both(raw, options.data, Path(folder)), options.runs)
        ratio = report("train.csv and test.csv", both)[CACHED]
    if ratio < AT_LEAST:
        print(
            f"From the cache {ratio:.1f} times as fast as pandas; at least {AT_LEAST:g} are promised.", file=sys.stderr
        )
    return int(ratio < AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
