from __future__ import annotations

from pathlib import Path

import pandas as pd

from kpipe.runs.find import find_run
from kpipe.runs.run import Run
from tests.report.pages import EVIL, changed, is_safe, page_of


def test_the_security_policy_allows_only_the_pages_own_script_and_style(titanic: Run) -> None:
    page = page_of(titanic)
    policy = next(m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_hostile_text_in_a_run_folder_is_escaped(copied: Path) -> None:
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
    page = page_of(hostile)
    assert is_safe(page)
    assert "<script>alert(1)</script>" in page.text
    assert "{{7*7}}" in page.text
