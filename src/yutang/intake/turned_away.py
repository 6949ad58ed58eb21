"""What comes of erased persons: dropped and counted. Their orders are kept as nobody's, so that turnover stays true.

Such an order bears hashes under the do-not-contact key in place of its own number and of its events' ids: the till's
list of numbers leads to nothing here, and yet the same order counts once, and a refund of it finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.intake.columns import Births, group_of, only
from yutang.intake.invites import INVITED, inviter_of
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, EventColumns, IdentifierValue, heard
from yutang.log.services import rewrite
from yutang.people import shunned
from yutang.people.queries import erased_among

ORDERS = "order."
_from_json = msgspec.json.Decoder().decode
_to_json = msgspec.json.Encoder().encode


def _is_hidden(text: str) -> bool:
    return len(text) == 33 and text.startswith("-")


def hidden(what: str, text: str) -> str:
    """An order's number, or an event's id, as it stands where its person was erased."""
    return f"-{shunned.digest(what, text).hex()}"


def hidden_order(source: str, order_id: str) -> str:
    """An order's number where its person was erased. What is hidden already stays as it is."""
    return order_id if _is_hidden(order_id) else hidden("order", f"{source}\x1f{order_id}")


def hidden_event(event_id: str) -> str:
    """An event's id where its person was erased."""
    return event_id if _is_hidden(event_id) else hidden("event", event_id)


def turn_away(arrived: EventColumns, persons: Births) -> tuple[EventColumns, Births, int, int]:
    """The events without those of erased persons (who were named and have no number), their orders as nobody's; also
    orders of a number that is nobody's any more.

    Also how many were dropped, and how many were kept as nobody's.
    """
    events = arrived.events
    orders = pc.starts_with(events["type"], ORDERS).to_numpy()
    named = pc.not_equal(events["who"], "").to_numpy() | (orders & events["person"].is_valid().to_numpy())
    gone = (persons == 0) & named
    if not gone.any():
        return arrived, persons, 0, 0
    orders &= gone
    kept = ~gone | orders
    rest = only(EventColumns(nobodys(events, orders), arrived.lines, arrived.private), kept)
    return rest, persons[kept], int((~kept).sum()), int(orders.sum())


def nobodys(events: pa.Table, rows: npt.NDArray[np.bool_]) -> pa.Table:
    """The events (by the names of INCOMING) with those of `rows`, orders all, as nobody's."""
    changed: dict[str, list[str | None]] = {
        name: events[name].to_pylist() for name in ("event_id", "order_id", "props")
    }
    sources: Sequence[str] = events["source"].to_pylist()
    for row in np.flatnonzero(rows).tolist():
        order = hidden_order(sources[row], changed["order_id"][row] or "")
        changed["event_id"][row] = hidden_event(changed["event_id"][row] or "")
        changed["order_id"][row] = order
        changed["props"][row] = hidden_props(changed["props"][row], order)
    for name, column in changed.items():
        events = events.set_column(events.schema.get_field_index(name), name, pa.array(column, pa.string()))
    return events


def nobodys_event(event: Event) -> Event:
    """An event of an order as nobody's."""
    order = hidden_order(event.source, str(event.props["order_id"]))
    made_up = {"synthetic": True} if event.props.get("synthetic") else {}
    return msgspec.structs.replace(
        event, id=EventId(hidden_event(event.id)), identifiers=(), person=None, staff=None,
        props={"order_id": order, **made_up},
    )  # fmt: skip


def hidden_props(props: str | None, order: str) -> str:
    """An order's props with its hidden number, and nothing else but whether it was made up."""
    said = _from_json(props) if props else {}
    kept = {"order_id": order, **({"synthetic": True} if said.get("synthetic") else {})}
    text: str = _to_json(kept).decode()
    return text


ENVELOPES = 200  # in one transaction


def forget_in_inbox(persons: frozenset[int], after: int, upto: int) -> int | None:
    """Take what names these persons' numbers, or any erased person's identifier, out of the next envelopes; returns the
    last one looked at, None when there are no more. In the caller's transaction. Again does no harm."""
    gone: set[IdentifierValue] = set()
    asked: set[IdentifierValue] = set()

    def look(named: set[IdentifierValue]) -> bool:
        gone.update(erased_among(named - asked))
        asked.update(named)
        return not gone.isdisjoint(named)

    def concerns(groups: set[str], numbers: set[int], private: list[str]) -> bool:
        named = {one for group in groups for one in heard(group)}
        for text in private:
            phone = _from_json(text).get("phone")
            named |= {IdentifierValue("phone", "", phone)} if isinstance(phone, str) and phone.strip() else set()
            if '"inviter"' in text:  # whose number it is stands in the event, which `kept` looks at
                return True
        return look(named) or not numbers.isdisjoint(persons)

    def kept(event: Event) -> Event | None:
        inviter = inviter_of(event.props, event.source) if event.type == INVITED else None
        beside = set() if inviter is None else {inviter}
        if event.person not in persons and not look({*group_of(event), *beside}):
            return event
        if not event.type.startswith(ORDERS):
            return None
        return nobodys_event(event)

    return rewrite(after, upto, ENVELOPES, concerns, kept)
