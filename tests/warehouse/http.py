"""ClickHouse's HTTP interface over its engine in this process: what the driver says to a server, it says here too.

Not the server's own code: what a request may hold (the statement, its data, settings, a database, who asks) is read as
ClickHouse's manual says, and the engine answers. One request is answered at a time.
"""

from __future__ import annotations

import base64
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

NO_SETTINGS = frozenset(
    {
        *("query", "database", "default_format", "wait_end_of_query", "query_id", "session_id", "compress"),
        "client_protocol_version",
    }
)
NOBODY = 516  # AUTHENTICATION_FAILED
_DATA = re.compile(rb"(INSERT INTO [^\n]*?)\sFORMAT (\w+)\n")
_CODE = re.compile(r"Code: (\d+)")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    session: ClassVar[Connection]
    who: ClassVar[str]
    asked: ClassVar[list[dict[str, str]]]
    one: ClassVar[threading.Lock] = threading.Lock()

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, body: bytes) -> None:
        from chdb._exceptions import ChdbError

        said = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        expected = "Basic " + base64.b64encode(self.who.encode()).decode()
        if self.headers.get("Authorization") != expected:
            self._say(401, f"Code: {NOBODY}. DB::Exception: Authentication failed".encode(), code=str(NOBODY))
            return
        self.asked.append(said)
        try:
            with self.one:
                found = self._done(said, body)
        except ChdbError as error:
            code = _CODE.search(str(error))
            self._say(500, str(error).encode(), code=code[1] if code else "1")
            return
        self._say(200, found)

    def _done(self, said: dict[str, str], body: bytes) -> bytes:
        for name, value in said.items():
            if name not in NO_SETTINGS:
                self.session.query(f"SET {name} = '{value}'")
        if said.get("database"):
            self.session.query(f"USE `{said['database']}`")
        whole = said["query"].encode() + b"\n" + body if said.get("query") else body
        brings = _DATA.match(whole)
        if brings is None:
            found = self.session.query(whole.decode(), said.get("default_format", "TabSeparated"))
            return bytes(found.bytes() or b"")
        with tempfile.NamedTemporaryFile() as file:
            file.write(whole[brings.end() :])
            file.flush()
            self.session.query(f"{brings[1].decode()} SELECT * FROM file('{file.name}', '{brings[2].decode()}')")
        return b""

    def _say(self, status: int, body: bytes, code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def served(session: Connection, who: str) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """The port of loopback at which it answers `user:password`, and what it is asked."""
    asked: list[dict[str, str]] = []
    handler = type("Handler", (_Handler,), {"session": session, "who": who, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()
