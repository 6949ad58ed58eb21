"""What the pump has taken in, slice by slice, for rooms above that pass it on.

A slice's number tells its turn: slices are made and finished one at a time, under a lease, whatever the order in which
envelopes appeared. Imports of files are history, come by another door, and are not told.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yutang.intake.columns import distinct, only, persons_of
from yutang.intake.models import Slice
from yutang.intake.turned_away import turn_away
from yutang.kernel.calendars import aware
from yutang.log import services as inbox
from yutang.log.contracts import IdentifierValue, heard
from yutang.people.queries import survivors


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it was taken in. `person` is the number of who they are now; what is personal stands apart."""

    id: str
    type: str
    occurred_at: datetime
    received_at: datetime
    person: int | None
    store: str | None
    staff: str | None
    source: str
    plan: int | None
    channel: str | None
    amount: Decimal | None
    currency: str | None
    props: Mapping[str, object]
    lines: tuple[Mapping[str, object], ...]
    identifiers: tuple[IdentifierValue, ...]
    private: Mapping[str, object]


def last_slice() -> int:
    """The newest slice that stands in the warehouse; 0 before the first."""
    found = Slice.objects.filter(done=True).order_by("-pk").values_list("pk", flat=True).first()
    return int(found or 0)


def slices_after(slice: int, limit: int) -> list[int]:
    """The next slices after one that stand in the warehouse, in their order."""
    return list(Slice.objects.filter(pk__gt=slice, done=True).order_by("pk").values_list("pk", flat=True)[:limit])


def told(slice: int, types: Collection[str]) -> list[Told]:
    """The events of a slice that are of these types, in order of arrival; each once, and none of erased persons but
    orders that are nobody's. (Unscoped because the house itself
    passes them on, to whom headquarters allowed.)"""
    arrived = inbox.columns(inbox.envelopes(slice))
    wanted = pc.is_in(arrived.events["type"], pa.array(sorted(types), pa.string())).to_numpy()
    if not wanted.any():
        return []
    chosen = distinct(only(arrived, np.asarray(wanted, dtype=bool)))
    chosen, births, _, _ = turn_away(chosen, persons_of(chosen))
    persons = survivors(births)
    lines: dict[int, list[Mapping[str, object]]] = defaultdict(list)
    for line in chosen.lines.to_pylist():
        lines[line["row"]].append({name: line[name] for name in ("sku", "category", "quantity", "amount", "discount")})
    return [
        _told(row, event, int(person) if birth else None, lines[row], chosen.private.get(row))
        for row, (event, birth, person) in enumerate(
            zip(chosen.events.to_pylist(), births.tolist(), persons.tolist(), strict=True)
        )
    ]


def _told(
    row: int, event: Mapping[str, Any], person: int | None, lines: list[Mapping[str, object]], private: str | None
) -> Told:
    return Told(
        event["event_id"],
        event["type"],
        aware(event["occurred_at"]),
        aware(event["received_at"]),
        person,
        event["store"],
        event["staff"],
        event["source"],
        event["plan"],
        event["channel"],
        event["amount"],
        event["currency"],
        json.loads(event["props"] or "{}"),
        tuple(lines),
        heard(event["who"]) if person is not None else (),
        json.loads(private or "{}") if person is not None else {},
    )
