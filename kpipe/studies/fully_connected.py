"""Study: fully connected nets on a curve and in a plane: underfit, just right, overfit."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import KFold
from torch import Tensor

from kpipe.core.devices import available_cores
from kpipe.core.metrics import evaluate, get_metric
from kpipe.core.values import Folds, Score
from kpipe.errors import UsageError
from kpipe.models.baseline import baseline
from kpipe.models.nets.machine import Machine, torch_session
from kpipe.studies.findings import Findings, Section
from kpipe.studies.honest import row
from kpipe.studies.pictures import chosen_picture, fits_picture, learning_picture, moving_line, regions_picture
from kpipe.studies.points import FOLDS, LR, Fit, Points, circle, curve, fit, plain_loop

__all__ = ["findings"]

_SEED = 42
_TIMED, _STEPS = 6, 300  # rounds of the plain loop, half before and half after ours; steps a round


@dataclass(frozen=True)
class Task:
    """One of the notebook's two problems. nets : sizes of hidden tanh layers, from too small to too large."""

    name: str
    draw: Callable[[int], Points]
    epochs: int
    nets: tuple[tuple[int, ...], ...]
    metric: str


REGRESSION = Task("regression", curve, 50_000, ((), (1,), (2,), (4,), (8,), (30,), (30, 30), (30,) * 6), "rmse")
CLASSIFICATION = Task(
    "classification", circle, 30_000, ((), (2,), (3,), (4,), (8,), (50,), (50, 50), (50,) * 6), "log_loss"
)


def findings(*, data: Path | None, runs: int | None, epochs: int | None, tell: Callable[[str], None]) -> Findings:
    """The study; ``runs`` are draws of the points, from the notebook's seed 42 on.

    Raises UsageError where data is given: the points are drawn.
    """
    if data is not None:
        raise UsageError("fully-connected draws its own points: leave out --data.")
    with torch_session(Machine(threads=available_cores()), seed=_SEED):
        done = [_studied(task, _SEED, epochs, tell) for task in (REGRESSION, CLASSIFICATION)]
        still_a_line = fit(done[0].points, (30,), epochs=min(epochs or 2000, 2000), linear=True, seed=_SEED)
        redrawn = _redrawn(done, range(_SEED, _SEED + (runs or 1)), epochs, tell)
    return Findings(
        title="Fully connected nets: underfit, just right, overfit",
        source='"Regression and Classification with Fully Connected Neural Networks"',
        data="points drawn from `torch.manual_seed(42)`, and 10,000 fresh ones",
        sections=(
            _regression(done[0], still_a_line),
            _classification(done[1]),
            _chosen(done, redrawn),
            _speed(done),
            _honest(done),
        ),
    )


@dataclass(frozen=True)
class Studied:
    """A task's fits, net by net. plain : seconds a step of the plain loop for the largest net, a number a round.

    seconds : of the largest net's whole training, six nets side by side. apart : largest difference of an output
    between the plain loop and ours, from the same first weights, after 300 steps.
    """

    task: Task
    points: Points
    fits: dict[tuple[int, ...], Fit]
    plain: list[float]
    seconds: float
    apart: float

    @property
    def best(self) -> tuple[int, ...]:
        """The net with the lowest out-of-fold loss after its last epoch."""
        return min(self.fits, key=lambda hidden: self.fits[hidden].oof[-1])


def _studied(task: Task, seed: int, epochs: int | None, tell: Callable[[str], None]) -> Studied:
    points, longest = task.draw(seed), min(epochs or task.epochs, task.epochs)
    largest, steps = task.nets[-1], min(_STEPS, longest)
    fits = {hidden: fit(points, hidden, epochs=longest, seed=seed) for hidden in task.nets[:-1]}
    tell(f"{task.name}: now {name_of(largest)}, {longest:,} epochs, on all points and on {FOLDS} folds.")
    plain = [_plain_step(points, largest, steps) for _ in range(_TIMED // 2)]
    began = time.perf_counter()
    fits[largest] = fit(points, largest, epochs=longest, seed=seed)
    seconds = time.perf_counter() - began
    plain += [_plain_step(points, largest, steps) for _ in range(_TIMED // 2)]
    return Studied(task, points, fits, plain, seconds, _apart(points, largest, steps))


def _plain_step(points: Points, hidden: tuple[int, ...], steps: int) -> float:
    loop = plain_loop(points, hidden, seed=_SEED)
    loop(20)  # torch's first calls are slow
    began = time.perf_counter()
    loop(steps)
    return (time.perf_counter() - began) / steps


def _apart(points: Points, hidden: tuple[int, ...], steps: int) -> float:
    theirs = plain_loop(points, hidden, seed=_SEED)(steps + 1)
    ours = fit(points, hidden, epochs=steps, seed=_SEED).outputs
    return float(np.abs((theirs.sigmoid() if points.classes else theirs).numpy() - ours).max())


def name_of(hidden: tuple[int, ...]) -> str:
    """A net in words.

    >>> name_of(()), name_of((1,)), name_of((30, 30))
    ('linear', '1 tanh unit', '2 layers of 30')
    """
    if not hidden:
        return "linear"
    if len(hidden) == 1:
        return f"{hidden[0]} tanh unit{'s' * (hidden[0] > 1)}"
    return f"{len(hidden)} layers of {hidden[0]}"


def _score(task: Task, targets: Tensor, predicted: np.ndarray) -> Score:
    """Of (n,) values, or of (n,) probabilities of label 1."""
    if task.name == "regression":
        return evaluate(get_metric(task.metric), targets.numpy().astype(float), predicted[:, None].astype(float))
    second = predicted.astype(float)
    return evaluate(get_metric(task.metric), targets.numpy().astype(int), np.stack([1 - second, second], axis=1))


def _gap(studied: Studied) -> pd.DataFrame:
    """Every net's loss on the points it learned, on those held out of it, and on fresh ones."""
    task, points = studied.task, studied.points
    shown = points.inputs.amin(dim=1, keepdim=True), points.inputs.amax(dim=1, keepdim=True)
    inside = ((points.fresh >= shown[0]) & (points.fresh <= shown[1])).all(dim=0)
    lines = []
    for hidden, found in studied.fits.items():
        fresh = found.predict(points.fresh)
        held_out = _score(task, points.targets, found.oof_outputs)
        lines.append({
            "net": name_of(hidden),
            "parameters": sum(layer[0].numel() for layer in found.weights),
            "train": _score(task, points.targets, found.outputs).value,
            "held out": held_out.value,
            "error": held_out.standard_error,
            "fresh": _score(task, points.fresh_targets, fresh).value,
            "fresh, in range": _score(task, points.fresh_targets[inside], fresh[inside.numpy()]).value,
        })  # fmt: skip
    floor = _score(task, points.fresh_targets, points.fresh_truth.numpy()).value
    within = _score(task, points.fresh_targets[inside], points.fresh_truth.numpy()[inside.numpy()]).value
    return pd.DataFrame([*lines, {"net": "the source itself", "fresh": floor, "fresh, in range": within}])


def _regression(studied: Studied, still_a_line: Fit) -> Section:
    grid = torch.linspace(-4, 4, 201)[None]
    bent = float(np.abs(np.diff(still_a_line.predict(grid), n=2)).max())
    largest = studied.fits[studied.task.nets[-1]]
    shown = {
        "linear": studied.fits[()],
        "two linear layers (1-30-1)": still_a_line,
        "one tanh unit": studied.fits[(1,)],
        "six tanh layers of 30": largest,
    }
    straight = studied.fits[()].path[-1]
    return Section(
        heading="Regression",
        text="100 points x = 1.5 · randn, y = 2x + 3 sin 3x + 1 + 2 · randn; full-batch gradient descent (`SGD`, lr "
        f"{LR}) on the squared error, {int(largest.epochs[-1]):,} epochs (two linear layers: "
        f"{int(still_a_line.epochs[-1]):,}). The line learned is y = {straight[0]:.3f} x + {straight[1]:.3f}. Two "
        f"linear layers are still a line: over [-4, 4] their second differences stay below {bent:.0e}, which is "
        "rounding. One tanh unit makes a step. Six layers of 30 follow the points, noise and all, and between them go "
        "wherever they like.\n\n"
        "Out of the range of the points shown, no net knows anything: the column *fresh* has such points too, the last "
        "one has none. The source itself, without its noise, is the best there can be.",
        tables={"regression": _gap(studied)},
        figures={
            "fits": fits_picture(
                studied.points,
                shown,
                f"Six layers bring the error on the points shown to {largest.train[-1]:.2f}, "
                "where the noise alone has 4: they learned the noise",
            )
        },
        files={"line.gif": moving_line(studied.points, studied.fits[()])},
    )


def _classification(studied: Studied) -> Section:
    nets = ((), (2,), studied.task.nets[-1])
    return Section(
        heading="Classification",
        text="200 points 2.5 · randn(2), labelled by the circle of radius π, with flips of probability 0.3 · 0.49 / "
        f"((d - π)² + 0.49) at distance d; the same descent on the cross-entropy, "
        f"{int(studied.fits[()].epochs[-1]):,} epochs. A line cannot enclose anything, two tanh units make a wedge, "
        "and six layers of 50 fence in single flipped points.",
        tables={"classification": _gap(studied)},
        figures={
            "regions": regions_picture(
                studied.points,
                {name_of(hidden): studied.fits[hidden] for hidden in nets},
                "A line encloses nothing, two tanh units make a wedge, six layers fence in flipped points",
            )
        },
    )


def _chosen(done: Sequence[Studied], redrawn: pd.DataFrame) -> Section:
    gaps = {studied.task.name: _gap(studied) for studied in done}
    names = " and ".join(f"{name_of(studied.best)} ({studied.task.name})" for studied in done)
    largest = {studied.task.name: studied.fits[studied.task.nets[-1]] for studied in done}
    just_right = [{f"chosen: {name_of(studied.best)}": studied.fits[studied.best]} for studied in done]
    return Section(
        heading="Just right, by cross-validation",
        text=f"{FOLDS} folds; the net with the lowest loss on the points held out is chosen: {names}. The fresh points "
        "had no part in that; they say whether it was right. Nets next to the chosen one differ from it by about a "
        "standard error: cross-validation finds the region, not the net. The chosen net's own held-out loss is the "
        "lowest of eight and so a little too good.",
        tables={"redraws": redrawn},
        figures={
            "learning": learning_picture(largest),
            "chosen": chosen_picture(gaps),
            "just_right_curve": fits_picture(
                done[0].points, just_right[0], f"The net that {FOLDS} folds choose: {name_of(done[0].best)}"
            ),
            "just_right_regions": regions_picture(
                done[1].points, just_right[1], f"The net that {FOLDS} folds choose: {name_of(done[1].best)}"
            ),
        },
    )


def _redrawn(done: Sequence[Studied], seeds: range, epochs: int | None, tell: Callable[[str], None]) -> pd.DataFrame:
    """The choice, and what it is worth on fresh points, for every draw of the points."""
    lines = []
    for seed in seeds:
        for studied in done if seed == _SEED else [_studied(s.task, seed, epochs, tell) for s in done]:
            gap = _gap(studied).set_index("net")
            best = name_of(studied.best)
            lines.append({
                "task": studied.task.name,
                "seed": seed,
                "chosen": best,
                "held out": gap["held out"].loc[best],
                "error": gap["error"].loc[best],
                "fresh, in range": gap["fresh, in range"].loc[best],
                "best net on fresh": str(gap["fresh, in range"].iloc[:-1].idxmin()),
                "its fresh, in range": gap["fresh, in range"].iloc[:-1].min(),
            })  # fmt: skip
    return pd.DataFrame(lines)


def _speed(done: Sequence[Studied]) -> Section:
    columns: dict[str, dict[str, float]] = {}
    for studied in done:
        plain = statistics.median(studied.plain)
        epochs = int(studied.fits[studied.task.nets[-1]].epochs[-1])
        ours = studied.seconds / (epochs * (FOLDS + 1))
        columns[f"{studied.task.name}, {name_of(studied.task.nets[-1])}"] = {
            "epochs": epochs,
            "nets": FOLDS + 1,
            "seconds in all": studied.seconds,
            "plain loop, µs a step": plain * 1e6,
            "ours, µs a step of one net": ours * 1e6,
            "times faster": plain / ours,
            "times faster, least": min(studied.plain) / ours,
            "times faster, most": max(studied.plain) / ours,
            "largest difference of an output after 300 steps": studied.apart,
        }
    return Section(
        heading="The long trainings",
        text="The plain loop is `nn.Sequential`, a loss, `backward` and `SGD.step`, one net at a time. Ours "
        "(`models.teaching.batched_nets`) trains the net of all points and those of the five folds side by side, "
        f"gradients by hand, no new memory in a step. Timed in this run on {available_cores()} threads: the whole long "
        f"training, and {_TIMED} rounds of {_STEPS} steps of the plain loop, half of them before it and half after. "
        "Differences of outputs are from the same first weights.",
        tables={"speed": pd.DataFrame(columns).rename_axis("measure").reset_index()},
    )


def _honest(done: Sequence[Studied]) -> Section:
    lines = []
    for studied in done:
        task, points = studied.task, studied.points
        metric = get_metric(task.metric)
        for hidden, found in studied.fits.items():
            score = _score(task, points.targets, found.oof_outputs)
            lines.append(row(f"{task.name}: {name_of(hidden)}", metric, score))
        folds = tuple(
            zip(*KFold(FOLDS, shuffle=True, random_state=0).split(np.zeros(len(points.targets))), strict=True)
        )
        y = points.targets.numpy().astype(int if points.classes else float)
        name, dummy = baseline(metric, y, Folds(train=folds[0], valid=folds[1]), outputs=2 if points.classes else 1)
        lines.append(row(f"baseline: {name} ({task.name})", metric, evaluate(metric, y, dummy)))
    return Section(
        heading="What kpipe says of the same nets",
        text="Every point is predicted once, by the net of the fold that was not shown it, after the last epoch; "
        "scores and standard errors are `kpipe.core.metrics`'. The largest nets have by far the best training "
        "loss and are beaten by small ones.",
        tables={"honest": pd.DataFrame(lines)},
    )
