"""The platform's calls below `/cgi-bin/`, answered as the real one does.

HTTP 200 always. Order of checks: token (41001, 40014, 42001) → IP (60020) → whose token (48002) → frequency (45009) →
parameters; `gettoken` and a group robot's address are exempt from the first three. Codes are mirrored in the headers
Error-Code and Error-Msg.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from yutang.kernel.clock import wall_now
from yutang.sandbox import (
    customers,
    directory,
    group_welcome,
    groups,
    join_ways,
    media,
    messages,
    statistics,
    tags,
    tasks,
    tokens,
    ways,
)
from yutang.sandbox.faults import MINUTE, Fault, Faults, Limits
from yutang.sandbox.store import Store, find_settings
from yutang.sandbox.uploads import read_upload
from yutang.sandbox.wire import ANYBODY, Arguments, Call, Kept, Noted, PlatformError, Upload, envelope

MOST_BODY, MOST_FILE = 8 << 20, 32 << 20

CALLS: dict[str, Call] = {
    **tokens.CALLS,
    **directory.CALLS,
    **customers.CALLS,
    **tags.CALLS,
    **tasks.CALLS,
    **ways.CALLS,
    **media.CALLS,
    **messages.CALLS,
    **groups.CALLS,
    **join_ways.CALLS,
    **group_welcome.CALLS,
    **statistics.CALLS,
}
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
        kind = request.headers.get("content-type", "")
        asked = _Asked(request.method, dict(request.query_params), body, caller, kind)
        answer = await self._answer(api, call, asked, fault)
        if isinstance(answer, Kept):
            return FileResponse(answer.path, filename=answer.name)
        _locate(answer, request)
        if fault is not None and fault.kind == "drop_answer":
            return Dropped()
        response = _response(answer)
        if call.after is not None:
            response.background = BackgroundTask(call.after, self._store)
        return response

    async def _answer(self, api: str, call: Call, asked: _Asked, fault: Fault | None) -> dict[str, object] | Kept:
        try:
            with self._limits.under_way(api, await run_in_threadpool(self._places)), self._alone(call, asked):
                if fault is not None and fault.kind == "latency":
                    await asyncio.sleep(fault.seconds)
                data = await run_in_threadpool(self._act, api, call, asked, fault)
                if isinstance(data, Kept):
                    self._limits.note(api, 0)
                    return data
                answer = envelope(None, data, asked.caller)
        except PlatformError as error:
            answer = envelope(error, call.empty, asked.caller)
        self._limits.note(api, int(str(answer["errcode"])))
        return answer

    def _alone(self, call: Call, asked: _Asked) -> AbstractContextManager[None]:
        if call.alone is None:
            return nullcontext()
        return self._limits.under_way(call.alone(asked.arguments(call)), 1, beyond=45035)

    def _places(self) -> int:
        with self._store.read() as con:
            settings = find_settings(con)
        return settings.concurrent if settings is not None else 1

    def _act(self, api: str, call: Call, asked: _Asked, fault: Fault | None) -> dict[str, object] | Kept:
        wall = wall_now().timestamp()
        open_to_all = ANYBODY in call.secrets
        opened: AbstractContextManager[sqlite3.Connection] = self._store.write() if call.writes else self._store.read()
        with opened as con:
            settings = find_settings(con)
            whose = ANYBODY if open_to_all else tokens.check_token(con, asked.query.get("access_token", ""), wall)
            if settings is None:  # before the first seed there is no corp, and no token can be had
                raise PlatformError(40013)
            if not open_to_all and settings.trusted_ips and asked.caller not in settings.trusted_ips.split():
                raise PlatformError(60020)
            tokens.check_secret(api, call, whose)
            if fault is not None and fault.kind == "refuse":
                if fault.errcode == 45009:
                    self._limits.block(api, wall + (fault.seconds or MINUTE))
                raise PlatformError(fault.errcode)
            self._limits.count(api, settings, wall)
            try:
                return call.act(con, settings, asked.arguments(call), wall)
            except Noted as error:
                refused = error
        raise refused


@dataclass(frozen=True, slots=True)
class _Asked:
    method: str
    query: dict[str, str]
    body: bytes
    caller: str
    kind: str

    def arguments(self, call: Call) -> Arguments:
        """The call's arguments; a broken body, or GET for a POST call, is 40058."""
        if call.method == "GET":
            return Arguments(self.query)
        if call.file:
            return Arguments({**self.query, "media": self._upload()})
        try:
            values = json.loads(self.body) if self.method == "POST" and len(self.body) <= MOST_BODY else None
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise PlatformError(40058)
        # A group robot's key stands in the address.
        return Arguments({**values, "key": self.query.get("key", "")} if ANYBODY in call.secrets else values)

    def _upload(self) -> Upload:
        if self.method != "POST":
            raise PlatformError(40058)
        if len(self.body) > MOST_FILE:
            raise PlatformError(40206)
        return read_upload(self.kind, self.body)


def _locate(answer: dict[str, object], request: Request) -> None:
    """Say where pictures stand: by their path alone where the sandbox is mounted in a house, whose port may change."""
    mounted = request.scope.get("root_path", "")
    base = mounted or f"{request.url.scheme}://{request.url.netloc}"
    for part in (answer, answer.get("contact_way"), answer.get("join_way")):
        if isinstance(part, dict):
            for name in ("qr_code", "url"):
                if str(part.get(name) or "").startswith(("/qr/", "/picture/")):
                    part[name] = f"{base}{part[name]}"


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
