"""The pump, identity and all, beside a bare decode and append of the same envelopes (aim ≥ 80,000 events/s).

A pond of 100,000 persons; envelopes of 100 events as clients send them: 80 % of what people do (seen with a member
number and a device), 10 % orders of two lines, 5 % payments, 2 % new persons with a name and a phone, 3 % tags,
consents and friendships. The bare pass opens the same envelopes and appends their events: no persons, no look for
duplicates, no orders, no facts.

Run: python -m tests.bench.bench_pump [events]
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from yutang.app import house

EVENTS = 800_000
PERSONS = 100_000
ENVELOPE = 100
AIM = 80_000
WARM = 1_000  # events pumped before the clock starts: a house that has just been opened imports SciPy first
_DAY = datetime(2026, 3, 1, tzinfo=UTC)


def main(events: int = EVENTS) -> None:
    """Print both rates."""
    with tempfile.TemporaryDirectory() as folder:
        opened = house.open_house(Path(folder))
        try:
            start = time.perf_counter()
            fill(events)
            print(f"{PERSONS:,} persons made, {events:,} events sealed in {time.perf_counter() - start:.1f} s")
            bare(opened.warehouse, events)
            ours(opened.warehouse, events)
        finally:
            opened.close()


def ours(warehouse: object, events: int) -> None:
    """The pump, until nothing waits."""
    from yutang.intake import pump

    warm = pump.pump_once(warehouse, limit=WARM)  # type: ignore[arg-type]
    start, processor, thread = time.perf_counter(), time.process_time(), time.thread_time()
    report = warm + pump.pump_until_empty(warehouse)  # type: ignore[arg-type]
    took, timed = time.perf_counter() - start, events - warm.events
    processor, thread = time.process_time() - processor, time.thread_time() - thread
    if report.events != events:
        raise SystemExit(f"{report.events} events instead of {events}")
    print(
        f"pump: {took:.2f} s, {timed / took:,.0f} events/s (aim ≥ {AIM:,}); processor µs each: its thread "
        f"{thread / timed * 1e6:.1f}, others {(processor - thread) / timed * 1e6:.1f}; "
        f"{report.mirrored:,} persons' facts written"
    )


def bare(warehouse: object, events: int) -> None:
    """The same envelopes opened and appended, and nothing else."""
    from yutang.log.contracts import Envelope
    from yutang.log.models import InboxEnvelope
    from yutang.log.services import columns
    from yutang.warehouse.contracts import Statement

    start = time.perf_counter()
    rows = InboxEnvelope.objects.order_by("pk").values_list("received_at", "sealed")
    done = 0
    batch: list[Envelope] = []
    warehouse.write(  # type: ignore[attr-defined]
        [Statement("CREATE TABLE bare AS SELECT event_id, type, occurred_at, source, props FROM events WHERE false")]
    )

    def append() -> None:
        nonlocal done
        table = columns(batch).events.select(["event_id", "type", "occurred_at", "source", "props"])
        warehouse.write(  # type: ignore[attr-defined]
            [Statement("INSERT INTO bare BY NAME SELECT * FROM arrived", tables={"arrived": table})]
        )
        done += table.num_rows
        batch.clear()

    for row in rows.iterator():
        batch.append(Envelope(row[0], bytes(row[1])))
        if len(batch) == 1_000:
            append()
    if batch:
        append()
    took = time.perf_counter() - start
    if done != events:
        raise SystemExit(f"{done} events instead of {events}")
    warehouse.write([Statement("DROP TABLE bare")])  # type: ignore[attr-defined]
    print(f"bare decode and append: {took:.2f} s, {events / took:,.0f} events/s")


def fill(events: int) -> None:
    """The pond's persons, and everything into the inbox."""
    import pyarrow as pa
    from django.db import transaction

    from tests.people.pond import found_pond
    from yutang.log.contracts import Event, IdentifierValue, Line
    from yutang.log.services import record
    from yutang.people import services
    from yutang.people.models import Unmirrored

    found_pond()
    services.resolve_column("member", "till", pa.array([f"m{n}" for n in range(PERSONS)]), seen_at=_DAY)
    Unmirrored.objects.all().delete()
    chance = random.Random(3)
    lines = (
        Line("milk", "dairy", Decimal(2), Decimal("9.00"), Decimal("1.00")),
        Line("bag", "", Decimal(1), Decimal("0.30")),
    )

    def made(number: int) -> Event:
        person = chance.randrange(PERSONS)
        kind = chance.random()
        who: tuple[IdentifierValue, ...] = (IdentifierValue("member", "till", f"m{person}"),)
        fields: dict[str, object] = {}
        if kind < 0.80:
            name = ("message.sent", "campaign.targeted", "coupon.redeemed")[number % 3]
            props = ({}, {"campaign": f"c{number % 50}"}, {"coupon": f"k{number % 500}", "campaign": "spring"})
            fields["props"] = props[number % 3]
            who = (*who, IdentifierValue("device", "web", f"d{person}-{number % 2}"))
        elif kind < 0.90:
            name = "order.placed"
            fields |= {"props": {"order_id": f"o{number}"}, "lines": lines, "store": f"s{1 + number % 2}",
                       "amount": Decimal("9.30"), "currency": "CNY"}  # fmt: skip
        elif kind < 0.95:
            name = "order.paid"
            fields["props"] = {"order_id": f"o{max(number - 50, 0)}"}
        elif kind < 0.97:
            name = "person.seen"
            fields["props"] = {"name": f"王小{number}", "phone": f"139{number:08}"}
            who = (IdentifierValue("member", "till", f"n{number}"),)
        elif kind < 0.985:
            name = "tag.added"
            fields["props"] = {"tag": f"t{number % 20}"}
        elif kind < 0.995:
            name = "consent.given"
            fields["props"] = {"purpose": "marketing", "channel": "*", "proof": "till"}
        else:
            name = "relation.added"
            fields["staff"] = "wang"
        at = _DAY + timedelta(milliseconds=100 * number)
        return Event(f"e{number}", name, at, who, source="till", **fields)  # type: ignore[arg-type]

    for start in range(0, events, 50_000):
        with transaction.atomic():
            for first in range(start, min(start + 50_000, events), ENVELOPE):
                record([made(number) for number in range(first, min(first + ENVELOPE, events))])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
