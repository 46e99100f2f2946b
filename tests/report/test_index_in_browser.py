"""The page of all runs in a real Chromium, where one is installed."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from kpipe.report import write_index
from kpipe.runs.run import Run
from tests.report.test_browser import CONTRAST
from tests.report.workspaces import run_id, workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def index(titanic: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs of two competitions."""
    first = titanic.record["models"][0]
    records = [
        {"score": 0.70, "name": "titles"},
        {"score": 0.95, "options": {"drop": ["Ticket"]}},
        {"score": 0.80, "models": [{**first, "name": "boosting", "weight": 1.0}]},
        {"score": None},
        {"score": 9.5, "slug": "other", "metric": {"name": "rmse", "greater_is_better": False}},
        {"score": 100.5, "slug": "other", "metric": {"name": "rmse", "greater_is_better": False}},
    ]
    out = tmp_path_factory.mktemp("index")
    return write_index(workspace(out, titanic, records, [{"run_id": 1, "public_score": 0.77}]))[0]


def shown(page: Any) -> list[str]:
    return [row[-2:] for row in page.locator("tr[data-run]:visible").evaluate_all("all => all.map(r => r.dataset.run)")]


def test_in_a_browser_runs_sort_by_click_and_by_keyboard(index: Path, opened: Any) -> None:
    page = opened(index)
    assert shown(page) == ["05", "04", "03", "02", "01", "00"]
    table = page.get_by_role("table", name="titanic")
    heading = table.get_by_role("columnheader", name="score ± error")
    heading.get_by_role("button").click()
    assert shown(page) == ["05", "04", "01", "02", "00", "03"]  # the unknown score last
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert shown(page)[2:] == ["00", "02", "01", "03"]
    table.get_by_role("columnheader", name="made (UTC)").get_by_role("button").click()
    assert shown(page)[2:] == ["03", "02", "01", "00"]


def test_in_a_browser_runs_are_filtered_by_words_competition_and_state(index: Path, opened: Any) -> None:
    page = opened(index)
    page.get_by_label("Filter").fill("ticket")
    assert shown(page) == ["01"]
    assert page.get_by_text("1 of 6 runs").is_visible()
    assert page.locator(".timeline .run.away").count() == 4
    page.get_by_label("Filter").fill("BOOST titanic")
    assert shown(page) == ["02"]
    page.get_by_label("Filter").fill("")
    page.get_by_label("Competition").select_option("other")
    assert shown(page) == ["05", "04"]
    page.get_by_label("Competition").select_option("")
    page.get_by_label("Show").select_option("sent")
    assert shown(page) == ["01"]


def test_in_a_browser_two_ticked_runs_stand_side_by_side(index: Path, opened: Any) -> None:
    page = opened(index)
    panel = page.locator("#compare")
    assert panel.is_hidden()
    page.get_by_label("Compare titles").check()
    assert page.get_by_text("titles is ticked. Tick another run").is_visible()
    page.get_by_label("Compare 000002").focus()
    page.keyboard.press("Space")
    assert panel.locator("thead th").all_text_contents() == ["", "titles", "000002"]
    assert "000002 is better by 0.1" in str(panel.text_content())
    assert f"kpipe compare {run_id(0)} {run_id(2)}" in str(panel.text_content())
    lines = panel.locator("tbody tr")
    differing = lines.count()
    assert panel.get_by_role("row", name="model boosting").count() == 1
    assert panel.get_by_role("row", name="folds").count() == 0  # equal
    panel.get_by_label("Only what differs").uncheck()
    assert lines.count() > differing
    page.get_by_role("link", name="side by side").click()
    page.wait_for_function("document.activeElement.id === 'compare'")
    page.get_by_label("Compare 000001").check()  # the first one ticked gives way
    assert panel.locator("thead th").all_text_contents() == ["", "000002", "000001"]
    assert not page.get_by_label("Compare titles").is_checked()
    page.get_by_label("Compare 000005").check()
    assert "their scores do not compare" in str(panel.text_content())
    page.get_by_role("button", name="Clear").click()
    assert panel.is_hidden()
    assert page.locator(".pick input:checked").count() == 0


def test_in_a_browser_without_script_the_page_is_a_plain_table(index: Path, opened: Any) -> None:
    page = opened(index, java_script_enabled=False)
    assert page.locator("tr[data-run]:visible").count() == 6
    assert page.get_by_role("searchbox").count() == 0
    assert page.get_by_role("checkbox").count() == 0
    assert page.locator(".pick").first.is_hidden()
    assert page.locator("svg.timeline").count() == 2


def test_in_a_browser_every_control_has_a_name_and_the_keyboard_reaches_it(index: Path, opened: Any) -> None:
    page = opened(index)
    for role in ("img", "table", "region", "button", "link", "columnheader", "checkbox", "combobox", "searchbox"):
        found = page.get_by_role(role)
        assert found.count() == page.get_by_role(role, name=re.compile(r"\S")).count() > 0, role
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.ariaLabel"))
    assert {"filter", "slug", "state", "Compare titles"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_in_a_browser_the_page_fits_and_has_contrast(index: Path, opened: Any, scheme: str, width: int) -> None:
    page = opened(index, color_scheme=scheme, viewport={"width": width, "height": 800})
    for box in page.locator(".pick input").all()[2:4]:
        box.check()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    contrast, where = page.evaluate(CONTRAST)
    assert contrast >= 4.5, where  # WCAG 2.2, 1.4.3


def test_in_a_browser_five_hundred_runs_open_and_filter_fast(titanic: Run, tmp_path: Path, opened: Any) -> None:
    records = [{"score": 0.5 + n % 97 / 300, "name": f"try {n}"} for n in range(500)]
    path = write_index(workspace(tmp_path / "runs", titanic, records))[0]
    began = time.perf_counter()
    page = opened(path)
    page.get_by_label("Filter").fill("try 499")
    assert shown(page) == ["f3"]
    assert time.perf_counter() - began < 10  # 0.7 s on an idle core
