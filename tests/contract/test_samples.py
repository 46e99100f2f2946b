"""Each competition's sample, from the command line to the files, twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.cli.main import main

LONG = ("digit-recognizer", "house-prices-advanced-regression-techniques")  # CI runs these too: make slow


@pytest.mark.parametrize(
    "slug", [pytest.param(slug, marks=pytest.mark.slow) if slug in LONG else slug for slug in competitions.slugs()]
)
def test_its_sample_runs_end_to_end_twice_with_the_same_bytes(
    slug: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for name in ("first", "second"):
        with pytest.raises(SystemExit) as ended:
            main(["run", slug, "--folds", "2", "--json", "--out", str(tmp_path / name)])
        assert ended.value.code == 0
        record = json.loads(capsys.readouterr().out)
        folders.append(tmp_path / name / slug / record["run_id"])
        assert record["data"]["origin"] == "sample"
        assert record["submission"]["sendable"] is False
        assert record["score"] is not None
    for file in ("submission.csv", "oof.parquet", "test.parquet", "folds.parquet", "curves.parquet"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
