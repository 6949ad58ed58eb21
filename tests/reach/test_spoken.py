"""What staff sent on their own, counted beforehand: each viewer's part is what the warehouse says of it by itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.execution.chain import NOW, chain, plan, run_of
from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.channels.ports.sent import SendKind
from yutang.kernel.calendars import naive
from yutang.kernel.clock import business_clock
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.models import SenderAccount
from yutang.organisation.queries import OWNER, Home, places
from yutang.playbooks.services import keep_shipped
from yutang.profiles.beforehand import keep_up, let_go
from yutang.profiles.services import rebuild
from yutang.reach import offgate
from yutang.reach.contracts import RunState
from yutang.reach.models import Run
from yutang.reach.offgate import SPOKEN, By, Look, OffGateFilter, OffGateRow, look_at, off_gate
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
ASKED = """
    SELECT
        w.key, count(DISTINCT CASE WHEN s.kind = 'mass' THEN s.send END) AS mass,
        count(DISTINCT CASE WHEN s.kind = 'group' THEN s.send END) AS into_groups,
        count(DISTINCT CASE WHEN s.kind = 'moments' THEN s.send END) AS moments,
        count(DISTINCT CASE WHEN s.kind = 'mass' THEN s.person END) AS persons,
        count(DISTINCT CASE WHEN s.kind <> 'mass' THEN s.person END) AS could_see,
        count(DISTINCT CASE WHEN s.held THEN s.person END) AS held_out,
        count(DISTINCT CASE WHEN s.beyond THEN s.person END) AS over_cap,
        max(s.content) AS content, max(s.occurred_at) AS last_at
    FROM said s
    JOIN who w ON w.staff = s.staff
    WHERE $kind = '' OR s.kind = $kind
    GROUP BY w.key, CASE WHEN $each THEN s.send ELSE '' END
"""


WINDOWS = ((90, None), (30, SendKind.MASS), (30, None), (1, None), (90, SendKind.MOMENTS), (45, None))


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[Warehouse]:
    """Two waves that were measured, and four months of what staff, and others, sent to forty persons."""
    dice = random.Random(3)
    chain()
    keep_shipped()
    staff = [*SenderAccount.objects.order_by("staff_id").values_list("staff_id", flat=True).distinct(), None]
    touched = plan("p")
    waves = [run_of(touched, at=NOW - 40 * DAY)]
    waves.append(Run.objects.create(plan=touched, occasion="w2", attempt=1, state=RunState.COMMITTED, token=1,
                                    decided_at=NOW - 9 * DAY, as_of=NOW - 9 * DAY))  # fmt: skip
    decisions = [
        {"touch": 1_000 * wave.pk + number, "run": wave.pk, "plan": touched.pk, "occasion": wave.occasion,
         "attempt": 1, "person": number,
         "touch_class": "marketing", "outcome": dice.choice(["held_out", "send"]), "decided_at": naive(wave.decided_at)}
        for wave in waves
        for number in range(1, 41)
    ]  # fmt: skip
    receipts = [
        {"touch": one["touch"], "state": "sent", "at": one["decided_at"], "receipt_key": "sent"}
        for one in decisions
        if one["outcome"] == "send"
    ]
    events = []
    for number in range(700):
        kind, whose = dice.choice(list(SendKind)), dice.choice(staff)
        send = f"{kind}-{dice.choice([whose, 'all'])}-{dice.randint(0, 4)}"  # some of them by several
        events.append(
            {
                "event_id": str(number), "type": "offgate.sent", "source": f"offgate:{kind}", "staff": whose,
                "person": dice.randint(1, 60), "occurred_at": naive(NOW - dice.random() ** 3 * 120 * DAY),
                "props": f'{{"kind": "{kind}", "send": "{send}", "content": "{send[:6]}"}}' if number % 9 else None,
            }
        )  # fmt: skip
    with business_clock(NOW), closing(fresh_warehouse(tmp_path)) as warehouse:
        overrides = [{"birth": 40 + one, "survivor": one} for one in range(1, 11)]
        for table, rows in (("decisions", decisions), ("receipts", receipts), ("events", events),
                            ("person_overrides", overrides)):  # fmt: skip
            warehouse.write([insert(table, rows)])
        yield warehouse


def viewers() -> list[Viewer]:
    """Everybody's, a region's with all below it, a store's, and of nothing."""
    below: dict[str, set[Any]] = {"north": set(), "s1": set(), "": set()}
    for code, nodes in below.items():
        for place in places():  # parents first
            if place.code == code or place.parent in nodes:
                nodes.add(place.id)
    return [OWNER, *(Viewer(code, RoleName.MANAGER, frozenset(nodes)) for code, nodes in below.items())]


def of_its_own(warehouse: Warehouse, look: Look, by: By) -> list[tuple[object, ...]]:
    """What the warehouse says of this viewer, window and kind, asked for these alone."""
    key: dict[By, Callable[[Home], int]] = {
        By.ALL: lambda one: 0, By.GUIDE: lambda one: one.staff, By.SEND: lambda one: one.staff,
        By.STORE: lambda one: one.node, By.REGION: lambda one: offgate._place(one.node, By.REGION, look.places),
    }  # fmt: skip
    who = {int(one.staff): int(key[by](one)) for one in look.accounts.values()} | ({0: 0} if look.strangers else {})
    number = pa.int64()
    tables = {"who": pa.table({"staff": pa.array(who.keys(), number), "key": pa.array(who.values(), number)})}
    params = {"each": by is By.SEND, "kind": look.asked.kind or ""}
    rows = warehouse.query(
        offgate._said(Statement(ASKED, params, tables), NOW - look.asked.days * DAY, NOW)
    ).to_pylist()
    return sorted(tuple(row[name] for name in COLUMNS[: None if by is By.SEND else -1]) for row in rows)


COLUMNS = (
    "key",
    "last_at",
    "mass",
    "into_groups",
    "moments",
    "persons",
    "could_see",
    "held_out",
    "over_cap",
    "content",
)


def told(look: Look, by: By) -> list[tuple[object, ...]]:
    """The same of what the page shows."""
    found = []
    for row in off_gate(look, by).rows():
        place = row.guide.staff if row.guide else row.node.id if row.node else 0
        values = tuple(getattr(row, name) for name in COLUMNS[2:])
        found.append((int(place), naive(row.last_at), *values[: None if by is By.SEND else -1]))
    return sorted(found)


def test_each_viewer_is_told_what_was_sent_by_their_own(sent: Warehouse) -> None:
    rebuild(sent, NOW, zone="UTC")
    keep_up(sent, [SPOKEN])
    compared = 0
    for number, (by, viewer) in enumerate(product(By, viewers())):
        days, kind = WINDOWS[(number + number // len(By)) % len(WINDOWS)]
        look = look_at(sent, viewer, OffGateFilter(days, kind=kind))
        expected = of_its_own(sent, look, by)
        assert told(look, by) == expected, (viewer.name, days, kind, by)
        compared += len(expected)
    (whole,) = off_gate(look_at(sent, OWNER, OffGateFilter(90)), By.ALL).rows()
    assert min(whole.held_out, whole.over_cap, whole.into_groups) > 0
    assert compared > 100
    let_go(sent)


def test_what_is_kept_is_as_of_then(sent: Warehouse) -> None:
    rebuild(sent, NOW, zone="UTC")
    keep_up(sent, [SPOKEN])
    look = look_at(sent, OWNER, OffGateFilter(90))
    assert look.spoken.as_of == NOW
    before = told(look, By.STORE)
    sent.write([Statement("DELETE FROM events WHERE source = 'offgate:group'")])
    assert told(look_at(sent, OWNER, OffGateFilter(90)), By.STORE) == before
    let_go(sent)
    assert told(look_at(sent, OWNER, OffGateFilter(90)), By.STORE) != before


def test_rows_come_in_the_order_asked_for_a_page_at_a_time(sent: Warehouse) -> None:
    found = off_gate(look_at(sent, OWNER, OffGateFilter(90)), By.GUIDE)
    orders: dict[str, Callable[[OffGateRow], Any]] = {
        "persons": lambda row: row.persons, "sends": lambda row: row.sends, "last_at": lambda row: row.last_at,
    }  # fmt: skip
    for name, value in orders.items():
        up, down = ([value(row) for row in found.rows(order=name, descending=one)] for one in (False, True))
        assert up == sorted(up) == down[::-1]
        assert len(set(up)) > 2
    whole = found.rows()
    assert [row for at in range(0, len(found), 3) for row in found.rows(3, offset=at)] == whole


def test_where_nothing_was_sent_there_is_nothing_to_tell(tmp_path: Path) -> None:
    chain()
    keep_shipped()
    with business_clock(NOW), closing(fresh_warehouse(tmp_path)) as warehouse:
        for by, days in product(By, (1, 12)):
            assert off_gate(look_at(warehouse, OWNER, OffGateFilter(days)), by).rows() == []
