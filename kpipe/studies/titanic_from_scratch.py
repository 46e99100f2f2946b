"""Study: from a linear model to a deep net on Titanic, with every published loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kpipe.core.plots import new_figure, plot_curves, set_title
from kpipe.core.values import Context
from kpipe.models import model
from kpipe.models.teaching.scratch import ScratchClassifier, Uniform
from kpipe.pipeline import prepare
from kpipe.problem.settings import make_request
from kpipe.studies.protocol import PROTOCOL, cross_validation_table, describe_data
from kpipe.studies.result import StudyResult, StudySection
from kpipe.studies.titanic_table import COLUMNS, NotebookTable, notebook_table, with_notebook_columns

__all__ = ["NETS", "PublishedNet", "accuracy", "run", "train"]

_SEED, _RUNS = 442, 20


@dataclass(frozen=True)
class PublishedNet:
    """A net of the notebook and its published results.

    Parameters
    ----------
    model : str
        The model of kpipe's catalogue.
    options : dict
        Its options.
    losses : tuple of float or None
        The loss before each step; None where the notebook does not show it.
    accuracy : float, optional
        On the notebook's validation rows.
    coefficients : tuple of float
        Of the notebook's columns; empty where it does not show them.
    """

    model: str
    options: dict[str, Any]
    losses: tuple[float | None, ...]
    accuracy: float | None
    coefficients: tuple[float, ...] = field(default=())


def _losses(text: str, *, epochs: int) -> tuple[float | None, ...]:
    """The losses in a text in which "..." stands for those that the notebook does not show."""
    head, _, tail = (part.split() for part in text.partition("..."))
    between = [None] * (epochs - len(head) - len(tail))
    return (*map(float, head), *between, *map(float, tail))


NETS = {
    "linear": PublishedNet(
        "straight-line",
        {"lr": 0.2, "epochs": 18},
        _losses(
            "0.536 0.502 0.477 0.454 0.431 0.409 0.388 0.367 0.349 "
            "0.336 0.330 0.326 0.329 0.304 0.314 0.296 0.300 0.289",
            epochs=18,
        ),
        0.7865,
    ),
    "sigmoid": PublishedNet(
        "sigmoid",
        {"lr": 100.0, "epochs": 30},
        _losses(
            f"0.510 0.327 0.294 0.207 0.201 0.199 0.198 0.197 0.196 0.196 0.196 {'0.195 ' * 7} {'0.194 ' * 12}",
            epochs=30,
        ),
        0.8258,
        (-1.5061, -1.1575, -0.4267, 0.2543, -10.3320, 8.4185, 3.8389, 2.1398, -6.2331, 1.4771, 2.1168, -4.7958),
    ),
    "sigmoid, matrix form": PublishedNet(
        "sigmoid",
        {"lr": 100.0, "epochs": 30, "weights": Uniform(0.0, 0.1)},
        _losses("0.512 0.323 0.290 0.205 0.200 0.198 0.197 ... 0.194", epochs=30),
        0.8258,
    ),
    "one hidden layer, lr 1.4": PublishedNet(
        "shallow", {"lr": 1.4, "epochs": 30}, _losses("0.543 0.532 0.520 0.505 0.487 ... 0.221 0.220", epochs=30), None
    ),
    "one hidden layer, lr 20": PublishedNet(
        "shallow",
        {"lr": 20.0, "epochs": 30},
        _losses("0.543 0.400 0.260 0.390 0.221 0.211 0.197 ... 0.192", epochs=30),
        0.8258,
    ),
    "deep": PublishedNet(
        "deep",
        {"lr": 4.0, "epochs": 30},
        _losses(
            "0.521 0.483 0.427 0.379 ... 0.371 0.333 0.239 0.224 0.208 0.204 0.203 0.203 0.207 0.197 0.196 0.195",
            epochs=30,
        ),
        0.8258,
    ),
}


def run(*, data: Path | None, runs: int | None, epochs: int | None, on_progress: Callable[[str], None]) -> StudyResult:
    """Run the study.

    Parameters
    ----------
    data, epochs, on_progress
        As for :func:`kpipe.studies.study`.
    runs : int, optional
        The number of seeds, from the notebook's seed 442 on; default: 20.

    Returns
    -------
    StudyResult
    """
    problem = with_notebook_columns(prepare(make_request("titanic", {"data": data}, names=("data",))))
    tables = problem.tables
    table = notebook_table(tables.train)
    fits = {name: train(net, table, seed=_SEED, epochs=epochs) for name, net in NETS.items()}
    on_progress("The notebook's nets are trained. Next: other seeds.")
    by_seed = _seed_table(table, seeds=range(_SEED, _SEED + (runs or _RUNS)), epochs=epochs)
    on_progress("Next: cross-validation.")
    chosen = {
        net.model: model(net.model, **_options(net, epochs)) for net in NETS.values() if "weights" not in net.options
    }
    scores = cross_validation_table(problem, chosen)
    return StudyResult(
        title="Titanic from scratch: linear, sigmoid, one hidden layer, deep",
        source='"From Machine Learning to Deep Learning From Scratch" (Pranath Fernando, 2022), '
        'after Jeremy Howard\'s "Linear model and neural net from scratch" (Kaggle, 2022)',
        data=describe_data(tables),
        sample=tables.source.origin == "sample",
        sections=(_published(fits, table), _other_seeds(by_seed, table), _cross_validation(scores)),
    )


def _options(net: PublishedNet, epochs: int | None) -> dict[str, Any]:
    published = net.options["epochs"]
    return {**net.options, "epochs": min(epochs or published, published)}


def train(net: PublishedNet, table: NotebookTable, *, seed: int, epochs: int | None = None) -> ScratchClassifier:
    """Train a net as the notebook did.

    Parameters
    ----------
    net : PublishedNet
        The net.
    table : NotebookTable
        Its rows.
    seed : int
        Of the initial weights.
    epochs : int, optional
        The greatest number of epochs; default: the notebook's.

    Returns
    -------
    ScratchClassifier
    """
    context = Context(task="classification", n_classes=2, seed=seed)
    estimator: ScratchClassifier = model(net.model, **_options(net, epochs))(context)[-1]
    return estimator.fit(table.X[table.train], table.survived[table.train])


def accuracy(fit: ScratchClassifier, table: NotebookTable) -> float:
    """The accuracy on the notebook's validation rows.

    Parameters
    ----------
    fit : ScratchClassifier
        A trained net.
    table : NotebookTable
        The rows.

    Returns
    -------
    float
    """
    return float((fit.predict(table.X[table.valid]) == table.survived[table.valid]).mean())


def _published(fits: dict[str, ScratchClassifier], table: NotebookTable) -> StudySection:
    losses = pd.DataFrame([
        {"net": name, "epoch": epoch, "loss": float(loss), "published": NETS[name].losses[epoch - 1]}
        for name, fit in fits.items() for epoch, loss in enumerate(fit.loss_curve_, start=1)
    ])  # fmt: skip
    ours = fits["sigmoid"].weights_[0][:, 0].astype(float)
    coefficients = pd.DataFrame({"column": COLUMNS, "coefficient": ours, "published": NETS["sigmoid"].coefficients})
    return StudySection(
        heading="The notebook reproduced",
        text="The missing values of train.csv are imputed with modes, `LogFare = log(Fare + 1)`, and the 12 columns "
        "are divided by their maxima. `RandomSplitter(seed=42)` splits the rows. The nets minimise the mean absolute "
        f"error by full-batch gradient descent after `torch.manual_seed({_SEED})`. A loss counts as reproduced if it "
        f"agrees to three decimals with the published one. The accuracy is that of the {len(table.valid)} validation "
        "rows.\n\n"
        "The coefficients are those of the sigmoid model. Being male, travelling third class and a high age reduce the "
        "predicted probability of survival; being female and travelling first or second class increase it.",
        tables={"nets": _nets_table(fits, table), "coefficients": coefficients, "losses": losses},
        figures={"losses": _losses_plot(fits)},
    )


def _nets_table(fits: dict[str, ScratchClassifier], table: NotebookTable) -> pd.DataFrame:
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
            "losses reproduced": f"{same} of {len(pairs)}",
            "accuracy": accuracy(fit, table),
            "published accuracy": net.accuracy,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _losses_plot(fits: dict[str, ScratchClassifier]) -> Figure:
    with new_figure(1, 1, height=4.0) as (figure, axes):
        plot_curves(axes[0, 0], {name: fit.loss_curve_ for name, fit in fits.items()}, linewidth=1.8)
        axes[0, 0].set_ylabel("training loss (mean absolute error)")
        axes[0, 0].set_ylim(bottom=0)
        last = {name: f"{fit.loss_curve_[-1]:.3f}" for name, fit in fits.items()}
        set_title(
            figure,
            f"The sigmoid makes the difference: the linear model ends at a loss of {last['linear']}, with a sigmoid at "
            f"{last['sigmoid']}, with one hidden layer at {last['one hidden layer, lr 20']}, the deep net at "
            f"{last['deep']}",
        )
    return figure


def _majority_accuracy(table: NotebookTable) -> float:
    """The accuracy of the majority class on the validation rows."""
    share = float(table.survived[table.valid].mean())
    return max(share, 1 - share)


def _seed_table(table: NotebookTable, *, seeds: range, epochs: int | None) -> pd.DataFrame:
    rows = []
    for name, net in NETS.items():
        found = np.array([accuracy(train(net, table, seed=seed, epochs=epochs), table) for seed in seeds])
        rows.append({
            "net": name,
            "seeds": len(found),
            "better than majority": int((found > _majority_accuracy(table)).sum()),
            "mean accuracy": found.mean(),
            "standard deviation": found.std(),
            "worst": found.min(),
            "best": found.max(),
        })  # fmt: skip
    return pd.DataFrame(rows).round(6)


def _other_seeds(by_seed: pd.DataFrame, table: NotebookTable) -> StudySection:
    rows, seeds = len(table.valid), int(by_seed["seeds"].iloc[0])
    deep = by_seed.loc[by_seed["net"] == "deep", "better than majority"].iloc[0]
    error = float(np.sqrt(0.8 * 0.2 / rows))
    return StudySection(
        heading="Other initial weights",
        text=f"The same nets and the same split, with the seeds {_SEED} to {_SEED + seeds - 1}. The deep net learns "
        f"anything within its epochs with {deep} of these {seeds} seeds: its published accuracy depends on the seed. "
        f"The majority class has an accuracy of {_majority_accuracy(table):.4f}.\n\nOn {rows} rows, an accuracy near "
        f"0.8 has a standard error of {error:.3f}, so differences of 0.01 or 0.02 between nets are not significant.",
        tables={"seeds": by_seed},
    )


def _cross_validation(scores: pd.DataFrame) -> StudySection:
    return StudySection(
        heading="Cross-validation by kpipe run",
        text=f"{PROTOCOL}\n\nIn the notebook, the modes and the maxima include the validation rows, and the learning "
        "rates were chosen on them. `kpipe run titanic --model deep` trains such nets on the columns that the "
        "competition has now.",
        tables={"cross_validation": scores},
    )
