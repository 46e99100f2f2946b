"""Kernels on Kaggle: pushed, waited for, their submission fetched and submitted; against a Kaggle on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.runs import ledger
from tests.cli.calls import call
from tests.kaggle.conftest import SAMPLE
from tests.kaggle.kernel.test_build import rehearse
from tests.kaggle_server import KaggleServer, Kernel, Misbehave


@pytest.fixture
def kaggle(titanic_kaggle: KaggleServer) -> KaggleServer:
    return titanic_kaggle


def really_run(root: Path):
    """Kaggle runs the script: alone, offline, without kpipe."""

    def run(script: str) -> dict[str, bytes] | str:
        (root / "pushed.py").write_text(script)
        ended = rehearse(root / "pushed.py", root / "kaggle")
        if ended.returncode:
            return ended.stderr
        return {path.name: path.read_bytes() for path in (root / "kaggle" / "working").iterdir() if path.is_file()}

    return run


def sample_csv() -> bytes:
    return next(SAMPLE.glob("*ubmission*")).read_bytes()


@pytest.mark.parametrize("kernels_only", [False, True])
def test_a_kernel_is_run_on_kaggle_and_its_output_is_submitted(
    kaggle: KaggleServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], kernels_only: bool
) -> None:
    kaggle.contests["titanic"].kernels_only = kernels_only
    kaggle.kernel = Kernel(run=really_run(tmp_path))
    assert call("kernel", "push", "titanic", "--model", "linear", "-m", "from a kernel") == 0
    told = capsys.readouterr()
    assert "ada/kpipe-titanic, version 1: queued" in told.err
    assert "ada/kpipe-titanic, version 1: complete" in told.err
    (sent,) = kaggle.submissions
    assert sent["content"] == (Path("kernels/titanic/output/submission.csv")).read_bytes()
    assert sent["description"] == "from a kernel"
    assert any("CreateCodeSubmission" in path for path in kaggle.requested) == kernels_only
    (entry,) = ledger.read_ledger(Path("submissions"), "titanic")
    assert entry.run_id
    assert entry.score is not None
    pushed = kaggle.pushes[0]
    assert pushed["isPrivate"] is True
    assert not pushed.get("enableInternet", False)
    assert pushed["competitionDataSources"] == ["titanic"]


def test_a_dry_run_shows_the_metadata_and_uploads_nothing(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("kernel", "push", "titanic", "--dry-run") == 0
    told = capsys.readouterr().out
    assert '"id": "ada/kpipe-titanic"' in told
    assert "Nothing was uploaded." in told
    assert kaggle.requested == []


def test_a_failed_kernel_shows_the_end_of_its_log(kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [{"stream_name": "stderr", "time": n, "data": f"line {n}\n"} for n in range(99)]
    kaggle.kernel = Kernel(run=lambda _: "Notebook threw an exception", log=json.dumps(lines))
    assert call("kernel", "push", "titanic") == 1
    told = capsys.readouterr().err
    assert "version 1, ended with error. Notebook threw an exception" in told
    assert "line 98" in told
    assert "line 10\n" not in told
    assert kaggle.submissions == []


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ({"error": "Maximum batch GPU session count of 2 reached"}, "Maximum batch GPU session count of 2 reached"),
        ({"invalidCompetitionSources": ["titanik"]}, "it does not know the competition sources titanik"),
        (
            {"invalidModelSources": ["a/b"], "invalidDatasetSources": ["c/d"]},
            "the dataset sources c/d; it does not",
        ),
    ],
)
def test_a_kernel_that_kaggle_does_not_accept_is_a_failure(kaggle, capsys, refused, words) -> None:
    kaggle.kernel = Kernel(refused=refused)
    assert call("kernel", "push", "titanic") == 1
    assert words in capsys.readouterr().err


def test_submission_csv_is_fetched_by_its_exact_name_and_validated(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.kernel = Kernel(run=lambda _: {"a_submission.csv": b"x", "my.submission.csv": b"y", "zz.txt": b""})
    assert call("kernel", "push", "titanic") == 1
    assert "wrote no submission.csv. It wrote: a_submission.csv, my.submission.csv, zz.txt." in capsys.readouterr().err
    kaggle.kernel = Kernel(run=lambda _: {"a.csv": b"x", "submission.csv": b"PassengerId,Survived\n1,0\n"})
    assert call("kernel", "push", "titanic") == 1
    assert "The submission must have" in capsys.readouterr().err
    assert kaggle.submissions == []
    kaggle.kernel = Kernel(run=lambda _: {"submission.csv": sample_csv()})
    kaggle.faults.append(Misbehave("/output/", "cut_in_the_middle"))
    assert call("kernel", "push", "titanic") == 0
    assert kaggle.submissions[0]["content"] == sample_csv()


def test_without_submitting_the_output_is_only_fetched(
    kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.kernel = Kernel(run=lambda _: {"submission.csv": sample_csv()})
    assert call("kernel", "push", "titanic", "--no-submit") == 0
    assert capsys.readouterr().out.strip() == "kernels/titanic/output/submission.csv"
    assert kaggle.submissions == []


def test_json_names_the_kernel_and_what_became_of_it(kaggle: KaggleServer, capsys: pytest.CaptureFixture[str]) -> None:
    kaggle.kernel = Kernel(run=lambda _: {"submission.csv": sample_csv()})
    assert call("kernel", "build", "titanic", "--json") == 0
    built = json.loads(capsys.readouterr().out)
    assert (built["folder"], built["uploaded"], built["output"], built["submission"]) == (
        "kernels/titanic",
        False,
        None,
        None,
    )
    assert built["bytes"] == Path(built["script"]).stat().st_size
    assert call("kernel", "push", "kernels/titanic", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out) == built
    assert call("kernel", "push", "kernels/titanic", "--json") == 0
    pushed = json.loads(capsys.readouterr().out)
    assert (pushed["uploaded"], pushed["output"]) == (True, "kernels/titanic/output/submission.csv")
    assert pushed["submission"]["slug"] == "titanic"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": "abc"}, "title must have at least 5 letters"),
        ({"id": "ada"}, "id must be user/slug"),
        ({"id": "ada/another-name"}, "id must end with the title's slug, /kpipe-titanic"),
        ({"kernel_type": "notebook"}, "kernel_type must be 'script'"),
        ({"is_private": None}, "is_private must be true or false; got None"),
        ({"enable_internet": True}, "enable_internet must be false"),
        ({"competition_sources": ["competitions/titanic"]}, "must be a list of one competition's slug"),
        ({"competition_sources": ["titanic", "digit-recognizer"]}, "of one competition's slug"),
        ({"dataset_sources": None}, "dataset_sources must be a list of owner/slug; got None"),
        ({"dataset_sources": [5]}, "dataset_sources must be a list of owner/slug; got [5]"),
        (
            {"code_file": "../../secret.py"},
            "code_file must be a file name without a folder; got '../../secret.py'",
        ),
        ({"code_file": "x" * 5000}, "does not exist"),
        ({"code_file": ["script.py"]}, "code_file must be a file name without a folder"),
        ({"code_file": "other.py"}, "code_file 'other.py' does not exist"),
    ],
)
def test_metadata_that_kaggle_would_refuse_or_misread_is_refused_before_any_call(kaggle, capsys, change, words) -> None:
    assert call("kernel", "build", "titanic") == 0
    path = Path("kernels/titanic/kernel-metadata.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert call("kernel", "push", "kernels/titanic") == 2
    assert words in capsys.readouterr().err
    assert kaggle.requested == []
