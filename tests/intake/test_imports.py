"""The second door: what a good file becomes, and what each kind of bad one is told."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.intake.tables import one, rows
from tests.people.pond import T0, event, friend, member, node
from yutang.intake import imports, orders, pump
from yutang.intake.imports import BadRows, ImportReport
from yutang.intake.models import Import
from yutang.kernel.errors import BadInput, NotFound
from yutang.log.services import record
from yutang.organisation.queries import OWNER
from yutang.people import identity, queries, services
from yutang.people.models import Person
from yutang.warehouse.contracts import Warehouse

pytestmark = pytest.mark.django_db

HEADER = "order_id,member,placed_at,store,sku,category,quantity,amount,discount\n"
GOOD = (
    "o1,m1,2026-03-01 09:30:00,s1,milk,dairy,2,9.00,1.00\n"
    "o2,m2,2026-03-01 09:31:00,s2,bag,,1,0,\n"
    "o1,m1,2026-03-01 09:30:00,s1,tea,dry,0.350,¥1234.50,0\n"
)


def file(data: Path, text: str | bytes, name: str = "orders.csv") -> Path:
    path = data / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def load(warehouse: Warehouse, path: Path, **options: object) -> ImportReport:
    return imports.import_orders(warehouse, path, source="till", **options)  # type: ignore[arg-type]


def errors(report: ImportReport) -> list[dict[str, str]]:
    assert report.error_file is not None
    with report.error_file.open(encoding="utf-8-sig") as found:
        return list(csv.DictReader(found))


def totals(warehouse: Warehouse) -> list[tuple[object, ...]]:
    return rows(warehouse, "SELECT order_id, net_amount, discount, store FROM orders ORDER BY order_id")


def test_lines_of_one_order_may_stand_anywhere_and_free_lines_count(warehouse: Warehouse, data: Path) -> None:
    report = load(warehouse, file(data, HEADER + GOOD))
    assert (report.rows, report.accepted, report.refused, report.events, report.already_there, report.persons) == (
        3,
        3,
        0,
        2,
        0,
        2,
    )
    assert totals(warehouse) == [
        ("o1", Decimal("1243.50"), Decimal("1.00"), node("s1")),
        ("o2", Decimal("0.00"), Decimal("0.00"), node("s2")),
    ]
    lines = rows(
        warehouse,
        "SELECT ordinal, sku, category, quantity, amount FROM order_lines WHERE order_id = 'o1' ORDER BY ordinal",
    )
    assert lines == [
        (0, "milk", "dairy", Decimal(2), Decimal("9.00")),
        (1, "tea", "dry", Decimal("0.350"), Decimal("1234.50")),
    ]
    at = datetime(2026, 3, 1, 1, 30, tzinfo=UTC).replace(tzinfo=None)  # 09:30 in Shanghai
    assert rows(warehouse, "SELECT event_id, occurred_at FROM events ORDER BY event_id")[0] == ("order:till:o1", at)
    assert one(warehouse, "SELECT count(*) FROM facts") == 2
    assert not imports.directory(report.import_id).exists()


def test_importing_again_changes_nothing(warehouse: Warehouse, data: Path) -> None:
    path = file(data, HEADER + GOOD)
    load(warehouse, path)
    before = totals(warehouse)
    again = load(warehouse, path)
    assert (again.events, again.already_there) == (2, 2)
    assert totals(warehouse) == before
    assert one(warehouse, "SELECT count(*) FROM order_lines") == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_every_encoding_people_send_reads_the_same(warehouse: Warehouse, data: Path, encoding: str) -> None:
    text = (HEADER + GOOD).replace("dairy", "乳品").encode(encoding)
    load(warehouse, file(data, text))
    assert rows(warehouse, "SELECT category FROM order_lines WHERE sku = 'milk'") == [("乳品",)]


def test_columns_may_bear_other_names_and_parquet_reads_the_same(warehouse: Warehouse, data: Path) -> None:
    table = pa.table(
        {
            "订单": pa.array([7, 7]),
            "会员": pa.array([1, 1], pa.int32()),
            "时间": pa.array([T0, T0], pa.timestamp("us", "UTC")),
            "sku": ["milk", "tea"],
            "quantity": [1, 2],
            "金额": [1.39, 2.61],
            "store": ["s1", "s1"],
        }
    )
    pq.write_table(table, data / "orders.parquet")
    mapping = {"order_id": "订单", "member": "会员", "placed_at": "时间", "amount": "金额"}
    load(warehouse, data / "orders.parquet", mapping=mapping)
    assert totals(warehouse) == [("7", Decimal("4.00"), Decimal("0.00"), node("s1"))]
    stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    again = imports.import_orders(warehouse, stream, source="till", mapping=mapping)
    assert again.already_there == 1


def test_what_a_piece_costs_comes_in_under_the_names_that_files_give_it(warehouse: Warehouse, data: Path) -> None:
    body = (
        "o1,m1,2026-03-01 09:30:00,tea,3,30.00,4.1255\n"
        "o1,m1,2026-03-01 09:30:00,cup,1,10.00,\n"
        "o2,m1,2026-03-01 09:31:00,tea,0.350,10.00,¥2\n"
        "o1,m1,2026-03-02 09:30:00,tea,-1,-10.00,4.1255\n"
    )
    for name, title in (("a.csv", "成本价（元）"), ("b.csv", "Unit Cost")):
        load(warehouse, file(data, f"order_id,member,placed_at,sku,quantity,amount,{title}\n{body}", name))
    lines = rows(warehouse, "SELECT order_id, sku, cost FROM order_lines ORDER BY order_id, ordinal")
    assert lines == [("o1", "tea", Decimal("12.38")), ("o1", "cup", None), ("o2", "tea", Decimal("0.70"))]
    found = rows(warehouse, "SELECT net_amount, costed, margin FROM orders ORDER BY order_id")
    assert found == [
        (Decimal("30.00"), Decimal("22.50"), Decimal("13.21")),  # three quarters are known, and cost 12.38 × ¾
        (Decimal("10.00"), Decimal("10.00"), Decimal("9.30")),
    ]


@pytest.mark.parametrize("cost", ["-1", "a lot", "1.23456", "USD 3"])
def test_a_cost_that_is_none_is_named(warehouse: Warehouse, data: Path, cost: str) -> None:
    body = f"order_id,member,placed_at,sku,quantity,amount,unit_cost\no1,m1,2026-03-01 09:30:00,tea,1,9,{cost}\n"
    with pytest.raises(BadRows) as caught:
        load(warehouse, file(data, body))
    (row,) = errors(caught.value.report)
    assert (row["row"], row["column"]) == ("2", "unit_cost")


def test_partitions_hold_whole_orders(warehouse: Warehouse, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LINES_PER_CHUNK", 5)
    body = "".join(f"o{n % 40},m{n % 40},2026-03-01 09:30:00,s1,sku{n},c,1,1.00,0\n" for n in range(120))
    report = load(warehouse, file(data, HEADER + body))
    assert report.chunks > 4
    assert set(rows(warehouse, "SELECT net_amount FROM orders")) == {(Decimal("3.00"),)}
    assert one(warehouse, "SELECT count(*) FROM import_chunks") == report.chunks


def test_a_row_with_quantity_and_amount_negative_is_a_refund(warehouse: Warehouse, data: Path) -> None:
    body = GOOD + "o1,m1,2026-03-03 10:00:00,s1,milk,dairy,-1,-4.50,\n"
    report = load(warehouse, file(data, HEADER + body))
    assert report.events == 3
    assert totals(warehouse)[0][1] == Decimal("1239.00")
    assert load(warehouse, file(data, HEADER + body)).already_there == 3


BAD = {
    "text in a number": ("o3,m3,2026-03-01 09:30:00,s1,milk,dairy,two,9.00,\n", "quantity"),
    "three decimals": ("o3,m3,2026-03-01 09:30:00,s1,milk,dairy,1,9.005,\n", "amount"),
    "a negative quantity that is no refund": ("o3,m3,2026-03-01 09:30:00,s1,milk,dairy,-1,9.00,\n", "quantity"),
    "a negative amount that is no refund": ("o3,m3,2026-03-01 09:30:00,s1,milk,dairy,1,-9.00,\n", "amount"),
    "a day that does not exist": ("o3,m3,2026-02-30 09:30:00,s1,milk,dairy,1,9.00,\n", "placed_at"),
    "nobody": ("o3,,2026-03-01 09:30:00,s1,milk,dairy,1,9.00,\n", "member"),
    "no order": (",m3,2026-03-01 09:30:00,s1,milk,dairy,1,9.00,\n", "order_id"),
    "no product": ("o3,m3,2026-03-01 09:30:00,s1,,dairy,1,9.00,\n", "sku"),
    "a column too few": ("o3,m3,2026-03-01 09:30:00\n", ""),
    "another person in the same order": ("o1,m9,2026-03-01 09:30:00,s1,milk,dairy,1,9.00,\n", "member"),
    "another time in the same order": ("o1,m1,2026-03-01 09:31:00,s1,milk,dairy,1,9.00,\n", "placed_at"),
    "another store in the same order": ("o1,m1,2026-03-01 09:30:00,s2,milk,dairy,1,9.00,\n", "store"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named_and_nothing_is_kept(warehouse: Warehouse, data: Path, case: str) -> None:
    line, column = BAD[case]
    path = file(data, HEADER + GOOD + line + "o4,m4,2026-03-01 09:30:00,s1,milk,dairy,1,2.00,\n")
    with pytest.raises(BadRows) as caught:
        load(warehouse, path)
    first = errors(caught.value.report)[0]
    assert (first["row"], first["column"]) == ("5", column)
    assert "5" in caught.value.en
    assert caught.value.report.rows == 5
    assert totals(warehouse) == []
    assert not Person.objects.exists(), "nobody was made"
    assert not imports.directory(caught.value.report.import_id).exists()

    report = load(warehouse, path, skip_bad=True)
    whole = {"o1", "o2", "o4"} - ({"o1"} if line.startswith("o1") else set())
    assert {number for number, *_ in totals(warehouse)} == whole, "an order goes in whole or not at all"
    assert report.rows == report.accepted + report.refused == 5


def test_the_other_rows_of_a_refused_order_are_named_too(warehouse: Warehouse, data: Path) -> None:
    body = "o1,m1,2026-03-01 09:30:00,s1,a,c,1,1.00,\no1,m1,2026-03-01 09:30:00,s1,b,c,1,x,\n"
    report = load(warehouse, file(data, HEADER + body), skip_bad=True)
    assert (report.accepted, report.refused) == (0, 2)
    assert {row["row"] for row in errors(report)} == {"2", "3"}


WHOLE = {
    "an empty file": (b"", "is empty"),
    "a header only of blanks": (b",,\n1,2,3\n", "must name the columns"),
    "a column twice": (b"order_id,order_id\n1,2\n", "“order_id” stands there twice"),
    "columns missing": (b"order_id,member\n1,2\n", "placed_at, sku, quantity, amount are missing"),
    "no person column": (b"order_id,placed_at,sku,quantity,amount\n", "No column says which person"),
    "another encoding": ((HEADER + "caf\u00e9").encode("latin-1") + b"\xff\xff\n", "neither UTF-8 nor GB18030"),
    "utf-16": (HEADER.encode("utf-16"), "neither UTF-8 nor GB18030"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_file_that_is_no_table_gets_one_clear_sentence(warehouse: Warehouse, data: Path, case: str) -> None:
    content, said = WHOLE[case]
    with pytest.raises(BadInput) as caught:
        load(warehouse, file(data, content))
    assert said in caught.value.en
    assert caught.value.zh
    assert "\n" not in caught.value.en
    assert not Import.objects.exists()


def test_a_line_of_two_hundred_megabytes_is_refused_before_it_is_read(warehouse: Warehouse, data: Path) -> None:
    path = file(data, HEADER + GOOD)
    with path.open("ab") as out:
        for _ in range(200):
            out.write(b"x" * (1 << 20))
    with pytest.raises(BadInput, match=r"Line 5 of orders.csv is longer than 1 MB"):
        load(warehouse, path)


def test_a_parquet_file_that_is_none_and_a_file_that_is_not_there(warehouse: Warehouse, data: Path) -> None:
    with pytest.raises(BadInput, match="no Parquet file"):
        load(warehouse, file(data, "PAR1 not", "orders.parquet"))
    with pytest.raises(NotFound):
        load(warehouse, data / "absent.csv")


def test_a_dry_run_counts_and_keeps_nothing(warehouse: Warehouse, data: Path) -> None:
    report = load(warehouse, file(data, HEADER + GOOD + BAD["nobody"][0]), dry_run=True)
    assert (report.rows, report.accepted, report.refused, report.persons, report.dry_run) == (4, 3, 1, 2, True)
    assert totals(warehouse) == []
    assert not Person.objects.exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_people_of_the_accepted_rows_are_counted_as_new_or_known(
    warehouse: Warehouse, data: Path, dry_run: bool
) -> None:
    """It counted pairs of numbers, refused rows' too: one person with two member numbers and one phone was two."""
    head = "order_id,placed_at,sku,quantity,amount,member,phone\n"
    load(warehouse, file(data, f"{head}o1,2026-03-01,milk,1,1,m1,\no2,2026-03-01,milk,1,1,,13800138000\n"))
    text = (
        f"{head}o3,2026-03-02,milk,1,1,m1,\n"  # known by the member number
        "o4,2026-03-02,milk,1,1,m2,13800138000\n"  # known by the phone
        "o5,2026-03-02,milk,1,1,m3,13900139000\n"  # one new person with two member numbers …
        "o6,2026-03-02,milk,1,1,m4,13900139000\n"
        "o7,2026-03-02,milk,one,1,m5,\n"  # … and nobody, since the row is refused
    )
    report = load(warehouse, file(data, text, "more.csv"), dry_run=dry_run, skip_bad=True)
    assert (report.persons, report.persons_known, report.persons_new) == (3, 2, 1)
    people = len(set(identity.survivors_of(row.pk for row in Person.objects.all()).values()))
    assert people == 2 + (0 if dry_run else report.persons_new)


def test_an_unknown_store_is_told_and_the_order_is_kept_without(warehouse: Warehouse, data: Path) -> None:
    report = load(warehouse, file(data, (HEADER + GOOD).replace("s2", "s9")))
    assert report.unknown_stores == ("s9",)
    assert totals(warehouse)[1][3] is None


def test_an_imported_order_and_its_events_by_the_inbox_are_one_order(warehouse: Warehouse, data: Path) -> None:
    record([event("order.refunded", member("m1"), amount=Decimal("1.50"), currency="CNY", props={"order_id": "o1"})])
    pump.pump_until_empty(warehouse)
    assert rows(warehouse, "SELECT net_amount, placed_at FROM orders") == [(None, None)]
    load(warehouse, file(data, HEADER + GOOD))
    assert totals(warehouse)[0][1] == Decimal("1242.00")
    assert one(warehouse, "SELECT count(DISTINCT person) FROM orders") == 2


def test_events_come_in_with_their_props_and_facts(warehouse: Warehouse, data: Path) -> None:
    text = (
        "type,occurred_at,member,external_userid,campaign,coupon,purpose,channel,staff,name\n"
        "campaign.targeted,2026-03-01 09:30:00,m1,,18,,,,,\n"
        "coupon.redeemed,2026-03-02 09:30:00,m1,,18,c7,,,,\n"
        "consent.given,2026-03-02 09:30:00,m1,,,,marketing,*,,\n"
        "relation.added,2026-03-02 09:30:00,m1,wm1,,,,,wang,\n"
        "person.seen,2026-03-02 09:30:00,m1,,,,,,,王小明\n"
    )
    path = file(data, text, "events.csv")
    report = imports.import_events(warehouse, path, source="till", corp="corp")
    assert (report.rows, report.accepted, report.already_there) == (5, 5, 0)
    found = rows(warehouse, "SELECT type, props FROM events ORDER BY occurred_at, type")
    assert found[0] == ("campaign.targeted", '{"campaign":"18"}')
    assert one(warehouse, "SELECT count(*) FROM fact_relations WHERE live") == 1
    person = services.resolve([[friend("wm1")]], seen_at=T0)[0]
    assert queries.person_card(OWNER, person).name == "王小明"
    assert imports.import_events(warehouse, path, source="till", corp="corp").already_there == 5


def test_an_event_the_vocabulary_refuses_is_named_by_row(warehouse: Warehouse, data: Path) -> None:
    kinds = ("person.seen", "person.eaten", "campaign.targeted")
    text = "type,occurred_at,member\n" + "".join(f"{kind},2026-03-01,m1\n" for kind in kinds)
    with pytest.raises(BadRows) as caught:
        imports.import_events(warehouse, file(data, text, "events.csv"), source="till")
    assert [(row["row"], row["reason_en"]) for row in errors(caught.value.report)] == [
        ("3", "there is no such event type"),
        ("4", "props.campaign: it is missing."),
    ]
    assert one(warehouse, "SELECT count(*) FROM events") == 0
