"""A hostile Kaggle, or a proxy in its place: every response is used or explained, and no secret is shown.

The real client, over loopback; ``-m slow`` tries many more responses.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import random
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kpipe.errors import KpipeError, RemoteError
from kpipe.kaggle import allowance, polling, responses, session, submit
from kpipe.kaggle.client import Kaggle, connect
from kpipe.kaggle.download import download
from kpipe.kaggle.kernel import push as kernel_push
from kpipe.kaggle.responses import Pushed
from kpipe.runs import ledger
from tests.cli.calls import call
from tests.hostile import ODD_JSON
from tests.kaggle_server import KEY, TOKEN, USER, KaggleServer, Kernel, Misbehave

HEADER = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
PUSHED = Pushed(ref="ada/k", version=1, url="https://www.kaggle.com/code/ada/k")


@pytest.fixture
def kaggle(titanic_kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> KaggleServer:
    """With one kernel that has run; nothing waits long."""
    monkeypatch.setattr(polling, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(polling, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(session, "_READ_SECONDS", 2.0)
    titanic_kaggle.pushes.append({"files": {"submission.csv": b"a,b\n1,2\n"}, "failed": {}, "polls": 0})
    return titanic_kaggle


def answer(kaggle: KaggleServer, call: str, *, status: int = 200, times: int = 99, **fields: Any) -> None:
    """From now on, calls of this name are answered so."""
    kaggle.faults[:] = [Misbehave(call, status, times=times, **fields)]


# --- any answer to any call

GOOD: dict[str, dict[str, Any]] = {
    "GetCompetition": {"userHasEntered": True, "evaluationMetric": "m", "userRank": 17},
    "GetSubmissionLimits": {"numToday": 1, "numAllowedNow": 4},
    "ListSubmissions": {
        "submissions": [
            {"ref": 1, "date": "2026-01-01T00:00:00.1Z", "description": "d", "fileName": "s.csv", "status": "COMPLETE"}
            | {"publicScore": "0.5", "privateScore": "0.6", "errorDescription": ""}
        ]
    },
    "StartSubmissionUpload": {"token": "blob-0-s.csv", "createUrl": "URL/upload/blob-0-s.csv"},
    "CreateSubmission": {"message": "ok", "ref": 1000},
    "CreateCodeSubmission": {"message": "ok", "ref": 1000},
    "SaveKernel": {"ref": "/code/ada/k", "url": "u", "versionNumber": 1, "error": "", "invalidTags": []},
    "GetKernelSessionStatus": {"status": "COMPLETE", "failureMessage": ""},
    "ListKernelSessionOutput": {
        "files": [{"fileName": "submission.csv", "url": "URL/output/1/submission.csv"}],
        "log": "[]",
    },
    "GetAcceleratorQuotaStatistics": {"gpuQuota": {"timeUsed": "3600s", "totalTimeAllowed": "108000s"}},
    "ListCompetitions": {"competitions": []},
    "GetDatasetStatus": {"status": "READY"},
    "CreateDataset": {"status": "ok", "url": "u"},
    "IntrospectToken": {"active": True, "username": "ada"},
    "DownloadDataFiles": {"a": 1},
}
ODD = [
    *ODD_JSON,
    *(False, 3, 1.5, [{}]),
    *("\x1b[31m", "\ud800", "../../etc/x", "9" * 5000, "ERROR", "99999-99-99", "1e999", "NaN", KEY, f"Basic {HEADER}"),
]


def wait_for_score(kaggle: Kaggle, home: Path) -> object:
    entry = ledger.Entry(ref=1, slug="titanic", date="2026", message="m", file="f")
    return submit.wait_for_score(kaggle, entry, out=home / "out", on_wait=lambda _: None, seconds=0.02)


def calls(home: Path) -> dict[str, Callable[[Kaggle], object]]:
    """What kpipe does with each answer, up to where its types no longer matter."""
    csv, script, data = home / "s.csv", home / "kernel", home / "data"
    script.mkdir()
    data.mkdir()
    csv.write_text("PassengerId,Survived\n1,0\n")
    (script / "script.py").write_text("print(1)\n")
    names: dict[str, Any] = {name: [] for name in ("dataset_sources", "kernel_sources", "model_sources")}
    described = {"id": "ada/kpipe-titanic", "title": "kpipe titanic", "code_file": "script.py", "language": "python"}
    described |= {"kernel_type": "script", "is_private": True, "enable_internet": False, **names}
    (script / "kernel-metadata.json").write_text(json.dumps({**described, "competition_sources": ["titanic"]}))
    (data / "a.whl").write_text("x")
    wheels = {"id": "ada/kpipe-wheels-1", "title": "kpipe-wheels-1", "licenses": [{"name": "other"}]}
    (data / "dataset-metadata.json").write_text(json.dumps(wheels))
    return {
        "GetCompetition": lambda k: (
            f"{k.competitions.get('titanic').evaluation_metric:s}{k.competitions.get('t').user_rank or 0:,}"
        ),
        "GetSubmissionLimits": lambda k: allowance.check_can_submit(k, "titanic", csv, None, out=home, force=False),
        "ListSubmissions": lambda k: wait_for_score(k, home),
        "StartSubmissionUpload": lambda k: k.competitions.submit("titanic", csv, "m"),
        "CreateSubmission": lambda k: k.competitions.submit("titanic", csv, "m"),
        "CreateCodeSubmission": lambda k: k.competitions.submit_output("titanic", "ada/k", 1, "submission.csv", "m"),
        "SaveKernel": lambda k: k.kernels.push(script),
        "GetKernelSessionStatus": lambda k: kernel_push.wait_until_complete(
            k, PUSHED, on_status=lambda _: None, seconds=0.02
        ),
        "ListKernelSessionOutput": lambda k: kernel_push.fetch_output(k, PUSHED, home / "fetched"),
        "GetAcceleratorQuotaStatistics": lambda k: k.gpu_hours(),
        "ListCompetitions": lambda k: k.username(),
        "GetDatasetStatus": lambda k: k.kernels.dataset_status("ada/x"),
        "CreateDataset": lambda k: k.kernels.create_dataset(data),
        "IntrospectToken": lambda k: _by_token(),
        "DownloadDataFiles": lambda k: download(k, "titanic", home / "downloads"),
    }


def _by_token() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAGGLE_API_TOKEN", TOKEN)
        return connect().username()


def spoilt(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and rng.random() > 0.15:
        return {key: spoilt(inner, rng) if rng.random() < 0.6 else inner for key, inner in value.items()}
    if isinstance(value, list) and rng.random() > 0.2:
        return [spoilt(inner, rng) for inner in value]
    return rng.choice(ODD)


DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LEADS = ["file:///etc/passwd", "http://127.0.0.1:9/x", "ftp://x/", "http://[bad", "", "/api/v1"]


def some_answer(good: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Of Kaggle's kind with something wrong in it, mostly; else what no API answers."""
    kinds: list[Callable[[], dict[str, Any]]] = [
        lambda: {"raw": b"<html>Log in first</html>", "headers": {"Content-Type": "text/html"}},
        lambda: {"raw": b"<html>Log in first</html>"},
        lambda: {"raw": DEEP},
        lambda: {"raw": b""},
        lambda: {"raw": rng.randbytes(40)},
        lambda: {"headers": {"Content-Encoding": "gzip"}},
        lambda: {"status": rng.choice([301, 302, 307]), "headers": {"Location": rng.choice(LEADS)}},
        lambda: {"status": rng.choice([400, 403, 404, 429, 500]), "body": {"message": f"you sent {KEY}, {HEADER}"}},
        lambda: {"status": rng.choice([400, 500]), "body": {"error": {"message": rng.choice(ODD)}}},
        lambda: {"body": {"code": rng.choice([500, "x", None]), "message": rng.choice(ODD)}},
    ]
    return rng.choice(kinds)() if rng.random() < 0.3 else {"body": spoilt(good, rng)}


def every_answer_is_explained(kaggle: KaggleServer, home: Path, count: int) -> None:
    known, does, rng = connect(), calls(home), random.Random(0)
    kaggle.uploads |= {"blob-0-s.csv": b"", "blob-0-a.whl": b""}
    for number in range(count):
        name = list(GOOD)[number % len(GOOD)]
        given = some_answer(json.loads(json.dumps(GOOD[name]).replace("URL", kaggle.url)), rng)
        answer(kaggle, name, **given)
        kaggle.contests["titanic"].left_today = 5
        told = ""
        try:
            told = str(does[name](known))
        except KpipeError as error:
            told = str(error)
        except Exception as error:
            error.add_note(f"{name} was answered with {str(given)[:500]}")
            raise
        if name != "IntrospectToken":  # of a token, KEY is nothing secret
            assert KEY not in told, (name, given)
            assert HEADER not in told, (name, given)
        assert len(told) < 10_000
    kaggle.faults.clear()
    # redirected within the API, the client may say who it is; where files are it may not
    kaggle.leaked[:] = [path for path in kaggle.leaked if path.startswith(("/files/", "/output/", "/upload/"))]


@pytest.fixture
def quiet_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback Kaggle fails where a spoilt answer makes the client ask it nonsense; it need not say so."""
    monkeypatch.setattr(HTTPServer, "handle_error", lambda *_: None)


def test_any_response_is_used_or_explained(kaggle: KaggleServer, tmp_path: Path, quiet_server: None) -> None:
    every_answer_is_explained(kaggle, tmp_path, 200)


@pytest.mark.slow
def test_any_of_many_responses_is_used_or_explained(kaggle: KaggleServer, tmp_path: Path, quiet_server: None) -> None:
    every_answer_is_explained(kaggle, tmp_path, 1_000)


@pytest.mark.parametrize("name", GOOD)
def test_a_correct_response_passes(name: str, kaggle: KaggleServer, tmp_path: Path) -> None:
    """The types that are asked for are those that Kaggle gives."""
    if name == "DownloadDataFiles":
        assert download(connect(), "titanic", tmp_path).is_file()
        return
    kaggle.uploads |= {"blob-0-s.csv": b"", "blob-0-a.whl": b""}
    answer(kaggle, name, body=json.loads(json.dumps(GOOD[name]).replace("URL", kaggle.url)))
    calls(tmp_path)[name](connect())


def test_a_number_sent_as_a_string_is_read_as_a_number(kaggle: KaggleServer) -> None:
    answer(kaggle, "GetSubmissionLimits", body={"numAllowedNow": "3"})
    assert connect().competitions.submissions_left("titanic") == 3


# --- each by itself


def test_a_web_page_in_place_of_a_response_is_not_called_a_missing_network(kaggle: KaggleServer) -> None:
    answer(kaggle, "GetCompetition", raw=b"<html>Log in first</html>")
    with pytest.raises(
        RemoteError, match=r"Kaggle's response about titanic cannot be read .* If there is a proxy, check it"
    ):
        connect().competitions.get("titanic")


def test_a_field_of_another_type_is_named(kaggle: KaggleServer) -> None:
    answer(kaggle, "GetCompetition", body={"userRank": "\x1b[31mfirst"})
    with pytest.raises(RemoteError, match=r"userRank must be of the type int; got '\\x1b\[31mfirst'"):
        connect().competitions.get("titanic")


@pytest.mark.parametrize("packed", [False, True])
def test_a_response_without_end_is_not_read_whole(
    packed: bool, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses.read_bounded, "__kwdefaults__", {"most": 100_000})
    endless = b'{"a": "' + b"x" * 1_000_000 + b'"}'
    headers = {"Content-Encoding": "gzip"} if packed else {}
    answer(kaggle, "GetCompetition", raw=gzip.compress(endless) if packed else endless, headers=headers)
    with pytest.raises(
        RemoteError, match=r"Kaggle sent more than 100,000 bytes, which is more than such a response should contain"
    ):
        connect().competitions.get("titanic")


def test_no_secret_that_kaggle_repeats_is_in_an_error_or_the_ledger(
    kaggle: KaggleServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = f"\x1b[2J{KEY} Basic {HEADER}"
    answer(kaggle, "GetCompetition", status=500, body={"error": {"message": echo}})
    with pytest.raises(RemoteError, match=r"Kaggle says: \\x1b\[2J\*\*\* Basic \*\*\*") as said:
        connect().competitions.get("titanic")
    assert said.value.__cause__ is None  # nor in a traceback of a log
    one = GOOD["ListSubmissions"]["submissions"][0] | {"description": echo, "errorDescription": echo, "fileName": echo}
    answer(kaggle, "ListSubmissions", body={"submissions": [one]})
    assert call("submissions", "titanic") == 0
    shown, ledger = capsys.readouterr().out, Path("submissions/titanic/ledger.json").read_text()
    assert "\x1b" not in shown
    for secret in (KEY, HEADER):
        assert secret not in shown + ledger


class Stranger(BaseHTTPRequestHandler):
    """Another host, which takes whatever it is sent."""

    seen: list[str]  # what arrived

    def log_message(self, *_: object) -> None:
        """Silence."""

    def _take(self) -> None:
        self.seen.append(
            f"{self.path} {self.headers} {self.rfile.read(int(self.headers.get('Content-Length') or 0))!r}"
        )
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = _take


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("by", ["key", "token"])
def test_credentials_are_not_sent_to_another_host_after_a_redirect(
    by: str, status: int, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived: list[str] = []

    class Bound(Stranger):
        seen = arrived

    if by == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    with HTTPServer(("127.0.0.1", 0), Bound) as stranger:
        threading.Thread(target=stranger.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        known = connect()
        away = f"http://localhost:{stranger.server_address[1]}/"
        answer(kaggle, "GetCompetition", status=status, headers={"Location": away})
        with contextlib.suppress(RemoteError):
            known.competitions.get("titanic")
        stranger.shutdown()
    assert arrived
    for secret in (KEY, HEADER, TOKEN):
        assert secret not in "".join(arrived)


# --- downloads and outputs


def test_a_download_that_was_killed_after_its_last_byte_is_resumed(kaggle: KaggleServer, tmp_path: Path) -> None:
    """Killed after the last byte: the next call asks for what follows it, and a server says that nothing does."""
    content = kaggle.contests["titanic"].zip
    first = connect().competitions.download("titanic")
    (tmp_path / ".titanic.part").write_bytes(content)
    (tmp_path / ".titanic.part.json").write_text(json.dumps({"etag": first.headers["ETag"]}))
    first.close()
    kaggle.faults.append(Misbehave("/files/", 416, skip=1))
    assert download(connect(), "titanic", tmp_path).read_bytes() == content


@pytest.mark.parametrize("note", [b"", b"[]", b'{"etag": 5}', b"\xff", b"[" * 100_000, b'{"etag": ["x"]}'])
def test_a_broken_note_beside_an_unfinished_download_starts_it_again(
    note: bytes, kaggle: KaggleServer, tmp_path: Path
) -> None:
    (tmp_path / ".titanic.part").write_bytes(b"PK of something else")
    (tmp_path / ".titanic.part.json").write_bytes(note)
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip


def test_a_download_that_arrives_compressed_once_more_is_refused(kaggle: KaggleServer, tmp_path: Path) -> None:
    packed = gzip.compress(kaggle.contests["titanic"].zip)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/zip"}
    kaggle.faults.append(Misbehave("/files/", 200, times=9, raw=packed, headers=headers))
    with pytest.raises(RemoteError, match=r"Kaggle's zip of titanic arrived compressed twice"):
        download(connect(), "titanic", tmp_path)
    assert not (tmp_path / "titanic.zip").exists()


@pytest.mark.parametrize("name", ["../../evil.py", "/etc/evil", "run.json/../../x", "submission.csv\0", "\x1b[31m"])
def test_of_a_kernels_files_only_two_names_are_written(name: str, kaggle: KaggleServer, tmp_path: Path) -> None:
    url = f"{kaggle.url}/output/1/submission.csv"
    files = [{"fileName": one, "url": url} for one in (name, "submission.csv")]
    answer(kaggle, "ListKernelSessionOutput", body={"files": files})
    kernel_push.fetch_output(connect(), PUSHED, tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["submission.csv"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://[bad", "ftp://127.0.0.1/x", "/etc/passwd", "http://127.0.0.1:9/"]
)
def test_an_invalid_address_is_not_read(url: str, kaggle: KaggleServer, tmp_path: Path) -> None:
    answer(kaggle, "ListKernelSessionOutput", body={"files": [{"fileName": "submission.csv", "url": url}]})
    with pytest.raises(RemoteError):
        kernel_push.fetch_output(connect(), PUSHED, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_file_of_a_kernel_above_the_limit_is_not_written(kaggle: KaggleServer, tmp_path: Path) -> None:
    kaggle.pushes[0]["files"]["submission.csv"] = b"0" * 200_000
    with pytest.raises(RemoteError, match=r"more than 100,000 bytes"):
        connect().kernels.download_file(
            f"{kaggle.url}/output/1/submission.csv", tmp_path / "submission.csv", most=100_000
        )
    assert not (tmp_path / "submission.csv").exists()


def test_a_large_file_of_a_kernel_is_downloaded_in_linear_time(kaggle: KaggleServer, tmp_path: Path) -> None:
    kaggle.pushes[0]["files"]["submission.csv"] = b"0" * (64 << 20)
    start = time.process_time()
    connect().kernels.download_file(f"{kaggle.url}/output/1/submission.csv", tmp_path / "submission.csv")
    assert time.process_time() - start < 10


# --- no credential anywhere


def test_from_run_to_kernel_no_credential_is_in_any_file_or_output(
    kaggle: KaggleServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run and submit, where Kaggle's errors repeat what they were sent; then a kernel of the run, which fails."""
    echo = {"error": {"message": f"You sent Bearer {TOKEN}"}}
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)  # goes before the key, which is there too
    monkeypatch.setenv("VERBOSE", "1")
    kaggle.faults += [Misbehave(where, 500, times=1, body=echo) for where in ("GetCompetition", "ListSubmissions")]
    assert call("run", "titanic", "--model", "linear", "--folds", "2", "--submit", "-m", "first") == 0
    (made,) = Path("submissions/titanic").glob("2*")
    kaggle.kernel = Kernel(run=lambda _: f"failed with {TOKEN}", log=f"Authorization: Bearer {TOKEN}\n", polls=0)
    assert call("kernel", "build", str(made), "--user", USER) == 0
    assert call("kernel", "push", "kernels/titanic") == 1
    kaggle.faults += [Misbehave("ListSubmissions", 500, times=9, body=echo)]
    assert call("submissions", "titanic") == 1
    assert call("doctor", "titanic", "--json") in (0, 1)
    told = "".join(capfd.readouterr())
    assert "failed with ***" in told
    assert "You sent" in told
    places = (tmp_path, Path(os.environ["KPIPE_CACHE"]))
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert {"log.txt", "run.json", "ledger.json", "script.py"} <= {path.name for path in files}
    written = b"".join(path.read_bytes() for path in files)
    for secret in (TOKEN, KEY, HEADER, "secret-signature"):
        assert secret not in told
        assert secret.encode() not in written
