from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kpipe.cli import doctor
from kpipe.kaggle import session
from tests.cli.calls import call
from tests.kaggle_server import KEY, USER, Contest, KaggleServer, Misbehave, serving


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(session, "_FIRST_WAIT", 0.01)
    with serving(KaggleServer(contests={"titanic": Contest(zip=b"")})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server


def key_file(home: Path, mode: int = 0o600) -> Path:
    path = home / ".kaggle" / "kaggle.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"username": USER, "key": KEY}))
    path.chmod(mode)
    return path


def output(capsys: pytest.CaptureFixture[str], *args: str, status: int) -> str:
    assert call("doctor", *args) == status
    out = capsys.readouterr().out
    assert KEY not in out
    return out


def test_without_credentials_the_machine_is_checked_and_the_doctor_says_how_to_get_some(kaggle, capsys) -> None:
    out = output(capsys, status=0)
    for name in ("Python", "packages", "device", "disk"):
        assert f"pass {name}: " in out
    assert "warn credentials: none found" in out
    assert "https://www.kaggle.com/settings" in out
    assert kaggle.requested == []


def test_a_rejected_token_fails_and_names_the_credentials_it_hides(kaggle, capsys, tmp_path, monkeypatch) -> None:
    path = key_file(tmp_path)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_bad")
    out = output(capsys, status=1)
    assert f"a user name and key in {path}, not used: the variable KAGGLE_API_TOKEN takes precedence" in out
    assert "fail account: Kaggle does not accept the credentials from the variable KAGGLE_API_TOKEN." in out
    assert "KGAT_bad" not in out


def test_with_a_valid_key_account_quota_and_competition_are_checked(kaggle, capsys, tmp_path) -> None:
    path = key_file(tmp_path)
    out = output(capsys, "titanic", status=0)
    assert f"pass credentials: a user name and key in {path}, used" in out
    assert f"pass account: Logged in to Kaggle as {USER}." in out
    assert "pass GPU quota: 29.0 of 30.0 hours left this week" in out
    assert "pass rules: You have accepted the rules of titanic." in out
    assert "pass submissions: 5 left today for titanic" in out


def test_rules_that_are_not_accepted_fail_with_a_link_to_them(kaggle, capsys, tmp_path) -> None:
    key_file(tmp_path)
    kaggle.contests["titanic"].rules_accepted = False
    kaggle.contests["titanic"].left_today = 0
    out = output(capsys, "titanic", status=1)
    assert "fail rules: You have not accepted the rules of titanic." in out
    assert "Accept them on https://www.kaggle.com/competitions/titanic/rules" in out
    assert "warn submissions: 0 left today for titanic" in out


def test_a_file_that_others_can_read_is_fixed_by_chmod(kaggle, capsys, tmp_path) -> None:
    path = key_file(tmp_path, mode=0o644)
    out = output(capsys, status=0)
    assert f"other users of this machine can read {path}" in out
    assert f"chmod 600 {path}" in out


def test_an_unknown_competition_and_an_error_of_kaggle_are_findings(kaggle, capsys, tmp_path) -> None:
    key_file(tmp_path)
    kaggle.faults.append(Misbehave("Quota", 500, times=9))
    out = output(capsys, "no-such", status=1)
    assert "fail no-such: Kaggle has no competition 'no-such', or it is not open to you" in out
    assert "warn GPU quota: Kaggle has an internal error (500)" in out


def test_json_holds_every_finding(kaggle, capsys) -> None:
    found = json.loads(output(capsys, "--json", status=0))
    assert [one["name"] for one in found] == ["Python", "packages", "device", "disk", "credentials"]
    assert {"name", "status", "detail", "mend"} == set(found[0])


def test_the_doctor_says_how_to_fix_a_missing_package_and_a_full_disk(kaggle, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_PACKAGES", ("torch", "no-such-package"))
    monkeypatch.setattr(doctor, "_LITTLE_DISK", 1 << 60)
    found = {one.name: one for one in doctor.findings()}
    assert found["packages"].status == "fail"
    assert found["packages"].fix == "Install the missing packages: pip install no-such-package"
    assert found["disk"].status == "warn"


def test_a_cache_that_cannot_be_is_no_crash(kaggle, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("KPIPE_CACHE", str(tmp_path / ("x" * 300)))
    assert "disk" in {one.name for one in doctor.findings()}
