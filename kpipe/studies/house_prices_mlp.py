"""Study: house prices by one linear layer as in "Dive into Deep Learning", then by deeper nets, by log RMSE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from sklearn.model_selection import KFold

from kpipe.core.plots import COLOURS, new_figure, plot_curves, set_title
from kpipe.models import model
from kpipe.models.teaching.mlp import PlainRegressor
from kpipe.pipeline import prepare
from kpipe.problem.settings import make_request
from kpipe.studies.house_prices_nets import (
    DEEPER,
    FOLDS,
    NETS,
    NOTEBOOK,
    PLAIN,
    HousesTable,
    comparison_table,
    notebook_table,
    out_of_fold_losses,
    row_losses,
    validation_losses,
)
from kpipe.studies.protocol import PROTOCOL, cross_validation_table, describe_data
from kpipe.studies.result import StudyResult, StudySection

__all__ = ["run"]

_RUNS = 3
_PUBLISHED = {"train": 0.165, "validation": 0.171}  # means over five folds, as the chapter prints them


def run(*, data: Path | None, runs: int | None, epochs: int | None, on_progress: Callable[[str], None]) -> StudyResult:
    """Run the study.

    Parameters
    ----------
    data, epochs, on_progress
        As for :func:`kpipe.studies.study`.
    runs : int, optional
        The number of seeds, from 0 on; default: 3.

    Returns
    -------
    StudyResult
    """
    problem = prepare(make_request("house-prices-advanced-regression-techniques", {"data": data}, names=("data",)))
    # The chapter has the 79 columns as they are and five folds, without the features that kpipe has added.
    problem = replace(problem, features=None, splitter=KFold(5, shuffle=True, random_state=0))
    table, seeds = notebook_table(problem), range(runs or _RUNS)
    nets = {name: net.with_epochs(epochs) for name, net in NETS.items()}
    notebook = np.stack([row_losses(nets[NOTEBOOK], table, seed=seed) for seed in seeds])
    on_progress("The notebook's linear layer is trained. Next: its options, one by one.")
    others = {name: out_of_fold_losses(net, table, seeds) for name, net in nets.items() if not net.price}
    last = np.stack([validation_losses(of_seed[:, -1], table) for of_seed in notebook])
    losses = {name: others.get(name, last) for name in nets}
    on_progress("Next: cross-validation.")
    chosen = {
        "mlp, one linear layer": model("mlp", **nets[PLAIN].options),
        "mlp, one hidden layer": model("mlp", **nets[DEEPER].options),
    }
    scores = cross_validation_table(problem, chosen)
    return StudyResult(
        title="House prices: one linear layer, then deeper nets, by log RMSE",
        source='study notes on the house-price chapter of "Dive into Deep Learning" (Zhang, Lipton, Li and Smola, an '
        "older edition, https://d2l.ai/chapter_multilayer-perceptrons/kaggle-house-price.html)",
        data=describe_data(problem.tables),
        sample=problem.tables.source.origin == "sample",
        sections=(_published(notebook, table), _options(losses), _cross_validation(scores, losses)),
    )


def _by_fold(losses: np.ndarray, table: HousesTable) -> np.ndarray:
    """(..., folds, epochs, n) squared log errors → (2, ..., folds, epochs) log RMSE: of training and validation."""
    parts = [
        np.stack([losses[..., fold, :, :][..., rows].mean(axis=-1) for fold, rows in enumerate(side)], axis=-2)
        for side in zip(*table.folds, strict=True)
    ]
    return np.sqrt(np.stack(parts))


def _published(notebook: np.ndarray, table: HousesTable) -> StudySection:
    every = _by_fold(notebook, table)  # (2, seeds, folds, epochs)
    train, valid = every[:, 0]
    means = every[..., -1].mean(axis=2)  # (2, seeds)
    over_seeds = (
        f"Over {means.shape[1]} seeds the means lie between {means[0].min():.4f} and {means[0].max():.4f} (training) "
        f"and {means[1].min():.4f} and {means[1].max():.4f} (validation)."
    )
    return StudySection(
        heading="The notebook's linear layer",
        text=f"`nn.Linear({table.X.shape[1]}, 1)` predicts the price in dollars. It minimises the mean squared error "
        f"by Adam with lr 5, without weight decay, for {train.shape[1]} epochs with batches of 64, on {FOLDS} folds "
        "without shuffling. Numbers are standardised over train.csv and test.csv together, as in the notebook, so the "
        "scaling has seen the validation rows; the last section of this page scales without them. Missing numbers are "
        "0, and text becomes dummies with missing as a category. The log RMSE takes predictions below 1 dollar as 1. "
        f"Numbers are after the last epoch, with seed 0. {over_seeds}",
        tables={"plain": _folds_table(train, valid), "curves": _curves_table(train, valid)},
        figures={"curves": _curves_plot(train, valid)},
    )


def _folds_table(train: np.ndarray, valid: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({
        "fold": [*map(str, range(1, FOLDS + 1)), "mean", "published"],
        "train log RMSE": [*train[:, -1], train[:, -1].mean(), _PUBLISHED["train"]],
        "validation log RMSE": [*valid[:, -1], valid[:, -1].mean(), _PUBLISHED["validation"]],
    })  # fmt: skip


def _curves_table(train: np.ndarray, valid: np.ndarray) -> pd.DataFrame:
    """(folds, epochs) each → a table with a row for each fold and epoch."""
    fold, epoch = np.indices(train.shape) + 1
    return pd.DataFrame({
        "fold": fold.ravel(),
        "epoch": epoch.ravel(),
        "train log RMSE": train.ravel(),
        "validation log RMSE": valid.ravel(),
    })  # fmt: skip


def _curves_plot(train: np.ndarray, valid: np.ndarray) -> Figure:
    """A panel for each fold, and one for the later half of their mean, where the difference is visible."""
    half = train.shape[1] // 2
    panels = [(f"fold {fold + 1}", train[fold], valid[fold], 1) for fold in range(FOLDS)]
    panels += [("mean of the folds, later half", train.mean(axis=0)[half:], valid.mean(axis=0)[half:], half + 1)]
    ends = train[:, -1].mean(), valid[:, -1].mean()
    with new_figure(2, 3, height=2.6) as (figure, axes):
        for ax, (name, of_train, of_valid, first) in zip(axes.flat, panels, strict=True):
            plot_curves(ax, {"training": of_train, "validation": of_valid}, first=first, linewidth=1.6)
            if of_train.max() > 3 * of_train.min():  # over a smaller range, a logarithmic axis has few labels
                _log_scale(ax)
            ax.set_title(name)
        for ax in axes[:, 0]:
            ax.set_ylabel("log RMSE")
        set_title(
            figure,
            f"One linear layer ends at a log RMSE of {ends[0]:.3f} on training rows and {ends[1]:.3f} on validation "
            f"rows; published: {_PUBLISHED['train']} and {_PUBLISHED['validation']}",
        )
    return figure


def _log_scale(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _options(losses: dict[str, np.ndarray]) -> StudySection:
    table = comparison_table(losses, PLAIN)
    hidden = {name: of_net for name, of_net in losses.items() if "hidden" in NETS[name].options}
    deeper = comparison_table(hidden, DEEPER)
    defaults, (seeds, rows) = PlainRegressor(), losses[PLAIN].shape
    return StudySection(
        heading="One option at a time",
        text="The table and the folds are the same, but the nets learn the standardised logarithm of the price, by "
        f"Adam with lr {defaults.lr:g} for {defaults.epochs} epochs (fewer with `--epochs`). Numbers are out-of-fold "
        f"over all {rows:,} rows, as means over {seeds} seeds. The first table compares every net with one linear "
        "layer, the second one the nets with hidden layers of 64 units with the simplest of them. Negative differences "
        "are better. Their standard error combines that of the paired difference over rows and that over seeds.\n\n"
        f"{_verdict(table, PLAIN)} {_verdict(deeper, DEEPER)}\n\n{_two_largest_errors(losses)}\n\n"
        "By chance, one of twenty comparisons exceeds two standard errors, and there are "
        f"{len(table) + len(deeper) - 2} here. The learning rate, the number of epochs and the weight decay were "
        "chosen on these rows too, and are the same for all nets: an initialisation with which the net learns more "
        "slowly, such as Xavier's for one linear layer, is measured before it has converged. The best net of this "
        "table is selected by its score, so its score on new houses will be slightly worse.",
        tables={"options": table, "deeper": deeper},
        figures={"options": _options_plot(table)},
    )


def _verdict(table: pd.DataFrame, reference: str) -> str:
    """How many nets differ significantly from the reference, in a sentence."""
    count = table["significant"].value_counts()
    return (
        f"Compared with *{reference}*, {count.get('better', 0)} of {len(table) - 1} nets are better and "
        f"{count.get('worse', 0)} worse by more than two standard errors; {count.get('no', 0)} are not significantly "
        "different."
    )


def _two_largest_errors(losses: dict[str, np.ndarray]) -> str:
    """The effect of the two largest errors on the comparison with a hidden layer, in words."""
    of_row = losses[PLAIN].mean(axis=0)
    order = np.argsort(of_row, kind="stable")
    without = {name: np.sqrt(losses[name][:, order[:-2]].mean(axis=1)).mean() for name in (PLAIN, DEEPER)}
    return (
        f"Two of the {len(of_row):,} rows account for {of_row[order[-2:]].sum() / of_row.sum():.0%} of the linear "
        "layer's squared error, so its differences from deeper nets have large standard errors. Without these two "
        f"rows, which are selected afterwards, *{PLAIN}* has {without[PLAIN]:.4f} and *{DEEPER}* {without[DEEPER]:.4f}."
    )


def _options_plot(table: pd.DataFrame) -> Figure:
    """Differences from one linear layer with two standard errors; filled markers are significant."""
    others = table[table["net"] != PLAIN].iloc[::-1].reset_index(drop=True)
    plain, best = table.loc[table["net"] == PLAIN, "log RMSE"].item(), table.iloc[int(table["log RMSE"].argmin())]
    kinds = {
        "better": (COLOURS[0], COLOURS[0], "o", "significantly better"),
        "worse": (COLOURS[1], COLOURS[1], "s", "significantly worse"),
        "no": ("#555555", "white", "D", "not significantly different"),
    }
    with new_figure(1, 1, height=4.6) as (figure, axes):
        ax = axes[0, 0]
        for kind, (colour, fill, marker, label) in kinds.items():
            part = others[others["significant"] == kind]
            ax.errorbar(
                part["difference"], part.index, xerr=2 * part["standard error"], fmt=marker, color=colour,
                markerfacecolor=fill, capsize=3, label=label if len(part) else None,
            )  # fmt: skip
        ax.axvline(0, color="black", linewidth=1)
        ax.set_yticks(others.index, others["net"])
        ax.set_xlabel("difference of log RMSE, with two standard errors")
        figure.legend(loc="outside lower center", ncols=3)
        count = int((others["significant"] == "better").sum())
        set_title(
            figure,
            f"{count} of {len(others)} nets are significantly better than one linear layer ({plain:.4f}); the best one "
            f"is {best['net']} ({best['log RMSE']:.4f})",
        )
    return figure


def _cross_validation(table: pd.DataFrame, losses: dict[str, np.ndarray]) -> StudySection:
    scores, errors = (table.set_index("model")[column] for column in ("score", "standard error"))
    above = {name: np.sqrt(losses[name].mean(axis=1)).mean() for name in (NOTEBOOK, PLAIN, DEEPER)}
    pairs = {"mlp, one linear layer": PLAIN, "mlp, one hidden layer": DEEPER}
    difference = max(abs(scores[here] - above[there]) / errors[here] for here, there in pairs.items())
    return StudySection(
        heading="Cross-validation by kpipe run",
        text=f"{PROTOCOL}\n\n"
        f"One linear layer has {scores['mlp, one linear layer']:.4f} here and {above[PLAIN]:.4f} above, one hidden "
        f"layer {scores['mlp, one hidden layer']:.4f} here and {above[DEEPER]:.4f} above. Unlike above, the folds are "
        "shuffled, scaling and encoding are fitted on the training rows of a fold, the kind of dwelling is a category "
        "instead of a number, and there is one seed. The scores here and above differ by at most "
        f"{difference:.1f} standard errors. Unlike the notebook's layer, which has {above[NOTEBOOK]:.4f} over all "
        "rows, the nets learn the logarithm by which they are scored. `kpipe run "
        "house-prices-advanced-regression-techniques --model mlp` trains the first of them on the competition's "
        "features.",
        tables={"cross_validation": table},
    )
