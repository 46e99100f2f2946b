from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.runs.run import Run
from tests.runs.helpers import trained
from tests.tables import survivors, write


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files (``data``) and the runs (``out``) that tests share."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="package")
def both(home: Path) -> tuple[Run, Run]:
    """Two runs that classify the same rows, by a linear model and by a forest."""
    return trained(home, models=["linear"], metric="accuracy"), trained(home, models=["forest"], metric="accuracy")


@pytest.fixture(scope="package")
def shops(home: Path) -> Path:
    """Prices in twelve shops, each with an effect of its own; the test rows are of other shops."""
    folder, rng = home / "data" / "shops", np.random.default_rng(0)
    shop, n = np.arange(300) // 25, 240
    level, effect = rng.normal(size=12), 0.8 * rng.normal(size=12)
    frame = pd.DataFrame({"id": np.arange(300), "shop": shop, "level": level[shop], "f": rng.normal(size=300)})
    frame = frame.assign(shop=np.where(shop % 2, "odd ", "even ") + frame["shop"].astype(str))
    frame["cost"] = frame["f"] + effect[shop] + 0.2 * rng.normal(size=300)
    frame["price"] = 2 * frame["cost"] + 0.1 * rng.normal(size=300)
    folder.mkdir(parents=True)
    frame[:n].to_csv(folder / "train.csv", index=False)
    frame[n:].drop(columns=["price", "cost"]).to_csv(folder / "test.csv", index=False)
    frame[n:][["id"]].assign(price=0.5).to_csv(folder / "sample_submission.csv", index=False)
    return folder


@pytest.fixture(scope="package")
def priced(home: Path, shops: Path) -> tuple[Run, Run]:
    """Two runs whose folds keep shops whole: without the level of the shop, and with it."""
    options = {"models": ["linear"], "metric": "mae", "split": "shop", "folds": 3, "target": "price"}
    return trained(home, "shops", drop=["cost", "level"], **options), trained(home, "shops", drop=["cost"], **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a competition without a module."""
    made = survivors()
    noted = replace(made, train=made.train.assign(note="a"), test=made.test.assign(note="a"))
    return write(noted, tmp_path / "data")
