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
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from yutang.kernel.clock import wall_now
from yutang.kernel.ids import draw, salt
from yutang.sandbox.faults import Faults
from yutang.sandbox.store import Store, find_settings

TIMEOUT = 5.0
POSTS = 4  # once, and three times again
PAUSE = 1.0
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
    bare, a list becomes `Item` elements, and an empty text is left out."""
    settings = find_settings(con)
    assert settings is not None
    said: dict[str, str | int | Sequence[str]] = {
        "ToUserName": settings.corp_id,
        "FromUserName": "sys",
        "CreateTime": at,
        "MsgType": "event",
        "Event": event,
        "ChangeType": change,
        **{name: text for name, text in more.items() if text != ""},
    }
    body = "".join(f"<{name}>{_element(value)}</{name}>" for name, value in said.items())
    con.execute("INSERT INTO callbacks (body, next_wall) VALUES (?, 0)", (f"<xml>{body}</xml>",))


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


class Postman:
    """Posts what waits, in a thread of its own, until it is closed."""

    def __init__(self, store: Store, faults: Faults, receiver: Receiver | None) -> None:
        self._store = store
        self._faults = faults
        self._receiver = receiver
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._client: httpx.Client | None = None
        self._thread: threading.Thread | None = None

    def send_to(self, receiver: Receiver | None) -> None:
        """Post to this receiver from now on (None: let everything wait)."""
        self._receiver = receiver
        self.wake()

    @property
    def receiver(self) -> Receiver | None:
        """Where callbacks go now."""
        return self._receiver

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

    def check_address(self) -> bool:
        """The URL check that the admin console makes: whether the receiver answers with the plain text."""
        receiver = self._receiver
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
        if self._client is None:
            self._client = httpx.Client(timeout=TIMEOUT, trust_env=False)
        return self._client

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                while not self._stop.is_set() and self._post_one():
                    pass
            except sqlite3.ProgrammingError:  # the store was closed
                return
            self._wake.wait(0.2)
            self._wake.clear()

    def _post_one(self) -> bool:
        """Post the oldest that is due. False when nothing is."""
        receiver = self._receiver
        if receiver is None:
            return False
        with self._store.read() as con:
            settings = find_settings(con)
            row = con.execute(
                "SELECT id, body, posts FROM callbacks WHERE done = 0 AND next_wall <= ? "
                "ORDER BY next_wall, id LIMIT 1",
                (wall_now().timestamp(),),
            ).fetchone()
        if row is None or settings is None:
            return False
        fault = self._faults.take(WHOLE)
        kind = fault.kind if fault is not None else ""
        if kind == "latency" and fault is not None:  # the next ones overtake it
            self._put_off(row["id"], row["posts"], fault.seconds)
            return True
        answered = kind == "lose" or self._post(receiver, settings.corp_id, row["id"], row["body"])
        if kind == "duplicate":
            self._post(receiver, settings.corp_id, row["id"], row["body"])
        if answered or row["posts"] + 1 >= POSTS:
            with self._store.write() as con:
                con.execute("UPDATE callbacks SET done = 1, posts = posts + 1 WHERE id = ?", (row["id"],))
        else:
            self._put_off(row["id"], row["posts"] + 1, PAUSE)
        return True

    def _put_off(self, number: int, posts: int, seconds: float) -> None:
        until = wall_now().timestamp() + seconds
        with self._store.write() as con:
            con.execute("UPDATE callbacks SET posts = ?, next_wall = ? WHERE id = ?", (posts, until, number))

    def _post(self, receiver: Receiver, corp: str, number: int, text: str) -> bool:
        """Whether anything answered: a status other than 200 is not promised another post."""
        encrypted = seal(receiver, corp, text)
        stamp = str(int(wall_now().timestamp()))
        nonce = f"{int(draw(number, salt('nonce', stamp)) * 10**9)}"
        query = {"msg_signature": sign(receiver, stamp, nonce, encrypted), "timestamp": stamp, "nonce": nonce}
        body = (
            f"<xml><ToUserName><![CDATA[{escape(corp)}]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt>"
            "<AgentID><![CDATA[1000002]]></AgentID></xml>"
        )
        try:
            self._http().post(receiver.url, params=query, content=body, headers={"Content-Type": "text/xml"})
        except httpx.HTTPError:
            return False
        return True
