"""The model ``two-targets``: many small nets that learn a label and a number at once, as in a notebook on Titanic.

References
----------
"Building a From-Scratch Deep Learning Model to Predict Two Variables": the targets, the loss, and the
first weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.features import dummies
from kpipe.models.factory import require_binary
from kpipe.models.nets.machine import Machine, torch_session
from kpipe.models.teaching.batched_nets import BatchedNets
from kpipe.models.validation import require, require_finite

__all__ = ["TwoTargets", "draw", "learn", "two_targets"]

_CHUNK = 100  # nets at a time: bounds memory, 0.3 MB per net for Titanic's rows; from 25 on, speed is the same


def draw(nets: int, sizes: Sequence[int], *, shift: float, scale: float, constants: float) -> list[Tensor]:
    """The notebook's first weights, from torch's random state.

    Weights are ``(rand - shift) / outputs * scale``; a layer's one constant is ``(rand - 0.5) * constants``.

    Parameters
    ----------
    nets : int
        Number of nets.
    sizes : sequence of int
        Columns, sizes of the hidden layers, outputs.
    shift, scale, constants : float
        Parameters of the formulas.

    Returns
    -------
    list of Tensor
        Float32, one of shape (nets, outputs, inputs + 1) per layer; the last column is the constant.

    Examples
    --------
    >>> [tuple(weights.shape) for weights in draw(5, (11, 10, 2), shift=0.5, scale=6, constants=0.5)]
    [(5, 10, 12), (5, 2, 11)]
    """
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        weights = (torch.rand(nets, outputs, inputs) - shift) / outputs * scale
        constant = (torch.rand(nets, 1, 1) - 0.5) * constants
        layers.append(torch.cat([weights, constant.expand(nets, outputs, 1)], dim=2))
    return layers


def ends(outputs: Tensor) -> Tensor:
    """The last activations, in place: a probability by the sigmoid, and a number of at least 0 by ReLU.

    Parameters
    ----------
    outputs : Tensor of shape (R, 2, n)
        Outputs of the last layer; overwritten.

    Returns
    -------
    Tensor of shape (R, 2, n)
        The same object.
    """
    outputs[:, 0].sigmoid_()
    outputs[:, 1].clamp_min_(0)
    return outputs


def learn(
    weights: Sequence[Tensor], inputs: Tensor, targets: Tensor, *, lr: float, epochs: int
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Gradient descent of all nets on the mean absolute error over two targets.

    Parameters
    ----------
    weights : sequence of Tensor
        One of shape (R, outputs, inputs + 1) per layer; not changed.
    inputs : Tensor of shape (columns, n)
        The first rows are trained on, the others only predicted.
    targets : Tensor of shape (2, trained)
        Targets of the rows that are trained on.
    lr : float
        Learning rate.
    epochs : int
        Number of steps.

    Returns
    -------
    losses : Tensor of shape (R, epochs)
        Losses before each step.
    predicted : Tensor of shape (R, epochs, 2, n - trained)
        Predictions of the other rows, after each step.
    weights : list of Tensor
        Weights after the last step.
    """
    nets, trained, last = len(weights[0]), targets.shape[1], [w.clone() for w in weights]
    losses = torch.empty(nets, epochs, dtype=inputs.dtype)
    predicted = torch.empty(nets, epochs, 2, inputs.shape[1] - trained, dtype=inputs.dtype)
    with torch.inference_mode():
        for start in range(0, nets, _CHUNK):
            part = slice(start, start + _CHUNK)
            chunk = BatchedNets([w[part] for w in last], inputs, hidden="relu", trained=trained, one_constant=True)
            outputs, slopes = ends(chunk.forward()), chunk.slopes[-1]
            for epoch in range(epochs):
                torch.sub(outputs[:, :, :trained], targets, out=slopes)
                losses[part, epoch] = torch.linalg.vector_norm(slopes, 1, dim=(1, 2))
                _slopes(slopes.sign_(), outputs[:, :, :trained])
                chunk.descend(lr / (2 * trained))
                predicted[part, epoch] = ends(chunk.forward())[:, :, trained:]
    return losses / (2 * trained), predicted, last


def _slopes(signs: Tensor, outputs: Tensor) -> None:
    """Derivatives of the absolute error by the values before sigmoid and ReLU, in place."""
    back = torch.ops.aten
    back.sigmoid_backward.grad_input(signs[:, 0], outputs[:, 0], grad_input=signs[:, 0])
    back.threshold_backward.grad_input(signs[:, 1], outputs[:, 1], 0, grad_input=signs[:, 1])


def two_targets(context: Context, **options: Any) -> TwoTargets:
    """Two classes: 100 small nets that also learn a second column, such as Age.

    Parameters
    ----------
    context : Context
        The context of the fit.
    **options
        Parameters of ``TwoTargets``.

    Returns
    -------
    TwoTargets
        Unfitted.

    Raises
    ------
    UsageError
        If the target does not have two classes.
    """
    require_binary("two-targets", context)
    return TwoTargets(**{"random_state": context.seed, "threads": context.threads, **options})


class TwoTargets(ClassifierMixin, BaseEstimator):
    """A classifier of many small nets that learn a label and a number at once; the mean of their predictions.

    Parameters
    ----------
    second : str, default="Age"
        The column that is learned beside the label, and is not a feature.
    hidden : sequence of int, default=(10, 10)
        Sizes of the hidden layers, with ReLU between them.
    shift, scale, constants : float
        Initialisation of the weights; see ``draw``.
    lr, epochs
        Learning rate and steps of gradient descent over all rows on the mean absolute error of both targets.
    nets : int, default=100
        Number of nets.
    random_state : int or None, default=None
        Seed of the first weights; the same int gives the same bytes on the same machine.
    threads : int, default=1
        CPU threads.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels, sorted.
    encoding_ : ColumnTransformer
        Encoding of the other columns.
    losses_ : ndarray of shape (nets, epochs)
        Losses before each step.
    weights_ : list of ndarray
        Float32, one of shape (nets, outputs, inputs + 1) per layer.
    """

    def __init__(
        self,
        *,
        second: str = "Age",
        hidden: Sequence[int] = (10, 10),
        shift: float = 0.5,
        scale: float = 6.0,
        constants: float = 0.5,
        lr: float = 0.1,
        epochs: int = 30,
        nets: int = 100,
        random_state: int | None = None,
        threads: int = 1,
    ) -> None:
        self.second = second
        self.hidden = hidden
        self.shift = shift
        self.scale = scale
        self.constants = constants
        self.lr = lr
        self.epochs = epochs
        self.nets = nets
        self.random_state = random_state
        self.threads = threads

    def fit(self, X: pd.DataFrame, y: Any) -> Self:
        """Train all nets on all rows.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            With the column ``second``, which must hold numbers, none missing.
        y : array-like of shape (n,)
            Labels of two classes.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        UsageError
            If X lacks the second target, or values of it.
        TrainingError
            If the loss is no longer a finite number.
        """
        if self.second not in getattr(X, "columns", ()):
            raise UsageError(
                f"The model 'two-targets' needs the column {self.second!r} among the features.",
                code="model-unsuitable",
                column=self.second,
            )
        n_missing = int(pd.isna(X[self.second]).sum())
        if n_missing:
            raise UsageError(
                f"The model 'two-targets' needs {self.second!r} in every row, but it is missing in {n_missing} of "
                f"{len(X)}. Impute the column in the competition's features, or choose another model.",
                code="model-unsuitable",
                column=self.second,
            )
        require(self.nets >= 1, "nets must be 1 or more", self.nets)
        self.classes_, codes = np.unique(y, return_inverse=True)
        require(len(self.classes_) == 2, "y must hold two classes", self.classes_.tolist())
        self.n_features_in_ = X.shape[1]
        self.encoding_ = dummies(MaxAbsScaler()).fit(X.drop(columns=self.second))
        targets = np.stack([codes, X[self.second].to_numpy(dtype=np.float64)])
        with torch_session(Machine(threads=self.threads), seed=self.random_state or 0):
            inputs = self._inputs(X).float()
            sizes = (len(inputs), *self.hidden, 2)
            first = draw(self.nets, sizes, shift=self.shift, scale=self.scale, constants=self.constants)
            wanted = torch.tensor(targets, dtype=torch.float32)
            losses, _, last = learn(first, inputs, wanted, lr=self.lr, epochs=self.epochs)
        require_finite(losses.amax(dim=0), lr=self.lr)
        self.losses_ = losses.numpy()
        self.weights_ = [weights.numpy() for weights in last]
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities of the labels, the mean over the nets.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, 2)
            Float64, columns as in ``classes_``.
        """
        second = self.predict_both(X)[0]
        return np.stack([1 - second, second], axis=1)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """The more probable labels.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels of the type that ``fit`` got.
        """
        labels: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels

    def predict_both(self, X: pd.DataFrame) -> np.ndarray:
        """The probability of the second class, and the second target.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (2, n)
            Float64, the mean over the nets.
        """
        check_is_fitted(self)
        with torch_session(Machine(threads=self.threads), seed=0), torch.inference_mode():
            weights = [torch.tensor(w).double() for w in self.weights_]
            both: np.ndarray = ends(BatchedNets(weights, self._inputs(X), hidden="relu").forward()).mean(dim=0).numpy()
        return both

    def _inputs(self, X: pd.DataFrame) -> Tensor:
        """(columns, n) float64."""
        encoded: np.ndarray = self.encoding_.transform(X.drop(columns=self.second))
        return torch.tensor(encoded.T)
