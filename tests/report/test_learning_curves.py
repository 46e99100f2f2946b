from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kpipe.report import learning_curves, write
from kpipe.report.blocks import Plot
from kpipe.report.svg import svg
from kpipe.runs.loaded import load_run
from kpipe.runs.run import Run


def test_a_report_draws_the_curves_of_each_model(three_models: Run) -> None:
    page = write(three_models, budget=0.0).read_text(encoding="utf-8")
    assert "Learning curves" in page
    assert re.search(r"Loss of neural: [\d.]+ at the first step, [\d.]+ after \d+ steps on training rows", page)


@pytest.mark.parametrize(
    "broken",
    [
        b"PAR1 no parquet",
        pd.DataFrame({"model": ["neural"]}),
        pd.DataFrame({"model": [1], "seed": ["x"], "fold": [None], "rows": [2.5], "step": ["a"], "loss": [{"a": 1}]}),
        pd.DataFrame({"model": ["neural"] * 2, "seed": 0, "fold": 0, "rows": "<b>", "step": [-1, 2], "loss": np.inf}),
        pd.DataFrame({"model": "neural", "seed": 0, "fold": 0, "rows": "training", "step": [1], "loss": [-1.0]}),
    ],
    ids=["no table", "columns missing", "no numbers", "not finite", "one point"],
)
def test_broken_curves_are_drawn_or_left_out(three_models: Run, tmp_path: Path, broken: Any) -> None:
    copied = Run(path=Path(shutil.copytree(three_models.path, tmp_path / "copied")), record=three_models.record)
    if isinstance(broken, bytes):
        (copied.path / "curves.parquet").write_bytes(broken)
    else:
        broken.to_parquet(copied.path / "curves.parquet")
    section = learning_curves.section(load_run(copied))
    if section is not None:
        assert [svg(block) for block in section.blocks if isinstance(block, Plot)]
