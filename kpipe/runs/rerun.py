"""The settings that a resumed or reproduced run takes over from the original run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kpipe.training.cross_validation import Fits, ShortenedFits

__all__ = ["RerunSpec"]


@dataclass(frozen=True, kw_only=True)
class RerunSpec:
    """The settings that a resumed or reproduced run takes over from the original run.

    Parameters
    ----------
    inputs : mapping, optional
        What the inputs of a resumed run must be; None accepts any inputs.
    threads : int, optional
        The CPU threads of a fit, on which the last digits of some models depend; None as a new run chooses.
    fits : Fits, optional
        Exactly these fits, however long they take; None as a new run chooses.
    steps : ShortenedFits
        The steps of those fits that a budget had shortened.
    of : str
        The id of the finished run that is reproduced; otherwise empty.
    then : mapping, optional
        The inputs of that run: what differs now is reported before anything is trained.
    notes : tuple of str
        Sentences for the user.
    """

    inputs: Mapping[str, Any] | None = None
    threads: int | None = None
    fits: Fits | None = None
    steps: ShortenedFits = field(default_factory=dict)
    of: str = ""
    then: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
