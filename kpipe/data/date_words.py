# ruff: noqa: RUF001 - letters of Cyrillic are meant
"""Dates in words of other languages, written as in English before their form is looked for."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa

__all__ = ["in_english"]

# Names and abbreviations of months without accents, of CLDR 47 (babel 2.18) for de, fr, es, pt, it, nl, pl, ru, sv, da,
# nb, tr, cs, uk, id and ro. No name is that of another month in another of these languages.
_MONTHS = {
    "jan": (
        "ene enero gen gennaio ian ianuarie jan janeiro januar januari janv janvier led leden ledna oca ocak "
        "sty styczen stycznia січ січень січня янв январь января"
    ),
    "feb": (
        "feb febbraio febrero februar februari februarie fev fevereiro fevr fevrier lut lutego luty sub subat "
        "uno unor unora лют лютии лютого февр февраль февраля"
    ),
    "mar": (
        "bre brezen brezna maart maerz mar marca marco maret mars mart martie marts marz marzec marzo mrt бер "
        "березень березня мар март марта"
    ),
    "apr": (
        "abr abril apr april aprile aprilie avr avril dub duben dubna kwi kwiecien kwietnia nis nisan апр "
        "апрель апреля квіт квітень квітня"
    ),
    "may": ("kve kveten kvetna mag maggio mai maio maj maja may mayis mayo mei маи мая трав травень травня"),
    "jun": (
        "cerven cervna cvn cze czerwca czerwiec giu giugno haz haziran iun iunie juin jun junho juni junio "
        "июн июнь июня черв червень червня"
    ),
    "jul": (
        "cervence cervenec cvc iul iulie juil juillet jul julho juli julio lip lipca lipiec lug luglio tem "
        "temmuz июл июль июля лип липень липня"
    ),
    "aug": (
        "ago agosto agu agustos agustus aout aug august augusti augustus sie sierpien sierpnia srp srpen "
        "srpna авг август августа серп серпень серпня"
    ),
    "sep": (
        "eyl eylul sep sept september septembre septembrie septiembre set setembro settembre wrz wrzesien "
        "wrzesnia zar zari вер вересень вересня сент сентябрь сентября"
    ),
    "oct": (
        "eki ekim oct octobre octombrie octubre okt oktober ott ottobre out outubro paz pazdziernik "
        "pazdziernika rij rijen rijna жовт жовтень жовтня окт октябрь октября"
    ),
    "nov": (
        "kas kasim lis listopad listopada listopadu noiembrie nov november novembre novembro noviembre лист "
        "листопад листопада нояб ноябрь ноября"
    ),
    "dec": (
        "ara aralik dec december decembre decembrie des desember dez dezember dezembro dic dicembre diciembre "
        "gru grudnia grudzien pro prosince prosinec груд грудень грудня дек декабрь декабря"
    ),
}
_ENGLISH = {name: english for english, names in _MONTHS.items() for name in names.split()}
_TRIED = 50  # cells: where none of them changes, none is in another language
_WORD = re.compile(r"[^\W\d_]{3,}\.?")
_BESIDE = re.compile(
    r"(?i)(?<=\d)\s+de[l]?\s+|(?<=[a-z])\.?,?\s+de[l]?\s+(?=\d)|(?<=\d)\s*(?:г\.?|года|года\.|р\.|року)\s*$"
)
_WEEKDAY = re.compile(r"^\s*(?!(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b)[^\W\d_]+[.,]*\s+(?=\d)")
_DAY = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]?\s*")
_MONTH = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]")
_CLOCK = re.compile(r"(\d{1,2})\s*[時时시点]\s*(\d{1,2})\s*[分분](?:\s*(\d{1,2})\s*[秒초])?")
_HALF = re.compile(r"(午前|上午|오전|午後|下午|오후)\s*(\d{1,2}(?::\d{2}){1,2})")


def in_english(cells: pa.Array) -> pa.Array | None:
    """Cells with English names of months, without weekdays, and with figures for the signs of East Asian dates.

    Parameters
    ----------
    cells : pyarrow.Array
        (n,) strings.

    Returns
    -------
    pyarrow.Array or None
        None if the first cells hold no such word.

    Examples
    --------
    >>> in_english(pa.array(["lundi 5 janvier 2015", "2018년 12월 26일 오후 3:10"])).to_pylist()
    ['5 jan 2015', '2018-12-26 3:10 pm']
    >>> in_english(pa.array(["12 rooms"])) is None
    True
    """
    first = cells.slice(0, _TRIED).drop_null().to_pylist()
    if all(_translate(cell) == cell for cell in first):
        return None
    return pa.array([cell if cell is None else _translate(cell) for cell in cells.to_pylist()], pa.string())


def _translate(cell: str) -> str:
    asian = _HALF.sub(lambda found: f"{found[2]} {'am' if found[1] in '午前上午오전' else 'pm'}", cell)
    asian = _MONTH.sub(r"\1-\2", _DAY.sub(r"\1-\2-\3 ", _CLOCK.sub(_clock, asian)))
    words = _WORD.sub(lambda found: _ENGLISH.get(_plain(found[0]), found[0]), asian)
    if words != asian:
        words = _WEEKDAY.sub("", _BESIDE.sub(" ", words))
    return words if words == cell else words.strip()


def _clock(found: re.Match[str]) -> str:
    return ":".join(part.zfill(2) for part in found.groups() if part)


def _plain(word: str) -> str:
    """A word in lower case, without accents and full stops."""
    parts = unicodedata.normalize("NFD", word.lower().strip(".").replace("ı", "i").replace("ł", "l"))
    return "".join(part for part in parts if not unicodedata.combining(part))
