"""The collect API beside an empty endpoint on the same server, with the pump running (B1, B2).

The server is a process of its own, as `yutang up` builds it: uvicorn, the collector and the pump in one. The load comes
from another process: prepared requests over keep-alive connections, raw sockets and one epoll, each connection waiting
for its answer before it sends again; what it takes of the machine is printed. 70 % of what people do with goods, 20 %
orders of two lines, 10 % other goods events, of 20,000 people who are known already (what newcomers cost the pump is in
`bench_pump`); every event has an id of its own, and in the end the warehouse must hold every one.

B1: single events, aim ≥ 4,000/s and ≥ 0.35 × the empty endpoint. B2: batches of 100, aim ≥ 80,000 events/s.

Beside each rate stands the processor time by thread, which a busy machine disturbs least.

Run: python -m tests.bench.bench_collect [single requests] [batches]
"""

from __future__ import annotations

import base64
import json
import random
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

SINGLE, BATCHES, EMPTY = 60_000, 3_000, 100_000
PERSONS = 20_000
CONNECTIONS, OF_BATCHES = 256, 32
BATCH = 100
PATIENCE = 60.0


def main(single: int = SINGLE, batches: int = BATCHES) -> None:
    """Print the rates of both beside the empty endpoint's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.bench.bench_collect", "serve", folder]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            Bench(told["port"], told["key"], process.stdin, process.stdout).run(single, batches)
        finally:
            process.stdin.close()
            process.wait(60)


@dataclass
class Bench:
    """The server under load, and the pipe by which it is asked."""

    port: int
    key: str
    stdin: IO[str]
    stdout: IO[str]

    def run(self, single: int, batches: int) -> None:
        chance = random.Random(7)
        known = [
            request(self.key, "batch", {"batch": [event(chance, n, who=n) for n in range(first, first + BATCH)]})
            for first in range(0, PERSONS, BATCH)
        ]
        send(self.port, known, OF_BATCHES)
        self.drain(PERSONS)
        empty = [b"GET /empty HTTP/1.1\r\nHost: x\r\n\r\n"] * EMPTY
        bare = self.load("empty endpoint", empty, CONNECTIONS)

        ones = [request(self.key, "track", event(chance, PERSONS + n)) for n in range(single)]
        rate = self.load("B1 single events", ones, CONNECTIONS)
        print(f"   {rate:,.0f}/s (aim ≥ 4,000), {rate / bare:.2f} × the empty endpoint (aim ≥ 0.35)")
        self.drain(PERSONS + single)

        past = PERSONS + single
        many = [
            request(self.key, "batch", {"batch": [event(chance, past + BATCH * n + one) for one in range(BATCH)]})
            for n in range(batches)
        ]
        rate = self.load(f"B2 batches of {BATCH}", many, OF_BATCHES, of=BATCH)
        print(f"   {rate:,.0f} events/s (aim ≥ 80,000), {len(many[0]) / 1000:.0f} kB each")
        self.drain(past + BATCH * batches)
        self.load("empty endpoint again", empty, CONNECTIONS)

    def load(self, name: str, requests: Sequence[bytes], connections: int, of: int = 1) -> float:
        """Send all; returns things a second, of which each request brings `of`. Prints who spent how much."""
        before = self.ask("spent")
        own, start = time.process_time(), time.perf_counter()
        send(self.port, requests, connections)
        took, own = time.perf_counter() - start, time.process_time() - own
        after = self.ask("spent")
        count = len(requests) * of
        spent = {who: seconds - before.get(who, 0.0) for who, seconds in after.items()}
        shown = ", ".join(f"{who} {seconds / count * 1e6:.1f}" for who, seconds in sorted(spent.items()))
        print(f"{name}: {count / took:,.0f}/s over {connections} connections; processor µs each: {shown}")
        print(f"   the generator {own / count * 1e6:.1f}, {own / took:.2f} of a core")
        return count / took

    def drain(self, wanted: int) -> None:
        """Wait until the warehouse holds all; raises SystemExit if it does not hold exactly that."""
        start = time.perf_counter()
        said = self.ask("drain")
        if said["events"] != wanted:
            raise SystemExit(f"the warehouse holds {said['events']:,} events instead of {wanted:,}")
        print(
            f"   {said['waiting']:,} events waited for the pump when the load ended, "
            f"in the warehouse {time.perf_counter() - start:.1f} s later: {wanted:,}"
        )

    def ask(self, what: str) -> dict[str, Any]:
        self.stdin.write(f"{what}\n")
        self.stdin.flush()
        said: dict[str, Any] = json.loads(self.stdout.readline())
        return said


def event(chance: random.Random, number: int, who: int = -1) -> dict[str, object]:
    """One call as an SDK sends it."""
    who = who if who >= 0 else chance.randrange(PERSONS)
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


def send(port: int, requests: Sequence[bytes], connections: int) -> None:
    """Send all, each connection one after the other. Raises SystemExit for any answer but 200, or none."""
    left = list(reversed(requests))
    poll = select.epoll()
    clients: dict[int, Client] = {}
    for _ in range(min(connections, len(left))):
        client = Client(port, poll)
        clients[client.number] = client
        client.send(left.pop())
    waiting = len(clients)
    while waiting:
        ready = poll.poll(PATIENCE)
        if not ready:
            raise SystemExit(f"no answer for {PATIENCE:.0f} s")
        for number, what in ready:
            client = clients[number]
            if what & select.EPOLLOUT:
                client.go_on()
            elif client.answered():
                if left:
                    client.send(left.pop())
                else:
                    waiting -= 1
    poll.close()
    for client in clients.values():
        client.socket.close()


class Client:
    """One connection."""

    def __init__(self, port: int, poll: select.epoll) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.number = self.socket.fileno()
        self.poll, self.unsent, self.got = poll, memoryview(b""), b""
        poll.register(self.number, select.EPOLLIN)

    def send(self, request: bytes) -> None:
        """Send, or as much as goes now."""
        done = self.socket.send(request)
        if done < len(request):
            self.unsent = memoryview(request)[done:]
            self.poll.modify(self.number, select.EPOLLOUT)

    def go_on(self) -> None:
        """Send more of what did not go."""
        self.unsent = self.unsent[self.socket.send(self.unsent) :]
        if not self.unsent:
            self.poll.modify(self.number, select.EPOLLIN)

    def answered(self) -> bool:
        """Whether the answer is whole."""
        got = self.got + self.socket.recv(65536)
        head, found, body = got.partition(b"\r\n\r\n")
        if not found or len(body) < int(head[head.index(b"content-length: ") + 16 :].partition(b"\r\n")[0]):
            self.got = got
            return False
        if not got.startswith(b"HTTP/1.1 200") or b"held" in body:
            raise SystemExit(got.decode())
        self.got = b""
        return True


# Server -----------------------------------------------------------------------------------------------------------


def serve(folder: str) -> None:
    """The house, with the pump in a thread, until standard input ends."""
    from yutang.app import house

    opened = house.open_house(Path(folder))
    import uvicorn

    from yutang.app.serve import listen, with_collector
    from yutang.intake.collect.keys import add_key
    from yutang.intake.collect.writer import current_collector
    from yutang.intake.pump import Pump
    from yutang.log import queries
    from yutang.operations.loop import IDLE
    from yutang.organisation.services import set_up_brand
    from yutang.warehouse.contracts import Statement

    set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    key = add_key("bench", "shop", trusted=True)
    listener = listen(0)
    config = uvicorn.Config(with_collector(_empty), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, name="door", kwargs={"sockets": [listener]}, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    stop, drain = threading.Event(), threading.Event()

    def turn() -> None:
        pump = Pump(opened.warehouse)
        while not stop.wait(0.0 if drain.is_set() else IDLE):
            pump.turn()

    turning = threading.Thread(target=turn, name="pump")
    turning.start()
    print(json.dumps({"port": listener.getsockname()[1], "key": key}), flush=True)
    for asked in sys.stdin:
        if asked.strip() == "spent":
            print(json.dumps(spent()), flush=True)
            continue
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


def spent() -> dict[str, float]:
    """The processor seconds of this process so far, by thread; DuckDB's own together as `warehouse`."""
    names = {one.native_id: one.name for one in threading.enumerate()}
    total: Counter[str] = Counter()
    for task in Path("/proc/self/task").iterdir():
        name = names.get(int(task.name), "warehouse").partition("_")[0].partition("-")[0]
        total[name] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return dict(total)


async def _empty(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        main(*map(int, sys.argv[1:]))
