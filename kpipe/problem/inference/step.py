"""The result of one inference step."""

from __future__ import annotations

from kpipe.core.values import Reason

__all__ = ["NOTHING", "Step"]

Step = tuple[dict[str, object], Reason | None]  # the fields that a step determines, and why
NOTHING: Step = ({}, None)  # the author has set the field
