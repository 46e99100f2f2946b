"""The section "Predictions against the truth", as the kind of target asks for."""

from __future__ import annotations

from kpipe.report import classification, multilabel, regression
from kpipe.report.blocks import Finding, Section
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["findings", "section"]


def section(run: LoadedRun, oof: OofPredictions) -> Section:
    """Predictions against the truth, as the kind of target asks for."""
    assert run.metric is not None
    if oof.classes is not None:
        return classification.section(run, oof)
    return regression.section(run, oof) if run.metric.task == "regression" else multilabel.section(oof)


def findings(run: LoadedRun, oof: OofPredictions) -> list[Finding]:
    """What stands out in the predictions."""
    if oof.classes is not None:
        return classification.findings(run, oof)
    return regression.findings(run, oof) if run.metric is not None and run.metric.task == "regression" else []
