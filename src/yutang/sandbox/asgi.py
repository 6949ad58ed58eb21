"""The sandbox as one ASGI application: mounted by the main program, or served alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from yutang.sandbox.control import Control
from yutang.sandbox.engine import Engine
from yutang.sandbox.faults import Faults, Limits
from yutang.sandbox.outbox import Outbox
from yutang.sandbox.page import render_page
from yutang.sandbox.platform import Platform
from yutang.sandbox.store import Store


def create_app(directory: Path, *, events_url: str | None, events_token: str | None) -> Starlette:
    """A sandbox whose durable file is in `directory`. Purchases are posted to `events_url` with the bearer token;
    without a URL they wait in the outbox. The token is kept in memory only.
    """
    store, faults, limits = Store(directory), Faults(), Limits()
    engine = Engine(store, Outbox(store, events_url, events_token or "", faults))

    async def home(request: Request) -> Response:
        def page() -> str:
            with store.read() as con:
                return render_page(con, request.query_params.get("lang", "zh"))

        return HTMLResponse(await run_in_threadpool(page))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    return Starlette(
        routes=[
            Route("/", home),
            Route("/cgi-bin/{api:path}", Platform(store, faults, limits).endpoint, methods=["GET", "POST"]),
            Mount("/control", routes=Control(store, engine, faults, limits).routes()),
        ],
        lifespan=lifespan,
    )
