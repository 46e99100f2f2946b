"""Convert text files to UTF-8. All files of a competition usually have one encoding, so it is detected jointly."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from charset_normalizer import from_bytes

from kpipe.errors import DataError

__all__ = ["UTF8", "DecodedText", "decode", "encode"]

UTF8 = "utf-8"

_MARKS = {  # UTF-32 first: its byte order mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Encodings of Western Europe, Korea, Japan, China, Cyrillic, Central Europe, Greek, Turkish, Hebrew, Arabic, Thai.
_CANDIDATES = (
    "cp1252 cp949 cp932 euc_jp gb18030 big5 cp1251 koi8_r cp1250 cp1253 cp1254 cp1255 cp1256 cp1257 cp874".split()
)
_CELL = re.compile(rb'[^,;\t"\r\n]{0,4096}[\x80-\xff][^,;\t"\r\n]{0,4096}')  # delimiters are never part of a letter
_SAMPLED = 16 << 10  # bytes of cells from each file that decide
_SNIFFED = 4096  # bytes that decide whether a file is UTF-16 without a byte order mark
_MIN_HANGUL = 0.95  # of high bytes in the range of Korean syllables; in Chinese text about half are
_HANGUL = re.compile(rb"[\xb0-\xc8][\xa1-\xfe]")
_MIN_ALONE = 0.5  # of high bytes without another beside them: accented letters stand alone among ASCII letters
_ALONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
# What other encodings look like if decoded as cp1252: symbols within words, or before letters.
_NOT_IN_WORDS = re.compile("£[a-zóà-ÿ]|\\w[¡-©¬-°²³¶-¹º¿]\\w|[\u0192\u201e\u2021\u02c6\u2030\u2039\u02dc\u203a]\\w")


class DecodedText(NamedTuple):
    """A text file in UTF-8.

    Attributes
    ----------
    content : bytes
        UTF-8 without a byte order mark.
    encoding : str
        Python's name of the encoding that the file is in.
    """

    content: bytes
    encoding: str


def decode(names: Sequence[str], raws: Sequence[bytes]) -> list[DecodedText]:
    """Convert the files of one competition to UTF-8.

    Parameters
    ----------
    names : sequence of str
        Base names, for messages.
    raws : sequence of bytes
        Content of each file: UTF-8, UTF-16 or UTF-32, with or without a byte order mark; or a legacy encoding, which
        is detected from the cells of all such files.

    Returns
    -------
    list of DecodedText

    Raises
    ------
    DataError
        A file contains NUL bytes and is not UTF-16 or UTF-32, or is damaged.

    Examples
    --------
    >>> decode(["a.csv"], ["naïve".encode("utf-16")])[0].encoding
    'utf-16'
    """
    found = [_as_unicode(name, raw) for name, raw in zip(names, raws, strict=True)]
    legacy = [raw for raw, text in zip(raws, found, strict=True) if text is None]
    encoding = _detect(legacy) if legacy else ""
    return [text or _decode_legacy(raw, encoding) for raw, text in zip(raws, found, strict=True)]


def encode(text: str, encoding: str) -> bytes:
    """Encode a text; in UTF-8 if the encoding lacks one of its characters.

    Parameters
    ----------
    text, encoding : str

    Returns
    -------
    bytes
    """
    try:
        return text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.encode()


def _as_unicode(name: str, raw: bytes) -> DecodedText | None:
    """The file if it is UTF-8, UTF-16 or UTF-32, else None."""
    content = raw
    while content.startswith(codecs.BOM_UTF8):  # pyarrow would silently strip a second one off the first column's name
        content = content[len(codecs.BOM_UTF8) :]
    if wide := next((encoding for mark, encoding in _MARKS.items() if raw.startswith(mark)), _without_mark(content)):
        try:
            return DecodedText(raw.decode(wide).lstrip("\ufeff").encode(), wide)
        except UnicodeError as error:
            raise DataError(
                f"{name} cannot be read as {wide.upper()}: {error}. Save it as UTF-8.", code="broken-table", file=name
            ) from error
    if b"\0" in content:
        raise DataError(
            f"{name} contains NUL bytes: it is not a CSV file, or it is damaged. Save it as UTF-8.",
            code="broken-table",
            file=name,
        )
    if not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError:
            return None
    return DecodedText(content, UTF8)


def _without_mark(content: bytes) -> str:
    """The encoding of UTF-16 without a byte order mark, in which every second byte is mostly NUL; else ""."""
    head = content[:_SNIFFED]
    for encoding, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        high = head[start::2]
        if len(high) > 1 and high.count(0) > 0.4 * len(high) and not head[1 - start :: 2].count(0):
            return encoding
    return ""


def _detect(files: Iterable[bytes]) -> str:
    """The most likely encoding of files that are not UTF-8."""
    cells = b"\n".join(cell for raw in files for cell in _cells(raw))
    high = len(re.findall(rb"[\x80-\xff]", cells))
    if len(_HANGUL.findall(cells)) * 2 >= _MIN_HANGUL * high:
        return "cp949"
    alone = len(_ALONE.findall(cells))
    if alone > _MIN_ALONE * high and _reads_as_words(cells):
        return "cp1252"
    likely = from_bytes(cells, cp_isolation=_CANDIDATES).best()
    return "cp1252" if likely is None else likely.encoding


def _reads_as_words(cells: bytes) -> bool:
    """Whether the cells are plausible cp1252: no symbols inside words, and no undefined bytes."""
    try:
        text = cells.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return _NOT_IN_WORDS.search(text) is None


def _cells(raw: bytes) -> list[bytes]:
    """Distinct cells of a file that are not ASCII, up to a total size."""
    found: dict[bytes, None] = {}
    size = 0
    for match in _CELL.finditer(raw):
        size += len(match[0]) * (match[0] not in found)
        found[match[0]] = None
        if size > _SAMPLED:
            break
    return list(found)


def _decode_legacy(raw: bytes, encoding: str) -> DecodedText:
    try:
        return DecodedText(raw.decode(encoding).encode(), encoding)
    except UnicodeDecodeError:
        return DecodedText(raw.decode("cp1252", errors="replace").encode(), "cp1252")
