"""One process: web, clock, and the sandbox beside them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from yutang.kernel.errors import Refused, Unavailable
from yutang.sandbox.asgi import create_app as sandbox_app

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.types import ASGIApp

    from yutang.app.house import House
    from yutang.operations.loop import Loop
    from yutang.reach.issuing import Ports

OF_SANDBOX = "sandbox"
"""The name of the token with which the sandbox comes to the door."""
ELSEWHERE = "YUTANG_SANDBOX_URL"  # a sandbox in a process of its own


def sandbox_directory(directory: Path) -> Path:
    """Where the sandbox keeps its own file."""
    return directory / "sandbox"


def listen(port: int) -> socket.socket:
    """The listening socket on loopback. Raises Refused where the port is taken."""
    try:
        listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it; else 40 ms a call
        return listener
    except OSError as error:
        raise Refused(
            f"端口 {port} 已被占用，请换一个：make run PORT={port + 1}。",
            f"Port {port} is taken; choose another: make run PORT={port + 1}.",
        ) from error


def asgi(directory: Path, address: str, token: str) -> Starlette:
    """The whole house as one application; the sandbox stands at /sandbox unless it has a process of its own."""
    from django.core.asgi import get_asgi_application

    house = Mount("/", cast("ASGIApp", get_asgi_application()))
    if os.environ.get(ELSEWHERE):
        return Starlette(routes=[house])
    sandbox = sandbox_app(sandbox_directory(directory), events_url=f"{address}/api/v1/events", events_token=token)
    return Starlette(routes=[Mount("/sandbox", sandbox), house])


def sandbox_at(address: str) -> str:
    """Where the sandbox answers."""
    return os.environ.get(ELSEWHERE) or f"{address}/sandbox"


def ports_at(sandbox: str) -> Callable[[], Ports]:
    """The channels of the corps that are connected now; clients are kept, so tokens and rate limits are shared."""
    from yutang.channels.wecom.client import WeComClient
    from yutang.channels.wecom.mass_send import WeComMassSend
    from yutang.channels.wecom.tokens import MemoryTokenStore
    from yutang.organisation.queries import corps

    kept: dict[tuple[str, str, str], WeComMassSend] = {}

    def ports() -> Ports:
        found = {}
        for corp in corps():
            base = corp.address or f"{sandbox}/cgi-bin/"
            key = (corp.corp, corp.secret, base)
            if key not in kept:
                kept[key] = WeComMassSend(WeComClient(base, corp.corp, corp.secret, token_store=MemoryTokenStore()))
            found[corp.channel, corp.corp] = kept[key]
        return found

    return ports


def sandbox_clock(sandbox: str) -> Callable[[datetime], None]:
    """Tells the sandbox what time it is, over HTTP, as if it were in a process of its own."""
    client = httpx.Client(base_url=sandbox, timeout=60)

    def advance(to: datetime) -> None:
        try:
            client.post("/control/advance", json={"to": to.isoformat()}).raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(f"沙盒没有响应：{error}。", f"The sandbox does not answer: {error}.") from error

    return advance


def serve(house: House, port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is called with the address once requests are answered."""
    from yutang.operations.loop import Loop
    from yutang.organisation.queries import corps, is_set_up
    from yutang.organisation.services import issue_token, revoke_tokens

    listener = listen(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    token = ""
    if is_set_up():
        revoke_tokens(OF_SANDBOX)
        token = issue_token(OF_SANDBOX, ["events:write"])
    sandboxed = any(corp.sandboxed for corp in corps())
    sandbox = sandbox_at(address)
    loop = Loop(house.warehouse, ports_at(sandbox), house.clock, sandbox_clock(sandbox) if sandboxed else None)
    _quiet_logs()
    config = uvicorn.Config(
        asgi(house.directory, address, token), log_level="warning", access_log=False, lifespan="off"
    )
    asyncio.run(_serve(uvicorn.Server(config), listener, loop, lambda: ready(address)))


async def _serve(server: uvicorn.Server, listener: socket.socket, loop: Loop, ready: Callable[[], None]) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=loop.run, args=(stop,), name="clock", daemon=True)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    if server.started:
        worker.start()
        ready()
    while not serving.done() and not server.should_exit:
        await asyncio.sleep(0.1)
    stop.set()  # before the sandbox stops answering
    await serving
    if worker.is_alive():
        await asyncio.to_thread(worker.join, 10)


def _quiet_logs() -> None:
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume")  # static files; they are small
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
