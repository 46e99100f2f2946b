"""The reference of the Python API: a page for each public name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import kpipe
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

from pages import blocks  # tools/ is no package

PAGES = ROOT / "docs" / "reference" / "api"


@pytest.mark.parametrize("name", kpipe.__all__)
def test_each_public_name_has_a_page_with_an_example(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# kpipe.{name}\n")
    assert "```python" in text or "Examples\n" in (getattr(kpipe, name).__doc__ or "") or name in ("runs", "report")
    assert f"(api/{name}.md)" in (PAGES.parent / "python.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_the_example_on_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if block.runs:
            exec(block.text, {})


def test_no_page_is_left_of_a_name_that_has_gone() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {*kpipe.__all__}
