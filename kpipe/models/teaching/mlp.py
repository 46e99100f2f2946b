"""A plain fully connected net whose parts can be chosen one by one, as in "Dive into Deep Learning".

Layers, activation, initialisation, dropout and weight decay are options, the learning rate stays what it is, and
nothing is added: no cycle, no normalisation over the batch, no averaging. ``kpipe.models.nets.neural`` is for good
scores; this one is for seeing what each part does (``kpipe study house-prices-mlp``).

The defaults were found on house-prices (1460 x 299, 5 folds, seed 0): RMSE of log(SalePrice) after 30 epochs, by
learning rate; Adam, batches of 64, standardised target. They are the best of few, on the very rows, so they flatter::

    hidden   0.0003   0.001    0.003    0.01     0.03
    ()       0.1530   0.1454   0.1537   0.1693   0.2041
    (64,)    0.1320   0.1337   0.1382   0.1368   0.1512

A fit takes 0.1 to 0.2 s on one core of a 2.6 GHz Xeon, torch 2.13. With 0.01 the linear layer is past its best after 5
epochs (0.1515) and ends 100 at 0.1875. Titanic's 891 rows want longer steps: accuracy 0.765 with these
defaults, 0.792 with lr=0.003 (its own folds, seed 0, standard errors 0.014).

References
----------
Zhang, Lipton, Li, Smola, "Dive into Deep Learning": https://d2l.ai/chapter_multilayer-perceptrons/kaggle-house-price.html
(one linear layer, Adam), and its chapters on weight decay, dropout and initialisation.
Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010 (Xavier).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional

from kpipe.core.values import Context
from kpipe.errors import TrainingError
from kpipe.features import dummies
from kpipe.models.factory import with_context
from kpipe.models.nets.loop import Machine, Weights, computing, forward, require

__all__ = ["PlainClassifier", "PlainRegressor", "mlp"]

Loss = Callable[[Tensor, Tensor], Tensor]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
_NORMAL = 0.01  # standard deviation of "normal": D2L's


def mlp(context: Context, *, scaler: BaseEstimator | None = None, **options: Any) -> BaseEstimator:
    """A plain net whose parts are options: layers, activation, initialisation, weight decay.

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
    random_state: int | np.random.RandomState | None
    device: str
    threads: int
    outputs_: int
    n_features_in_: int

    def _check(self) -> None:
        require(all(size >= 1 for size in self.hidden), "hidden must hold sizes of 1 or more", self.hidden)
        _require_one_of("activation", self.activation, tuple(_ACTIVATIONS))
        _require_one_of("initialisation", self.initialisation, ("default", "xavier", "normal"))
        _require_one_of("optimizer", self.optimizer, ("adam", "sgd"))
        require(0 <= self.dropout < 1, "dropout must be at least 0 and below 1", self.dropout)
        require(self.weight_decay >= 0, "weight_decay must be 0 or more", self.weight_decay)
        require(self.lr > 0, "lr must be above 0", self.lr)
        require(self.batch_size >= 1, "batch_size must be 1 or more", self.batch_size)
        require(self.epochs >= 1, "epochs must be 1 or more", self.epochs)

    def _descend(self, X: np.ndarray, wanted: np.ndarray, loss: Loss, watched: np.ndarray | None) -> np.ndarray | None:
        """Learn ``weights_`` and ``loss_curve_``; gives (epochs, m, outputs) float64 for the ``watched`` rows."""
        self._check()
        self.loss_curve_ = np.full(self.epochs, np.nan)
        seen: list[Tensor] = []
        seed = int(check_random_state(self.random_state).randint(2**31))
        with computing(Machine(device=self.device, threads=self.threads), seed=seed) as device:
            network = self._build().to(device)
            step = self._optimizer(network)
            rows = torch.tensor(X, dtype=torch.float32, device=device)
            targets = torch.tensor(wanted, device=device)
            beside = None if watched is None else torch.tensor(watched, dtype=torch.float32, device=device)
            for epoch in range(self.epochs):
                self.loss_curve_[epoch] = self._epoch(network.train(), step, loss, rows, targets)
                _check_finite(self.loss_curve_[epoch], epoch=epoch + 1, lr=self.lr)
                if beside is not None:
                    with torch.inference_mode():
                        seen.append(network.eval()(beside))
            self.weights_: Weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
            return torch.stack(seen).double().cpu().numpy() if seen else None

    def _epoch(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss, rows: Tensor, targets: Tensor
    ) -> float:
        """Every row once, in batches; the mean loss over rows, each taken before its batch's step."""
        total = torch.zeros((), device=rows.device)
        # drawn on the CPU, so that the order is the same on every device
        for batch in torch.split(torch.randperm(len(rows)).to(rows.device), self.batch_size):
            value = loss(network(rows[batch]), targets[batch])
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]  # torch's own stubs
            optimizer.step()
            total += value.detach() * len(batch)
        return total.item() / len(rows)

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

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        kind = torch.optim.Adam if self.optimizer == "adam" else torch.optim.SGD
        return kind(network.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=True)

    def _outputs(self, X: Any) -> np.ndarray:
        """(n, outputs) float64."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        # on the CPU, for mps has no float64; in float64, so that a row's prediction does not depend on its neighbours
        return forward(self._build, self.weights_, X, machine=Machine(threads=self.threads))


class PlainClassifier(ClassifierMixin, _Plain):
    """A classifier: one net of linear layers with an activation between them, trained on the cross-entropy.

    Parameters
    ----------
    hidden : sizes of the hidden layers; () is a logistic regression.
    activation : "relu", "sigmoid" or "tanh", after every hidden layer.
    initialisation : "default", ``nn.Linear``'s own; "xavier", evenly distributed; "normal", of deviation 0.01. With the
        latter two, constants begin at 0.
    dropout : share of hidden numbers left out in a step, in [0, 1); without a hidden layer there is none to leave out.
    weight_decay : times the weight, added to its gradient (an L2 penalty, as ``torch.optim.Adam`` has it).
    optimizer : "adam", or "sgd" without momentum.
    lr : learning rate, the same in every step.
    batch_size, epochs : rows a step, and how often all rows are shown.
    random_state : int, RandomState or None.
    device, threads : where to train; see ``kpipe.models.nets.loop.Machine``. Predictions are made on the CPU.

    Attributes
    ----------
    classes_ : (k,) labels, sorted.
    loss_curve_ : (epochs,) mean training loss, in the course of each epoch.
    watched_ : (epochs, m, k) probabilities of the rows that ``fit`` was given to watch, after each epoch.
    weights_ : name → array.

    Shape
    -----
    X : (n, columns) numbers, none missing; of about size 1, for they are taken as they are.
    y : (n,) labels.
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
        random_state: int | np.random.RandomState | None = None,
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
        """Train on all rows; the same ``random_state`` gives the same bytes on the same machine.

        watched : (m, columns), rows predicted after every epoch. They change nothing: they are neither learned nor a
            reason to stop.
        Raises TrainingError if the loss is no longer a finite number.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        require(len(self.classes_) >= 2, "y must hold at least 2 classes", self.classes_.tolist())
        self.outputs_ = len(self.classes_)
        seen = self._descend(X, codes.astype(np.int64), functional.cross_entropy, _table(watched))
        if seen is not None:
            self.watched_: np.ndarray = softmax(seen, axis=2)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k) float64 probabilities; columns as in ``classes_``."""
        proba: np.ndarray = softmax(self._outputs(X), axis=1)
        return proba

    def predict(self, X: Any) -> np.ndarray:
        """(n,) labels: the likeliest."""
        likeliest = self._outputs(X).argmax(axis=1)  # first: it says so if there was no fit
        labels: np.ndarray = self.classes_[likeliest]
        return labels


class PlainRegressor(RegressorMixin, _Plain):
    """A regressor: one net of linear layers with an activation between them, trained on the squared error.

    Parameters and attributes are those of ``PlainClassifier``, but for ``classes_`` and these.

    Parameters
    ----------
    target : "standardised" learns y with mean 0 and deviation 1; "raw" learns y as it is, as in D2L's notebook, where
        prices of 180,000 ask for lr=5.

    Attributes
    ----------
    target_centre_, target_spread_ : what was subtracted from y, and what it was then divided by.
    watched_ : (epochs, m) predictions of the rows that ``fit`` was given to watch, after each epoch.

    Shape
    -----
    X : (n, columns) numbers, none missing; of about size 1, for they are taken as they are.
    y : (n,) numbers.
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
        random_state: int | np.random.RandomState | None = None,
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
        """Train on all rows; see ``PlainClassifier.fit``."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        _require_one_of("target", self.target, ("standardised", "raw"))
        self.outputs_ = 1
        scaled = self.target == "standardised"
        self.target_centre_ = float(y.mean()) if scaled else 0.0
        self.target_spread_ = float(y.std()) or 1.0 if scaled else 1.0
        wanted = ((y - self.target_centre_) / self.target_spread_).astype(np.float32)
        seen = self._descend(X, wanted[:, None], functional.mse_loss, _table(watched))
        if seen is not None:
            self.watched_ = self._unscaled(seen)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(n,) float64 values."""
        return self._unscaled(self._outputs(X))

    def _unscaled(self, outputs: np.ndarray) -> np.ndarray:
        """(..., 1) → (...)."""
        values: np.ndarray = outputs[..., 0] * self.target_spread_ + self.target_centre_
        return values


def _table(watched: Any) -> np.ndarray | None:
    return None if watched is None else np.asarray(check_array(watched, dtype=np.float64))


def _require_one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    listed = ", ".join(map(repr, allowed[:-1])) + f" or {allowed[-1]!r}"
    require(value in allowed, f"{name} must be {listed}", value)


def _check_finite(loss: float, *, epoch: int, lr: float) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss must stay a finite number, however: {loss} in epoch {epoch} with lr={lr:g}. "
            f"Use a smaller learning rate, such as lr={lr / 10:g}."
        )
