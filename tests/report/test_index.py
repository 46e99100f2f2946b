"""All runs of a workspace on one page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kpipe.report import write_index
from kpipe.report.timeline import Point, timeline
from kpipe.runs.run import Run
from tests.cli.calls import call
from tests.report.pages import EVIL, Page
from tests.report.workspaces import run_id, workspace


def page_of(out: Path) -> Page:
    return Page(write_index(out)[0].read_text(encoding="utf-8"))


def model(name: str, weight: float, run: Run) -> dict[str, object]:
    return {**run.record["models"][0], "name": name, "weight": weight}


@pytest.fixture
def several(titanic: Run, tmp_path: Path) -> Path:
    """Four runs of two competitions, one with a report, one submitted, one with a failed check."""
    failed = [{"name": "target leakage", "status": "fail", "detail": "It does not."}]
    records = [
        {"score": 0.70, "name": "titles", "note": "Titles instead of names."},
        {"score": 0.80, "models": [model("linear", 0.25, titanic), model("boosting", 0.75, titanic)]},
        {"score": 0.99, "checks": failed},
        {"score": 12.5, "slug": "other", "metric": {"name": "rmse", "greater_is_better": False}},
    ]
    out = workspace(tmp_path / "runs", titanic, records, [{"run_id": 1, "public_score": 0.77, "private_score": 0.76}])
    (out / "titanic" / run_id(1) / "report.html").write_text("a report")
    return out


def test_the_page_lists_every_run_by_competition_and_metric_with_what_it_is_worth(several: Path) -> None:
    page = page_of(several)
    assert "4 runs of 2 competitions" in page.text
    rows = page.named("tr")
    assert [row["data-run"] for row in rows if "data-run" in row] == [
        run_id(n) for n in (3, 2, 1, 0)
    ]  # the newest first
    assert "boosting 0.75, linear 0.25" in page.text
    assert "Best: 000001 with 0.8000 ±" in page.text  # not the one that failed a check
    assert "Titles instead of names." in page.text
    for text in ("0.7700", "0.7600", "1 fail", "rmse, lower is better", "target leakage"):
        assert text in page.text


def test_runs_on_other_files_are_listed_separately_since_their_scores_cannot_be_compared(
    titanic: Run, tmp_path: Path
) -> None:
    held_out = {"data": {"origin": "zip", "path": "holdout/data", "files": {"train.csv": "0" * 64}}, "score": 0.99}
    page = page_of(workspace(tmp_path / "runs", titanic, [{"score": 0.70}, {"score": 0.80}, held_out]))
    assert "Best: 000001 with 0.8000 ±" in page.text
    assert "accuracy, higher is better; holdout/data" in page.text
    assert [section["data-slug"] for section in page.named("section") if "data-slug" in section] == ["titanic"] * 2


def test_it_links_to_reports_that_exist_and_to_nothing_else(several: Path) -> None:
    links = [link["href"] for link in page_of(several).named("a")]
    assert links == ["#runs", f"titanic/{run_id(1)}/report.html"]


def test_links_lead_to_reports_from_another_folder_too(several: Path, tmp_path: Path) -> None:
    page = Page(write_index(several, tmp_path / "deep" / "all.html")[0].read_text())
    assert page.named("a")[1]["href"] == f"../runs/titanic/{run_id(1)}/report.html"


def test_hostile_text_in_run_folders_is_escaped_and_leads_nowhere(titanic: Run, tmp_path: Path) -> None:
    hostile = {
        **dict.fromkeys(("name", "note", "device", "baseline_name", "fallback"), EVIL),
        "models": [model(EVIL, 0.5, titanic), model("'\"><b>", 0.5, titanic)],
        "metric": {"name": EVIL, "greater_is_better": True},
        "checks": [{"name": EVIL, "status": "warn", "detail": EVIL}],
        "options": {EVIL: EVIL, "drop": [EVIL]},
        "versions": {EVIL: EVIL},
        "code": {EVIL: EVIL},
        "created": EVIL,
        "forecast": {"value": EVIL, "low": [], "high": {}},
    }
    out = workspace(tmp_path / "runs", titanic, [hostile, {**hostile, "score": None, "forecast": EVIL}])
    folder = out / "titanic" / "javascript:alert(3)#?x"
    (out / "titanic" / run_id(0)).rename(folder)
    (folder / "report.html").write_text("")
    page = page_of(out)
    names = [name for _, attributes in page.tags for name in attributes]
    assert len(page.named("script")) == len(page.named("style")) == 1
    assert not [name for name in names if name.startswith("on") or name == "style"]
    links = [link["href"] for link in page.named("a")]
    assert links == ["#runs", "titanic/javascript%3Aalert%283%29%23%3Fx/report.html"]
    assert not page.named("img")
    assert not page.named("b")
    assert "<script>alert(1)</script>" in page.text
    assert "{{7*7}}" in page.text


def test_the_policy_allows_only_the_pages_own_script_and_style(several: Path) -> None:
    policies = [meta["content"] for meta in page_of(several).named("meta") if "http-equiv" in meta]
    assert len(policies) == 1
    assert "default-src 'none'" in str(policies[0])
    assert "unsafe" not in str(policies[0])


def test_runs_that_cannot_be_read_are_named_and_the_others_shown(
    several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = several / "titanic" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    (several / "titanic" / "ledger.json").write_text("[1]")
    assert call("report", "--out", several) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(several / "index.html")
    assert "is not the record of a run" in printed.err
    text = Page((several / "index.html").read_text()).text
    assert "4 runs of 2 competitions" in text
    assert "Not shown" in text
    assert "is not a ledger of submissions" in text


def test_the_page_of_all_runs_reads_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", "--data", "x", "--out", tmp_path) == 2
    assert "kpipe report RUN --data PATH" in capsys.readouterr().err


def test_selection_bias_is_reported_where_runs_compare(titanic: Run, tmp_path: Path) -> None:
    out = workspace(tmp_path / "runs", titanic, [{}, {}, {}])
    assert "Its selection bias among 3 runs is smaller than the digits shown (about 1 independent try)." in (
        page_of(out).text
    )


def test_runs_with_and_without_a_vault_are_ranked_separately(titanic: Run, tmp_path: Path) -> None:
    vault = {"vault": {"sha256": "0" * 64}}
    out = workspace(tmp_path / "runs", titanic, [{"score": 0.7}, {"score": 0.8}, {"score": 0.9, **vault}])
    page = page_of(out)
    assert "Best: 000001 with 0.8000 ±" in page.text
    assert "higher is better; without the vault's rows" in page.text


def test_a_single_run_is_neither_drawn_nor_called_the_best(titanic: Run, tmp_path: Path) -> None:
    page = page_of(workspace(tmp_path / "runs", titanic, [{}]))
    assert not page.named("svg")
    assert "best" not in page.text.partition("1 run of 1 competition")[2].partition("Made by kpipe")[0]


def test_the_same_runs_give_the_same_bytes(several: Path, tmp_path: Path) -> None:
    first = write_index(several)[0].read_bytes()
    assert first == write_index(several)[0].read_bytes()


def test_five_hundred_runs_fit_in_three_megabytes(titanic: Run, tmp_path: Path) -> None:
    out = workspace(tmp_path / "runs", titanic, [{"score": 0.5 + n / 2000, "rows": n} for n in range(500)])
    assert write_index(out)[0].stat().st_size < 3e6


def points(scores: list[float], **options: object) -> list[Point]:
    return [
        Point(key=f"k{n}", label="", day="2026-11-01", score=score, error=0.01, **options)  # type: ignore[arg-type]
        for n, score in enumerate(scores)
    ]


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5], [1e-9, 2e-9], [1e6, 2e6, 3e6], [-1.0, 0.0, 1.0], [0.0, 0.0]])
def test_a_timeline_of_any_scores_stays_in_its_frame(scores: list[float]) -> None:
    drawing = timeline(points(scores, public=0.5), greater_is_better=True, alt="")
    numbers = [float(number) for number in re.findall(r'c?[xy]\d?="(-?[\d.]+)"', drawing)]
    assert all(0 <= number <= 640 for number in numbers)
    assert "nan" not in drawing


def test_a_score_far_away_does_not_flatten_the_others() -> None:
    drawing = timeline(points([0.80, 0.81, 0.82, 0.83, 0.0, 0.82, 0.81]), greater_is_better=True, alt="")
    assert drawing.count('class="off"') == 1
    heights = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', drawing)]
    assert max(heights) - min(heights) > 50


@pytest.mark.parametrize(("greater", "steps"), [(True, 2), (False, 1)])
def test_the_line_of_the_best_so_far_follows_the_metric(greater: bool, steps: int) -> None:
    drawing = timeline(points([0.5, 0.6, 0.4, 0.7]), greater_is_better=greater, alt="")
    path = re.search(r'class="best" d="([^"]+)"', drawing)
    assert path is not None
    assert path[1].count("V") == steps


def test_the_file_is_whole_or_absent(several: Path) -> None:
    (several / "index.html").mkdir()
    assert call("report", "--out", several) == 1
    assert json.loads((several / "titanic" / run_id(0) / "run.json").read_text())
