"""Nets from scratch for two classes, as in Jeremy Howard's notebook: drawn by ``rand``, plain gradient descent.

Nothing of ``torch.nn`` or ``torch.optim`` is used: a net is a list of weights and one of constants, its loss the mean
absolute error, and a step subtracts the gradient over all rows times the learning rate. Drawn under the notebook's
seed these classes give the notebook's numbers to the last digit (``kpipe study titanic-from-scratch``).

References
----------
Jeremy Howard, "Linear model and neural net from scratch" (Kaggle, 2022),
https://www.kaggle.com/code/jhoward/linear-model-and-neural-net-from-scratch.
Pranath Fernando, "From Machine Learning to Deep Learning From Scratch" (2022): the learning rates and initialisations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from kpipe.core.values import Context
from kpipe.errors import TrainingError
from kpipe.features import dummies
from kpipe.models.factory import require_binary, with_context
from kpipe.models.nets.loop import Machine, computing, require

__all__ = ["Layer", "ScratchClassifier", "Uniform", "deep", "draw", "shallow", "sigmoid", "straight_line"]

Net = tuple[list[Tensor], list[Tensor | None]]


@dataclass(frozen=True)
class Uniform:
    """Evenly distributed first numbers: ``(rand - shift) / outputs * scale``.

    >>> bool(Uniform(0.5, 2.0).draw(3, 4).abs().max() <= 0.5 / 4 * 2)
    True
    """

    shift: float
    scale: float = 1.0

    def draw(self, *shape: int) -> Tensor:
        """(inputs, outputs) or (1,) float32 from torch's global random state."""
        return (torch.rand(*shape) - self.shift) / (shape[-1]) * self.scale


@dataclass(frozen=True)
class Layer:
    """A layer's outputs and how it is drawn. constant : one number for all outputs, as in the notebooks; None: none."""

    outputs: int
    weights: Uniform
    constant: Uniform | None = None


def straight_line(context: Context, *, weights: Uniform = Uniform(0.5), **options: Any) -> BaseEstimator:
    """Two classes: the notebook's linear model from scratch; above one half is the second class.

    Parameters
    ----------
    context : Context
        The context of the fit.
    weights : Uniform, default=Uniform(0.5)
        How the weights are drawn.
    **options
        Parameters of ``ScratchClassifier``.

    Returns
    -------
    Pipeline
        The notebooks' encoding, then the estimator.

    Raises
    ------
    UsageError
        If the target does not have two classes.
    """
    return _factory("straight-line", context, (Layer(1, weights),), {"end": "none", "lr": 0.2, "epochs": 18, **options})


def sigmoid(context: Context, *, weights: Uniform = Uniform(0.5), **options: Any) -> BaseEstimator:
    """Two classes: the notebook's linear model through a sigmoid.

    Parameters
    ----------
    context : Context
        The context of the fit.
    weights : Uniform, default=Uniform(0.5)
        How the weights are drawn; ``Uniform(0, 0.1)`` is the notebook's matrix form.
    **options
        Parameters of ``ScratchClassifier``.

    Returns
    -------
    Pipeline
        The notebooks' encoding, then the estimator.

    Raises
    ------
    UsageError
        If the target does not have two classes.
    """
    return _factory("sigmoid", context, (Layer(1, weights),), {"lr": 100.0, **options})


def shallow(context: Context, *, hidden: int = 20, **options: Any) -> BaseEstimator:
    """Two classes: one hidden layer, from scratch.

    Parameters
    ----------
    context : Context
        The context of the fit.
    hidden : int, default=20
        Size of the hidden layer.
    **options
        Parameters of ``ScratchClassifier``.

    Returns
    -------
    Pipeline
        The notebooks' encoding, then the estimator.

    Raises
    ------
    UsageError
        If the target does not have two classes.
    """
    layers = (Layer(hidden, Uniform(0.5)), Layer(1, Uniform(0.3), constant=Uniform(0.0)))
    return _factory("shallow", context, layers, {"lr": 20.0, **options})  # the notebook ended with 20 after 1.4


def deep(context: Context, *, hidden: Sequence[int] = (10, 10), **options: Any) -> BaseEstimator:
    """Two classes: two hidden layers, from scratch.

    Parameters
    ----------
    context : Context
        The context of the fit.
    hidden : sequence of int, default=(10, 10)
        Sizes of the hidden layers.
    **options
        Parameters of ``ScratchClassifier``.

    Returns
    -------
    Pipeline
        The notebooks' encoding, then the estimator.

    Raises
    ------
    UsageError
        If the target does not have two classes.
    """
    layers = tuple(Layer(size, Uniform(0.3, 4.0), constant=Uniform(0.5, 0.1)) for size in (*hidden, 1))
    return _factory("deep", context, layers, {"lr": 4.0, **options})


def _factory(name: str, context: Context, layers: tuple[Layer, ...], options: dict[str, Any]) -> BaseEstimator:
    """The net behind the notebooks' encoding: numbers divided by their maxima, text as dummies."""
    require_binary(name, context)
    estimator = ScratchClassifier(layers=layers, **with_context(options, context))
    return make_pipeline(dummies(MaxAbsScaler()), estimator)


class ScratchClassifier(ClassifierMixin, BaseEstimator):
    """A net of plain tensors for two classes, trained on all rows at once on the mean absolute error.

    Parameters
    ----------
    layers : from the first hidden one to the output, which has one number; ReLU between them.
    end : "sigmoid", or "none" for the notebook's straight line, whose probabilities are its values cut to [0, 1].
    lr : what gradients are multiplied with. epochs : number of steps.
    random_state : an int is torch's seed as it stands, so that 442 draws the notebook's numbers; RandomState or None.
    device, threads : where to train; see ``kpipe.models.nets.loop.Machine``. Predictions are made on the CPU.

    Attributes
    ----------
    classes_ : (2,) labels, sorted.
    loss_curve_ : (epochs,) mean absolute error over the training rows before each step.
    weights_ : list of (inputs, outputs) float32. constants_ : list of (1,) float32 or None.

    Shape
    -----
    X : (n, columns) numbers, none missing; of about size 1, for gradient descent's sake.
    y : (n,) labels of two kinds.
    """

    def __init__(
        self,
        *,
        layers: Sequence[Layer] = (Layer(1, Uniform(0.5), constant=Uniform(0.5)),),
        end: Literal["sigmoid", "none"] = "sigmoid",
        lr: float = 1.0,
        epochs: int = 30,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.layers = layers
        self.end = end
        self.lr = lr
        self.epochs = epochs
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows; the same ``random_state`` gives the same bytes on the same machine.

        Raises TrainingError if the loss is no longer a finite number.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        rule = "Only binary classification is supported: y must hold two classes"
        require(len(self.classes_) == 2, rule, self.classes_.tolist())
        require(self.epochs >= 1, "epochs must be 1 or more", self.epochs)
        require(self.end in ("sigmoid", "none"), "end must be 'sigmoid' or 'none'", self.end)
        require(self.layers[-1].outputs == 1, "the last layer must have one output", self.layers[-1].outputs)
        with computing(Machine(device=self.device, threads=self.threads), seed=self._seed()) as device:
            weights, constants = draw(self.layers, self.n_features_in_)  # on the CPU: the notebook's numbers everywhere
            net = ([w.to(device) for w in weights], [None if c is None else c.to(device) for c in constants])
            rows = torch.tensor(X, dtype=torch.float32, device=device)
            wanted = torch.tensor(codes, dtype=torch.float32, device=device)[:, None]
            self.loss_curve_ = self._descend(net, rows, wanted)
            self.weights_ = [w.detach().cpu().numpy() for w in net[0]]
            self.constants_ = [None if c is None else c.detach().cpu().numpy() for c in net[1]]
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, 2) float64 probabilities; columns as in ``classes_``."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        weights = [torch.tensor(w).double() for w in self.weights_]
        constants = [None if c is None else torch.tensor(c).double() for c in self.constants_]
        with computing(Machine(threads=self.threads), seed=0), torch.inference_mode():
            second = self._outputs((weights, constants), torch.tensor(X)).clamp(0, 1).numpy()
        return np.concatenate([1 - second, second], axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """(n,) labels: the second class above one half."""
        second = self.predict_proba(X)[:, 1] > 0.5  # first: it says so if there was no fit
        labels: np.ndarray = self.classes_[second.astype(int)]
        return labels

    def _descend(self, net: Net, rows: Tensor, wanted: Tensor) -> np.ndarray:
        numbers = [*net[0], *(constant for constant in net[1] if constant is not None)]
        for number in numbers:
            number.requires_grad_()
        losses = torch.empty(self.epochs)
        for epoch in range(self.epochs):
            loss = (self._outputs(net, rows) - wanted).abs().mean()
            gradients = torch.autograd.grad(loss, numbers)
            losses[epoch] = loss.detach()
            with torch.no_grad():
                for number, gradient in zip(numbers, gradients, strict=True):
                    number.sub_(gradient * self.lr)
        if not losses.isfinite().all():
            first = int((~losses.isfinite()).nonzero()[0])
            raise TrainingError(
                f"the loss must stay a finite number, however: {losses[first].item()} in epoch {first + 1} with "
                f"lr={self.lr:g}. Use a smaller learning rate, such as lr={self.lr / 10:g}."
            )
        return losses.numpy()

    def _outputs(self, net: Net, rows: Tensor) -> Tensor:
        """(n, columns) → (n, 1)."""
        for number, (weights, constant) in enumerate(zip(*net, strict=True)):
            if len(net[0]) == 1:
                # the notebook's weighted sum; rounded as a product of matrices, its -6.2331 would become -6.2332
                rows = (rows * weights.T).sum(dim=1, keepdim=True)
            else:
                rows = (rows.relu() if number else rows) @ weights
            rows = rows if constant is None else rows + constant
        return rows.sigmoid() if self.end == "sigmoid" else rows

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def __sklearn_tags__(self) -> Any:
        """Two classes, and no promise to learn whatever scikit-learn's checks make up."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True  # its learning rate is fitted to Titanic's columns
        return tags


def draw(layers: Sequence[Layer], columns: int) -> Net:
    """First weights, then constants, from torch's random state, in the notebooks' order.

    >>> weights, constants = draw((Layer(10, Uniform(0.3)), Layer(1, Uniform(0.3), Uniform(0.5))), 12)
    >>> [tuple(w.shape) for w in weights], [c is None for c in constants]
    ([(12, 10), (10, 1)], [True, False])
    """
    inputs = [columns, *(layer.outputs for layer in layers[:-1])]
    weights = [layer.weights.draw(size, layer.outputs) for size, layer in zip(inputs, layers, strict=True)]
    return weights, [None if layer.constant is None else layer.constant.draw(1) for layer in layers]
