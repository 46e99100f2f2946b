"""The model ``one-number``: labels as numbers, and a net with one output whose nearest label is the prediction.

The notebooks began so. It is worse than one output per class, and instructive: 4 is between 3 and 5, although no image
of a 4 is between images of them (``kpipe study digits-from-scratch``).

References
----------
Gurtaj's blog, the second submission to the digit recognizer: the linear function, 784-30-1, ``sigmoid_range(0, 9.5)``.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from kpipe.core.values import Context
from kpipe.models.factory import require_classification
from kpipe.models.nets.estimators import NetClassifierMixin, RandomState, draw_seed
from kpipe.models.nets.machine import Machine, torch_session
from kpipe.models.validation import divergence_error, require, require_one_of

if TYPE_CHECKING:
    from kpipe.models.nets.fastai_training import LearningRates

__all__ = ["OneNumber", "one_number", "rmse"]


def one_number(context: Context, **options: Any) -> OneNumber:
    """A net with one output that treats labels as numbers and predicts the nearest one; for teaching.

    Parameters
    ----------
    context : Context
        The context of the fit.
    **options
        Parameters of ``OneNumber``.

    Returns
    -------
    OneNumber
        Unfitted.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    require_classification("one-number", context)
    return OneNumber(**{"random_state": context.seed, "threads": context.threads, **options})


def rmse(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Root mean squared error, with the labels in the shape of the predictions.

    Parameters
    ----------
    predicted : Tensor of shape (n, 1)
        Outputs of the net.
    wanted : Tensor of shape (n,)
        Labels as numbers.

    Returns
    -------
    Tensor of shape ()
        The loss.
    """
    return (predicted - wanted[:, None]).square().mean().sqrt()


class OneNumber(NetClassifierMixin, BaseEstimator):
    """One output through ``sigmoid_range(0, k - 0.5)``, trained on the RMSE from the label's number.

    Parameters
    ----------
    hidden : int, default=0
        Units of the hidden layer, with ReLU; 0 for a linear function.
    trainer : {"hand", "learner"}, default="hand"
        "hand" subtracts gradients from a list of tensors; "learner" is fastai's ``Learner`` with its SGD.
    lr, epochs, batch_size
        Learning rate, passes over the rows and rows per step of stochastic gradient descent.
    random_state : int, RandomState or None, default=None
        The same int gives the same bytes on the same machine.
    threads : int, default=1
        CPU threads.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, sorted; their positions 0..k-1 are the numbers that are learned.
    weights_, constants_ : list of ndarray
        A (inputs, outputs) and a (outputs,) float32 array per layer, initialised as by ``nn.Linear``.
    """

    def __init__(
        self,
        *,
        hidden: int = 0,
        trainer: Literal["hand", "learner"] = "hand",
        lr: float = 1e-4,
        epochs: int = 10,
        batch_size: int = 256,
        random_state: RandomState = None,
        threads: int = 1,
    ) -> None:
        self.hidden = hidden
        self.trainer = trainer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.threads = threads

    loss = staticmethod(rmse)

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            Pixels from 0 to 255, for which the notebook's learning rates were found; they are not scaled.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        TrainingError
            If a weight is no longer a finite number.
        """
        X, codes = self._validate(X, y)
        net = self._fit_by_learner(X, codes) if self.trainer == "learner" else self._fit_by_hand(X, codes)
        self.weights_, self.constants_ = net[::2], net[1::2]
        if not all(np.isfinite(numbers).all() for numbers in net):
            raise divergence_error("A weight", lr=self.lr)
        return self

    def lr_find(self, X: Any, y: Any) -> LearningRates:
        """The loss over growing learning rates; nothing that is trained is kept.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            As for ``fit``.
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        LearningRates
            Learning rates, losses and fastai's suggestion.
        """
        from kpipe.models.nets.fastai_training import find_lr

        X, codes = self._validate(X, y)
        return find_lr(self._build, X, codes, **self._training_options())

    def values(self, X: Any) -> np.ndarray:
        """The outputs of the net.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Float64, between 0 and k - 0.5.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        for number, (weights, constants) in enumerate(zip(self.weights_, self.constants_, strict=True)):
            rows = (np.maximum(rows, 0) if number else rows) @ weights.astype(np.float64) + constants
        found: np.ndarray = expit(rows[:, 0]) * self._upper_limit()
        return found

    def predict(self, X: Any) -> np.ndarray:
        """The labels that are nearest to the outputs.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels of the type that ``fit`` got.
        """
        nearest = self.values(X).round().astype(int).clip(0, len(self.classes_) - 1)
        labels: np.ndarray = self.classes_[nearest]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """Shares that fall with the squared distance from each label; they are not learned.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Float64, columns as in ``classes_``.
        """
        proba: np.ndarray = softmax(-((self.values(X)[:, None] - np.arange(len(self.classes_))) ** 2), axis=1)
        return proba

    def _validate(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, dtype=np.float32, ensure_min_samples=2)
        require(self.hidden >= 0, "hidden must be 0 or more", self.hidden)
        require_one_of("trainer", self.trainer, ("hand", "learner"))
        return X, self._encode_labels(y).astype(np.float32)

    def _upper_limit(self) -> float:
        return len(self.classes_) - 0.5

    def _layers(self) -> list[nn.Linear]:
        sizes = [self.n_features_in_, *([self.hidden] if self.hidden else []), 1]
        return [nn.Linear(*pair) for pair in itertools.pairwise(sizes)]

    def _fit_by_hand(self, X: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
        with torch_session(Machine(threads=self.threads), seed=draw_seed(self.random_state)):
            net = [part for layer in self._layers() for part in (layer.weight.T.detach().clone(), layer.bias.detach())]
            rows, wanted = torch.tensor(X), torch.tensor(codes)
            for parameter in net:
                parameter.requires_grad_()
            for _ in range(self.epochs):
                for batch in torch.split(torch.randperm(len(rows)), self.batch_size):
                    gradients = torch.autograd.grad(self.loss(self._outputs(net, rows[batch]), wanted[batch]), net)
                    with torch.no_grad():
                        for parameter, gradient in zip(net, gradients, strict=True):
                            parameter.sub_(gradient * self.lr)
            return [parameter.detach().numpy() for parameter in net]

    def _outputs(self, net: list[Tensor], rows: Tensor) -> Tensor:
        """(n, columns) → (n, 1)."""
        for number, (weights, constants) in enumerate(zip(net[::2], net[1::2], strict=True)):
            rows = (rows.relu() if number else rows) @ weights + constants
        return rows.sigmoid() * self._upper_limit()

    def _fit_by_learner(self, X: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
        from kpipe.models.nets.fastai_training import train_learner

        weights, _, _ = train_learner(self._build, X, codes, **self._training_options())
        return [part.T.copy() for part in weights.values()]

    def _build(self) -> nn.Module:
        from fastai.layers import SigmoidRange

        first, *rest = self._layers()
        return nn.Sequential(
            first, *(part for layer in rest for part in (nn.ReLU(), layer)), SigmoidRange(0, self._upper_limit())
        )

    def _training_options(self) -> dict[str, Any]:
        from kpipe.models.nets.fastai_training import Schedule

        schedule = Schedule(epochs=self.epochs, lr=self.lr, optimizer="sgd", batch_size=self.batch_size)
        machine, seed = Machine(threads=self.threads), draw_seed(self.random_state)
        return {"loss": self.loss, "schedule": schedule, "machine": machine, "seed": seed}
