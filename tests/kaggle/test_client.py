"""Credentials, the real client and downloads, against a Kaggle on loopback."""

from __future__ import annotations

import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kpipe.errors import OutputError, RemoteError, UsageError
from kpipe.kaggle import client as client_module
from kpipe.kaggle import download as download_module
from kpipe.kaggle.client import connect
from kpipe.kaggle.credentials import find, found
from kpipe.kaggle.download import download
from tests.kaggle_server import KEY, TOKEN, USER, Contest, KaggleServer, Misbehave, serving


def zipped(size: int = 300_000) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train.csv", os.urandom(size))
    return buffer.getvalue()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


@pytest.fixture
def kaggle(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    monkeypatch.setattr(client_module, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(client_module, "_READ_SECONDS", 1.0)
    with serving(KaggleServer(contests={"titanic": Contest(zip=zipped())})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server
        assert server.leaked == []


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


# --- credentials


def test_without_credentials_the_way_to_get_them_is_said_and_nothing_is_loaded(home: Path) -> None:
    assert found() == []
    with pytest.raises(UsageError, match="There are no Kaggle credentials") as said:
        connect()
    assert "https://www.kaggle.com/settings" in str(said.value)


def test_a_token_goes_before_a_key_and_a_key_before_a_login(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".kaggle/credentials.json", json.dumps({"refresh_token": "r", "username": "oa"}))
    assert [c.kind for c in found()] == ["oauth"]
    write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}))
    assert [c.kind for c in found()] == ["key", "oauth"]
    write(home / ".kaggle/access_token", TOKEN)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "from-the-environment")
    assert [c.kind for c in found()] == ["token", "token", "key", "oauth"]
    first = find()
    assert first is not None
    assert first.place == "the variable KAGGLE_API_TOKEN"


def test_no_secret_is_in_what_credentials_show_of_themselves(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}))
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert TOKEN not in repr(found())
    assert KEY not in repr(found())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is no JSON"),
        ("[]", "the file must hold a JSON object with username and key"),
        ('{"username": "ada"}', "it has no key"),
        ("{}", "it has no username and no key"),
    ],
)
def test_a_broken_key_file_is_named_with_its_fault(home: Path, text: str, problem: str) -> None:
    path = write(home / ".kaggle/kaggle.json", text)
    assert find() is None
    assert [(c.place, c.problem) for c in found()] in ([(str(path), problem)], [] if text == "{}" else None)
    if text != "{}":
        with pytest.raises(UsageError, match=problem):
            connect()


def test_a_file_that_others_may_read_is_named(home: Path) -> None:
    path = write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}), mode=0o644)
    assert found()[0].open_file == path
    path.chmod(0o600)
    assert found()[0].open_file is None


# --- the client


def test_loading_the_client_prints_nothing_and_leaves_the_home_alone(
    home: Path, kaggle: KaggleServer, key: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client_module._bounded_api.cache_clear()
    before = dict(os.environ)
    assert connect().username() == USER
    assert dict(os.environ) == before
    assert list(home.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_other_kaggle_variables_configure_nothing(
    kaggle: KaggleServer, key: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAGGLE_PATH", "/nowhere")
    monkeypatch.setenv("KAGGLE_COMPETITION", "another")
    monkeypatch.setenv("KAGGLE_PROXY", "http://127.0.0.1:1")
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip


def test_a_token_is_known_by_its_user(kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert connect().username() == USER


def test_a_bad_token_is_refused_and_what_it_hides_is_named(
    home: Path, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".kaggle/kaggle.json", json.dumps({"username": USER, "key": KEY}))
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    with pytest.raises(RemoteError) as said:
        connect()
    assert "does not accept the credentials from the variable KAGGLE_API_TOKEN" in str(said.value)
    assert f"They take precedence over {home}/.kaggle/kaggle.json" in str(said.value)
    assert "KGAT_wrong" not in str(said.value)


def test_a_wrong_key_is_refused_at_the_first_question(kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", "wrong-key-000")
    with pytest.raises(
        RemoteError, match="does not accept the credentials from the variable KAGGLE_USERNAME and"
    ) as said:
        connect().username()
    assert "wrong-key-000" not in str(said.value)


def test_only_a_kaggle_on_this_machine_can_stand_in(key: None, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", "http://evil.example:80")
    with pytest.raises(UsageError, match=r"it must be http://127\.0\.0\.1:PORT"):
        connect()


@pytest.mark.parametrize("body", [{"numAllowedNow": "many"}, {"submissions": [{"status": "NO_SUCH_STATUS"}]}])
def test_an_answer_that_makes_no_sense_is_said_as_such(
    kaggle: KaggleServer, key: None, body: dict[str, object]
) -> None:
    kaggle.faults += [Misbehave("GetSubmissionLimits", 200, body=body), Misbehave("ListSubmissions", 200, body=body)]
    client = connect()
    with pytest.raises(RemoteError, match="Kaggle gave an answer about titanic that its client cannot read"):
        client.left_today("titanic") if "numAllowedNow" in body else client.submissions("titanic")


def test_a_fault_that_passes_is_not_the_users_business(kaggle: KaggleServer, key: None) -> None:
    kaggle.faults += [Misbehave("GetSubmissionLimits", 503), Misbehave("GetSubmissionLimits", "drop")]
    assert connect().left_today("titanic") == 5


def test_silence_ends_after_a_while(kaggle: KaggleServer, key: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_READ_SECONDS", 0.2)
    kaggle.faults.append(Misbehave("GetSubmissionLimits", "hang", times=9, seconds=1))
    with pytest.raises(RemoteError, match="Kaggle did not answer in time about titanic"):
        connect().left_today("titanic")


def test_no_network_is_said_as_such(home: Path, key: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_FIRST_WAIT", 0.01)
    monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RemoteError, match="Kaggle cannot be reached"):
        connect().left_today("titanic")


# --- downloads


def test_a_download_is_the_zip_and_a_second_one_asks_for_nothing(
    kaggle: KaggleServer, key: None, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    path = download(connect(), "titanic", tmp_path / "deep", tell=lambda done, size: told.append((done, size)))
    assert path.read_bytes() == kaggle.contests["titanic"].zip
    assert told[-1] == (path.stat().st_size,) * 2
    asked = len(kaggle.asked)
    assert download(connect(), "titanic", tmp_path / "deep") == path
    assert [p for p in kaggle.asked[asked:] if "Download" in p] == []
    assert sorted(p.name for p in path.parent.iterdir() if not p.name.endswith(".lock")) == ["titanic.zip"]


def test_a_line_that_breaks_is_taken_up_where_it_broke(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip


def test_a_download_that_breaks_for_good_is_kept_for_the_next_call(
    kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "_TRIES", 1)
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    with pytest.raises(RemoteError, match=r"broke off 1 times\. \d.* bytes are kept: the same command goes on"):
        download(connect(), "titanic", tmp_path)
    assert not (tmp_path / "titanic.zip").exists()
    kept = (tmp_path / ".titanic.part").stat().st_size
    assert 0 < kept < len(kaggle.contests["titanic"].zip)
    told: list[int] = []
    path = download(connect(), "titanic", tmp_path, tell=lambda done, size: told.append(done))
    assert path.read_bytes() == kaggle.contests["titanic"].zip
    assert told[0] > kept


def test_half_of_an_older_version_is_thrown_away(
    kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "_TRIES", 1)
    kaggle.faults.append(Misbehave("/files/", "cut_in_the_middle"))
    with pytest.raises(RemoteError):
        download(connect(), "titanic", tmp_path)
    kaggle.contests["titanic"].zip = zipped(200_000)
    assert download(connect(), "titanic", tmp_path).read_bytes() == kaggle.contests["titanic"].zip


@pytest.mark.parametrize("damage", ["truncated", "flipped", "a page"])
def test_what_is_no_whole_zip_is_thrown_away_and_said(
    kaggle: KaggleServer, key: None, tmp_path: Path, damage: str
) -> None:
    whole = kaggle.contests["titanic"].zip
    middle = len(whole) // 2
    kaggle.contests["titanic"].zip = {
        "truncated": whole[:middle],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "a page": b"<html>502 Bad Gateway</html>",
    }[damage]
    with pytest.raises(RemoteError, match="What Kaggle sent for titanic is damaged"):
        download(connect(), "titanic", tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".zip", ".part")]


def test_a_bomb_is_thrown_away_before_it_is_unpacked(
    kaggle: KaggleServer, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "_BOMB_BYTES", 1 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("train.csv", bytes(20 << 20))
    kaggle.contests["titanic"].zip = buffer.getvalue()
    with pytest.raises(RemoteError, match=r"damaged \(a bomb of 1 members, 20,971,520 bytes unpacked\)"):
        download(connect(), "titanic", tmp_path)
    assert not (tmp_path / "titanic.zip").exists()


def test_two_processes_download_once(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.faults.append(Misbehave("/files/", "slow", seconds=0.05))
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(download(connect(), "titanic", tmp_path))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [tmp_path / "titanic.zip"] * 2
    assert len([path for path in kaggle.asked if path.startswith("/files/")]) == 1


def test_rules_that_are_not_accepted_are_named_with_their_page(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.contests["titanic"].rules_accepted = False
    with pytest.raises(RemoteError, match=r"https://www\.kaggle\.com/competitions/titanic/rules"):
        download(connect(), "titanic", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be downloaded to .*file"):
        download(connect(), "titanic", tmp_path / "file")


# --- submitting


def sent(path: Path) -> Path:
    path.write_text("PassengerId,Survived\n892,0\n")
    return path


def test_a_submission_arrives_once_with_its_bytes(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    client = connect()
    ref = client.submit("titanic", sent(tmp_path / "submission.csv"), "first")
    assert [one["content"] for one in kaggle.submissions] == [b"PassengerId,Survived\n892,0\n"]
    listed = client.submissions("titanic")
    assert [(one.ref, one.status, one.public_score) for one in listed] == [(ref, "pending", None)]
    assert [(one.status, one.public_score) for one in client.submissions("titanic")] == [("complete", 0.5)]


def test_a_lost_answer_is_looked_up_and_nothing_is_sent_twice(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.faults.append(Misbehave("CreateSubmission", "drop_after"))
    ref = connect().submit("titanic", sent(tmp_path / "submission.csv"), "first")
    assert [one["ref"] for one in kaggle.submissions] == [ref]


def test_what_can_not_be_looked_up_is_said_to_be_unknown(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    kaggle.faults += [Misbehave("CreateSubmission", "drop_after"), Misbehave("ListSubmissions", 500, times=9, skip=1)]
    with pytest.raises(RemoteError, match="Whether the submission was made is not known: before sending it again"):
        connect().submit("titanic", sent(tmp_path / "submission.csv"), "first")
    assert len(kaggle.submissions) == 1


@pytest.mark.parametrize("where", ["StartSubmissionUpload", "/upload/"])
def test_what_fails_once_before_a_submission_is_made_is_tried_again(
    kaggle: KaggleServer, key: None, tmp_path: Path, where: str
) -> None:
    kaggle.faults.append(Misbehave(where, 503))
    ref = connect().submit("titanic", sent(tmp_path / "submission.csv"), "first")
    assert [one["ref"] for one in kaggle.submissions] == [ref]


@pytest.mark.parametrize("where", ["StartSubmissionUpload", "/upload/", "CreateSubmission"])
@pytest.mark.parametrize("kind", [500, "drop"])
def test_a_submission_that_fails_on_its_way_was_not_made(
    kaggle: KaggleServer, key: None, tmp_path: Path, where: str, kind: int | str
) -> None:
    kaggle.faults.append(Misbehave(where, kind, times=9))
    with pytest.raises(RemoteError):
        connect().submit("titanic", sent(tmp_path / "submission.csv"), "first")
    assert kaggle.submissions == []


def test_what_kaggle_does_not_take_is_said_in_its_words(kaggle: KaggleServer, key: None, tmp_path: Path) -> None:
    path = sent(tmp_path / "submission.csv")
    kaggle.contests["titanic"].left_today = 0
    with pytest.raises(RemoteError, match="No submission for titanic is left today"):
        connect().submit("titanic", path, "first")
    kaggle.contests["titanic"].deadline_passed = True
    with pytest.raises(RemoteError, match="The deadline of titanic has passed"):
        connect().submit("titanic", path, "first")
