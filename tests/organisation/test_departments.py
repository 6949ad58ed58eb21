"""What a corp's directory says of stores and staff, made so here: once, however often it is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import NodeKind, SenderFacts
from yutang.organisation.departments import (
    DepartmentRow,
    DepartmentsKept,
    Ended,
    MemberRow,
    MembersKept,
    end_member,
    end_missing,
    keep_departments,
    keep_members,
    link_department,
    make_stores_below,
    rename_member,
)
from yutang.organisation.models import Node
from yutang.organisation.queries import OWNER, departments, node_by_code, nodes, senders, tree_version
from yutang.organisation.rolls import StaffRow, StoreRow, keep_staff, keep_stores
from yutang.organisation.services import connect_corp, set_up_brand

pytestmark = pytest.mark.django_db

WECOM = ("wecom", "ww1")
TREE = [
    DepartmentRow(1, None, "品牌"),
    DepartmentRow(2, 1, "华东"),
    DepartmentRow(3, 2, "上海店"),
    DepartmentRow(4, 3, "导购组"),
    DepartmentRow(5, 1, "财务部"),
]


@pytest.fixture(autouse=True)
def brand(db: None) -> None:
    set_up_brand("一家店", "CNY", "Asia/Shanghai")
    connect_corp(*WECOM, "secret")


@pytest.fixture
def stores() -> None:
    keep_stores([StoreRow("S1", "上海店", "华东"), StoreRow("S2", "南京店", "华东"), StoreRow("S3", "杭州店")])


def read(rows: list[MemberRow]) -> MembersKept:
    """All of the directory's members."""
    kept = keep_members(*WECOM, rows)
    return replace(kept, ended=kept.ended + end_missing(*WECOM, [row.userid for row in rows]).ended)


def linked() -> dict[int, str]:
    codes = {node.id: node.code for node in nodes()}
    return {one.number: codes[one.node] for one in departments() if one.node is not None}


def accounts() -> dict[str, SenderFacts]:
    return {one.userid: one for one in senders(OWNER)}


def store_of(userid: str) -> str:
    codes = {node.id: node.code for node in nodes()}
    return codes[accounts()[userid].store]


@pytest.mark.usefixtures("stores")
def test_departments_are_matched_once_and_what_matches_nothing_is_said() -> None:
    first = keep_departments(*WECOM, TREE)
    assert first == DepartmentsKept(unmatched=("财务部",))
    assert linked() == {3: "S1"}
    renamed = [DepartmentRow(3, 2, "上海一店") if row.number == 3 else row for row in TREE]
    assert keep_departments(*WECOM, renamed).changed == 1
    assert linked() == {3: "S1"}, "a store stays a store under any name"
    assert keep_departments(*WECOM, renamed) == DepartmentsKept(unmatched=("财务部",))
    assert keep_departments(*WECOM, renamed[:4]).changed == 1
    assert [one.number for one in departments()] == [1, 2, 3, 4]
    assert keep_departments(*WECOM, renamed) == DepartmentsKept(changed=1, unmatched=("财务部",))
    assert len(nodes()) == 5


@pytest.mark.usefixtures("stores")
def test_codes_match_and_two_of_a_name_wait_for_a_person() -> None:
    rows = [TREE[0], DepartmentRow(10, 1, "s2"), DepartmentRow(11, 1, "杭州店"), DepartmentRow(12, 1, " 杭州店 ")]
    assert keep_departments(*WECOM, rows).unmatched == ("杭州店", " 杭州店 ")
    assert linked() == {10: "S2"}
    link_department(*WECOM, 12, "S3")
    link_department(*WECOM, 11, "")
    assert keep_departments(*WECOM, rows) == DepartmentsKept()
    assert linked() == {10: "S2", 12: "S3"}
    for number, code in ((99, "S1"), (11, "nowhere")):
        with pytest.raises(BadInput):
            link_department(*WECOM, number, code)


@pytest.mark.usefixtures("stores")
def test_where_the_brand_wants_it_branches_become_regions_and_stores_and_none_is_made_twice() -> None:
    make_stores_below(*WECOM, 1)
    kept = keep_departments(*WECOM, [*TREE, DepartmentRow(6, 2, "苏州店")])
    assert linked() == {2: "华东#2", 3: "S1", 5: "财务部", 6: "苏州店"}
    assert (kept.made, kept.unmatched) == (3, ())
    assert node_by_code("苏州店").kind is NodeKind.STORE
    assert node_by_code("S1").parent == node_by_code("华东#2").id, "the directory says where it stands"
    assert {node_by_code("S1").id} <= kept.nodes
    assert keep_departments(*WECOM, [*TREE, DepartmentRow(6, 2, "苏州店")]) == DepartmentsKept()
    moved = keep_departments(*WECOM, [*TREE, DepartmentRow(6, 1, "苏州一店")])
    assert moved.nodes == {node_by_code("苏州店").id}
    assert node_by_code("苏州店").name == "苏州一店"
    assert Node.objects.find_problems() == ([], [], [], [], [])
    make_stores_below(*WECOM, None)
    assert keep_departments(*WECOM, [*TREE, DepartmentRow(7, 2, "无锡店")]).made == 0
    with pytest.raises(BadInput):
        make_stores_below("wecom", "other", 1)


@pytest.mark.usefixtures("stores")
def test_members_become_staff_at_the_store_above_them() -> None:
    keep_departments(*WECOM, TREE)
    rows = [
        MemberRow("Li", (4,), "李四", 1),
        MemberRow("wang", (5, 3), "王五", 4),
        MemberRow("zhao", (5,), "赵六", 1),
        MemberRow("left", (3,), "钱七", 5),
    ]
    kept = read(rows)
    assert (kept.new, kept.unplaced) == (2, ("zhao",))
    assert {userid: (one.name, one.active) for userid, one in accounts().items()} == {
        "Li": ("李四", True),
        "wang": ("王五", False),
    }
    assert store_of("Li") == store_of("wang") == "S1"
    assert read(rows) == MembersKept(unplaced=("zhao",))
    rows[:2] = [MemberRow("li", (4,), "李四", 1), MemberRow("wang", (3,), "王五", 1)]
    assert read(rows).changed == 1
    assert accounts()["wang"].active
    link_department(*WECOM, 4, "S2")
    moved = read(rows)
    assert moved.senders == {accounts()["Li"].id}
    assert store_of("Li") == "S2"


@pytest.mark.usefixtures("stores")
def test_who_has_left_is_ended_and_not_deleted_and_may_come_back() -> None:
    keep_departments(*WECOM, TREE)
    rows = [MemberRow(f"u{number}", (3,), f"员工 {number}", 1) for number in range(4)]
    read(rows)
    assert read([MemberRow("u0", (3,), "员工 0", 5), *rows[1:3]]).ended == 2
    assert [accounts()[f"u{number}"].active for number in range(4)] == [False, True, True, False]
    assert read([MemberRow("u0", (3,), "员工 0", 5), *rows[1:3]]) == MembersKept()
    assert read(rows).changed == 2
    assert all(one.active for one in accounts().values())
    assert end_member(*WECOM, "U2")
    assert not end_member(*WECOM, "u2")
    assert not accounts()["u2"].active
    assert read(rows).changed == 1
    assert rename_member(*WECOM, "u1", "u1-new")
    assert not rename_member(*WECOM, "u2", "u3"), "somebody else's"
    assert set(accounts()) == {"u0", "u1-new", "u2", "u3"}


@pytest.mark.usefixtures("stores")
def test_what_a_list_said_of_somebody_stays_until_the_directory_says_something_new() -> None:
    keep_staff(
        [StaffRow("u1", "ww1", "wecom", "按名单", "S2", active=False), StaffRow("u2", "ww1", "wecom", "x", "S2")]
    )
    keep_departments(*WECOM, TREE)
    rows = [MemberRow("U1", (5,), "员工 1", 1), MemberRow("u2", (5,), "员工 2", 2)]
    read(rows)
    assert {userid: (one.name, one.active) for userid, one in accounts().items()} == {
        "u1": ("员工 1", False),
        "u2": ("员工 2", False),
    }
    assert store_of("u1") == "S2", "a department that is no store moves nobody"
    keep_staff([StaffRow("u2", "ww1", "wecom", active=True)])
    read(rows)
    assert accounts()["u2"].active


@pytest.mark.usefixtures("stores")
def test_where_most_are_missing_at_once_nobody_is_ended() -> None:
    keep_departments(*WECOM, TREE)
    rows = [MemberRow(f"u{number}", (3,), None, 1) for number in range(30)]
    read(rows)
    assert read([*rows[:9], MemberRow("new", (3,), None, 1)]) == MembersKept(new=1)
    assert end_missing(*WECOM, ["u0"]) == Ended(kept=30)
    assert sum(one.active for one in accounts().values()) == 31
    assert read(rows[:12]).ended == 19


@pytest.mark.usefixtures("stores")
def test_ids_alone_make_staff_without_names_and_take_none_away() -> None:
    keep_departments(*WECOM, TREE)
    read([MemberRow("u1", (3,), "员工 1", 4)])
    keep_departments(*WECOM, [DepartmentRow(row.number, row.parent, None) for row in TREE])
    kept = read([MemberRow("u1", (4,)), MemberRow("u2", (3,))])
    assert (kept.new, kept.ended) == (1, 0)
    assert {userid: (one.name, one.active) for userid, one in accounts().items()} == {
        "u1": ("员工 1", False),
        "u2": ("u2", True),
    }
    assert [one.name for one in departments()] == [row.name for row in TREE]
    assert read([MemberRow("u2", (3,))]).changed == 0
    assert read([MemberRow("u1", (4,)), MemberRow("u2", (3,))]).changed == 1


@pytest.mark.usefixtures("stores")
def test_a_large_directory_is_kept_in_few_statements(django_assert_max_num_queries: object) -> None:
    keep_departments(*WECOM, TREE)
    rows = [MemberRow(f"u{number}", (3,), f"员工 {number}", 1) for number in range(2_000)]
    with django_assert_max_num_queries(60):  # type: ignore[operator]
        assert read(rows).new == 2_000
    with django_assert_max_num_queries(30):  # type: ignore[operator]
        assert read(rows) == MembersKept()


@pytest.mark.usefixtures("stores")
def test_the_warehouse_is_told_when_nodes_changed_and_not_otherwise() -> None:
    assert tree_version() == 0
    keep_departments(*WECOM, TREE)
    assert tree_version() == 0
    make_stores_below(*WECOM, 1)
    keep_departments(*WECOM, TREE)
    keep_departments(*WECOM, TREE)
    assert tree_version() == 1
