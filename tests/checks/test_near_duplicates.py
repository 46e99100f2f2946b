"""Near-duplicates on both sides of a fold: copies that were written anew, and pictures that were moved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.checks.prepared_tables import from_frame, status
from tests.plants import Prepared

CHECK = "near-duplicates across folds"


def pictures(n: int, *, move: int) -> Prepared:
    """Blurred spots on 16 x 16 pixels; a quarter of train's are others, moved by some pixels."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:16, :16]
    centres, widths = rng.uniform(4, 11, (n, 3, 2)), rng.uniform(0.8, 2.0, (n, 3))
    distance = (rows - centres[..., :1, None]) ** 2 + (columns - centres[..., 1:, None]) ** 2
    made = np.exp(-distance / (2 * widths[..., None, None] ** 2)).max(axis=1)
    train = n * 3 // 5
    copies = rng.permutation(train)[: train // 4]
    if move:
        made[copies] = np.roll(made[(copies + train // 2) % train], (move, -move), axis=(1, 2))
    pixels = (255 * made).round().astype(np.uint8).reshape(n, -1)
    frame = pd.DataFrame(pixels, columns=[f"pixel{number}" for number in range(256)])
    return from_frame(frame.assign(id=np.arange(n), y=rng.integers(0, 2, n)), train, metric="accuracy")


@pytest.mark.parametrize("move", [1, 2, 3])
def test_pictures_that_were_moved_by_a_few_pixels_are_found(move: int) -> None:
    assert status(pictures(1_000, move=move), CHECK) == "fail"


def test_pictures_that_are_all_different_pass() -> None:
    assert status(pictures(1_000, move=0), CHECK) == "pass"


def test_copies_whose_texts_were_written_anew_are_found() -> None:
    rng = np.random.default_rng(0)
    n = 900
    first, last = (rng.choice([f"{a}{b}{c}" for a in "abcdef" for b in "aeiou" for c in "lmnrst"], n) for _ in range(2))
    frame = pd.DataFrame(
        {"id": np.arange(n), "name": [f"{a.title()} {b.title()}" for a, b in zip(first, last, strict=True)]}
    )
    frame["town"] = rng.choice(["Ulm", "Bonn", "Kiel", "Trier"], n)
    frame["x"], frame["z"], frame["y"] = rng.normal(size=n).round(2), rng.normal(size=n).round(2), rng.integers(0, 2, n)
    copies = frame.head(300).assign(
        id=np.arange(n, n + 300),
        name=[f"{b.upper()}, {a.upper()}" for a, b in zip(first[:300], last[:300], strict=True)],
    )
    copies["town"] = copies["town"].str.upper()
    both = pd.concat([frame.head(600), copies, frame.tail(300)], ignore_index=True)
    assert status(from_frame(both, 900, metric="accuracy"), CHECK) in ("warn", "fail")


def people(n: int, seed: int) -> pd.DataFrame:
    """Many rows are alike by nature: most people spend nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.integers(0, 80, n), "deck": rng.choice(list("ABCDEFG"), n)})
    for name in ("spa", "food", "shop"):
        frame[name] = np.where(rng.random(n) < 0.7, 0.0, rng.gamma(2, 300, n).round())
    return frame.assign(y=rng.integers(0, 2, n))


@pytest.mark.parametrize("seed", range(3))
def test_copies_with_noise_are_found_although_other_rows_are_similar_by_nature(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, test = people(4_000, seed), people(2_000, 100 + seed)
    copies = train.iloc[rng.permutation(4_000)[:1_200]].copy()
    copies["age"] += rng.integers(-1, 2, len(copies))
    for name in ("spa", "food", "shop"):
        copies[name] *= rng.uniform(0.98, 1.02, len(copies))
    clean = pd.concat([train, test], ignore_index=True)
    assert status(from_frame(clean.assign(id=np.arange(6_000)), 4_000, metric="accuracy"), CHECK) == "pass"
    both = pd.concat([train, copies, test], ignore_index=True)
    assert status(from_frame(both.assign(id=np.arange(7_200)), 5_200, metric="accuracy"), CHECK) != "pass"
