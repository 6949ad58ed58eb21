"""The sandbox's own durable file, and the one way to read and write it.

Business time is stored as whole unix seconds, as the platform shows it; wall time as fractional unix seconds.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from yutang.kernel.errors import NotFound

FILE = "sandbox.sqlite3"
MAIN = 1000002
"""The agent id of the app that every corp has, whose secret its spec names."""
CONTACT_SYNC = 1
"""The number under which the contact-sync secret stands among the apps."""

#: Columns that came after a table was first made: files of before get them when they are opened.
LATER = (
    ("customers", "discount", "REAL DEFAULT 0"),
    ("tokens", "app", f"INT DEFAULT {MAIN}"),
    ("callbacks", "app", f"INT DEFAULT {MAIN}"),
    ("callbacks", "about", "TEXT DEFAULT ''"),
    ("welcomes", "event", "TEXT"),
    ("welcomes", "app", f"INT DEFAULT {MAIN}"),
    ("ways", "more", "TEXT DEFAULT '{}'"),
    ("ways", "app", f"INT DEFAULT {MAIN}"),
)


def schema_files() -> list[tuple[str, str]]:
    """What a corp's file holds: each family of calls has its tables in a file of its own. Names and texts, in order."""
    folder = resources.files("yutang.sandbox") / "schema"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(file.name, file.read_text(encoding="utf-8")) for file in files]


def _schema() -> str:
    return "".join(text for _, text in schema_files())


@dataclass(frozen=True, slots=True)
class Settings:
    """What was seeded about the world as a whole, and its business clock (`now`, unix seconds).

    A group's detail lags by `detail_lag` wall seconds; by a code it is joined while it has less than `scan_most`
    members, by invitation up to `chat_most`.
    `app` is the app that calls now; `contact_members` a JSON list of who may have customers, empty for everybody. A
    welcome is handed out for `welcome_seconds` of the wall clock. The corp has at most `contacts_most` contacts (0: any
    number) and `configs_most` contact ways and join ways.
    """

    corp_id: str
    secret: str
    seed: int
    effect_days: float
    zone: str
    currency: str
    cap: str
    dispatch_seconds: float
    token_seconds: int
    per_minute: int
    per_hour: int
    concurrent: int
    trusted_ips: str
    digest: str
    now: int
    tasks: int
    ways: int = 0
    scans: int = 0
    scans_per_day: float = 0.0
    arrivals_per_day: float = 0.0
    arrival_rate: float = 0.01
    sync_secret: str = ""
    agent_id: int = 1_000_002
    accounts: int = 1_000
    visible_departments: str = ""
    old_app: int = 0
    chats: int = 0
    join_ways: int = 0
    group_welcomes: int = 0
    detail_lag: float = 2.0
    scan_most: int = 200
    chat_most: int = 500
    welcome_seconds: float = 0.3
    contact_members: str = ""
    app: int = MAIN
    moments_per_minute: int = 10
    moments_per_month: int = 4
    contacts_most: int = 0
    configs_most: int = 500_000


class Store:
    """One connection to a corp's file, shared by threads and used by one at a time."""

    def __init__(self, directory: Path, file: str = FILE) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / file
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing that was committed; only a power cut could, which a sandbox may replay.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(f"BEGIN IMMEDIATE; {_schema()} COMMIT;")
        for table, column, kind in LATER:
            known = {row["name"] for row in self._connection.execute(f"PRAGMA table_info({table})")}
            if column not in known:
                self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
        self._connection.execute(
            "INSERT OR IGNORE INTO apps (agentid, name, secret, told) "
            "SELECT ?, '自建应用', value, 1 FROM settings WHERE name = 'secret'",
            (MAIN,),
        )

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept whole or not at all."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent view."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; further use fails."""
        with self._lock:
            self._connection.close()


def find_settings(con: sqlite3.Connection) -> Settings | None:
    """The world's settings, or None before the first seed."""
    values = {row["name"]: row["value"] for row in con.execute("SELECT name, value FROM settings")}
    return Settings(**values) if values else None


def settings_of(con: sqlite3.Connection) -> Settings:
    """The world's settings. Raises NotFound before the first seed."""
    settings = find_settings(con)
    if settings is None:
        raise NotFound("沙盒还是空的，请先 POST /control/seed。", "The sandbox is empty; POST /control/seed first.")
    return settings


def put(con: sqlite3.Connection, **values: str | int | float) -> None:
    """Set settings by name."""
    con.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", list(values.items()))


def count(con: sqlite3.Connection, what: str, span: int) -> int:
    """One more time in this span; returns how many that makes."""
    con.execute(
        "INSERT INTO counted VALUES (?, ?, 1) ON CONFLICT (what, span) DO UPDATE SET times = times + 1", (what, span)
    )
    return counted(con, what, span)


def counted(con: sqlite3.Connection, what: str, span: int) -> int:
    """How often it happened in this span."""
    row = con.execute("SELECT times FROM counted WHERE what = ? AND span = ?", (what, span)).fetchone()
    return int(row["times"]) if row else 0
