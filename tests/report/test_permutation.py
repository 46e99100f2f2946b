from __future__ import annotations

from kpipe.report import write
from kpipe.runs.run import Run
from tests.report.pages import Page


def test_the_model_that_is_trained_again_reproduces_the_predictions_of_the_run(titanic: Run) -> None:
    page = Page(write(titanic).read_text(encoding="utf-8"))
    assert "The model reproduces the run's predictions." in page.text
