"""Parquet and Feather files are read within bounds on what they unfold to."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.data.columnar import read_feather, read_parquet
from kpipe.data.formats import parse_table
from kpipe.errors import DataError
from tests.hostile import PLAIN, damaged

MANY = 60_000_000  # rows, 480 MB of numbers
PEOPLE = pd.DataFrame({
    "id": [7, 8, 9], "name": ["Ada", None, "Zoë"], "age": [1.5, None, 3.0], "paid": [True, False, True],
    "when": pd.to_datetime(["2020-01-01", "2021-01-01", None]), "kind": pd.Categorical(["a", "b", "a"]),
})  # fmt: skip


def written(write: Callable[[pa.Table, io.BytesIO], None], table: pa.Table) -> bytes:
    sink = io.BytesIO()
    write(table, sink)
    return sink.getvalue()


def repeated(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, "int32")), pa.array([text]))


def as_parquet(table: pa.Table, sink: io.BytesIO) -> None:
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        for start in range(0, max(len(table), 1), 5_000_000):
            writer.write_table(table[start : start + 5_000_000])


def as_feather(table: pa.Table, sink: io.BytesIO) -> None:
    feather.write_feather(table, sink, compression="zstd", chunksize=max(len(table), 1))


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_files_of_every_compression_are_read(compression: str) -> None:
    raw = written(lambda table, sink: feather.write_feather(table, sink, compression), pa.Table.from_pandas(PEOPLE))
    assert read_feather("people.feather", raw).to_pandas().equals(PEOPLE)


def test_a_parquet_file_is_read_as_it_was_written() -> None:
    table = read_parquet("people.parquet", written(pq.write_table, pa.Table.from_pandas(PEOPLE)))
    assert table.to_pandas(categories=[]).astype({"name": "str"}).equals(PEOPLE.astype({"name": "str"}))


def test_a_table_without_rows_keeps_its_columns() -> None:
    for read, write in ((read_parquet, as_parquet), (read_feather, as_feather)):
        empty = pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.int64())})
        assert read("empty", written(write, empty)).column_names == ["a", "b"]


@pytest.mark.parametrize("ending", ["parquet", "feather"])
@pytest.mark.parametrize(
    "table",
    [
        pytest.param(lambda: pa.table({"a": np.zeros(MANY)}), id="zeros"),
        pytest.param(lambda: pa.table({"a": repeated("x" * 100_000, 100_000)}), id="one text"),
        pytest.param(lambda: pa.table({"a": pa.nulls(MANY)}), id="nulls"),
        pytest.param(lambda: pa.table({f"a{n}": repeated("x" * 1_000_000, 100) for n in range(9)}), id="many columns"),
    ],
)
def test_a_small_file_that_unfolds_to_a_huge_table_is_refused_before_it_fills_the_memory(
    ending: str, table: Callable[[], pa.Table]
) -> None:
    raw = written(as_parquet if ending == "parquet" else as_feather, table())
    assert len(raw) < 1_000_000
    before = pa.total_allocated_bytes()
    with pytest.raises(
        DataError, match=rf"bomb.{ending} unfolds from [\d,]+ bytes to [\d,]+: it may be designed to exhaust"
    ):
        parse_table(f"bomb.{ending}", raw)
    assert pa.total_allocated_bytes() - before < 64 << 20


def test_a_file_with_another_number_of_rows_than_expected_is_refused() -> None:
    raw = written(pq.write_table, pa.Table.from_pandas(PEOPLE))
    assert read_parquet("p.parquet", raw, rows=3).num_rows == 3
    with pytest.raises(DataError, match=r"p\.parquet must have 1,000 rows; got 3"):
        read_parquet("p.parquet", raw, rows=1000)


def test_offsets_of_text_that_lead_beyond_the_file_are_refused() -> None:
    offsets = pa.py_buffer(np.array([0, 1 << 30, 3], "int32"))
    text = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abc")])
    raw = written(as_feather, pa.table({"name": text}))
    with pytest.raises(DataError, match=r"people\.feather"):
        parse_table("people.feather", raw)


@PLAIN
@given(data=st.data(), write=st.sampled_from([as_parquet, as_feather]))
def test_a_damaged_file_is_read_or_refused(data: st.DataObject, write: Callable[[pa.Table, io.BytesIO], None]) -> None:
    raw = damaged(data, written(write, pa.Table.from_pandas(PEOPLE)))
    with contextlib.suppress(DataError):
        parse_table("people.feather" if write is as_feather else "people.parquet", raw)
