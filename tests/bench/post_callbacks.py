"""Posts letters at an even rate, whether or not earlier ones were answered; for `bench_reflex`, as its own process.

Plain HTTP/1.1 over a few kept connections: a client library would take more of the machine than the house that is
measured. Reads `{"host", "port", "path", "rate", "letters": [[code, query, body]]}` and prints
`{"sent": {code: wall seconds when it was due}, "refused": n}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

CONNECTIONS = 32


async def post_all(work: dict[str, Any]) -> tuple[dict[str, float], int]:
    """Post each at its time; when each was due, and how many were not answered with success."""
    sent: dict[str, float] = {}
    refused = 0
    due: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()

    async def postman() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection(work["host"], work["port"])
        while (letter := await due.get()) is not None:
            query, body = letter
            head = f"POST {work['path']}?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(answer.partition("content-length: ")[2].split("\r\n")[0])
            refused += await reader.readexactly(size) != b"success"
        writer.close()

    postmen = [asyncio.create_task(postman()) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.5)  # connected
    start, wall = time.perf_counter(), time.time()
    for number, (code, query, body) in enumerate(work["letters"]):
        await asyncio.sleep(max(0.0, start + number / work["rate"] - time.perf_counter()))
        sent[code] = wall + number / work["rate"]
        due.put_nowait((query, body))
    for _ in postmen:
        due.put_nowait(None)
    await asyncio.gather(*postmen)
    return sent, refused


if __name__ == "__main__":
    began, unanswered = asyncio.run(post_all(json.load(sys.stdin)))
    print(json.dumps({"sent": began, "refused": unanswered}))
