from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.features import known_choices
from kpipe.features.family_choice import Choice
from kpipe.features.known_choices import choices_for, choices_in, folder_of_choices, share_choices

CHOICES = {
    "arithmetic": Choice([("a", "b", "-"), ("é", "b", "+")], 0.25, 0.125),
    "digits": Choice([("a", -1)], 1.0, 0.0),
}


def refuse() -> dict[str, Choice]:
    raise AssertionError


@pytest.fixture
def other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_choices, "_IN_PROCESS", {})


@pytest.mark.usefixtures("other_process")
@pytest.mark.parametrize("choices", [CHOICES, {}, None], ids=["some", "none", "no time"])
def test_a_choice_of_one_process_is_known_to_the_next_one(
    choices: dict[str, Choice] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with choices_in(str(tmp_path)):
        assert choices_for(("key",), lambda: choices) == choices
        monkeypatch.setattr(known_choices, "_IN_PROCESS", {})
        assert choices_for(("key",), refuse) == choices
        assert choices_for(("other key",), dict) == {}


@pytest.mark.usefixtures("other_process")
@pytest.mark.parametrize("folder", ["", "of-another-machine"])
def test_without_a_folder_each_process_chooses_itself(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with choices_in(folder):
        assert choices_for(("key",), lambda: CHOICES) == CHOICES
        assert choices_for(("key",), refuse) == CHOICES
        monkeypatch.setattr(known_choices, "_IN_PROCESS", {})
        assert choices_for(("key",), dict) == {}


@pytest.mark.usefixtures("other_process")
def test_a_run_without_the_time_to_choose_takes_nothing_from_later_runs_of_the_process() -> None:
    with share_choices():
        assert choices_for(("key",), lambda: None) is None
        assert choices_for(("key",), refuse) is None
    with share_choices():
        assert choices_for(("key",), lambda: CHOICES) == CHOICES


@pytest.mark.usefixtures("other_process")
def test_names_that_are_no_texts_are_not_shared(tmp_path: Path) -> None:
    choices = {"digits": Choice([((1, b"x"), 0)], 1.0, 0.5)}
    with choices_in(str(tmp_path)):
        assert choices_for(("key",), lambda: choices) == choices
    assert not [*tmp_path.iterdir()]


def test_the_folder_of_a_run_is_removed_at_its_end() -> None:
    with share_choices():
        folder = Path(folder_of_choices())
        assert folder.is_dir()
    assert not folder.exists()
    assert folder_of_choices() == ""
