"""A WeCom server on loopback that plays documented answers and failures: real HTTP, real sockets, scripted words."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CORP, SECRET = "wwcorp0001", "s3cret-of-the-app"
HINT = "1700000000000000000000001"


@dataclass(frozen=True)
class Request:
    method: str
    api: str
    query: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Http:
    """Bytes as they stand, with a status: what a proxy or a broken server says."""

    status: int
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """The request is read, and the connection closed without a word."""


@dataclass(frozen=True)
class Slow:
    seconds: float
    then: Any


@dataclass(frozen=True)
class Together:
    """Held until so many requests are being answered at once; then a little longer, for one too many to show itself."""

    number: int
    then: Any
    seconds: float = 0.03


@dataclass(frozen=True)
class Never:
    """No answer comes for as long as anybody waits for it."""


Answer = dict[str, Any] | Http | Broken | Slow | Together | Never | Callable[[Request], Any]


def ok(**data: Any) -> dict[str, Any]:
    return {"errcode": 0, "errmsg": "ok", **data}


def error(code: int, text: str = "some text", **data: Any) -> dict[str, Any]:
    more = f"hint: [{HINT}], from ip: 203.0.113.9, more info at https://open.work.weixin.qq.com/devtool/query?e={code}"
    return {"errcode": code, "errmsg": f"{text}, {more}", **data}


def _said(raw: bytes) -> Any:
    """A body's JSON; the bytes themselves of a file."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, closed: threading.Semaphore, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._closed = closed

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._closed.release()


class Platform:
    """Gives tokens and checks them; answers each API with what was put up for it, in turn, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.life = 7200
        self.token_pause = 0.0
        self.tokens_given = 0
        self.most_parallel = 0
        self.close_after_answer = False
        self._parallel = 0
        self._lock = threading.Condition()
        self._scripts: dict[str, list[Answer]] = {}
        self._token = "token-0"
        self._closed = threading.Semaphore(0)
        self._server = _Server(self._closed, self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def plays(self, api: str, *answers: Answer) -> None:
        self._scripts[api] = list(answers)

    def await_closing(self) -> None:
        """Return once one more connection has been closed from this side."""
        assert self._closed.acquire(timeout=60)

    def end_token(self) -> None:
        """The platform ends the current token early; the next `gettoken` gives another."""
        self._token = f"token-{int(self._token.split('-')[1]) + 1}"

    def calls(self, api: str) -> list[Request]:
        return [request for request in self.requests if request.api == api]

    def counts(self) -> Counter[str]:
        return Counter(request.api for request in self.requests)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: Request) -> Any:
        scripted = self._scripts.get(request.api)
        if request.api == "gettoken" and scripted is None:
            return self._gettoken(request)
        if request.api not in ("gettoken", "webhook/send"):
            if "access_token" not in request.query:
                return error(41001, "access_token missing")
            if request.query["access_token"] != self._token:
                return error(40014, "invalid access_token")
        if scripted is None:
            return error(-1, f"no answer was put up for {request.api}")
        with self._lock:
            answer = scripted.pop(0) if len(scripted) > 1 else scripted[0]
        return answer(request) if callable(answer) else answer

    def _await_parallel(self, number: int) -> None:
        with self._lock:
            assert self._lock.wait_for(lambda: self.most_parallel >= number, 60)

    def _gettoken(self, request: Request) -> Any:
        time.sleep(self.token_pause)
        if request.query.get("corpid") != CORP:
            return error(40013, "invalid corpid")
        if request.query.get("corpsecret") != SECRET:
            return error(40001, "invalid credential")
        self.tokens_given += 1
        return ok(access_token=self._token, expires_in=self.life)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(
                    self.command,
                    parts.path.removeprefix("/cgi-bin/"),
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    _said(raw),
                )
                with platform._lock:
                    platform.requests.append(request)
                    platform._parallel += 1
                    platform.most_parallel = max(platform.most_parallel, platform._parallel)
                    platform._lock.notify_all()
                try:
                    answer = platform._answer(request)
                    if isinstance(answer, Together):
                        platform._await_parallel(answer.number)
                    if isinstance(answer, Slow | Together):
                        time.sleep(answer.seconds)
                        answer = answer.then
                finally:
                    with platform._lock:
                        platform._parallel -= 1
                try:
                    self._write(answer)
                except ConnectionError:  # the client gave up waiting, as it was meant to
                    self.close_connection = True

            def _write(self, answer: Any) -> None:
                if isinstance(answer, Never):
                    self.connection.settimeout(60)
                    self.rfile.read(1)  # until the client hangs up
                    self.close_connection = True
                    return
                if isinstance(answer, Broken):
                    self.close_connection = True
                    return
                if isinstance(answer, dict):
                    answer = Http(200, json.dumps(answer, ensure_ascii=False).encode())
                closes = self.close_connection or platform.close_after_answer  # who has the answer may change it
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)
                self.close_connection = closes

            do_GET = do_POST = _serve  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler
