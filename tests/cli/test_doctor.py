"""The doctor in its states: nothing, a bad token, a good key, rules that are not accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kpipe.cli import doctor
from kpipe.cli.main import main
from kpipe.kaggle import client as client_module
from tests.kaggle_server import KEY, USER, Contest, KaggleServer, Misbehave, serving


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(client_module, "_FIRST_WAIT", 0.01)
    with serving(KaggleServer(contests={"titanic": Contest(zip=b"")})) as server:
        monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", server.url)
        yield server


def key_file(home: Path, mode: int = 0o600) -> Path:
    path = home / ".kaggle" / "kaggle.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"username": USER, "key": KEY}))
    path.chmod(mode)
    return path


def told(capsys: pytest.CaptureFixture[str], *args: str, status: int) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *args])
    assert ended.value.code == status
    said = capsys.readouterr().out
    assert KEY not in said
    return said


def test_with_nothing_the_machine_is_described_and_the_way_to_credentials(kaggle, capsys) -> None:
    said = told(capsys, status=0)
    for name in ("Python", "packages", "device", "disk"):
        assert f"pass {name}: " in said
    assert "warn credentials: none found" in said
    assert "https://www.kaggle.com/settings" in said
    assert kaggle.asked == []


def test_a_bad_token_fails_and_what_it_hides_is_named(kaggle, capsys, tmp_path, monkeypatch) -> None:
    path = key_file(tmp_path)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_bad")
    said = told(capsys, status=1)
    assert f"a user name and key in {path}, not used: the variable KAGGLE_API_TOKEN goes before it" in said
    assert "fail account: Kaggle does not accept the credentials from the variable KAGGLE_API_TOKEN." in said
    assert "KGAT_bad" not in said


def test_a_good_key_shows_the_account_its_quota_and_the_competition(kaggle, capsys, tmp_path) -> None:
    path = key_file(tmp_path)
    said = told(capsys, "titanic", status=0)
    assert f"pass credentials: a user name and key in {path}, used" in said
    assert f"pass account: Kaggle knows you as {USER}." in said
    assert "pass GPU quota: 29.0 of 30.0 hours left this week" in said
    assert "pass rules: The rules of titanic are accepted." in said
    assert "pass submissions: 5 left today for titanic" in said


def test_rules_that_are_not_accepted_fail_with_their_page(kaggle, capsys, tmp_path) -> None:
    key_file(tmp_path)
    kaggle.contests["titanic"].rules_accepted = False
    kaggle.contests["titanic"].left_today = 0
    said = told(capsys, "titanic", status=1)
    assert "fail rules: The rules of titanic are not accepted." in said
    assert "Open https://www.kaggle.com/competitions/titanic/rules" in said
    assert "warn submissions: 0 left today for titanic" in said


def test_a_file_that_others_may_read_is_mended_by_chmod(kaggle, capsys, tmp_path) -> None:
    path = key_file(tmp_path, mode=0o644)
    said = told(capsys, status=0)
    assert f"others on this machine may read {path}" in said
    assert f"chmod 600 {path}" in said


def test_a_competition_that_kaggle_does_not_have_and_a_fault_of_kaggles_are_findings(kaggle, capsys, tmp_path) -> None:
    key_file(tmp_path)
    kaggle.faults.append(Misbehave("Quota", 500, times=9))
    said = told(capsys, "no-such", status=1)
    assert "fail no-such: Kaggle has no competition 'no-such', or it is not open to you" in said
    assert "warn GPU quota: Kaggle has a fault of its own (500)" in said


def test_json_holds_every_finding(kaggle, capsys) -> None:
    found = json.loads(told(capsys, "--json", status=0))
    assert [one["name"] for one in found] == ["Python", "packages", "device", "disk", "credentials"]
    assert {"name", "status", "detail", "mend"} == set(found[0])


def test_a_package_that_is_missing_and_a_full_disk_have_their_mends(kaggle, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_PACKAGES", ("torch", "no-such-package"))
    monkeypatch.setattr(doctor, "_LITTLE_DISK", 1 << 60)
    found = {one.name: one for one in doctor.findings()}
    assert found["packages"].status == "fail"
    assert found["packages"].mend == "Install the missing packages: pip install no-such-package"
    assert found["disk"].status == "warn"
