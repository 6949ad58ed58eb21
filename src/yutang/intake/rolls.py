"""Stores and staff by file: read as any list is, kept whole or not at all.

Whoever is at home in a store, and whoever is a friend of somebody who moved, follows in the same transaction; the
warehouse is told of the tree at once, and of the persons by the pump.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import nan
from typing import BinaryIO, TypeVar

import pyarrow as pa
from django.db import transaction

from yutang.intake.files.contracts import Source
from yutang.intake.files.opening import Given, open_source
from yutang.intake.kinds.contracts import Kind
from yutang.intake.kinds.fields import folded
from yutang.intake.kinds.recognising import known_to, recognise, refuse_missing
from yutang.intake.mirror import mirror_nodes
from yutang.kernel import calendars
from yutang.kernel.errors import BadInput
from yutang.organisation import rolls
from yutang.organisation.rolls import BadRow, Kept, StaffRow, StoreRow
from yutang.people.services import follow_organisation
from yutang.warehouse.contracts import Warehouse

STORES = Kind("stores", "门店", "stores", ("store",), (), ("store_name", "region", "zone", "latitude", "longitude"))
STAFF = Kind("staff", "员工", "staff", ("staff",), (), ("name", "store", "daily_quota", "active"))
_YES, _NO = ("1", "true", "yes", "是", "在职", "启用"), ("0", "false", "no", "否", "离职", "停用")
_SHOWN = 50

Row = TypeVar("Row", StoreRow, StaffRow)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a row. Rows count as in a spreadsheet: the header is row 1."""

    row: int
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class RollReport:
    """What became of a list. With `wrong` rows nothing was kept; `refused` counts them, at most 50 are told."""

    rows: int
    kept: Kept = field(default_factory=Kept)
    refused: int = 0
    wrong: tuple[Wrong, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as a form sent it, small enough to stay in memory."""

    name: str
    content: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """For reading."""
        return io.BytesIO(self.content)


class BadCell(BadInput):
    """A row's word for a field that means nothing."""

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.field = field


def read_stores(
    warehouse: Warehouse,
    given: Given,
    said: Mapping[str, str] | None = None,
    *,
    encoding: str | None = None,
    dry_run: bool = False,
) -> RollReport:
    """Keep the stores of a file. `said` names the columns of fields that go by other names."""
    return _read(warehouse, given, said or {}, encoding, STORES, store_of, rolls.keep_stores, dry_run)


def read_staff(
    warehouse: Warehouse,
    given: Given,
    said: Mapping[str, str] | None = None,
    *,
    channel: str,
    corp: str,
    encoding: str | None = None,
    dry_run: bool = False,
) -> RollReport:
    """Keep the staff of a file, whose accounts are those of one corp."""

    def of_corp(cells: Mapping[str, str]) -> StaffRow:
        return staff_of(cells, channel, corp)

    return _read(warehouse, given, said or {}, encoding, STAFF, of_corp, rolls.keep_staff, dry_run)


def followed(warehouse: Warehouse, keep: Callable[[], Kept]) -> Kept:
    """Change the organisation, and let persons and the warehouse follow."""
    with transaction.atomic():
        kept = keep()
        follow_organisation(kept.nodes, kept.senders)
    mirror_nodes(warehouse)
    return kept


def _read(
    warehouse: Warehouse,
    given: Given,
    said: Mapping[str, str],
    encoding: str | None,
    kind: Kind,
    row_of: Callable[[Mapping[str, str]], Row],
    keep: Callable[..., Kept],
    dry_run: bool,
) -> RollReport:
    names = known_to(kind, said)
    source = open_source(given, encoding, lambda column: folded(column) in names)
    found = recognise(kind, source.columns, said, {}, {})
    refuse_missing(kind, source.columns, found, {})
    rows: list[Row] = []
    numbers: list[int] = []
    wrong: list[Wrong] = []
    for number, cells in _cells(source, found.columns):
        try:
            rows.append(row_of(cells))
            numbers.append(number)
        except BadCell as cell:
            wrong.append(Wrong(number, cell.field, cell.zh, cell.en))
    wrong += [Wrong(broken.row, "", broken.zh, broken.en) for broken in source.broken]
    report = RollReport(len(rows) + len(wrong), refused=len(wrong), wrong=tuple(wrong[:_SHOWN]), dry_run=dry_run)
    if wrong:
        return report
    try:
        kept = keep(rows, dry_run=True) if dry_run else followed(warehouse, partial(keep, rows))
    except BadRow as bad:
        return replace(report, refused=1, wrong=(Wrong(numbers[bad.index], bad.column, bad.zh, bad.en),))
    return replace(report, kept=kept)


def _cells(source: Source, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Every row's number and its words by field."""
    for numbers, batch in source.read(list(columns.values())):
        lists = {name: batch.column(column).cast(pa.string()).to_pylist() for name, column in columns.items()}
        for place, number in enumerate(numbers.tolist()):
            yield number, {name: (words[place] or "").strip() for name, words in lists.items()}


def store_of(cells: Mapping[str, str]) -> StoreRow:
    """A store as a row or a form says it; a field that is not there leaves it as it is. Raises BadCell."""
    zone = cells.get("zone")
    if zone:
        try:
            calendars.zone(zone)
        except BadInput as error:
            raise BadCell("zone", error.zh, error.en) from None
    code, name = _short(cells, "store", 64, needed=True), _short(cells, "store_name", 80)
    return StoreRow(code, name or None, cells.get("region"), zone, _place(cells))


def staff_of(cells: Mapping[str, str], channel: str, corp: str) -> StaffRow:
    """An account as a row or a form says it; an empty field leaves it as it is. Raises BadCell."""
    quota, active = cells.get("daily_quota", ""), cells.get("active", "").lower()
    if quota and not (quota.isascii() and quota.isdecimal() and int(quota) <= 1_000_000):
        raise BadCell(
            "daily_quota", f"「{quota}」不是 0–1000000 的整数。", f"“{quota}” is no whole number up to 1000000."
        )
    if active and active not in (*_YES, *_NO):
        raise BadCell("active", f"「{active}」应为 是 或 否。", f"“{active}” should be yes or no.")
    return StaffRow(
        _short(cells, "staff", 64, needed=True),
        corp,
        channel,
        _short(cells, "name", 80) or None,
        cells.get("store") or None,
        int(quota) if quota else None,
        active in _YES if active else None,
    )


def _short(cells: Mapping[str, str], field: str, most: int, *, needed: bool = False) -> str:
    text = cells.get(field, "")
    if len(text) > most or not text.isprintable():
        raise BadCell(field, f"至多 {most} 个可见字符。", f"At most {most} printable characters.")
    if needed and not text:
        raise BadCell(field, "不能为空。", "It is empty.")
    return text


def _place(cells: Mapping[str, str]) -> tuple[float, float] | None:
    said = cells.get("latitude", ""), cells.get("longitude", "")
    if not any(said):
        return None
    try:
        place = float(said[0]), float(said[1])
    except ValueError:
        place = nan, nan
    if not (-90 <= place[0] <= 90 and -180 <= place[1] <= 180):
        text = ", ".join(said)
        raise BadCell(
            "latitude",
            f"「{text}」不是坐标：纬度在 ±90、经度在 ±180 之间。",
            f"“{text}” is no place: latitudes lie within ±90, longitudes within ±180.",
        )
    return place
