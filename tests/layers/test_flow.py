"""The loop day by day: as told one person at a time, each viewer their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.layers.conftest import AS_OF, bought, manager, tables_of
from tests.profiles.worlds import put_orders
from tests.segments.worlds import ZONE, Pond
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import insert
from yutang.kernel.calendars import local_day, naive
from yutang.layers import flow
from yutang.organisation.queries import OWNER
from yutang.profiles.services import rebuild
from yutang.warehouse.contracts import Statement, Warehouse, named

pytestmark = pytest.mark.django_db


# Newcomer, who brought them, how many days ago. Who came first counts; nobody brings themselves.
INVITES = ((30, 4, 9), (31, 7, 20), (30, 13, 5), (32, 13, 2), (20, 20, 3), (33, 8, 15), (34, 8, 100))
FIRSTS = {
    newcomer: min((AS_OF - timedelta(days=ago), by) for one, by, ago in INVITES if one == newcomer and by != one)
    for newcomer in {one for one, by, _ in INVITES if one != by}
}


def by_hand(orders: list[Any], persons: set[int], day: Any) -> tuple[int, ...]:
    """Who took each step on a day; everybody was met long ago or with their first order."""
    counts = [0] * len(flow.STEPS)
    for person in persons:
        mine = sorted((o for o in orders if o.person == person), key=lambda o: o.placed_at)
        if not mine:
            continue
        first = {category for category, _ in mine[0].lines}
        others = [o for o in mine[1:] if {category for category, _ in o.lines} - first]
        at = [None, mine[0].placed_at, mine[1].placed_at if mine[1:] else None, others[0].placed_at if others else None]
        brought = [joined for joined, inviter in FIRSTS.values() if inviter == person]
        at.append(max(at[3], min(brought)) if at[3] and brought else None)
        for step, taken in enumerate(at):
            counts[step] += taken is not None and local_day(taken, ZONE) == day
    return tuple(counts)


def test_each_day_is_as_told_by_hand(warehouse: Warehouse, pond: Pond, stores: dict[str, int]) -> None:
    more = [bought(f"w{n}", n, n % 7 + 0.5, "3.00", stores["s7"], "salt") for n in (4, 7, 13, 20)]
    invites = [
        {"event_id": f"i{n}", "person": newcomer, "inviter": by, "at": naive(AS_OF - timedelta(days=ago))}
        for n, (newcomer, by, ago) in enumerate(INVITES)
    ]
    warehouse.write(
        [
            insert("invites", invites),
            *put_orders(more),
            Statement("UPDATE facts SET born_at = TIMESTAMP '2016-01-01 00:00:00'"),
        ]
    )
    rebuild(warehouse, AS_OF, zone=ZONE)
    orders = [*pond.orders.values(), *more]
    for viewer, persons in ((OWNER, pond.persons), (manager(stores["s8"]), {p for p in pond.persons if p % 3 == 1})):
        found = flow.flow(warehouse, viewer).value
        assert len(found) == flow.DAYS + 1
        for one in found:
            assert one.taken[1:] == by_hand(orders, persons, one.day)[1:], one.day
        assert sum(found[0].standing) + 0 <= len(persons)
        last, before = found[0], found[1]
        assert last.standing[0] == before.standing[0] + before.taken[0] - before.taken[1]
        assert last.standing[1] == before.standing[1] + before.taken[1] - before.taken[2]
        ever = {o.person for o in orders if o.person in persons}
        assert last.standing[0] + last.taken[0] - last.taken[1] == len(persons) - len(ever)
        stood, taken = flow.over(found)
        assert taken[1] == sum(one.taken[1] for one in found[1:31])
        assert stood == found[30].standing
        assert sum(one.taken[4] for one in found), "somebody brought somebody"
    assert flow.flow(warehouse, manager()).value == []
    names = ("orders", "order_lines", "profiles", "person_overrides", "facts", "fact_scopes", "invites")
    params = {"as_of": AS_OF, "zone": ZONE, "since": AS_OF - timedelta(days=20)}
    asked = flow.with_steps(named("layers/flow", params))
    assert assert_equal_on_both_engines(asked, tables_of(warehouse, *names)).num_rows > 20
