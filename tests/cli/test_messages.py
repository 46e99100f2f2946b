from __future__ import annotations

import sys

import pytest

from kpipe.cli.messages import print_competition_notes
from tests.cli.calls import call


def test_a_message_is_one_line_in_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    call("run", "titanik")
    message, explain = capsys.readouterr().err.splitlines()
    assert message.startswith("Error: ")
    assert explain.startswith("More about this: kpipe explain ")


def test_a_name_that_resembles_that_of_a_competition_with_a_module_gets_a_note(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_competition_notes(["my-try"], data="data/titanic.zip")
    assert capsys.readouterr().err == (
        "Note: my-try has no module; titanic has one, with its features and metric: kpipe run titanic.\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
@pytest.mark.parametrize("width", [40, 140])
def test_a_message_is_wrapped_between_words_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pexpect = pytest.importorskip("pexpect")
    monkeypatch.delenv("COLUMNS", raising=False)
    child = pexpect.spawn(
        sys.executable, ["-m", "kpipe", "run", "Tita nic"], encoding="utf-8", dimensions=(24, width), timeout=60
    )
    child.expect(pexpect.EOF)
    lines = child.before.splitlines()
    assert all(len(line) <= width for line in lines)
    assert " ".join(lines).startswith("Error: 'Tita nic' cannot be a competition: slugs consist of")
    child.close()
    assert child.exitstatus == 2
