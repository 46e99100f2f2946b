"""Checks of parameters and losses that the estimators share, worded once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kpipe.errors import TrainingError

__all__ = ["divergence_error", "require", "require_finite", "require_one_of"]


def require(holds: bool, rule: str, value: object) -> None:
    """Refuse a value that breaks a rule.

    Parameters
    ----------
    holds : bool
        Whether the rule holds.
    rule : str
        Such as ``"lr must be above 0"``.
    value : object
        What the user gave.

    Raises
    ------
    ValueError
        With the rule and the value, unless the rule holds.
    """
    if not holds:
        raise ValueError(f"{rule}, got {value!r}.")


def require_one_of(name: str, value: object, allowed: Sequence[object]) -> None:
    """Refuse a value that is not among the allowed ones.

    Parameters
    ----------
    name : str
        The parameter.
    value : object
        What the user gave.
    allowed : sequence
        Two values or more.

    Raises
    ------
    ValueError
        With the allowed values and the given one.
    """
    require(value in allowed, f"{name} must be {', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}", value)


def divergence_error(what: str, *, lr: float, detail: str = "") -> TrainingError:
    """The error for a training whose learning rate is too high.

    Parameters
    ----------
    what : str
        What is no longer finite, such as ``"The loss"``.
    lr : float
        The learning rate.
    detail : str, optional
        Its value and the epoch, such as ``"nan in epoch 3"``.

    Returns
    -------
    TrainingError
        To be raised by the caller.
    """
    found = f": {detail}" if detail else ""
    return TrainingError(
        f"{what} is no longer a finite number{found} with lr={lr:g}. "
        f"Use a smaller learning rate, such as lr={lr / 10:g}.",
        code="diverged",
    )


def require_finite(losses: ArrayLike, *, lr: float | Sequence[float], first_epoch: int = 1) -> None:
    """Refuse losses among which one is NaN or infinite.

    Parameters
    ----------
    losses : array-like of shape (epochs,)
        One loss per epoch.
    lr : float or sequence of float
        The learning rate, of all epochs or of each.
    first_epoch : int, default=1
        Number of the epoch of the first loss.

    Raises
    ------
    TrainingError
        With the first such loss, its epoch and its learning rate.
    """
    values = np.asarray(losses, dtype=np.float64)
    for place in np.flatnonzero(~np.isfinite(values))[:1]:
        rate = float(np.broadcast_to(lr, len(values))[place])
        raise divergence_error("The loss", lr=rate, detail=f"{values[place]} in epoch {first_epoch + place}")
