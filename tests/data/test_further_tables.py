from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import kpipe
from kpipe.core.values import Tables
from kpipe.data.further_tables import file_hashes
from kpipe.data.loading import load
from kpipe.errors import DataError

FILES = {
    "train.csv": "id,store,y\n" + "".join(f"{row},{row % 3},{row % 2}\n" for row in range(60)),
    "test.csv": "id,store\n" + "".join(f"{row},{row % 3}\n" for row in range(60, 80)),
    "sample_submission.csv": "id,y\n" + "".join(f"{row},0\n" for row in range(60, 80)),
    "stores.csv": "store,size\n0,10\n1,20\n2,30\n",
    "unused.csv": "a\n1\n",
}


def sha256(name: str) -> str:
    return hashlib.sha256(FILES[name].encode()).hexdigest()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return folder


def test_a_further_table_is_read_when_it_is_first_used(place: Path) -> None:
    (place / "broken.csv").write_text("a,b\n1\n")
    others = load("x", place).others
    assert sorted(others) == ["broken", "stores", "unused"]
    assert others["stores"]["size"].tolist() == [10, 20, 30]
    with pytest.raises(DataError, match=r"broken\.csv, line 2"):
        others["broken"]


def test_reading_a_further_table_leaves_the_source_unchanged_and_adds_its_hash(place: Path) -> None:
    tables = load("x", place)
    before = dict(tables.source.files)
    assert "stores.csv" not in file_hashes(tables)
    tables.others["stores"]
    assert tables.source.files == before
    assert file_hashes(tables) == {**before, "stores.csv": sha256("stores.csv")}


def test_of_two_further_tables_of_one_name_the_topmost_is_read(place: Path) -> None:
    (place / "old").mkdir()
    (place / "old" / "stores.csv").write_text("store,size\n0,99\n")
    assert load("x", place).others["stores"]["size"].tolist() == [10, 20, 30]


def with_sizes(tables: Tables) -> Tables:
    """Joins a further table, and hands on no further tables."""
    sizes = tables.others["stores"].set_index("store")["size"]
    train, test = (frame.assign(size=frame["store"].map(sizes)) for frame in (tables.train, tables.test))
    return Tables(train=train, test=test, sample=tables.sample, source=tables.source)


def test_run_json_lists_the_hashes_of_the_files_that_were_read_and_no_others(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kpipe.problem.problem.find", lambda slug: kpipe.Competition(slug=slug, clean=with_sizes))
    run = kpipe.run("x", data=place, models=["linear"], jobs=1, out=tmp_path / "out")
    read = ("train.csv", "test.csv", "sample_submission.csv", "stores.csv")
    assert run.record["data"]["files"] == {name: sha256(name) for name in read}
