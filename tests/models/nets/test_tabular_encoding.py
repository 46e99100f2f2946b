from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.models.nets.tabular_encoding import TableEncoding

N = 60
TABLE = pd.DataFrame(
    {
        "age": [np.nan if row % 10 == 0 else float(row) for row in range(N)],
        "flag": [row % 2 == 0 for row in range(N)],
        "deck": pd.Series(["a", "b", "c", None] * (N // 4), dtype="str"),
        "town": pd.Series([f"t{row % 15}" for row in range(N)], dtype="str"),
    }
)


def test_a_table_becomes_numbers_indicators_of_missing_ones_one_hot_columns_and_codes() -> None:
    encoding = TableEncoding(TABLE, bins=4)
    encoded = encoding.encode(TABLE)
    one_hot = 5  # rare or unseen, "(missing)", a, b, c
    assert encoding.n_plain == 2 + 1 + one_hot
    assert encoding.cardinalities == [16]
    assert encoded.shape == (N, encoding.n_plain + 1)
    assert np.isfinite(encoded).all()
    np.testing.assert_array_equal(encoded[:, 2], TABLE["age"].isna())
    np.testing.assert_array_equal(encoded[:, 3:8].sum(axis=1), 1)


def test_a_column_has_as_many_bins_as_asked_and_none_if_it_has_two_values() -> None:
    encoding = TableEncoding(TABLE, bins=4)
    assert [len(edges) for edges in encoding.edges] == [5, 0]
    assert (np.diff(encoding.edges[0]) > 0).all()


def test_values_that_differ_by_less_than_float32_can_say_share_an_edge() -> None:
    column = pd.DataFrame({"x": np.tile([-1.0, -1e-51, 0.0, 1e-60, 1.0, 2.0], 20)})
    (edges,) = TableEncoding(column, bins=8).edges
    assert len(edges) == 4
    assert (np.diff(edges).astype(np.float32) > 0).all()


def test_unseen_and_rare_categories_have_the_code_0() -> None:
    rare = TABLE.assign(town=TABLE["town"].where(TABLE.index != 0, "once"))
    encoding = TableEncoding(rare, bins=4)
    assert encoding.encode(rare)[0, -1] == 0
    assert encoding.encode(rare.assign(town="new"))[5, -1] == 0
    assert encoding.encode(rare)[5, -1] > 0
