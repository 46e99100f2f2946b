"""Downloads from a Kaggle on loopback, by way of ``kpipe.load`` and the real client."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import kpipe
from kpipe import competitions
from kpipe.cli.main import main
from kpipe.data.downloads import MetricName, metric_on_page
from kpipe.errors import RemoteError
from kpipe.kaggle import session
from tests.kaggle_server import KEY, USER, Contest, KaggleServer, Misbehave, serving

FILES = {
    "train.csv": "id,x,y\n1,0.5,0\n2,1.5,1\n",
    "test.csv": "id,x\n3,2.5\n",
    "sample_submission.csv": "id,y\n3,0\n",
}
SLUG = "some-competition"


def zip_of(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """A Kaggle with one competition, and a user with credentials."""
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    contest = Contest(zip=zip_of(FILES), evaluation_metric="Log Loss")
    with serving(KaggleServer(contests={SLUG: contest})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server


def downloads() -> Path:
    return Path(os.environ["KPIPE_CACHE"]) / "downloads"


def test_a_download_keeps_the_name_of_the_metric_on_kaggles_page(kaggle: KaggleServer) -> None:
    first = kpipe.load(SLUG)
    assert (first.source.origin, first.source.metric, first.source.notes) == ("kaggle", "Log Loss", ())
    asked = len(kaggle.requested)
    second = kpipe.load(SLUG)
    assert (second.source.origin, second.source.metric) == ("cache", "Log Loss")
    assert len(kaggle.requested) == asked


@pytest.mark.parametrize(
    "fault",
    [
        Misbehave("GetCompetition", 500, times=99),
        Misbehave("GetCompetition", 403),
        Misbehave("GetCompetition", 200, raw=b"no JSON", times=99),
        Misbehave("GetCompetition", "drop", times=99),
    ],
    ids=["server error", "forbidden", "unreadable answer", "connection lost"],
)
def test_a_failed_look_up_of_the_metric_costs_no_run_and_is_repeated_by_the_next_one(
    kaggle: KaggleServer, fault: Misbehave
) -> None:
    kaggle.faults = [fault]
    tables = kpipe.load(SLUG)
    assert tables.train["y"].tolist() == [0, 1]
    assert tables.source.metric == ""
    (note,) = tables.source.notes
    assert "metric could not be looked up on Kaggle's page" in note
    assert "next run looks it up again" in note

    kaggle.faults = []
    again = kpipe.load(SLUG)
    assert (again.source.origin, again.source.metric, again.source.notes) == ("cache", "Log Loss", ())


def test_a_run_says_that_the_metric_could_not_be_looked_up(
    kaggle: KaggleServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = competitions.folder("titanic") / "sample"
    kaggle.contests["titanic"] = Contest(zip=zip_of({path.name: path.read_text() for path in sample.iterdir()}))
    kaggle.faults = [Misbehave("GetCompetition", 500, times=99)]
    with pytest.raises(SystemExit) as ended:
        main(["run", "titanic", "--model", "linear", "--jobs", "1", "--out", str(tmp_path)])
    assert ended.value.code == 0
    assert "could not be looked up on Kaggle's page" in " ".join(capsys.readouterr().err.split())


def test_a_page_without_a_metric_is_asked_once(kaggle: KaggleServer) -> None:
    kaggle.contests[SLUG].evaluation_metric = ""
    assert kpipe.load(SLUG).source.metric == ""
    asked = len(kaggle.requested)
    assert kpipe.load(SLUG).source == kpipe.load(SLUG).source
    assert len(kaggle.requested) == asked


def test_a_cached_download_without_a_metric_is_read_without_credentials(
    kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kpipe.load(SLUG)
    (downloads() / f"{SLUG}.metric.txt").unlink()
    monkeypatch.delenv("KAGGLE_KEY")
    asked = len(kaggle.requested)
    source = kpipe.load(SLUG).source
    assert (source.origin, source.metric, source.notes) == ("cache", "", ())
    assert len(kaggle.requested) == asked


def test_kaggle_is_never_asked_about_files_of_the_user(kaggle: KaggleServer, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    assert kpipe.load(SLUG, tmp_path).source.metric == ""
    assert kaggle.requested == []


def test_a_failed_download_points_at_the_embedded_sample_where_there_is_one(kaggle: KaggleServer) -> None:
    kaggle.faults = [Misbehave("DownloadDataFiles", 404, times=99)]
    with pytest.raises(RemoteError, match=r"To train on the embedded sample: --data sample"):
        kpipe.load("titanic")
    with pytest.raises(RemoteError) as raised:
        kpipe.load(SLUG)
    assert "sample" not in str(raised.value)


def test_the_root_folder_as_data_has_no_metric_beside_it() -> None:
    assert metric_on_page("titanic", Path("/"), None) == MetricName("")
