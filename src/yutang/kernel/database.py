"""What differs between the two operational stores, SQLite and PostgreSQL: everything that does stands here.

SQLite lets one transaction write at a time; in PostgreSQL (READ COMMITTED) many do, a row that two want makes the
second wait, and what is read without a lock may have changed by the time it is written. So whoever reads in order to
write locks what it read, or takes `alone`.
"""

from __future__ import annotations

import fcntl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django.db import (
    DatabaseError,
    NotSupportedError,
    OperationalError,
    connection,
    models,
    transaction,
)

from yutang.kernel.errors import BadInput, OutOfSpace, Refused, Unavailable, YutangError

M = TypeVar("M", bound=models.Model)
_guard = threading.Lock()
_locks: dict[str, threading.Lock] = {}
FILE = "yutang.sqlite3"
SCHEMES = ("postgres", "postgresql")
OLDEST = 14  # Django 5.2 takes no older server
KEEP = 60  # seconds for which a thread's connection is kept: to open one costs as much as ten short statements
PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
# "synchronous_commit" is said, since a server may be set up without it, and what we answer for must be durable.
# The server must notice within half a minute that a client's machine is gone, whose locks it holds.
ALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
SERVER = {"connect_timeout": "5", "application_name": "yutang", "options": f"-c synchronous_commit=on {ALIVE}"}


def settings_of(address: str, directory: Path) -> dict[str, Any]:
    """Django's settings of the store at `address`: `postgresql://…`, a path, or empty for the file in `directory`.

    Raises BadInput for an address that is neither, Refused where PostgreSQL's driver is not installed.
    """
    if "://" not in address:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(address).expanduser().resolve() if address else directory / FILE,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": PRAGMAS},
        }
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise _no_address() from error
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in SCHEMES or not name or "/" in name:
        raise _no_address()
    if find_spec("psycopg") is None:
        raise Refused(
            "YUTANG_DATABASE 指向 PostgreSQL，但没有安装它的驱动；请运行 pip install 'yutang[postgres]'。",
            "YUTANG_DATABASE names PostgreSQL and its driver is not installed; run pip install 'yutang[postgres]'.",
        )
    options = SERVER | dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or options.pop("user", "")),
        "PASSWORD": unquote(parts.password or options.pop("password", "")),
        "HOST": unquote(parts.hostname or "") or options.pop("host", ""),
        "PORT": port or options.pop("port", ""),
        "CONN_MAX_AGE": KEEP,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def _no_address() -> BadInput:
    """Does not say what stood there: it may hold a password."""
    return BadInput(
        "YUTANG_DATABASE 应为 postgresql://用户@主机/数据库，或 SQLite 文件的路径。",
        "YUTANG_DATABASE must be postgresql://user@host/database, or the path of an SQLite file.",
    )


@lru_cache(maxsize=1)  # to ask the connection costs as much as to insert a row
def is_shared() -> bool:
    """Whether several processes may work on this store at once: on PostgreSQL."""
    return str(connection.vendor) == "postgresql"


def where() -> str:
    """Which store this is, as people name it; never with its password."""
    settings = connection.settings_dict
    if not is_shared():
        return str(settings["NAME"])
    place = str(settings["HOST"] or "localhost")
    return f"PostgreSQL {place}{':' if settings['PORT'] else ''}{settings['PORT']}/{settings['NAME']}"


def is_durable() -> bool:
    """Whether what the store took survives a power cut, as far as it says so itself."""
    if not is_shared():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'")
        return bool(cursor.fetchone()[0])


def reach() -> None:
    """Connect. Raises Unavailable or Refused with what is wrong with the server, or with what we may do there."""
    with said():
        connection.ensure_connection()


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Do this while no other process does the same on this store; wait for it. Outside a transaction.

    (With SQLite, what is guarded so is one process's business, and its migrations are transactions.)
    """
    if not is_shared():
        yield
        return
    _advisory("advisory_lock", name)
    try:
        yield
    finally:
        _advisory("advisory_unlock", name)


@contextmanager
def one_by_one(name: str) -> Iterator[None]:
    """Do this while no other thread and no other process of this installation does the same; wait for it.

    Where one process works on SQLite, a command may yet run beside it: there a file is locked, which the system lets go
    of when its process dies. Not to be taken inside a transaction, whose write lock the other may be waiting for.
    """
    if is_shared():
        with alone(name):
            yield
        return
    with _guard:
        lock_of = _locks.setdefault(name, threading.Lock())
    with lock_of:
        path = Path(str(connection.settings_dict["NAME"]))
        if not path.is_absolute():  # a database in memory, which no other process sees
            yield
            return
        folder = path.parent / "locks"
        folder.mkdir(mode=0o700, exist_ok=True)
        with (folder / f"{zlib.crc32(name.encode()):08x}").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def borrowed() -> Iterator[None]:
    """A connection for a thread that may be none of Django's: one that had none lets go of it at the end."""
    had = connection.connection is not None
    refresh_connection()
    try:
        yield
    finally:
        if not had:
            connection.close()


@contextmanager
def mine(name: str) -> Iterator[bool]:
    """Whether this process may do the thing of that name now, and no other does it until the end of this.

    It is let go by the server as soon as this process or its connection dies. So it spares double work; what must not
    be done twice is guarded by leases with tokens and by states. With SQLite one process does everything.
    """
    if not is_shared():
        yield True
        return
    got = _advisory("try_advisory_lock", name)
    try:
        yield got
    finally:
        if got:
            _advisory("advisory_unlock", name)


def lock(name: str) -> None:
    """Let one transaction at a time pass here, until each ends; to be called inside one, before anything is read.

    In SQLite a transaction begins with the one write lock, so there everybody has it already. Locks are taken in the
    order `execution`, `sync`, `reach`, `reflex`, `organisation`, `documents`, `people`: two who took them crosswise
    would wait for ever.
    """
    if is_shared():
        _advisory("advisory_xact_lock", name)


@contextmanager
def rows_held(rows: models.QuerySet[M], of: tuple[str, ...] = ()) -> Iterator[list[M]]:
    """The rows, which on PostgreSQL nobody else changes until the end of this; those that somebody changes just now
    are left out. (In SQLite, where one process works, nothing is held: a writer would keep everybody waiting.)"""
    if not is_shared():
        yield list(rows)
        return
    with transaction.atomic():
        yield list(rows.select_for_update(skip_locked=True, of=of))


def alone_with(model: type[models.Model]) -> None:
    """Let nobody else write into a table until the caller's transaction ends. (SQLite: nobody does.)"""
    if is_shared():
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {connection.ops.quote_name(model._meta.db_table)} IN SHARE ROW EXCLUSIVE MODE")


def _advisory(act: str, name: str) -> bool:
    """One of PostgreSQL's advisory locks, under the number that stands for a name here."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_{act}(%s)", [zlib.crc32(f"yutang {name}".encode())])
        return cursor.fetchone()[0] is not False


def refresh_connection() -> None:
    """For threads outside Django's requests: let go of a connection that is old or broken. (SQLite's never breaks.)"""
    if is_shared() and not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


@contextmanager
def said() -> Iterator[None]:
    """Turn what the database says into one of our sentences, where there is one."""
    try:
        yield
    except DatabaseError as error:
        found = sentence(error)
        if found is None:
            raise
        raise found from error


def is_full(error: BaseException) -> bool:
    """Whether the store's disk is full."""
    text = str(error)
    return _state(error) == "53100" or "is full" in text or "No space left" in text


def sentence(error: BaseException) -> YutangError | None:
    """What a database's error tells a person, if it is about the store and not about the statement."""
    text, state = str(error).strip(), _state(error)
    if is_full(error):
        return OutOfSpace(
            "磁盘已满，这次写入已全部撤销。请腾出空间后再试。",
            "The disk is full and this write was undone whole. Free some space and try again.",
        )
    if isinstance(error, NotSupportedError) and "or later" in text:
        return Refused(
            f"{where()} 的版本太旧，需要 PostgreSQL {OLDEST} 或更新的版本。",
            f"The server of {where()} is too old; PostgreSQL {OLDEST} or newer is needed.",
        )
    if "locked" in text or state in ("40001", "40P01", "55P03", "53300"):
        return Unavailable("数据库正忙，请稍后再试。", "The database is busy; try again in a moment.")
    if is_shared():
        return _of_server(error, text, state)
    if "unable to open" in text or "readonly" in text or "disk I/O" in text:
        return Refused(
            f"数据目录不能读写（{text}），请检查磁盘、属主和权限。",
            f"The data directory cannot be read or written ({text}); check the disk, its owner and its mode.",
        )
    if "not a database" in text or "malformed" in text:
        return Refused(
            f"数据库文件已损坏，请从备份中恢复 {FILE}。",
            f"The database file is damaged; restore {FILE} from a backup.",
        )
    return None


def _of_server(error: BaseException, text: str, state: str) -> YutangError | None:
    if "authentication failed" in text or "no pg_hba.conf" in text or ("role " in text and "does not exist" in text):
        return Refused(
            f"{where()} 不让我们登录，请检查 YUTANG_DATABASE 里的用户和密码。",
            f"{where()} does not let us in; check the user and the password in YUTANG_DATABASE.",
        )
    if "database " in text and "does not exist" in text:
        return Refused(
            f"没有数据库 {where()}，请先建好：createdb {connection.settings_dict['NAME']}。",
            f"There is no database {where()}; make it first: createdb {connection.settings_dict['NAME']}.",
        )
    if state == "42501":
        return Refused(
            f"YUTANG_DATABASE 里的用户不能在 {where()} 建表或写入，请让它成为该数据库的属主。",
            f"The user in YUTANG_DATABASE may not make tables or write in {where()}; let it own that database.",
        )
    if (isinstance(error, OperationalError) and not state) or state[:2] in ("08", "57"):
        return Unavailable(
            f"{where()} 没有应答，请检查它是否在运行、地址是否正确。",
            f"{where()} does not answer; check that it runs and that its address is right.",
        )
    return None


def _state(error: BaseException) -> str:
    """PostgreSQL's code for what went wrong; empty where there is none."""
    return str(getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None) or "")
