from __future__ import annotations

from pathlib import Path

import numpy as np

from kpipe.report import agreement
from kpipe.report.blocks import Table, Text
from kpipe.runs.loaded import load_run
from kpipe.runs.run import Run
from tests.report.pages import by_hand


def test_the_pair_of_models_whose_errors_differ_most_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y, one, other = rng.normal(size=(3, 200))
    oof = {"y": y, "blend": y + one, "a": y + one, "b": y + one + 0.1 * other, "c": y + other}
    run = by_hand(tmp_path, target="y", metric="r2", oof=oof, test={"blend": np.zeros(2)})
    models = [{"name": name, "score": 0.5, "weight": 1 / 3} for name in "abc"]
    table, text = agreement.blocks(load_run(Run(path=run.path, record={**run.record, "models": models})))
    assert isinstance(table, Table)
    assert isinstance(text, Text)
    assert [row[0].text for row in table.rows] == ["a", "b", "c"]
    assert table.rows[0][2].value > 0.9  # type: ignore[operator]
    assert text.text.startswith("a and c agree least")


def test_a_single_model_agrees_with_nobody(tmp_path: Path) -> None:
    oof = {"y": np.arange(4.0), "blend": np.arange(4.0), "linear": np.arange(4.0)}
    run = by_hand(tmp_path, target="y", metric="r2", oof=oof, test={"blend": np.zeros(2)})
    assert agreement.blocks(load_run(run)) == []
