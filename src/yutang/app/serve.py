"""The processes of the house: everything in one with the sandbox beside it, or web, worker and clock apart."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from yutang.kernel.announcing import announced
from yutang.kernel.clock import monotonic
from yutang.kernel.database import is_shared
from yutang.kernel.errors import Refused, Unavailable, YutangError
from yutang.kernel.trust import trusted
from yutang.sandbox.asgi import create_app as sandbox_app

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.types import ASGIApp

    from yutang.app.channels import Channels
    from yutang.app.house import House
    from yutang.operations.loop import Loop
    from yutang.operations.roles import Share
    from yutang.reach.issuing import Ports

    Lane = Callable[[threading.Event], None]

OF_SANDBOX = "sandbox"
"""The name of the token with which the sandbox comes to the door."""
SWITCH = 0.001  # seconds; at Python's 5 ms the collector's writer stands behind busy threads after every commit
YOUNG = (
    50_000,
    10,
    10,
)  # at Python's 700 new objects, looking for cycles took a seventh of reading a batch; it has none
IDLE = 75  # seconds for which a line is kept; a proxy that keeps it longer than we do (nginx: 60) meets a closed one
PATIENCE = 10.0  # seconds for which lanes may end what they are at, once told to stop
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


def with_collector(house: ASGIApp) -> ASGIApp:
    """The house behind the collect API's door, which is none of Django's: see `api.collect`."""
    from yutang.api.collect import Collect
    from yutang.intake.collect.writer import Collector, install_collector

    collector = Collector()
    collector.start()
    install_collector(collector)
    sys.setswitchinterval(SWITCH)
    gc.collect()
    gc.freeze()  # what was loaded until now stays, and need not be looked at with every collection
    gc.set_threshold(*YOUNG)
    return Collect(collector, house)


def asgi(directory: Path, address: str, token: str, *, with_sandbox: bool = True) -> Starlette:
    """The whole house as one application; the sandbox stands at /sandbox unless it has a process of its own."""
    from yutang.api import hooks, wecom
    from yutang.app.bodies import Pages

    doors = [
        Route("/wecom/callback/{corp}", wecom.direct, methods=["GET", "POST"]),
        Route("/hooks/{name}", hooks.direct, methods=["GET", "POST"]),
        Route("/hooks/{name}/{place}", hooks.direct, methods=["GET", "POST"]),
    ]
    house = Mount("/", cast("ASGIApp", Pages()))
    if os.environ.get(ELSEWHERE) or not with_sandbox:
        return Starlette(routes=[*doors, house])
    sandbox = sandbox_app(sandbox_directory(directory), events_url=f"{address}/api/v1/events", events_token=token)
    return Starlette(routes=[Mount("/sandbox", sandbox), *doors, house])


def sandbox_at(address: str) -> str:
    """Where the sandbox answers."""
    return os.environ.get(ELSEWHERE) or f"{address}/sandbox"


def ports_at(sandbox: str) -> Callable[[], Ports]:
    """The mass sends of the corps that are connected now."""
    from yutang.app.channels import Channels

    return Channels(sandbox).mass_send


def expect_callbacks(sandbox: str, address: str) -> None:
    """Let our own sandbox have every corp that is connected to it, and call us back, as the admin console is told to
    let the platform. It may be away: then the next start tells it."""
    from yutang.app.corps import stand_ready
    from yutang.organisation.queries import corps
    from yutang.organisation.services import expect_callbacks as kept

    for corp in corps():
        if corp.sandboxed and corp.channel == "wecom":
            kept(corp.channel, corp.corp)
            try:
                stand_ready(sandbox, address, corp)
            except (httpx.HTTPError, YutangError) as error:
                structlog.get_logger(__name__).warning("the sandbox was not told of a corp", reason=str(error))


def sandbox_clock(sandbox: str) -> Callable[[datetime], None]:
    """Tells the sandbox what time it is, over HTTP, as if it were in a process of its own."""
    client = httpx.Client(base_url=sandbox, timeout=60, verify=trusted(True))

    def advance(to: datetime) -> None:
        try:
            client.post("/control/advance", json={"to": to.isoformat()}).raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(f"沙盒没有响应：{error}。", f"The sandbox does not answer: {error}.") from error

    return advance


def serve(house: House, port: int, ready: Callable[[str], None]) -> None:
    """Do everything until interrupted; `ready` is called with the address once requests are answered."""
    from yutang.app.channels import Channels
    from yutang.app.corps import install_here
    from yutang.operations.figures import figures
    from yutang.operations.importing import ImportLane
    from yutang.operations.lanes import letters, parcels
    from yutang.operations.reflexes import ReflexLane
    from yutang.operations.roles import Heart, Share
    from yutang.operations.syncing import SyncLane
    from yutang.organisation.queries import is_set_up
    from yutang.organisation.services import issue_token, revoke_tokens

    listener = listen(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    token = ""
    if is_set_up():
        revoke_tokens(OF_SANDBOX)
        token = issue_token(OF_SANDBOX, ["events:write"])
    sandbox = sandbox_at(address)
    channels = Channels(sandbox, shared=True)
    install_here(channels, address)
    lane = ReflexLane(channels.welcomes, lambda: expect_callbacks(sandbox, address))
    loop = _loop(house, Share.ALL, sandbox, channels)
    syncs = SyncLane(channels.syncs)
    lanes = [loop.run, lane.run, ImportLane(house.warehouse, loop.look_again).run, parcels, letters]
    lanes += [syncs.syncs, syncs.hints, partial(figures, house.warehouse)]
    if is_shared():
        lanes.append(Heart(Share.WEB, Share.WORKER, Share.CLOCK).run)
    with _told(house.directory, address):
        _answer(asgi(house.directory, address, token), listener, lanes, lambda: ready(address))


def web(house: House, port: int, ready: Callable[[str], None]) -> None:
    """Answer requests and take events in until interrupted; workers and clocks are other processes."""
    from yutang.app.channels import Channels
    from yutang.app.corps import install_here
    from yutang.operations.figures import figures
    from yutang.operations.roles import Heart, Share

    listener = listen(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    install_here(Channels(sandbox_at(address), shared=True), address)

    def tell_sandbox(stop: threading.Event) -> None:
        if elsewhere := os.environ.get(ELSEWHERE):
            expect_callbacks(elsewhere, address)

    app = asgi(house.directory, address, "", with_sandbox=False)
    lanes: list[Lane] = [Heart(Share.WEB).run, tell_sandbox, partial(figures, house.warehouse)]
    with _told(house.directory, address):
        _answer(app, listener, lanes, lambda: ready(address))


@contextmanager
def _told(directory: Path, address: str) -> Iterator[None]:
    """Let links that this process makes, and commands beside it, know where it answers, unless somebody said so."""
    from django.conf import settings

    if not settings.ADDRESS_SAID:
        settings.PUBLIC_ADDRESS = address
    with announced(directory, address):
        yield


def work(house: House, share: Share, ready: Callable[[], None]) -> None:
    """Do a worker's or a clock's share until interrupted. Raises Refused for a corp in a sandbox that is not told."""
    from yutang.app.channels import Channels
    from yutang.operations.importing import ImportLane
    from yutang.operations.lanes import letters, parcels
    from yutang.operations.reflexes import ReflexLane
    from yutang.operations.roles import Heart, Share
    from yutang.operations.syncing import SyncLane
    from yutang.organisation.queries import corps

    sandbox = os.environ.get(ELSEWHERE, "")
    if not sandbox and any(corp.sandboxed for corp in corps()):
        raise Refused(
            f"有企业接在沙盒上：分开运行时请把沙盒单独启动（python -m yutang.sandbox），并设置 {ELSEWHERE}。",
            f"A corp is connected to the sandbox: where processes run apart, start it by itself "
            f"(python -m yutang.sandbox) and set {ELSEWHERE}.",
        )
    channels = Channels(sandbox, shared=True)
    loop = _loop(house, share, sandbox, channels)
    lanes = [loop.run, Heart(share).run]
    if share is Share.WORKER:
        syncs = SyncLane(channels.syncs)
        lanes += [syncs.syncs, syncs.hints]
        lanes.append(ReflexLane(channels.welcomes).run)
        lanes.append(ImportLane(house.warehouse, loop.look_again).run)
        lanes += [parcels, letters]
    _quiet_logs()
    told = _signals()
    stop = threading.Event()
    threads = _started(lanes, stop)
    ready()
    while not told and all(thread.is_alive() for thread in threads):
        time.sleep(0.2)
    stop.set()
    _ended(threads)


def _signals() -> list[int]:
    """The signals to stop that came in, from now on; the second of a kind ends the process at once. They are noted and
    not raised: an exception that meets a finaliser is swallowed there, and nobody would ever stop."""
    told: list[int] = []

    def note(number: int, _frame: object) -> None:
        told.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    return told


def _loop(house: House, share: Share, sandbox: str, channels: Channels) -> Loop:
    from yutang.operations.loop import Loop
    from yutang.organisation.queries import corps

    advance = sandbox_clock(sandbox) if any(corp.sandboxed for corp in corps()) else None
    return Loop(
        house.warehouse,
        channels.mass_send,
        house.clock,
        advance,
        channels.contact_ways,
        channels.join_ways,
        channels.service,
        channels.transfers,
        channels.moments,
        channels.syncs,
        channels.staff_messages,
        share=share,
    )


def _answer(app: ASGIApp, listener: socket.socket, lanes: Sequence[Lane], ready: Callable[[], None]) -> None:
    _quiet_logs()
    config = uvicorn.Config(
        with_collector(app), log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=IDLE
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:  # uvloop, where it is there
        runner.run(_serve(uvicorn.Server(config), listener, lanes, ready))


def _started(lanes: Sequence[Lane], stop: threading.Event) -> list[threading.Thread]:
    threads = [threading.Thread(target=lane, args=(stop,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    return threads


async def _serve(
    server: uvicorn.Server,
    listener: socket.socket,
    lanes: Sequence[Lane],
    ready: Callable[[], None],
) -> None:
    from yutang.intake.collect.writer import current_collector

    stop = threading.Event()
    workers: list[threading.Thread] = []
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    if server.started:
        workers = _started(lanes, stop)
        ready()
    while not serving.done() and not server.should_exit:
        await asyncio.sleep(0.1)
    stop.set()  # before the sandbox stops answering
    await serving
    if (collector := current_collector()) is not None:
        await asyncio.to_thread(collector.stop)
    await asyncio.to_thread(_ended, workers)


def _ended(threads: Iterable[threading.Thread]) -> None:
    """Wait until all have ended what they were at, for `PATIENCE` at most: what is cut short is done by the next."""
    give_up = monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, give_up - monotonic()))


def _quiet_logs() -> None:
    warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume")  # static files; they are small
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
