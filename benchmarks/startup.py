"""Time of `kpipe --help`, relative to `python -c pass`: fails above 3.5 times.

    python benchmarks/startup.py [--runs 20]

2026-11-27, 2 cores shared with other work (load 4), Python 3.11.7, medians of 15: `python -c pass` 23.4 ms (18.9 to
32.0), `kpipe --help` 72.0 ms (68.9 to 78.2), 3.06 times; `kpipe list` 6.8 times.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 3.5  # times `python -c pass`
KPIPE = str(Path(sys.executable).with_name("kpipe"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "kpipe --help": [KPIPE, "--help"],
    "kpipe run --help": [KPIPE, "run", "--help"],
    "kpipe list": [KPIPE, "list"],
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(runs: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(runs + 1):
        for name, command in COMMANDS.items():  # alternating, so that other jobs slow down all commands
            took = seconds(command)
            if number:  # the first round fills the disk cache
                times[name].append(took)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    times = measure(parser.parse_args().runs)
    ratios = {
        name: statistics.median(time / bare for time, bare in zip(taken, times["python -c pass"], strict=True))
        for name, taken in times.items()
    }
    for name, taken in times.items():
        milliseconds = [1000 * one for one in taken]
        spread = f"({min(milliseconds):.1f} to {max(milliseconds):.1f})"
        median = statistics.median(milliseconds)
        print(f"{name:16} {median:6.1f} ms {spread}   {ratios[name]:.2f} times a bare interpreter")
    return 0 if ratios["kpipe --help"] <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
