from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

import numpy as np

from kpipe.models.nets.feature_store import features_of

ROWS = np.random.default_rng(0).integers(0, 256, (200, 12), dtype=np.uint8)


class Counting:
    """Doubles each row, and counts the rows."""

    def __init__(self, rows: np.ndarray = ROWS) -> None:
        self.rows, self.count = rows, 0

    def __call__(self, places: np.ndarray) -> np.ndarray:
        self.count += len(places)
        return (self.rows[places].astype(np.float16)) * 2


def expected(rows: np.ndarray = ROWS) -> np.ndarray:
    return rows.astype(np.float16) * 2


def test_a_row_is_computed_once_whatever_is_asked_with_it(tmp_path):
    compute = Counting()
    np.testing.assert_array_equal(features_of(ROWS, compute, tmp_path), expected())
    assert compute.count == len(ROWS)
    again = ROWS[::-3]
    np.testing.assert_array_equal(features_of(again, Counting(again), tmp_path), expected(again))
    more = np.concatenate([ROWS, ROWS[:5] ^ 1])
    compute = Counting(more)
    np.testing.assert_array_equal(features_of(more, compute, tmp_path), expected(more))
    assert compute.count == 5


def test_equal_rows_are_computed_once(tmp_path):
    rows = np.repeat(ROWS[:3], 4, axis=0)
    compute = Counting(rows)
    np.testing.assert_array_equal(features_of(rows, compute, tmp_path), expected(rows))
    assert compute.count == 3


def test_damaged_files_are_computed_again(tmp_path):
    features_of(ROWS, Counting(), tmp_path)
    for number, path in enumerate(sorted(tmp_path.glob("*.npz"))):
        path.write_bytes([b"", b"PK\x03\x04", path.read_bytes()[:90]][number % 3])
    compute = Counting()
    np.testing.assert_array_equal(features_of(ROWS, compute, tmp_path), expected())
    assert compute.count == len(ROWS)


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    np.testing.assert_array_equal(features_of(ROWS, Counting(), blocked), expected())


def compute_in_process(folder: Path, results) -> None:
    compute = Counting()
    features_of(ROWS, compute, folder)
    results.put(compute.count)


def test_two_processes_share_the_work(tmp_path):
    context = get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=compute_in_process, args=(tmp_path, results)) for _ in range(2)]
    for process in processes:
        process.start()
    assert sum(results.get(timeout=60) for _ in processes) == len(ROWS)
    for process in processes:
        process.join()
