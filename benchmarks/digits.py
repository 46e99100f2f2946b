"""digit-recognizer: accuracy and time, an ablation, a profile, and the mistakes.

    python benchmarks/digits.py speed [--seeds 10]      # beside fastai's recipe; docs/pictures/digits-speed.png
    python benchmarks/digits.py ablation [--seeds 3]    # the default with fewer epochs, and one change each
    python benchmarks/digits.py profile                 # operations of a training step, and the limit of the cores
    python benchmarks/digits.py mistakes RUN            # of a run; docs/pictures/digits-mistakes.png

Each model is trained on four fifths of Kaggle's 42,000 rows (drawn with the seed), and scored on the rest. Times
are those of ``fit`` only, after a short fit that loads libraries. Recipes alternate, so that a busy machine slows down
all of them; on a very busy one, use `--clock cpu --threads 1` to measure CPU seconds.

If torch finds a CUDA device, `speed` runs on it, with recipes of large batches, and says of each fit whether its steps
were replayed as graphs; recording them is stated apart. `speed` and `ablation` begin no fit after `--seconds`, keep
every fit in a file, and go on from there when they are called again.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
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

# Large batches keep a GPU busy; learning rates grow with the square root of the batch. Not tuned here.
ON_GPU: dict[str, dict[str, Any]] = {
    "1 epoch, batches of 128": {**SHORT, "batch_size": 128},
    "2 epochs, batches of 256": {**SHORT, "epochs": 2, "batch_size": 256, "lr": 0.015},
    "2 epochs, batches of 128": {**SHORT, "epochs": 2, "batch_size": 128},
    "8 epochs, batches of 512, warped": {"epochs": 8, "batch_size": 512, "lr": 0.02, "min_steps": 1},
    "16 epochs, batches of 512, warped": {"epochs": 16, "batch_size": 512, "lr": 0.02, "min_steps": 1},
    "large, 20 epochs, batches of 512, warped": {
        "size": "large", "epochs": 20, "batch_size": 512, "lr": 0.02, "min_steps": 1, "first_size": 1.0,
        "dropout": 0.2, "rotation": 12.0, "shear": 0.1, "elastic": 1.0,
    },
}  # fmt: skip

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Made = Callable[[int], Any]  # seed → estimator


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with zipfile.ZipFile(path) as archive, archive.open("train.csv") as file:
        table = pd.read_csv(file, dtype=np.uint8)
    return np.ascontiguousarray(table.iloc[:, 1:].to_numpy()), table["label"].to_numpy()


class Recordings(logging.Handler):
    """The seconds in which training steps were recorded as graphs, from the log of kpipe, and failures to."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.seconds: list[float] = []
        self.failures: list[str] = []
        logger = logging.getLogger("kpipe")
        logger.setLevel(logging.INFO)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if "recorded as a graph" in record.msg and isinstance(record.args, tuple):
            self.seconds.append(float(str(record.args[0])))
        elif "not replayed" in record.msg:
            self.failures.append(record.getMessage())

    def take(self) -> tuple[int, float]:
        """Number and seconds of the recordings since the last call; prints failures."""
        for failure in self.failures:
            print(failure, file=sys.stderr)
        taken = len(self.seconds), sum(self.seconds)
        self.seconds, self.failures = [], []
        return taken


Fit = dict[str, float]  # seconds of training, of which recording, number of recordings, and accuracy


def once(model: Any, X: np.ndarray, y: np.ndarray, seed: int, clock: Callable[[], float], log: Recordings) -> Fit:
    """Trains on four fifths, and scores on the fifth that was held out."""
    train, valid = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=1000 + seed)
    rows, labels = X[train], y[train]
    log.take()
    start = clock()
    model.fit(rows, labels)
    seconds = clock() - start
    graphs, recording = log.take()
    accuracy = float(model.score(X[valid], y[valid]))
    return {"seconds": seconds - recording, "recording": recording, "graphs": graphs, "accuracy": accuracy}


def in_turn(recipes: Mapping[str, Made], X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> pd.DataFrame:
    """The fits of all recipes and seeds, those of earlier calls included, as far as the time suffices."""
    kept = options.kept or Path(f"digits-{options.what}-{options.device}-{options.threads}-{options.clock}.jsonl")
    fits = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(fit["recipe"], fit["seed"]) for fit in fits}
    wanted = [(name, seed) for seed in range(options.seeds) for name in recipes if (name, seed) not in done]
    log, clock = Recordings(), CLOCKS[options.clock]
    for name in dict.fromkeys(name for name, _ in wanted):
        recipes[name](0).fit(X[:1000], y[:1000])
    end = time.monotonic() + options.seconds
    for number, (name, seed) in enumerate(wanted):
        if fits and time.monotonic() > end:
            print(f"{len(wanted) - number} fits are left: call this again to go on from {kept}")
            break
        fit = {"recipe": name, "seed": seed, **once(recipes[name](seed), X, y, seed, clock, log)}
        print(f"seed {seed}, {name}: {fit['seconds']:.3f} s, {fit['accuracy']:.4f}", file=sys.stderr)
        fits.append(fit)
        with kept.open("a") as file:
            file.write(json.dumps(fit) + "\n")
    return pd.DataFrame([fit for fit in fits if fit["recipe"] in recipes and fit["seed"] < options.seeds])


def conditions(options: argparse.Namespace) -> str:
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    where = f"{device}, torch {torch.__version__}, {options.threads} threads"
    return f"{where}, {options.clock} seconds, load {os.getloadavg()[0]:.1f}"


def print_table(fits: pd.DataFrame) -> None:
    print("\n| recipe | fits | seconds of training (range) | recording graphs | accuracy ± standard error |")
    print("|---|---|---|---|---|")
    for name, of_recipe in fits.groupby("recipe", sort=False):
        seconds, accuracy = of_recipe["seconds"], of_recipe["accuracy"]
        spread = f"{seconds.median():.3f} ({seconds.min():.3f} to {seconds.max():.3f})"
        recorded = (of_recipe["graphs"] > 0).mean()
        graphs = f"{of_recipe['recording'].median():.3f} s, in {recorded:.0%} of fits" if recorded else "none"
        score = f"{accuracy.mean():.4f} ± {accuracy.sem():.4f}"
        print(f"| {name} | {len(of_recipe)} | {spread} | {graphs} | {score} |")


def speed(X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> None:
    where = {"device": options.device, "threads": options.threads}
    if options.device == "cpu":
        print("torch finds no GPU, or --device cpu: the CPU is measured")
        recipes: dict[str, Made] = {"kpipe, 1 epoch": functools.partial(changed, **SHORT, **where)}
        for epochs in options.epochs:
            recipes[f"kpipe, {epochs} epochs, warped"] = functools.partial(changed, epochs=epochs, min_steps=1, **where)
    else:
        recipes = {f"kpipe, {name}": functools.partial(changed, **recipe, **where) for name, recipe in ON_GPU.items()}
    for cycles in options.cycles:
        recipes[f"fastai, fit_one_cycle({cycles}, 0.01)"] = functools.partial(usual, cycles=cycles, **where)
    fits = in_turn(recipes, X, y, options)
    print(f"\n{conditions(options)}")
    print_table(fits)
    for goal in (0.99, 0.995):
        print(quickest_to(goal, fits))
    if options.device == "cpu":
        compare_with_fastai(fits, options)


def quickest_to(goal: float, fits: pd.DataFrame) -> str:
    means = fits.groupby("recipe").agg(seconds=("seconds", "median"), accuracy=("accuracy", "mean"), n=("seed", "size"))
    good = means[means["accuracy"] >= goal].sort_values("seconds")
    if good.empty:
        return f"{goal:.1%}: no recipe's mean reaches it"
    return f"{goal:.1%}: {good['seconds'].iloc[0]:.3f} s, {good.index[0]} (mean of {good['n'].iloc[0]} seeds)"


def compare_with_fastai(fits: pd.DataFrame, options: argparse.Namespace) -> None:
    ours, theirs = (
        fits[fits["recipe"] == name].set_index("seed") for name in ("kpipe, 1 epoch", "fastai, fit_one_cycle(3, 0.01)")
    )
    ratios = (theirs["seconds"] / ours["seconds"]).dropna()
    if ratios.empty:
        return
    print(f"99 %: {ratios.median():.1f} times as fast as fastai ({ratios.min():.1f} to {ratios.max():.1f})")
    if len(ratios) == options.seeds:
        assert ours["accuracy"].mean() >= 0.99, "the short recipe missed 99 %"
        draw(fits, PICTURES / "digits-speed.png", float(ratios.median()), options)


def usual(seed: int, *, cycles: int, **where: Any) -> FastaiConv:
    return FastaiConv(random_state=seed, cycles=cycles, **where)


def draw(fits: pd.DataFrame, path: Path, ratio: float, options: argparse.Namespace) -> None:
    with new_figure(1, 1, height=3.6) as (figure, axes):
        ax = axes[0, 0]
        for maker, marker, colour in (("kpipe", "o", COLOURS[0]), ("fastai", "s", COLOURS[1])):
            points = sorted(
                (found["seconds"].median(), 100 - 100 * found["accuracy"].mean(), 100 * found["accuracy"].std())
                for name, found in fits.groupby("recipe")
                if str(name).startswith(maker)
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
        ax.set_xlabel(f"seconds of training ({options.clock}, {options.device}, {options.threads} threads)")
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
    base = {"epochs": options.epochs[-1], "min_steps": 1, "threads": options.threads, "device": options.device}
    recipes = {name: functools.partial(changed, **base, **change) for name, change in without.items()}
    recipes["the large network"] = functools.partial(changed, **base, size="large")
    fits = in_turn(recipes, X, y, options)
    print(f"{options.epochs[-1]} epochs, {conditions(options)}")
    print_table(fits)


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
    parser.add_argument("--seeds", type=int, default=None, help="default: 10, on a GPU 20")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=200.0, help="after which speed and ablation begin no fit")
    parser.add_argument("--kept", type=Path, help="file of the fits of earlier calls")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="use cpu on a busy machine, with --threads 1")
    parser.add_argument(
        "--cycles", type=int, nargs="*", default=None, help="of fastai; default: 1 2 3 6, on a GPU none"
    )
    parser.add_argument("--epochs", type=int, nargs="*", default=[2, 4])
    options = parser.parse_args()
    if options.seeds is None:
        options.seeds = 20 if options.device == "cuda" else 10
    if options.cycles is None:
        options.cycles = [] if options.device == "cuda" else [1, 2, 3, 6]
    if options.what == "mistakes" and options.run is None:
        parser.error("mistakes needs a run's folder")
    commands = {"speed": speed, "ablation": ablation, "profile": where_time_goes, "mistakes": mistakes}
    commands[options.what](*read(options.data), options)


if __name__ == "__main__":
    main()
