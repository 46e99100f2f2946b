"""Study: fully connected nets on a curve and in a plane, from underfitting to overfitting."""

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
from kpipe.studies.fully_connected_nets import FOLDS, LR, Fit, Points, circle, curve, fit, plain_loop
from kpipe.studies.fully_connected_plots import fits_plot, line_animation, losses_plot, regions_plot, selection_plot
from kpipe.studies.protocol import score_row
from kpipe.studies.result import StudyResult, StudySection

__all__ = ["run"]

_SEED = 42
_TIMED, _STEPS = 6, 300  # rounds of the plain loop, half before and half after ours, and steps in a round


@dataclass(frozen=True)
class _Problem:
    """One of the notebook's two problems. nets : the sizes of hidden tanh layers, from too small to too large."""

    name: str
    draw: Callable[[int], Points]
    epochs: int
    nets: tuple[tuple[int, ...], ...]
    metric: str


_REGRESSION = _Problem("regression", curve, 50_000, ((), (1,), (2,), (4,), (8,), (30,), (30, 30), (30,) * 6), "rmse")
_CLASSIFICATION = _Problem(
    "classification", circle, 30_000, ((), (2,), (3,), (4,), (8,), (50,), (50, 50), (50,) * 6), "log_loss"
)


@dataclass(frozen=True)
class _Fits:
    """The fits of all nets of a problem.

    plain : seconds of a step of the plain loop for the largest net, one number for each round.
    seconds : of the whole training of the largest net, six nets in parallel.
    difference : the largest difference of an output between the plain loop and ours after ``_STEPS`` steps.
    """

    problem: _Problem
    points: Points
    fits: dict[tuple[int, ...], Fit]
    plain: list[float]
    seconds: float
    difference: float

    @property
    def largest(self) -> Fit:
        return self.fits[self.problem.nets[-1]]

    @property
    def best(self) -> tuple[int, ...]:
        """The net with the lowest validation loss after its last epoch."""
        return min(self.fits, key=lambda hidden: self.fits[hidden].oof[-1])


def run(*, data: Path | None, runs: int | None, epochs: int | None, on_progress: Callable[[str], None]) -> StudyResult:
    """Run the study.

    Parameters
    ----------
    data
        Must be None: the points are generated.
    runs : int, optional
        The number of draws of the points, from the notebook's seed 42 on; default: 1.
    epochs, on_progress
        As for :func:`kpipe.studies.study`.

    Returns
    -------
    StudyResult

    Raises
    ------
    UsageError
        If data is given.
    """
    if data is not None:
        raise UsageError("fully-connected generates its own points: leave out --data.", code="conflicting-options")
    with torch_session(Machine(threads=available_cores()), seed=_SEED):
        found = [_fit_all(problem, _SEED, epochs, on_progress) for problem in (_REGRESSION, _CLASSIFICATION)]
        two_linear = fit(found[0].points, (30,), epochs=min(epochs or 2000, 2000), linear=True, seed=_SEED)
        redrawn = _redrawn_table(found, range(_SEED, _SEED + (runs or 1)), epochs, on_progress)
    return StudyResult(
        title="Fully connected nets: underfitting and overfitting",
        source='"Regression and Classification with Fully Connected Neural Networks"',
        data="points generated after `torch.manual_seed(42)`, and 10,000 test points",
        sections=(
            _regression(found[0], two_linear),
            _classification(found[1]),
            _selection(found, redrawn),
            _speed(found),
            _cross_validation(found),
        ),
    )


def _fit_all(problem: _Problem, seed: int, epochs: int | None, on_progress: Callable[[str], None]) -> _Fits:
    points, most = problem.draw(seed), min(epochs or problem.epochs, problem.epochs)
    largest, steps = problem.nets[-1], min(_STEPS, most)
    fits = {hidden: fit(points, hidden, epochs=most, seed=seed) for hidden in problem.nets[:-1]}
    on_progress(f"{problem.name}: next {_name_of(largest)}, {most:,} epochs, on all points and on {FOLDS} folds.")
    plain = [_seconds_of_plain_step(points, largest, steps) for _ in range(_TIMED // 2)]
    started = time.perf_counter()
    fits[largest] = fit(points, largest, epochs=most, seed=seed)
    seconds = time.perf_counter() - started
    plain += [_seconds_of_plain_step(points, largest, steps) for _ in range(_TIMED // 2)]
    return _Fits(problem, points, fits, plain, seconds, _difference(points, largest, steps))


def _seconds_of_plain_step(points: Points, hidden: tuple[int, ...], steps: int) -> float:
    loop = plain_loop(points, hidden, seed=_SEED)
    loop(20)  # the first steps are slower
    started = time.perf_counter()
    loop(steps)
    return (time.perf_counter() - started) / steps


def _difference(points: Points, hidden: tuple[int, ...], steps: int) -> float:
    theirs = plain_loop(points, hidden, seed=_SEED)(steps + 1)
    ours = fit(points, hidden, epochs=steps, seed=_SEED).outputs
    return float(np.abs((theirs.sigmoid() if points.classes else theirs).numpy() - ours).max())


def _name_of(hidden: tuple[int, ...]) -> str:
    """A net in words.

    >>> _name_of(()), _name_of((1,)), _name_of((30, 30))
    ('linear', '1 tanh unit', '2 layers of 30')
    """
    if not hidden:
        return "linear"
    if len(hidden) == 1:
        return f"{hidden[0]} tanh unit{'s' * (hidden[0] > 1)}"
    return f"{len(hidden)} layers of {hidden[0]}"


def _score(problem: _Problem, targets: Tensor, predicted: np.ndarray) -> Score:
    """The score of (n,) values, or of (n,) probabilities of label 1."""
    p = predicted.astype(float)
    if problem.name == "regression":
        return evaluate(get_metric(problem.metric), targets.numpy().astype(float), p[:, None])
    return evaluate(get_metric(problem.metric), targets.numpy().astype(int), np.stack([1 - p, p], axis=1))


def _losses_table(found: _Fits) -> pd.DataFrame:
    """The training, validation and test loss of every net, and of the best possible prediction."""
    problem, points = found.problem, found.points
    inside = _in_range(points)

    def test(predicted: np.ndarray) -> dict[str, float]:
        return {
            "test": _score(problem, points.test_targets, predicted).value,
            "test, in range": _score(problem, points.test_targets[inside], predicted[inside.numpy()]).value,
        }

    lines = []
    for hidden, net in found.fits.items():
        validation = _score(problem, points.targets, net.oof_outputs)
        lines.append({
            "net": _name_of(hidden),
            "parameters": sum(layer[0].numel() for layer in net.weights),
            "train": _score(problem, points.targets, net.outputs).value,
            "validation": validation.value,
            "standard error": validation.standard_error,
            **test(net.predict(points.test_inputs)),
        })  # fmt: skip
    return pd.DataFrame([*lines, {"net": "best possible", **test(points.test_truth.numpy())}])


def _in_range(points: Points) -> Tensor:
    """(10,000,) whether a test point lies in the range of the training points."""
    low, high = points.inputs.amin(dim=1, keepdim=True), points.inputs.amax(dim=1, keepdim=True)
    return ((points.test_inputs >= low) & (points.test_inputs <= high)).all(dim=0)


def _regression(found: _Fits, two_linear: Fit) -> StudySection:
    grid = torch.linspace(-4, 4, 201)[None]
    curvature = float(np.abs(np.diff(two_linear.predict(grid), n=2)).max())
    shown = {
        "linear": found.fits[()],
        "two linear layers (1-30-1)": two_linear,
        "one tanh unit": found.fits[(1,)],
        "six tanh layers of 30": found.largest,
    }
    slope, intercept = found.fits[()].path[-1]
    title = f"Six layers reach a training MSE of {found.largest.train[-1]:.2f}, below the noise's 4: they overfit"
    return StudySection(
        heading="Regression",
        text="100 points with x = 1.5 · randn and y = 2x + 3 sin 3x + 1 + 2 · randn. The nets minimise the squared "
        f"error by full-batch gradient descent (`SGD`, lr {LR}) for {int(found.largest.epochs[-1]):,} epochs (two "
        f"linear layers: {int(two_linear.epochs[-1]):,}). The trained line is y = {slope:.3f} x + {intercept:.3f}. Two "
        f"linear layers are a straight line: over [-4, 4] their second differences stay below {curvature:.0e}, which "
        "is rounding. One tanh unit fits a step. Six layers of 30 follow the points including their noise, and "
        "oscillate between them.\n\n"
        "No net extrapolates beyond the range of the training points: the column *test* includes such points, the "
        "last column does not. The true curve, without the noise, is the best possible prediction.",
        tables={"regression": _losses_table(found)},
        figures={"fits": fits_plot(found.points, shown, title)},
        files={"line.gif": line_animation(found.points, found.fits[()])},
    )


def _classification(found: _Fits) -> StudySection:
    nets = {_name_of(hidden): found.fits[hidden] for hidden in ((), (2,), found.problem.nets[-1])}
    title = "A line separates a half-plane, two tanh units a wedge; six layers enclose single flipped points"
    return StudySection(
        heading="Classification",
        text="200 points 2.5 · randn(2), labelled by the circle of radius π, with flips of probability 0.3 · 0.49 / "
        "((d - π)² + 0.49) at distance d. The nets minimise the cross-entropy by the same descent for "
        f"{int(found.fits[()].epochs[-1]):,} epochs. A line separates a half-plane, two tanh units a wedge, and six "
        "layers of 50 enclose single flipped points.",
        tables={"classification": _losses_table(found)},
        figures={"regions": regions_plot(found.points, nets, title)},
    )


def _selection(found: Sequence[_Fits], redrawn: pd.DataFrame) -> StudySection:
    names = " and ".join(f"{_name_of(fits.best)} ({fits.problem.name})" for fits in found)
    regression, classification = ({f"chosen: {_name_of(fits.best)}": fits.fits[fits.best]} for fits in found)
    titles = [f"The net with the lowest validation loss over {FOLDS} folds: {_name_of(fits.best)}" for fits in found]
    return StudySection(
        heading="Model selection by cross-validation",
        text=f"The net with the lowest validation loss over {FOLDS} folds is chosen: {names}. The test points, which "
        "have no part in the choice, show whether it was right. Nets of neighbouring sizes differ from the chosen one "
        "by about a standard error, so cross-validation finds the right size only roughly. The validation loss of the "
        "chosen net is the lowest of eight and therefore slightly too low.",
        tables={"redraws": redrawn},
        figures={
            "learning": losses_plot({fits.problem.name: fits.largest for fits in found}),
            "chosen": selection_plot({fits.problem.name: _losses_table(fits) for fits in found}),
            "just_right_curve": fits_plot(found[0].points, regression, titles[0]),
            "just_right_regions": regions_plot(found[1].points, classification, titles[1]),
        },
    )


def _redrawn_table(
    found: Sequence[_Fits], seeds: range, epochs: int | None, on_progress: Callable[[str], None]
) -> pd.DataFrame:
    """The chosen net, and its test loss, for every draw of the points."""
    lines = []
    for seed in seeds:
        of_seed = found if seed == _SEED else [_fit_all(fits.problem, seed, epochs, on_progress) for fits in found]
        for fits in of_seed:
            table, best = _losses_table(fits).set_index("net"), _name_of(fits.best)
            lines.append({
                "task": fits.problem.name,
                "seed": seed,
                "chosen": best,
                "validation": table["validation"].loc[best],
                "standard error": table["standard error"].loc[best],
                "test, in range": table["test, in range"].loc[best],
                "best net on test": str(table["test, in range"].iloc[:-1].idxmin()),
                "its test, in range": table["test, in range"].iloc[:-1].min(),
            })  # fmt: skip
    return pd.DataFrame(lines)


def _speed(found: Sequence[_Fits]) -> StudySection:
    columns = {f"{fits.problem.name}, {_name_of(fits.problem.nets[-1])}": _speed_of(fits) for fits in found}
    return StudySection(
        heading="Training speed",
        text="The plain loop is `nn.Sequential`, a loss, `backward` and `SGD.step`, one net at a time. Ours "
        "(`kpipe.models.teaching.batched_nets`) trains the net of all points and those of the five folds in parallel, "
        f"with gradients by hand and without allocating memory in a step. Both were timed on {available_cores()} "
        f"threads: the whole training, and {_TIMED} rounds of {_STEPS} steps of the plain loop, half of them before it "
        "and half after it. The difference of outputs is that from the same initial weights.",
        tables={"speed": pd.DataFrame(columns).rename_axis("measure").reset_index()},
    )


def _speed_of(fits: _Fits) -> dict[str, float]:
    plain, epochs = statistics.median(fits.plain), int(fits.largest.epochs[-1])
    ours = fits.seconds / (epochs * (FOLDS + 1))
    return {
        "epochs": epochs,
        "nets": FOLDS + 1,
        "seconds in all": fits.seconds,
        "plain loop, µs per step": plain * 1e6,
        "ours, µs per step of one net": ours * 1e6,
        "speedup, median": plain / ours,
        "speedup, smallest": min(fits.plain) / ours,
        "speedup, largest": max(fits.plain) / ours,
        "largest difference of an output after 300 steps": fits.difference,
    }


def _cross_validation(found: Sequence[_Fits]) -> StudySection:
    lines = [line for fits in found for line in _score_rows(fits)]
    return StudySection(
        heading="Cross-validation with standard errors",
        text="Each point is predicted by the net of the fold that was not trained on it, after the last epoch. Scores "
        "and standard errors are those of `kpipe.core.metrics`. The largest nets have by far the lowest training loss, "
        "and small nets have better scores.",
        tables={"cross_validation": pd.DataFrame(lines)},
    )


def _score_rows(fits: _Fits) -> list[dict[str, object]]:
    """The scores of the nets of a problem, and of the baseline."""
    problem, points, metric = fits.problem, fits.points, get_metric(fits.problem.metric)
    rows = [
        score_row(f"{problem.name}: {_name_of(hidden)}", metric, _score(problem, points.targets, net.oof_outputs))
        for hidden, net in fits.fits.items()
    ]
    y = points.targets.numpy().astype(int if points.classes else float)
    train, valid = zip(*KFold(FOLDS, shuffle=True, random_state=0).split(np.zeros(len(y))), strict=True)
    name, constant = baseline(metric, y, Folds(train=train, valid=valid), outputs=2 if points.classes else 1)
    return [*rows, score_row(f"baseline: {name} ({problem.name})", metric, evaluate(metric, y, constant))]
