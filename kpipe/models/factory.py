"""Helpers that model factories share: merging options with defaults, and refusing tasks that a model cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kpipe.core.values import Context
from kpipe.errors import UsageError

__all__ = ["canonical_names", "require_binary", "require_classification", "with_context"]


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


def with_context(options: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The user's options, with the context's seed, threads and device where the user gave none.

    Parameters
    ----------
    options : mapping of str to object
        The user's options for a torch estimator.
    context : Context
        The context of the fit.

    Returns
    -------
    dict of str to object
        Keyword arguments of the estimator, among them ``random_state``, ``threads`` and ``device``.
    """
    return {"random_state": context.seed, "threads": context.threads, "device": context.device, **options}


def require_classification(name: str, context: Context) -> None:
    """Refuse a regression.

    Parameters
    ----------
    name : str
        The model's name in the catalogue.
    context : Context
        The context of the fit.

    Raises
    ------
    UsageError
        If the task is not classification.
    """
    if context.task != "classification":
        raise UsageError(f"The model {name!r} needs classes, but the task is {context.task}. Choose another model.")


def require_binary(name: str, context: Context) -> None:
    """Refuse everything but a classification of two classes.

    Parameters
    ----------
    name : str
        The model's name in the catalogue.
    context : Context
        The context of the fit.

    Raises
    ------
    UsageError
        If the task is not classification or has more than two classes.
    """
    if context.task != "classification" or context.n_classes > 2:
        found = f"the target has {context.n_classes}" if context.task == "classification" else "the task is regression"
        raise UsageError(f"The model {name!r} needs two classes, but {found}. Choose another model.")
