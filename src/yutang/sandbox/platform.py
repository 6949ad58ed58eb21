"""The platform's calls below `/cgi-bin/`, answered as the real one does.

HTTP 200 always. Order of checks: token (41001, 40014, 42001) → IP (60020) → frequency (45009) → parameters; `gettoken`
alone is exempt from the first two. Codes are mirrored in the headers Error-Code and Error-Msg.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from yutang.kernel.clock import wall_now
from yutang.sandbox import customers, tasks, tokens, ways
from yutang.sandbox.faults import MINUTE, Fault, Faults, Limits
from yutang.sandbox.store import Store, find_settings
from yutang.sandbox.wire import Arguments, Call, PlatformError, envelope

MOST_BODY = 8 << 20

CALLS: dict[str, Call] = {**tokens.CALLS, **customers.CALLS, **tasks.CALLS, **ways.CALLS}
"""Every call by its name below `/cgi-bin/`; each family says its own."""


class Platform:
    """Answers the calls over one store."""

    def __init__(self, store: Store, faults: Faults, limits: Limits) -> None:
        self._store = store
        self._faults = faults
        self._limits = limits

    async def endpoint(self, request: Request) -> Response:
        """One HTTP request."""
        api = request.path_params["api"]
        call = CALLS.get(api)
        if call is None:
            return PlainTextResponse("404 page not found", status_code=404)
        body = await request.body()
        fault = self._faults.take(api)
        caller = request.client.host if request.client else "127.0.0.1"
        answer = await self._answer(api, call, _Asked(request.method, dict(request.query_params), body, caller), fault)
        _locate(answer, request)
        if fault is not None and fault.kind == "drop_answer":
            return Dropped()
        return _response(answer)

    async def _answer(self, api: str, call: Call, asked: _Asked, fault: Fault | None) -> dict[str, object]:
        try:
            with self._limits.under_way(api, await run_in_threadpool(self._places)):
                if fault is not None and fault.kind == "latency":
                    await asyncio.sleep(fault.seconds)
                data = await run_in_threadpool(self._act, api, call, asked, fault)
                answer = envelope(None, data, asked.caller)
        except PlatformError as error:
            answer = envelope(error, call.empty, asked.caller)
        self._limits.note(api, int(str(answer["errcode"])))
        return answer

    def _places(self) -> int:
        with self._store.read() as con:
            settings = find_settings(con)
        return settings.concurrent if settings is not None else 1

    def _act(self, api: str, call: Call, asked: _Asked, fault: Fault | None) -> dict[str, object]:
        wall = wall_now().timestamp()
        opened: AbstractContextManager[sqlite3.Connection] = self._store.write() if call.writes else self._store.read()
        with opened as con:
            settings = find_settings(con)
            if api != "gettoken":
                tokens.check_token(con, asked.query.get("access_token", ""), wall)
            if settings is None:  # before the first seed there is no corp, and no token can be had
                raise PlatformError(40013)
            if api != "gettoken" and settings.trusted_ips and asked.caller not in settings.trusted_ips.split():
                raise PlatformError(60020)
            if fault is not None and fault.kind == "refuse":
                if fault.errcode == 45009:
                    self._limits.block(api, wall + (fault.seconds or MINUTE))
                raise PlatformError(fault.errcode)
            self._limits.count(api, settings, wall)
            return call.act(con, settings, asked.arguments(call), wall)


@dataclass(frozen=True, slots=True)
class _Asked:
    method: str
    query: dict[str, str]
    body: bytes
    caller: str

    def arguments(self, call: Call) -> Arguments:
        """The call's arguments; a broken body, or GET for a POST call, is 40058."""
        if call.method == "GET":
            return Arguments(self.query)
        try:
            values = json.loads(self.body) if self.method == "POST" and len(self.body) <= MOST_BODY else None
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise PlatformError(40058)
        return Arguments(values)


def _locate(answer: dict[str, object], request: Request) -> None:
    """Say where pictures stand: by their path alone where the sandbox is mounted in a house, whose port may change."""
    mounted = request.scope.get("root_path", "")
    base = mounted or f"{request.url.scheme}://{request.url.netloc}"
    for part in (answer, answer.get("contact_way")):
        if isinstance(part, dict) and part.get("qr_code"):
            part["qr_code"] = f"{base}{part['qr_code']}"


class Dropped(Response):
    """An answer that never arrives whole: the headers go out, then the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]})


def _response(answer: dict[str, object]) -> Response:
    text = str(answer["errmsg"]).encode("ascii", "replace").decode()
    return Response(
        json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"),
        headers={
            "Error-Code": str(answer["errcode"]),
            "Error-Msg": "".join(c if c.isprintable() else "?" for c in text),
            "Content-Type": "application/json; charset=UTF-8",
        },
    )
