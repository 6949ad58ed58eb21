"""Lists of people, friendships, groups, coupons, consent and partners: what each row comes to, in rooms of today."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.intake.tables import one, rows
from tests.people.pond import T0, friend, member, node, phone
from yutang.intake import imports
from yutang.intake.imports import BadRows
from yutang.intake.models import Import
from yutang.intake.reports import ImportReport
from yutang.kernel.clock import business_clock
from yutang.kernel.errors import BadInput, NotFound
from yutang.organisation.queries import OWNER
from yutang.organisation.services import connect_corp
from yutang.people import queries, services
from yutang.people.models import Person
from yutang.warehouse.contracts import Warehouse

pytestmark = pytest.mark.django_db


def load(warehouse: Warehouse, data: Path, kind: str, text: str, **options: object) -> ImportReport:
    path = data / f"{kind}.csv"
    path.write_bytes(text.encode("gb18030"))
    return imports.import_file(warehouse, kind, path, source="till", **options)  # type: ignore[arg-type]


def reasons(report: ImportReport) -> list[tuple[str, str, str]]:
    assert report.error_file is not None
    with report.error_file.open(encoding="utf-8-sig") as found:
        return [(row["row"], row["column"], row["reason_en"]) for row in csv.DictReader(found)]


def types(warehouse: Warehouse) -> dict[object, object]:
    return dict(rows(warehouse, "SELECT type, count(*) FROM events GROUP BY type"))  # type: ignore[arg-type]


def test_persons_come_with_their_names_homes_and_tags_and_again_changes_nothing(
    warehouse: Warehouse, data: Path
) -> None:
    text = (
        "会员导出,,,,,\n会员卡号,手机号码,会员姓名,所属门店,会员标签,开卡日期\n"
        "m1,13800138000,王小明,s1,新客，高价值,2026年3月1日\nm2,,李四,,,2026/3/2\n"
    )
    report = load(warehouse, data, "persons", text)
    assert (report.rows, report.accepted, report.persons_new, report.header) == (2, 2, 2, 2)
    assert report.columns["member"] == "会员卡号"
    assert set(report.guessed) == {"member", "phone", "name", "home_store", "tags", "seen_at"}
    card = queries.person_card(OWNER, services.resolve([[phone("13800138000")]], seen_at=T0)[0])
    assert (card.name, card.home_node, set(card.tags)) == ("王小明", node("s1"), {"新客", "高价值"})
    assert card.born_at == datetime(2026, 2, 28, 16, tzinfo=UTC)
    again = load(warehouse, data, "persons", text)
    assert (again.events, again.already_there) == (4, 4)
    assert types(warehouse) == {"person.seen": 2, "tag.added": 2}


def test_a_list_without_dates_says_the_same_again(warehouse: Warehouse, data: Path) -> None:
    text = "member,name\nm1,王小明\n"
    with business_clock(T0):
        load(warehouse, data, "persons", text)
    with business_clock(T0.replace(day=30)):
        assert load(warehouse, data, "persons", text).already_there == 1
        assert load(warehouse, data, "persons", text + "m2,李四\n").already_there == 0, "another list, of today"
    assert Person.objects.count() == 2


def test_an_older_list_moves_nobody_from_a_newer_home(warehouse: Warehouse, data: Path) -> None:
    for store, day in (("s2", "2026-03-05"), ("s1", "2026-03-01")):
        load(warehouse, data, "persons", f"member,home_store,seen_at\nm1,{store},{day}\n")
    person = services.resolve([[member("m1")]], seen_at=T0)[0]
    assert queries.person_card(OWNER, person).home_node == node("s2")


def test_friendships_belong_to_the_corp_that_is_connected(warehouse: Warehouse, data: Path) -> None:
    text = (
        "外部联系人ID,跟进人,添加时间,删除时间\n"
        "wm1,wang,2026-03-01 09:00:00,\nwm2,li,2026-03-01 09:00:00,2026-03-02\nwm3,nobody,2026-03-01,\n"
        "wm4,wang,2026-03-02,2026-03-01\n"
    )
    with pytest.raises(BadInput, match="say of which corp"):
        load(warehouse, data, "relations", text, skip_bad=True)
    connect_corp("wecom", "corp", "secret")
    report = load(warehouse, data, "relations", text, skip_bad=True)
    assert reasons(report) == [
        ("4", "staff", "there is no staff account of that userid"),
        ("5", "lost_at", "it is before the time at which it began"),
    ]
    live = rows(warehouse, "SELECT count(*), count(*) FILTER (live) FROM fact_relations")
    assert live == [(2, 1)]
    assert queries.person_card(OWNER, services.resolve([[friend("wm1")]], seen_at=T0)[0]).relations[0].live


def test_group_members_and_coupons_become_events(warehouse: Warehouse, data: Path) -> None:
    connect_corp("wecom", "corp", "secret")
    group = "external_userid,入群时间,退群时间\nwm1,2026-03-01,\nwm2,2026-03-01,2026-03-03\n"
    with pytest.raises(BadInput, match="group is missing"):
        load(warehouse, data, "groups", group)
    load(warehouse, data, "groups", group, constants={"group": "g1", "group_name": "张姐的群"})
    coupon = "手机号,券码,领取时间,核销时间\n13800138000,c1,2026-03-01,2026-03-02\n13900139000,c2,,2026-03-02\n,c3,,\n"
    with pytest.raises(BadRows, match=r"Row 4, member: it does not say which person"):
        load(warehouse, data, "coupons", coupon)
    load(warehouse, data, "coupons", coupon, skip_bad=True)
    assert types(warehouse) == {"group.joined": 2, "group.left": 1, "coupon.issued": 1, "coupon.redeemed": 2}
    assert one(warehouse, "SELECT props FROM events WHERE type = 'coupon.issued'") == '{"coupon":"c1"}'


def test_consent_needs_its_proof_and_a_clear_word(warehouse: Warehouse, data: Path) -> None:
    text = (
        "手机号,是否同意,同意时间\n13800138000,是,2026-03-01\n13900139000,撤回,2026-03-02\n"
        "13700137000,也许,2026-03-01\n电话,是,2026-03-01\n13600136000,是,03/01/2026\n"
    )
    said = {"purpose": "marketing", "channel": "*"}
    with pytest.raises(BadInput, match="proof is missing"):
        load(warehouse, data, "consent", text, constants=said, skip_bad=True)
    assert not Import.objects.exists()
    report = load(warehouse, data, "consent", text, constants={**said, "proof": "门店纸质表 2026-03"}, skip_bad=True)
    assert [(row, column) for row, column, _ in reasons(report)] == [("4", "granted"), ("5", "phone"), ("6", "at")]
    word = queries.person_card(OWNER, services.resolve([[phone("13800138000")]], seen_at=T0)[0]).consents[0]
    assert (word.granted, word.proof) == (True, "门店纸质表 2026-03")
    assert not queries.person_card(OWNER, services.resolve([[phone("13900139000")]], seen_at=T0)[0]).consents[0].granted
    assert "纸质表" not in str(rows(warehouse, "SELECT * FROM events"))


def test_a_partners_list_names_its_source_and_its_basis_and_is_no_consent(warehouse: Warehouse, data: Path) -> None:
    text = "手机,姓名\n13800138000,王小明\n"
    said = {"partner": "亲子游泳馆", "tags": "异业-游泳馆", "basis": "联合会员协议 2026-02"}
    for missing in said:
        with pytest.raises(BadInput, match=f"{missing} is missing"):
            load(warehouse, data, "partners", text, constants={k: v for k, v in said.items() if k != missing})
    load(warehouse, data, "partners", text, constants=said)
    assert types(warehouse) == {"partner.listed": 1, "person.seen": 1, "tag.added": 1}
    card = queries.person_card(OWNER, services.resolve([[phone("13800138000")]], seen_at=T0)[0])
    assert (card.tags, card.consents) == (("异业-游泳馆",), ())


def test_the_mapping_that_was_accepted_is_proposed_again(warehouse: Warehouse, data: Path) -> None:
    head = "单据,谁,何时,货,数,实付金额,销售额\n"
    said = {
        "order_id": "单据", "member": "谁", "placed_at": "何时", "sku": "货", "quantity": "数", "amount": "销售额",
    }  # fmt: skip
    first, second = head + "o1,m1,2026-03-01,milk,1,9,10\n", head + "o2,m1,2026-03-02,milk,1,9,10\n"
    with pytest.raises(BadInput, match="are missing"):
        load(warehouse, data, "orders", first, mapping={"amount": "销售额"})
    load(warehouse, data, "orders", first, mapping=said)
    report = load(warehouse, data, "orders", second)
    assert report.columns == said
    assert report.guessed == ()
    assert load(warehouse, data, "orders", second, mapping={"amount": "实付金额"}).columns["amount"] == "实付金额"
    assert rows(warehouse, "SELECT order_id, net_amount FROM orders ORDER BY 1")[0][0] == "o1"


def test_two_columns_of_money_are_not_chosen_between(warehouse: Warehouse, data: Path) -> None:
    text = "订单编号,会员号,下单时间,付款时间,商品编码,商品名称,数量,实付金额,销售额\no1,m1,2026-03-01,,a,b,1,9,10\n"
    with pytest.raises(BadInput, match="The columns 实付金额, 销售额 could each be amount"):
        load(warehouse, data, "orders", text)
    report = load(warehouse, data, "orders", text, mapping={"amount": "实付金额"})
    assert report.columns["sku"] == "商品编码", "the code rather than the title"
    assert set(report.guessed) == {"order_id", "member", "placed_at", "sku", "quantity"}


def test_what_excel_shortened_is_refused(warehouse: Warehouse, data: Path) -> None:
    text = (
        "订单号,手机号,下单时间,货号,数量,金额\n1.00E+15,13800138000,2026-03-01,a,1,9\no2,1.38E+10,2026-03-01,a,1,9\n"
    )
    with pytest.raises(BadRows) as caught:
        load(warehouse, data, "orders", text)
    assert [(row, column) for row, column, _ in reasons(caught.value.report)] == [("2", "order_id"), ("3", "phone")]


def test_an_unknown_kind_field_or_constant_is_refused(warehouse: Warehouse, data: Path) -> None:
    with pytest.raises(NotFound, match="cannot be imported"):
        load(warehouse, data, "people", "a,b\n1,2\n")
    with pytest.raises(BadInput, match="no field “colour”"):
        load(warehouse, data, "persons", "member\nm1\n", mapping={"colour": "member"})
    with pytest.raises(BadInput, match="cannot be one value"):
        load(warehouse, data, "persons", "member\nm1\n", constants={"name": "王"})
