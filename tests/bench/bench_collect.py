"""The collect API beside an empty endpoint on the same server, with the pump running (B1, B2).

The server is a process of its own, as `yutang up` builds it: uvicorn, the collector and the pump in one. The load comes
from this process over 256 connections (batches: 64), each waiting for its answer. 70 % of what people do, 20 % orders
of two lines, 10 % new faces; every event has an id of its own, and in the end the warehouse must hold every one.

B1: single events, aim ≥ 4,000/s and ≥ 0.35 × the empty endpoint. B2: batches of 100, aim ≥ 80,000 events/s.

Run: python -m tests.bench.bench_collect [single requests] [batches]
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

SINGLE, BATCHES, EMPTY = 60_000, 3_000, 100_000
PERSONS = 20_000
CONNECTIONS, OF_BATCHES = 256, 64
ROUNDS = 3


def main(single: int = SINGLE, batches: int = BATCHES) -> None:
    """Print the rates of both beside the empty endpoint's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.bench.bench_collect", "serve", folder]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            told = json.loads(server.stdout.readline())
            _measure(told["port"], told["key"], single, batches, server.stdin, server.stdout)
        finally:
            server.stdin.close()
            server.wait(60)


def _measure(port: int, key: str, single: int, batches: int, ask: IO[str], told: IO[str]) -> None:
    chance = random.Random(7)
    empty = b"GET /empty HTTP/1.1\r\nHost: x\r\n\r\n"
    bare = load(port, [empty] * EMPTY, CONNECTIONS)
    print(f"empty endpoint: {bare:,.0f} requests/s")

    ones = [request(key, "track", event(chance, n)) for n in range(single)]
    rate = load(port, ones, CONNECTIONS)
    print(f"B1 single events: {rate:,.0f}/s (aim ≥ 4,000), {rate / bare:.2f} × the empty endpoint (aim ≥ 0.35)")
    print(f"   {_drained(single, ask, told)}")

    many = [
        request(key, "batch", {"batch": [event(chance, single + 100 * n + one) for one in range(100)]})
        for n in range(batches)
    ]
    rate = 100 * load(port, many, OF_BATCHES)
    print(f"B2 batches of 100: {rate:,.0f} events/s (aim ≥ 80,000), {len(many[0]) / 1000:.0f} kB each")
    print(f"   {_drained(single + 100 * batches, ask, told)}")
    print(f"empty endpoint again: {load(port, [empty] * EMPTY, CONNECTIONS):,.0f} requests/s")


def _drained(wanted: int, ask: IO[str], told: IO[str]) -> str:
    """Wait until the warehouse holds all; raises SystemExit if it does not hold exactly that."""
    start = time.perf_counter()
    ask.write("drain\n")
    ask.flush()
    said: dict[str, Any] = json.loads(told.readline())
    if said["events"] != wanted:
        raise SystemExit(f"the warehouse holds {said['events']:,} events instead of {wanted:,}")
    return (
        f"{said['waiting']:,} events waited for the pump when the load ended, "
        f"in the warehouse {time.perf_counter() - start:.1f} s later: {wanted:,}"
    )


def event(chance: random.Random, number: int) -> dict[str, object]:
    """One call as an SDK sends it."""
    who = chance.randrange(PERSONS)
    head: dict[str, object] = {
        "messageId": f"{number:08x}-6bd1-4c1e-9a55-{chance.getrandbits(48):012x}",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "anonymousId": f"0f9d-{who:08x}",
        "userId": f"M{who:07}",
        "context": {
            "library": {"name": "analytics-python", "version": "2.4.0"},
            "page": {"path": "/goods/77", "title": "商品", "referrer": "", "url": "https://shop.example.com/goods/77"},
        },
        "integrations": {},
    }
    draw = chance.random()
    if draw < 0.7:
        what = {"sku": f"A-{who % 977}", "category": "milk", "price": 12.5, "quantity": 1}
        return {**head, "type": "track", "event": "Product Viewed", "properties": what}
    if draw < 0.9:
        goods = [{"sku": f"A-{n}", "category": "milk", "price": 9.95, "quantity": 2} for n in range(2)]
        props = {"order_id": f"o{number}", "total": 39.8, "currency": "CNY", "products": goods}
        return {**head, "type": "track", "event": "Order Completed", "properties": props}
    return {**head, "type": "track", "event": "Product Added", "properties": {"sku": f"A-{who % 977}"}}


def request(key: str, call: str, body: dict[str, object]) -> bytes:
    """A whole request, ready to be sent."""
    data = json.dumps(body).encode()
    user = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/{call} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Basic {user}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


# Load -------------------------------------------------------------------------------------------------------------


class _Client(asyncio.Protocol):
    """Sends the next request when the answer is whole. Raises SystemExit for any answer but 200."""

    def __init__(self, requests: list[bytes], done: asyncio.Event) -> None:
        self._requests, self._done, self._got = requests, done, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if self._requests:
            self._transport.write(self._requests.pop())  # type: ignore[attr-defined]
        else:
            self._transport.close()
            self._done.set()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, _, body = self._got.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if length and len(body) >= int(length):
            if not self._got.startswith(b"HTTP/1.1 200") or b"held" in body:
                raise SystemExit(self._got.decode())
            self._got = b""
            self._next()


def load(port: int, requests: Sequence[bytes], connections: int) -> float:
    """Requests a second."""
    import uvloop

    async def run() -> float:
        left = list(reversed(requests))
        loop = asyncio.get_running_loop()
        ends = [asyncio.Event() for _ in range(connections)]
        start = time.perf_counter()
        for end in ends:
            await loop.create_connection(lambda end=end: _Client(left, end), "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.gather(*(end.wait() for end in ends))
        return len(requests) / (time.perf_counter() - start)

    return uvloop.run(run())


# Server -----------------------------------------------------------------------------------------------------------


def serve(folder: str) -> None:
    """The house, with the pump in a thread, until standard input ends."""
    from yutang.app import house

    opened = house.open_house(Path(folder))
    import uvicorn

    from yutang.app.serve import listen, with_collector
    from yutang.intake import pump
    from yutang.intake.collect.keys import add_key
    from yutang.intake.collect.writer import current_collector
    from yutang.log import queries
    from yutang.organisation.services import set_up_brand
    from yutang.warehouse.contracts import Statement

    set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    key = add_key("bench", "shop", trusted=True)
    listener = listen(0)
    config = uvicorn.Config(with_collector(_empty), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    stop, drain = threading.Event(), threading.Event()

    def turn() -> None:
        while not stop.wait(0.0 if drain.is_set() else 0.5):
            pump.pump_until_empty(opened.warehouse)

    turning = threading.Thread(target=turn)
    turning.start()
    print(json.dumps({"port": listener.getsockname()[1], "key": key}), flush=True)
    for _ in sys.stdin:
        waiting = queries.waiting()
        drain.set()
        while queries.waiting():
            time.sleep(0.05)
        drain.clear()
        count = opened.warehouse.query(Statement("SELECT count(*) AS events FROM events")).to_pylist()[0]["events"]
        print(json.dumps({"waiting": waiting, "events": count}), flush=True)
    stop.set()
    turning.join()
    collector = current_collector()
    assert collector is not None
    collector.stop()
    server.should_exit = True
    opened.close()


async def _empty(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        main(*map(int, sys.argv[1:]))
