"""The check that the order of rows carries no information about the target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.checks.prepared_tables import from_frame, status


def test_whole_numbers_that_do_not_number_the_rows_may_be_strong_features() -> None:
    rng = np.random.default_rng(0)
    size = rng.choice(10**6, 400, replace=False) + 1000
    frame = pd.DataFrame({"id": rng.permutation(400), "people": size, "f": rng.normal(size=400)})
    later = frame.assign(y=size * np.exp(0.05 * rng.normal(size=400)))
    rich = frame.assign(y=(size / 1e6 + 0.3 * rng.normal(size=400) > 0.5).astype(int))
    ordered = later.sort_values("people", ignore_index=True)
    ordered = ordered.assign(id=rng.permutation(400))
    assert [status(from_frame(made, 300), "row-order leakage") for made in (later, rich)] == ["pass", "pass"]
    assert (
        status(from_frame(ordered, 300), "row-order leakage") == "warn"
    )  # the file is in order, which people do not make


def test_a_class_that_the_sample_of_rows_lacks_causes_no_error() -> None:
    n = 21_000
    looked_at = np.sort(np.random.default_rng(0).permutation(n)[:20_000])
    y = np.zeros(n + 50, dtype=int)
    y[np.setdiff1d(np.arange(n), looked_at)[::100]] = 1
    frame = pd.DataFrame({"id": np.arange(n + 50), "f": np.random.default_rng(1).normal(size=n + 50), "y": y})
    assert status(from_frame(frame, n), "row-order leakage") == "pass"


def test_a_counter_by_which_test_continues_is_time_under_another_name() -> None:
    rng = np.random.default_rng(0)
    serial = np.concatenate([rng.permutation(600), 600 + rng.permutation(200)]) * 7
    frame = pd.DataFrame({"id": rng.permutation(800), "serial": serial, "f": rng.normal(size=800)})
    drifting = from_frame(frame.assign(y=np.sin(serial / 300) + 0.3 * rng.normal(size=800)), 600)
    still = from_frame(frame.assign(y=rng.normal(size=800)), 600)
    check = drifting.check("row-order leakage")
    assert check is not None
    assert check.status == "warn"
    assert "By serial, test comes after train, as by a time." in check.detail
    assert status(still, "row-order leakage") == "pass"


@pytest.mark.parametrize("form", ["{}", "J{}"])
def test_groups_that_are_times_are_mixed_by_folds_by_group(form: str) -> None:
    rng = np.random.default_rng(0)
    day = np.concatenate(
        [rng.permutation(np.repeat(np.arange(200), 6)), rng.permutation(np.repeat(np.arange(60), 6)) + 200]
    )
    codes = [form.format(43_000 + one) for one in day]
    frame = pd.DataFrame({"id": rng.permutation(len(day)), "code": codes, "f": rng.normal(size=len(day))})
    frame["code"] = frame["code"].astype(int) if form == "{}" else frame["code"]
    drifting = frame.assign(y=np.sin(day / 30) + 0.3 * rng.normal(size=len(day)))
    check = from_frame(drifting, 1200, groups="code").check("row-order leakage")
    assert check is not None
    assert check.status == "warn"
    assert "Validate on later rows (splitter=ByTime" in check.detail
    people = frame.assign(y=rng.normal(size=260)[day] + 0.3 * rng.normal(size=len(day)))  # each differs, none drifts
    assert status(from_frame(people, 1200, groups="code"), "row-order leakage") == "pass"
