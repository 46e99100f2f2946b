"""Time, memory and score of `kpipe run` on Kaggle's zips, each in a process of its own, with an empty cache.

    python benchmarks/competitions.py [--runs 3] [SLUG ...]

Prints one row per competition: score ± standard error, baseline, median seconds (min to max), peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))
SLUGS = ("titanic", "digit-recognizer", "house-prices-advanced-regression-techniques")


def once(slug: str) -> tuple[float, dict]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "kpipe", "run", slug, "--data", str(KAGGLE / f"{slug}.zip")]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--json", "--out", folder],
            env=os.environ | {"KPIPE_CACHE": str(Path(folder) / "cache")},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - start, json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slugs", nargs="*", default=SLUGS)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for slug in options.slugs:
        runs = [once(slug) for _ in range(options.runs)]
        times, record = [seconds for seconds, _ in runs], runs[-1][1]
        assert len({run["submission"]["sha256"] for _, run in runs}) == 1, "runs differ"
        memory = max(run["peak_memory_mib"] for _, run in runs)
        print(
            f"| {slug} | {record['metric']['name']} | {record['score']:.4f} ± {record['standard_error']:.4f} "
            f"| {record['baseline']:.4f} ({record['baseline_name']}) "
            f"| {statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f}) | {memory:.0f} MiB |"
        )
        for model in record["models"]:
            print(
                f"    {model['name']}: {model['score']:.4f} ± {model['standard_error']:.4f}, {model['seconds']:.1f} s"
            )


if __name__ == "__main__":
    main()
