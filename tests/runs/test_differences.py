from __future__ import annotations

from kpipe.runs.differences import differences


def test_inputs_of_any_type_are_compared() -> None:
    assert differences({"files": 3, "versions": None}, {"versions": {"numpy": "2"}}) == ["versions: numpy was added"]


def test_phrases_hold_no_control_characters() -> None:
    (phrase,) = differences({"versions": {"numpy": "\x1b[2J"}}, {"versions": {"numpy": "2"}})
    assert phrase.isprintable()
