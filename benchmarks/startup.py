"""How long `kpipe --help` takes, against a bare interpreter: at most 4 times.

    python benchmarks/startup.py [--runs 20]

2026-11-20, 2 cores of a Xeon with AMX, Python 3.11.7, click 8.5.1: see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "kpipe --help": [str(Path(sys.executable).with_name("kpipe")), "--help"],
        "kpipe list": [str(Path(sys.executable).with_name("kpipe")), "list"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():  # in turn, so that a busy machine hits all alike
            took = seconds(command)
            if number:  # the first round warms the disk
                taken[name].append(took)
    bare = taken["python -c pass"]
    for name, times in taken.items():
        ratios = [time / base for time, base in zip(times, bare, strict=True)]
        print(
            f"{name:16} {statistics.median(times) * 1000:6.1f} ms ({min(times) * 1000:.1f} to {max(times) * 1000:.1f})"
            f"   {statistics.median(ratios):.2f} times a bare interpreter"
        )


if __name__ == "__main__":
    main()
