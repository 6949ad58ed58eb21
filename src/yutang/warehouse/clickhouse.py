"""ClickHouse: the same statements, answers and promises as DuckDB's owner gives, on a server, a cluster, or in process.

A write is all or nothing, as `versions.py` tells. One is made at a time: by this process's writer thread, and of all
processes by whoever holds `alone`. Should two come to write at once nevertheless, whoever finds that another was kept
meanwhile is undone, and says so.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pyarrow as pa
from sqlglot import exp

from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, Refused, Unavailable
from yutang.warehouse import dialects, layout, schema
from yutang.warehouse.contracts import Statement, bindable
from yutang.warehouse.duck import cannot_run, is_true, out_of_space
from yutang.warehouse.engine import closed
from yutang.warehouse.layout import SCRATCH, WRITES, Place
from yutang.warehouse.shape import Rehearsal, Shape, shape_of
from yutang.warehouse.versions import STATEMENTS, State, View, end_of, joined, resolve, uncorrelated, unfiltered

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SCHEMES = ("clickhouse", "clickhouses", "chdb")
INLINE = 400
"""Values up to which a given table is said in the statement; a larger one is sent before it."""
LEFT_OVER = 3_600.0  # seconds after which nobody asks any more for whom a table was sent

_ANSWER = "ArrowStream"
_ALWAYS: dict[str, str | int] = {"insert_allow_materialized_columns": 1, "async_insert": 0}
_CLUSTERED: dict[str, str | int] = {
    "distributed_product_mode": "global",
    "prefer_global_in_and_join": 1,  # tables of a moment stand on the machine that is asked
    "distributed_foreground_insert": 1,
    "optimize_rewrite_aggregate_function_with_if": 0,  # it would undo `unfiltered`
}
# A machine that is asked must know all that was kept, whichever of its copies was told.
_REPLICATED: dict[str, str | int] = {
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
}
_NO_SPACE, _MEMORY = {243}, {241}
_OURS = {20, 36, 41, 42, 43, 44, 46, 47, 53, 60, 62, 63, 69, 70, 179, 184, 207, 215, 352, 386}  # what a text does wrong


@dataclass(frozen=True, slots=True)
class Address:
    """Where ClickHouse is, as `YUTANG_WAREHOUSE_URL` says it."""

    place: Place
    secure: bool = False
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    path: str = ""
    """In process (chdb): the directory."""
    config: str = ""
    """In process: a file of settings, such as one that names a cluster."""


def address_of(url: str) -> Address:
    """`clickhouse://user:password@host:port/database?cluster=…&replicated=yes&path=…&replica=…`; `clickhouses://` with
    TLS; `chdb:///directory?database=…&config=…` for the engine in this process.

    Raises BadInput, which does not say what stood there: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError as error:
        raise _no_address() from error
    asked = dict(parse_qsl(parts.query))
    inside = parts.scheme == "chdb"
    database = asked.pop("database", "yutang") if inside else unquote(parts.path.removeprefix("/"))
    config = asked.pop("config", "") if inside else ""
    known = {"cluster", "replicated", "path", "replica"}
    if parts.scheme not in SCHEMES or not database.isidentifier() or set(asked) - known:
        raise _no_address()
    if (inside and not parts.path) or (not inside and not parts.hostname):
        raise _no_address()
    names = {name: asked[name] for name in ("path", "replica") if name in asked}
    if any("'" in name or "\\" in name for name in (*names.values(), asked.get("cluster", ""))):
        raise _no_address()
    replicated = asked.get("replicated", "no") in ("yes", "1", "true")
    place = Place(database, asked.get("cluster", ""), replicated, inside, **names)
    if inside:
        return Address(place, path=unquote(parts.path), config=config)
    secure = parts.scheme == "clickhouses"
    user, password = unquote(parts.username or "default"), unquote(parts.password or "")
    return Address(place, secure, parts.hostname or "", port or (8443 if secure else 8123), user, password)


def _no_address() -> BadInput:
    return BadInput(
        "YUTANG_WAREHOUSE_URL 应为 clickhouse://用户:密码@主机:8123/数据库，可加 ?cluster=集群；"
        "留空则用数据目录里的 DuckDB。",
        "YUTANG_WAREHOUSE_URL must be clickhouse://user:password@host:8123/database, perhaps with ?cluster=name; "
        "leave it empty for DuckDB in the data directory.",
    )


Alone = Callable[[], AbstractContextManager[None]]

_here = threading.Lock()


@contextmanager
def alone_here() -> Iterator[None]:
    """While no other thread of this process writes: enough where one process does."""
    with _here:
        yield


def open_clickhouse(
    url: str, *, alone: Alone = alone_here, migrations: Sequence[schema.Migration] | None = None
) -> ClickHouse:
    """Connect, and bring the tables to the last of `migrations` (default: those shipped).

    `alone` is held while a write is made: no other process may write meanwhile. Raises BadInput for a wrong address,
    Refused where the driver is not installed or the data are newer than the code, Unavailable where nobody answers.
    """
    address = address_of(url)
    if find_spec("clickhouse_connect") is None:
        raise Refused(
            "YUTANG_WAREHOUSE_URL 指向 ClickHouse，但没有安装它的驱动；请运行 pip install 'yutang[clickhouse]'。",
            "YUTANG_WAREHOUSE_URL names ClickHouse and its driver is not installed; "
            "run pip install 'yutang[clickhouse]'.",
        )
    steps = schema.shipped() if migrations is None else tuple(migrations)
    return ClickHouse(address, alone, steps)


@dataclass(slots=True)
class _Write:
    """A write under way."""

    number: int
    view: View
    overtaken: frozenset[int]  # writes that had begun and not been kept: it undoes them
    floors: dict[str, int]
    scratch: dict[str, str] = field(default_factory=dict)  # a table of its own, and what stands for it

    def at(self, index: int) -> None:
        """Go to its next statement."""
        state = replace_state(self.view.state, floors=dict(self.floors))
        self.view = View(self.number * STATEMENTS + index, state)


def replace_state(state: State, **changes: Any) -> State:
    """The state with some of its words changed."""
    return msgspec.structs.replace(state, **changes)


class ClickHouse:
    """The warehouse on ClickHouse. Satisfies `Warehouse`."""

    def __init__(self, address: Address, alone: Alone, migrations: Sequence[schema.Migration]) -> None:
        self.place = address.place
        self._alone = alone
        self._closed = False
        self._closing = threading.Lock()
        self._shape = shape_of(tuple(migrations))
        self._client = _connect(address)
        try:
            with _said(Statement("", name="migrations")):
                self._migrate(migrations)
        except BaseException:
            self._client.close()
            raise
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="warehouse-writer")

    # -- asking

    def query(self, statement: Statement) -> pa.Table:
        self._check_open()
        return self._ask(statement)

    def _ask(self, statement: Statement) -> pa.Table:
        wanted = self._shape.answer(statement)
        with _said(statement):
            while True:
                number, state = self._kept()
                found = self._select(statement, wanted, View(end_of(number), state), {})
                # What is rewritten just now may take away what is gone since, and was not when this began.
                if not state.rewriting or self._kept()[1].rewritten == state.rewritten:
                    return found

    def _select(self, statement: Statement, wanted: pa.Schema, view: View, scratch: Mapping[str, str]) -> pa.Table:
        tree, own = dialects.clickhouse_tree(statement)
        tree = _distinct(dialects.spoken(tree, bindable(statement), own=own), wanted.names)
        with self._given(statement.tables) as given:
            text, read = self._placed(tree, {**scratch, **given})
            return _as_duckdb_would(self._rows(f"{text}{_settings(self._filters(view, read))}"), wanted)

    def _placed(self, tree: exp.Expr, instead: Mapping[str, str]) -> tuple[str, set[str]]:
        tree = unfiltered(uncorrelated(tree)) if self.place.cluster else tree
        tree, read = resolve(tree, self.tables, instead)
        if isinstance(tree, exp.SetOperation):  # SETTINGS at its end would be those of its last part
            return f"SELECT * FROM ({tree.sql(dialect='clickhouse')})", read
        return tree.sql(dialect="clickhouse"), read

    def _filters(self, view: View, read: set[str]) -> dict[str, str]:
        """The setting by which the tables show what is seen, on whatever machine they are read."""
        if not read:
            return {}
        said = ", ".join(
            f"'{self.place.database}.{self.place.local(table)}': '{view.condition(table)}'" for table in sorted(read)
        )
        return {"additional_table_filters": f"{{{said}}}"}

    def _rows(self, text: str) -> pa.Table:
        return pa.ipc.open_stream(io.BytesIO(self._client.raw_query(text, fmt=_ANSWER))).read_all()

    @property
    def tables(self) -> Sequence[str]:
        """The names of the stored tables."""
        return list(self._shape.tables)

    def tell(self, text: str) -> None:
        """Say something to ClickHouse that has no answer: by this it is told of every change."""
        self._client.command(text)

    @contextmanager
    def _given(self, tables: Mapping[str, pa.Table]) -> Iterator[dict[str, str]]:
        """What stands for given tables: their values, or a table that lasts as long as the question."""
        sent: list[str] = []
        try:
            instead = {}
            for name, table in tables.items():
                if table.num_rows * table.num_columns <= INLINE:
                    instead[name] = _inline(table)
                else:
                    sent.append(self._send(table))
                    instead[name] = self.place.named(sent[-1])
            yield instead
        finally:
            for name in sent:
                self.tell(f"DROP TABLE IF EXISTS {self.place.named(name)} SYNC")

    def _send(self, table: pa.Table) -> str:
        name = self._scratch_table(table.schema)
        ready, sink = layout.sendable(table), pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, ready.schema) as stream:
            stream.write_table(ready)
        self._client.raw_insert(
            self.place.named(name),
            column_names=ready.column_names,
            insert_block=sink.getvalue().to_pybytes(),
            fmt=_ANSWER,
        )
        return name

    def _scratch_table(self, columns: pa.Schema) -> str:
        """An empty table for a moment; its name says when it was made, so that what a dead process left is found."""
        name = f"{SCRATCH}_{int(wall_now().timestamp())}_{token_hex(8)}"
        said = ", ".join(f"`{field.name}` {layout.type_of(field.type)}" for field in columns)
        self.tell(f"CREATE TABLE {self.place.named(name)} ({said}) ENGINE = Memory")
        return name

    # -- writing

    def write(self, statements: Sequence[Statement], *, unless: Statement | None = None) -> bool:
        return bool(self._submit(lambda: self._write(tuple(statements), unless)))

    def _submit(self, work: Callable[[], bool]) -> bool:
        self._check_open()
        try:
            job = self._writer.submit(work)
        except RuntimeError:
            raise closed() from None
        return job.result()

    def _write(self, statements: Sequence[Statement], unless: Statement | None) -> bool:
        with self._alone():
            if unless is not None and is_true(unless, self._ask(unless)):
                return False
            if len(statements) >= STATEMENTS - 1:
                raise BadInput(
                    f"一次写入最多 {STATEMENTS - 2} 条语句，请分开。",
                    f"One write has at most {STATEMENTS - 2} statements; split it.",
                )
            self._carry_out(statements, self._shape)
        return True

    def _carry_out(self, statements: Sequence[Statement], shape: Shape) -> None:
        with shape.rehearsal() as rehearsal:
            prepared = [(statement, _prepare(rehearsal, statement)) for statement in statements]
        with _said(Statement("", name="begin")):
            write = self._begin()
        try:
            for index, (statement, change) in enumerate(prepared, 1):
                write.at(index)
                with _said(statement):
                    self._apply(write, statement, change)
            write.at(len(prepared) + 1)
            with _said(Statement("", name="commit")):
                self._keep(write)
        finally:
            with suppress(Exception):  # what stays is swept when somebody opens the warehouse
                for name in write.scratch.values():
                    self.tell(f"DROP TABLE IF EXISTS {name} SYNC")

    def _begin(self) -> _Write:
        """Take a number. What writes before it have begun and not kept is undone by it."""
        kept, state = self._kept()
        begun = self._numbers("begun", kept)
        number = max([kept, *begun]) + 1
        self._note("begun", number, "")
        if self._numbers("begun", number - 1).count(number) > 1:
            raise _at_once()
        state = replace_state(state, undone=joined([*state.undone, *((one, one + 1) for one in begun)]))
        return _Write(number, View(number * STATEMENTS, state), frozenset(begun), dict(state.floors))

    def _keep(self, write: _Write, **changes: Any) -> None:
        """The moment of truth."""
        meanwhile = self._numbers("kept", min(write.overtaken, default=write.number) - 1)
        if any(number > write.number or number in write.overtaken for number in meanwhile):
            raise _at_once()
        state = replace_state(write.view.state, floors=write.floors, **changes)
        self._note("kept", write.number, msgspec.json.encode(state).decode())

    def _note(self, said: str, number: int, state: str) -> None:
        row = ", ".join(dialects.literal(value).sql("clickhouse") for value in (said, number, state))
        at = dialects.literal(wall_now().replace(tzinfo=None)).sql("clickhouse")
        token = {"insert_deduplication_token": f"'{said}-{number}-{token_hex(4)}'"}  # the driver may send it twice
        table = self.place.named(WRITES)
        self.tell(f"INSERT INTO {table} (said, number, state, at){_settings(token)} SELECT {row}, {at}")

    def _kept(self) -> tuple[int, State]:
        """The last write kept, and what it says."""
        found = self._rows(
            f"SELECT number, state FROM {self.place.named(WRITES)} WHERE said = 'kept' ORDER BY number DESC LIMIT 1"
        )
        if not found.num_rows:
            return 0, State()
        return found["number"][0].as_py(), msgspec.json.decode(found["state"][0].as_py(), type=State)

    def _numbers(self, said: str, after: int) -> list[int]:
        found = self._rows(f"SELECT number FROM {self.place.named(WRITES)} WHERE said = '{said}' AND number > {after}")
        return list(found["number"].to_pylist())

    def _sweep(self) -> None:
        """Drop tables that were made for a moment by processes that died in it."""
        found = self._rows(
            f"SELECT name FROM system.tables WHERE database = '{self.place.database}' AND startsWith(name, '{SCRATCH}')"
        )
        for name in found["name"].to_pylist():
            if int(name.removeprefix(SCRATCH).split("_")[1]) < wall_now().timestamp() - LEFT_OVER:
                self.tell(f"DROP TABLE IF EXISTS {self.place.named(name)} SYNC")

    def _apply(self, write: _Write, statement: Statement, change: _Change) -> None:
        with self._given(statement.tables) as given:
            instead = {**write.scratch, **given}
            match change.verb:
                case "create":
                    name = self.place.named(self._scratch_table(change.columns))
                    self._insert(write, name, change, instead, {})
                    write.scratch[change.table] = name
                case "drop":
                    self.tell(f"DROP TABLE IF EXISTS {write.scratch.pop(change.table)} SYNC")
                case "insert":
                    self._insert(write, self.place.named(change.table), change, instead, {"born": write.view.moment})
                case "empty":
                    self._let_go_of_old(change.table, write)
                    write.floors[change.table] = write.view.moment
                case "delete":
                    self._insert(write, self.place.named(change.table), change, instead, {"gone": write.view.moment})
                case "update":
                    fresh = {"born": write.view.moment}
                    self._insert(write, self.place.named(change.table), change, instead, fresh)
                    if self._any(change.table, "born", write.view.moment):
                        assert change.before is not None
                        self._insert(
                            write, self.place.named(change.table), change.before, instead, {"gone": write.view.moment}
                        )

    def _insert(
        self, write: _Write, target: str, change: _Change, instead: Mapping[str, str], marks: Mapping[str, int]
    ) -> None:
        tree = dialects.spoken(change.tree.copy(), dict(change.values), own=change.own)
        text, read = self._placed(tree, instead)
        names = ", ".join(f"`{name}`" for name in (*change.columns.names, *change.kept, *marks))
        numbers = "".join(f", {number}" for number in marks.values())
        token = {"insert_deduplication_token": f"'{write.view.moment}-{'-'.join(marks)}-{token_hex(4)}'"}
        settings = _settings(token | self._filters(write.view, read))
        self.tell(f"INSERT INTO {target} ({names}){settings} SELECT *{numbers} FROM ({text})")

    def _any(self, table: str, mark: str, moment: int) -> bool:
        found = self._rows(f"SELECT count() AS n FROM {self.place.named(table)} WHERE {mark} = {moment}")
        return bool(found["n"][0].as_py())

    def _let_go_of_old(self, table: str, write: _Write) -> None:
        """What an emptying before this one left goes now: whoever still saw it has long had an answer."""
        before = write.view.state.floors.get(table, 0)
        if 0 < before < write.number * STATEMENTS:
            self.tell(
                f"ALTER TABLE {self.place.named(self.place.local(table))}{self.place.everywhere} "
                f"DELETE WHERE born < {before}"
            )

    # -- keeping house

    def compact(self) -> None:
        """Rewrite the tables without what is gone, so that nothing deleted can be read there a minute later."""
        self._submit(self._compact)

    def _compact(self) -> bool:
        with self._alone(), _said(Statement("", name="compact")):
            self._end(self._begin(), rewriting=True)
            write = self._begin()
            state = write.view.state
            for table in self.tables:
                where = _dead(table, View(write.number * STATEMENTS, state))
                local = f"{self.place.named(self.place.local(table))}{self.place.everywhere}"
                self.tell(f"OPTIMIZE TABLE {local} FINAL")
                self.tell(f"ALTER TABLE {local} DELETE WHERE {where} SETTINGS mutations_sync = 2")
            self._end(write, rewriting=False, rewritten=state.rewritten + 1)
            local = f"{self.place.named(self.place.local(WRITES))}{self.place.everywhere}"
            self.tell(f"ALTER TABLE {local} DELETE WHERE number < {write.number - 10_000} SETTINGS mutations_sync = 2")
        return True

    def _end(self, write: _Write, **changes: Any) -> None:
        write.at(1)
        self._keep(write, **changes)

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._writer.shutdown(wait=True)
        self._client.close()

    def _check_open(self) -> None:
        if self._closed:
            raise closed()

    # -- migrations

    def _migrate(self, migrations: Sequence[schema.Migration]) -> None:
        """Bring the tables from the version that stands to the last. Each step's statements may be said again, and it
        is done once its row stands in `schema_version`."""
        with self._alone():
            have, want = self._version(), len(migrations)
            if have > want:
                raise schema.newer(have, want)
            if have < want:
                self.tell(f"CREATE DATABASE IF NOT EXISTS `{self.place.database}`{self.place.everywhere}")
                self._client.database = self.place.database
                for text in layout.writes_table(self.place):
                    self.tell(text)
                self._create("schema_version", self._shape.tables["schema_version"])
                for step in migrations[have:]:
                    self._take(step, migrations)
            self._sweep()

    def _version(self) -> int:
        known = self._rows(
            "SELECT count() AS n FROM system.tables "
            f"WHERE database = '{self.place.database}' AND name IN ('{WRITES}', 'schema_version')"
        )
        if known["n"][0].as_py() < 2:
            return 0
        self._client.database = self.place.database
        asked = Statement("SELECT coalesce(max(version), 0) AS v FROM schema_version", name="schema_version")
        return int(self._ask(asked)["v"][0].as_py())

    def _create(self, table: str, columns: pa.Schema) -> None:
        for text in layout.creations(self.place, table, columns):
            self.tell(text)

    def _take(self, step: schema.Migration, migrations: Sequence[schema.Migration]) -> None:
        before, after = self._shape.steps[step.number - 1], self._shape.steps[step.number]
        for table, columns in after.items():
            if table not in before:
                self._create(table, columns)
            elif before[table] != columns:
                for text in layout.changes(self.place, table, before[table], columns):
                    self.tell(text)
        moved = [Statement(one.sql("duckdb"), name=step.name) for one in schema.moves(step)]
        stands = Statement(
            "INSERT INTO schema_version VALUES ($version, $name, $at)",
            {"version": step.number, "name": step.name, "at": wall_now()},
        )
        shape = shape_of(tuple(migrations[: step.number])) if moved else self._shape
        self._carry_out([*moved, stands], shape)
        for table in set(before) - set(after):
            for text in layout.removals(self.place, table):
                self.tell(text)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a statement of a write does, as rows to be put somewhere."""

    verb: str  # create, drop, insert, empty, delete, update
    table: str
    columns: pa.Schema
    tree: exp.Expr
    values: Mapping[str, object]
    own: bool = False
    kept: tuple[str, ...] = ()  # versions that rows keep
    before: _Change | None = None


def _prepare(rehearsal: Rehearsal, statement: Statement) -> _Change:
    """What the statement does. Raises BadInput, before anything is written, if it cannot be done."""
    tree, own = dialects.clickhouse_tree(statement)
    change = _change(rehearsal, statement, tree, own)
    rehearsal.run(statement)
    if change.verb == "create":
        rehearsal.made.add(change.table)
        return replace(change, columns=rehearsal.columns(change.table))
    return change


def _change(rehearsal: Rehearsal, statement: Statement, tree: exp.Expr, own: bool) -> _Change:
    values, nothing = bindable(statement), pa.schema([])
    match tree:
        case exp.Create(expression=exp.Query()) if any(tree.find_all(exp.TemporaryProperty)):
            return _Change("create", tree.this.name, nothing, tree.expression, values, own)
        case exp.Drop():
            (table,) = tree.args["tables"]
            if table.name not in rehearsal.made:
                raise cannot_run(statement, f"{table.name} is no temporary table of this write")
            return _Change("drop", table.name, nothing, exp.null(), values, own)
        case exp.Insert(expression=exp.Query() | exp.Values()):
            return _inserted(rehearsal, statement, tree, values, own)
        case exp.Delete(this=exp.Table()):
            columns, where = rehearsal.columns(tree.this.name), tree.args.get("where")
            if where is None:
                return _Change("empty", tree.this.name, columns, exp.null(), values, own)
            rows = _old(tree.this, columns).where(where.this.copy())
            return _Change("delete", tree.this.name, columns, rows, values, own, ("born",))
        case exp.Update(this=exp.Table()):
            return _updated(rehearsal.columns(tree.this.name), tree, values, own)
    rehearsal.run(statement)  # what is no statement at all is said in DuckDB's words
    raise cannot_run(statement, "INSERT, DELETE, UPDATE, CREATE TEMP TABLE … AS, DROP TABLE")


def _inserted(
    rehearsal: Rehearsal, statement: Statement, tree: exp.Insert, values: Mapping[str, object], own: bool
) -> _Change:
    target, rows = tree.this, tree.expression
    table = target.this.name if isinstance(target, exp.Schema) else target.name
    rehearsal.run(statement)
    columns = rehearsal.columns(table)
    if isinstance(rows, exp.Values):
        rows = _as_select(rows)
    if isinstance(target, exp.Schema):
        columns = pa.schema([columns.field(one.name) for one in target.expressions])
        rows = _renamed(rows.copy(), columns.names)
    elif tree.args.get("by_name"):
        asked = {name: value for name, value in statement.params.items() if name in _parameters(rows)}
        text = rows.sql(dialect="duckdb")
        names = rehearsal.answer(Statement(text, asked, statement.tables, statement.name)).names
        columns = pa.schema([columns.field(name) for name in names])
    else:
        rows = _renamed(rows.copy(), columns.names)
    return _Change("insert", table, columns, rows, values, own)


def _renamed(rows: exp.Expr, names: Sequence[str]) -> exp.Expr:
    """The rows with the target's names: of two columns of one name ClickHouse would take the first twice."""
    first = rows
    while isinstance(first, exp.SetOperation):
        first = first.this
    if isinstance(first, exp.Select) and not first.is_star:
        said = [
            exp.alias_(one.unalias(), name, quoted=True) for one, name in zip(first.expressions, names, strict=True)
        ]
        first.set("expressions", said)
    return rows


def _distinct(tree: exp.Expr, names: Sequence[str]) -> exp.Expr:
    """What is set together, each column under a name of its own: see `_renamed`."""
    if not isinstance(tree, exp.SetOperation) or len(set(names)) == len(names):
        return tree
    own = [name if name not in names[:place] else f"{name} {place}" for place, name in enumerate(names)]
    return _renamed(tree.copy(), own)


def _parameters(tree: exp.Expr) -> set[str]:
    return {str(node.name or node.this) for node in tree.find_all(exp.Placeholder, exp.Parameter)}


def _as_select(rows: exp.Values) -> exp.Expr:
    first, *others = (exp.Select(expressions=[cell.copy() for cell in row.expressions]) for row in rows.expressions)
    whole: exp.Expr = first
    for other in others:
        whole = exp.Union(this=whole, expression=other, distinct=False)
    return whole


def _old(table: exp.Table, columns: pa.Schema) -> exp.Select:
    """The rows of a table with the moment at which they were written."""
    found = exp.Select().from_(table.copy())
    return found.select(*(exp.column(name, table.alias_or_name, quoted=True) for name in (*columns.names, "born")))


def _updated(columns: pa.Schema, tree: exp.Update, values: Mapping[str, object], own: bool) -> _Change:
    table = tree.this
    fresh = {one.this.name: one.expression for one in tree.expressions}
    old, new = _old(table, columns), exp.Select().from_(table.copy())
    for name in columns.names:
        said = fresh[name].copy() if name in fresh else exp.column(name, table.alias_or_name, quoted=True)
        new = new.select(exp.alias_(said, name, quoted=True))
    beside, where = tree.args.get("from_"), tree.args.get("where")
    if beside is not None:
        others = [beside.this, *(join.this for join in beside.this.args.get("joins") or ())]
        for other in others:
            old, new = old.join(other.copy(), join_type="cross"), new.join(other.copy(), join_type="cross")
    if where is not None:
        old, new = old.where(where.this.copy()), new.where(where.this.copy())
    before = _Change("delete", table.name, columns, old, values, own, ("born",))
    return _Change("update", table.name, columns, new, values, own, before=before)


def _dead(table: str, view: View) -> str:
    """What is true of rows that nobody sees, nor will."""
    return f"NOT ({view.condition(table)})"


def _at_once() -> Unavailable:
    return Unavailable(
        "另一个进程同时写入了数据仓库，这次写入已撤销，请重试。",
        "Another process wrote to the warehouse at once and this write was undone; try again.",
    )


def _settings(said: Mapping[str, str]) -> str:
    """The clause by which a statement says its own settings."""
    return f" SETTINGS {', '.join(f'{name} = {value}' for name, value in said.items())}" if said else ""


def _inline(table: pa.Table) -> str:
    said = ", ".join(f"`{field.name}` {layout.type_of(field.type)}" for field in table.schema)
    structure = dialects.literal(said).sql("clickhouse")
    if not table.num_rows:
        return f"(SELECT * FROM null({structure}))"
    rows = (
        f"({', '.join(dialects.literal(_plain(value)).sql('clickhouse') for value in row.values())})"
        for row in table.to_pylist()
    )
    return f"(SELECT * FROM values({structure}, {', '.join(rows)}))"


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _as_duckdb_would(found: pa.Table, wanted: pa.Schema) -> pa.Table:
    """The same rows under the names and in the types that DuckDB gives them."""
    columns = []
    for column, wish in zip(found.columns, wanted, strict=True):
        if pa.types.is_null(wish.type):
            columns.append(pa.nulls(len(column)))
            continue
        if pa.types.is_boolean(wish.type) and not pa.types.is_boolean(column.type):
            column = column.cast(pa.bool_())
        if pa.types.is_decimal(wish.type) and pa.types.is_integer(column.type):
            column = column.cast(pa.decimal128(38, 0))
        columns.append(column.cast(wish.type, safe=False))
    return pa.table(columns, schema=wanted)


def _connect(address: Address) -> Client:
    import clickhouse_connect
    from clickhouse_connect import common

    common.set_setting("autogenerate_session_id", False)  # a session answers one question at a time
    settings = dialects.CLICKHOUSE_SETTINGS | _ALWAYS
    settings |= _CLUSTERED if address.place.cluster else {}
    settings |= _REPLICATED if address.place.replicated else {}
    with _said(Statement("", name="open_warehouse")):
        if address.path:
            options = {"config-file": address.config} if address.config else None
            return clickhouse_connect.get_client(
                interface="chdb", path=address.path, settings=settings, chdb_options=options
            )
        return clickhouse_connect.get_client(
            settings=settings,
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.password,
            secure=address.secure,
            send_receive_timeout=3_600,
            compress="lz4",
        )


@contextmanager
def _said(statement: Statement) -> Iterator[None]:
    """Turn what the driver says into ours."""
    from clickhouse_connect.driver.exceptions import ClickHouseError

    try:
        yield
    except ClickHouseError as error:
        raise _sentence(statement, error, getattr(error, "code", None), " ".join(str(error).split())[:600]) from error
    except OSError as error:
        raise _sentence(statement, error, None, str(error)) from error


def _sentence(statement: Statement, error: Exception, code: int | None, said: str) -> Exception:
    if code in _NO_SPACE or "No space left" in said:
        return out_of_space()
    if code in _MEMORY:
        return Unavailable(
            f"「{statement.title()}」需要的内存超过 ClickHouse 的限额，请调高 max_memory_usage 或缩小范围：{said}",
            f"“{statement.title()}” needs more memory than ClickHouse grants; raise max_memory_usage "
            f"or ask for less: {said}",
        )
    if code in _OURS:
        return cannot_run(statement, said)
    return Unavailable(
        f"ClickHouse 没有应答或出错，请稍后再试：{said}",
        f"ClickHouse does not answer, or failed; try again in a moment: {said}",
    )
