"""Seconds to read digit-recognizer's train.csv (77 MB) and test.csv (51 MB) with pandas, pyarrow, polars and kpipe.

    python benchmarks/reading.py [--data digit-recognizer.zip] [--runs 5]

The benchmark first asserts that all readers give equal values. The readers alternate, so that a busy machine slows down
all of them; the first round is not counted. It fails if the cache is less than 5 times as fast as pandas.

2026-11-21, 2 cores, nearly idle, Python 3.11.7, pandas 3.1.1, pyarrow 26.0.1, polars 2.1.0, 5 runs:

    train.csv, already unzipped          seconds (min–max)     times as fast
    pandas.read_csv                       0.69 (0.68–0.75)         1.00
    pandas.read_csv, engine pyarrow       0.83 (0.81–0.94)         0.83
    pyarrow.csv, types inferred           0.78 (0.69–0.95)         0.88
    kpipe: parse_csv and to_frames        0.78 (0.76–0.83)         0.88
    polars.read_csv                       0.53 (0.51–0.55)         1.30

    train.csv and test.csv
    pandas.read_csv, already unzipped     1.12 (1.06–1.15)         1.00
    kpipe, already unzipped               1.25 (1.21–2.08)         0.90
    kpipe.load, empty cache               1.89 (1.79–2.25)         0.59
    kpipe.load, from the cache            0.10 (0.10–0.12)        11.07

Both frames need 419 MiB with pandas and 53 MiB with kpipe. On a busy machine (load 3), readers that use both cores slow
down most: pandas 0.73 s, kpipe 1.11 s, pyarrow 1.27 s; the cache was still 8.9 times as fast.
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
        "kpipe: parse_csv and to_frames": lambda: read_frames({"train": raw}),
    }
    try:
        import polars
    except ImportError:
        print("polars is not installed: skipped")
        return readers
    return readers | {"polars.read_csv": lambda: polars.read_csv(raw)}


def readers_of_both(raw: Mapping[str, bytes], data: Path, home: Path) -> Readers:
    return {
        "pandas.read_csv, already unzipped": lambda: [pd.read_csv(io.BytesIO(raw[role])) for role in ("train", "test")],
        "kpipe, already unzipped": lambda: read_frames(raw),
        "kpipe.load, empty cache": lambda: load_with_cache(data, Path(tempfile.mkdtemp(dir=home))),
        CACHED: functools.partial(load_with_cache, data, home / "kept"),
    }


def read_frames(raw: Mapping[str, bytes]) -> dict[str, pd.DataFrame]:
    return to_frames({role: parse_csv(f"{role}.csv", content) for role, content in raw.items()}, ids=[], text=[])


def load_with_cache(data: Path, home: Path) -> Tables:
    os.environ["KPIPE_CACHE"] = str(home)
    return load("digit-recognizer", data)


def time_in_turn(readers: Readers, runs: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in readers}
    for number in range(runs + 1):
        for name, reader in readers.items():
            start = time.perf_counter()
            reader()
            if number:
                times[name].append(time.perf_counter() - start)
    return times


def report(title: str, times: Mapping[str, list[float]]) -> dict[str, float]:
    """Print medians, ranges and ratios to the first reader; return the ratios."""
    middle = {name: statistics.median(found) for name, found in times.items()}
    base = next(iter(middle.values()))
    print(f"\n{title:36} seconds (min–max)     times as fast")
    for name, found in times.items():
        print(f"{name:36} {middle[name]:5.2f} ({min(found):.2f}–{max(found):.2f})  {base / middle[name]:11.2f}")
    return {name: base / value for name, value in middle.items()}


def mebibytes(*frames: pd.DataFrame) -> float:
    return sum(int(frame.memory_usage(index=False).sum()) for frame in frames) / 2**20


def check_equal(raw: Mapping[str, bytes], data: Path, home: Path) -> None:
    """Assert that kpipe and pandas read equal values, with and without the cache; print the size of the frames."""
    theirs = {role: pd.read_csv(io.BytesIO(content)) for role, content in raw.items()}
    fresh, cached = (load_with_cache(data, home / "kept") for _ in range(2))
    for role, frame in theirs.items():
        for ours in (read_frames(raw)[role], getattr(fresh, role), getattr(cached, role)):
            assert list(ours.columns) == list(frame.columns), role
            np.testing.assert_array_equal(ours.to_numpy(), frame.to_numpy())
    sizes = mebibytes(*theirs.values()), mebibytes(cached.train, cached.test)
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
        report("train.csv, already unzipped", time_in_turn(readers_of_train(raw["train"]), options.runs))
        both = time_in_turn(readers_of_both(raw, options.data, Path(folder)), options.runs)
        ratio = report("train.csv and test.csv", both)[CACHED]
    if ratio < AT_LEAST:
        print(
            f"The cache is {ratio:.1f} times as fast as pandas; at least {AT_LEAST:g} are required.",
            file=sys.stderr,
        )
    return int(ratio < AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
