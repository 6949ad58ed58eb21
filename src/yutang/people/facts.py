"""The facts of persons as Arrow tables, shaped as the warehouse's tables."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts
from yutang.organisation.queries import OWNER, brand, nodes, senders
from yutang.people import bulk
from yutang.people.consent import Word, effective
from yutang.people.contracts import ADDRESSED, TIMESTAMP, FactTables, Wish
from yutang.people.models import Consent, Identifier, Person, PersonOverride, Relation, ScopeRow, Tag
from yutang.people.preferences import together, wishes_of

Ids = npt.NDArray[np.int64]
_AWARE = pa.timestamp("us", "UTC")


def build_facts(births: set[int] | None) -> FactTables:
    """The tables of these birth persons (None: all). `births` must hold whole components."""
    persons = bulk.table(
        Person,
        [("id", pa.int64()), ("home_node", pa.int64()), ("bucket", pa.int32()), ("born_at", _AWARE),
         ("blocked", pa.bool_()), ("silent", pa.bool_()), ("risk", pa.int32()), ("synthetic", pa.bool_())],
        births, "id",
    )  # fmt: skip
    overrides = bulk.table(
        PersonOverride, [("birth_id", pa.int64()), ("survivor_id", pa.int64())], births, "birth_id"
    ).rename_columns(["birth", "survivor"])
    survivors = _Survivors(persons["id"].to_numpy(), overrides)
    tree = nodes()
    relations = _relations(births, survivors)
    return FactTables(
        survivors.keys,
        _facts(persons.rename_columns(["person", *persons.column_names[1:]]), survivors, tree),
        relations,
        _consents(births, survivors),
        _tags(births, survivors),
        _scopes(births, survivors, tree),
        _preferences(births, survivors),
        overrides,
        _contacts(relations, births, survivors),
    )


class _Survivors:
    """Birth persons to survivors, for whole columns."""

    def __init__(self, keys: Ids, overrides: pa.Table) -> None:
        self.keys = keys  # in order
        self._survivor = keys.copy()
        self._survivor[np.searchsorted(keys, overrides["birth"].to_numpy())] = overrides["survivor"].to_numpy()

    def of(self, births: Ids) -> Ids:
        if not len(births):
            return births
        return self._survivor[np.searchsorted(self.keys, births)]


def _naive(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(TIMESTAMP)


def _grouped(table: pa.Table, survivors: _Survivors, keys: list[str], aggregates: list[tuple[Any, ...]]) -> pa.Table:
    """The table with birth persons replaced by survivors, one row per key, columns named as before."""
    person = survivors.of(table["person"].to_numpy())
    table = table.set_column(table.schema.get_field_index("person"), "person", pa.array(person, pa.int64()))
    # One thread, because "first" means the first row: the rows stand by birth person.
    result = table.group_by(keys, use_threads=False).aggregate(aggregates)
    return result.rename_columns([*keys, *(one[0] for one in aggregates)])


def _facts(table: pa.Table, survivors: _Survivors, tree: list[NodeFacts]) -> pa.Table:
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
    table = bulk.table(
        Relation,
        [("person_id", pa.int64()), ("sender", pa.int64()), ("added_at", _AWARE), ("lost_at", _AWARE),
         ("last_talk_at", _AWARE)],
        births,
    ).rename_columns(["person", "sender", "added_at", "lost_at", "last_talk_at"])  # fmt: skip
    # As `services.is_live` says of one.
    stands = pc.fill_null(pc.less(table["lost_at"], table["added_at"]), True)
    lost = pc.and_(pc.is_valid(table["lost_at"]), pc.invert(stands))
    table = table.append_column("live", pc.and_not(pc.is_valid(table["added_at"]), lost))
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


def _contacts(relations: pa.Table, births: set[int] | None, survivors: _Survivors) -> pa.Table:
    """The friendships, and the addresses that are somebody's alone."""
    fields = [("person_id", pa.int64()), ("kind", pa.string()), ("hub", pa.bool_())]
    rows = bulk.table(Identifier, fields, births, only=("kind", sorted(set(ADDRESSED.values()))))
    rows = rows.filter(pc.and_not(pc.is_valid(rows["person_id"]), rows["hub"]))
    parts = [_contact(relations.select(["person", "channel", "live"]), friend=True)]
    for channel, kind in ADDRESSED.items():
        has = rows.filter(pc.equal(rows["kind"], kind))["person_id"].to_numpy()
        known = pa.table({"person": np.unique(survivors.of(has))})
        known = known.append_column("channel", pa.array([channel] * known.num_rows, pa.string()))
        parts.append(_contact(known.append_column("live", _all(True, known)), friend=False))
    return pa.concat_tables(parts)


def _contact(table: pa.Table, *, friend: bool) -> pa.Table:
    return table.append_column("friend", _all(friend, table))


def _all(value: bool, table: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(value), table.num_rows)


def _consents(births: set[int] | None, survivors: _Survivors) -> pa.Table:
    words = bulk.table(
        Consent,
        [("person_id", pa.int64()), ("purpose", pa.string()), ("channel", pa.string()), ("granted", pa.bool_()),
         ("at", _AWARE), ("partner", pa.string())],
        births,
    ).rename_columns(["person", "purpose", "channel", "granted", "at", "partner"])  # fmt: skip
    words = words.filter(pc.equal(words["partner"], "")).drop_columns("partner")  # a partner's consent is not ours
    birth = words["person"].to_numpy()
    owner = survivors.of(birth)
    _, place, count = np.unique(owner, return_inverse=True, return_counts=True)
    only = count[place] == 1  # a person's only word stands as it was said
    standing = words.set_column(0, "person", pa.array(owner, pa.int64())).filter(pa.array(only))
    if not only.all():
        standing = pa.concat_tables([standing, _weighed(words.filter(pa.array(~only)), owner[~only])])
    return standing.set_column(4, "at", _naive(standing["at"]))


def _weighed(words: pa.Table, owner: Ids) -> pa.Table:
    """What the words of persons who said several come to."""
    said: dict[int, list[Word]] = defaultdict(list)
    for survivor, *word in zip(owner.tolist(), *(column.to_pylist() for column in words.columns), strict=True):
        said[survivor].append(Word(*word))
    rows = [
        (person, purpose, channel, granted, at)
        for person, each in said.items()
        for (purpose, channel), (granted, at) in sorted(effective(each).items())
    ]
    columns = zip(zip(*rows, strict=True), words.schema.types, strict=True)
    return pa.table([pa.array(column, kind) for column, kind in columns], schema=words.schema)


def _preferences(births: set[int] | None, survivors: _Survivors) -> pa.Table:
    """One row per thing said: a topic or channel refused, a cap, an end of the hours."""
    said = wishes_of(None if births is None else {birth: birth for birth in births})
    standing: dict[int, list[Wish]] = defaultdict(list)
    owners = survivors.of(np.fromiter(said, np.int64, len(said))).tolist()
    for owner, wish in zip(owners, said.values(), strict=True):
        standing[owner].append(wish)
    rows = [(owner, *row) for owner, several in standing.items() for row in _said(together(several))]
    columns = list(zip(*rows, strict=True)) or [()] * 4
    types = {"person": pa.int64(), "kind": pa.string(), "name": pa.string(), "value": pa.int32()}
    return pa.table([pa.array(one, kind) for one, kind in zip(columns, types.values(), strict=True)], names=list(types))


def _said(wish: Wish) -> list[tuple[str, str, int]]:
    refused = [("topic", name, 0) for name in sorted(wish.topics)]
    refused += [("channel", name, 0) for name in sorted(wish.channels)]
    numbers = (
        ("cap", "week", wish.week),
        ("cap", "month", wish.month),
        ("hours", "opens", wish.opens),
        ("hours", "closes", wish.closes),
    )
    return refused + [(kind, name, value) for kind, name, value in numbers if value is not None]


def _tags(births: set[int] | None, survivors: _Survivors) -> pa.Table:
    table = bulk.table(
        Tag, [("person_id", pa.int64()), ("tag", pa.string()), ("at", _AWARE), ("live", pa.bool_())], births
    ).rename_columns(["person", "tag", "at", "live"])
    table = _grouped(table.filter(table["live"]).drop_columns("live"), survivors, ["person", "tag"], [("at", "max")])
    return pa.table({"person": table["person"], "tag": table["tag"], "at": _naive(table["at"])})


def _scopes(births: set[int] | None, survivors: _Survivors, tree: list[NodeFacts]) -> pa.Table:
    """Every person at the brand's node, and at each node they were seen at with all its ancestors."""
    parent = {node.id: node.parent for node in tree}
    lines = {node.id: [node.id, *_ancestors(node.id, parent)] for node in tree}
    root = next(node.id for node in tree if node.parent is None)
    rows = bulk.table(ScopeRow, [("person_id", pa.int64()), ("node", pa.int64())], births)
    seen, at = survivors.of(rows["person_id"].to_numpy()), rows["node"].to_numpy()
    everybody = np.unique(survivors.of(survivors.keys))
    persons, places = [everybody], [np.full(len(everybody), root, np.int64)]
    for node in np.unique(at).tolist():
        here = np.unique(seen[at == node])
        for above in lines.get(node, []):
            persons.append(here)
            places.append(np.full(len(here), above, np.int64))
    pairs = pa.table({"person": np.concatenate(persons), "node": np.concatenate(places)})
    return pairs.group_by(["person", "node"]).aggregate([])


def _ancestors(node: NodeId, parent: dict[NodeId, NodeId | None]) -> list[NodeId]:
    above = parent[node]
    return [] if above is None else [above, *_ancestors(above, parent)]
