"""The rule by which a vault shows scores, and the file that keeps it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kpipe.core.metrics import get_metric, paired_standard_error
from kpipe.errors import DataError
from kpipe.problem.locked import LockedRows
from kpipe.runs.vault import FILE, Opening, Vault, fingerprint, margin, read_vault, with_opening, write_vault

ROWS, TRIES, REPEATS = 200, 1000, 10


def vault() -> Vault:
    ids, rows, files = ("7", "9"), (6, 8), {"train.csv": "0" * 64}
    sha256 = fingerprint("titanic", ids, rows, files)
    locked = LockedRows(rows=rows, train_rows=10, id="PassengerId", ids=ids, sha256=sha256)
    return Vault(
        slug="titanic", created="2026-11-27T15:00:00+00:00", share=0.2, how="at random", files=files, locked=locked
    )


def climbed(rng: np.random.Generator) -> float:
    """The best score that is shown of a thousand coins, minus the true one."""
    metric, y = get_metric("accuracy"), rng.integers(2, size=ROWS)
    shown, best = 0.0, np.zeros((0, 2))
    for number in range(TRIES):
        guessed = rng.integers(2, size=ROWS)
        predictions, score = np.column_stack([1 - guessed, guessed]).astype(float), float((guessed == y).mean())
        if number == 0 or (
            score > shown and score - shown > margin(number) * paired_standard_error(metric, y, best, predictions)
        ):
            shown, best = score, predictions
    return shown - 0.5


def test_the_best_of_a_thousand_random_tries_gains_less_than_a_standard_error() -> None:
    rng = np.random.default_rng(0)
    assert np.mean([climbed(rng) for _ in range(REPEATS)]) < np.sqrt(0.25 / ROWS)


def test_a_vault_is_read_back_with_its_openings(tmp_path: Path) -> None:
    opening = Opening(run_id="r1", sha256="a", created="2026-11-27", score=0.8, standard_error=0.03)
    hidden = replace(opening, run_id="r2", score=None, standard_error=None)
    written = with_opening(with_opening(vault(), opening), hidden)
    write_vault(tmp_path, written)
    assert read_vault(tmp_path) == written
    assert written.best(greater_is_better=True) == opening
    assert read_vault(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("change", [{"rows": [6, 7]}, {"ids": ["7", "8"]}, {"openings": 3}, {"share": "x"}])
def test_a_vault_that_was_changed_by_hand_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    write_vault(tmp_path, vault())
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**content, **change}))
    with pytest.raises(DataError, match=r"vault\.json is not a vault: .* Restore the file"):
        read_vault(tmp_path)


def test_rows_are_found_by_id_and_their_absence_is_reported() -> None:
    import pandas as pd

    train, locked = pd.DataFrame({"PassengerId": [9, 8, 7]}), vault().locked
    assert locked.positions(train).tolist() == [0, 2]
    with pytest.raises(DataError, match="1 of its 2 rows are not found"):
        locked.positions(train.iloc[1:])
    others_repeat = pd.DataFrame({"PassengerId": [9, 8, 8, 7]})
    assert locked.positions(others_repeat).tolist() == [0, 3]
    with pytest.raises(DataError, match="1 of its 2 rows are not found, or their ids repeat"):
        locked.positions(pd.DataFrame({"PassengerId": [9, 8, 7, 7]}))
