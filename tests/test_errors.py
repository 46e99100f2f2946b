from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kpipe.errors import KpipeError, printable
from tests.hostile import PLAIN


@PLAIN
@given(st.text(st.characters(exclude_categories=[])))
def test_any_message_is_printable(text: str) -> None:
    shown = printable(text)
    assert str(KpipeError(text)) == shown
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in shown if letter not in "\n\t")
    assert not {unicodedata.bidirectional(letter) for letter in shown} & {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI"}
