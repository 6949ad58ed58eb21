"""The facts of persons as Arrow tables, shaped as the warehouse's tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts
from yutang.organisation.queries import OWNER, brand, nodes, senders
from yutang.people import identity
from yutang.people.consent import Word, effective
from yutang.people.contracts import TIMESTAMP, FactTables
from yutang.people.models import Consent, Person, PersonOverride, Relation, ScopeRow, Tag
from yutang.people.services import is_live

Ids = npt.NDArray[np.int64]
_AWARE = pa.timestamp("us", "UTC")


def build_facts(births: set[int] | None) -> FactTables:
    """The tables of these birth persons (None: all). `births` must hold whole components."""
    persons = identity.rows_of(
        Person, ("id", "home_node", "bucket", "born_at", "blocked", "silent", "risk", "synthetic"), births, "id"
    )
    overrides = identity.rows_of(PersonOverride, ("birth_id", "survivor_id"), births, "birth_id")
    keys = np.array([row[0] for row in persons], dtype=np.int64)
    survivors = _Survivors(keys, overrides)
    tree = nodes()
    return FactTables(
        keys,
        _facts(persons, survivors, tree),
        _relations(births, survivors),
        _consents(births, survivors),
        _tags(births, survivors),
        _scopes(births, survivors, tree),
        _columns(overrides, [("birth", pa.int64()), ("survivor", pa.int64())]),
    )


class _Survivors:
    """Birth persons to survivors, for whole columns."""

    def __init__(self, keys: Ids, overrides: Sequence[tuple[Any, ...]]) -> None:
        self.keys = keys
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]
        self._survivor = self._sorted.copy()
        if overrides:
            pairs = np.array(overrides, dtype=np.int64)
            self._survivor[np.searchsorted(self._sorted, pairs[:, 0])] = pairs[:, 1]

    def of(self, births: Ids) -> Ids:
        if not len(births):
            return births
        return self._survivor[np.searchsorted(self._sorted, births)]


def _columns(rows: Iterable[Sequence[Any]], fields: Sequence[tuple[str, pa.DataType]]) -> pa.Table:
    """Rows as a table of these columns."""
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    return pa.table(
        [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)],
        names=[name for name, _ in fields],
    )


def _naive(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(TIMESTAMP)


def _grouped(table: pa.Table, survivors: _Survivors, keys: list[str], aggregates: list[tuple[Any, ...]]) -> pa.Table:
    """The table with birth persons replaced by survivors, one row per key, columns named as before."""
    person = survivors.of(table["person"].to_numpy())
    table = table.set_column(table.schema.get_field_index("person"), "person", pa.array(person, pa.int64()))
    # One thread, because "first" means the first row: the rows stand by birth person.
    result = table.group_by(keys, use_threads=False).aggregate(aggregates)
    return result.rename_columns([*keys, *(one[0] for one in aggregates)])


def _facts(persons: list[tuple[Any, ...]], survivors: _Survivors, tree: list[NodeFacts]) -> pa.Table:
    table = _columns(
        persons,
        [("person", pa.int64()), ("home_node", pa.int64()), ("bucket", pa.int32()), ("born_at", _AWARE),
         ("blocked", pa.bool_()), ("silent", pa.bool_()), ("risk", pa.int32()), ("synthetic", pa.bool_())],
    )  # fmt: skip
    first = pc.ScalarAggregateOptions(skip_nulls=True)
    table = _grouped(
        table, survivors, ["person"],
        [("home_node", "first", first), ("bucket", "first", first), ("born_at", "min"), ("blocked", "any"),
         ("silent", "any"), ("risk", "max"), ("synthetic", "all")],
    )  # fmt: skip
    zone = _looked_up(table["home_node"], {node.id: node.zone for node in tree}, pa.string())
    return pa.table(
        {
            "person": table["person"],
            "home_node": table["home_node"],
            "zone": pc.fill_null(zone, brand().zone),
            "bucket": table["bucket"],
            "born_at": _naive(table["born_at"]),
            "blocked": table["blocked"],
            "silent": table["silent"],
            "risk": table["risk"],
            "synthetic": table["synthetic"],
        }
    )


def _looked_up(column: pa.ChunkedArray, words: dict[Any, Any], kind: pa.DataType) -> pa.Array:
    """Each value's word, null where there is none."""
    keys = pa.array(list(words), column.type)
    return pa.array(list(words.values()), kind).take(pc.index_in(column, keys))


def _relations(births: set[int] | None, survivors: _Survivors) -> pa.Table:
    rows = (
        (person, sender, added, talked, is_live(added, lost))
        for person, sender, added, lost, talked in identity.rows_of(
            Relation, ("person_id", "sender", "added_at", "lost_at", "last_talk_at"), births
        )
    )
    table = _columns(
        rows,
        [
            ("person", pa.int64()),
            ("sender", pa.int64()),
            ("added_at", _AWARE),
            ("last_talk_at", _AWARE),
            ("live", pa.bool_()),
        ],
    )
    table = _grouped(
        table, survivors, ["person", "sender"], [("added_at", "max"), ("last_talk_at", "max"), ("live", "any")]
    )
    accounts = senders(OWNER)
    return pa.table(
        {
            "person": table["person"],
            "sender": table["sender"],
            "staff": _looked_up(table["sender"], {one.id: one.staff for one in accounts}, pa.int64()),
            "store": _looked_up(table["sender"], {one.id: one.store for one in accounts}, pa.int64()),
            "channel": _looked_up(table["sender"], {one.id: one.channel for one in accounts}, pa.string()),
            "added_at": _naive(table["added_at"]),
            "last_talk_at": _naive(table["last_talk_at"]),
            "live": table["live"],
        }
    )


def _consents(births: set[int] | None, survivors: _Survivors) -> pa.Table:
    rows = identity.rows_of(Consent, ("person_id", "purpose", "channel", "granted", "at"), births)
    owners = survivors.of(np.array([row[0] for row in rows], dtype=np.int64)).tolist()
    words: dict[int, list[Word]] = defaultdict(list)
    for owner, row in zip(owners, rows, strict=True):
        words[owner].append(Word(*row))
    standing = (
        (person, purpose, channel, granted, at)
        for person, said in words.items()
        for (purpose, channel), (granted, at) in sorted(effective(said).items())
    )
    table = _columns(
        standing,
        [
            ("person", pa.int64()),
            ("purpose", pa.string()),
            ("channel", pa.string()),
            ("granted", pa.bool_()),
            ("at", _AWARE),
        ],
    )
    return table.set_column(4, "at", _naive(table["at"]))


def _tags(births: set[int] | None, survivors: _Survivors) -> pa.Table:
    rows = [row[:3] for row in identity.rows_of(Tag, ("person_id", "tag", "at", "live"), births) if row[3]]
    table = _columns(rows, [("person", pa.int64()), ("tag", pa.string()), ("at", _AWARE)])
    table = _grouped(table, survivors, ["person", "tag"], [("at", "max")])
    return pa.table({"person": table["person"], "tag": table["tag"], "at": _naive(table["at"])})


def _scopes(births: set[int] | None, survivors: _Survivors, tree: list[NodeFacts]) -> pa.Table:
    """Every person at the brand's node, and at each node they were seen at with all its ancestors."""
    parent = {node.id: node.parent for node in tree}
    lines = {node.id: [node.id, *_ancestors(node.id, parent)] for node in tree}
    root = next(node.id for node in tree if node.parent is None)
    rows = identity.rows_of(ScopeRow, ("person_id", "node"), births)
    seen = survivors.of(np.array([row[0] for row in rows], dtype=np.int64))
    above = [lines.get(row[1], []) for row in rows]
    everybody = np.unique(survivors.of(survivors.keys))
    person = np.concatenate([everybody, np.repeat(seen, [len(line) for line in above]).astype(np.int64)])
    node = np.concatenate([np.full(len(everybody), root, np.int64), np.fromiter(chain.from_iterable(above), np.int64)])
    pairs = pa.table({"person": person, "node": node})
    return pairs.group_by(["person", "node"]).aggregate([])


def _ancestors(node: NodeId, parent: dict[NodeId, NodeId | None]) -> list[NodeId]:
    above = parent[node]
    return [] if above is None else [above, *_ancestors(above, parent)]
