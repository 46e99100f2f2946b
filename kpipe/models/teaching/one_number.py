"""Labels as numbers: a net with one output whose nearest label is the answer, as in the notebooks' first steps.

A worse idea than one output a class, and instructive: 4 lies between 3 and 5 although no picture of a 4 does
(``kpipe study digits-from-scratch``).

References
----------
Gurtaj's blog, the second submission to the digit recognizer: the linear function, 784-30-1, ``sigmoid_range(0, 9.5)``.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal, Self

import numpy as np
import torch
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from kpipe.core.values import Context
from kpipe.errors import TrainingError
from kpipe.models.factory import require_classification
from kpipe.models.nets.loop import Machine, computing, require

__all__ = ["OneNumber", "one_number", "rmse"]


def one_number(context: Context, **options: Any) -> OneNumber:
    """Labels as numbers: a net with one output, and the nearest label; instructive, not good.

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
    """Root mean squared error of (n, 1) predictions and (n,) labels, which are brought to one shape first."""
    return (predicted - wanted[:, None]).square().mean().sqrt()


class OneNumber(ClassifierMixin, BaseEstimator):
    """One output through ``sigmoid_range(0, k - 0.5)``, trained on the RMSE from the label's number.

    Parameters
    ----------
    hidden : numbers in the hidden layer, ReLU; 0 for a linear function.
    trainer : "hand" subtracts gradients from a list of tensors; "learner" is fastai's ``Learner`` with its SGD.
    lr, epochs, batch_size : of stochastic gradient descent.
    random_state : int, RandomState or None. threads : of the CPU.

    Attributes
    ----------
    classes_ : (k,) labels, sorted; their positions 0..k-1 are the numbers learned.
    weights_, constants_ : a (inputs, outputs) and a (outputs,) float32 array a layer, drawn as ``nn.Linear`` draws.

    Shape
    -----
    X : (n, columns) numbers, as they are: pixels from 0 to 255, for which the notebook's learning rates were found.
    y : (n,) labels.
    """

    def __init__(
        self,
        *,
        hidden: int = 0,
        trainer: Literal["hand", "learner"] = "hand",
        lr: float = 1e-4,
        epochs: int = 10,
        batch_size: int = 256,
        random_state: int | np.random.RandomState | None = None,
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
        """Train on all rows; the same ``random_state`` gives the same bytes on the same machine.

        Raises TrainingError if the weights are no longer finite numbers.
        """
        X, codes = self._checked(X, y)
        net = self._by_learner(X, codes) if self.trainer == "learner" else self._by_hand(X, codes)
        self.weights_, self.constants_ = net[::2], net[1::2]
        if not all(np.isfinite(numbers).all() for numbers in net):
            raise TrainingError(
                f"the weights must stay finite numbers, however: they do not with lr={self.lr:g}. "
                f"Use a smaller learning rate, such as lr={self.lr / 10:g}."
            )
        return self

    def lr_find(self, X: Any, y: Any) -> Any:
        """``fastai_learner.Found``: the loss over growing learning rates; trains nothing that is kept."""
        from kpipe.models.nets.fastai_learner import find_lr

        X, codes = self._checked(X, y)
        return find_lr(self._build, X, codes, **self._how())

    def values(self, X: Any) -> np.ndarray:
        """(n,) float64: the outputs, between 0 and k - 0.5."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        for number, (weights, constants) in enumerate(zip(self.weights_, self.constants_, strict=True)):
            rows = (np.maximum(rows, 0) if number else rows) @ weights.astype(np.float64) + constants
        found: np.ndarray = expit(rows[:, 0]) * self._top()
        return found

    def predict(self, X: Any) -> np.ndarray:
        """(n,) labels: the nearest."""
        nearest = self.values(X).round().astype(int).clip(0, len(self.classes_) - 1)
        labels: np.ndarray = self.classes_[nearest]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k) float64: shares that fall with the squared distance from each label; no learned probabilities."""
        proba: np.ndarray = softmax(-((self.values(X)[:, None] - np.arange(len(self.classes_))) ** 2), axis=1)
        return proba

    def _checked(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, dtype=np.float32, ensure_min_samples=2)
        check_classification_targets(y)
        require(self.hidden >= 0, "hidden must be 0 or more", self.hidden)
        require(self.trainer in ("hand", "learner"), "trainer must be 'hand' or 'learner'", self.trainer)
        self.classes_, codes = np.unique(y, return_inverse=True)
        require(len(self.classes_) >= 2, "y must hold at least 2 classes", self.classes_.tolist())
        return X, codes.astype(np.float32)

    def _top(self) -> float:
        return len(self.classes_) - 0.5

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31))

    def _layers(self) -> list[nn.Linear]:
        sizes = [self.n_features_in_, *([self.hidden] if self.hidden else []), 1]
        return [nn.Linear(*pair) for pair in itertools.pairwise(sizes)]

    def _by_hand(self, X: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
        with computing(Machine(threads=self.threads), seed=self._seed()):
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
        return rows.sigmoid() * self._top()

    def _by_learner(self, X: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
        from kpipe.models.nets.fastai_learner import learn

        weights, _ = learn(self._build, X, codes, **self._how())
        return [part.T.copy() for part in weights.values()]

    def _build(self) -> nn.Module:
        from fastai.layers import SigmoidRange

        first, *rest = self._layers()
        return nn.Sequential(
            first, *(part for layer in rest for part in (nn.ReLU(), layer)), SigmoidRange(0, self._top())
        )

    def _how(self) -> dict[str, Any]:
        from kpipe.models.nets.fastai_learner import Schedule

        schedule = Schedule(epochs=self.epochs, lr=self.lr, optimizer="sgd", batch_size=self.batch_size)
        return {"loss": self.loss, "schedule": schedule, "machine": Machine(threads=self.threads), "seed": self._seed()}
