"""DuckDB, owned by one process: it holds the file, runs the one writer thread, and serves other processes."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from yutang.kernel.clock import monotonic
from yutang.kernel.errors import Unavailable, YutangError
from yutang.warehouse import schema, wire
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.duck import bilingual, execute, is_true, select

FILE = "warehouse.duckdb"
LOCK = "warehouse.lock"
TEMPORARY = "warehouse.tmp"
PATIENCE = 5.0  # wall seconds for which questions under way are waited for at the end; then they are cut short
INTERRUPT = 0.05  # wall seconds between two attempts to cut one short

Settings = dict[str, str | bool | int | float | list[str]]


def open_warehouse(
    directory: Path,
    *,
    memory_limit: str | None = None,
    threads: int | None = None,
    patience: float = 30.0,
    after_you: float = 0.0,
    migrations: Sequence[schema.Migration] | None = None,
) -> Warehouse:
    """Open the warehouse of a data directory: as its owner if nobody is, else as a client of the owner.

    `memory_limit` as DuckDB writes it ("2GB"; default 80 % of the machine's), `threads` (default: all cores) and
    `migrations` (default: those shipped) bind only an owner. Waits up to `patience` seconds for an owner that holds
    the lock but does not answer yet, then raises Unavailable. For `after_you` seconds somebody else may become the
    owner, who has less to do than this process. Raises Refused if the data are newer than the code.
    """
    opening = Statement("", name="open_warehouse")
    with bilingual(opening):
        directory.mkdir(parents=True, exist_ok=True)
    steps = schema.shipped() if migrations is None else tuple(migrations)
    began = monotonic()
    while True:
        lock = None
        if monotonic() >= began + after_you:
            with bilingual(opening):
                lock = _take_lock(directory / LOCK)
        if lock is not None:
            try:
                return Owner(directory, lock, _settings(directory, memory_limit, threads), steps)
            except BaseException:
                os.close(lock)
                raise
        client = wire.Client(directory)
        try:
            client.greet(len(steps))
        except Unavailable:
            if monotonic() > began + after_you + patience:
                raise
            time.sleep(0.05)  # the owner is starting, or just died
        else:
            return client


def _take_lock(path: Path) -> int | None:
    """The owner's lock as an open descriptor, or None if another holds it. The kernel frees it after kill -9."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _settings(directory: Path, memory_limit: str | None, threads: int | None) -> Settings:
    settings: Settings = {
        "temp_directory": str(directory / TEMPORARY),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,  # else a statement could read any variable of this process
        "checkpoint_threshold": "128MB",  # by DuckDB's own 16 MB every slice of the pump ended in a checkpoint
    }
    if memory_limit:
        settings["memory_limit"] = memory_limit
    if threads:
        settings["threads"] = threads
    return settings


class Owner:
    """The warehouse in the process that holds the file. Satisfies `Warehouse`."""

    def __init__(self, directory: Path, lock: int, settings: Settings, migrations: Sequence[schema.Migration]) -> None:
        self._path = directory / FILE
        self._settings = settings
        self._lock = lock
        self._guard = threading.Condition()
        self._asked: set[duckdb.DuckDBPyConnection] = set()  # cursors at work
        self._changing = False
        self._broken = False
        self._closing = False
        self._closed = False
        with bilingual(Statement("", name="migrations")):
            self._connection: duckdb.DuckDBPyConnection | None = schema.migrate(self._path, self._connect, migrations)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="warehouse-writer")
        try:
            self._server = wire.serve(directory, self, len(migrations))
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(self._path, config=self._settings)
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        return connection

    def query(self, statement: Statement) -> pa.Table:
        with self._cursor() as cursor, bilingual(statement):
            return select(cursor, statement)

    def write(self, statements: Sequence[Statement], *, unless: Statement | None = None) -> bool:
        try:
            job = self._writer.submit(self._write, tuple(statements), unless)
        except RuntimeError:
            raise closed() from None
        return job.result()

    def _write(self, statements: Sequence[Statement], unless: Statement | None) -> bool:
        with self._cursor() as cursor:
            cursor.begin()
            try:
                if unless is not None and _holds(cursor, unless):
                    cursor.rollback()
                    return False
                for statement in statements:
                    with bilingual(statement):
                        execute(cursor, statement)
                with bilingual(Statement("", name="commit")):
                    cursor.commit()
            except BaseException:
                with suppress(duckdb.Error):  # a failed commit has already undone itself
                    cursor.rollback()
                raise
        return True

    def compact(self) -> None:
        try:
            job = self._writer.submit(self._compact)
        except RuntimeError:
            raise closed() from None
        job.result()

    def _compact(self) -> None:
        """On the writer's thread, so that nothing is written between the copy and the change of files. DuckDB frees the
        place of what was deleted and does not overwrite it; and of one path it opens one file only, so every cursor on
        the old one must be closed before the new one is opened."""
        fresh = self._path.with_name(f"{self._path.name}.fresh")
        log = self._path.with_name(f"{self._path.name}.wal")
        fresh.unlink(missing_ok=True)
        with self._cursor() as cursor, bilingual(Statement("", name="compact")):
            (name,) = cursor.execute("SELECT current_database()").fetchall()[0]
            cursor.execute(f"ATTACH '{_quoted(str(fresh))}' AS fresh")
            try:
                cursor.execute(f'COPY FROM DATABASE "{name}" TO fresh')
            finally:
                cursor.execute("DETACH fresh")
        with self._guard:
            self._changing = True
            try:
                self._guard.wait_for(lambda: not self._asked)
                self._disconnect()
                if log.exists():  # it was not taken into the file, and must not be read into the other one
                    fresh.unlink()
                    raise Unavailable(
                        "数据仓库暂时不能重写，请稍后再试。", "The warehouse cannot be rewritten just now."
                    )
                os.replace(fresh, self._path)
            finally:
                self._changing = False
                self._guard.notify_all()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of one's own to the same file: its own snapshot, its own registered tables."""
        with self._guard:
            self._guard.wait_for(lambda: not self._changing and not self._broken)
            if self._closed:
                raise closed()
            if self._connection is None:
                with bilingual(Statement("", name="open")):
                    self._connection = self._connect()
            cursor = self._connection.cursor()
            self._asked.add(cursor)
        try:
            yield cursor
        except YutangError as error:
            if self._closed:
                raise closed() from error  # it was cut short
            if isinstance(error.__cause__, duckdb.FatalException):  # a checkpoint on a full disk: DuckDB answers
                self._broken = True  # nothing until the file is opened anew
            raise
        finally:
            cursor.close()
            with self._guard:
                self._asked.remove(cursor)
                if self._broken and not self._asked:
                    self._disconnect()
                    self._broken = False
                self._guard.notify_all()

    def _disconnect(self) -> None:
        """Close the file, when no cursor is at work: DuckDB closes them all with it, and refuses, or dies, if one is
        in the middle of a statement."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        with self._guard:
            if self._closing:
                return
            self._closing = True
        self._server.stop()
        self._writer.shutdown(wait=True)
        with self._guard:
            self._closed = True
            patient = self._guard.wait_for(lambda: not self._asked, PATIENCE)
            while not patient:
                for cursor in self._asked:
                    cursor.interrupt()
                patient = self._guard.wait_for(lambda: not self._asked, INTERRUPT)  # one may not have begun
            self._disconnect()
        os.close(self._lock)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def closed() -> Unavailable:
    """The sentence for a warehouse that was let go of."""
    return Unavailable("数据仓库已关闭，请重新打开。", "The warehouse has been closed; open it again.")


def _holds(cursor: duckdb.DuckDBPyConnection, marker: Statement) -> bool:
    with bilingual(marker):
        answer = select(cursor, marker)
        for name in marker.tables:
            cursor.unregister(name)
    return is_true(marker, answer)
