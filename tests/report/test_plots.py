from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO

import pytest

import kpipe
from kpipe.errors import UsageError
from kpipe.report import score, write
from kpipe.report.blocks import Plot
from kpipe.runs.run import Run

PLOTS = (
    "scores", "folds", "learning_curves", "confusion", "roc", "precision_recall", "calibration", "probabilities",
    "thresholds", "target",
)  # fmt: skip


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_a_figure_in_colours_for_print(three_models: Run, name: str) -> None:
    figure = getattr(kpipe.plot(three_models), name)()
    sink = BytesIO()
    figure.savefig(sink, format="svg")
    drawn = sink.getvalue().decode()
    assert len(figure.axes) == 1
    assert drawn.count("<path") > 3
    assert not re.search("#0101[01][0-9]", drawn)


@pytest.mark.parametrize("name", ["truth", "residuals", "errors", "submission", "scores", "folds", "target"])
def test_a_regression_has_its_own_plots(house: Run, name: str) -> None:
    assert len(getattr(kpipe.plot(house), name)().axes) == 1


def test_learning_curves_of_one_model_by_its_name(three_models: Run) -> None:
    assert "boosting" in kpipe.plot(three_models).learning_curves("boosting").axes[0].get_ylabel()


def test_a_plot_that_does_not_apply_raises_a_usage_error_with_those_that_do(house: Run, three_models: Run) -> None:
    with pytest.raises(UsageError, match=re.escape("plot(run).roc() does not apply to this run. It has: scores()")):
        kpipe.plot(house).roc()
    with pytest.raises(UsageError, match=re.escape("learning_curves('boosting')")):
        kpipe.plot(three_models).learning_curves("linear")


def test_a_notebook_shows_a_plot_as_an_image(house: Run) -> None:
    assert kpipe.plot(house).folds()._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"


def test_dir_lists_the_plots_that_apply_to_the_run(three_models: Run, house: Run) -> None:
    assert set(PLOTS) == set(dir(kpipe.plot(three_models)))
    assert "roc" not in dir(kpipe.plot(house))
    assert "residuals" in dir(kpipe.plot(house))
    assert "learning_curves('neural')" in repr(kpipe.plot(three_models))


def test_private_names_are_not_plots(house: Run) -> None:
    assert not hasattr(kpipe.plot(house), "_repr_html_")  # a notebook asks for it


def test_a_plot_of_a_section_is_on_the_page_and_in_kpipe_plot(house: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new plot is a change of one file, that of its section."""
    added = Plot(name="added", draw=lambda ax: ax.plot([0, 1]), alt="An added plot.", caption="An added plot.")
    section = score.section
    monkeypatch.setattr(score, "section", lambda run: replace(found := section(run), blocks=[*found.blocks, added]))
    assert "An added plot." in write(house, budget=0.0).read_text(encoding="utf-8")
    assert len(kpipe.plot(house).added().axes) == 1
