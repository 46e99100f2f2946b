# ruff: noqa: RUF001 - Cyrillic letters are intended
"""Translate words in dates to English before their format is determined."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa

__all__ = ["in_english"]

# Names and abbreviations of months without accents, of CLDR 47 (babel 2.18) for ar, bg, ca, cs, da, de, el, es, et, fi,
# fr, he, hu, id, it, lt, lv, ms, nb, nl, pl, pt, ro, ru, sk, sl, sr, sv, th, tr and uk. No name is that of another
# month in another of these languages (which excludes Croatian).
_MONTHS = {
    "jan": (
        "ene enero gen gener gennaio ian ianuarie jaan jaanuar jan janeiro januar januara januari janv "
        "janvaris janvier led leden ledna oca ocak saus sausio sausis sty styczen stycznia tammi tammikuu "
        "tammikuuta ιαν ιανουαριος ιανουαριου січ січень січня янв январь января яну януари јан јануар בינואר "
        "בינו׳ ינואר ינו׳ يناير ژانویه ม.ค มกราคม"
    ),
    "feb": (
        "feb febbraio febr febrer febrero februar februara februari februarie februaris fev fevereiro fevr "
        "fevrier helmi helmikuu helmikuuta lut lutego luty sub subat uno unor unora vas vasario vasaris veebr "
        "veebruar φεβ φεβρουαριος φεβρουαριου лют лютии лютого феб фебруар фев февр февраль февраля февруари "
        "בפברואר בפבר׳ פברואר פבר׳ فبراير فوریه ก.พ กมภาพันธ์"
    ),
    "mar": (
        "bre brezen brezna kov kovas kovo maalis maaliskuu maaliskuuta maart mac maerz mar marc marca marcius "
        "marco marec maret mars mart martie marts marz marzec marzo mrt μαρ μαρτιος μαρτιου бер березень "
        "березня мар март марта במרץ מרץ مارس มี.ค มีนาคม"
    ),
    "apr": (
        "abr abril apr april aprila aprile aprilie aprilis aprill avr avril bal balandis balandzio dub duben "
        "dubna d’abr d’abril huhti huhtikuu huhtikuuta kwi kwiecien kwietnia nis nisan απρ απριλιος απριλιου "
        "апр апрель апреля април квіт квітень квітня אפריל אפר׳ באפריל באפר׳ ابريل اوریل เม.ย เมษายน"
    ),
    "may": (
        "geg geguze geguzes kve kveten kvetna mag maggio mai maig maijs maio maj maja majus may mayis mayo "
        "mei touko toukokuu toukokuuta μαι μαιος μαιου маи мая мај трав травень травня במאי מאי مايو พ.ค "
        "พฤษภาคม"
    ),
    "jun": (
        "birz birzelio birzelis cerven cervna cvn cze czerwca czerwiec giu giugno haz haziran iun iunie juin "
        "jun juna junho juni junij junijs junio junius juny juuni kesa kesakuu kesakuuta ιουν ιουνιος ιουνιου "
        "июн июнь июня черв червень червня юни јун ביוני יוני يونيو ژوين มิ.ย มิถนายน"
    ),
    "jul": (
        "cervence cervenec cvc heina heinakuu heinakuuta iul iulie juil juillet jul jula julai julho juli "
        "julij julijs julio juliol julius juuli liep liepa liepos lip lipca lipiec lug luglio tem temmuz ιουλ "
        "ιουλιος ιουλιου июл июль июля лип липень липня юли јул ביולי יולי يوليو ژويیه ก.ค กรกฎาคม"
    ),
    "aug": (
        "ago agost agosto agu agustos agustus aout aug august augusta augusti augusts augustus augusztus avg "
        "avgust d’ag d’agost elo elokuu elokuuta ogo ogos rugp rugpjucio rugpjutis sie sierpien sierpnia srp "
        "srpen srpna αυγ αυγουστος αυγουστου авг август августа серп серпень серпня אוגוסט אוג׳ באוגוסט באוג׳ "
        "اغسطس اوت ส.ค สิงหาคม"
    ),
    "sep": (
        "eyl eylul rugs rugsejis rugsejo sep sept september septembra septembre septembrie septembris "
        "septiembre set setembre setembro settembre syys syyskuu syyskuuta szept szeptember wrz wrzesien "
        "wrzesnia zar zari σεπ σεπτεμβριος σεπτεμβριου вер вересень вересня сент сентябрь сентября сеп "
        "септембар септември בספטמבר בספט׳ ספטמבר ספט׳ سبتمبر سپتامبر ก.ย กันยายน"
    ),
    "oct": (
        "d’oct d’octubre eki ekim loka lokakuu lokakuuta oct octobre octombrie octubre okt oktober oktobra "
        "oktobris oktoober ott ottobre out outubro paz pazdziernik pazdziernika rij rijen rijna spal spalio "
        "spalis οκτ οκτωβριος οκτωβριου жовт жовтень жовтня окт октобар октомври октябрь октября אוקטובר אוק׳ "
        "באוקטובר באוק׳ اكتوبر اکتبر ต.ค ตลาคม"
    ),
    "nov": (
        "kas kasim lapkr lapkricio lapkritis lis listopad listopada listopadu marras marraskuu marraskuuta "
        "noiembrie nov november novembra novembre novembris novembro noviembre νοε νοεμβριος νοεμβριου лист "
        "листопад листопада нов новембар ное ноември нояб ноябрь ноября בנובמבר בנוב׳ נובמבר נוב׳ نوامبر "
        "نوفمبر พ.ย พฤศจิกายน"
    ),
    "dec": (
        "ara aralik dec december decembra decembre decembrie decembris des desember desembre dets detsember "
        "dez dezember dezembro dic dicembre diciembre dis disember gru grudnia grudzien gruod gruodis "
        "gruodzio joulu joulukuu joulukuuta pro prosince prosinec δεκ δεκεμβριος δεκεμβριου груд грудень "
        "грудня дек декабрь декабря декември дец децембар בדצמבר בדצמ׳ דצמבר דצמ׳ دسامبر ديسمبر "
        "ธ.ค ธันวาคม"
    ),
}
_ENGLISH = {name: english for english, names in _MONTHS.items() for name in names.split()}
_TRIED = 50  # first cells: if none of them changes, the column is assumed to be English
_WORD = re.compile(r"[^\s\d,/()_-]{2,}")
_BESIDE = re.compile(
    r"(?i)(?<=\d)\s+de[l]?\s+|(?<=[a-z])\.?,?\s+de[l]?\s+(?=\d)|(?<=\d)\s*(?:г\.?|года|года\.|р\.|року)\s*$"
)
_NO_MONTH = r"(?!(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|am|pm)\b)"
_WEEKDAY = re.compile(rf"(?i)^\s*{_NO_MONTH}[^\d\s]+[.,]*\s+(?=\d)|(?<=\d\d\d\d)[,\s]+{_NO_MONTH}[^\d\s]+\s*$")
_VIETNAMESE = re.compile(r"(?i)(?:ngày\s+)?(\d{1,2})\s+(?:tháng|thg)\s+(\d{1,2})(?:,|\s+năm)?\s+(\d{4})")
_ERAS = {
    "民國": 1911,
    "民国": 1911,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
    "S": 1925,
    "H": 1988,
    "R": 2018,
}
_ERA = re.compile(
    r"^\s*(?:(民國|民国|大正|昭和|平成|令和)\s*(\d{1,3}|元)(?=年)|([SHR])(\d{1,2})(?=\.\d{1,2}\.\d{1,2}$))"
)
_DAY = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]?\s*")
_MONTH = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]")
_CLOCK = re.compile(r"(\d{1,2})\s*[時时시点]\s*(\d{1,2})\s*[分분](?:\s*(\d{1,2})\s*[秒초])?")
_HALF = re.compile(r"(午前|上午|오전|午後|下午|오후)\s*(\d{1,2}(?::\d{2}){1,2})")


def in_english(cells: pa.Array) -> pa.Array | None:
    """Translate the names of months, drop weekdays, and write East Asian dates with ASCII digits.

    Parameters
    ----------
    cells : pyarrow.Array
        (n,) strings.

    Returns
    -------
    pyarrow.Array or None
        None if nothing in the first cells needs translation.

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
    asian = _VIETNAMESE.sub(r"\3-\2-\1", _ERA.sub(_year, cell))
    asian = _HALF.sub(lambda found: f"{found[2]} {'am' if found[1] in '午前上午오전' else 'pm'}", asian)
    asian = _MONTH.sub(r"\1-\2", _DAY.sub(r"\1-\2-\3 ", _CLOCK.sub(_clock, asian)))
    words = _WORD.sub(lambda found: _ENGLISH.get(_plain(found[0]), found[0]), asian)
    if words != asian:
        words = _WEEKDAY.sub("", _BESIDE.sub(" ", words))
    return words if words == cell else words.strip()


def _clock(found: re.Match[str]) -> str:
    return ":".join(part.zfill(2) for part in found.groups() if part)


def _year(found: re.Match[str]) -> str:
    """The Gregorian year of a year that is counted in an era such as 平成 or H."""
    number = found[2] or found[4]
    return str(_ERAS[found[1] or found[3]] + (1 if number == "元" else int(number)))


def _plain(word: str) -> str:
    """A word in lower case, without accents and full stops."""
    parts = unicodedata.normalize("NFD", word.lower().strip(".").replace("ı", "i").replace("ł", "l"))
    return "".join(part for part in parts if not unicodedata.combining(part))
