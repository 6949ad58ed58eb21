"""Stores and staff by file, and whoever follows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from tests.warehouse.fixtures import fresh_warehouse
from yutang.intake import rolls
from yutang.intake.mirror import mirror_facts
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, node_by_code, senders
from yutang.organisation.rolls import Kept
from yutang.organisation.services import set_up_brand
from yutang.people import queries, services
from yutang.people.services import RelationWord
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, tzinfo=UTC)
STORES = """集团门店表,,,,,
门店编号,门店名称,大区,时区,纬度,经度
s1,人民路店,华东/上海,,31.2304,121.4737
s2,解放路店,新疆,Asia/Urumqi,,
"""
STAFF = "员工账号,姓名,门店编号,每日上限,在职\nwang,王,s1,200,是\nli,李,s2,,\n"


@pytest.fixture
def warehouse(db: None, tmp_path: Path) -> Iterator[Warehouse]:
    set_up_brand("一家店", "CNY", "Asia/Shanghai")
    with closing(fresh_warehouse(tmp_path)) as made:
        yield made


def sent(text: str, name: str = "list.csv") -> rolls.SentFile:
    return rolls.SentFile(name, text.encode("gb18030"))


def keep(warehouse: Warehouse, stores: str, staff: str = STAFF) -> None:
    assert not rolls.read_stores(warehouse, sent(stores)).wrong
    assert not rolls.read_staff(warehouse, sent(staff), channel="wecom", corp="ww1").wrong


def test_lists_as_excel_saves_them_become_stores_and_staff(warehouse: Warehouse) -> None:
    tried = rolls.read_stores(warehouse, sent(STORES), dry_run=True)
    assert (tried.rows, tried.kept) == (2, Kept(new=2, regions=3))
    assert rolls.read_stores(warehouse, sent(STORES)).kept == tried.kept
    assert rolls.read_stores(warehouse, sent(STORES)).kept == Kept(same=2)
    keep(warehouse, STORES)
    assert node_by_code("s1").place == (31.2304, 121.4737)
    assert node_by_code("s2").zone == "Asia/Urumqi"
    told = {one.userid: (one.name, one.store, one.daily_quota) for one in senders(OWNER)}
    assert told == {"wang": ("王", node_by_code("s1").id, 200), "li": ("李", node_by_code("s2").id, 10_000)}
    mirrored = warehouse.query(Statement("SELECT code FROM nodes ORDER BY code")).column(0).to_pylist()
    assert mirrored == ["brand", "s1", "s2", "上海", "华东", "新疆"]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",无编号,华东,,,", "store"),
        ("s3,店,华东,Asia/Nowhere,,", "zone"),
        ("s3,店,华东,,91,0", "latitude"),
        ("s3,店,华东,,北纬,东经", "latitude"),
        ("s1,又一次,华东,,,", "store"),
        ("华东,店,华东,,,", "store"),
        ("s3,店", ""),
    ],
)
def test_a_bad_row_is_named_and_nothing_of_the_list_is_kept(warehouse: Warehouse, row: str, field: str) -> None:
    report = rolls.read_stores(warehouse, sent(f"{STORES}{row}\n"))
    assert [(one.row, one.field) for one in report.wrong] == [(5, field)]
    assert warehouse.query(Statement("SELECT count(*) FROM nodes")).column(0)[0].as_py() == 0


@pytest.mark.parametrize(
    ("row", "field"),
    [("zhao,赵,nowhere,,", "store"), ("zhao,赵,s1,many,", "daily_quota"), ("zhao,赵,s1,,也许", "active")],
)
def test_a_bad_row_of_staff_too(warehouse: Warehouse, row: str, field: str) -> None:
    rolls.read_stores(warehouse, sent(STORES))
    report = rolls.read_staff(warehouse, sent(f"{STAFF}{row}\n"), channel="wecom", corp="ww1")
    assert [(one.row, one.field) for one in report.wrong] == [(4, field)]
    assert senders(OWNER) == []


def shown(viewer: Viewer, person: PersonId) -> bool:
    try:
        return bool(queries.person_card(viewer, person))
    except NotFound:
        return False


def test_persons_follow_their_store_and_their_guide(warehouse: Warehouse) -> None:
    keep(warehouse, STORES)
    first, second = node_by_code("s1").id, node_by_code("s2").id
    person, friend = map(PersonId, services.resolve_column("member", "shop", pa.array(["a", "b"])).tolist())
    services.assign_home({person: first})
    wang = next(one.id for one in senders(OWNER) if one.userid == "wang")
    services.apply_relations([RelationWord(friend, wang, "added", AT)])
    mirror_facts(warehouse)

    def zones() -> dict[int, str]:
        mirror_facts(warehouse, queries.unmirrored(100)[1])
        found = warehouse.query(Statement("SELECT person, zone FROM facts"))
        return dict(zip(found["person"].to_pylist(), found["zone"].to_pylist(), strict=True))

    def sees(node: int) -> set[PersonId]:
        viewer = Viewer("m", RoleName.MANAGER, frozenset({node}))  # type: ignore[arg-type]
        return {one for one in (person, friend) if shown(viewer, one)}

    assert zones()[person] == "Asia/Shanghai"
    assert (sees(first), sees(second)) == ({person, friend}, set())
    keep(warehouse, "store,zone\ns1,Asia/Urumqi\n", "staff,store\nwang,s2\n")
    assert zones()[person] == "Asia/Urumqi"
    assert (sees(first), sees(second)) == ({person}, {friend})
