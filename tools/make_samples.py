"""Generate the sample data of the competitions, with the same bytes in every call.

    python tools/make_samples.py [FOLDER]

FOLDER defaults to ``competitions``. None of the rows is from Kaggle: see ``competitions/SAMPLES.md``.

The random numbers come from ``numpy.random.RandomState``, whose streams never change (NEP 19); those of
``default_rng`` may change with a release of NumPy.

References
----------
- NEP 19, https://numpy.org/neps/nep-0019-rng-policy.html
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import sample_digits
import sample_houses
import sample_spaceship
import sample_titanic

__all__ = ["main", "write_csv"]

SAMPLES = {
    "titanic": sample_titanic.tables,
    "house-prices-advanced-regression-techniques": sample_houses.tables,
    "digit-recognizer": sample_digits.tables,
    "spaceship-titanic": sample_spaceship.tables,
}


def write_csv(path: Path, table: Mapping[str, list[object]]) -> None:
    """Write a table (column → values) in the format of Kaggle's files: commas, few quotes, empty fields for None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))


def main(root: Path) -> None:
    """Write every sample under ``root/<slug>/sample``."""
    for slug, tables in SAMPLES.items():
        for name, table in tables().items():
            write_csv(root / slug / "sample" / f"{name}.csv", table)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "competitions")
