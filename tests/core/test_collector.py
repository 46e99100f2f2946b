from __future__ import annotations

import json
import subprocess
import sys

_CODE = """
import gc, json
from kpipe.core.collector import collect_as_usual, collect_rarely

usual, before = gc.get_threshold(), gc.get_stats()[2]["collections"]
collect_rarely()
import pandas
during = gc.get_stats()[2]["collections"] - before
collect_as_usual()
print(json.dumps([during, gc.get_threshold() == usual, gc.get_freeze_count() > 50_000]))
"""


def test_imports_are_not_searched_for_garbage_and_what_is_made_after_them_is() -> None:
    found = subprocess.check_output([sys.executable, "-c", _CODE], text=True)
    assert json.loads(found) == [0, True, True]
