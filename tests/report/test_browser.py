"""Reports in a real Chromium, where one is installed."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.report import write
from kpipe.runs.run import Run
from tests.report.pages import EVIL


@pytest.mark.slow
def test_in_a_browser_tables_sort_by_click_and_by_keyboard(titanic: Run, opened: Any) -> None:
    page = opened(write(titanic))
    page.locator("#checks details.fold > summary").click()
    table = page.get_by_role("table", name=re.compile("checks passed"))
    heading = table.get_by_role("columnheader", name="check")
    names = lambda: table.locator("tbody th").all_text_contents()  # noqa: E731  # called three times
    before = names()
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert names() == sorted(before)
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert names() == sorted(before, reverse=True)


@pytest.mark.slow
def test_in_a_browser_numbers_sort_as_numbers_and_unknown_values_last(titanic: Run, opened: Any) -> None:
    page = opened(write(titanic))
    table = page.get_by_role("table", name="Columns by shift between train and test")
    table.get_by_role("columnheader", name="distinct").get_by_role("button").click()
    column = table.locator("thead th").all_text_contents().index("distinct")
    shown = [float(cells.nth(column - 1).text_content().replace(",", "")) for cells in
             (row.locator("td") for row in table.locator("tbody tr").all())]  # fmt: skip
    assert shown == sorted(shown, reverse=True)


@pytest.mark.slow
def test_in_a_browser_sections_collapse_and_a_link_expands_its_section(titanic: Run, opened: Any) -> None:
    page = opened(write(titanic))
    expanded = lambda: page.locator("details.section[open]").count()  # noqa: E731  # called three times
    page.locator("#score summary").focus()
    page.keyboard.press("Enter")
    assert not page.locator("#score").evaluate("section => section.open")
    page.get_by_role("button", name="Collapse all sections").click()
    assert expanded() == 0
    page.get_by_role("navigation").get_by_role("link", name="Folds").click()
    page.locator("#folds[open]").wait_for()
    page.get_by_role("button", name="Collapse all sections").click()
    page.get_by_role("button", name="Expand all sections").click()
    assert expanded() == page.locator("details.section").count()


@pytest.mark.slow
def test_in_a_browser_the_contents_stay_in_sight_and_mark_the_section_that_is_read(titanic: Run, opened: Any) -> None:
    page = opened(write(titanic), viewport={"width": 1280, "height": 800})
    link = page.get_by_role("navigation").get_by_role("link", name="Checks")
    link.click()
    page.locator('nav a[aria-current][href="#checks"]').wait_for()
    assert link.bounding_box()["y"] < 800


@pytest.mark.slow
def test_in_a_browser_a_long_table_shows_its_first_rows_until_it_is_expanded(titanic: Run, opened: Any) -> None:
    page = opened(write(titanic))
    table = page.get_by_role("table", name=re.compile("rows with the largest error"))
    assert table.locator("tbody tr:visible").count() == 10
    page.locator("#worst details.all > summary").click()
    assert table.locator("tbody tr:visible").count() == table.locator("tbody tr").count() > 10


@pytest.mark.slow
def test_in_a_browser_checks_are_cards_on_a_phone(titanic: Run, opened: Any) -> None:
    page = opened(write(titanic), viewport={"width": 400, "height": 740})
    page.locator("#checks details.fold > summary").click()
    row = page.locator("#checks tbody tr").first
    name, _, detail = (row.locator("th, td").nth(number).bounding_box() for number in range(3))
    assert detail["y"] > name["y"]
    assert detail["width"] > 300


@pytest.mark.slow
def test_in_a_browser_every_element_has_an_accessible_name_and_headings_skip_no_level(
    titanic: Run, opened: Any
) -> None:
    page = opened(write(titanic))
    page.evaluate("document.querySelectorAll('details').forEach(section => { section.open = true; })")
    for role in ("img", "table", "region", "button", "link", "columnheader"):
        found = page.get_by_role(role)
        assert found.count() == page.get_by_role(role, name=re.compile(r"\S")).count() > 0, role
    levels = [int(name[1]) for name in page.locator("h1, h2, h3").evaluate_all("all => all.map(one => one.tagName)")]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


CONTRAST = """() => {
  const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => { paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return Array.from(paint.getImageData(0, 0, 1, 1).data); };
  const light = (c) => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => { const chain = []; for (let n = one; n; n = n.parentElement) chain.unshift(n);
    let under = [255, 255, 255];
    for (const n of chain) { const [r, g, b, a] = rgba(getComputedStyle(n).backgroundColor);
      under = [r, g, b].map((v, i) => v * a / 255 + under[i] * (1 - a / 255)); }
    return under; };
  const worst = [];
  for (const one of document.querySelectorAll('p, td, th, dd, dt, h1, h2, h3, a, .badge, figcaption, li > span')) {
    if (!one.textContent.trim()) continue;
    const [a, b] = [light(rgba(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    worst.push([(a + 0.05) / (b + 0.05), one.className + ' ' + one.textContent.slice(0, 30)]);
  }
  return worst.sort((x, y) => x[0] - y[0])[0];
}"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_text_has_contrast_in_light_and_dark_colours_and_fits_a_phone(
    titanic: Run, opened: Any, scheme: str
) -> None:
    page = opened(write(titanic), color_scheme=scheme, viewport={"width": 360, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach(section => { section.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    contrast, where = page.evaluate(CONTRAST)
    assert contrast >= 4.5, where  # WCAG 2.2, 1.4.3


@pytest.mark.slow
def test_in_a_browser_hostile_data_runs_no_script(tmp_path: Path, opened: Any) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": range(160), EVIL: rng.normal(size=160), "b": rng.choice([EVIL, "</td>", "{{7*7}}"], 160)}
    )
    train = frame.head(100).assign(y=np.where(frame[EVIL].head(100) > 0, EVIL, "</script>"))
    for name, part in {"train": train, "test": frame.tail(60)}.items():
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    frame.tail(60)[["id"]].assign(y="</script>").to_csv(tmp_path / "sample_submission.csv", index=False)
    run = kpipe.run("hostile", data=tmp_path, models=["linear"], folds=2, metric="accuracy", out=tmp_path / "runs")
    page = opened(write(run))
    assert page.locator("script").count() == 1
    assert page.get_by_role("table", name="Confusion matrix").get_by_text("<script>").count() > 0


@pytest.mark.slow
def test_in_a_browser_digits_are_images_with_descriptions(tmp_path: Path, opened: Any) -> None:
    run = kpipe.run("digit-recognizer", models=["linear"], folds=2, out=tmp_path)
    pictures = opened(write(run)).locator(".gallery img")
    assert pictures.count() > 0
    assert re.fullmatch(
        r"Row \d+: \d, predicted as \d; predicted probability of the true class 0\.\d\d",
        str(pictures.first.get_attribute("alt")),
    )
    assert pictures.first.evaluate("picture => picture.naturalWidth") == 28
