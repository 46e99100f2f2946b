"""Models: factories ``Context → estimator``, each with the encoding it needs, found by name and loaded on first use.

A new model is one factory in one file of this folder and one line in ``CATALOG``. Competitions and ``--model`` name
models, so that neither imports torch or a booster before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kpipe.core.values import Context
from kpipe.errors import UsageError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["CATALOG", "Model", "model", "no_model"]

CATALOG = {
    "linear": ("kpipe.models.linear", "logistic or ridge regression on scaled numbers and dummies"),
    "boosting": ("kpipe.models.lightgbm", "LightGBM's gradient-boosted trees with native categories"),
    "catboost": ("kpipe.models.catboost", "CatBoost's symmetric trees with its own statistics of categories"),
    "xgboost": ("kpipe.models.xgboost", "XGBoost's histogram trees with native categories"),
    "forest": ("kpipe.models.forest", "scikit-learn's extremely randomised trees on numbers and dummies"),
    "text": ("kpipe.models.text", "TF-IDF of words and pieces of words in a linear model, for prose"),
    "tabular-net": (
        "kpipe.models.nets.tabular_net",
        "a net like TabM: pieces of each number, members that share",
    ),
    "neural": ("kpipe.models.nets.neural", "a torch net of fully connected layers on scaled numbers and dummies"),
    "mlp": (
        "kpipe.models.teaching.mlp",
        "a plain net whose parts are options: layers, activation, first weights, decay",
    ),
    "convnet": ("kpipe.models.nets.convnet", "a small convolutional torch net for tables of pixels"),
    "convnet-large": ("kpipe.models.nets.convnet", "the same with four times the weights, in four times the time"),
    "fastai-tabular": (
        "kpipe.models.nets.fastai_tabular",
        "fastai's tabular learner: embeddings, two layers, 1 cycle",
    ),
    "fastai-conv": (
        "kpipe.models.nets.fastai_learner",
        "convolutions of stride 2 for pixels, by fastai's Learner",
    ),
    "one-number": (
        "kpipe.models.teaching.one_number",
        "labels as numbers: one output, the nearest label; instructive, not good",
    ),
    "straight-line": (
        "kpipe.models.teaching.scratch",
        "two classes: the notebooks' linear model, from scratch",
    ),
    "sigmoid": ("kpipe.models.teaching.scratch", "two classes: the same through a sigmoid"),
    "shallow": ("kpipe.models.teaching.scratch", "two classes: one hidden layer, from scratch"),
    "two-targets": (
        "kpipe.models.teaching.two_targets",
        "two classes: 100 small nets that also learn Age",
    ),
    "deep": ("kpipe.models.teaching.scratch", "two classes: two hidden layers, from scratch"),
}


@dataclass(frozen=True)
class Model:
    """A model of the catalogue with options: called with a Context, it gives an unfitted estimator. Can be pickled."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, context: Context) -> BaseEstimator:
        """The estimator."""
        factory: Callable[..., BaseEstimator] = getattr(
            import_module(CATALOG[self.name][0]), self.name.replace("-", "_")
        )
        return factory(context, **self.options)


def model(name: str, **options: Any) -> Model:
    """A model of the catalogue by name, with options for its factory; nothing is loaded yet.

    Raises UsageError, with a near miss, for a name that the catalogue does not have.

    >>> model("linear", C=0.5)
    Model(name='linear', options={'C': 0.5})
    """
    if name not in CATALOG:
        raise no_model(name, list(CATALOG))
    return Model(name, options)


def no_model(name: str, known: Sequence[str]) -> UsageError:
    """That there is no such model, with a near miss, and those that there are."""
    close = [one for one in known if name and one.startswith(name)] or get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return UsageError(f"There is no model {name!r}.{hint} The models are: {', '.join(known)}.")
