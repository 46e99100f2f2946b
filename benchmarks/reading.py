"""Reading digit-recognizer's 77 MB train.csv: pandas, pyarrow, polars and kpipe, and kpipe's cache.

    python benchmarks/reading.py [--data digit-recognizer.zip] [--runs 5]

Equal values are asserted first. Readers take turns, so that a busy machine hits all alike.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pyarrow
import pyarrow.csv

from kpipe.data import load
from kpipe.reading import parse, settle

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))
OURS = "kpipe, types settled"


def kpipe_alone(raw: bytes) -> pd.DataFrame:
    return settle({"train": parse("train.csv", raw)}, ids=[], text=[])["train"]


def in_turn(readers: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in readers}
    for number in range(runs + 1):
        for name, reader in readers.items():
            start = time.perf_counter()
            reader()
            if number:
                times[name].append(time.perf_counter() - start)
    return times


def report(title: str, times: dict[str, list[float]]) -> None:
    print(title)
    base = statistics.median(next(iter(times.values())))
    for name, found in times.items():
        middle = statistics.median(found)
        print(
            f"  {name:38} {middle:6.3f} s ({min(found):.3f} to {max(found):.3f})   {base / middle:5.1f} times as fast"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=KAGGLE / "digit-recognizer.zip")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with zipfile.ZipFile(options.data) as archive:
        raw, test = archive.read("train.csv"), archive.read("test.csv")
    theirs, ours = pd.read_csv(io.BytesIO(raw)), kpipe_alone(raw)
    np.testing.assert_array_equal(theirs.to_numpy(), ours.to_numpy())
    readers = {
        "pandas.read_csv": lambda: pd.read_csv(io.BytesIO(raw)),
        "pandas.read_csv, engine pyarrow": lambda: pd.read_csv(io.BytesIO(raw), engine="pyarrow"),
        "pyarrow.csv, inferred": lambda: pyarrow.csv.read_csv(pyarrow.BufferReader(raw)).to_pandas(),
        "polars.read_csv": lambda: polars.read_csv(raw),
        OURS: lambda: kpipe_alone(raw),
    }
    report(f"train.csv, {len(raw) / 2**20:.0f} MiB in memory", in_turn(readers, options.runs))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KPIPE_CACHE"] = folder

        def cached() -> object:
            return load("digit-recognizer", options.data, id="ImageId")

        def cold() -> object:
            os.environ["KPIPE_CACHE"] = tempfile.mkdtemp(dir=folder)
            try:
                return load("digit-recognizer", options.data, id="ImageId")
            finally:
                os.environ["KPIPE_CACHE"] = folder

        both = {
            "pandas.read_csv, from memory": lambda: (pd.read_csv(io.BytesIO(raw)), pd.read_csv(io.BytesIO(test))),
            "kpipe.load: unzip, hash, read, keep": cold,
            "kpipe.load: from the cache": cached,
        }
        report("train.csv and test.csv from Kaggle's zip", in_turn(both, options.runs))
    sizes = [frame.memory_usage(index=False).sum() / 2**20 for frame in (theirs, load_pixels(options.data))]
    print(f"train as a frame: pandas {sizes[0]:.0f} MiB, kpipe {sizes[1]:.0f} MiB")


def load_pixels(path: Path) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KPIPE_CACHE"] = folder
        return load("digit-recognizer", path, id="ImageId").train


if __name__ == "__main__":
    main()
