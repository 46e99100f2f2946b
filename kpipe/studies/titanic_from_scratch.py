"""Study: from a straight line to a deep net on Titanic, every loss as published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kpipe.core.plots import answer, canvas, curves
from kpipe.core.request import RunRequest
from kpipe.core.values import Context
from kpipe.models import model
from kpipe.models.teaching.scratch import ScratchClassifier, Uniform
from kpipe.pipeline import prepare
from kpipe.studies.findings import Findings, Section
from kpipe.studies.honest import PROTOCOL, data_of, honest
from kpipe.studies.titanic import COLUMNS, Notebook, notebook, with_notebooks_columns

__all__ = ["NETS", "Net", "findings", "trained"]

_SEED, _RUNS = 442, 20


@dataclass(frozen=True)
class Net:
    """A net of the notebook. losses : as published, before each step; None where the notebook's text leaves out."""

    model: str
    options: dict[str, Any]
    losses: tuple[float | None, ...]
    accuracy: float | None
    coefficients: tuple[float, ...] = field(default=())


def _losses(text: str, *, epochs: int) -> tuple[float | None, ...]:
    """Published losses; "..." stands for those between."""
    head, _, tail = (part.split() for part in text.partition("..."))
    between = [None] * (epochs - len(head) - len(tail))
    return (*map(float, head), *between, *map(float, tail))


NETS = {
    "linear": Net(
        "straight-line",
        {"lr": 0.2, "epochs": 18},
        _losses(
            "0.536 0.502 0.477 0.454 0.431 0.409 0.388 0.367 0.349 "
            "0.336 0.330 0.326 0.329 0.304 0.314 0.296 0.300 0.289",
            epochs=18,
        ),
        0.7865,
    ),
    "sigmoid": Net(
        "sigmoid",
        {"lr": 100.0, "epochs": 30},
        _losses(
            f"0.510 0.327 0.294 0.207 0.201 0.199 0.198 0.197 0.196 0.196 0.196 {'0.195 ' * 7} {'0.194 ' * 12}",
            epochs=30,
        ),
        0.8258,
        (-1.5061, -1.1575, -0.4267, 0.2543, -10.3320, 8.4185, 3.8389, 2.1398, -6.2331, 1.4771, 2.1168, -4.7958),
    ),
    "sigmoid, matrix form": Net(
        "sigmoid",
        {"lr": 100.0, "epochs": 30, "weights": Uniform(0.0, 0.1)},
        _losses("0.512 0.323 0.290 0.205 0.200 0.198 0.197 ... 0.194", epochs=30),
        0.8258,
    ),
    "one hidden layer, lr 1.4": Net(
        "shallow", {"lr": 1.4, "epochs": 30}, _losses("0.543 0.532 0.520 0.505 0.487 ... 0.221 0.220", epochs=30), None
    ),
    "one hidden layer, lr 20": Net(
        "shallow",
        {"lr": 20.0, "epochs": 30},
        _losses("0.543 0.400 0.260 0.390 0.221 0.211 0.197 ... 0.192", epochs=30),
        0.8258,
    ),
    "deep": Net(
        "deep",
        {"lr": 4.0, "epochs": 30},
        _losses(
            "0.521 0.483 0.427 0.379 ... 0.371 0.333 0.239 0.224 0.208 0.204 0.203 0.203 0.207 0.197 0.196 0.195",
            epochs=30,
        ),
        0.8258,
    ),
}


def findings(*, data: Path | None, runs: int | None, epochs: int | None, tell: Callable[[str], None]) -> Findings:
    """The study; ``runs`` are seeds from 442 on, of which the first is the notebook's."""
    problem = with_notebooks_columns(prepare(RunRequest("titanic", data=data)))
    tables = problem.tables
    table = notebook(tables.train)
    fits = {name: trained(net, table, seed=_SEED, epochs=epochs) for name, net in NETS.items()}
    tell("The notebook's nets are trained; now other seeds.")
    spread = _spread(table, seeds=range(_SEED, _SEED + (runs or _RUNS)), epochs=epochs)
    tell("Now cross-validation.")
    chosen = {
        net.model: model(net.model, **_options(net, epochs)) for net in NETS.values() if "weights" not in net.options
    }
    judged = honest(problem, chosen)
    return Findings(
        title="Titanic from scratch: linear, sigmoid, one hidden layer, deep",
        source='"From Machine Learning to Deep Learning From Scratch" (Pranath Fernando, 2022), '
        'after Jeremy Howard\'s "Linear model and neural net from scratch" (Kaggle, 2022)',
        data=data_of(tables),
        sample=tables.source.origin == "sample",
        sections=(_published(fits, table), _other_seeds(spread, table), _honest(judged)),
    )


def _options(net: Net, epochs: int | None) -> dict[str, Any]:
    longest = net.options["epochs"]
    return {**net.options, "epochs": min(epochs or longest, longest)}


def trained(net: Net, table: Notebook, *, seed: int, epochs: int | None = None) -> ScratchClassifier:
    """The net as the notebook trained it, on the notebook's rows."""
    context = Context(task="classification", n_classes=2, seed=seed)
    estimator: ScratchClassifier = model(net.model, **_options(net, epochs))(context)[-1]
    return estimator.fit(table.X[table.train], table.survived[table.train])


def accuracy(fit: ScratchClassifier, table: Notebook) -> float:
    """On the notebook's 178 rows."""
    return float((fit.predict(table.X[table.valid]) == table.survived[table.valid]).mean())


def _published(fits: dict[str, ScratchClassifier], table: Notebook) -> Section:
    rows = []
    for name, fit in fits.items():
        net = NETS[name]
        pairs = [(p, o) for p, o in zip(net.losses, fit.loss_curve_, strict=False) if p is not None]
        same = sum(f"{published:.3f}" == f"{ours:.3f}" for published, ours in pairs)
        rows.append({
            "net": name,
            "lr": net.options["lr"],
            "epochs": len(fit.loss_curve_),
            "first loss": float(fit.loss_curve_[0]),
            "last loss": float(fit.loss_curve_[-1]),
            "published loss": net.losses[-1],
            "losses met": f"{same} of {len(pairs)}",
            "accuracy": accuracy(fit, table),
            "published accuracy": net.accuracy,
        })  # fmt: skip
    losses = pd.DataFrame([
        {"net": name, "epoch": epoch, "loss": float(loss), "published": NETS[name].losses[epoch - 1]}
        for name, fit in fits.items() for epoch, loss in enumerate(fit.loss_curve_, start=1)
    ])  # fmt: skip
    ours = fits["sigmoid"].weights_[0][:, 0].astype(float)
    coefficients = pd.DataFrame({"column": COLUMNS, "coefficient": ours, "published": NETS["sigmoid"].coefficients})
    return Section(
        heading="The notebook, to the digit",
        text="Gaps of train.csv filled with its modes; `LogFare = log(Fare + 1)`; 12 columns divided by their maxima; "
        "`RandomSplitter(seed=42)`; mean absolute error; gradient descent on all training rows at once; "
        f"`torch.manual_seed({_SEED})`. Losses are met that agree to three decimals with those the notebook shows; "
        f"accuracy is over the {len(table.valid)} rows held out.\n\n"
        "The coefficients are those of the sigmoid: being a man, travelling third class and age count against, "
        "being a woman and travelling first or second class count for survival.",
        tables={"nets": pd.DataFrame(rows), "coefficients": coefficients, "losses": losses},
        figures={"losses": _picture(fits)},
    )


def _picture(fits: dict[str, ScratchClassifier]) -> Figure:
    with canvas(1, 1, height=4.0) as (figure, axes):
        curves(axes[0, 0], {name: fit.loss_curve_ for name, fit in fits.items()}, linewidth=1.8)
        axes[0, 0].set_ylabel("mean absolute error, training rows")
        axes[0, 0].set_ylim(bottom=0)
        last = {name: f"{fit.loss_curve_[-1]:.3f}" for name, fit in fits.items()}
        answer(
            figure,
            f"The sigmoid does the work: the straight line ends at {last['linear']}, the sigmoid at {last['sigmoid']}, "
            f"one hidden layer at {last['one hidden layer, lr 20']}, the deep net at {last['deep']}",
        )
    return figure


def _guess(table: Notebook) -> float:
    """Accuracy of the commoner class on the notebook's 178 rows."""
    share = float(table.survived[table.valid].mean())
    return max(share, 1 - share)


def _spread(table: Notebook, *, seeds: range, epochs: int | None) -> pd.DataFrame:
    rows = []
    for name, net in NETS.items():
        found = np.array([accuracy(trained(net, table, seed=seed, epochs=epochs), table) for seed in seeds])
        rows.append({
            "net": name,
            "seeds": len(found),
            "better than guessing": int((found > _guess(table)).sum()),
            "mean accuracy": found.mean(),
            "standard deviation": found.std(),
            "worst": found.min(),
            "best": found.max(),
        })  # fmt: skip
    return pd.DataFrame(rows).round(6)


def _other_seeds(spread: pd.DataFrame, table: Notebook) -> Section:
    rows, seeds = len(table.valid), int(spread["seeds"].iloc[0])
    deep = spread.loc[spread["net"] == "deep", "better than guessing"].iloc[0]
    error = float(np.sqrt(0.8 * 0.2 / rows))
    return Section(
        heading="The same nets from other first weights",
        text=f"Seeds {_SEED} to {_SEED + seeds - 1}, the same split. With {deep} of these {seeds} the deep net learns "
        f"anything within its epochs: {_SEED} is one seed, not a property of the net. Guessing the commoner class "
        f"scores {_guess(table):.4f} here.\n\nOn {rows} rows an accuracy near 0.8 has a standard error of {error:.3f}: "
        "a hundredth or two between nets is no difference.",
        tables={"seeds": spread},
    )


def _honest(judged: pd.DataFrame) -> Section:
    return Section(
        heading="What kpipe run says of the same nets",
        text=f"{PROTOCOL}\n\nIn the notebook, the rows held out had part in the modes and the maxima, and the learning "
        "rates were chosen by looking at them. `kpipe run titanic --model deep` trains such nets on the columns that "
        "the competition has by now.",
        tables={"honest": judged},
    )
