from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.data.loading import load
from kpipe.errors import DataError
from tests.data.small_competitions import FILES, Make, folder, zipped


def test_an_id_column_that_test_lacks_is_found_in_the_sample(tmp_path: Path) -> None:
    files = {
        "train.csv": b"label,p\n1,5\n0,6\n",
        "test.csv": b"p\n7\n8\n",
        "sample_submission.csv": b"ImageId,Label\n01,0\n02,0\n",
    }
    assert load("x", folder(tmp_path, files)).sample["ImageId"].tolist() == ["01", "02"]


@pytest.mark.parametrize("make", [folder, zipped])
def test_a_repeated_id_is_refused_with_both_lines(make: Make, tmp_path: Path) -> None:
    files = FILES | {"train.csv": FILES["train.csv"].replace(b"3,2.5", b"1,2.5")}
    words = r"train\.csv: the id column 'id' must not repeat a value; got 1 twice \(lines 2 and 4\).*--id"
    with pytest.raises(DataError, match=words):
        load("x", make(tmp_path / "x.zip", files))


@pytest.mark.parametrize(("rows", "refused"), [(2, False), (1, True)])
def test_ids_may_repeat_in_train_where_they_name_things_with_several_rows(
    rows: int, refused: bool, tmp_path: Path
) -> None:
    ids = [number // rows for number in range(40)]
    ids[1] = ids[0]
    train = "id,x,y\n" + "".join(f"{id},{number},0\n" for number, id in enumerate(ids))
    place = folder(tmp_path, {**FILES, "train.csv": train.encode()})
    if refused:
        with pytest.raises(DataError, match=r"train\.csv: the id column 'id' must not repeat"):
            load("x", place)
    else:
        assert len(load("x", place).train) == 40


@pytest.mark.parametrize("fits", [True, False])
def test_ids_of_several_columns_are_read_where_they_match_and_else_refused(fits: bool, tmp_path: Path) -> None:
    pairs = [(store, day) for store in range(6) for day in range(4)]
    test = "store,day,x\n" + "".join(f"{store},{day},{store}\n" for store, day in pairs)
    sample = "store,day,y\n" + "".join(f"{store},{day + 10 * (not fits)},0\n" for store, day in pairs)
    train = "store,day,x,y\n" + "".join(f"{store},{day},{store},{day % 2}\n" for store, day in pairs)
    files = {"train.csv": train.encode(), "test.csv": test.encode(), "sample_submission.csv": sample.encode()}
    place = folder(tmp_path, files)
    if fits:
        assert len(load("x", place).test) == 24
    else:
        with pytest.raises(DataError, match=r"several id columns, .*: store, day\. But .*rows cannot be matched"):
            load("x", place)
