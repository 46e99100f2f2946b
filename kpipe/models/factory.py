"""Helpers that model factories share: merging options with defaults, and refusing tasks that a model cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kpipe.core.values import Context
from kpipe.errors import UsageError

__all__ = ["canonical_names", "net_options", "require_binary", "require_classification"]


def canonical_names(options: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Options under the one name that a library's defaults use, whichever alias the user wrote.

    Without this, a default and the user's option would reach the library under two names, and the library would choose.

    Parameters
    ----------
    options : mapping of str to object
        The user's options.
    aliases : mapping of str to str
        Alias to canonical name.

    Returns
    -------
    dict of str to object
        The same values by canonical name; of two names for one option, the later one counts.

    Examples
    --------
    >>> canonical_names({"eta": 0.1, "max_depth": 3}, {"eta": "learning_rate"})
    {'learning_rate': 0.1, 'max_depth': 3}
    """
    return {aliases.get(name, name): value for name, value in options.items()}


def net_options(context: Context) -> dict[str, Any]:
    """The parameters that every torch estimator takes from the context.

    Parameters
    ----------
    context : Context
        The context of the fit.

    Returns
    -------
    dict of str to object
        ``random_state``, ``threads`` and ``device``.
    """
    return {"random_state": context.seed, "threads": context.threads, "device": context.device}


def require_classification(context: Context, name: str) -> None:
    """Refuse a regression.

    Parameters
    ----------
    context : Context
        The context of the fit.
    name : str
        The model's name in the catalogue.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    if context.task != "classification":
        raise UsageError(
            f"The model {name!r} needs a classification task, but the task is {context.task}. Choose another model."
        )


def require_binary(context: Context, name: str) -> None:
    """Refuse everything but a classification of two classes.

    Parameters
    ----------
    context : Context
        The context of the fit.
    name : str
        The model's name in the catalogue.

    Raises
    ------
    UsageError
        If the task is not classification or has more than two classes.
    """
    require_classification(context, name)
    if context.n_classes > 2:
        raise UsageError(
            f"The model {name!r} needs a target of two classes, but it has {context.n_classes}. Choose another model."
        )
