from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """A function (path, options of the context) → the page. A log message, a request or a dialog fails the test."""
    messages: list[str] = []
    contexts = []

    def open_(path: Path, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("dialog", lambda dialog: messages.append(dialog.message))
        page.on(
            "request", lambda request: messages.append(request.url) if request.url[:5] not in ("file:", "data:") else 0
        )
        page.goto(path.resolve().as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert messages == []
