"""The sandbox as one ASGI application: mounted by the main program, or served alone."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import Receive, Scope, Send

from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, Refused, YutangError
from yutang.sandbox import browser
from yutang.sandbox.callbacks import Receiver
from yutang.sandbox.control import Control, keep_out_strangers
from yutang.sandbox.media import picture_file
from yutang.sandbox.page import State, qr_picture, render_page, render_table
from yutang.sandbox.platform import Platform
from yutang.sandbox.store import find_settings
from yutang.sandbox.worlds import World, Worlds


def create_app(
    directory: Path, *, events_url: str | None, events_token: str | None, callbacks: Receiver | None = None
) -> Starlette:
    """A sandbox whose durable files are in `directory`. Purchases are posted to `events_url` with the bearer token;
    without a URL they wait in the outbox. So do callbacks without a receiver, whose secrets are kept in memory only.
    """
    worlds = Worlds(directory, events_url, events_token or "", callbacks)

    def picture(request: Request) -> Response:
        text = (
            f"wecom-sandbox:{request.path_params['config']}"  # a picture of the right look; nobody can really scan it
        )
        return Response(qr_picture(text), media_type="image/svg+xml")

    def uploaded(request: Request) -> Response:
        found = (picture_file(world.store, request.path_params["number"]) for world in worlds.all())
        path = next((one for one in found if one is not None), None)
        return FileResponse(path) if path is not None else Response(status_code=404)

    async def home(request: Request) -> Response:
        query = request.query_params

        def page() -> Response:
            try:
                world = worlds.named(query.get("corp", ""))
            except YutangError as error:
                return HTMLResponse(error.sentence(query.get("lang", "zh")), status_code=404)
            return HTMLResponse(_page(worlds, world, query.get("lang", "zh"), query.get("table", "")))

        return await run_in_threadpool(page)

    async def authorize(request: Request) -> Response:
        query = dict(request.query_params)

        def page() -> Response:
            try:
                keep_out_strangers(request)
                with worlds.named(query.get("appid", "")).store.write() as con:
                    answer = browser.authorize(con, query)
            except YutangError as error:
                return HTMLResponse(error.sentence(query.get("lang", "zh")), status_code=400)
            if answer.startswith("http"):
                return Response(status_code=302, headers={"Location": answer})
            return HTMLResponse(answer)

        return await run_in_threadpool(page)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        worlds.close()

    return Starlette(
        routes=[
            Route("/", home),
            Route("/cgi-bin/{api:path}", Platform(worlds).endpoint, methods=["GET", "POST"]),
            Mount("/control", app=_Doors(worlds)),
            Route("/connect/oauth2/authorize", authorize),
            Route("/qr/{config}.svg", picture),
            Route("/picture/{number}", uploaded),
        ],
        lifespan=lifespan,
    )


class _Doors:
    """The control doors of the corp that `?corp=` names, else of the first. `seed` makes a corp that is not there."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self._lock = threading.Lock()
        self._routers: dict[int, Router] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        corp = request.query_params.get("corp", "")
        try:
            keep_out_strangers(request)
            router = await run_in_threadpool(self._router, corp, request.url.path.endswith("/control/seed"))
        except YutangError as error:
            status = 409 if isinstance(error, Refused) else 400 if isinstance(error, BadInput) else 404
            await JSONResponse({"zh": error.zh, "en": error.en}, status_code=status)(scope, receive, send)
            return
        await router(scope, receive, send)

    def _router(self, corp: str, make: bool) -> Router:
        if not corp:
            return self._of(self._worlds.first, alone=False)
        return self._of(self._worlds.named(corp, make=make), alone=True)

    def _of(self, world: World, *, alone: bool) -> Router:
        key = id(world) * 2 + alone
        with self._lock:
            if key not in self._routers:
                control = Control(world, world.engine.advance if alone else self._worlds.advance)
                self._routers[key] = Router(routes=control.routes())
            return self._routers[key]


def _page(worlds: Worlds, world: World, language: str, table: str) -> str:
    corps = tuple(corp for corp in (one.corp for one in worlds.all()) if corp is not None)
    with world.store.read() as con:
        if table:
            return render_table(con, language, table, world.name)
        settings = find_settings(con)
        wall = wall_now().timestamp()
        state = State(
            corps=corps,
            query=world.name,
            next_at=str(world.engine.next_at(con, settings) or "") if settings is not None else "",
            answers=dict(world.limits.answers),
            faults=tuple(world.faults.all()),
            uses=tuple(world.limits.uses(settings, wall)) if settings is not None else (),
            blocked=world.limits.blocks(wall),
        )
        return render_page(con, language, state)
