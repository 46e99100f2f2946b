"""The studies by name, and the function that runs one. Nothing heavy is imported before a study runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.core.wording import did_you_mean, listed
from kpipe.errors import UsageError

if TYPE_CHECKING:
    from kpipe.studies.result import StudyResult

__all__ = ["STUDIES", "study"]

_SHORTENED_NOTICE = (
    "This is a preview, not the study: the text of this page describes the results of the full training on Kaggle's "
    "files. With the sample data or fewer epochs, the numbers may contradict it."
)

STUDIES = {  # name: (module, description)
    "titanic-from-scratch": ("kpipe.studies.titanic_from_scratch", "linear, sigmoid, one hidden layer, deep"),
    "house-prices-mlp": ("kpipe.studies.house_prices_mlp", "one linear layer, then deeper nets, by log RMSE"),
    "titanic-two-targets": ("kpipe.studies.titanic_two_targets", "Survived and Age at once, 100 nets in parallel"),
    "fully-connected": ("kpipe.studies.fully_connected", "underfitting and overfitting, on generated points"),
    "digits-from-scratch": (
        "kpipe.studies.digits_from_scratch",
        "from linear to convolutional nets, and why the leaderboard said 0.10",
    ),
}


def study(
    name: str,
    *,
    data: Path | None = None,
    runs: int | None = None,
    epochs: int | None = None,
    on_progress: Callable[[str], None] = print,
) -> StudyResult:
    """Run a study.

    Parameters
    ----------
    name : str
        A name in ``STUDIES``.
    data : Path, optional
        A folder or zip of Kaggle's files; default: where ``kpipe run`` finds them, or else the embedded sample.
    runs : int, optional
        How often to repeat what is random; default: the study's own number.
    epochs : int, optional
        The greatest number of epochs of a training: a preview with other numbers than the published ones.
    on_progress : callable
        Is called with a line of text when a part of the study begins.

    Returns
    -------
    StudyResult

    Raises
    ------
    UsageError
        If there is no study of this name, or ``data`` is given to a study that generates its own.
    """
    if name not in STUDIES:
        raise UsageError(
            f"There is no study {name!r}.{did_you_mean(name, STUDIES)} The studies: {listed(STUDIES)}.",
            code="unknown-study",
        )
    started = time.perf_counter()
    module = import_module(STUDIES[name][0])
    result: StudyResult = module.run(data=data, runs=runs, epochs=epochs, on_progress=on_progress)
    notice = _SHORTENED_NOTICE if epochs is not None or result.sample else ""
    return replace(result, name=name, notice=notice, seconds=time.perf_counter() - started)
