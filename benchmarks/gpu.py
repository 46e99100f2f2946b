"""What a CUDA device makes of kpipe's networks: correct, the same twice, and how fast, in a few minutes.

    python benchmarks/gpu.py [--data FOLDER] [--out gpu.md] [PART ...]

Parts, in the order of their use if time is short:

- tests: the tests that need a CUDA device (``tests/models/nets/test_graphs.py``);
- graphs: nets trained in this process, with steps replayed as graphs, again, and without graphs: seconds, and whether
  weights are the same bytes twice and losses those without graphs;
- tabular: ``kpipe run playground-series-s3e26 --model tabular-net``;
- digits: ``kpipe run digit-recognizer``;
- budget: the same with ``--budget 60s``.

`python benchmarks/digits.py speed` measures recipes for 99 % and 99.5 % of digits, in a call of its own. Each part
writes its lines of a table as soon as it ends, so that a call that is stopped has measured something. FOLDER holds
Kaggle's files as it zips them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch

from kpipe.models.nets import graphs
from kpipe.models.nets.convnet import ConvNetClassifier
from kpipe.models.nets.neural import NeuralClassifier
from kpipe.models.nets.tabular_net import TabularNetClassifier

ROOT = Path(__file__).resolve().parents[1]
SLUGS = {"digits": "digit-recognizer", "budget": "digit-recognizer", "tabular": "playground-series-s3e26"}

Line = tuple[str, str, str]  # what was measured, seconds, and what else is to be known


def tests(data: Path) -> Iterator[Line]:
    """The tests that a machine without CUDA skips."""
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "-k", "cuda"]
    run = subprocess.run(
        [*command, "tests/models/nets/test_graphs.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if run.returncode:
        print(run.stdout[-8000:], file=sys.stderr)
    last = (run.stdout.strip() or run.stderr.strip() or "no output").splitlines()[-1].strip("= ")
    yield "tests with a CUDA device", f"{time.monotonic() - start:.0f}", last


def trainings(data: Path) -> Iterator[Line]:
    """Each net with graphs, twice, and without."""
    pixels = read(data / "digit-recognizer.zip")
    table = read(data / "playground-series-s3e26.zip")
    X, y = pixels.drop(columns="label").to_numpy(np.uint8), pixels["label"].to_numpy()
    columns, labels = table.drop(columns=["id", "Status"]), table["Status"].to_numpy()
    numbers = columns.select_dtypes("number").to_numpy(np.float64)
    options: dict[str, Any] = {"device": "cuda", "random_state": 0}
    short: dict[str, Any] = {"epochs": 4, "min_steps": 1, **options}
    yield from compared("convnet, 42,000 digits, 4 epochs", lambda: ConvNetClassifier(**short).fit(X, y))
    yield from compared("tabular-net, s3e26", lambda: TabularNetClassifier(**options).fit(columns, labels))
    yield from compared("neural, numbers of s3e26", lambda: NeuralClassifier(**options).fit(numbers, labels))


def compared(name: str, fit: Callable[[], Any]) -> Iterator[Line]:
    """Lines of the first fit, which loads libraries, of the second, and of one without graphs."""
    log = Log()
    _, first, _ = timed(fit, log)
    before, second, words = timed(fit, log)
    again, third, _ = timed(fit, log)
    same = all(np.array_equal(before.weights_[part], again.weights_[part]) for part in before.weights_)
    yield f"{name}, graphs", f"{second:.2f}, again {third:.2f} (first {first:.2f})", words or "NO GRAPH RECORDED"
    with mock.patch.object(graphs, "_recorder", return_value=None):
        plain, slow, _ = timed(fit, log)
    off = float(np.abs(before.loss_curve_ / plain.loss_curve_ - 1).max())
    told = f"the same bytes twice: {'yes' if same else 'NO'}; losses differ by {off:.1%} at the most"
    yield f"{name}, no graphs", f"{slow:.2f} ({slow / min(second, third):.1f} times)", told


class Log(logging.Handler):
    """Keeps what kpipe says of graphs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        logger = logging.getLogger("kpipe")
        logger.setLevel(logging.INFO)
        logger.handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def timed(fit: Callable[[], Any], log: Log) -> tuple[Any, float, str]:
    """The model, its seconds, and what was said."""
    log.lines.clear()
    start = time.monotonic()
    fitted = fit()
    return fitted, time.monotonic() - start, "; ".join(log.lines)


def read(path: Path) -> pd.DataFrame:
    with zipfile.ZipFile(path) as archive, archive.open("train.csv") as file:
        return pd.read_csv(file)


def command(data: Path, *, part: str, options: tuple[str, ...] = ()) -> Iterator[Line]:
    """``kpipe run`` from Enter to submission, in an empty cache."""
    slug = SLUGS[part]
    with tempfile.TemporaryDirectory() as home:
        start = time.monotonic()
        called = [sys.executable, "-m", "kpipe", "run", slug, "--data", str(data / f"{slug}.zip"), *options]
        run = subprocess.run(
            [*called, "--out", f"{home}/runs", "--json"],
            cwd=home,
            capture_output=True,
            text=True,
            env=os.environ | {"KPIPE_CACHE": f"{home}/cache", "PYTHONPATH": str(ROOT)},
            check=False,
        )
        seconds = time.monotonic() - start
        logs = "\n".join([run.stderr, *(path.read_text() for path in Path(home, "runs").rglob("log.txt"))])
    said = sorted({line.partition("training steps are ")[2] for line in logs.splitlines() if "not replayed" in line})
    recorded = logs.count(
        "recorded as a graph"
    )  # with a budget fits have processes of their own, which log failures only
    score = json.loads(run.stdout).get("score") if run.stdout.strip() else run.stderr.strip()[-300:]
    yield (
        f"`kpipe run {' '.join([slug, *options])}`",
        f"{seconds:.1f}",
        f"exit {run.returncode}, score {score}, {recorded} recordings{'; ' * bool(said)}{'; '.join(said)}",
    )


PARTS: dict[str, Callable[[Path], Iterator[Line]]] = {
    "tests": tests,
    "graphs": trainings,
    "tabular": partial(command, part="tabular", options=("--model", "tabular-net")),
    "digits": partial(command, part="digits"),
    "budget": partial(command, part="budget", options=("--budget", "60s")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    folders = [os.environ.get("KPIPE_TEST_DATA"), ROOT / "shared" / "kaggle", ROOT.parent / "shared" / "kaggle"]
    default = next((Path(folder) for folder in folders if folder and Path(folder).is_dir()), None)
    parser.add_argument("--data", type=Path, default=default, help="Kaggle's zip files")
    parser.add_argument("--out", type=Path, default=Path("gpu.md"))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit(f"torch {torch.__version__} finds no CUDA device: nothing was measured.")
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"PART must be one of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    if options.data is None:
        parser.error("--data FOLDER must name the folder with Kaggle's zip files")
    where = f"{torch.cuda.get_device_name()}, {os.cpu_count()} CPU cores, torch {torch.__version__}"
    options.out.write_text(f"{where}\n\n| what | seconds | |\n|---|---|---|\n")
    for part in options.parts or PARTS:
        for line in PARTS[part](options.data):
            with options.out.open("a") as file:
                file.write("| " + " | ".join(text.replace("\n", " ") for text in line) + " |\n")
    print(options.out.read_text())


if __name__ == "__main__":
    main()
