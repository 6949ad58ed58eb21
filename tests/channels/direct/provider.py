"""Scripted providers on loopback: one over HTTP, one over SMTP. Neither shares a line with the adapters."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    raw_query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


Answering = Callable[[Asked], Any]
"""What is answered: an object as JSON, an int as an empty answer of that status, None: the line goes dead."""


@dataclass(slots=True)
class Provider:
    """Answers as told, and keeps what it was asked."""

    answering: Answering = lambda asked: 500
    address: str = ""
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def over_http() -> Iterator[Provider]:
    """A provider at `address`."""
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), parts.query, headers, body)
            made.asked.append(asked)
            answer = made.answering(asked)
            if answer is None:
                self.connection.close()
                return
            status, said = (answer, b"") if isinstance(answer, int) else (200, json.dumps(answer).encode())
            self.send_response(status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Quietly."""

        def handle(self) -> None:
            try:
                super().handle()
            except (OSError, ValueError):
                """The line went dead as it was to."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@dataclass(slots=True)
class Mailbox:
    """A mail server: what it took, and what it says of recipients (`codes`) and of whole messages (`data`)."""

    host: str = ""
    port: int = 0
    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    data: str = "250 OK"
    hangs_up: bool = False
    users: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Whether it takes mail for somebody."""
        code = self.codes.get(address, "250 OK")
        if code.startswith("250"):
            envelope.rcpt_tos.append(address)
        return code

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a message; or go dead once all of it is here, as a server does that is killed."""
        if self.data.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.taken.append((envelope.mail_from or "", list(envelope.rcpt_tos), content))
        if self.hangs_up and server.transport is not None:
            server.transport.abort()
        return self.data

    def __call__(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        """Whether somebody may log in."""
        assert isinstance(data, LoginPassword)
        return AuthResult(success=self.users.get(data.login.decode()) == data.password.decode(), handled=False)


@contextmanager
def over_smtp(*, log_in: bool = False) -> Iterator[Mailbox]:
    """A mail server on loopback, without TLS; with `log_in` it wants that first."""
    box = Mailbox()
    wanted = {"authenticator": box, "auth_require_tls": False, "auth_required": True} if log_in else {}
    with socket.create_server(("127.0.0.1", 0)) as free:  # the controller connects to the port that it was told
        box.host, box.port = "127.0.0.1", free.getsockname()[1]
    controller = Controller(box, hostname=box.host, port=box.port, ready_timeout=60, **wanted)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
