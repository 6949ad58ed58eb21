"""The platform's calls below `/cgi-bin/`, answered as the real one does.

HTTP 200 always. Order of checks: token (41001, 40014, 42001) → IP (60020) → permission (48002, 84074, 60011, 60030) →
frequency (45033, 45035, 45009) → parameters; `gettoken` and a group robot's address are exempt from the first three.
Codes are mirrored in the headers Error-Code and Error-Msg.
"""

from __future__ import annotations

import json
import sqlite3
from asyncio import sleep
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from yutang.kernel.clock import wall_now
from yutang.sandbox import (
    acquisition,
    album,
    apps,
    archive,
    customers,
    directory,
    group_welcome,
    groups,
    interception,
    join_ways,
    kf,
    media,
    messages,
    moments,
    statistics,
    strategies,
    strategy_tags,
    tags,
    tasks,
    tokens,
    transfers,
    ways,
)
from yutang.sandbox.faults import MINUTE, Fault
from yutang.sandbox.store import MAIN, Settings, find_settings
from yutang.sandbox.uploads import read_upload
from yutang.sandbox.wire import ANYBODY, Arguments, Call, Kept, Noted, PlatformError, Upload, envelope, read_json
from yutang.sandbox.worlds import World, Worlds

MOST_BODY, MOST_FILE = 8 << 20, 32 << 20
GETTOKEN = "gettoken"
DEBUG_A_MINUTE = 5  # the flag of the online debugger (WeCom doc 90313)

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
    **moments.CALLS,
    **album.CALLS,
    **interception.CALLS,
    **strategies.CALLS,
    **strategy_tags.CALLS,
    **archive.CALLS,
    **kf.CALLS,
    **acquisition.CALLS,
    **transfers.CALLS,
}
"""Every call by its name below `/cgi-bin/`; each family says its own."""


class Platform:
    """Answers the calls of every corp in the sandbox."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds

    async def endpoint(self, request: Request) -> Response:
        """One HTTP request."""
        api = request.path_params["api"]
        call = CALLS.get(api)
        if call is None:
            return PlainTextResponse("404 page not found", status_code=404)
        caller = request.client.host if request.client else "127.0.0.1"
        kind = request.headers.get("content-type", "")
        asked = _read(call, request.method, dict(request.query_params), await request.body(), caller, kind)
        world, answer, fault = await self._answer(api, call, asked)
        if isinstance(answer, Kept):
            return FileResponse(answer.path, filename=answer.name)
        _locate(answer, request)
        if fault is not None and fault.kind == "drop_answer":
            return Dropped()
        response = _response(answer)
        if call.after is not None:
            response.background = BackgroundTask(call.after, world.store)
        return response

    async def _answer(
        self, api: str, call: Call, asked: _Asked
    ) -> tuple[World, dict[str, object] | Kept, Fault | None]:
        world, settings, refusal = await run_in_threadpool(self._admit, api, call, asked)
        fault = None
        try:
            if settings is None:
                raise refusal
            fault = world.faults.take(api)
            with world.limits.under_way(api, settings.concurrent), _alone(world, call, asked):
                if fault is not None and fault.kind == "latency":
                    await sleep(fault.seconds)
                data = await run_in_threadpool(self._act, world, api, call, asked, settings.app, fault)
                if isinstance(data, Kept):
                    world.limits.note(api, 0)
                    return world, data, fault
                answer = envelope(None, data, asked.caller, loose=asked.loose)
        except PlatformError as error:
            answer = envelope(error, call.empty, asked.caller, loose=asked.loose)
        world.limits.note(api, int(str(answer["errcode"])))
        return world, answer, fault

    def _admit(self, api: str, call: Call, asked: _Asked) -> tuple[World, Settings | None, PlatformError]:
        """Whose call it is (what nobody knows is the first corp's to refuse), and that corp's settings with the app
        that calls, or else why it is not let in: token, address, permission."""
        wall = wall_now().timestamp()
        if api == GETTOKEN:
            world = self._worlds.of_corp(asked.query.get("corpid", ""))
        else:
            world = self._worlds.of_token(asked.query.get("access_token", ""))
        try:
            with world.store.read() as con:
                settings = find_settings(con)
                if api == GETTOKEN:
                    world.limits.callers.let_in(asked.caller, wall)
                agentid = MAIN
                if ANYBODY not in call.secrets:
                    agentid = tokens.check_token(con, asked.query.get("access_token", ""), wall)
                if settings is None:  # before the first seed there is no corp, and no token can be had
                    raise PlatformError(40013)
                if ANYBODY not in call.secrets:
                    app = apps.find_app(con, agentid)
                    apps.check_caller(app, settings, asked.caller)
                    tokens.check_secret(api, call, agentid)
                    apps.check_right(con, app, settings, api, asked.values)
                return world, _of_app(settings, agentid), PlatformError(0)
        except PlatformError as refusal:
            return world, None, refusal

    def _act(
        self, world: World, api: str, call: Call, asked: _Asked, agentid: int, fault: Fault | None
    ) -> dict[str, object] | Kept:
        wall = wall_now().timestamp()
        store, limits = world.store, world.limits
        opened: AbstractContextManager[sqlite3.Connection] = store.write() if call.writes else store.read()
        try:
            with opened as con:
                settings = find_settings(con)
                assert settings is not None
                if fault is not None and fault.kind == "refuse":
                    if fault.errcode == 45009:
                        limits.block(api, wall + (fault.seconds or MINUTE))
                    raise PlatformError(fault.errcode)
                limits.callers.count(asked.caller, api, wall)
                limits.count(api, settings, wall, call.quota)
                if asked.query.get("debug") == "1":
                    limits.count(f"{api}?debug=1", settings, wall, {"minute": DEBUG_A_MINUTE})
                try:
                    return call.act(con, _of_app(settings, agentid), asked.arguments(call), wall)
                except Noted as error:
                    refused = error
            raise refused
        except PlatformError as error:
            if api == GETTOKEN and error.code == 40001:
                limits.callers.bad_secret(asked.caller, wall)
            raise


def _alone(world: World, call: Call, asked: _Asked) -> AbstractContextManager[None]:
    """What only one call at a time may change (45035)."""
    if call.alone is None:
        return nullcontext()
    return world.limits.under_way(call.alone(asked.arguments(call)), 1, beyond=45035)


def _of_app(settings: Settings, agentid: int) -> Settings:
    """The settings as a call of that app sees them; the first app's number is the one that its spec says."""
    return replace(settings, app=agentid, agent_id=settings.agent_id if agentid == MAIN else agentid)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked. `values` are the arguments as far as they can be read, for whoever looks at them before they are
    judged; `sound`: the body is a JSON object, `loose`: not quite."""

    method: str
    query: dict[str, str]
    caller: str
    values: Mapping[str, object]
    sound: bool
    loose: bool
    body: bytes
    kind: str

    def arguments(self, call: Call) -> Arguments:
        """The call's arguments; a broken body, or GET for a POST call, is 40058."""
        if call.method == "GET":
            return Arguments(self.query)
        if call.file:
            return Arguments({**self.query, "media": self._upload()})
        if self.method != "POST" or not self.sound:
            raise PlatformError(40058)
        # A group robot's key stands in the address.
        return Arguments({**self.values, "key": self.query.get("key", "")} if ANYBODY in call.secrets else self.values)

    def _upload(self) -> Upload:
        if self.method != "POST":
            raise PlatformError(40058)
        if len(self.body) > MOST_FILE:
            raise PlatformError(40206)
        return read_upload(self.kind, self.body)


def _read(call: Call, method: str, query: dict[str, str], body: bytes, caller: str, kind: str) -> _Asked:
    values: object = query
    loose = False
    if method == "POST" and not call.file:
        try:
            values, loose = read_json(body) if len(body) <= MOST_BODY else (None, False)
        except (ValueError, RecursionError):
            values = None
    sound = isinstance(values, Mapping)
    said = values if isinstance(values, Mapping) else {}
    return _Asked(method, query, caller, said, sound, loose and sound, body, kind)


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
