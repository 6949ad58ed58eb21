"""One process: web, clock, and the sandbox beside them."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from yutang.kernel.errors import Refused, Unavailable
from yutang.sandbox.asgi import create_app as sandbox_app

if TYPE_CHECKING:
    from datetime import datetime

    from yutang.app.house import House
    from yutang.operations.loop import Loop
    from yutang.reach.issuing import Ports

SANDBOX_TOKEN = "sandbox"  # noqa: S105  # the token's name, not its secret


def sandbox_directory(directory: Path) -> Path:
    """Where the sandbox keeps its own file."""
    return directory / "sandbox"


def listen(port: int) -> socket.socket:
    """The listening socket on loopback. Raises Refused where the port is taken."""
    try:
        return socket.create_server(("127.0.0.1", port), reuse_port=False)
    except OSError as error:
        raise Refused(
            f"端口 {port} 已被占用，请换一个：make run PORT={port + 1}。",
            f"Port {port} is taken; choose another: make run PORT={port + 1}.",
        ) from error


def asgi(directory: Path, address: str, token: str) -> Starlette:
    """The whole house as one application."""
    from django.core.asgi import get_asgi_application

    sandbox = sandbox_app(sandbox_directory(directory), events_url=f"{address}/api/v1/events", events_token=token)
    return Starlette(routes=[Mount("/sandbox", sandbox), Mount("/", get_asgi_application())])


def ports_at(address: str) -> Callable[[], Ports]:
    """The channels of the corps that are connected now; clients are kept, so tokens and rate limits are shared."""
    from yutang.channels.wecom import WeComClient, WeComMassSend
    from yutang.organisation.queries import corps

    kept: dict[tuple[str, str, str], WeComMassSend] = {}

    def ports() -> Ports:
        found = {}
        for corp in corps():
            base = corp.address or f"{address}/sandbox/cgi-bin/"
            key = (corp.corp, corp.secret, base)
            if key not in kept:
                kept[key] = WeComMassSend(WeComClient(base, corp.corp, corp.secret))
            found[corp.channel, corp.corp] = kept[key]
        return found

    return ports


def sandbox_clock(address: str) -> Callable[[datetime], None]:
    """Tells the sandbox what time it is, over HTTP, as if it were in a process of its own."""
    client = httpx.Client(base_url=address, timeout=60)

    def advance(to: datetime) -> None:
        try:
            client.post("/sandbox/control/advance", json={"to": to.isoformat()}).raise_for_status()
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
        revoke_tokens(SANDBOX_TOKEN)
        token = issue_token(SANDBOX_TOKEN, ["events:write"])
    sandboxed = any(corp.sandboxed for corp in corps())
    loop = Loop(house.warehouse, ports_at(address), house.clock, sandbox_clock(address) if sandboxed else None)
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
    await serving
    stop.set()
    if worker.is_alive():
        await asyncio.to_thread(worker.join, 10)


def _quiet_logs() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
