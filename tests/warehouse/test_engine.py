"""One owner, one writer, readers beside it; and the same promises on ClickHouse's engine."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.warehouse.clickhouse import beside, emptied_clickhouse
from tests.warehouse.fixtures import fresh_duckdb, insert, rows
from tests.warehouse.processes import another_process
from tests.warehouse.slices import COUNTS, a_slice, counts, unless_applied
from yutang.kernel.errors import BadInput, OutOfSpace, Refused, Unavailable
from yutang.warehouse import engine
from yutang.warehouse.clickhouse import alone_here
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.engine import FILE, Owner, open_warehouse
from yutang.warehouse.wire import Client

NOON = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    opened = fresh_duckdb(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=["owner", "client", "clickhouse"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """A warehouse by itself, one through the socket, and one on ClickHouse's engine."""
    yield from _one(request.param, tmp_path)


@pytest.fixture(scope="module", params=["owner", "client", "clickhouse"])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """As `either`, shared by tests that write nothing."""
    yield from _one(request.param, tmp_path_factory.mktemp("reader"))


def _one(kind: str, folder: Path) -> Iterator[Warehouse]:
    with closing(emptied_clickhouse() if kind == "clickhouse" else fresh_duckdb(folder)) as opened:
        yield fresh_duckdb(folder) if kind == "client" else opened


@pytest.fixture(params=["duckdb", "clickhouse"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Warehouse, Warehouse]]:
    """One warehouse as two see it: DuckDB's owner and a client, or two connections to ClickHouse."""
    if request.param == "duckdb":
        with closing(fresh_duckdb(tmp_path)) as owner:
            yield owner, fresh_duckdb(tmp_path)
        return
    with closing(emptied_clickhouse()) as first, closing(beside(first, alone=alone_here)) as second:
        yield first, second


def test_what_is_written_is_read_back_exactly(either: Warehouse) -> None:
    record = {"event_id": "e1", "person": 2**62, "occurred_at": NOON.replace(tzinfo=None), "amount": Decimal("-0.05")}
    assert either.write([insert("events", [record])])
    found = either.query(Statement("SELECT event_id, person, occurred_at, amount, store FROM events"))
    assert found.to_pylist() == [{**record, "store": None}]
    assert found.schema.field("occurred_at").type == pa.timestamp("us")


@pytest.mark.parametrize(
    ("value", "comes_back"),
    [
        (NOON, NOON.replace(tzinfo=None)),
        (NOON.astimezone(timezone(timedelta(hours=8))), NOON.replace(tzinfo=None)),
        (NOON.date(), NOON.date()),
        (Decimal("12345678901234.56"), Decimal("12345678901234.56")),
        (True, True),
        (-(2**62), -(2**62)),
        (None, None),
        (0.1, 0.1),
        (float("inf"), float("inf")),
        ("茶 ' $x ;", "茶 ' $x ;"),
        ([1, 2], [1, 2]),
        (["a", "b"], ["a", "b"]),
        ([NOON], [NOON.replace(tzinfo=None)]),
    ],
)
def test_a_parameter_arrives_unchanged_and_times_as_naive_utc(
    reader: Warehouse, value: object, comes_back: object
) -> None:
    assert reader.query(Statement("SELECT $value AS v", {"value": value})).to_pylist() == [{"v": comes_back}]


def test_a_time_without_a_zone_is_refused(reader: Warehouse) -> None:
    with pytest.raises(BadInput, match=r"\$at.*zone"):
        reader.query(Statement("SELECT $at", {"at": NOON.replace(tzinfo=None)}))


def test_wrong_parameters_are_named(reader: Warehouse) -> None:
    with pytest.raises(BadInput, match=r"room/q.*missing \$a, \$b, unknown \$c"):
        reader.query(Statement("SELECT $a + $b", {"c": 1}, name="room/q"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT nothing FROM nowhere", "nowhere"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("DELETE FROM events", "use `write`"),
    ],
)
def test_a_bad_query_is_told_in_one_sentence(reader: Warehouse, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        reader.query(Statement(text))


def test_a_write_that_fails_half_way_leaves_nothing(either: Warehouse) -> None:
    with pytest.raises(BadInput, match="no_such_table"):
        either.write([*a_slice(1), Statement("INSERT INTO no_such_table VALUES (1)")])
    with pytest.raises(BadInput, match="COMMIT"):
        either.write([*a_slice(1), Statement("COMMIT")])
    assert counts(either) == (0, 0)
    assert either.write(a_slice(1))


def test_unless_must_be_one_boolean(either: Warehouse) -> None:
    with pytest.raises(BadInput, match="exactly one boolean"):
        either.write(a_slice(1), unless=Statement("SELECT 1"))
    assert counts(either) == (0, 0)


def test_eight_that_write_the_same_slice_at_once_write_it_once(pair: tuple[Warehouse, Warehouse]) -> None:
    warehouse, _other = pair
    start = threading.Barrier(8)

    def apply(worker: int) -> bool:
        start.wait()
        return pair[worker % 2].write(a_slice(1), unless=unless_applied(1))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(apply, range(8))) == [False] * 7 + [True]
    assert counts(warehouse) == (100, 1)


def test_one_text_is_asked_by_many_at_once_each_with_parameters_and_tables_of_their_own(warehouse: Warehouse) -> None:
    def asked(number: int) -> bool:
        given = pa.table({"n": pa.array(range(number), pa.int64())})
        params = {"more": number, "least": 2}
        told = Statement("SELECT count(*) + $more FROM given WHERE n >= $least", params, tables={"given": given})
        return warehouse.query(told).column(0).to_pylist() == [2 * number - 2]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(asked, range(2, 130)))


def test_readers_beside_the_writer_see_whole_slices_only(pair: tuple[Warehouse, Warehouse]) -> None:
    warehouse, client = pair
    writes = 60 if isinstance(warehouse, Owner) else 6
    done = threading.Event()

    def read(through: Warehouse) -> int:
        seen, last = 0, False
        while not last:
            last = done.is_set()
            events, slices = counts(through)
            assert events == slices * 100
            assert slices >= seen, "a later read saw less"
            seen = slices
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read, through) for through in (warehouse, client, warehouse)]
        for number in range(writes):
            warehouse.write(a_slice(number))
        done.set()
        assert [reader.result() for reader in readers] == [writes] * 3
    assert counts(warehouse) == (writes * 100, writes)


def test_given_tables_are_seen_by_their_own_statement_only(either: Warehouse) -> None:
    warehouse = either
    mine = {"events": rows("events", {"event_id": "mine"})}
    assert warehouse.query(Statement("SELECT event_id FROM events", tables=mine)).num_rows == 1
    assert warehouse.query(Statement("SELECT event_id FROM events")).num_rows == 0
    hidden = pa.table({"x": [1]})
    with pytest.raises(BadInput, match="hidden"):  # a variable of this process is no table
        warehouse.query(Statement("SELECT * FROM hidden"))
    assert hidden.num_rows == 1


@pytest.mark.parametrize("seed", range(2))
def test_an_owner_killed_while_writing_leaves_whole_slices(tmp_path: Path, seed: int) -> None:
    code = """
w.write(a_slice(0)); print("writing", flush=True)
for n in range(1, 100000): w.write(a_slice(n, 100))
"""
    with another_process(tmp_path / "warehouse", code):
        time.sleep(random.Random(seed).uniform(0.05, 0.4))
    warehouse = fresh_duckdb(tmp_path)
    events, slices = counts(warehouse)
    assert slices >= 1
    assert events == slices * 100
    assert warehouse.write(a_slice(10**6))
    warehouse.close()


def test_a_second_process_uses_the_owners_socket(warehouse: Warehouse, tmp_path: Path) -> None:
    code = """
twice = [w.write(a_slice(1), unless=unless_applied(1)) for _ in range(2)]
print(type(w).__name__, twice, counts(w), flush=True)
"""
    warehouse.write(a_slice(7))
    with another_process(tmp_path / "warehouse", code) as heard:
        assert heard.strip() == "Client [True, False] (200, 2)"
    assert counts(warehouse) == (200, 2)


def test_when_the_owner_dies_the_client_is_told_and_opening_again_works(tmp_path: Path) -> None:
    code = "w.write(a_slice(1)); print('ready', flush=True); input()"
    with another_process(tmp_path / "warehouse", code):
        client = fresh_duckdb(tmp_path)
        assert isinstance(client, Client)
        assert counts(client) == (100, 1)
    with pytest.raises(Unavailable, match="open the warehouse again"):
        client.query(COUNTS)
    again = fresh_duckdb(tmp_path)  # a stale socket lies there
    assert isinstance(again, Owner)
    assert counts(again) == (100, 1)
    assert counts(client) == (100, 1), "the client finds the new owner"
    again.close()


def test_a_closed_warehouse_says_so(either: Warehouse) -> None:
    warehouse = either
    warehouse.close()
    warehouse.close()
    for attempt in (lambda: warehouse.query(COUNTS), lambda: warehouse.write(a_slice(1))):
        with pytest.raises(Unavailable, match="closed"):
            attempt()


def test_closing_waits_for_what_is_asked_and_cuts_short_what_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PATIENCE", 0.2)
    warehouse = fresh_duckdb(tmp_path)
    warehouse.write(a_slice(1))
    endless = Statement("SELECT sum(sqrt(a.r * b.r)) AS n FROM range(1000000) a(r), range(1000000) b(r)")
    begun = threading.Barrier(6)
    answered: list[int] = []

    def ask_on(statement: Statement) -> None:
        begun.wait()
        while True:
            warehouse.query(statement)
            answered.append(1)

    def ask(statement: Statement) -> None:
        with pytest.raises(Unavailable, match="closed"):
            ask_on(statement)

    with ThreadPoolExecutor(5) as threads:
        quick = [threads.submit(ask, COUNTS) for _ in range(3)]
        slow = [threads.submit(ask, endless) for _ in range(2)]
        begun.wait()
        while not answered:
            time.sleep(0.01)
        warehouse.close()
        for asked in quick + slow:
            asked.result(timeout=20)
    reopened = fresh_duckdb(tmp_path)
    assert counts(reopened) == (100, 1)
    reopened.close()


def test_no_extension_is_fetched_and_settings_hold(tmp_path: Path) -> None:
    warehouse = open_warehouse(tmp_path, memory_limit="512MiB", threads=1)
    names = ("TimeZone", "memory_limit", "threads", "autoinstall_known_extensions", "autoload_known_extensions")
    columns = ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    found = warehouse.query(Statement(f"SELECT {columns}, current_setting('temp_directory') AS temp")).to_pylist()[0]
    assert tuple(found.values()) == ("UTC", "512.0 MiB", 1, False, False, str(tmp_path / "warehouse.tmp"))
    with pytest.raises(BadInput, match="https"):
        warehouse.query(Statement("SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')"))
    warehouse.close()


def test_a_query_beyond_the_memory_limit_says_what_to_do(tmp_path: Path) -> None:
    warehouse = open_warehouse(tmp_path, memory_limit="20MB", threads=1)
    with pytest.raises(Unavailable, match="memory_limit"):
        warehouse.query(Statement("SELECT list(md5(CAST(r AS VARCHAR)) ORDER BY r DESC) AS l FROM range(3000000) t(r)"))
    assert counts(warehouse) == (0, 0)
    warehouse.close()


def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(Refused, match=str(tmp_path)):
        open_warehouse(tmp_path)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Eight megabytes of tmpfs."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a tiny disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tiny disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def write_until_full(warehouse: Warehouse, statements: list[Statement]) -> int:
    """How many writes were kept before the disk was full."""
    kept = itertools.count()
    with pytest.raises(OutOfSpace, match="undone"):
        _write_again_and_again(warehouse, statements, kept)
    return next(kept)


def _write_again_and_again(warehouse: Warehouse, statements: list[Statement], kept: Iterator[int]) -> None:
    for _ in range(500):
        warehouse.write(statements)
        next(kept)


def test_a_full_disk_is_told_and_nothing_is_half_written(tiny_disk: Path) -> None:
    warehouse = open_warehouse(tiny_disk)
    big = Statement("INSERT INTO events (event_id) SELECT md5(CAST(r AS VARCHAR)) FROM range($n) t(r)", {"n": 50_000})
    marker = Statement("INSERT INTO slices (slice) VALUES (1)")
    kept = 0
    kept = write_until_full(warehouse, [big, marker])
    assert kept > 0, "the disk was full before anything was written"
    assert counts(warehouse) == (kept * 50_000, kept)
    with pytest.raises(OutOfSpace):
        warehouse.write([Statement(big.sql, {"n": 400_000}), marker])
    assert counts(warehouse) == (kept * 50_000, kept)
    warehouse.close()
    assert (tiny_disk / FILE).exists()
    again = open_warehouse(tiny_disk)
    assert counts(again) == (kept * 50_000, kept)
    again.close()


def test_after_space_is_freed_writing_goes_on(tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    warehouse = open_warehouse(tiny_disk)
    ballast.write_bytes(b"x" * 5_500_000)
    kept = write_until_full(warehouse, a_slice(1, 20_000))
    assert counts(warehouse) == (kept * 20_000, kept)
    ballast.unlink()
    assert warehouse.write(a_slice(10**6, 20_000))
    assert counts(warehouse) == ((kept + 1) * 20_000, kept + 1)
    warehouse.close()
