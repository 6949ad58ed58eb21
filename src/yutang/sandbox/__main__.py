"""`python -m yutang.sandbox --dir D --port P`: the sandbox in a process of its own, on loopback only."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from pathlib import Path

import uvicorn

from yutang.sandbox.asgi import create_app


def main(arguments: list[str] | None = None) -> None:
    """Serve until stopped. Prints one line with the address when ready; port 0 picks a free one."""
    parser = argparse.ArgumentParser(prog="python -m yutang.sandbox", description="A sandbox WeCom on loopback.")
    parser.add_argument("--dir", type=Path, required=True, help="directory of the sandbox's own file")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--events-url", help="where purchases are posted")
    parser.add_argument("--events-token", help="bearer token for that door")
    chosen = parser.parse_args(arguments)
    app = create_app(chosen.dir, events_url=chosen.events_url, events_token=chosen.events_token)
    try:
        listener = socket.create_server(("127.0.0.1", chosen.port))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it; else 40 ms a call
    except OSError:
        sys.exit(f"端口 {chosen.port} 已被占用，请换一个。 Port {chosen.port} is taken; choose another.")
    asyncio.run(_serve(uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)), listener))


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        print(f"sandbox ready: http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await serving


if __name__ == "__main__":
    main()
