"""The models ``straight-line``, ``sigmoid``, ``shallow`` and ``deep``: nets from scratch, as in a notebook.

Nothing of ``torch.nn`` or ``torch.optim`` is used: a net is a list of weights and one of constants, its loss the mean
absolute error, and a step subtracts the gradient over all rows times the learning rate. With the notebook's seed these
classes give the notebook's numbers to the last digit (``kpipe study titanic-from-scratch``).

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
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from kpipe.core.values import Context
from kpipe.features import dummies
from kpipe.models.factory import require_binary, with_context
from kpipe.models.nets.estimators import RandomState, draw_seed
from kpipe.models.nets.machine import Machine, torch_session
from kpipe.models.validation import require, require_finite, require_one_of

__all__ = ["Layer", "ScratchClassifier", "Uniform", "deep", "draw", "shallow", "sigmoid", "straight_line"]

Net = tuple[list[Tensor], list[Tensor | None]]


@dataclass(frozen=True)
class Uniform:
    """Uniformly distributed first weights: ``(rand - shift) / outputs * scale``.

    Parameters
    ----------
    shift, scale : float
        Parameters of the formula; ``scale`` is 1 by default.

    Examples
    --------
    >>> bool(Uniform(0.5, 2.0).draw(3, 4).abs().max() <= 0.5 / 4 * 2)
    True
    """

    shift: float
    scale: float = 1.0

    def draw(self, *shape: int) -> Tensor:
        """Numbers from torch's global random state.

        Parameters
        ----------
        *shape : int
            (inputs, outputs), or (1,) for a constant.

        Returns
        -------
        Tensor
            Float32, of this shape.
        """
        return (torch.rand(*shape) - self.shift) / (shape[-1]) * self.scale


@dataclass(frozen=True)
class Layer:
    """A layer's size and initialisation.

    Parameters
    ----------
    outputs : int
        Size of the layer.
    weights : Uniform
        Initialisation of the weights.
    constant : Uniform or None, default=None
        Initialisation of the one constant that all outputs share, as in the notebooks; None for no constant.
    """

    outputs: int
    weights: Uniform
    constant: Uniform | None = None


def straight_line(context: Context, *, weights: Uniform = Uniform(0.5), **options: Any) -> BaseEstimator:
    """Two classes: the notebook's linear model from scratch, with a threshold of one half.

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
    """A pipeline of the notebooks' encoding (numbers divided by their maxima, text as dummies) and the net."""
    require_binary(name, context)
    estimator = ScratchClassifier(layers=layers, **with_context(options, context))
    return make_pipeline(dummies(MaxAbsScaler()), estimator)


class ScratchClassifier(ClassifierMixin, BaseEstimator):
    """A net of plain tensors for two classes, trained on all rows at once on the mean absolute error.

    Parameters
    ----------
    layers : sequence of Layer
        From the first hidden layer to the output, which has size 1; ReLU between them.
    end : {"sigmoid", "none"}, default="sigmoid"
        "none" is for the notebook's straight line, whose probabilities are its values clipped to [0, 1].
    lr : float, default=1
        Learning rate.
    epochs : int, default=30
        Number of steps, each over all rows.
    random_state : int, RandomState or None, default=None
        An int is torch's seed as it is, so that 442 gives the notebook's numbers.
    device, threads
        Where to train; see ``kpipe.models.nets.machine.Machine``. Predictions are made on the CPU.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels, sorted.
    loss_curve_ : ndarray of shape (epochs,)
        Mean absolute error over the training rows before each step.
    weights_ : list of ndarray
        Float32, of shape (inputs, outputs).
    constants_ : list of ndarray or None
        Float32, of shape (1,); None for a layer without a constant.
    """

    def __init__(
        self,
        *,
        layers: Sequence[Layer] = (Layer(1, Uniform(0.5), constant=Uniform(0.5)),),
        end: Literal["sigmoid", "none"] = "sigmoid",
        lr: float = 1.0,
        epochs: int = 30,
        random_state: RandomState = None,
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
        """Train on all rows.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            Numbers, none missing, of about size 1, which gradient descent needs.
        y : array-like of shape (n,)
            Labels of two classes.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        TrainingError
            If the loss is no longer a finite number.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        rule = "Only binary classification is supported: y must hold two classes"
        require(len(self.classes_) == 2, rule, self.classes_.tolist())
        require(self.epochs >= 1, "epochs must be 1 or more", self.epochs)
        require_one_of("end", self.end, ("sigmoid", "none"))
        require(self.layers[-1].outputs == 1, "the last layer must have one output", self.layers[-1].outputs)
        with torch_session(Machine(device=self.device, threads=self.threads), seed=self._seed()) as device:
            # on the CPU, which gives the notebook's numbers on every machine
            weights, constants = draw(self.layers, self.n_features_in_)
            net = ([w.to(device) for w in weights], [None if c is None else c.to(device) for c in constants])
            rows = torch.tensor(X, dtype=torch.float32, device=device)
            wanted = torch.tensor(codes, dtype=torch.float32, device=device)[:, None]
            self.loss_curve_ = self._descend(net, rows, wanted)
            self.weights_ = [w.detach().cpu().numpy() for w in net[0]]
            self.constants_ = [None if c is None else c.detach().cpu().numpy() for c in net[1]]
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the labels.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, 2)
            Float64, columns as in ``classes_``.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        weights = [torch.tensor(w).double() for w in self.weights_]
        constants = [None if c is None else torch.tensor(c).double() for c in self.constants_]
        with torch_session(Machine(threads=self.threads), seed=0), torch.inference_mode():
            second = self._outputs((weights, constants), torch.tensor(X)).clamp(0, 1).numpy()
        return np.concatenate([1 - second, second], axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The second class where its probability is above one half, otherwise the first.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels of the type that ``fit`` got.
        """
        second = self.predict_proba(X)[:, 1] > 0.5
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
        require_finite(losses, lr=self.lr)
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
        return draw_seed(self.random_state)

    def __sklearn_tags__(self) -> Any:
        """Two classes, and no promise to learn the data of scikit-learn's checks."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True  # its learning rate is fitted to Titanic's columns
        return tags


def draw(layers: Sequence[Layer], columns: int) -> Net:
    """The first weights and constants of a net, from torch's random state.

    Parameters
    ----------
    layers : sequence of Layer
        From the first hidden layer to the output.
    columns : int
        Inputs of the first layer.

    Returns
    -------
    weights : list of Tensor
        Drawn first, as in the notebooks; of shape (inputs, outputs).
    constants : list of Tensor or None
        Of shape (1,); None for a layer without a constant.

    Examples
    --------
    >>> weights, constants = draw((Layer(10, Uniform(0.3)), Layer(1, Uniform(0.3), Uniform(0.5))), 12)
    >>> [tuple(w.shape) for w in weights], [c is None for c in constants]
    ([(12, 10), (10, 1)], [True, False])
    """
    inputs = [columns, *(layer.outputs for layer in layers[:-1])]
    weights = [layer.weights.draw(size, layer.outputs) for size, layer in zip(inputs, layers, strict=True)]
    return weights, [None if layer.constant is None else layer.constant.draw(1) for layer in layers]
