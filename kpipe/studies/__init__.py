"""The notebooks that kpipe came from: each trained again as published, then judged as ``kpipe run`` judges.

A new study is one module in this folder, with a function ``findings``, and one line in ``STUDIES``. Nothing heavy is
loaded before a study is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.errors import UsageError

if TYPE_CHECKING:
    from kpipe.studies.findings import Findings

__all__ = ["STUDIES", "study"]

Tell = Callable[[str], None]

_SHORTENED = (
    "A look, not the study: the words of this page were written for Kaggle's files and the full training. Here, with "
    "sample data or fewer epochs, the numbers need not bear them out."
)

STUDIES = {
    "titanic-from-scratch": ("kpipe.studies.titanic_from_scratch", "linear, sigmoid, one hidden layer, deep"),
    "house-prices-mlp": ("kpipe.studies.house_prices_mlp", "one linear layer, then deeper, on log RMSE"),
    "titanic-two-targets": ("kpipe.studies.titanic_two_targets", "Survived and Age at once, 100 nets side by side"),
    "fully-connected": ("kpipe.studies.fully_connected", "underfit, just right, overfit; draws its own points"),
    "digits-from-scratch": (
        "kpipe.studies.digits_from_scratch",
        "a line to a convolution, and 0.10 on the leaderboard",
    ),
}


def study(
    name: str, *, data: Path | None = None, runs: int | None = None, epochs: int | None = None, tell: Tell = print
) -> Findings:
    """What a study finds: tables, pictures and the words between them.

    data : folder or Kaggle's zip of the study's competition; default: what is found, last the embedded sample.
    runs : how often what is random is drawn; default: the study's own number.
    epochs : no training is longer; for a quick look, whose numbers are not the published ones.
    tell : called with a line for every part that begins.
    Raises UsageError for a name that is no study, and for data given to a study that draws its own.
    """
    if name not in STUDIES:
        close = get_close_matches(name, STUDIES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UsageError(f"There is no study {name!r}.{hint} The studies are: {', '.join(STUDIES)}.")
    began = time.perf_counter()
    found: Findings = import_module(STUDIES[name][0]).findings(data=data, runs=runs, epochs=epochs, tell=tell)
    notice = _SHORTENED if epochs is not None or found.sample else ""
    return replace(found, name=name, notice=notice, seconds=time.perf_counter() - began)
