"""The operational side's facts, into the warehouse."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from yutang.intake.append import fact_statements, fence_statements, fenced
from yutang.intake.lease import Held, lease
from yutang.kernel.errors import Unavailable
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import PersonId
from yutang.organisation.queries import nodes
from yutang.people import queries, services
from yutang.warehouse.contracts import Statement, Warehouse

LEASE = "pump"
PATIENCE = 120.0
_EVERYBODY = 1_000_000_000


def mirror_nodes(warehouse: Warehouse) -> None:
    """Replace the warehouse's tree by the organisation's."""
    tree = nodes()
    table = pa.table(
        {
            "node": pa.array([node.id for node in tree], pa.int64()),
            "parent": pa.array([node.parent for node in tree], pa.int64()),
            "kind": [node.kind.value for node in tree],
            "code": [node.code for node in tree],
            "zone": [node.zone for node in tree],
            "synthetic": [node.synthetic for node in tree],
        }
    )
    insert = Statement("INSERT INTO nodes BY NAME SELECT * FROM mirror_rows", tables={"mirror_rows": table})
    warehouse.write([Statement("DELETE FROM nodes"), insert])


def mirror_facts(warehouse: Warehouse, persons: Iterable[PersonId] | None = None) -> int:
    """Replace these persons' facts (None: everybody's) by what holds now; returns of how many birth persons.

    Waits for a pump at work. The pump itself mirrors whoever changed, so this is for bulk loads and repairs.
    """
    with lease(LEASE, PATIENCE) as held:
        marks = queries.unmirrored(_EVERYBODY)[0] if persons is None else []
        return _write(warehouse, held, marks, persons)


def mirror_changed(warehouse: Warehouse, held: Held, limit: int = 200_000) -> int:
    """Mirror whoever changed since they were last mirrored, up to `limit` marks; the caller holds the pump's lease."""
    marks, persons = queries.unmirrored(limit)
    return _write(warehouse, held, marks, persons) if marks else 0


def _write(warehouse: Warehouse, held: Held, marks: list[int], persons: Iterable[PersonId] | None) -> int:
    facts = queries.fact_tables(persons)
    statements = [*fact_statements(facts, everything=persons is None), *fence_statements(held.token)]
    if not warehouse.write(statements, unless=fenced(held.token)):
        raise Unavailable("已有另一个进程接手，请稍后再试。", "Another process has taken over; try again in a moment.")
    failpoint("mirror.after_write")
    services.mirrored(marks)
    return len(facts.keys)
