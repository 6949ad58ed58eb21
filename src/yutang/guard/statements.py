"""A person out of the warehouse, as one transaction; again does no harm.

Deleted: events but those of orders, facts, profile, values, consents, tags, scopes, preferences, segment entries, and
who brought them or whom they brought. Kept as
nobody's, under hashes: orders with their lines and events, so that turnover stays true. Kept under a tombstone:
decisions and frozen audiences, so that every plan still adds up. `tests/guard/test_erasing.py` holds the list of tables
against the schema.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pyarrow as pa

from yutang.intake.turned_away import hidden_event, hidden_order, hidden_props
from yutang.warehouse.contracts import Statement, Warehouse, named

FORGOTTEN = {
    "facts": ("person",),
    "fact_relations": ("person",),
    "fact_consents": ("person",),
    "fact_tags": ("person",),
    "fact_scopes": ("person",),
    "fact_preferences": ("person",),
    "fact_ways": ("person",),
    "person_overrides": ("birth", "survivor"),
    "segment_changes": ("person",),
    "ladder_moves": ("person",),
    "profiles": ("person",),
    "profile_touched": ("person",),
    "profile_work": ("birth", "person"),
    "profile_overrides": ("birth", "survivor"),
    "profile_more": ("person",),
    "profile_more_touched": ("person",),
    "profile_more_work": ("birth", "person"),
    "invites": ("person", "inviter"),
    "person_values": ("person",),
}
"""Tables whose rows about the person are deleted, by the columns that bear a person's number."""
NOBODYS = ("events", "orders", "order_lines")
BURIED = ("decisions", "plan_audience")


def births_table(tombstones: Mapping[int, int]) -> pa.Table:
    """Every number of the person, with its tombstone."""
    return pa.table(
        {
            "person": pa.array(tombstones, pa.int64()),
            "tombstone": pa.array(tombstones.values(), pa.int64()),
        }
    )


def statements(warehouse: Warehouse, tombstones: Mapping[int, int]) -> list[Statement]:
    """What takes a person out. The caller keeps others from appending meanwhile."""
    of = {"births": births_table(tombstones)}
    orders = warehouse.query(named("guard/their_orders", tables=of))
    numbers = [
        hidden_order(source, order)
        for source, order in zip(orders["source"].to_pylist(), orders["order_id"].to_pylist(), strict=True)
    ]
    events = warehouse.query(named("guard/their_order_events", tables=of))
    hidden_orders = orders.append_column("hidden", pa.array(numbers, pa.string()))
    hidden_events = events.append_column(
        "hidden", pa.array([hidden_event(one) for one in events["event_id"].to_pylist()], pa.string())
    ).append_column("hidden_props", pa.array(list(map(_props, events.to_pylist())), pa.string()))
    return [
        named("guard/forget_events", tables=of),
        named("guard/hide_events", tables={**of, "hidden_events": hidden_events}),
        named("guard/hide_lines", tables={"hidden_orders": hidden_orders}),
        named("guard/hide_orders", tables={**of, "hidden_orders": hidden_orders}),
        named("guard/forget_taken_up", tables=of),
        named("guard/bury_decisions", tables=of),
        named("guard/bury_audience", tables=of),
        named("guard/forget_merged", tables=of),
        *(
            Statement(f"DELETE FROM {table} WHERE {column} IN (SELECT person FROM births)", tables=of)  # noqa: S608
            for table, columns in FORGOTTEN.items()
            for column in columns
        ),
    ]


def _props(event: Mapping[str, object]) -> str:
    props = str(event["props"] or "")
    return hidden_props(props, hidden_order(str(event["source"]), order_of(props)))


def order_of(props: str) -> str:
    """The number of the order that an event is about."""
    return str(msgspec.json.decode(props)["order_id"]) if props else ""
