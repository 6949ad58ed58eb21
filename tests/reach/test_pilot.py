"""What a plan for people who stay away promises to show before launch is what it then can show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.soak.pond import START, ZONE, broadcast
from tests.warehouse.fixtures import fresh_warehouse, insert
from yutang.kernel.clock import business_clock
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind
from yutang.organisation.queries import OWNER
from yutang.organisation.services import NewNode, NewSender
from yutang.playbooks.services import keep_shipped
from yutang.profiles.services import rebuild
from yutang.reach import services
from yutang.reach.contracts import Preview
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
PERSONS, HORIZON = 5_000, 28
DAY = timedelta(days=1)
STAMP = pa.timestamp("us")
SHARE = 0.2


@pytest.fixture
def pond(db: None, tmp_path: Path) -> Iterator[Warehouse]:
    """Everybody comes back after 3 to 12 days as a rule, and after ten weeks one time in eight; the future is there."""
    warehouse = fresh_warehouse(tmp_path)
    organisation.set_up_brand("池塘", "CNY", ZONE)
    keep_shipped()
    organisation.add_nodes([NewNode("s", "门店", NodeKind.STORE)])
    (sender,) = organisation.add_senders([NewSender("s", "导购", "wecom", "ww", "g", daily_quota=10**6)]).values()
    random = np.random.default_rng(5)
    person = np.arange(1, PERSONS + 1)
    rhythm = random.uniform(3, 12, PERSONS)[:, None]
    gaps = rhythm * random.gamma(4, 0.25, (PERSONS, 90))
    gaps[random.random(gaps.shape) < 0.06] += 30
    days = -220 + random.uniform(0, 30, PERSONS)[:, None] + gaps.cumsum(axis=1)
    kept = days < HORIZON
    at = np.datetime64(START.replace(tzinfo=None), "us") + (days[kept] * 86_400e6).astype("timedelta64[us]")
    who = np.broadcast_to(person[:, None], days.shape)[kept]
    spend = np.round(random.gamma(1.2, 60 * (1 + who % 7)), 2)
    names = [f"o{number}" for number in range(len(who))]
    orders = {"source": pa.repeat("pos", len(who)), "order_id": names, "person": who, "placed_at": pa.array(at, STAMP)}
    friends = {
        "person": person,
        "sender": pa.repeat(int(sender), PERSONS),
        "store": person,
        "channel": pa.repeat("wecom", PERSONS),
    }
    friends |= {"added_at": pa.repeat(pa.scalar((START - 300 * DAY).replace(tzinfo=None), STAMP), PERSONS)}
    consents = {"person": person, "purpose": pa.repeat("marketing", PERSONS), "channel": pa.repeat("wecom", PERSONS)}
    yes = pa.repeat(True, PERSONS)
    warehouse.write(
        [
            insert("facts", pa.table({"person": person, "bucket": person % 10_000})),
            insert("orders", pa.table(orders | {"net_amount": pa.array(spend).cast(pa.decimal128(18, 2), safe=False)})),
            insert("fact_relations", pa.table(friends | {"live": yes})),
            insert("fact_consents", pa.table(consents | {"granted": yes})),
        ]
    )
    yield warehouse
    warehouse.close()


def seen(warehouse: Warehouse, **changes: object) -> Preview:
    """The preview at `START`, of a plan that holds out a fifth."""
    rebuild(warehouse, START)
    with business_clock(START):
        return services.preview(warehouse, broadcast("p", hold_out=SHARE, horizon_days=HORIZON, **changes), OWNER)


def measurable(warehouse: Warehouse, segment: str, now=START) -> float:  # type: ignore[no-untyped-def]
    """What today's members can show with what they will spend until `HORIZON` days after `now`."""
    from yutang.segments import queries as segments

    members = warehouse.query(segments.statement(segments.segment_named(segment), OWNER, segments.context(warehouse)))
    points = services.effect_points(warehouse, members, now, HORIZON)
    (found,) = (point.per_person for point in points if point.share == SHARE)
    assert found is not None
    return found


@pytest.mark.long
def test_what_is_promised_for_the_overdue_is_what_can_then_be_measured(pond: Warehouse) -> None:
    found = seen(pond, audience={"segment": "overdue"})
    assert found.smallest_effect is not None
    assert 300 < found.send + found.held_out < PERSONS / 3
    then = measurable(pond, "overdue", START + HORIZON * DAY)
    assert found.smallest_effect == pytest.approx(then, rel=0.15)
    assert measurable(pond, "overdue", START) < 0.75 * then, (
        "their own last weeks, of which they missed two, promise more"
    )


def test_everybody_is_told_by_their_own_last_weeks(pond: Warehouse) -> None:
    found = seen(pond)
    everyone = pa.table({"person": np.arange(1, PERSONS + 1)})
    assert found.effects == services.effect_points(pond, everyone, START, HORIZON)


def test_where_there_are_no_orders_from_before_the_window_nothing_is_told(pond: Warehouse) -> None:
    pond.write([Statement("DELETE FROM orders WHERE placed_at <= $at", {"at": START - HORIZON * DAY})])
    assert seen(pond).effects == ()
    assert seen(pond, audience={"segment": "one_time_buyers"}).smallest_effect is None
