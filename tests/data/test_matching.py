"""Regular expressions on Arrow strings: what matches, and groups as numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.matching import first_known, matches, named_groups, to_floats


def test_a_cell_that_is_missing_matches_nothing() -> None:
    assert matches(pa.array(["a1", "b", None]), r"\d|^$").tolist() == [True, False, False]


def test_a_group_is_missing_where_it_takes_no_part_in_the_match_or_the_cell_does_not_match() -> None:
    found = named_groups(pc.extract_regex(pa.array(["3h 20", "3h", "noon"]), r"(?P<hours>\d+)h(?: (?P<minutes>\d+))?"))
    assert list(found) == ["hours", "minutes"]
    np.testing.assert_array_equal(to_floats(found["hours"]), [3, 3, np.nan])
    np.testing.assert_array_equal(to_floats(found["minutes"]), [20, np.nan, np.nan])


def test_integers_become_floats() -> None:
    assert to_floats(pa.array([1, None], pa.int32())).dtype == np.float64


def test_the_first_known_number_of_each_row_is_taken() -> None:
    columns = np.array([[np.nan, 1, np.nan], [2, 3, np.nan], [4, 5, np.nan]])
    np.testing.assert_array_equal(first_known(*columns), [2, 1, np.nan])
