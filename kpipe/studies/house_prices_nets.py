"""The nets of the study of house prices: their options, their data, and their losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from kpipe.core.metrics import METRICS
from kpipe.core.values import Context
from kpipe.features import numeric_columns
from kpipe.models import model
from kpipe.models.teaching.mlp import PlainRegressor
from kpipe.problem.problem import Problem

__all__ = [
    "DEEPER",
    "FOLDS",
    "NETS",
    "NOTEBOOK",
    "PLAIN",
    "HousesTable",
    "PriceNet",
    "comparison_table",
    "notebook_table",
    "out_of_fold_losses",
    "row_losses",
    "validation_losses",
]

FOLDS = 5
PLAIN = "one linear layer"
DEEPER = "one hidden layer, ReLU"
NOTEBOOK = "one linear layer, the notebook's lr 5 on price"


@dataclass(frozen=True)
class PriceNet:
    """A net of the study.

    Parameters
    ----------
    options : dict
        Options of the model ``mlp``.
    price : bool
        Whether the net learns the price instead of its logarithm.
    """

    options: dict[str, Any]
    price: bool = False

    def with_epochs(self, limit: int | None) -> PriceNet:
        """The net with a limit on the number of epochs.

        Parameters
        ----------
        limit : int, optional
            The limit; default: the net's own number.

        Returns
        -------
        PriceNet
        """
        epochs = self.options.get("epochs", PlainRegressor().epochs)
        return PriceNet({**self.options, "epochs": min(limit or epochs, epochs)}, price=self.price)


# Log RMSE on kpipe's folds, seed 0, with 64 hidden units: 0.1356, 0.1336 and 0.1349 with weight decay 0.001, 0.01 and
# 0.1 (without: 0.1337); 0.1373, 0.1415 and 0.1423 with dropout 0.1, 0.3 and 0.5.
NETS = {
    PLAIN: PriceNet({}),
    # The chapter's batches of 64 without weight decay are the defaults of mlp.
    NOTEBOOK: PriceNet({"target": "raw", "lr": 5.0, "epochs": 100}, price=True),
    "one linear layer, Xavier": PriceNet({"initialisation": "xavier"}),
    "one linear layer, normal": PriceNet({"initialisation": "normal"}),
    "one linear layer, weight decay 0.01": PriceNet({"weight_decay": 0.01}),
    DEEPER: PriceNet({"hidden": (64,)}),
    "one hidden layer, sigmoid": PriceNet({"hidden": (64,), "activation": "sigmoid"}),
    "one hidden layer, tanh": PriceNet({"hidden": (64,), "activation": "tanh"}),
    "one hidden layer, ReLU, Xavier": PriceNet({"hidden": (64,), "initialisation": "xavier"}),
    "one hidden layer, ReLU, normal": PriceNet({"hidden": (64,), "initialisation": "normal"}),
    "one hidden layer, ReLU, weight decay 0.01": PriceNet({"hidden": (64,), "weight_decay": 0.01}),
    "one hidden layer, ReLU, dropout 0.3": PriceNet({"hidden": (64,), "dropout": 0.3}),
    "two hidden layers, ReLU": PriceNet({"hidden": (64, 64)}),
}


@dataclass(frozen=True)
class HousesTable:
    """The data as the notebook prepared it.

    Parameters
    ----------
    X : ndarray
        (n, 330) float64: the rows of train.csv, scaled together with test.csv.
    price : ndarray
        (n,) dollars.
    """

    X: np.ndarray
    price: np.ndarray

    @property
    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(training rows, validation rows) of folds without shuffling, as ``get_k_fold_data`` makes them."""
        return list(KFold(FOLDS).split(self.X))


def notebook_table(problem: Problem) -> HousesTable:
    """Prepare the files as the notebook did.

    Numbers are standardised over train.csv and test.csv together and 0 where missing; other columns become dummies.

    Parameters
    ----------
    problem : Problem
        House prices.

    Returns
    -------
    HousesTable
    """
    both = pd.concat([problem.X, problem.X_test])
    both = both.astype({"MSSubClass": int})  # the notebook treats the kind of dwelling as a number
    numbers = [str(name) for name in numeric_columns(both)]
    both[numbers] = ((both[numbers] - both[numbers].mean()) / both[numbers].std()).fillna(0)
    wide = pd.get_dummies(both, dummy_na=True, dtype=float)
    price = problem.tables.train[problem.targets[0]].to_numpy(dtype=np.float64)
    return HousesTable(X=wide.to_numpy(dtype=np.float64)[: len(price)], price=price)


def row_losses(net: PriceNet, table: HousesTable, *, seed: int) -> np.ndarray:
    """The squared log error of every row after every epoch; predicted prices below 1 dollar count as 1.

    Parameters
    ----------
    net : PriceNet
        The net, which is trained on each fold.
    table : HousesTable
        The data.
    seed : int
        Of the initial weights and the batches.

    Returns
    -------
    ndarray
        (folds, epochs, n).
    """
    losses = METRICS["log_rmse"].losses
    assert losses is not None
    found = []
    for rows, _ in table.folds:
        predicted = _train(net, table, rows, seed=seed).watched_
        found.append(losses(table.price, predicted if net.price else np.exp(predicted)))
    return np.stack(found)


def _train(net: PriceNet, table: HousesTable, rows: np.ndarray, *, seed: int) -> PlainRegressor:
    """Train kpipe's net on the notebook's encoding; it predicts all rows after every epoch."""
    target = table.price if net.price else np.log(table.price)
    estimator: PlainRegressor = model("mlp", **net.options)(Context(task="regression", seed=seed))[-1]
    return estimator.fit(table.X[rows], target[rows], watched=table.X)


def validation_losses(losses: np.ndarray, table: HousesTable) -> np.ndarray:
    """Select, for each row, the loss of the net that was not trained on it.

    Parameters
    ----------
    losses : ndarray
        (folds, n).
    table : HousesTable
        The data.

    Returns
    -------
    ndarray
        (n,).
    """
    selected = np.empty(losses.shape[1])
    for fold, (_, valid) in enumerate(table.folds):
        selected[valid] = losses[fold, valid]
    return selected


def out_of_fold_losses(net: PriceNet, table: HousesTable, seeds: range) -> np.ndarray:
    """The out-of-fold squared log errors after the last epoch.

    Parameters
    ----------
    net : PriceNet
        The net.
    table : HousesTable
        The data.
    seeds : range
        Of the initial weights and the batches.

    Returns
    -------
    ndarray
        (seeds, n).
    """
    return np.stack([validation_losses(row_losses(net, table, seed=seed)[:, -1], table) for seed in seeds])


def comparison_table(losses: dict[str, np.ndarray], reference: str) -> pd.DataFrame:
    """The log RMSE of each net, and its difference from that of a reference on the same rows.

    The standard error of the difference combines that over rows, by the delta method for the square root of a mean,
    and that over seeds, as if both were independent. With one seed, it is that over rows.

    Parameters
    ----------
    losses : dict of str to ndarray
        (seeds, n) squared log errors of each net.
    reference : str
        The name of the net to compare with.

    Returns
    -------
    DataFrame
    """
    roots = {name: np.sqrt(of_net.mean(axis=1)) for name, of_net in losses.items()}
    shares = {name: (of_net / (2 * roots[name][:, None])).mean(axis=0) for name, of_net in losses.items()}
    rows = []
    for name in losses:
        by_seed, by_row = roots[name] - roots[reference], shares[name] - shares[reference]
        difference, error = by_seed.mean(), float(np.hypot(_standard_error(by_row), _standard_error(by_seed)))
        side = "better" if difference < 0 else "worse"
        rows.append({
            "net": name,
            "log RMSE": roots[name].mean(),
            "standard deviation over seeds": roots[name].std(ddof=1) if len(by_seed) > 1 else np.nan,
            "difference": difference,
            "standard error": error,
            "significant": "" if name == reference else side if abs(difference) > 2 * error else "no",
        })  # fmt: skip
    return pd.DataFrame(rows).round(6)


def _standard_error(values: np.ndarray) -> float:
    """The standard error of a mean; 0 for one value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
