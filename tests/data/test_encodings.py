from __future__ import annotations

import pytest

from kpipe.data.encodings import decode, encode
from kpipe.data.loading import load
from kpipe.errors import DataError
from tests.data.small_competitions import folder

TEXTS = {
    "cp1252": "id,prénom,ville\n1,Zoé,Orléans\n2,Jörg,Köln\n3,Núñez,Málaga\n",
    "cp949": "아이디,성별,지역\n1,남자,서울\n2,여자,부산\n3,남자,대구\n",
    "cp932": "番号,性別,地域\n1,男性,東京\n2,女性,大阪のまち\n3,男性,カタカナとひらがな\n",
    "cp1251": "номер,имя,город\n1,Анна,Москва\n2,Иван,Нижний Новгород\n",
    "gb18030": "编号,性别,城市\n1,男,北京,\n2,女,上海\n3,男,广州的人口很多\n4,女,我们在这里学习数据分析\n",
    "utf-16": "id,계절\n1,여름\n",
    "utf-16-le": "id,season\n1,summer\n",
    "utf-16-be": "id,season\n1,summer\n",
    "utf-32": "id,é\n1,ü\n",
    "utf-8": "id,é\n1,여름\n",
    "utf-8-sig": "id,é\n1,여름\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_text_in_an_encoding_is_read(encoding: str) -> None:
    (text,) = decode(["train.csv"], [TEXTS[encoding].encode(encoding)])
    assert text.content.decode() == TEXTS[encoding]
    assert encode(text.content.decode(), text.encoding).decode(text.encoding) == TEXTS[encoding]


def test_files_of_one_competition_are_judged_together() -> None:
    names, raws = ["train.csv", "sample.csv"], [TEXTS["cp949"].encode("cp949"), "아이디,값\n1,0\n".encode("cp949")]
    assert [text.encoding for text in decode(names, raws)] == ["cp949", "cp949"]


def test_bytes_that_no_encoding_gives_are_replaced_and_nul_bytes_refused() -> None:
    assert decode(["a.csv"], [b"id,a\n1,x\x81y\n"])[0].content.decode().startswith("id,a\n1,x")
    with pytest.raises(DataError, match=r"a\.csv contains NUL bytes: it is not a CSV file, or it is damaged"):
        decode(["a.csv"], [b"id,\x00a\n"])


def test_a_text_with_a_character_that_the_encoding_lacks_is_written_as_utf8() -> None:
    assert encode("é", "cp949") == "é".encode()
    assert encode("é", "no such") == "é".encode()


def test_the_submission_is_written_in_trains_encoding_where_the_sample_has_ascii_alone(tmp_path) -> None:
    files = {
        "train.csv": TEXTS["cp949"].replace("아이디", "id").encode("cp949"),
        "test.csv": "id,성별\n4,여자\n5,남자\n".encode("cp949"),
        "sample_submission.csv": b"id,y\n4,0\n5,0\n",
    }
    found = load("x", folder(tmp_path, files))
    assert found.source.encoding == "cp949"
    assert "train.csv is read as cp949, detected from its text" in " ".join(found.source.notes)
