from __future__ import annotations

import base64
import io
import json
import re
import shutil
import zipfile
from argparse import ArgumentParser
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.cli.main import main
from kpipe.cli.report import write_report
from kpipe.errors import OutputError
from kpipe.kaggle.kernel.build import build
from kpipe.report import write
from kpipe.runs.find import find_run
from kpipe.runs.run import Run

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{7*7}} $x_{'


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def is_safe(page: Page) -> bool:
    """One script and one style, ours; no handler, no style attribute, nothing from outside."""
    names = [name for _, attributes in page.tags for name in attributes]
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("href", "src")]
    return (
        len(page.named("script")) == len(page.named("style")) == 1
        and not [name for name in names if name.startswith("on") or name == "style"]
        and all(link is not None and link.startswith(("#", "data:image/png;base64,")) for link in links)
    )


@pytest.fixture(scope="module")
def titanic(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A real run, on the embedded sample."""
    return kpipe.run("titanic", models=["linear"], folds=2, out=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copied(titanic: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(titanic.path, tmp_path / "titanic" / titanic.path.name))


def changed(folder: Path, **fields: Any) -> Run:
    record = json.loads((folder / "run.json").read_text(encoding="utf-8")) | fields
    return Run(path=folder, record=record)  # past the command's own look at the record


def by_hand(folder: Path, *, target: str | list[str], metric: str, oof: dict[str, Any], test: dict[str, Any]) -> Run:
    """A run folder as ``kpipe.run`` writes it, of predictions that nobody trained."""
    rows, asked = (len(next(iter(columns.values()))) for columns in (oof, test))
    pd.DataFrame({"row": np.arange(rows), **oof}).to_parquet(folder / "oof.parquet")
    pd.DataFrame({"row": np.arange(asked), **test}).to_parquet(folder / "test.parquet")
    halves = [(fold, row, "valid" if row % 2 == fold else "train") for fold in (0, 1) for row in range(rows)]
    pd.DataFrame(halves, columns=["fold", "row", "role"]).to_parquet(folder / "folds.parquet")
    pd.DataFrame({"id": range(asked)}).to_csv(folder / "submission.csv", index=False)
    record = {
        "schema": 1,
        "run_id": "by-hand",
        "slug": "made-by-hand",
        "target": target,
        "metric": {"name": metric, "greater_is_better": metric not in ("rmse", "log_loss")},
        "score": 0.5,
        "standard_error": 0.1,
        "baseline": 0.1,
        "models": [{"name": "linear", "score": 0.5, "fold_scores": [0.4, 0.6], "weight": 1.0, "seconds": 1.0}],
    }
    return Run(path=folder, record=record)


def page_of(run: Run, **options: Any) -> Page:
    return Page(write(run, **options).read_text(encoding="utf-8"))


def test_a_report_is_one_small_page_with_the_score_its_error_and_its_baseline(titanic: Run) -> None:
    path = write_report(titanic)
    page = Page(path.read_text(encoding="utf-8"))
    assert path == titanic.path / "report.html"
    assert path.stat().st_size < 3_000_000
    assert is_safe(page)
    assert f"{titanic.score:.4f}" in page.text
    assert f"± {titanic.standard_error:.4f}" in page.text
    assert f"{titanic.record['baseline']:.4f}" in page.text
    for title in (
        "What to look at",
        "Confusion matrix",
        "What the prediction rests on",
        "Worst rows",
        "Data",
        "Checks",
    ):
        assert title in page.text


def test_the_policy_of_the_page_lets_only_its_own_script_and_style_run(titanic: Run) -> None:
    page = page_of(titanic)
    policy = next(m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_model_that_is_trained_again_is_the_runs_own(titanic: Run) -> None:
    page = Page(write_report(titanic).read_text(encoding="utf-8"))
    assert "The model trained again predicts what the run's model predicted." in page.text


def test_without_its_data_a_run_is_reported_and_the_page_says_what_is_missing(copied: Path) -> None:
    elsewhere = {"origin": "zip", "path": "/nowhere/titanic.zip", "files": {}, "rows": {"train": 1, "test": 1}}
    page = Page(write_report(changed(copied, data=elsewhere)).read_text(encoding="utf-8"))
    assert "/nowhere/titanic.zip is not there. Add --data PATH to show it." in page.text
    assert "Confusion matrix" in page.text
    assert "Columns, the most shifted first" not in page.text


def test_other_files_than_those_of_the_run_are_not_shown_as_its_data(copied: Path) -> None:
    run = find_run(str(copied), copied)
    data = {**run.record["data"], "files": {"train.csv": "0" * 64}}
    page = Page(write_report(changed(copied, data=data)).read_text(encoding="utf-8"))
    assert "does not hold the files that the run was made from" in page.text
    assert "Columns, the most shifted first" not in page.text


def test_what_a_run_folder_says_is_text_and_never_markup(copied: Path) -> None:
    run = find_run(str(copied), copied)
    model = {**run.record["models"][0], "name": EVIL}
    oof = pd.read_parquet(copied / "oof.parquet")
    oof.rename(columns=lambda name: name.replace("/1", f"/{EVIL}")).assign(Survived=EVIL).to_parquet(
        copied / "oof.parquet"
    )
    hostile = changed(
        copied,
        run_id=EVIL,
        slug=EVIL,
        models=[model],
        left_out={EVIL: EVIL},
        checks=[{"name": EVIL, "status": EVIL, "detail": EVIL}],
        inferred={EVIL: f"a guess: {EVIL}"},
        versions={EVIL: EVIL},
        command=[EVIL],
        baseline_name=EVIL,
        **{EVIL: {EVIL: [EVIL]}},
    )
    page = page_of(hostile, absent=EVIL)
    assert is_safe(page)
    assert "<script>alert(1)</script>" in page.text
    assert "{{7*7}}" in page.text


@pytest.mark.parametrize("value", [None, [], {}, "text", 10**400, [[[]]], {"a": {"b": None}}, True])
def test_a_record_of_the_wrong_types_gives_a_page_and_no_traceback(copied: Path, value: object) -> None:
    record = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    hostile = Run(path=copied, record=dict.fromkeys(record, value) | {"slug": "titanic"})
    assert is_safe(page_of(hostile))


def test_files_that_are_missing_or_broken_are_named_and_the_rest_is_shown(copied: Path) -> None:
    (copied / "oof.parquet").write_bytes(b"PAR1 no parquet")
    (copied / "folds.parquet").unlink()
    page = page_of(find_run(str(copied), copied))
    assert "oof.parquet cannot be read" in page.text
    assert "folds.parquet is not in the run's folder." in page.text
    assert "Models, fold by fold" in page.text


def test_a_page_that_cannot_be_written_is_an_error_that_says_where(titanic: Run, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write(titanic, tmp_path / "no" / "such" / "folder.html")


def test_a_regression_is_shown_by_its_errors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.exp(rng.normal(10, 1, size=200))
    guess = y * np.exp(rng.normal(0, 0.1, size=200))
    run = by_hand(
        tmp_path,
        target="price",
        metric="log_rmse",
        oof={"price": y, "blend": guess, "linear": guess},
        test={"blend": y},
    )
    page = page_of(run)
    for title in ("Errors by the size of the truth", "Errors by prediction", "How errors are spread"):
        assert title in page.text
    assert is_safe(page)


def test_several_targets_are_shown_one_by_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    values = {"a": a, "b": b, "blend/a": a, "blend/b": a}
    run = by_hand(tmp_path, target=["a", "b"], metric="rmse", oof=values, test={"blend/a": a, "blend/b": b})
    headings = re.findall(r"<h3>(.*?)</h3>", write(run).read_text(encoding="utf-8"))
    assert headings == ["a", "b"]


def test_several_targets_of_yes_and_no_each_have_their_area(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, size=(2, 60))
    values = {"a": a, "b": b, "blend/a": a * 0.5 + 0.1, "blend/b": rng.random(60)}
    test = {"blend/a": rng.random(9), "blend/b": rng.random(9)}
    page = page_of(by_hand(tmp_path, target=["a", "b"], metric="auc", oof=values, test=test))
    assert "2 targets, each 0 or 1, in 60 out-of-fold rows." in page.text
    assert "1.000" in page.text


def test_chances_that_cannot_be_taken_at_their_word_are_something_to_look_at(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=2000)
    sure = np.where(y == 1, 0.99, 0.01)
    sure[::3] = 1 - sure[::3]  # a third is wrong, and was said with 99 %
    chances = {"blend/no": 1 - sure, "blend/yes": sure}
    oof = {"y": np.where(y == 1, "yes", "no"), **chances}
    page = page_of(by_hand(tmp_path, target="y", metric="log_loss", oof=oof, test=chances))
    assert "the chances cannot be taken at their word there" in page.text


# --- in a real browser


@pytest.fixture(scope="module")
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
    """A function path, options of the context → the page; what it logged, asked for or popped up fails the test."""
    heard: list[str] = []
    contexts = []

    def open_(path: Path, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: heard.append(dialog.message))
        page.on(
            "request", lambda request: heard.append(request.url) if request.url[:5] not in ("file:", "data:") else 0
        )
        page.goto(path.resolve().as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert heard == []


@pytest.mark.slow
def test_in_a_browser_tables_sort_by_click_and_by_keyboard(titanic: Run, opened: Any) -> None:
    page = opened(write_report(titanic))
    table = page.get_by_role("table", name="Honesty checks")
    heading = table.get_by_role("columnheader", name="check")
    names = lambda: table.locator("tbody th").all_text_contents()  # noqa: E731  # asked for three times
    before = names()
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert names() == sorted(before)
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert names() == sorted(before, reverse=True)


@pytest.mark.slow
def test_in_a_browser_numbers_sort_as_numbers_and_what_is_unknown_stands_last(titanic: Run, opened: Any) -> None:
    page = opened(write_report(titanic))
    table = page.get_by_role("table", name="Columns, the most shifted first")
    table.get_by_role("columnheader", name="distinct").get_by_role("button").click()
    column = table.locator("thead th").all_text_contents().index("distinct")
    shown = [float(cells.nth(column - 1).text_content().replace(",", "")) for cells in
             (row.locator("td") for row in table.locator("tbody tr").all())]  # fmt: skip
    assert shown == sorted(shown, reverse=True)


@pytest.mark.slow
def test_in_a_browser_sections_fold_and_a_link_unfolds_its_section(titanic: Run, opened: Any) -> None:
    page = opened(write_report(titanic))
    unfolded = lambda: page.locator("details.section[open]").count()  # noqa: E731  # asked for three times
    page.locator("#score summary").focus()
    page.keyboard.press("Enter")
    assert not page.locator("#score").evaluate("section => section.open")
    page.get_by_role("button", name="Fold all sections").click()
    assert unfolded() == 0
    page.get_by_role("navigation").get_by_role("link", name="Folds").click()
    page.locator("#folds[open]").wait_for()
    page.get_by_role("button", name="Fold all sections").click()
    page.get_by_role("button", name="Unfold all sections").click()
    assert unfolded() == page.locator("details.section").count()


@pytest.mark.slow
def test_in_a_browser_everything_has_a_name_and_headings_have_an_order(titanic: Run, opened: Any) -> None:
    page = opened(write_report(titanic))
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
def test_in_a_browser_text_can_be_read_in_light_and_dark_and_on_a_phone(titanic: Run, opened: Any, scheme: str) -> None:
    page = opened(write_report(titanic), color_scheme=scheme, viewport={"width": 360, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach(section => { section.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    contrast, where = page.evaluate(CONTRAST)
    assert contrast >= 4.5, where  # WCAG 2.2, 1.4.3


@pytest.mark.slow
def test_in_a_browser_hostile_data_does_nothing(tmp_path: Path, opened: Any) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": range(160), EVIL: rng.normal(size=160), "b": rng.choice([EVIL, "</td>", "{{7*7}}"], 160)}
    )
    train = frame.head(100).assign(y=np.where(frame[EVIL].head(100) > 0, EVIL, "</script>"))
    for name, part in {"train": train, "test": frame.tail(60)}.items():
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    frame.tail(60)[["id"]].assign(y="</script>").to_csv(tmp_path / "sample_submission.csv", index=False)
    run = kpipe.run("hostile", data=tmp_path, models=["linear"], folds=2, metric="accuracy", out=tmp_path / "runs")
    page = opened(write_report(run))
    assert page.locator("script").count() == 1
    assert page.get_by_role("table", name="Confusion matrix").get_by_text("<script>").count() > 0


@pytest.mark.slow
def test_in_a_browser_digits_are_pictures_with_words(tmp_path: Path, opened: Any) -> None:
    run = kpipe.run("digit-recognizer", models=["linear"], folds=2, out=tmp_path)
    pictures = opened(write_report(run)).locator(".gallery img")
    assert pictures.count() > 0
    assert re.fullmatch(r"Row \d+: a \d, .*", str(pictures.first.get_attribute("alt")))
    assert pictures.first.evaluate("picture => picture.naturalWidth") == 28


# --- on the command line and in a notebook


def test_the_command_says_where_the_page_is(titanic: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", str(titanic.path), "--to", str(tmp_path / "page.html"), "--no-importance"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "page.html")
    assert "Importance of the columns: it was not asked for." in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_can_be_followed_by_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "titanic", "--model", "linear", "--report", "--json", "--out", str(tmp_path)])
    told = capsys.readouterr()
    record = json.loads(told.out)  # nothing else stands there
    page = tmp_path / "titanic" / record["run_id"] / "report.html"
    assert page.is_file()
    assert f"Report: {page}" in told.err


def test_a_notebook_shows_a_run_and_trusts_none_of_its_words(titanic: Run) -> None:
    shown = titanic._repr_html_()
    assert f"{titanic.score:.4f}" in shown
    hostile = Run(path=titanic.path, record={**titanic.record, "slug": EVIL, "baseline_name": EVIL})
    assert "<script" not in hostile._repr_html_()
    assert "<img" not in hostile._repr_html_()


def test_the_kernel_carries_no_report(tmp_path: Path) -> None:
    built = build("titanic", {}, tmp_path, username="somebody")
    payload = re.findall(r'^    "([A-Za-z0-9+/=]+)"$', built.script.read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = zipfile.ZipFile(io.BytesIO(base64.b64decode("".join(payload)))).namelist()
    assert "kpipe/runs/store.py" in names
    assert not [name for name in names if name.startswith("kpipe/report")]


def test_the_commands_of_the_page_about_reports_are_commands() -> None:
    page = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    options = {option for command in ("run", "report") for option in re.findall(r"--[a-z][\w-]*", help_of(command))}
    assert set(re.findall(r"--[a-z][\w-]*", page)) <= options
    assert "kpipe run titanic --report" in page
    for picture in re.findall(r"\((pictures/[\w-]+\.png)\)", page):
        assert (Path(__file__).parents[2] / "docs" / picture).is_file()


def help_of(command: str) -> str:
    parser = ArgumentParser()
    import_module(f"kpipe.cli.{command}").COMMAND.add_options(parser)
    return parser.format_help()
