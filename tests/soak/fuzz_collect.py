"""Whatever is thrown at the collect API, it answers, keeps what was good, and stays within its memory.

`python -m tests.soak.fuzz_collect --minutes 5` starts `yutang up` and sends it mutated and generated requests over bare
sockets from several threads: JSON taken apart where it has a structure, bytes flipped and cut, gzip corrupted, wrong
headers, encodings, sizes, nestings, text and numbers; and, among them, marked events that are as they should be, alone
and beside rubbish in one batch. Prints a line of JSON; an AssertionError says what was wrong, and with which request.
"""

from __future__ import annotations

import argparse
import base64
import copy
import gzip
import http.client
import json
import random
import socket
import tempfile
import threading
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.soak.clients import House
from tests.soak.scene import step

CALLS = ("track", "identify", "page", "screen", "group", "alias", "batch", "import", "t", "p", "b", "nothing", "")
THREADS = 4
GROWTH = 400_000_000
"""Bytes by which the house may grow while it is thrown at: its queue (64 MB) and what a few bodies unpack to."""
PATIENCE = 30.0
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, -0.0, 2**53 + 1, 2**63, 10**30, 1e308, "", " ", "\x00", "\u202e右左", "\ufffe",
    "😀" * 200, "é́" * 50, "’; DROP TABLE events; --", "{{7*7}}", "../../etc/passwd", "x" * 40_000, "NaN", "1e400",
    "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999-12:00", "order.placed", "phone",
    "13800138000", [], {}, [[]], {"": None}, [None] * 300, {"a": {"b": {"c": [1, {"d": "e"}]}}},
)  # fmt: skip
RAW = (
    b"NaN", b"-Infinity", b"1e400", b"-1e-400", b"0" * 500, b"1" * 5000, b'"\\ud800"', b'"\\u0000"', b'"\xff\xfe"',
    b'"\xed\xa0\x80"', b'"\\x"', b"'single'", b'{"a":1,"a":2}', b"[1,]", b"{,}", b"/* no */1", b"\xef\xbb\xbf1", b"01",
)  # fmt: skip
HOLE = "\x01hole\x01"


def message(chance: random.Random, mark: str) -> dict[str, Any]:
    """An event as an SDK sends it."""
    return {
        "type": "track", "event": chance.choice(("Product Viewed", "Order Completed", "Cart Viewed", "Signed Up")),
        "messageId": mark, "userId": f"u{chance.randrange(500)}", "anonymousId": f"a{chance.randrange(500)}",
        "timestamp": f"2026-03-0{chance.randrange(1, 9)}T0{chance.randrange(10)}:00:00.{chance.randrange(1000):03}Z",
        "properties": {"sku": "S-1", "order_id": mark, "total": 19.9, "currency": "CNY", "products": [{"sku": "a"}]},
        "context": {"library": {"name": "fuzz", "version": "1"}, "traits": {"phone": "13800138000"}},
        "integrations": {},
    }  # fmt: skip


def valid(mark: str) -> dict[str, Any]:
    """A marked event that must be taken."""
    return {
        "type": "track", "event": "Product Viewed", "messageId": mark, "userId": "marked",
        "timestamp": "2026-03-01T00:00:00.000Z", "properties": {"sku": "S-1"},
    }  # fmt: skip


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, item in inner for place in places(item, (*here, key)))]


def junk(chance: random.Random, depth: int = 0) -> Any:
    """A value of no good use."""
    kind = chance.random()
    if depth < 4 and kind < 0.15:
        return [junk(chance, depth + 1) for _ in range(chance.randrange(4))]
    if depth < 4 and kind < 0.3:
        return {f"k{chance.randrange(9)}": junk(chance, depth + 1) for _ in range(chance.randrange(4))}
    if kind < 0.4:
        return "".join(
            chr(chance.choice((chance.randrange(1, 0xD800), chance.randrange(0xE000, 0x110000)))) for _ in "12"
        )
    return copy.deepcopy(chance.choice(ODD))  # else one of them comes to hold itself


def mutated(chance: random.Random, body: Any) -> bytes:
    """A body with some of it replaced, taken out, doubled or added to; now and then by what is no JSON."""
    body = copy.deepcopy(body)
    for _ in range(chance.randrange(1, 4)):
        place = chance.choice(places(body))
        if not place:
            continue
        holder = body
        for key in place[:-1]:
            holder = holder[key]
        match chance.randrange(5):
            case 0:
                del holder[place[-1]]
            case 1 if isinstance(holder, dict):
                holder[str(junk(chance))[:60]] = junk(chance)
            case 2 if isinstance(holder, list):
                holder.extend([copy.deepcopy(holder[place[-1]])] * chance.randrange(1, 30))
            case 3:
                holder[place[-1]] = HOLE
            case _:
                holder[place[-1]] = junk(chance)
    text = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return text.replace(json.dumps(HOLE).encode(), nested(chance) if chance.random() < 0.3 else chance.choice(RAW))


def nested(chance: random.Random) -> bytes:
    """Something deep."""
    depth = chance.choice((5, 60, 1000, 20_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opening * depth + b"1" + (closing * depth if chance.random() < 0.7 else b"")


def bent(chance: random.Random, raw: bytes) -> bytes:
    """Bytes with some flipped, cut out, doubled, or in another encoding."""
    match chance.randrange(6):
        case 0:
            return raw[: chance.randrange(len(raw) + 1)]
        case 1:
            flipped = bytearray(raw)
            for _ in range(chance.randrange(1, 9)):
                if flipped:
                    flipped[chance.randrange(len(flipped))] = chance.randrange(256)
            return bytes(flipped)
        case 2:
            return raw.decode("utf-8", "replace").encode(
                chance.choice(("utf-16", "utf-32", "gb18030", "utf-7")), "replace"
            )
        case 3:
            return raw * chance.randrange(2, 5)
        case 4:
            return chance.randbytes(chance.randrange(2000))
    return raw + chance.choice((b"\x00", b"}", b"\n\n", b" " * 5000, b"\xff"))


def packed(chance: random.Random, raw: bytes) -> tuple[bytes, str]:
    """A body packed, or said to be; with its content-encoding."""
    whole = gzip.compress(raw, 1)
    match chance.randrange(9):
        case 0:
            return whole, "gzip"
        case 1:
            return whole[: chance.randrange(len(whole))], "gzip"
        case 2:
            return bent(chance, whole), "gzip"
        case 3:
            return whole[:-8] + bytes(8), "gzip"  # wrong check sum
        case 4:
            return gzip.compress(b"[" + b" " * chance.choice((1_000_000, 30_000_000)), 9), "gzip"  # a bomb
        case 5:
            return b"".join(gzip.compress(raw[n : n + 1], 1) for n in range(min(len(raw), 300))), "gzip"
        case 6:
            return raw, "gzip"
        case 7:
            return zlib.compress(raw), chance.choice(("deflate", "br", "gzip, gzip", "zstd", "Identity", "é"))
    return gzip.compress(whole, 1), "gzip"


@dataclass
class Request:
    """One request as bytes. `whole`: it is proper HTTP, so that an answer is owed."""

    head: bytes
    body: bytes
    whole: bool = True

    @property
    def raw(self) -> bytes:
        """What goes over the wire."""
        return self.head + self.body


def request(chance: random.Random, key: str, body: bytes, *, call: str = "batch", plain: bool = False) -> Request:
    """A request with that body; `plain`: as an SDK would make it."""
    method, path, headers = "POST", f"/v1/{call}", {"Host": "localhost", "Content-Type": "application/json"}
    headers["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
    whole = True
    if not plain:
        if chance.random() < 0.2:
            body, headers["Content-Encoding"] = packed(chance, body)
        match chance.randrange(16):
            case 0:
                del headers["Authorization"]
            case 1:
                headers["Authorization"] = chance.choice(("Basic", "Basic !!", "Bearer x", "Basic " + "A" * 9000, "é"))
            case 2:
                headers["Content-Type"] = chance.choice(
                    ("text/plain", "", "multipart/form-data; boundary=x", "a/b" * 500)
                )
            case 3:
                method = chance.choice(("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"))
            case 4:
                headers["Origin"] = chance.choice(("https://evil.example", "null", "é", "x" * 4000))
            case 5:
                headers["Expect"] = "100-continue"
            case 6:
                headers |= {f"X-{n}": "y" * 100 for n in range(chance.choice((10, 80)))}
            case 7:
                path += chance.choice(("/", "//", "?x=1", "%00", "/../batch", "%2e%2e", "#"))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    length = len(body)
    if not plain and chance.random() < 0.06:
        whole = False
        match chance.randrange(5):
            case 0:
                length += chance.randrange(1, 100)
            case 1:
                lines.append("Transfer-Encoding: chunked")
                body = b"%x\r\n%s\r\nzz\r\n" % (len(body), body)
            case 2:
                lines[0] = chance.choice(("POST", "POST /v1/batch HTTP/9.9", "\x00\x01", "POST http://[ HTTP/1.1"))
            case 3:
                lines.append("no colon here")
            case 4:
                length = max(0, length - 5)
    lines += [f"Content-Length: {length}", "Connection: close", "", ""]
    return Request("\r\n".join(lines).encode("utf-8", "replace"), body, whole)


@dataclass
class Fuzzer:
    """Throws at one house until told to stop, and keeps what must be true afterwards."""

    port: int
    key: str
    statuses: Counter[int] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def run(self, seed: int, until: float) -> None:
        """One thread's work."""
        chance, number = random.Random(seed), 0
        while time.monotonic() < until and not self.wrong:
            number += 1
            mark = f"mark-{seed}-{number}"
            try:
                self._one(chance, mark)
            except Exception as error:  # noqa: BLE001 – a thread must not end unseen
                self.wrong.append(f"{mark}: {error!r}")

    def _one(self, chance: random.Random, mark: str) -> None:
        kind = chance.random()
        if kind < 0.2:
            marks = [f"{mark}-{n}." for n in range(chance.randrange(1, 20))]
            body = json.dumps({"batch": [valid(one) for one in marks]}).encode()
            if self._send(request(chance, self.key, body, plain=True)) != 200:
                self.wrong.append(f"valid events were not taken: {marks}")
            self.kept += marks
            return
        if kind < 0.3:  # a good one beside rubbish that is JSON
            one = f"{mark}."
            batch = [valid(one), *(junk(chance) for _ in range(chance.randrange(1, 4)))]
            chance.shuffle(batch)
            body = json.dumps({"batch": batch}).encode()
            (self.kept if self._send(request(chance, self.key, body, plain=True)) == 200 else self.refused).append(one)
            return
        call = chance.choice(CALLS)
        single = message(chance, f"junk-{mark}")
        whole = {"batch": [single, message(chance, f"more-{mark}")], "sentAt": "2026-03-01T00:00:00Z", "context": {}}
        body = mutated(chance, whole if call in ("batch", "import", "b") or chance.random() < 0.1 else single)
        if chance.random() < 0.25:
            body = bent(chance, body)
        if chance.random() < 0.01:
            body = b'{"batch":[' + b",".join([body] * 3000)[:900_000] + b"]}"
        self._send(request(chance, self.key, body, call=call))

    def _send(self, one: Request) -> int:
        """Send it; the status, 0 where none came and none was owed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as wire:
            if not one.whole:
                wire.settimeout(0.3)
            with suppress(BrokenPipeError, ConnectionResetError):  # it was answered before it was read to its end
                wire.sendall(one.raw)
            answer = http.client.HTTPResponse(wire, method=one.raw[:8].split(b" ")[0].decode("latin-1"))
            try:
                answer.begin()
                told = answer.read()
            except (OSError, http.client.HTTPException) as error:
                if one.whole and not isinstance(error, ConnectionResetError):
                    self._complain(one, f"no answer: {error!r}")
                return 0
        self.statuses[answer.status] += 1
        if answer.status >= 500:
            self._complain(one, f"{answer.status}: {told[:300]!r}")
        elif answer.status >= 400 and one.whole and told and answer.headers.get_content_type() == "application/json":
            error = json.loads(told)["error"]
            if set(error) != {"zh", "en"} or not all(error.values()):
                self._complain(one, f"{answer.status} without a sentence: {told[:300]!r}")
        return answer.status

    def _complain(self, one: Request, what: str) -> None:
        self.wrong.append(f"{what} to {one.head!r} {one.body[:600]!r} ({len(one.body)} bytes)")


def memory(pid: int, name: str) -> int:
    """A figure of /proc/PID/status, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def run(directory: Path, minutes: float, seed: int) -> dict[str, object]:
    """Throw, and look at what is left. Returns the figures; raises AssertionError."""
    made: dict[str, Any] = step(directory, "collect")
    house = House(directory)
    house.up()
    assert house.process is not None
    fuzzer = Fuzzer(house.port, made["py"])
    try:
        fuzzer.run(seed, time.monotonic() + 3)  # everything loaded once
        before = memory(house.process.pid, "VmRSS")
        until = time.monotonic() + minutes * 60
        threads = [threading.Thread(target=fuzzer.run, args=(seed + n + 1, until)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not fuzzer.wrong, "\n".join(fuzzer.wrong[:3])
        assert httpx.get(f"{house.address}/healthz", timeout=60, trust_env=False).json()["ok"]
        while house.waiting():
            time.sleep(0.2)
        after, peak = memory(house.process.pid, "VmRSS"), memory(house.process.pid, "VmHWM")
    finally:
        house.stop()
    assert peak - before < GROWTH, f"the house grew from {before / 1e6:.0f} MB to {peak / 1e6:.0f} MB"
    found: dict[str, Any] = step(directory, "marked")
    stands = Counter(one.removeprefix("py/") for one in found["marked"])
    lost = [one for one in fuzzer.kept if stands[one] != 1]
    assert not lost, f"acknowledged and not there once: {lost[:5]}"
    half = [one for one in fuzzer.refused if stands[one]]
    assert not half, f"refused and there all the same: {half[:5]}"
    return {
        "requests": sum(fuzzer.statuses.values()),
        "statuses": dict(sorted(fuzzer.statuses.items())),
        "marked_and_kept": len(fuzzer.kept),
        "refused_whole": len(fuzzer.refused),
        "memory_mb": [round(figure / 1e6) for figure in (before, after, peak)],
        "events": found["events"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-fuzz-") as root:
        print(json.dumps(run(Path(root) / "data", given.minutes, given.seed)))
