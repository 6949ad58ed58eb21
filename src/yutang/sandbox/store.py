"""The sandbox's own durable file, and the one way to read and write it.

Business time is stored as whole unix seconds, as the platform shows it; wall time as fractional unix seconds.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yutang.kernel.errors import NotFound

FILE = "sandbox.sqlite3"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, expires_wall REAL, revoked INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
    userid TEXT PRIMARY KEY COLLATE NOCASE, name TEXT, habit TEXT, offgate_per_day REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS customers (
    external_userid TEXT PRIMARY KEY, name TEXT, member_no TEXT, daily_rate REAL, basket_mu REAL, basket_sigma REAL,
    store_code TEXT, category_weights TEXT, lift REAL, discount REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relations (
    userid TEXT COLLATE NOCASE, external_userid TEXT, added_at INT, last_talk_at INT,
    customer_deleted_at INT, member_deleted_at INT, PRIMARY KEY (userid, external_userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relations_of_customer ON relations (external_userid);
-- Relations that calls see now: a customer who deleted the member stays visible (WeCom doc 90313).
CREATE VIEW IF NOT EXISTS visible AS SELECT * FROM relations
    WHERE added_at <= (SELECT value FROM settings WHERE name = 'now')
    AND (member_deleted_at IS NULL OR member_deleted_at > (SELECT value FROM settings WHERE name = 'now'));
-- Friendships through which a message arrives now.
CREATE VIEW IF NOT EXISTS friends AS SELECT * FROM visible
    WHERE customer_deleted_at IS NULL OR customer_deleted_at > (SELECT value FROM settings WHERE name = 'now');
CREATE TABLE IF NOT EXISTS tasks (
    msgid TEXT PRIMARY KEY, chat_type TEXT, create_time INT, create_type INT, creator TEXT COLLATE NOCASE,
    content TEXT, ready_wall REAL, cancelled_at INT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tasks_by_time ON tasks (create_time, msgid);
-- One row: what one member is asked to confirm of one task, and when that member will tap (NULL: never).
CREATE TABLE IF NOT EXISTS member_tasks (
    msgid TEXT, userid TEXT COLLATE NOCASE, habit TEXT, tap_at INT, tapped_at INT,
    PRIMARY KEY (msgid, userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_tasks_due ON member_tasks (tap_at) WHERE tapped_at IS NULL AND tap_at IS NOT NULL;
-- status: 0 unsent, 1 sent, 2 not a friend, 3 cap reached (WeCom doc 93338).
CREATE TABLE IF NOT EXISTS recipients (
    msgid TEXT, userid TEXT COLLATE NOCASE, external_userid TEXT, status INT, send_time INT,
    PRIMARY KEY (msgid, userid, external_userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS received ON recipients (external_userid, send_time) WHERE status = 1;
CREATE TABLE IF NOT EXISTS reminders (msgid TEXT, at INT);
CREATE INDEX IF NOT EXISTS reminders_of_task ON reminders (msgid, at);
-- Customers who came by themselves, by scanning a member's code; those not yet posted are part of the outbox.
CREATE TABLE IF NOT EXISTS arrivals (
    external_userid TEXT PRIMARY KEY, userid TEXT, at INT, consents INT, posted INT DEFAULT 0) WITHOUT ROWID;
-- Purchases are kept for ever; those not yet posted are the outbox. kind: 0 baseline, 1 extra (a message's effect).
CREATE TABLE IF NOT EXISTS purchases (
    id TEXT PRIMARY KEY, external_userid TEXT, day INT, k INT, kind INT, occurred_at INT, cents INT,
    posted INT DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox ON purchases (occurred_at, id) WHERE posted = 0;
-- Contact ways; `state` comes back with everyone who scans one.
CREATE TABLE IF NOT EXISTS ways (
    config_id TEXT PRIMARY KEY, type INT, scene INT, remark TEXT, skip_verify INT, state TEXT, users TEXT,
    created_at INT, deleted_at INT) WITHOUT ROWID;
-- By which door a friendship came.
CREATE TABLE IF NOT EXISTS doors (
    userid TEXT COLLATE NOCASE, external_userid TEXT, state TEXT, PRIMARY KEY (userid, external_userid)) WITHOUT ROWID;
-- One welcome may be sent for each scan, by its code, until a wall second.
CREATE TABLE IF NOT EXISTS welcomes (
    code TEXT PRIMARY KEY, userid TEXT, external_userid TEXT, until_wall REAL, sent_wall REAL, content TEXT)
    WITHOUT ROWID;
-- What the corp's server is to be told of; kept after it was.
CREATE TABLE IF NOT EXISTS callbacks (
    id INTEGER PRIMARY KEY, body TEXT, posts INT DEFAULT 0, next_wall REAL, done INT DEFAULT 0);
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (next_wall, id) WHERE done = 0;
CREATE INDEX IF NOT EXISTS purchases_of_customer ON purchases (external_userid, occurred_at);
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was seeded about the world as a whole, and its business clock (`now`, unix seconds)."""

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


class Store:
    """One connection to the sandbox's file, shared by threads and used by one at a time."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / FILE
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing that was committed; only a power cut could, which a sandbox may replay.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        columns = {row["name"] for row in self._connection.execute("PRAGMA table_info(customers)")}
        if "discount" not in columns:  # a file from before people got any
            self._connection.execute("ALTER TABLE customers ADD COLUMN discount REAL DEFAULT 0")

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
