from __future__ import annotations

import pytest

from kpipe.errors import DataError
from tests.data.cells import column, notes_on, read


def test_text_is_refused_only_where_the_other_file_has_as_many_numbers() -> None:
    train, test = column("A/5 21171", "113803", "PC 17599", other=("330911",)), ("A/5 21171", "PC 17599", "SC 1")
    assert train.dtype == "str"
    with pytest.raises(DataError, match=r"test\.csv, line 4: 'a' must hold numbers.*got 'SC 1', here and in 1 more"):
        column("1", "2", "3", other=("4", "5", test[2], test[1]))


def test_one_cell_of_text_among_many_numbers_is_missing_and_a_note_says_where_and_how_to_keep_it() -> None:
    rows = [f"{number},{number * 2}" for number in range(300)]
    rows[41] = "41,8Z"
    content = "id,a\n" + "\n".join(rows)
    train, _ = read(content)
    assert train["a"].isna().to_numpy().nonzero()[0].tolist() == [41]
    (note,) = notes_on(content, "id\n1\n")
    assert note == (
        "train.csv, line 43: 'a' holds numbers except in 1 cell ('8Z'), read as missing. As text: --text a."
    )
    assert read(content, text=["a"])[0]["a"][41] == "8Z"


@pytest.mark.parametrize("cell", ["?", "-", " ", "  ", "n.a.", "Unknown", "#DIV/0!", "--"])
def test_cells_that_say_that_a_number_is_missing_may_be_many(cell: str) -> None:
    content = "id,a\n" + "\n".join(f"{n},{cell if n % 3 else n}" for n in range(60)) + "\n"
    train, _ = read(content, "id,a\n70,5\n")
    assert train["a"].isna().sum() == 40
    assert "except in 40 cells" in notes_on(content, "id,a\n70,5\n")[0]


def test_codes_with_letters_stay_text() -> None:
    cells = [f"{n}.1" if n % 10 else f"V{n}" for n in range(200)]
    assert column(*cells).dtype == "str"
    assert column(*(f"{n:03}" if n % 99 else "V9" for n in range(200))).dtype == "str"


@pytest.mark.parametrize("cell", ["Infinity", "-inf", "1e999"])
def test_an_infinite_number_is_missing_and_a_note_says_where(cell: str) -> None:
    train, _ = read(f"id,a\n1,2.5\n2,{cell}\n")
    assert train["a"].isna().tolist() == [False, True]
    assert notes_on(f"id,a\n1,2.5\n2,{cell}\n", "id\n1\n") == [
        "train.csv, line 3: 'a' is infinite: read as missing. As text: --text a."
    ]


def test_a_column_that_mixes_numbers_and_text_in_both_files_is_text() -> None:
    assert column("113803", "A/5 21171", "17599", other=("330911", "SC 1")).dtype == "str"


def test_the_message_about_a_giant_cell_is_short() -> None:
    (note,) = notes_on("id,a\n1," + "9" * 1_000_000 + "\n2,0.5\n", "id\n1\n")
    assert len(note) < 200
    text = "id,a\n1," + "x" * 1_000_000 + "\n2,yy\n"
    with pytest.raises(DataError, match=r"'a' must hold numbers") as said:
        read("id,a\n1,1\n2,2\n3,3\n", text)
    assert len(str(said.value)) < 500


def test_numbers_with_thousands_beside_plain_ones_in_the_other_file_are_no_mistake() -> None:
    assert column('"1,034"', "950", '"2,100"', other=("950", "870", "12")).tolist() == ["1,034", "950", "2,100"]


def test_decimal_commas_beside_decimal_points_in_the_other_file_are_refused_rather_than_read_as_missing() -> None:
    decimals, commas = [f"0.{n + 100}" for n in range(60)], [f"-0,{n + 100}" for n in range(20)]
    with pytest.raises(DataError, match=r"test\.csv, line 2: 'a' must hold numbers.*got '-0,100'"):
        column(*decimals, other=tuple(f'"{cell}"' for cell in commas))


def test_per_cent_beside_plain_numbers_of_another_size_are_refused_with_every_way_on() -> None:
    per_cent = [f"{number}.5%" for number in range(60)]
    with pytest.raises(
        DataError, match=r"train\.csv: 'a' is written as '0\.5%' here and as 1000\.25 in the other.*--drop"
    ):
        column(*per_cent, other=tuple(f"{number}.25" for number in range(1000, 1020)))
    assert column(*per_cent, other=tuple(f"0.{number}" for number in range(10, 30))).dtype == "str"  # read later
