from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kpipe
from kpipe.runs.run import Run


@pytest.fixture(scope="package")
def titanic(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of one model on the embedded sample."""
    return kpipe.run("titanic", models=["linear"], folds=2, out=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="package")
def three_models(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of three models, two of which keep learning curves."""
    models = ["linear", "neural", "boosting"]
    return kpipe.run("titanic", models=models, folds=2, out=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a regression."""
    slug = "house-prices-advanced-regression-techniques"
    return kpipe.run(slug, models=["linear"], folds=2, out=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copied(titanic: Run, tmp_path: Path) -> Path:
    """A copy of the folder of the run ``titanic``."""
    return Path(shutil.copytree(titanic.path, tmp_path / "titanic" / titanic.path.name))
