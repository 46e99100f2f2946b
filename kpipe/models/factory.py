"""Helpers for model factories: merge options with defaults, and refuse tasks that a model cannot do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kpipe.core.values import Context
from kpipe.core.wording import did_you_mean, listed
from kpipe.errors import UsageError

__all__ = [
    "canonical_names",
    "require_binary",
    "require_classification",
    "require_known",
    "unknown_option",
    "with_context",
    "without_conflicts",
]


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
        The same values by canonical name. An option of None is left to kpipe's default and omitted.

    Raises
    ------
    UsageError
        If an option is given under two of its names.

    Examples
    --------
    >>> canonical_names({"eta": 0.1, "max_depth": 3, "subsample": None}, {"eta": "learning_rate"})
    {'learning_rate': 0.1, 'max_depth': 3}
    """
    named: dict[str, str] = {}
    for name in (name for name, value in options.items() if value is not None):
        other = named.setdefault(aliases.get(name, name), name)
        if other != name:
            raise UsageError(
                f"{other} and {name} are names of the same option: give only one of them.", code="conflicting-options"
            )
    return {canonical: options[name] for canonical, name in named.items()}


def without_conflicts(
    defaults: Mapping[str, Any], options: Mapping[str, Any], conflicts: Iterable[tuple[str, object, tuple[str, ...]]]
) -> dict[str, Any]:
    """The defaults that do not conflict with the user's options: a library refuses some combinations.

    Parameters
    ----------
    defaults, options : mapping of str to object
        By canonical name.
    conflicts : iterable of (str, object, tuple of str)
        An option, the value from which the conflict arises (None: any value), and the defaults to omit.

    Returns
    -------
    dict of str to object
        Those of ``defaults`` that remain.

    Examples
    --------
    >>> without_conflicts({"rows": True, "depth": 6}, {"columns": True}, [("columns", True, ("rows",))])
    {'depth': 6}
    """
    omitted = {
        default
        for name, value, others in conflicts
        if name in options and (value is None or options[name] == value)
        for default in others
    }
    return {name: value for name, value in defaults.items() if name not in omitted}


def require_known(name: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Refuse an option that a library does not have and would silently ignore.

    Parameters
    ----------
    name : str
        The model's name in the catalogue.
    options : iterable of str
        Names of the user's options.
    known : iterable of str
        Every name of every option.

    Raises
    ------
    UsageError
        With the option that was probably meant.
    """
    known = set(known)
    for option in options:
        if option not in known:
            raise unknown_option(name, option, sorted(known))


def unknown_option(name: str, option: str, known: Iterable[str]) -> UsageError:
    """The error for an option that a model does not have.

    Parameters
    ----------
    name : str
        The model's name in the catalogue.
    option : str
        What the user wrote.
    known : iterable of str
        The options that exist.

    Returns
    -------
    UsageError
        To be raised by the caller.
    """
    known = list(known)
    hint = did_you_mean(option, known) or (f" Its options: {listed(known)}." if known else " It has no options.")
    return UsageError(f"The model {name!r} has no option {option!r}.{hint}", code="unknown-model-option")


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
        raise UsageError(
            f"The model {name!r} needs classes, but the task is {context.task}. Choose another model.",
            code="model-unsuitable",
        )


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
        raise UsageError(
            f"The model {name!r} needs two classes, but {found}. Choose another model.", code="model-unsuitable"
        )
