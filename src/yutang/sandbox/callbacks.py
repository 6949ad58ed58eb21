"""Callbacks to the corp's own server: signed, encrypted, posted, posted again (WeCom docs 90930, 90968 and 92130).

A body waits in the sandbox's file until it was answered with 200 within 5 s, or was posted four times. Written from the
documents alone: it shares nothing with the receiver.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from yutang.kernel.clock import wall_now
from yutang.kernel.ids import draw, salt
from yutang.kernel.trust import trusted
from yutang.sandbox.apps import told_apps
from yutang.sandbox.faults import Faults
from yutang.sandbox.store import MAIN, Store, find_settings

TIMEOUT = 5.0
POSTS = 4  # once, and three times again
PAUSE = 1.0
LOOK = 0.2
TOGETHER, EACH = 32, 16  # posts under way at once: of all apps, and of one
WHOLE = "callback"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where callbacks go, and by what they are signed (`token`) and encrypted (`key`, 43 characters)."""

    url: str
    token: str = field(repr=False)
    key: str = field(repr=False)


def enqueue(
    con: sqlite3.Connection,
    at: int,
    change: str,
    event: str = "change_external_contact",
    **more: str | int | Sequence[str],
) -> None:
    """Let an event wait for its posting, in the transaction that makes it happen. `at`: its CreateTime. Numbers stand
    bare, a list becomes `Item` elements, and an empty text is left out.

    Every app that is told gets a body of its own, with a welcome code of its own: the first that sends with one wins.
    """
    settings = find_settings(con)
    assert settings is not None
    about = str(more.get("ExternalUserID") or more.get("ChatId") or more.get("Id") or "")
    for app in told_apps(con):
        said: dict[str, str | int | Sequence[str]] = {
            "ToUserName": settings.corp_id,
            "FromUserName": "sys",
            "CreateTime": at,
            "MsgType": "event",
            "Event": event,
            "ChangeType": change,
            **more,
        }
        if app != MAIN and (code := more.get("WelcomeCode")):
            said["WelcomeCode"] = _code_of(con, str(code), app)
        body = "".join(f"<{name}>{_element(value)}</{name}>" for name, value in said.items() if value != "")
        con.execute(
            "INSERT INTO callbacks (body, next_wall, app, about) VALUES (?, 0, ?, ?)",
            (f"<xml>{body}</xml>", app, about),
        )


def _code_of(con: sqlite3.Connection, code: str, app: int) -> str:
    """Another app's code for the welcome that `code` is for."""
    theirs = f"{code}-{app}"
    con.execute(
        "INSERT INTO welcomes (code, userid, external_userid, until_wall, event, app) "
        "SELECT ?, userid, external_userid, until_wall, event, ? FROM welcomes WHERE code = ?",
        (theirs, app, code),
    )
    return theirs


def _element(value: str | int | Sequence[str]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f"<![CDATA[{value.replace(']]>', '')}]]>"
    return "".join(f"<Item>{_element(one)}</Item>" for one in value)


def sign(receiver: Receiver, timestamp: str, nonce: str, encrypted: str) -> str:
    """`msg_signature`."""
    return hashlib.sha1("".join(sorted([receiver.token, timestamp, nonce, encrypted])).encode()).hexdigest()  # noqa: S324


def seal(receiver: Receiver, corp: str, text: str) -> str:
    """The `Encrypt` of a body."""
    key = base64.b64decode(receiver.key + "=")[:32]
    raw = text.encode()
    front = hashlib.sha256(raw + str(wall_now()).encode()).digest()[:16]
    plain = front + struct.pack(">I", len(raw)) + raw + corp.encode()
    pad = 32 - len(plain) % 32
    lock = Cipher(AES(key), CBC(key[:16])).encryptor()
    return base64.b64encode(lock.update(plain + bytes([pad]) * pad) + lock.finalize()).decode()


@dataclass(frozen=True, slots=True)
class _Letter:
    """One body on its way to one app."""

    id: int
    app: int
    about: str
    body: str
    posts: int
    corp: str


class Postman:
    """Posts what waits, several at a time, until it is closed.

    Bodies about the same customer or group go one after another, unless one must be posted again: the others overtake
    it then. An app that answers slowly keeps nobody waiting but itself.
    """

    def __init__(self, store: Store, faults: Faults, receiver: Receiver | None) -> None:
        self._store = store
        self._faults = faults
        self._receivers: dict[int, Receiver] = {} if receiver is None else {MAIN: receiver}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._client: httpx.Client | None = None
        self._thread: threading.Thread | None = None
        self._under_way: dict[int, _Letter] = {}
        self._settled: list[tuple[_Letter, float | None]] = []

    def send_to(self, receiver: Receiver | None, app: int = MAIN) -> None:
        """Post an app's to this receiver from now on (None: let them wait)."""
        with self._lock:
            if receiver is None:
                self._receivers.pop(app, None)
            else:
                self._receivers[app] = receiver
        self.wake()

    def wake(self) -> None:
        """Look at once; the thread is started by the first look."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="postman", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Stop posting; what waits stays in the file."""
        self._stop.set()
        self._wake.set()

    def check_address(self, app: int = MAIN) -> bool:
        """The URL check that the admin console makes: whether the receiver answers with the plain text, in a second."""
        receiver = self._receivers.get(app)
        with self._store.read() as con:
            settings = find_settings(con)
        if receiver is None or settings is None:
            return False
        stamp, nonce, text = str(int(wall_now().timestamp())), "nonce", "1616140317555161061"
        echo = seal(receiver, settings.corp_id, text)
        query = {"msg_signature": sign(receiver, stamp, nonce, echo), "timestamp": stamp, "nonce": nonce}
        answer = self._http().get(receiver.url, params={**query, "echostr": echo})
        return answer.status_code == 200 and answer.text == text

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                limits = httpx.Limits(max_connections=2 * TOGETHER, max_keepalive_connections=2 * TOGETHER)
                self._client = httpx.Client(timeout=TIMEOUT, trust_env=False, verify=trusted(), limits=limits)
            return self._client

    def _run(self) -> None:
        with ThreadPoolExecutor(TOGETHER, thread_name_prefix="postman") as pool:
            while not self._stop.is_set():
                try:
                    self._settle()
                    for letter in self._due():
                        self._start(pool, letter)
                except sqlite3.ProgrammingError:  # the store was closed
                    return
                if self._wake.wait(LOOK):
                    self._wake.clear()

    def _due(self) -> list[_Letter]:
        """The oldest that may go now."""
        with self._lock:
            flying = list(self._under_way.values())
            apps = sorted(self._receivers)
        busy = {(one.app, one.about) for one in flying if one.about}
        places = {app: EACH - sum(one.app == app for one in flying) for app in apps}
        if len(flying) >= TOGETHER or not apps:
            return []
        with self._store.read() as con:
            settings = find_settings(con)
            rows = con.execute(
                f"SELECT id, app, about, body, posts FROM callbacks WHERE done = 0 AND next_wall <= ? "  # noqa: S608
                f"AND app IN ({', '.join(map(str, apps))}) ORDER BY next_wall, id LIMIT ?",  # whole numbers
                (wall_now().timestamp(), 4 * TOGETHER),
            ).fetchall()
        found: list[_Letter] = []
        known = {one.id for one in flying}
        for row in rows if settings is not None else ():
            about = (row["app"], row["about"])
            if row["id"] in known or about in busy or places[row["app"]] <= 0 or len(flying) + len(found) >= TOGETHER:
                continue
            assert settings is not None
            found.append(_Letter(row["id"], row["app"], row["about"], row["body"], row["posts"], settings.corp_id))
            places[row["app"]] -= 1
            if row["about"]:
                busy.add(about)
        return found

    def _start(self, pool: ThreadPoolExecutor, letter: _Letter) -> None:
        fault = self._faults.take(WHOLE)
        kind = fault.kind if fault is not None else ""
        with self._lock:
            self._under_way[letter.id] = letter
        if fault is not None and kind == "latency":  # the next ones overtake it
            self._done(replace(letter, posts=letter.posts - 1), fault.seconds)
        elif kind == "lose":
            self._done(letter, None)
        else:
            pool.submit(self._deliver, letter, 2 if kind == "duplicate" else 1)

    def _deliver(self, letter: _Letter, times: int) -> None:
        receiver = self._receivers.get(letter.app)
        answered = receiver is not None and self._post(receiver, letter)
        for _ in range(times - 1 if receiver is not None else 0):
            assert receiver is not None
            self._post(receiver, letter)
        again = None if answered or letter.posts + 1 >= POSTS else PAUSE
        self._done(letter, again)

    def _done(self, letter: _Letter, again: float | None) -> None:
        """What came of a post: to be posted again in so many seconds, or never."""
        with self._lock:
            self._settled.append((letter, again))
        self._wake.set()

    def _settle(self) -> None:
        """Note what came of the posts, all in one transaction."""
        with self._lock:
            settled, self._settled = self._settled, []
        if not settled:
            return
        now = wall_now().timestamp()
        with self._store.write() as con:
            con.executemany(
                "UPDATE callbacks SET done = ?, posts = ?, next_wall = ? WHERE id = ?",
                [(again is None, one.posts + 1, now + (again or 0.0), one.id) for one, again in settled],
            )
        with self._lock:
            for one, _ in settled:
                self._under_way.pop(one.id, None)

    def _post(self, receiver: Receiver, letter: _Letter) -> bool:
        """Whether anything answered: a status other than 200 is not promised another post."""
        encrypted = seal(receiver, letter.corp, letter.body)
        stamp = str(int(wall_now().timestamp()))
        nonce = f"{int(draw(letter.id, salt('nonce', stamp)) * 10**9)}"
        query = {"msg_signature": sign(receiver, stamp, nonce, encrypted), "timestamp": stamp, "nonce": nonce}
        body = (
            f"<xml><ToUserName><![CDATA[{escape(letter.corp)}]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt>"
            f"<AgentID><![CDATA[{letter.app}]]></AgentID></xml>"
        )
        try:
            self._http().post(receiver.url, params=query, content=body, headers={"Content-Type": "text/xml"})
        except httpx.HTTPError:
            return False
        return True
