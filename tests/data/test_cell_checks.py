from __future__ import annotations

import pytest

from kpipe.data.csv_reader import parse_csv
from kpipe.data.frames import to_frames
from kpipe.errors import DataError
from tests.data.cells import column, read


def test_text_is_refused_only_where_the_other_file_has_as_many_numbers() -> None:
    train, test = column("A/5 21171", "113803", "PC 17599", other=("330911",)), ("A/5 21171", "PC 17599", "SC 1")
    assert train.dtype == "str"
    with pytest.raises(DataError, match=r"test\.csv, line 4: 'a' must hold numbers; got 'SC 1'"):
        column("1", "2", "3", other=("4", "5", test[2]))


def test_one_cell_of_text_among_many_numbers_is_refused_even_in_train_alone() -> None:
    rows = [f"{number},{number * 2}" for number in range(300)]
    rows[41] = "41,8Z"
    with pytest.raises(DataError, match=r"train\.csv, line 43: 'a' must hold numbers; got '8Z'"):
        read("id,a\n" + "\n".join(rows))


def test_a_column_that_mixes_numbers_and_text_in_both_files_is_text() -> None:
    assert column("113803", "A/5 21171", "17599", other=("330911", "SC 1")).dtype == "str"


def test_the_error_for_a_giant_cell_is_short_and_says_what_to_do() -> None:
    train = parse_csv("train.csv", b"id,a\n1," + b"9" * 1_000_000 + b"\n2,0.5\n")
    with pytest.raises(DataError, match=r"^train\.csv, line 2: 'a' must hold finite numbers.*Fix the cell") as said:
        to_frames({"train": train}, ids=["id"], text=[])
    assert len(str(said.value)) < 5_000


def test_numbers_with_thousands_beside_plain_ones_in_the_other_file_are_no_mistake() -> None:
    assert column('"1,034"', "950", '"2,100"', other=("950", "870", "12")).tolist() == ["1,034", "950", "2,100"]
