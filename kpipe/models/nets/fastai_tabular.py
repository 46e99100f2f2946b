"""fastai's tabular learner under scikit-learn's API: its ``TabularModel``, ``Learner`` and one-cycle schedule.

fastai's own ``TabularPandas`` is left out: it refuses gaps in columns that had none in training, and a test table has
such. Levels, fills and scales are learned here, in ``fit``.

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
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from kpipe.core.values import Context
from kpipe.features import numeric_columns, text_columns
from kpipe.models.factory import with_context
from kpipe.models.nets.fastai_learner import Schedule, learn
from kpipe.models.nets.loop import Machine, forward

__all__ = ["FastaiTabularClassifier", "FastaiTabularRegressor", "fastai_tabular"]

_MOST_LEVELS = 1000  # of a column; rarer ones share a vector with those never seen


def fastai_tabular(context: Context, **options: Any) -> BaseEstimator:
    """Fastai's tabular learner: embeddings, two layers, the one-cycle schedule.

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
        random_state: int | np.random.RandomState | None = None,
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

    def _train(self, X: pd.DataFrame, targets: np.ndarray, loss: Any, outputs: int) -> None:
        self.n_features_in_ = X.shape[1]
        self.outputs_ = outputs
        self._look(X)
        self.weights_, self.loss_curve_ = learn(
            self._build,
            self._coded(X),
            targets,
            loss=loss,
            schedule=Schedule(epochs=0, cycles=self.epochs, cycle_lr=self.lr, batch_size=self.batch_size),
            machine=Machine(device=self.device, threads=self.threads),
            seed=int(check_random_state(self.random_state).randint(2**31)),
        )

    def _look(self, X: pd.DataFrame) -> None:
        """Learn levels (0 is for those not known), which numbers have gaps, and the scales of numbers."""
        self.levels_ = {name: X[name].value_counts().index[:_MOST_LEVELS].tolist() for name in text_columns(X)}
        self.numbers_ = numeric_columns(X)
        self.gappy_ = [name for name in self.numbers_ if X[name].isna().any()]
        numbers = X[self.numbers_].to_numpy(dtype=np.float64, na_value=np.nan)
        self.middles_ = np.nan_to_num(np.array([np.nanmedian(c) if np.isfinite(c).any() else 0 for c in numbers.T]))
        filled = np.where(np.isnan(numbers), self.middles_, numbers)
        self.means_, spread = filled.mean(axis=0), filled.std(axis=0)
        self.spreads_ = np.where(spread > 0, spread, 1.0)

    def _coded(self, X: pd.DataFrame) -> np.ndarray:
        """(n, levels + gaps + numbers) float32: codes of levels, 1 or 2 for gaps, scaled numbers."""
        codes = [pd.Index(levels).get_indexer(X[name]) + 1 for name, levels in self.levels_.items()]
        gaps = [X[name].isna().to_numpy() + 1 for name in self.gappy_]
        numbers = X[self.numbers_].to_numpy(dtype=np.float64, na_value=np.nan)
        scaled = (np.where(np.isnan(numbers), self.middles_, numbers) - self.means_) / self.spreads_
        return np.column_stack([*codes, *gaps, scaled.clip(-1e4, 1e4)]).astype(np.float32)

    def _build(self) -> nn.Module:
        sizes = [len(levels) + 1 for levels in self.levels_.values()] + [3] * len(self.gappy_)
        embeddings = [(size, emb_sz_rule(size)) for size in sizes]
        model = TabularModel(embeddings, len(self.numbers_), self.outputs_, list(self.layers), ps=self.dropout)
        return _Split(model, len(sizes))

    def _outputs(self, X: pd.DataFrame) -> np.ndarray:
        check_is_fitted(self)
        machine = Machine(device=self.device, threads=self.threads)
        return forward(self._build, self.weights_, self._coded(X), machine=machine).astype(np.float64)


class _Split(nn.Module):
    """One table of numbers → fastai's two: whole codes and floats."""

    def __init__(self, model: nn.Module, codes: int) -> None:
        super().__init__()
        self.model, self.codes = model, codes

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor = self.model(rows[:, : self.codes].long(), rows[:, self.codes :].float())
        return outputs


class FastaiTabularClassifier(ClassifierMixin, _FastaiTabular):
    """Embeddings of levels and two layers with batch normalisation, trained by one cycle; log loss.

    layers, dropout : of the net. epochs, lr, batch_size : of ``fit_one_cycle``.
    X : a DataFrame of numbers and labels, with gaps.
    """

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Train on all rows; the same ``random_state`` gives the same bytes on the same machine."""
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self._train(X, codes.astype(np.int64), nn.functional.cross_entropy, len(self.classes_))
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """(n, k) float64 probabilities; columns as in ``classes_``."""
        return np.asarray(softmax(self._outputs(X), axis=1))

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """(n,) labels: the likeliest."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])


class FastaiTabularRegressor(RegressorMixin, _FastaiTabular):
    """The same for values: squared or absolute errors of the standardised target.

    absolute : whether absolute errors are made small. Others: see ``FastaiTabularClassifier``.
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
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        super().__init__(
            layers=layers,
            dropout=dropout,
            epochs=epochs,
            lr=lr,
            batch_size=batch_size,
            random_state=random_state,
            device=device,
            threads=threads,
        )
        self.absolute = absolute

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Train on all rows; the same ``random_state`` gives the same bytes on the same machine."""
        y = np.asarray(y, dtype=np.float64)
        self.mean_, self.spread_ = float(y.mean()), float(y.std()) or 1.0
        loss = nn.functional.l1_loss if self.absolute else nn.functional.mse_loss
        self._train(X, ((y - self.mean_) / self.spread_).astype(np.float32)[:, None], loss, 1)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """(n,) float64 values."""
        return self._outputs(X)[:, 0] * self.spread_ + self.mean_
