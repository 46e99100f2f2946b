"""The model ``fastai-tabular``: fastai's ``TabularModel``, ``Learner`` and one-cycle schedule.

fastai's own ``TabularPandas`` is not used: it refuses missing values in columns that had none in training, and a test
table may have them. Categories, imputation and scales are learned here, in ``fit``.

References
----------
Howard and Gugger, "fastai: A Layered API for Deep Learning", 2020, https://arxiv.org/abs/2002.04688, and their book's
chapter 9; the size of an embedding is ``fastai.tabular.model.emb_sz_rule``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from fastai.tabular.model import TabularModel, emb_sz_rule
from scipy.special import softmax
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from kpipe.core.values import Context
from kpipe.features import numeric_columns, text_columns
from kpipe.models.factory import with_context
from kpipe.models.nets.estimators import NetClassifierMixin, RandomState, draw_seed
from kpipe.models.nets.fastai_training import Schedule, train_learner
from kpipe.models.nets.loop import LossFunction, forward
from kpipe.models.nets.machine import Machine

__all__ = ["FastaiTabularClassifier", "FastaiTabularRegressor", "fastai_tabular"]

_MAX_CATEGORIES = 1000  # of a column; rarer ones share an embedding with unseen ones


def fastai_tabular(context: Context, **options: Any) -> BaseEstimator:
    """Fastai's tabular learner: embeddings, two layers, one-cycle schedule.

    Parameters
    ----------
    context : Context
        The context of the fit.
    **options
        Parameters of ``FastaiTabularClassifier`` or ``FastaiTabularRegressor``.

    Returns
    -------
    FastaiTabularClassifier or FastaiTabularRegressor
        Unfitted.
    """
    if context.task == "classification":
        return FastaiTabularClassifier(**with_context(options, context))
    return FastaiTabularRegressor(**{"absolute": context.loss == "absolute", **with_context(options, context)})


class _FastaiTabular(BaseEstimator):
    """What the classifier and the regressor share: how a table becomes numbers, and how the net is trained."""

    def __init__(
        self,
        *,
        layers: Sequence[int] = (200, 100),
        dropout: float = 0.1,
        epochs: int = 8,
        lr: float = 5e-3,
        batch_size: int = 64,
        random_state: RandomState = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.layers = layers
        self.dropout = dropout
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def _train(self, X: pd.DataFrame, targets: np.ndarray, loss: LossFunction, outputs: int) -> None:
        self.n_features_in_ = X.shape[1]
        self.outputs_ = outputs
        self._fit_encoding(X)
        self.weights_, self.loss_curve_, _ = train_learner(
            self._build,
            self._encode(X),
            targets,
            loss=loss,
            schedule=Schedule(epochs=0, cycles=self.epochs, cycle_lr=self.lr, batch_size=self.batch_size),
            machine=Machine(device=self.device, threads=self.threads),
            seed=draw_seed(self.random_state),
        )

    def _fit_encoding(self, X: pd.DataFrame) -> None:
        """Learn categories, which numbers have missing values, and medians and scales of the numbers."""
        self.categories_ = {name: X[name].value_counts().index[:_MAX_CATEGORIES].tolist() for name in text_columns(X)}
        self.numbers_ = numeric_columns(X)
        self.with_missing_ = [name for name in self.numbers_ if X[name].isna().any()]
        numbers = self._numbers(X)
        self.medians_ = np.array([np.nanmedian(c) if np.isfinite(c).any() else 0 for c in numbers.T])
        filled = np.where(np.isnan(numbers), self.medians_, numbers)
        self.means_, spread = filled.mean(axis=0), filled.std(axis=0)
        self.spreads_ = np.where(spread > 0, spread, 1.0)

    def _encode(self, X: pd.DataFrame) -> np.ndarray:
        """(n, features) float32: codes of categories (0: unknown), 1 or 2 for missing numbers, scaled numbers."""
        codes = [pd.Index(known).get_indexer(X[name]) + 1 for name, known in self.categories_.items()]
        missing = [X[name].isna().to_numpy() + 1 for name in self.with_missing_]
        numbers = self._numbers(X)
        scaled = (np.where(np.isnan(numbers), self.medians_, numbers) - self.means_) / self.spreads_
        return np.column_stack([*codes, *missing, scaled.clip(-1e4, 1e4)]).astype(np.float32)

    def _numbers(self, X: pd.DataFrame) -> np.ndarray:
        """(n, numbers) float64, finite or NaN."""
        numbers = X[self.numbers_].to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(numbers), numbers, np.nan)

    def _build(self) -> nn.Module:
        cardinalities = [len(known) + 1 for known in self.categories_.values()] + [3] * len(self.with_missing_)
        embeddings = [(size, emb_sz_rule(size)) for size in cardinalities]
        model = TabularModel(embeddings, len(self.numbers_), self.outputs_, list(self.layers), ps=self.dropout)
        return _SplitInputs(model, len(cardinalities))

    def _outputs(self, X: pd.DataFrame) -> np.ndarray:
        """(n, outputs) float64."""
        check_is_fitted(self)
        machine = Machine(device=self.device, threads=self.threads)
        return forward(self._build, self.weights_, self._encode(X), machine=machine).astype(np.float64)


class _SplitInputs(nn.Module):
    """One table of numbers → fastai's two inputs: integer codes and floats."""

    def __init__(self, model: nn.Module, codes: int) -> None:
        super().__init__()
        self.model, self.codes = model, codes

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.model(rows[:, : self.codes].long(), rows[:, self.codes :].float())
        return outputs


class FastaiTabularClassifier(NetClassifierMixin, _FastaiTabular):
    """Embeddings of categories and two layers with batch normalisation, trained by one cycle on the log loss.

    Parameters
    ----------
    layers : sequence of int, default=(200, 100)
        Sizes of the hidden layers.
    dropout : float, default=0.1
        Share of hidden units that a step leaves out.
    epochs, lr, batch_size
        Of ``fit_one_cycle``.
    random_state : int, RandomState or None, default=None
        The same int gives the same bytes on the same machine.
    device, threads
        Where to compute; see ``kpipe.models.nets.machine.Machine``.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, sorted.
    weights_ : dict of str to ndarray
        The network's weights by name.
    loss_curve_ : ndarray of shape (epochs,)
        Smoothed training losses.
    """

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Numbers and labels, with missing values.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        TrainingError
            If the loss is no longer a finite number.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self._train(X, codes.astype(np.int64), nn.functional.cross_entropy, len(self.classes_))
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities of the labels.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Float64, columns as in ``classes_``.
        """
        return np.asarray(softmax(self._outputs(X), axis=1))


class FastaiTabularRegressor(RegressorMixin, _FastaiTabular):
    """The same network for values: squared or absolute error of the standardised target.

    Parameters and attributes are those of ``FastaiTabularClassifier``, without ``classes_``, and this one.

    Parameters
    ----------
    absolute : bool, default=False
        Whether it is trained on the absolute error.
    """

    def __init__(
        self,
        *,
        layers: Sequence[int] = (200, 100),
        dropout: float = 0.1,
        epochs: int = 8,
        lr: float = 5e-3,
        batch_size: int = 64,
        absolute: bool = False,
        random_state: RandomState = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        super().__init__(
            layers=layers, dropout=dropout, epochs=epochs, lr=lr, batch_size=batch_size, random_state=random_state,
            device=device, threads=threads,
        )  # fmt: skip
        self.absolute = absolute

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Numbers and labels, with missing values.
        y : array-like of shape (n,)
            Numbers.

        Returns
        -------
        self
            The fitted regressor.

        Raises
        ------
        TrainingError
            If the loss is no longer a finite number.
        """
        y = np.asarray(y, dtype=np.float64)
        self.mean_, self.spread_ = float(y.mean()), float(y.std()) or 1.0
        loss = nn.functional.l1_loss if self.absolute else nn.functional.mse_loss
        self._train(X, ((y - self.mean_) / self.spread_).astype(np.float32)[:, None], loss, 1)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predicted values.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Float64.
        """
        return self._outputs(X)[:, 0] * self.spread_ + self.mean_
