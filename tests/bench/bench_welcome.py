"""From a scan to the welcome that the platform took, whole: the sandbox in a process of its own, the house as `yutang
up` has it, 100 adds a second (must-show 5: p99 ≤ 1 s, none after 20 s, each code used once).

The sandbox makes the scans and posts the callbacks; the house keeps, judges and calls `send_welcome_msg` through its
real connector. When each was sent and when it was scanned stands in the sandbox's own file, by one clock.

Run: python -m tests.bench.bench_welcome [adds a second] [seconds]
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import uvicorn

from yutang.app import house, serve
from yutang.sandbox.ways import CODE_SECONDS

CORP = "ww-bench"


def main(rate: int = 100, seconds: int = 20) -> None:
    """Print how long welcomes took, how many came too late, and how often the platform said no."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        command = [sys.executable, "-m", "yutang.sandbox", "--dir", str(directory / "sandbox"), "--port", "0"]
        sandbox = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        opened = house.open_house(directory)
        try:
            assert sandbox.stdout is not None
            address = sandbox.stdout.readline().strip().rpartition(" ")[2]
            ours = _run(opened, address, rate, seconds)
        finally:
            opened.close()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            sandbox.terminate()
            sandbox.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        theirs = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        adds = rate * seconds
        print(f"CPU a welcome: house {ours / adds * 1000:.1f} ms, sandbox {theirs / adds * 1000:.1f} ms")
        _tell(directory / "sandbox" / "sandbox.sqlite3", rate)


def _run(opened: house.House, sandbox: str, rate: int, seconds: int) -> float:
    """CPU seconds of the house from the first scan to the last welcome."""
    from tests.bench.bench_reflex import found
    from yutang.app.channels import Channels
    from yutang.app.corps import open_sandbox
    from yutang.connect import services as connect
    from yutang.connect.models import Code
    from yutang.operations.loop import Loop
    from yutang.operations.reflexes import ReflexLane
    from yutang.organisation import services as organisation
    from yutang.organisation.queries import corps

    found(opened)
    organisation.connect_corp("wecom", CORP, "bench-secret-of-the-app")
    Code.objects.all().delete()
    listener = serve.listen(0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    open_sandbox(sandbox, address, next(one for one in corps() if one.corp == CORP))
    channels = Channels(sandbox, shared=True)
    while not Code.objects.filter(way__name="bench", state="live").exists():
        connect.turn(channels.contact_ways())
    way = Code.objects.get(way__name="bench").token
    app = serve.asgi(opened.directory, address, "", with_sandbox=False)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
    stop = threading.Event()
    loop = Loop(opened.warehouse, dict, opened.clock, serve.sandbox_clock(sandbox))
    lane = ReflexLane(channels.welcomes)
    serve._quiet_logs()
    sys.setswitchinterval(serve.SWITCH)  # as the house does
    threads = [
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True),
        threading.Thread(target=loop.run, args=(stop,), daemon=True),
        threading.Thread(target=lane.run, args=(stop,), daemon=True),
    ]
    for thread in threads:
        thread.start()
    while not server.started:
        time.sleep(0.02)
    with httpx.Client(base_url=sandbox, timeout=30, trust_env=False) as http:
        start, used = time.monotonic(), time.process_time()
        for tick in range(seconds * 10):  # a tenth of the second's people at a time
            time.sleep(max(0.0, start + tick / 10 - time.monotonic()))
            http.post("/control/scan", json={"way": way, "times": rate // 10}).raise_for_status()
        deadline = time.monotonic() + CODE_SECONDS
        while http.get("/control/callbacks").json()["welcomes"] < rate * seconds and time.monotonic() < deadline:
            time.sleep(0.2)
        used = time.process_time() - used
        answers = http.get("/control/state").json()["answers"]
    print({name: count for name, count in answers.items() if "welcome" in name})
    stop.set()
    server.should_exit = True
    for thread in threads:
        thread.join(10)
    return used


def _tell(file: Path, rate: int) -> None:
    with closing(sqlite3.connect(file)) as con:
        rows = con.execute("SELECT until_wall - ?, sent_wall FROM welcomes", (CODE_SECONDS,)).fetchall()
    waited = np.array([sent - scanned for scanned, sent in rows if sent is not None])
    p50, p95, p99 = np.percentile(waited, (50, 95, 99))
    print(
        f"scan → welcome taken by the platform: {len(rows):,} adds at {rate}/s, {len(waited):,} welcomed, "
        f"{int((waited > CODE_SECONDS).sum())} after {CODE_SECONDS:.0f} s; p50 {p50 * 1000:.0f} ms, "
        f"p95 {p95 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, longest {waited.max() * 1000:.0f} ms (aim p99 ≤ 1,000 ms)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
