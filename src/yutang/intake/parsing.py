"""Columns of a file as typed columns, with those values marked that cannot stand.

Amounts and quantities become whole numbers of their smallest unit (cents; thousandths), times whole microseconds since
1970, UTC: so that sums are exact and fast.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.kernel.calendars import zone
from yutang.kernel.errors import BadInput
from yutang.kernel.money import parse_amount
from yutang.log import envelopes

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_MICRO = pa.timestamp("us")
_EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def text(column: pa.Array) -> pa.Array:
    """The column as trimmed text; what is missing is empty. Whole floats (numbers out of pandas) lose their `.0`."""
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(pc.fill_null(column, 0.0), pc.round(pc.fill_null(column, 0.0)))).as_py()
        column = column.cast(pa.int64()) if whole else column
    return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))


def scaled(column: pa.Array, digits: int, *, empty: int | None = None) -> tuple[Ints, Flags]:
    """Numbers × 10^digits, and which are bad: no numbers, or with more decimals. Missing ones count as `empty`."""
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
    trimmed = text(column)
    blank = pc.equal(trimmed, "")
    filled = pc.if_else(blank, "0", trimmed)
    try:
        numbers = filled.cast(pa.decimal128(18, digits))
        bad = np.zeros(len(column), dtype=bool)
    except pa.ArrowInvalid:
        numbers, bad = _each(filled, lambda value: _number(value, digits), pa.decimal128(18, digits))
    return _missing(pc.if_else(blank, None, trimmed), _unscaled(numbers), bad, empty)


def _number(value: str, digits: int) -> Decimal | None:
    try:
        if digits == 2:
            return parse_amount(value)
        number = Decimal(value.replace(",", "").replace("，", ""))
        kept = number.quantize(Decimal(1).scaleb(-digits))
        return kept if kept == number and abs(kept) < 10**12 else None
    except (BadInput, InvalidOperation):
        return None


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


def _from_text(column: pa.Array, zone_name: str) -> tuple[pa.Array, Flags]:
    good = np.zeros(len(column), dtype=bool)
    try:
        return _localised(column.cast(_MICRO), zone_name), good
    except pa.ArrowInvalid:
        pass
    if (
        pc.all(pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$")).as_py()
        and pc.all(pc.match_substring(column, ":")).as_py()
    ):
        try:
            return column.cast(pa.timestamp("us", "UTC")).cast(_MICRO), good
        except pa.ArrowInvalid:
            pass
    return _each(column, lambda value: _instant(value, zone_name), _MICRO)


def _instant(value: str, zone_name: str) -> datetime | None:
    cleaned = value.replace("/", "-")
    day, _, clock = cleaned.partition("T" if "T" in cleaned else " ")
    try:
        at = datetime.combine(date(*map(int, day.split("-"))), datetime.min.time())
        if clock:
            hours = clock.strip() if clock.strip()[1:2] != ":" else "0" + clock.strip()
            at = datetime.fromisoformat(f"{at.date().isoformat()}T{hours}")
    except (ValueError, TypeError):
        return None
    local = at if at.tzinfo is not None else at.replace(tzinfo=zone(zone_name))
    return local.astimezone(UTC).replace(tzinfo=None)
