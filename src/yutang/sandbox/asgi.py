"""The sandbox as one ASGI application: mounted by the main program, or served alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route

from yutang.sandbox.callbacks import Postman, Receiver
from yutang.sandbox.control import Control
from yutang.sandbox.engine import Engine
from yutang.sandbox.faults import Faults, Limits
from yutang.sandbox.media import picture_file
from yutang.sandbox.outbox import Outbox
from yutang.sandbox.page import qr_picture, render_page
from yutang.sandbox.platform import Platform
from yutang.sandbox.store import Store


def create_app(
    directory: Path, *, events_url: str | None, events_token: str | None, callbacks: Receiver | None = None
) -> Starlette:
    """A sandbox whose durable file is in `directory`. Purchases are posted to `events_url` with the bearer token;
    without a URL they wait in the outbox. So do callbacks without a receiver. Secrets are kept in memory only.
    """
    store, faults, limits = Store(directory), Faults(), Limits()
    postman = Postman(store, faults, callbacks)
    engine = Engine(store, Outbox(store, events_url, events_token or "", faults), postman)

    def picture(request: Request) -> Response:
        text = (
            f"wecom-sandbox:{request.path_params['config']}"  # a picture of the right look; nobody can really scan it
        )
        return Response(qr_picture(text), media_type="image/svg+xml")

    def uploaded(request: Request) -> Response:
        path = picture_file(store, request.path_params["number"])
        return FileResponse(path) if path is not None else Response(status_code=404)

    async def home(request: Request) -> Response:
        def page() -> str:
            with store.read() as con:
                return render_page(con, request.query_params.get("lang", "zh"))

        return HTMLResponse(await run_in_threadpool(page))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        postman.close()
        store.close()

    return Starlette(
        routes=[
            Route("/", home),
            Route("/cgi-bin/{api:path}", Platform(store, faults, limits).endpoint, methods=["GET", "POST"]),
            Mount("/control", routes=Control(store, engine, faults, limits, postman).routes()),
            Route("/qr/{config}.svg", picture),
            Route("/picture/{number}", uploaded),
        ],
        lifespan=lifespan,
    )
