"""digit-recognizer: accuracy and time, an ablation, a profile, and the mistakes.

    python benchmarks/digits.py speed [--seeds 10]      # beside fastai's recipe; docs/pictures/digits-speed.png
    python benchmarks/digits.py ablation [--seeds 3]    # the default with fewer epochs, and one change each
    python benchmarks/digits.py profile                 # operations of a training step, and the limit of the cores
    python benchmarks/digits.py mistakes RUN            # of a run; docs/pictures/digits-mistakes.png

Each model is trained on four fifths of Kaggle's 42,000 rows (drawn with the seed), and scored on the rest. Times
are those of ``fit`` only, after a short fit that loads libraries. Recipes alternate, so that a busy machine slows down
all of them; on a very busy one, use `--clock cpu --threads 1` to measure CPU seconds. If torch finds a CUDA device,
`speed` also runs on it.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from kpipe.core.plots import COLOURS, new_figure, set_title
from kpipe.models.nets.convnet import ConvNetClassifier
from kpipe.models.nets.fastai_conv import FastaiConv

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))
PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"

# One epoch of small batches without augmentation: the fastest recipe that reaches 99 %.
SHORT: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 64,
    "min_steps": 1,
    "rotation": 0,
    "zoom": 0,
    "shear": 0,
    "first_size": 1,
}
SHORT |= {"shift": 0, "elastic": 0}

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Made = Callable[[int], Any]  # seed → estimator


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with zipfile.ZipFile(path) as archive, archive.open("train.csv") as file:
        table = pd.read_csv(file, dtype=np.uint8)
    return np.ascontiguousarray(table.iloc[:, 1:].to_numpy()), table["label"].to_numpy()


def once(model: Any, X: np.ndarray, y: np.ndarray, seed: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds of training, and accuracy on the fifth that was held out."""
    train, valid = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=1000 + seed)
    rows, labels = X[train], y[train]
    start = clock()
    model.fit(rows, labels)
    return clock() - start, float(model.score(X[valid], y[valid]))


def in_turn(
    recipes: Mapping[str, Made], X: np.ndarray, y: np.ndarray, options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """(seeds, 2) seconds and accuracies of each recipe."""
    clock = CLOCKS[options.clock]
    for made in recipes.values():
        made(0).fit(X[:1000], y[:1000])
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in recipes}
    for seed in range(options.seeds):
        for name, made in recipes.items():
            found[name].append(once(made(seed), X, y, seed, clock))
            print(f"seed {seed}, {name}: {found[name][-1][0]:.2f} s, {found[name][-1][1]:.4f}", file=sys.stderr)
    return {name: np.array(values) for name, values in found.items()}


def conditions(options: argparse.Namespace) -> str:
    return f"{options.threads} threads, {options.clock} seconds, load {os.getloadavg()[0]:.1f}"


def row(name: str, found: np.ndarray) -> str:
    seconds, scores = found.T
    error = scores.std(ddof=1) / len(scores) ** 0.5 if len(scores) > 1 else float("nan")
    spread = f"{np.median(seconds):.2f} ({seconds.min():.2f} to {seconds.max():.2f})"
    return f"| {name} | {spread} | {scores.mean():.4f} ± {error:.4f} | {scores.std(ddof=1):.4f} |"


HEAD = "| recipe | seconds of training (range) | accuracy ± standard error | standard deviation |\n|---|---|---|---|"


def speed(X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> None:
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if len(devices) == 1:
        print("torch finds no GPU: only the CPU is measured")
    for device in devices:
        where = {"device": device, "threads": options.threads}
        recipes: dict[str, Made] = {"kpipe, 1 epoch": functools.partial(changed, **SHORT, **where)}
        for epochs in options.epochs:
            recipes[f"kpipe, {epochs} epochs, warped"] = functools.partial(changed, epochs=epochs, min_steps=1, **where)
        for cycles in options.cycles:
            recipes[f"fastai, fit_one_cycle({cycles}, 0.01)"] = functools.partial(usual, cycles=cycles, **where)
        found = in_turn(recipes, X, y, options)
        print(f"\n{device}, {options.seeds} seeds, {conditions(options)}\n\n{HEAD}")
        for name, values in found.items():
            print(row(name, values))
        ours, theirs = found["kpipe, 1 epoch"], found["fastai, fit_one_cycle(3, 0.01)"]
        ratios = theirs[:, 0] / ours[:, 0]
        assert ours[:, 1].mean() >= 0.99, "the short recipe missed 99 %"
        print(f"\n99 %: {np.median(ratios):.1f} times as fast as fastai ({ratios.min():.1f} to {ratios.max():.1f})")
        draw(
            found,
            PICTURES / f"digits-speed{'-' + device if device != 'cpu' else ''}.png",
            np.median(ratios),
            device,
            options,
        )


def usual(seed: int, *, cycles: int, **where: Any) -> FastaiConv:
    return FastaiConv(random_state=seed, cycles=cycles, **where)


def draw(found: Mapping[str, np.ndarray], path: Path, ratio: float, device: str, options: argparse.Namespace) -> None:
    with new_figure(1, 1, height=3.6) as (figure, axes):
        ax = axes[0, 0]
        for maker, marker, colour in (("kpipe", "o", COLOURS[0]), ("fastai", "s", COLOURS[1])):
            points = sorted(
                (np.median(values[:, 0]), 100 - 100 * values[:, 1].mean(), 100 * values[:, 1].std(ddof=1))
                for name, values in found.items()
                if name.startswith(maker)
            )
            seconds, errors, spread = np.array(points).T
            ax.errorbar(seconds, errors, yerr=spread, color=colour, marker=marker, capsize=3, label=maker)
        ax.axhline(1.0, color="grey", linestyle=":", linewidth=1)
        ax.text(ax.get_xlim()[1], 1.0, "99 %", ha="right", va="bottom", color="grey")
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis, ticks in ((ax.xaxis, (1, 2, 3, 5, 7, 10, 15, 20, 30)), (ax.yaxis, (0.4, 0.5, 0.7, 1, 1.5, 2))):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_locator(NullLocator())
        ax.set_xlabel(f"seconds of training ({options.clock}, {device}, {options.threads} threads)")
        ax.set_ylabel("error rate on held-out rows, %")
        ax.legend()
        set_title(figure, f"An accuracy of 99 % {ratio:.1f} times faster than fastai's recipe; bars: one deviation")
        figure.savefig(path, dpi=130)
    print(f"drawn: {path}")


def ablation(X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> None:
    """Ablation: the default recipe with a given number of epochs, and with one change each."""
    without: dict[str, dict[str, Any]] = {
        "the recipe": {},
        "no test-time augmentation": {"test_time_augmentation": False},
        "no label smoothing": {"label_smoothing": 0.0},
        "no shifts": {"shift": 0.0},
        "no rotations and zooms": {"rotation": 0.0, "zoom": 0.0},
        "no warps at all": {"rotation": 0.0, "zoom": 0.0, "shift": 0.0},
        "batches of 256": {"batch_size": 256},
        "no weight decay": {"weight_decay": 0.0},
        "also distorted by a pixel, sheared by 0.1": {"elastic": 1.0, "shear": 0.1},
        "whole images from the start": {"first_size": 1.0},
        "also dropout 0.2": {"dropout": 0.2},
    }
    base = {"epochs": options.epochs[-1], "min_steps": 1, "threads": options.threads}
    recipes = {name: functools.partial(changed, **base, **change) for name, change in without.items()}
    recipes["the large network"] = functools.partial(changed, **base, size="large")
    found = in_turn(recipes, X, y, options)
    print(f"{options.epochs[-1]} epochs, {options.seeds} seeds, {conditions(options)}")
    print(f"\n{HEAD}")
    for name, values in found.items():
        print(row(name, values))


def changed(seed: int, **options: Any) -> ConvNetClassifier:
    return ConvNetClassifier(random_state=seed, **options)


def where_time_goes(X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> None:
    """The slowest operations of training, the operations per second, and the limit of these cores."""
    torch.set_num_threads(options.threads)
    model = ConvNetClassifier(random_state=0, epochs=1, min_steps=1, threads=options.threads).fit(X[:2560], y[:2560])
    steps = 100
    rows = slice(0, steps * model.batch_size)
    clock = CLOCKS[options.clock]
    start = clock()
    model.fit(X[rows], y[rows])
    seconds = clock() - start
    with FlopCounterMode(display=False) as counter:
        model.fit(X[rows], y[rows])
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        model.fit(X[rows], y[rows])
    print(f"{conditions(options)}; a step of {model.batch_size} rows: ", end="")
    print(f"{1000 * seconds / steps:.1f} ms, {counter.get_total_flops() / seconds / 1e9:.0f} GFLOP/s\n")
    spent = sorted(profiled.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in spent)
    print("| operation | share of the time |\n|---|---|")
    for event in spent[:12]:
        print(f"| {event.key} | {event.self_cpu_time_total / total:.1%} |")
    print(f"\nlimit of these cores, GFLOP/s: {most(options.threads, clock)}")
    for augmented in (True, False):
        start = clock()
        model.set_params(test_time_augmentation=augmented).predict_proba(X[:28_000])
        print(f"28,000 rows predicted in {clock() - start:.2f} s, {'with' if augmented else 'without'} augmentation")


def most(threads: int, clock: Callable[[], float]) -> dict[str, int]:
    """GFLOP/s of products of 2048 x 2048 matrices and of a convolution of 64 channels."""
    torch.set_num_threads(threads)
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        square = torch.randn(2048, 2048).to(dtype)
        found[f"product, {name}"] = round(2 * 2048**3 / quickest(lambda m=square: m @ m, clock) / 1e9)
        pictures = torch.randn(128, 64, 14, 14).to(dtype).to(memory_format=torch.channels_last)
        kernel = torch.randn(64, 64, 3, 3).to(dtype).to(memory_format=torch.channels_last)
        run = functools.partial(torch.nn.functional.conv2d, pictures, kernel, padding=1)
        found[f"convolution, {name}"] = round(2 * 128 * 64 * 64 * 9 * 196 / quickest(run, clock) / 1e9)
    return found


def quickest(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    times = []
    for _ in range(15):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


def mistakes(X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> None:
    """The confusion matrix of a run, and its mistakes, the most confident first."""
    oof = pd.read_parquet(options.run / "oof.parquet")
    proba = oof[[name for name in oof.columns if name.startswith("blend/")]].to_numpy()
    predicted = proba.argmax(axis=1)
    wrong = np.flatnonzero(predicted != y)
    wrong = wrong[np.argsort(-proba[wrong, predicted[wrong]], kind="stable")]
    counts = confusion_matrix(y, predicted)
    with new_figure(1, 2, height=4.6) as (figure, axes):
        table, digits = axes[0]
        off = counts - np.diag(np.diag(counts))
        table.imshow(off, cmap="Greys")
        for (true, found), count in np.ndenumerate(counts):
            colour = "white" if off[true, found] > off.max() / 2 else "black"
            table.text(found, true, count or "", ha="center", va="center", fontsize=7, color=colour)
        table.set(xlabel="predicted", ylabel="true", xticks=range(10), yticks=range(10))
        across, down = 10, 8
        sheet = np.full((down * 34, across * 30), 255, np.uint8)
        for place, at in enumerate(wrong[: across * down]):
            i, j = divmod(place, across)
            sheet[i * 34 : i * 34 + 28, j * 30 : j * 30 + 28] = 255 - X[at].reshape(28, 28)
            digits.text(j * 30 + 14, i * 34 + 33, f"{y[at]}: {predicted[at]}", ha="center", fontsize=6)
        digits.imshow(sheet, cmap="gray", vmin=0, vmax=255)
        for ax in (table, digits):
            ax.grid(visible=False)
        digits.set_axis_off()
        first = tuple(int(part) for part in np.unravel_index(off.argmax(), off.shape))
        title = f"{len(wrong)} of {len(y):,} digits are misclassified, most often {first[0]} as {first[1]}"
        most = min(across * down, len(wrong))
        set_title(figure, f"{title}. Right: the {most} most confident mistakes, with the true and the predicted label")
        figure.savefig(PICTURES / "digits-mistakes.png", dpi=130)
    print(f"{title}; drawn: {PICTURES / 'digits-mistakes.png'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "ablation", "profile", "mistakes"))
    parser.add_argument("run", nargs="?", type=Path, help="a run's folder, for mistakes")
    parser.add_argument("--data", type=Path, default=KAGGLE / "digit-recognizer.zip")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="use cpu on a busy machine, with --threads 1")
    parser.add_argument("--cycles", type=int, nargs="*", default=[1, 2, 3, 6])
    parser.add_argument("--epochs", type=int, nargs="*", default=[2, 4])
    options = parser.parse_args()
    if options.what == "mistakes" and options.run is None:
        parser.error("mistakes needs a run's folder")
    commands = {"speed": speed, "ablation": ablation, "profile": where_time_goes, "mistakes": mistakes}
    commands[options.what](*read(options.data), options)


if __name__ == "__main__":
    main()
