"""How the warehouse's tables stand in ClickHouse: what DuckDB's migrations do not say.

Columns come from the migrations (`shape.py`). Here stand the order in which rows are sorted, the column by which they
are spread over a cluster's shards, and the words in which a table is made. Every table has two columns more, which `*`
does not show: `born`, the statement that wrote the row, and `gone`, the one that took it away (0: none); `versions.py`
says what they are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

WRITES = "yutang_writes"
"""The writes that were begun and those that were kept: the only table that is not versioned."""

SCRATCH = "yutang_scratch"
"""How tables begin that last for one write or one question."""

# Within one statement no two rows may be alike in these: two rows alike in them and in `born` are one row. A table that
# does not stand here is sorted by all of its columns, so it has no float and no long text.
KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "events": ("type", "occurred_at", "event_id", "person"),
        "orders": ("source", "order_id", "person", "placed_at"),
        "order_lines": ("source", "order_id", "ordinal", "revised_at", "sku"),
        "facts": ("person",),
        "person_overrides": ("birth",),
        "nodes": ("node",),
        "decisions": ("plan", "touch", "run", "person"),
        "receipts": ("touch", "receipt_key", "state", "at"),
        "plan_audience": ("plan", "person"),
        "slices": ("slice",),
        "profile_state": ("name",),
        "profiles": ("person",),
        "profile_more": ("trait", "person"),
        "schema_version": ("version",),
        "person_values": ("version", "person"),
        "value_models": ("version", "category"),
        "value_quarters": ("version", "node", "year", "quarter"),
    }
)
SHARDS = ("person", "birth", "touch")
"""The first of these that a table has spreads its rows; one that has none stands whole on the first shard."""

_REPEATING = frozenset(
    {
        *("type", "source", "channel", "currency", "category", "zone", "kind", "target_kind", "touch_class"),
        *("outcome", "state", "purpose", "segment"),
    }
)
_LOOKED_UP = {"events": ("person",), "orders": ("person",), "order_lines": ("person",), "decisions": ("person",)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tables stand: the database, and the cluster with its Keeper's paths if there is one."""

    database: str
    cluster: str = ""
    replicated: bool = False
    inside: bool = False  # in this process, where there is no Keeper to tell other machines
    path: str = "/yutang/{database}/{table}/{shard}"
    replica: str = "{replica}"

    def local(self, table: str) -> str:
        """The table that holds rows on one machine."""
        return f"{table}_local" if self.cluster else table

    def named(self, table: str) -> str:
        """A table with its database, as a statement names it."""
        return f"`{self.database}`.`{table}`"

    @property
    def everywhere(self) -> str:
        """What makes a statement about tables hold on every machine of the cluster."""
        return f" ON CLUSTER `{self.cluster}`" if self.cluster and not self.inside else ""

    def engine(self, table: str, kind: str, version: str = "") -> str:
        """A MergeTree of this kind, replicated where that is configured."""
        if not self.replicated:
            return f"{kind}({version})"
        path = self.path.replace("{database}", self.database).replace("{table}", self.local(table))
        return f"Replicated{kind}('{path}', '{self.replica}'{version and ', ' + version})"


def creations(place: Place, table: str, columns: pa.Schema) -> Iterator[str]:
    """The statements that make a table, each of which may be said again."""
    said = ", ".join(f"`{field.name}` {stored_type(field)}" for field in columns)
    versions = "born UInt64 MATERIALIZED 0, gone UInt64 MATERIALIZED 0"
    looked_up = "".join(
        f", INDEX by_{name} `{name}` TYPE bloom_filter GRANULARITY 4" for name in _LOOKED_UP.get(table, ())
    )
    ages = "INDEX by_born born TYPE minmax GRANULARITY 1, INDEX by_gone gone TYPE minmax GRANULARITY 1"
    yield (
        f"CREATE TABLE IF NOT EXISTS {place.named(place.local(table))}{place.everywhere} "
        f"({said}, {versions}, {ages}{looked_up}) ENGINE = {place.engine(table, 'ReplacingMergeTree', 'gone')} "
        f"ORDER BY ({', '.join(f'`{name}`' for name in key_of(table, columns))}, born) "
        "SETTINGS allow_nullable_key = 1, old_parts_lifetime = 60"
        + ("" if place.replicated else ", non_replicated_deduplication_window = 1000")
    )
    if place.cluster:
        yield (
            f"CREATE TABLE IF NOT EXISTS {place.named(table)}{place.everywhere} ({said}, {versions}) "
            f"ENGINE = Distributed(`{place.cluster}`, `{place.database}`, `{place.local(table)}`, {shard_of(columns)})"
        )


def writes_table(place: Place) -> Iterator[str]:
    """The statements that make the table of writes; on a cluster it stands on the first shard."""
    said = "said String, number UInt64, state String, at DateTime64(6, 'UTC')"
    yield (
        f"CREATE TABLE IF NOT EXISTS {place.named(place.local(WRITES))}{place.everywhere} ({said}) "
        f"ENGINE = {place.engine(WRITES, 'MergeTree')} ORDER BY (said, number)"
        + ("" if place.replicated else " SETTINGS non_replicated_deduplication_window = 1000")
    )
    if place.cluster:
        yield (
            f"CREATE TABLE IF NOT EXISTS {place.named(WRITES)}{place.everywhere} ({said}) "
            f"ENGINE = Distributed(`{place.cluster}`, `{place.database}`, `{place.local(WRITES)}`, 0)"
        )


def changes(place: Place, table: str, before: pa.Schema, after: pa.Schema) -> Iterator[str]:
    """The statements that bring a table from one version's columns to the next one's; each may be said again."""
    tables = [place.local(table), table] if place.cluster else [table]
    for name in tables:
        target = f"ALTER TABLE {place.named(name)}{place.everywhere}"
        for field in after:
            if field.name not in before.names:
                yield f"{target} ADD COLUMN IF NOT EXISTS `{field.name}` {stored_type(field)}"
            elif before.field(field.name).type != field.type:
                yield f"{target} MODIFY COLUMN `{field.name}` {stored_type(field)}"
        for gone in sorted(set(before.names) - set(after.names)):
            yield f"{target} DROP COLUMN IF EXISTS `{gone}`"


def removals(place: Place, table: str) -> Iterator[str]:
    """The statements that take a table away."""
    for name in [table, place.local(table)] if place.cluster else [table]:
        yield f"DROP TABLE IF EXISTS {place.named(name)}{place.everywhere} SYNC"


def key_of(table: str, columns: pa.Schema) -> tuple[str, ...]:
    """The columns by which a table is sorted."""
    return KEYS.get(table) or tuple(field.name for field in columns if not pa.types.is_floating(field.type))


def shard_of(columns: pa.Schema) -> str:
    """The number whose remainder says on which shard a row stands."""
    name = next((name for name in SHARDS if name in columns.names), "")
    return f"intHash64(coalesce(`{name}`, 0))" if name else "0"


def stored_type(field: pa.Field) -> str:
    """A stored column's type: as `type_of`, but a text that says the same in many rows is kept once."""
    said = type_of(field.type)
    return f"LowCardinality({said})" if field.name in _REPEATING and said == "Nullable(String)" else said


def type_of(kind: pa.DataType) -> str:
    """The type that holds what an Arrow column holds; any of it may be null."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"Array({type_of(kind.value_type)})"
    if pa.types.is_dictionary(kind):
        return type_of(kind.value_type)
    if pa.types.is_decimal(kind):
        return f"Nullable(Decimal({kind.precision}, {kind.scale}))"
    if pa.types.is_timestamp(kind):
        return "Nullable(DateTime64(6, 'UTC'))"
    names = {
        "string": "String",
        "large_string": "String",
        "string_view": "String",
        "bool": "Bool",
        "double": "Float64",
        "float": "Float32",
        "date32[day]": "Date32",
        "null": "Int32",
    }
    return f"Nullable({names.get(str(kind)) or str(kind).replace('uint', 'UInt').replace('int', 'Int')})"


def sendable(table: pa.Table) -> pa.Table:
    """The same rows in the types that ClickHouse reads, and nothing under a null: it looks at what stands there."""
    columns = []
    for field in table.schema:
        column, kind = table[field.name], field.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_null(kind):
            column = column.cast(pa.int32())
        elif pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us"))
        if column.null_count and (pa.types.is_temporal(kind) or pa.types.is_decimal(kind)):
            column = pc.if_else(pc.is_valid(column), column, pa.scalar(None, column.type))
        columns.append(column)
    return pa.table(columns, names=table.schema.names)
