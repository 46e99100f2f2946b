"""The model ``mlp``: a plain fully connected net whose parts are options, as in "Dive into Deep Learning".

Layers, activation, initialisation, dropout and weight decay are options, the learning rate is constant, and nothing is
added: no cycle, no batch normalisation, no averaging. ``kpipe.models.nets.neural`` is for good scores; this net shows
the effect of each part (``kpipe study house-prices-mlp``).

The defaults were found on house-prices (1460 x 299, 5 folds, seed 0): RMSE of log(SalePrice) after 30 epochs, by
learning rate; Adam, batches of 64, standardised target. Chosen on these same rows, they are optimistic::

    hidden   0.0003   0.001    0.003    0.01     0.03
    ()       0.1530   0.1454   0.1537   0.1693   0.2041
    (64,)    0.1320   0.1337   0.1382   0.1368   0.1512

A fit takes 0.1 to 0.2 s on one core of a 2.6 GHz Xeon, torch 2.13. With 0.01 the linear layer is best after 5
epochs (0.1515) and at 0.1875 after 100. Titanic's 891 rows need a higher learning rate: accuracy 0.765 with these
defaults, 0.792 with lr=0.003 (its own folds, seed 0, standard errors 0.014).

References
----------
Zhang, Lipton, Li, Smola, "Dive into Deep Learning": https://d2l.ai/chapter_multilayer-perceptrons/kaggle-house-price.html
(one linear layer, Adam), and its chapters on weight decay, dropout and initialisation.
Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010 (Xavier).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional

from kpipe.core.values import Context
from kpipe.features import dummies
from kpipe.models.factory import with_context
from kpipe.models.nets.estimators import NetClassifierMixin, RandomState, draw_seed
from kpipe.models.nets.graphs import Steps
from kpipe.models.nets.loop import LossFunction, Weights, forward
from kpipe.models.nets.machine import Machine, torch_session
from kpipe.models.nets.optimizer import Optimizer, rate_tensor
from kpipe.models.validation import require, require_finite, require_one_of

__all__ = ["PlainClassifier", "PlainRegressor", "mlp"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
_NORMAL = 0.01  # standard deviation of "normal", as in D2L


def mlp(context: Context, *, scaler: BaseEstimator | None = None, **options: Any) -> BaseEstimator:
    """A plain net with configurable layers, activation, initialisation and weight decay.

    Parameters
    ----------
    context : Context
        The context of the fit.
    scaler : transformer or None, default=None
        For the numbers; None takes ``StandardScaler()``.
    **options
        Parameters of ``PlainClassifier`` or ``PlainRegressor``.

    Returns
    -------
    Pipeline
        Encoding, then the estimator. Missing numbers become the mean, text one-hot columns with missing as a category.
    """
    net = PlainClassifier if context.task == "classification" else PlainRegressor
    estimator = net(**with_context(options, context))
    return make_pipeline(dummies(StandardScaler() if scaler is None else scaler), estimator)


class _Plain(BaseEstimator):
    """What the classifier and the regressor share: the way from a table to trained weights."""

    hidden: Sequence[int]
    activation: str
    initialisation: str
    dropout: float
    weight_decay: float
    optimizer: str
    lr: float
    batch_size: int
    epochs: int
    random_state: RandomState
    device: str
    threads: int
    outputs_: int
    n_features_in_: int

    def _check(self) -> None:
        require(all(size >= 1 for size in self.hidden), "hidden must hold sizes of 1 or more", self.hidden)
        require_one_of("activation", self.activation, tuple(_ACTIVATIONS))
        require_one_of("initialisation", self.initialisation, ("default", "xavier", "normal"))
        require_one_of("optimizer", self.optimizer, ("adam", "sgd"))
        require(0 <= self.dropout < 1, "dropout must be at least 0 and below 1", self.dropout)
        require(self.weight_decay >= 0, "weight_decay must be 0 or more", self.weight_decay)
        require(self.lr > 0, "lr must be above 0", self.lr)
        require(self.batch_size >= 1, "batch_size must be 1 or more", self.batch_size)
        require(self.epochs >= 1, "epochs must be 1 or more", self.epochs)

    def _descend(
        self, X: np.ndarray, wanted: np.ndarray, loss: LossFunction, watched: np.ndarray | None
    ) -> np.ndarray | None:
        """Learn ``weights_`` and ``loss_curve_``; returns (epochs, m, outputs) float64 for the ``watched`` rows."""
        self._check()
        self.loss_curve_ = np.full(self.epochs, np.nan)
        predicted: list[Tensor] = []
        machine = Machine(device=self.device, threads=self.threads)
        with torch_session(machine, seed=draw_seed(self.random_state)) as device:
            network = self._build().to(device)
            descent = _Descent(network, self._optimizer(network), loss, self.lr, X, wanted)
            watched_rows = None if watched is None else torch.tensor(watched, dtype=torch.float32, device=device)
            for epoch in range(self.epochs):
                self.loss_curve_[epoch] = descent.epoch(self.batch_size)
                require_finite(self.loss_curve_[epoch : epoch + 1], lr=self.lr, first_epoch=epoch + 1)
                if watched_rows is not None:
                    with torch.inference_mode():
                        predicted.append(network.eval()(watched_rows))
            self.weights_: Weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
            return torch.stack(predicted).double().cpu().numpy() if predicted else None

    def _build(self) -> nn.Module:
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise([self.n_features_in_, *self.hidden]):
            layers += [self._linear(inputs, outputs), _ACTIVATIONS[self.activation](), nn.Dropout(self.dropout)]
        return nn.Sequential(*layers, self._linear([self.n_features_in_, *self.hidden][-1], self.outputs_))

    def _linear(self, inputs: int, outputs: int) -> nn.Linear:
        layer = nn.Linear(inputs, outputs)
        if self.initialisation == "xavier":
            nn.init.xavier_uniform_(layer.weight)
        if self.initialisation == "normal":
            nn.init.normal_(layer.weight, std=_NORMAL)
        if self.initialisation != "default":
            nn.init.zeros_(layer.bias)
        return layer

    def _optimizer(self, network: nn.Module) -> Optimizer:
        kind: Literal["adam", "sgd"] = "adam" if self.optimizer == "adam" else "sgd"
        momentum = 0.9 if kind == "adam" else 0.0  # as torch.optim has them by default
        return Optimizer(network, kind, weight_decay=self.weight_decay, momentum=momentum, decay_all=True)

    def _outputs(self, X: Any) -> np.ndarray:
        """(n, outputs) float64."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        # On the CPU, since mps has no float64; in float64, so that a row's prediction does not depend on other rows.
        return forward(self._build, self.weights_, X, machine=Machine(threads=self.threads))


class _Descent:
    """A net that is trained batch by batch, at one learning rate, in steps that a GPU replays as a graph."""

    def __init__(
        self, network: nn.Module, optimizer: Optimizer, loss: LossFunction, lr: float, X: np.ndarray, wanted: np.ndarray
    ) -> None:
        device = next(network.parameters()).device
        self.network, self.optimizer, self.loss = network, optimizer, loss
        self.rows = torch.tensor(X, dtype=torch.float32, device=device)
        self.targets = torch.tensor(wanted, device=device)
        self.batch, self.rate = torch.zeros(len(X), dtype=torch.int64, device=device), rate_tensor(device).fill_(lr)
        self.total = torch.zeros((), device=device)
        changed: dict[str, list[Tensor]] = {"weights": [*network.parameters()], "loss": [self.total]}
        self.steps = Steps(device, changed | optimizer.tensors(), inputs=[self.batch, self.rate])

    def epoch(self, batch_size: int) -> float:
        """Train on every row once; returns the mean loss over rows, each before the step of its batch."""
        self.network.train()
        self.total.zero_()
        # drawn on the CPU, so that the order is the same on every device
        for batch in torch.split(torch.randperm(len(self.rows)).to(self.batch.device), batch_size):
            self.batch[: len(batch)].copy_(batch)
            self.steps.take(len(batch), partial(self._step, len(batch)))
        return self.total.item() / len(self.rows)

    def _step(self, size: int) -> None:
        batch = self.batch[:size]
        value = self.loss(self.network(self.rows[batch]), self.targets[batch])
        self.optimizer.descend(value, rate=self.rate)
        self.total += value.detach() * size


class PlainClassifier(NetClassifierMixin, _Plain):
    """A classifier: one net of linear layers with an activation between them, trained on the cross-entropy.

    Parameters
    ----------
    hidden : sequence of int, default=()
        Sizes of the hidden layers; () is a logistic regression.
    activation : {"relu", "sigmoid", "tanh"}, default="relu"
        After every hidden layer.
    initialisation : {"default", "xavier", "normal"}, default="default"
        "default" is that of ``nn.Linear``; "xavier" is uniform; "normal" has standard deviation 0.01. With the latter
        two, biases begin at 0.
    dropout : float, default=0
        Share of hidden units that a step leaves out, in [0, 1); without a hidden layer it has no effect.
    weight_decay : float, default=0
        Times the weight, added to its gradient (an L2 penalty, as in ``torch.optim.Adam``).
    optimizer : {"adam", "sgd"}, default="adam"
        "sgd" is without momentum.
    lr : float, default=1e-3
        Learning rate, the same in every step.
    batch_size, epochs : int, default=64 and 30
        Rows per step, and how often all rows are shown.
    random_state : int, RandomState or None, default=None
        The same int gives the same bytes on the same machine.
    device, threads
        Where to train; see ``kpipe.models.nets.machine.Machine``. Predictions are made on the CPU.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, sorted.
    loss_curve_ : ndarray of shape (epochs,)
        Mean training loss in the course of each epoch.
    watched_ : ndarray of shape (epochs, m, k)
        Probabilities of the rows that ``fit`` was given to watch, after each epoch.
    weights_ : dict of str to ndarray
        The network's weights by name.
    """

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (),
        activation: Literal["relu", "sigmoid", "tanh"] = "relu",
        initialisation: Literal["default", "xavier", "normal"] = "default",
        dropout: float = 0.0,
        weight_decay: float = 0.0,
        optimizer: Literal["adam", "sgd"] = "adam",
        lr: float = 1e-3,
        batch_size: int = 64,
        epochs: int = 30,
        random_state: RandomState = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.initialisation = initialisation
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.lr = lr
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(self, X: Any, y: Any, *, watched: Any = None) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            Numbers, none missing, of about size 1: they are not scaled.
        y : array-like of shape (n,)
            Labels.
        watched : array-like of shape (m, columns) or None, default=None
            Rows that are predicted after every epoch. They change nothing: neither are they learned from, nor do they
            stop the training.

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
        codes = self._encode_labels(y)
        self.outputs_ = len(self.classes_)
        logits = self._descend(X, codes, functional.cross_entropy, _validate_watched(watched))
        if logits is not None:
            self.watched_: np.ndarray = softmax(logits, axis=2)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the labels.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n, k)
            Float64, columns as in ``classes_``.
        """
        proba: np.ndarray = softmax(self._outputs(X), axis=1)
        return proba


class PlainRegressor(RegressorMixin, _Plain):
    """A regressor: one net of linear layers with an activation between them, trained on the squared error.

    Parameters and attributes are those of ``PlainClassifier``, without ``classes_``, and these.

    Parameters
    ----------
    target : {"standardised", "raw"}, default="standardised"
        "standardised" learns y with mean 0 and standard deviation 1; "raw" learns y as it is, as in D2L's notebook,
        where prices of 180,000 need lr=5.

    Attributes
    ----------
    target_centre_, target_spread_ : float
        What was subtracted from y, and by what it was then divided.
    watched_ : ndarray of shape (epochs, m)
        Predictions of the rows that ``fit`` was given to watch, after each epoch.
    """

    def __init__(
        self,
        *,
        hidden: Sequence[int] = (),
        activation: Literal["relu", "sigmoid", "tanh"] = "relu",
        initialisation: Literal["default", "xavier", "normal"] = "default",
        dropout: float = 0.0,
        weight_decay: float = 0.0,
        optimizer: Literal["adam", "sgd"] = "adam",
        lr: float = 1e-3,
        batch_size: int = 64,
        epochs: int = 30,
        target: Literal["standardised", "raw"] = "standardised",
        random_state: RandomState = None,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.initialisation = initialisation
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.lr = lr
        self.batch_size = batch_size
        self.epochs = epochs
        self.target = target
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(self, X: Any, y: Any, *, watched: Any = None) -> Self:
        """Train on all rows.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            Numbers, none missing, of about size 1: they are not scaled.
        y : array-like of shape (n,)
            Numbers.
        watched : array-like of shape (m, columns) or None, default=None
            Rows that are predicted after every epoch. They change nothing: neither are they learned from, nor do they
            stop the training.

        Returns
        -------
        self
            The fitted regressor.

        Raises
        ------
        TrainingError
            If the loss is no longer a finite number.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        require_one_of("target", self.target, ("standardised", "raw"))
        self.outputs_ = 1
        scaled = self.target == "standardised"
        self.target_centre_ = float(y.mean()) if scaled else 0.0
        self.target_spread_ = float(y.std()) or 1.0 if scaled else 1.0
        wanted = ((y - self.target_centre_) / self.target_spread_).astype(np.float32)
        outputs = self._descend(X, wanted[:, None], functional.mse_loss, _validate_watched(watched))
        if outputs is not None:
            self.watched_ = self._to_target_scale(outputs)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicted values.

        Parameters
        ----------
        X : array-like of shape (n, columns)
            The columns of ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Float64.
        """
        return self._to_target_scale(self._outputs(X))

    def _to_target_scale(self, outputs: np.ndarray) -> np.ndarray:
        """(..., 1) → (...)."""
        values: np.ndarray = outputs[..., 0] * self.target_spread_ + self.target_centre_
        return values


def _validate_watched(watched: Any) -> np.ndarray | None:
    return None if watched is None else np.asarray(check_array(watched, dtype=np.float64))
