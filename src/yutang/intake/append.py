"""Events into the warehouse: the one list of statements by which both doors write."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from yutang.kernel.calendars import aware
from yutang.people.contracts import TIMESTAMP, FactTables
from yutang.people.ways import tell_ways
from yutang.warehouse.contracts import Statement, named

AMOUNT = pa.decimal128(18, 2)
QUANTITY = pa.decimal128(18, 3)
FENCE = "intake.fence"
_PART = 25_000

# `row` ties lines to their event; order_id and has_lines to synthetic are set for orders. `cost` is null where no line
# has one, else `uncosted` is what the lines without one charge (`log.envelopes.costs_of`).
INCOMING = pa.schema(
    [
        ("row", pa.int64()),
        ("event_id", pa.string()),
        ("type", pa.string()),
        ("occurred_at", TIMESTAMP),
        ("received_at", TIMESTAMP),
        ("person", pa.int64()),
        ("store", pa.int64()),
        ("staff", pa.int64()),
        ("source", pa.string()),
        ("plan", pa.int64()),
        ("batch", pa.int64()),
        ("channel", pa.string()),
        ("amount", AMOUNT),
        ("currency", pa.string()),
        ("props", pa.string()),
        ("order_id", pa.string()),
        ("discount", AMOUNT),
        ("has_lines", pa.bool_()),
        ("lines_amount", AMOUNT),
        ("cost", AMOUNT),
        ("uncosted", AMOUNT),
        ("synthetic", pa.bool_()),
    ]
)
LINES = pa.schema(
    [
        ("row", pa.int64()),
        ("ordinal", pa.int32()),
        ("sku", pa.string()),
        ("category", pa.string()),
        ("quantity", QUANTITY),
        ("amount", AMOUNT),
        ("discount", AMOUNT),
        ("cost", AMOUNT),
    ]
)


def append_statements(
    incoming: pa.Table, lines: pa.Table, *, slice_id: int | None = None, import_id: int | None = None
) -> list[Statement]:
    """What writes these events (INCOMING, no id twice at one time) and their lines (LINES), those known passed over."""
    if not incoming.num_rows:
        return []
    span = pc.min_max(incoming["occurred_at"])
    bounds = {"earliest": aware(span["min"].as_py()), "latest": aware(span["max"].as_py())}
    statements = [named("intake/fresh", bounds, {"incoming": _in_parts(incoming)})]
    orders = incoming["order_id"].null_count < incoming.num_rows
    if orders:
        statements += [named("intake/order_changes"), named("intake/forget_orders"), named("intake/keep_orders")]
        statements.append(named("intake/append_lines", {}, {"incoming_lines": _in_parts(lines)}))
        statements.append(named("intake/settle_lines"))
        statements.append(Statement("DROP TABLE order_changes"))
    statements.append(named("intake/append_events", {"slice": slice_id, "import_id": import_id}))
    statements.append(Statement("DROP TABLE fresh"))
    return statements


def _in_parts(table: pa.Table) -> pa.Table:
    """The same rows in batches: DuckDB reads each batch in one thread, and one batch would keep the others idle."""
    return pa.Table.from_batches(table.to_batches(max_chunksize=_PART), table.schema)


def fact_statements(facts: FactTables, *, everything: bool = False) -> list[Statement]:
    """What replaces the facts of these persons, or of everybody."""
    keys = pa.table({"key": pa.array(facts.keys, pa.int64())})
    statements = []
    for name, table in (*facts.tables().items(), ("fact_ways", None)):
        key = "person" if table is None else table.column_names[0]
        if everything:
            statements.append(Statement(f"DELETE FROM {name}"))  # noqa: S608 – names of ours
        else:
            text = f"DELETE FROM {name} WHERE {key} IN (SELECT key FROM mirror_keys)"  # noqa: S608
            statements.append(Statement(text, tables={"mirror_keys": keys}))
        if table is not None and table.num_rows:
            text = f"INSERT INTO {name} BY NAME SELECT * FROM mirror_rows"  # noqa: S608
            statements.append(Statement(text, tables={"mirror_rows": table}))
    return [*statements, *tell_ways(facts)]


def fence_statements(token: int) -> list[Statement]:
    """What notes that the holder of this token wrote, so that an older holder who wakes up late writes nothing."""
    return [
        Statement("DELETE FROM profile_state WHERE name = $name", {"name": FENCE}),
        Statement("INSERT INTO profile_state VALUES ($name, $token)", {"name": FENCE, "token": str(token)}),
    ]


def fenced(token: int) -> Statement:
    """Whether a later holder than this token has written."""
    return Statement(
        "SELECT EXISTS (SELECT 1 FROM profile_state WHERE name = $name AND CAST(value AS BIGINT) > $token)",
        {"name": FENCE, "token": token},
    )
