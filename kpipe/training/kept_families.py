"""The families of features that the estimator of a fit has kept, and how a checkpoint stores them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from kpipe.core.values import KeptFamily
from kpipe.features.automatic import AutomaticFeatures
from kpipe.models.per_target import PerTarget

__all__ = ["FAMILIES_SHAPE", "families_from_array", "families_to_array", "kept_families"]

_BYTES = 2_048  # of the text that is stored
_NAMED, _LONGEST = 3, 80  # features of a family, the most important ones, and characters of such a name
FAMILIES_SHAPE = (_BYTES // 4,)


def kept_families(estimator: Any) -> tuple[KeptFamily, ...]:
    """Return the families of features that lower the loss on inner splits.

    Parameters
    ----------
    estimator : fitted estimator
    """
    if isinstance(estimator, PerTarget):
        of_targets = enumerate(map(kept_families, estimator.estimators_))
        return tuple(replace(family, output=number) for number, found in of_targets for family in found)
    if isinstance(estimator, TransformedTargetRegressor):
        return kept_families(estimator.regressor_)
    if isinstance(estimator, Pipeline):
        return tuple(family for _, step in estimator.steps for family in kept_families(step))
    if not isinstance(estimator, AutomaticFeatures):
        return ()
    return tuple(
        KeptFamily(
            name=name,
            candidates=len(choice.candidates),
            strongest=tuple(" ".join(map(str, one))[:_LONGEST] for one in choice.candidates[:_NAMED]),
            gain=choice.gain,
            standard_error=choice.standard_error,
        )
        for name, choice in estimator.choices_.items()
    )


def families_to_array(families: Sequence[KeptFamily]) -> np.ndarray:
    """Return families as float64 numbers, each with four bytes of text; the last are dropped if these are too long.

    Parameters
    ----------
    families : sequence of KeptFamily
    """
    text = json.dumps([asdict(family) for family in families])
    if len(text) > _BYTES:
        return families_to_array(families[:-1])
    return np.frombuffer(text.ljust(_BYTES).encode("ascii"), dtype="<u4").astype(np.float64)


def families_from_array(array: np.ndarray) -> tuple[KeptFamily, ...]:
    """Return the families that an array stores.

    Parameters
    ----------
    array : ndarray
        As ``families_to_array`` returns it.
    """
    found = json.loads(array.astype("<u4").tobytes())
    return tuple(KeptFamily(**{**family, "strongest": tuple(family["strongest"])}) for family in found)
