"""Stores and staff as lists say they should be."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import NodeKind
from yutang.organisation.models import Node
from yutang.organisation.queries import OWNER, nodes, senders
from yutang.organisation.rolls import BadRow, Kept, StaffRow, StoreRow, keep_region, keep_staff, keep_stores
from yutang.organisation.services import ROOT, set_up_brand

pytestmark = pytest.mark.django_db

CODES = [f"s{number}" for number in range(6)]
REGIONS = ["", "华东", "华东/上海", "华北", "华北/上海"]
store_rows = st.lists(
    st.builds(
        StoreRow, st.sampled_from(CODES), st.none() | st.sampled_from("AB"), st.none() | st.sampled_from(REGIONS)
    ),
    max_size=6,
    unique_by=lambda row: row.code,
)


@pytest.fixture(autouse=True)
def brand(db: None) -> None:
    set_up_brand("一家店", "CNY", "Asia/Shanghai")


def told() -> dict[str, tuple[str, str]]:
    """Every store's name and the names of what stands above it."""
    tree = {node.id: node for node in nodes()}
    result = {}
    for node in tree.values():
        above, here = [], node
        while here.parent is not None:
            here = tree[here.parent]
            above.append(here.name)
        if node.kind is NodeKind.STORE:
            result[node.code] = (node.name, "/".join(reversed(above[:-1])))
    return result


@pytest.mark.long
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(store_rows, min_size=1, max_size=4))
def test_after_any_lists_every_store_is_as_the_last_word_said(lists: list[list[StoreRow]]) -> None:
    Node.objects.exclude(code=ROOT).delete()
    Node.objects.filter(code=ROOT).update(numchild=0)
    wanted: dict[str, tuple[str, str]] = {}
    for rows in lists:
        for row in rows:
            name, region = wanted.get(row.code, (row.code, ""))
            wanted[row.code] = (row.name or name, region if row.region is None else row.region)
        tried = keep_stores(rows, dry_run=True)
        kept = keep_stores(rows)
        assert (tried.new, tried.changed, tried.same) == (kept.new, kept.changed, kept.same)
        assert keep_stores(rows) == Kept(same=len(rows)), "a second time changes nothing"
        assert told() == wanted
        assert Node.objects.find_problems() == ([], [], [], [], [])


def test_a_list_of_a_chain_is_kept_in_few_statements(django_assert_max_num_queries: object) -> None:
    rows = [StoreRow(f"{place:05}", f"店 {place}", f"大区{place % 7}", place=(31.2, 121.5)) for place in range(3_000)]
    with django_assert_max_num_queries(80):  # type: ignore[operator]
        assert keep_stores(rows) == Kept(new=3_000, regions=7)


def test_a_dry_run_keeps_nothing() -> None:
    keep_stores([StoreRow("a", region="华东")], dry_run=True)
    assert [node.code for node in nodes()] == [ROOT]


def test_a_store_that_moves_is_told_and_stays_what_it_is() -> None:
    keep_stores([StoreRow("a", "甲店", "华东", place=(31.0, 121.0)), StoreRow("b", region="华北")])
    before = next(node for node in nodes() if node.code == "a")
    kept = keep_stores([StoreRow("a", region="华北")])
    after = next(node for node in nodes() if node.code == "a")
    assert (kept.changed, kept.nodes) == (1, {before.id})
    assert (after.id, after.name, after.place) == (before.id, "甲店", (31.0, 121.0))


def test_a_regions_zone_is_that_of_its_stores_and_they_are_told() -> None:
    keep_stores([StoreRow("a", region="新疆"), StoreRow("b")])
    kept = keep_region("新疆", "新疆", "Asia/Urumqi")
    zones = {node.code: node.zone for node in nodes()}
    assert (zones["a"], zones["b"]) == ("Asia/Urumqi", "Asia/Shanghai")
    assert {node.code for node in nodes() if node.id in kept.nodes} == {"新疆", "a"}
    with pytest.raises(BadInput, match="a"):
        keep_region("a", "x", "")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([StoreRow("a"), StoreRow("a")], (1, "store")),
        ([StoreRow("a", region="华东"), StoreRow("华东")], (1, "store")),
        ([StoreRow("a", region="x" * 65)], (0, "region")),
    ],
)
def test_one_bad_row_and_nothing_of_the_list_is_kept(rows: list[StoreRow], says: tuple[int, str]) -> None:
    with pytest.raises(BadRow) as bad:
        keep_stores(rows)
    assert (bad.value.index, bad.value.column) == says
    assert told() == {}


def test_staff_come_move_and_leave() -> None:
    keep_stores([StoreRow("a"), StoreRow("b")])
    wang = StaffRow("wang", "ww1", "wecom", "王", "a", 500)
    assert keep_staff([wang, StaffRow("li", "ww1", "wecom", store="a")]) == Kept(new=2)
    assert keep_staff([wang]) == Kept(same=1)
    ids = {sender.userid: sender.id for sender in senders(OWNER)}
    kept = keep_staff([StaffRow("WANG", "ww1", "wecom", store="b"), StaffRow("li", "ww1", "wecom", active=False)])
    assert (kept.changed, kept.senders) == (2, {ids["wang"]})
    now = {sender.userid: (sender.name, sender.daily_quota, sender.active) for sender in senders(OWNER)}
    assert now == {"wang": ("王", 500, True), "li": ("li", 10_000, False)}


def test_staff_need_a_store_that_there_is() -> None:
    for row in (StaffRow("wang", "ww1", "wecom"), StaffRow("wang", "ww1", "wecom", store="nowhere")):
        with pytest.raises(BadRow):
            keep_staff([row])
    assert senders(OWNER) == []
