"""ClickHouse has no transactions: what a write that died in the middle leaves, who sees it, and what comes after."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.warehouse.clickhouse import beside, connected, emptied_clickhouse, fresh_clickhouse
from tests.warehouse.fixtures import insert
from tests.warehouse.http import served
from tests.warehouse.processes import another_process
from tests.warehouse.slices import a_slice, counts, unless_applied
from yutang.kernel.errors import BadInput, Unavailable
from yutang.warehouse import layout
from yutang.warehouse.clickhouse import ClickHouse, address_of, open_clickhouse
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.layout import Place
from yutang.warehouse.schema import Migration, shipped
from yutang.warehouse.shape import shape_of

pytestmark = pytest.mark.long  # both engines; the soak runs it

NOON = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
TABLES = ("events", "orders", "facts", "nodes", "profile_state", "slices")


@pytest.fixture
def warehouse() -> Iterator[ClickHouse]:
    with closing(emptied_clickhouse()) as opened:
        yield opened


@pytest.fixture(scope="module", params=["one", "two"])
def clustered(request: pytest.FixtureRequest) -> Iterator[ClickHouse]:
    """The same by way of a Distributed table for every table."""
    with closing(fresh_clickhouse(cluster=request.param)) as opened:
        yield opened


def before(warehouse: Warehouse) -> None:
    """What stands already: orders, some of which change, facts to be replaced, a tree to be replaced whole."""
    orders = [{"source": "pos", "order_id": f"o{n}", "person": n % 7, "net_amount": Decimal(n)} for n in range(20)]
    facts = [{"person": n, "zone": "UTC"} for n in range(10)]
    warehouse.write([insert("orders", orders), insert("facts", facts), insert("nodes", [{"node": 1}, {"node": 2}])])


def every_kind(number: int = 1) -> list[Statement]:
    """A write with every kind of statement that the house uses: each change is one that twice would be another."""
    incoming = pa.table(
        {
            "event_id": [f"e{n}" for n in range(200)],
            "order_id": [f"o{n % 30}" for n in range(200)],
            "amount": pa.array([Decimal(1)] * 200, pa.decimal128(18, 2)),
            "occurred_at": pa.array([NOON.replace(tzinfo=None)] * 200, pa.timestamp("us")),
        }
    )
    keys = pa.table({"key": pa.array([2, 3], pa.int64())})
    return [
        Statement("CREATE TEMP TABLE fresh AS SELECT * FROM incoming", tables={"incoming": incoming}),
        Statement(
            """CREATE TEMP TABLE changed AS
            SELECT o.source, o.order_id, o.person, o.net_amount + sum(f.amount) AS net_amount
            FROM orders AS o JOIN fresh AS f ON f.order_id = o.order_id
            GROUP BY o.source, o.order_id, o.person, o.net_amount"""
        ),
        Statement(
            """DELETE FROM orders WHERE EXISTS (
            SELECT 1 FROM changed AS c WHERE c.source = orders.source AND c.order_id = orders.order_id)"""
        ),
        Statement("INSERT INTO orders BY NAME SELECT * FROM changed"),
        Statement(
            "UPDATE orders SET store = o.person, currency = 'CNY' FROM changed AS o WHERE o.order_id = orders.order_id"
        ),
        Statement("DROP TABLE changed"),
        Statement(
            "INSERT INTO events BY NAME SELECT event_id, occurred_at, amount, $slice AS slice FROM fresh",
            {"slice": number},
        ),
        Statement("DROP TABLE fresh"),
        Statement("DELETE FROM facts WHERE person IN (SELECT key FROM keys)", tables={"keys": keys}),
        insert("facts", [{"person": 2, "zone": "Asia/Shanghai"}]),
        Statement("DELETE FROM nodes"),
        insert("nodes", [{"node": 3}]),
        Statement("DELETE FROM profile_state WHERE name = $name", {"name": "fence"}),
        Statement("INSERT INTO profile_state VALUES ($name, $value)", {"name": "fence", "value": str(number)}),
        Statement("INSERT INTO slices VALUES ($slice, $at)", {"slice": number, "at": NOON}),
    ]  # fmt: skip


def rows(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    """Everything that can be read, in an order of its own."""
    return {name: sorted(warehouse.query(Statement(f"SELECT * FROM {name}")).to_pylist(), key=repr) for name in TABLES}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What DuckDB holds before and after that write."""
    from tests.warehouse.fixtures import fresh_duckdb

    with closing(fresh_duckdb(tmp_path_factory.mktemp("told"))) as duckdb:
        before(duckdb)
        first = rows(duckdb)
        duckdb.write(every_kind(), unless=unless_applied(1))
        return first, rows(duckdb)


class Died(BaseException):
    """As if the process had been killed."""


def dying(warehouse: ClickHouse, after: int, *, but_does: bool) -> Callable[[], int]:
    """The warehouse's process dies at its n-th word to ClickHouse, which was heard or not; returns how many it said."""
    said, tell = 0, warehouse.tell

    def until_then(text: str) -> None:
        nonlocal said
        said += 1
        if said < after or (said == after and but_does):
            tell(text)
        if said >= after:
            raise Died

    warehouse.tell = until_then  # type: ignore[method-assign]
    return lambda: said


def test_every_kind_of_statement_does_what_it_does_on_duckdb(
    warehouse: ClickHouse, told: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    before(warehouse)
    assert rows(warehouse) == told[0]
    assert warehouse.write(every_kind(), unless=unless_applied(1))
    assert rows(warehouse) == told[1]
    assert not warehouse.write(every_kind(), unless=unless_applied(1))
    warehouse.compact()
    assert rows(warehouse) == told[1]


def test_on_a_cluster_too(clustered: ClickHouse, told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before(clustered)
    assert clustered.write(every_kind(), unless=unless_applied(1))
    assert rows(clustered) == told[1]
    clustered.compact()
    assert rows(clustered) == told[1]


def test_aggregates_of_some_rows_are_merged_over_shards(clustered: ClickHouse) -> None:
    clustered.write([insert("fact_preferences", [{"person": n, "kind": "a", "value": n % 4} for n in range(20)])])
    text = """SELECT f.kind, sum(f.value) FILTER (WHERE f.value > 1) AS much,
        max(f.value) FILTER (WHERE f.value > 9) AS none,
        arg_max(f.person, f.value) FILTER (WHERE f.person < 4) AS who, count(*) FILTER (WHERE f.value = 0) AS few
        FROM fact_preferences AS f JOIN fact_preferences AS other ON other.person = f.person + 0 GROUP BY f.kind"""
    found = clustered.query(Statement(text)).to_pylist()
    assert found == [{"kind": "a", "much": 25, "none": None, "who": 3, "few": 5}]


@pytest.mark.parametrize("but_does", [False, True], ids=["unheard", "heard"])
@pytest.mark.long
def test_a_write_killed_at_any_word_is_wholly_there_or_not_at_all_and_again_makes_it_whole(
    told: tuple[dict[str, Any], dict[str, Any]], but_does: bool
) -> None:
    kept = set()
    for word in range(1, 200):
        with closing(emptied_clickhouse()) as first:
            before(first)
            said = dying(first, word, but_does=but_does)
            with suppress(Died):
                first.write(every_kind(), unless=unless_applied(1))
            found = _after(first, told, word)
            kept.add(found)
            if said() < word:
                break
    assert kept == {True, False}
    assert word > 20, "each statement is a word at least"


def _after(died: ClickHouse, told: tuple[dict[str, Any], dict[str, Any]], word: int) -> bool:
    """What somebody else finds after that death; whether the write had been kept."""
    with closing(beside(died)) as other:
        found = rows(other)
        assert found in told, word
        for table in TABLES:  # merging in the background loses nothing
            other.tell(f"OPTIMIZE TABLE {other.place.named(table)} FINAL")
        assert rows(other) == found, word
        assert other.write(every_kind(), unless=unless_applied(1)) == (found == told[0]), word
        assert rows(other) == told[1], word
        if word % 7 == 0:
            other.compact()
            assert rows(other) == told[1], word
    return bool(found == told[1])


@pytest.mark.parametrize("word", [9, 14])
def test_a_write_killed_in_the_middle_leaves_nothing_and_again_makes_it_whole(
    warehouse: ClickHouse, told: tuple[dict[str, Any], dict[str, Any]], word: int
) -> None:
    before(warehouse)
    dying(warehouse, word, but_does=True)
    with pytest.raises(Died):
        warehouse.write(every_kind(), unless=unless_applied(1))
    assert not _after(warehouse, told, word)


def test_of_two_that_write_at_once_without_waiting_one_is_undone_and_says_so(warehouse: ClickHouse) -> None:
    with closing(beside(warehouse)) as other:
        tell = warehouse.tell

        def meanwhile(text: str) -> None:
            tell(text)
            if "`events`" in text and not counts(other)[1]:
                assert other.write(a_slice(2))

        warehouse.tell = meanwhile  # type: ignore[method-assign]
        with pytest.raises(Unavailable, match="at once"):
            warehouse.write(a_slice(1), unless=unless_applied(1))
        assert counts(other) == counts(warehouse) == (100, 1)
        warehouse.tell = tell  # type: ignore[method-assign]
        assert warehouse.write(a_slice(1), unless=unless_applied(1))
        assert counts(other) == (200, 2)


def test_what_a_dead_writer_says_long_after_is_seen_by_nobody(warehouse: ClickHouse) -> None:
    late: list[str] = []
    tell = warehouse.tell
    warehouse.tell = lambda text: late.append(text) if "`events`" in text or "'kept'" in text else tell(text)  # type: ignore[method-assign]
    warehouse.write(a_slice(1))  # its process is held up before its words go out
    with closing(beside(warehouse)) as other:
        assert other.write(a_slice(2))
        for text in late:
            if "yutang_scratch" not in text:
                tell(text)
        assert counts(other) == (100, 1)
        assert other.write(a_slice(3))
        assert counts(other) == (200, 2)


def test_what_is_deleted_cannot_be_read_on_the_disk_after_compacting(warehouse: ClickHouse) -> None:
    warehouse.write([insert("events", [{"event_id": "secret-word", "person": 1}, {"event_id": "stays", "person": 2}])])
    warehouse.write([Statement("DELETE FROM events WHERE person = 1")])
    everything = f"SELECT count() AS n FROM {warehouse.place.named('events')} WHERE event_id = 'secret-word'"
    assert warehouse._rows(everything)["n"][0].as_py() > 0
    warehouse.compact()
    assert warehouse._rows(everything)["n"][0].as_py() == 0
    assert warehouse.query(Statement("SELECT event_id FROM events"))["event_id"].to_pylist() == ["stays"]


def test_a_question_asked_while_tables_are_rewritten_is_asked_again(warehouse: ClickHouse) -> None:
    warehouse.write([insert("events", [{"event_id": "a", "person": 1}])])
    before_it, select = warehouse._kept(), warehouse._select
    warehouse.write([Statement("UPDATE events SET person = 2")])
    asked: list[int] = []

    def rewritten_meanwhile(*arguments: Any) -> pa.Table:
        asked.append(arguments[2].moment)
        if len(asked) == 1:
            warehouse._kept, late = type(warehouse)._kept.__get__(warehouse), warehouse  # type: ignore[method-assign]
            late.compact()
        return select(*arguments)

    from yutang.warehouse.versions import State

    warehouse._kept = lambda: (before_it[0], State(rewriting=True))  # type: ignore[method-assign]
    warehouse._select = rewritten_meanwhile  # type: ignore[method-assign]
    assert warehouse.query(Statement("SELECT person FROM events"))["person"].to_pylist() == [2]
    assert len(asked) == 2


def test_two_columns_of_one_name_are_two_where_rows_are_set_together(warehouse: ClickHouse) -> None:
    given = pa.table({"a": [1], "b": [2]})
    text = "SELECT a AS x, a AS x FROM given UNION ALL SELECT a, b FROM given ORDER BY x"
    found = warehouse.query(Statement(text, tables={"given": given}))
    assert found.column_names == ["x", "x"]
    assert sorted(zip(*(column.to_pylist() for column in found.columns), strict=True)) == [(1, 1), (1, 2)]


@pytest.mark.parametrize("size", [0, 3, 2_000])
def test_a_given_table_arrives_whole_however_large(warehouse: ClickHouse, size: int) -> None:
    noon = NOON.replace(tzinfo=None)
    given = pa.table(
        {
            "n": pa.array(range(size), pa.int64()),
            "word": pa.array([None if n % 3 else f"茶's \\ {n}" for n in range(size)], pa.string()),
            "day": pa.array([None if n % 2 else NOON.date() for n in range(size)], pa.date32()),
            "at": pa.array([noon + timedelta(microseconds=n) for n in range(size)], pa.timestamp("us")),
            "money": pa.array([Decimal(n) / 100 for n in range(size)], pa.decimal128(18, 2)),
            "yes": pa.array([None if n % 5 == 0 else n % 2 == 0 for n in range(size)], pa.bool_()),
            "none": pa.nulls(size),
            "kind": pa.array(["a"] * size, pa.string()).dictionary_encode(),
        }
    )  # fmt: skip
    here = f"database = '{warehouse.place.database}' AND name LIKE '%scratch%'"
    left = f"SELECT count() AS n FROM system.tables WHERE {here}"
    before_it = warehouse._rows(left)
    found = warehouse.query(Statement("SELECT * FROM given ORDER BY n", tables={"given": given}))
    assert found.to_pylist() == given.to_pylist()
    assert warehouse._rows(left) == before_it


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("INSERT INTO no_such_table VALUES (1)", "no_such_table"),
        ("DROP TABLE events", "temporary"),
        ("CREATE TABLE mine (a BIGINT)", "TEMP"),
        ("INSERT INTO slices VALUES (1, 2, 3)", "3"),
        ("DELETE FROM events WHERE epoch_us(occurred_at) = 1", "epoch_us"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(warehouse: ClickHouse, text: str, says: str) -> None:
    begun = sorted(warehouse._numbers("begun", 0))
    with pytest.raises(BadInput, match=says):
        warehouse.write([*a_slice(1), Statement(text)])
    assert sorted(warehouse._numbers("begun", 0)) == begun, "no write was begun"


def test_migrations_change_what_stands_and_move_data() -> None:
    with closing(fresh_clickhouse()) as warehouse:
        _migrate_on(warehouse)


def _migrate_on(warehouse: ClickHouse) -> None:
    warehouse.write([insert("slices", [{"slice": 7}]), insert("nodes", [{"node": 1}])])
    number = len(shipped()) + 1
    steps = [
        *shipped(),
        Migration(
            number,
            "more",
            """CREATE TABLE shelves (shelf BIGINT, name VARCHAR, price DECIMAL(18,2));
            INSERT INTO shelves SELECT node, 'first', 1.5 FROM nodes;
            ALTER TABLE slices ADD COLUMN size INTEGER;
            UPDATE slices SET size = 3;
            ALTER TABLE nodes DROP COLUMN code;
            DROP TABLE profile_touched""",
        ),
    ]
    with closing(beside(warehouse, steps)) as after:
        assert after.query(Statement("SELECT * FROM slices")).to_pylist() == [
            {"slice": 7, "applied_at": None, "size": 3}
        ]
        shelves = after.query(Statement("SELECT * FROM shelves")).to_pylist()
        assert shelves == [{"shelf": 1, "name": "first", "price": Decimal("1.50")}]
        assert "code" not in after.query(Statement("SELECT * FROM nodes")).column_names
    with closing(beside(warehouse, steps)) as again:
        assert again.query(Statement("SELECT count(*) AS n FROM shelves"))["n"].to_pylist() == [1]


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://u:geheim@host", "clickhouse://u:geheim@/pond", "clickhouse://u:geheim@host/po nd",
        "clickhouse://u:geheim@host:x/pond", "http://u:geheim@host/pond", "clickhouse://u:geheim@host/pond?clutser=a",
        "clickhouse://u:geheim@host/pond?replica=a'b", "chdb://?database=a",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInput, match="YUTANG_WAREHOUSE_URL") as refused:
        address_of(url)
    assert "geheim" not in str(refused.value)


def test_an_address_says_everything() -> None:
    found = address_of(
        "clickhouses://me:p%40ss@ch.example/pond?cluster=blue&replicated=yes&path=/k/{shard}/{table}&replica=r1"
    )
    assert (found.user, found.password, found.host, found.port, found.secure) == (
        "me",
        "p@ss",
        "ch.example",
        8443,
        True,
    )
    assert found.place == Place("pond", "blue", True, False, "/k/{shard}/{table}", "r1")


def test_on_a_replicated_cluster_tables_are_made_everywhere_under_the_configured_names() -> None:
    place = Place("pond", "blue", replicated=True, path="/k/{database}/{table}/{shard}", replica="{replica}")
    columns = pa.schema([("person", pa.int64()), ("zone", pa.string())])
    local, whole = layout.creations(place, "facts", columns)
    assert local.startswith(
        "CREATE TABLE IF NOT EXISTS `pond`.`facts_local` ON CLUSTER `blue` (`person` Nullable(Int64)"
    )
    assert "ReplicatedReplacingMergeTree('/k/pond/facts_local/{shard}', '{replica}', gone)" in local
    assert "ORDER BY (`person`, born)" in local
    assert "Distributed(`blue`, `pond`, `facts_local`, intHash64(coalesce(`person`, 0)))" in whole


def test_clickhouse_can_read_what_is_said_to_a_cluster_with_keeper(warehouse: ClickHouse) -> None:
    place = Place("pond", "blue", replicated=True)
    texts = [f"CREATE DATABASE IF NOT EXISTS `pond`{place.everywhere}", *layout.writes_table(place)]
    for name, columns in shape_of(shipped()).tables.items():
        other = columns.append(pa.field("more", pa.list_(pa.string()))).remove(0)
        texts += [*layout.creations(place, name, columns), *layout.changes(place, name, columns, other)]
        texts += layout.removals(place, name)
    for text in texts:
        assert "ON CLUSTER `blue`" in text
        assert "Query" in str(warehouse._client.command(f"EXPLAIN AST {text}")), text


def test_a_table_that_is_sorted_by_all_of_its_columns_has_no_float() -> None:
    tables = shape_of(shipped()).tables
    floats = {name for name, columns in tables.items() if any(pa.types.is_floating(field.type) for field in columns)}
    assert {"person_values", "profiles"} <= floats, "two rows alike but for a float would be one"
    assert floats <= set(layout.KEYS)
    assert set(layout.KEYS) <= set(tables)


def test_nobody_there_is_said_in_one_sentence() -> None:
    with pytest.raises(Unavailable, match="does not answer") as refused:
        open_clickhouse("clickhouse://u:geheim@127.0.0.1:9/pond")
    assert "geheim" not in str(refused.value)


@pytest.mark.long
def test_by_http_it_is_the_same_and_nobody_else_is_let_in(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    with closing(connected()) as session, served(session, "me:p@ss") as (port, asked):
        with pytest.raises(Unavailable, match="Authentication") as refused:
            open_clickhouse(f"clickhouse://me:geheim@127.0.0.1:{port}/by_http")
        assert "geheim" not in str(refused.value)
        with closing(open_clickhouse(f"clickhouse://me:p%40ss@127.0.0.1:{port}/by_http")) as warehouse:
            before(warehouse)
            assert warehouse.write(every_kind(), unless=unless_applied(1))
            assert rows(warehouse) == told[1]
            warehouse.compact()
            assert rows(warehouse) == told[1]
            warehouse.tell(f"DROP TABLE {warehouse.place.named('nodes')} SYNC")
            with pytest.raises(BadInput, match="nodes"):
                warehouse.query(Statement("SELECT * FROM nodes"))
        assert {one["database"] for one in asked[-5:]} == {"by_http"}
        assert asked[-1]["join_use_nulls"] == "1"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_process_killed_while_writing_leaves_whole_slices(tmp_path: Path, seed: int) -> None:
    code = """
from yutang.warehouse.clickhouse import open_clickhouse
c = open_clickhouse(f"chdb://{sys.argv[1]}/ch?database=pond")
c.write(a_slice(0)); print("writing", flush=True)
for n in range(1, 100000): c.write(a_slice(n))
"""
    with another_process(tmp_path, code):
        time.sleep(random.Random(seed).uniform(0.2, 1.5))
    read = """
from yutang.warehouse.clickhouse import open_clickhouse

c = open_clickhouse(f"chdb://{sys.argv[1]}/ch?database=pond")
events, slices = counts(c)
again = c.write(a_slice(10**6), unless=unless_applied(10**6))
print(events, slices, again, *counts(c), flush=True)
"""
    with another_process(tmp_path, read) as heard:
        events, slices, again, events_after, slices_after = heard.split()
    assert int(events) == int(slices) * 100 > 0
    assert (again, int(events_after), int(slices_after)) == ("True", int(events) + 100, int(slices) + 1)
