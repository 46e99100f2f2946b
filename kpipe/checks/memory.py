"""Whether fits share state, read files by themselves, or depend on the process that they run in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpipe.checks.fresh_process import FreshFit, FreshFitError, fit_in_fresh_process
from kpipe.checks.interface import Finding, TrainedModels
from kpipe.checks.statistics import list_names
from kpipe.checks.trainer import Trainer, changed_rows
from kpipe.core.values import Folds, Predictions
from kpipe.errors import TrainingError

__all__ = ["memory_between_fits"]

# Values of PYTHONHASHSEED; the second and third show whether a difference is due to hashes.
_HASH_SEEDS = (20_011, 31_337, 271)
_ALONE = (
    "{error}. It depends on state of this process: a table that clean, a splitter or an earlier fit has stored outside "
    "of the fitted object. Pass it through columns and parameters."
)
_OF_FILES = (
    "when train.csv on disk has other rows than those that are passed to fit: the module reads the file by itself, "
    "including validation rows and their targets. Use the tables that are passed to clean; list additional files in "
    "`extra`."
)
_OF_PROCESSES = (
    "from one process to the next: it depends on hash(), on the order of a set, or on the clock. Sort sets, hash with "
    "hashlib, and pass context.seed to every random step."
)
_OF_FITS = (
    "when the last fold is fitted alone in a fresh process, and from one fit to the next in this one: it is random, or "
    "keeps state. Pass context.seed to every random step, and keep nothing outside of the fitted object."
)
_BETWEEN_FITS = (
    "when the last fold is fitted alone in a fresh process: state is kept between fits (a cache, a class attribute, a "
    "table stored by an import or a splitter). Keep nothing outside of the fitted object."
)


def memory_between_fits(trainer: Trainer, _: TrainedModels) -> Iterator[Finding]:
    """The last fold, fitted here after others, and alone in a fresh process with other hashes, clock and train.csv.

    Parameters
    ----------
    trainer : Trainer

    Yields
    ------
    Finding
    """

    def fit(hash_seed: int, *, spoilt: bool = False) -> FreshFit:
        return fit_in_fresh_process(
            trainer.problem,
            trainer.last_fold,
            trainer.models,
            device=trainer.device,
            hash_seed=hash_seed,
            spoilt=spoilt,
        )

    try:
        fresh = fit(_HASH_SEEDS[0], spoilt=True)
    except FreshFitError as error:
        yield "fail", f"The last fold can be fitted here, but {_ALONE.format(error=error)}"
        return
    except TrainingError as error:
        yield "skipped", f"Not checked: {error}."
        return
    if (files := _own_files(fresh)) is not None:
        yield "fail", files
        return
    if fresh.cleaned:
        yield "fail", f"clean fills {list_names(fresh.cleaned)} otherwise {_OF_PROCESSES}"
        return
    changed = _first_change(trainer.train_last_fold(), fresh.predictions, trainer.last_fold)
    if not changed:
        yield (
            "pass",
            "The last fold gives the same predictions when it is fitted alone in a fresh process, with other hashes, "
            "another clock and another train.csv on disk.",
        )
        return
    if _first_change(trainer.train_last_fold(), trainer.train_last_fold(), trainer.last_fold):
        yield "fail", f"{changed} {_OF_FITS}"
        return
    whole, others = fit(_HASH_SEEDS[0]), [fit(seed) for seed in _HASH_SEEDS[1:]]
    if _first_change(whole.predictions, fresh.predictions, trainer.last_fold):
        cause = _OF_FILES
    elif any(_first_change(whole.predictions, other.predictions, trainer.last_fold) for other in others):
        cause = _OF_PROCESSES
    else:
        cause = _BETWEEN_FITS
    yield "fail", f"{changed} {cause}"


def _own_files(fresh: FreshFit) -> str | None:
    """What is wrong if the module opened files of the data, or of fits before; None if it did not."""
    if fresh.opened:
        return (
            f"The competition's code opens {', '.join(fresh.opened[:3])} by itself: it may see validation rows and "
            "their targets. Use the tables that are passed to clean and the rows that are passed to fit; list "
            "additional files in `extra`."
        )
    if fresh.kept:
        return (
            f"The competition's code opens {', '.join(fresh.kept[:3])}, which an earlier call of fit or clean has "
            "written: it may contain results of other folds or other data. Keep nothing between fits, or name the "
            "file by a hash of everything that its content depends on."
        )
    return None


def _first_change(one: Predictions, two: Predictions, fold: Folds) -> str:
    """The subject and predicate of a sentence about the first model whose predictions differ; empty if none do."""
    held = fold.valid[0]
    for a, b in zip(one.models, two.models, strict=True):
        changed = np.concatenate([changed_rows(a.oof[held], b.oof[held]), changed_rows(a.test, b.test)])
        if changed.any():
            return f"{a.name} changes {changed.sum()} of {len(changed)} predictions"
    return ""
