"""Columns of a file as typed columns, with those values marked that cannot stand.

Amounts and quantities become whole numbers of their smallest unit (cents; thousandths), times whole microseconds since
1970, UTC: so that sums are exact and fast.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.log import envelopes
from yutang.log.vocabulary import LARGEST

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Why = tuple[str, str]
"""A reason in Chinese and in English."""
SCIENTIFIC: Why = (
    "Excel 把它缩成了科学记数，末尾的数字已丢失；请把这一列设为文本再导出",
    "Excel has shortened it (such as 1.38E+10) and its last digits are lost; make the column text and export again",
)
_MICRO = pa.timestamp("us")
_EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def text(column: pa.Array) -> pa.Array:
    """The column as trimmed text; what is missing is empty. Whole floats (numbers out of pandas) lose their `.0`."""
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(pc.fill_null(column, 0.0), pc.round(pc.fill_null(column, 0.0)))).as_py()
        column = column.cast(pa.int64()) if whole else column
    return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))


def scaled(
    column: pa.Array, digits: int, *, empty: int | None = None, currency: str | None = None
) -> tuple[Ints, Flags]:
    """Numbers × 10^digits, and which are bad: no numbers, or with more decimals. Missing ones count as `empty`.

    Text may be written as `said_number` reads it. With `currency` an amount may say that it is of that one.
    """
    values, bad = _scaled(column, digits, empty, currency)
    return values, bad | (np.abs(values) >= int(LARGEST) * 10**digits)


def _scaled(column: pa.Array, digits: int, empty: int | None, currency: str | None) -> tuple[Ints, Flags]:
    if pa.types.is_integer(column.type):
        values = column.cast(pa.float64(), safe=False)
        return _missing(column, _integers(column) * 10**digits, pc.greater(pc.abs(values), 1e12), empty)
    if pa.types.is_floating(column.type):
        exact = pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False).astype(np.float64) * 10**digits
        near = np.rint(np.where(np.isfinite(exact) & (np.abs(exact) < 1e17), exact, 0.0))
        bad = ~np.isfinite(exact) | (np.abs(exact - near) > 1e-4 * 10 ** max(digits - 2, 0))
        return _missing(column, near.astype(np.int64), bad, empty)
    if pa.types.is_decimal(column.type) and column.type.precision <= 18:
        try:  # as they are: by way of text they take twenty times as long
            numbers = column.cast(pa.decimal128(18, digits))
            return _missing(column, _unscaled(numbers), np.zeros(len(column), dtype=bool), empty)
        except pa.ArrowInvalid:
            pass  # some have more digits than they may: below, one by one
    return _from_words(text(column), digits, empty, currency)


def _from_words(trimmed: pa.Array, digits: int, empty: int | None, currency: str | None) -> tuple[Ints, Flags]:
    """Plain numbers at once; what is written otherwise, each distinct one by itself."""
    kind = pa.decimal128(18, digits)
    blank = pc.equal(trimmed, "")
    given = pc.if_else(blank, None, trimmed)
    if not any(pc.any(pc.match_substring(trimmed, e)).as_py() for e in "eE"):  # a cast would take 1E+05 for a number
        try:
            return _missing(given, _unscaled(pc.if_else(blank, "0", trimmed).cast(kind)), _none(trimmed), empty)
        except pa.ArrowInvalid:
            pass  # some are no plain numbers
    plain = pc.match_substring_regex(trimmed, rf"^[+-]?\d{{1,{16 - digits}}}(\.\d{{1,{digits}}})?$")
    numbers = _unscaled(pc.if_else(plain, trimmed, "0").cast(kind))
    rest = np.flatnonzero(~pc.or_(plain, blank).to_numpy(zero_copy_only=False))
    bad = _none(trimmed)
    if len(rest):
        others, wrong = _each(trimmed.take(pa.array(rest)), lambda value: said_number(value, digits, currency), kind)
        numbers[rest], bad[rest] = _unscaled(others), wrong
    return _missing(given, numbers, bad, empty)


def _none(column: pa.Array) -> Flags:
    return np.zeros(len(column), dtype=bool)


_SIGNS = {"¥": ("CNY", "JPY"), "€": ("EUR",), "£": ("GBP",), "元": ("CNY",)}
_LONGEST_NUMBER = 80  # what is longer is none, and would be looked at for hours
_TENFOLD = {"": 0, "千": 3, "万": 4, "亿": 8}
_AMOUNT = re.compile(
    r"(?P<minus>-?)\s*(?P<sign>¥|€|£|\$|[A-Z]{3}|人民币)?\s*(?P<minus2>-?)\s*(?P<number>[\d.,' ]*\d[\d.,' ]*?)\s*"
    r"(?P<tenfold>[千万亿]?)\s*(?P<after>元整?|¥|€|£|\$|[A-Z]{3})?"
)
_PLAIN = re.compile(r"\d+(\.\d+)?|\.\d+")
_THOUSANDS = re.compile(r"\d{1,3}([,' ])\d{3}(\1\d{3})*(\.\d+)?")  # 1,234.50  1 234.50
_COMMA_DECIMALS = re.compile(r"\d{1,3}([. '])\d{3}(\1\d{3})*,\d{1,2}")  # 1.234,50  1 234,50


def said_number(value: str, digits: int, currency: str | None = None) -> Decimal | None:
    """A number as people write it: `￥1,234.50`, `１２.５元`, `1.2万`, `1 234,50`, `(5.00)` for −5; None for what is
    none, has more than `digits` decimals, or may mean two things (`1234,50`, `1,23`)."""
    if len(value) > _LONGEST_NUMBER:
        return None
    cleaned = unicodedata.normalize("NFKC", value).replace("\u2212", "-").strip()
    in_brackets = cleaned.startswith("(") and cleaned.endswith(")")
    found = _AMOUNT.fullmatch(cleaned[1:-1].strip() if in_brackets else cleaned)
    if found is None or (in_brackets + bool(found["minus"]) + bool(found["minus2"]) > 1):
        return None
    if not all(_is_of(sign, currency) for sign in (found["sign"], found["after"]) if sign):
        return None
    said = found["number"]
    if _PLAIN.fullmatch(said):
        number = Decimal(said)
    elif _THOUSANDS.fullmatch(said):
        number = Decimal(re.sub("[,' ]", "", said))
    elif _COMMA_DECIMALS.fullmatch(said):
        number = Decimal(re.sub("[. ']", "", said).replace(",", "."))
    else:
        return None
    number = number.scaleb(_TENFOLD[found["tenfold"]])
    if abs(number) >= LARGEST or number != number.quantize(Decimal(1).scaleb(-digits)):
        return None
    return -number if in_brackets or found["minus"] or found["minus2"] else number


def _is_of(sign: str, currency: str | None) -> bool:
    """Whether an amount that bears this sign is of the currency. A quantity (no currency) bears none."""
    if currency is None:
        return False
    sign = {"人民币": "CNY", "RMB": "CNY", "元整": "元"}.get(sign, sign)
    if sign == "$":
        return currency not in ("CNY", "JPY", "EUR", "GBP")
    return currency in _SIGNS.get(sign, (sign,))


def amount_trouble(value: str) -> Why:
    """Why that is no amount, for its sender."""
    if re.search(r"\d[eE][+-]?\d", value[:_LONGEST_NUMBER]):
        return SCIENTIFIC
    if "," in value or "，" in value:
        return "逗号既可能是千分位也可能是小数点，或币种不对，应类似 1234.50", (
            "its comma may part thousands or decimals, or it is of another currency; write 1234.50"
        )
    return "不是金额，应类似 1234.50", "it is no amount such as 1234.50"


def time_trouble(value: str) -> Why:
    """Why that is no time, for its sender."""
    if re.fullmatch(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*", value.strip()):
        return "年、月、日的次序不明，应类似 2026-01-31 18:05:00", (
            "it does not say which is the year, the month, the day; write 2026-01-31 18:05:00"
        )
    return "不是时间，应类似 2026-01-31 18:05:00", "it is no time such as 2026-01-31 18:05:00"


def scientific(column: pa.Array) -> Flags:
    """Which numbers Excel has shortened (`1.38E+10`): their last digits are lost."""
    if not pc.any(pc.match_substring(column, "E+")).as_py():
        return _none(column)
    flags: Flags = pc.match_substring_regex(column, r"^\d(\.\d+)?E\+\d+$").to_numpy(zero_copy_only=False)
    return flags


def _each(column: pa.Array, parse: Any, kind: pa.DataType) -> tuple[pa.Array, Flags]:
    """A column parsed by its distinct values; what `parse` gives None for is bad and null."""
    codes = pc.dictionary_encode(column)
    parsed = [parse(value) for value in codes.dictionary.to_pylist()]
    bad = np.array([value is None for value in parsed], dtype=bool)
    indices = codes.indices.to_numpy(zero_copy_only=False)
    return pa.array(parsed, kind).take(codes.indices), bad[indices]


def _integers(column: pa.Array) -> Ints:
    values: Ints = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return values


def _unscaled(numbers: pa.Array) -> Ints:
    """The whole numbers inside a decimal128 column of at most 18 digits; null is 0."""
    filled = pc.fill_null(numbers, Decimal(0))
    words = np.frombuffer(filled.buffers()[1], dtype=np.int64)
    return words[2 * filled.offset : 2 * (filled.offset + len(filled)) : 2].copy()


def decimals(values: Ints, digits: int) -> pa.Array:
    """Whole numbers as decimals with so many digits behind the point: the inverse of `scaled`."""
    return envelopes.decimals(pa.array(values), digits)


def _missing(column: pa.Array, values: Ints, bad: Any, empty: int | None) -> tuple[Ints, Flags]:
    absent = pc.is_null(column).to_numpy(zero_copy_only=False)
    flags = np.array(pc.fill_null(bad, False) if isinstance(bad, pa.Array) else bad, dtype=bool)
    return np.where(absent, empty or 0, values), np.where(absent, empty is None, flags)


def times(column: pa.Array, zone_name: str) -> tuple[Ints, Flags]:
    """Instants, and which are bad: no times, or outside 1990–2099. Times that say no zone are local to `zone_name`."""
    if pa.types.is_timestamp(column.type):
        stamps, bad = _localised(column, zone_name), np.zeros(len(column), dtype=bool)
    elif pa.types.is_date(column.type):
        stamps, bad = _localised(column.cast(_MICRO), zone_name), np.zeros(len(column), dtype=bool)
    else:
        stamps, bad = _from_text(text(column), zone_name)
    values: Ints = pc.fill_null(stamps.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return values, bad | (values < _EARLIEST) | (values >= _LATEST)


def _localised(column: pa.Array, zone_name: str) -> pa.Array:
    """As UTC without a zone. Of an hour that daylight saving doubles, the first; of one it skips, its end."""
    if column.type.tz is None:
        column = pc.assume_timezone(
            column.cast(_MICRO, safe=False), zone_name, ambiguous="earliest", nonexistent="latest"
        )
    return column.cast(pa.timestamp("us", "UTC"), safe=False).cast(_MICRO)


_WHEN = (
    r"^(?:(?P<y>\d{4}) ?[-/.年] ?(?P<m>\d{1,2}) ?[-/.月] ?(?P<d>\d{1,2}) ?[日号]?"
    r"|(?P<y8>\d{4})(?P<m8>\d{2})(?P<d8>\d{2}))"
    r"(?:[T ,]*(?P<half>上午|下午|凌晨|早上|晚上|[AaPp][Mm])? ?(?P<H>\d{1,2}) ?[:时点] ?"
    r"(?:(?P<M>\d{1,2}) ?(?:[:分] ?(?:(?P<S>\d{1,2})(?:\.(?P<f>\d{1,9}))? ?秒?)?)?)? ?(?P<half2>[AaPp][Mm])?"
    r"|[T ]?(?P<H6>\d{2})(?P<M6>\d{2})(?P<S6>\d{2}))?"
    r" ?(?P<z>Z|UTC|GMT|[+-]\d{2}:?\d{2})?$"
)
_FIRST_SERIAL = int(datetime(1899, 12, 30, tzinfo=UTC).timestamp()) * 1_000_000  # Excel counts days from there
_DAY = 86_400_000_000


def _from_text(column: pa.Array, zone_name: str) -> tuple[pa.Array, Flags]:
    good = _none(column)
    try:
        return _localised(column.cast(_MICRO), zone_name), good
    except pa.ArrowInvalid:
        pass  # not all are ISO 8601 without a zone
    if (
        pc.all(pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$")).as_py()
        and pc.all(pc.match_substring(column, ":")).as_py()
    ):
        try:
            return column.cast(pa.timestamp("us", "UTC")).cast(_MICRO), good
        except pa.ArrowInvalid:
            pass  # not all are ISO 8601
    return _said_times(column, zone_name)


def _said_times(column: pa.Array, zone_name: str) -> tuple[pa.Array, Flags]:
    """Times in the forms in which people and spreadsheets write them: 2026年11月27日 9时05分, 2026/11/27, 20261127,
    Excel's count of days. All at once: there may be a million different ones."""
    clean = pc.utf8_trim_whitespace(pc.utf8_normalize(column, "NFKC"))
    found = pc.extract_regex(clean, _WHEN)
    parts = {
        name: pc.if_else(found.is_valid(), pc.fill_null(found.field(name), ""), "")
        for name in (one.name for one in found.type)
    }
    number = {name: _whole_number(part) for name, part in parts.items() if name not in ("half", "half2", "z", "f")}
    year, month, day = (number[name] + number[f"{name}8"] for name in ("y", "m", "d"))
    hour, minute, second = (number[name] + number[f"{name}6"] for name in ("H", "M", "S"))
    fraction = _whole_number(pc.utf8_slice_codeunits(pc.utf8_rpad(parts["f"], 6, "0"), 0, 6))
    half = pc.utf8_lower(pc.binary_join_element_wise(parts["half"], parts["half2"], "")).to_numpy(zero_copy_only=False)
    after_noon, before_noon = np.isin(half, ("pm", "下午", "晚上")), np.isin(half, ("am", "上午", "凌晨", "早上"))
    hour = np.where(after_noon & (hour < 12), hour + 12, np.where(before_noon & (hour == 12), 0, hour))
    there = found.is_valid().to_numpy(zero_copy_only=False)
    there = there & (year >= 1990) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1)
    there &= (hour < 24) & (minute < 60) & (second < 60)
    months = np.where(there, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    there &= day <= ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    stamps = days * _DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    offset, zoned = _offsets(parts["z"])
    serial, is_serial = _serials(clean)
    stamps = np.where(is_serial, serial, stamps)
    there |= is_serial
    local = _localised(pa.array(np.where(there & ~zoned, stamps, 0), pa.int64()).cast(_MICRO), zone_name)
    local = local.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return pa.array(np.where(zoned, stamps - offset, local), pa.int64()).cast(_MICRO), ~there


def _whole_number(part: pa.Array) -> Ints:
    numbers: Ints = pc.if_else(pc.equal(part, ""), "0", part).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return numbers


def _offsets(zones: pa.Array) -> tuple[Ints, Flags]:
    """How far each time is ahead of UTC, in microseconds, and which say so at all."""
    coded = zones.dictionary_encode()
    offsets = []
    for said in coded.dictionary.to_pylist():
        digits = said[1:].replace(":", "") if said[:1] in ("+", "-") else "0000"
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        offsets.append((-minutes if said[:1] == "-" else minutes) * 60_000_000)
    indices = coded.indices.to_numpy(zero_copy_only=False)
    zoned: Flags = pc.not_equal(zones, "").to_numpy(zero_copy_only=False)
    return np.array(offsets or [0], dtype=np.int64)[indices], zoned


def _serials(clean: pa.Array) -> tuple[Ints, Flags]:
    """Times as Excel counts them, in days with a fraction: five digits, so they are nothing else."""
    is_serial = pc.match_substring_regex(clean, r"^[3-7]\d{4}(\.\d+)?$")
    days = pc.if_else(is_serial, clean, "0").cast(pa.float64()).to_numpy(zero_copy_only=False)
    milliseconds = np.rint(days * 86_400_000).astype(np.int64)  # a double holds no more
    flags: Flags = is_serial.to_numpy(zero_copy_only=False)
    return _FIRST_SERIAL + milliseconds * 1_000, flags
