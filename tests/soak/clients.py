"""Two SDKs that others wrote deliver events while the server is killed: every event stands once, in order.

`python -m tests.soak.clients --events 100000 --kills 5` sends so many events by segment-analytics-python and, where
node and npm are, as many by @segment/analytics-node, both at once, to one `yutang up` that is killed with SIGKILL again
and again. The SDKs are configured as their documentation allows: queues that hold what waits for a server that is away,
and more retries. Prints a line of JSON; an AssertionError says what was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.soak.scene import free_port, python, step

BASE = datetime(2026, 3, 1, tzinfo=UTC)
PERSONS = 200
LOOKED_AT = 25
SCRIPT = """
const { Analytics } = require('@segment/analytics-node')
const [host, writeKey, count, persons, base] = process.argv.slice(2)
const client = new Analytics({
  host, writeKey, flushAt: 100, flushInterval: 100, maxRetries: 60, httpRequestTimeout: 20000 })
let waiting = 0, failed = 0, free = null
const done = (error) => {
  waiting--
  if (error) { failed++; console.error(String(error)) }
  if (free) { free(); free = null }
}
const send = async () => {
  for (let n = 0; n < +count; n++) {
    while (waiting >= 20000) await new Promise((resolve) => { free = resolve })
    waiting++
    const round = Math.floor(n / +persons)
    client.track({ userId: `node-${n % +persons}`, event: 'Product Viewed', properties: { sku: `S-${n}` },
      timestamp: new Date(+base + 1000 * (Math.floor(round / 2) + 600 * (round % 3))), messageId: `node-${n}.` }, done)
    if (n % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await client.closeAndFlush()
  if (failed) process.exitCode = 1
}
send()
"""


def at(n: int) -> datetime:
    """When a client says that its event happened: often at the same time as another of the same person, and not in the
    order in which they are sent."""
    turn = n // PERSONS
    return BASE + timedelta(seconds=turn // 2 + 600 * (turn % 3))


@dataclass
class House:
    """A house that is killed and started again at the same address."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None
    kills: int = 0

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Start it, and wait until it answers."""
        env = {"YUTANG_DATA": str(self.directory)}
        self.process = python(
            "-W", "ignore", "-m", "yutang.app.main", "up", "--port", str(self.port), "--json", env=env
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith('{"address"'):
                return
        raise AssertionError(f"the house did not start: {self.process.wait()}")

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()
        self.kills += 1

    def stop(self) -> None:
        """By its door."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.communicate(timeout=60)

    def arrived(self) -> int:
        """How many events the inbox has taken in, by its own file."""
        return self._one("SELECT coalesce(sum(events), 0) FROM log_inboxenvelope")

    def waiting(self) -> int:
        """How many of them the warehouse does not hold yet."""
        return self._one("SELECT coalesce(sum(events), 0) FROM log_inboxenvelope WHERE NOT done")

    def _one(self, text: str) -> int:
        with closing(sqlite3.connect(self.directory / "yutang.sqlite3", timeout=20)) as connection:
            return int(connection.execute(text).fetchone()[0])


def by_python(address: str, key: str, count: int, wrong: list[str]) -> None:
    """Send by segment-analytics-python; returns once all is delivered."""
    import segment.analytics as analytics

    client = analytics.Client(
        key, host=address, gzip=True, max_queue_size=2 * count, max_retries=60, timeout=20, upload_interval=0.1,
        on_error=lambda error, batch: wrong.append(f"{error}: {len(batch)} events"),
    )  # fmt: skip
    for n in range(count):
        taken, _ = client.track(
            f"py-{n % PERSONS}", "Product Viewed", {"sku": f"S-{n}"}, timestamp=at(n), message_id=f"py-{n}."
        )
        if not taken:
            wrong.append(f"event {n} was not taken by the client")
    client.flush()
    client.join()


def node_folder(root: Path) -> Path | None:
    """A folder in which node finds @segment/analytics-node: $NODE_PATH's, or one that npm fills; None without."""
    if shutil.which("node") is None:
        return None
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        if folder and (Path(folder) / "@segment" / "analytics-node").is_dir():
            return Path(folder).parent
    if shutil.which("npm") is None:
        return None
    root.mkdir()
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(root), "@segment/analytics-node"]
    return root if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None


def by_node(folder: Path, address: str, key: str, count: int, wrong: list[str]) -> None:
    """Send by @segment/analytics-node; returns once all is delivered."""
    script = folder / "soak.js"
    script.write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    command = ["node", str(script), address, key, str(count), str(PERSONS), str(int(BASE.timestamp() * 1000))]
    done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        wrong.append(done.stderr[-2000:])


def run(directory: Path, events: int, kills: int) -> dict[str, object]:
    """Deliver, kill, compare. Returns the figures; raises AssertionError for what does not agree."""
    made: dict[str, Any] = step(directory / "data", "collect")
    house = House(directory / "data")
    house.up()
    wrong: list[str] = []
    started = time.monotonic()
    senders = {"py": threading.Thread(target=by_python, args=(house.address, made["py"], events, wrong))}
    folder = node_folder(directory / "node")
    if folder is not None:
        senders["node"] = threading.Thread(target=by_node, args=(folder, house.address, made["node"], events, wrong))
    try:
        for sender in senders.values():
            sender.start()
        for number in range(kills):
            _until(house, events * len(senders) * (2 * number + 1) // (2 * kills), list(senders.values()))
            house.kill()
            house.up()
        for sender in senders.values():
            sender.join()
        assert not wrong, f"a client gave events up: {wrong[:5]}"
        seconds = time.monotonic() - started
        repeated = house.arrived() - events * len(senders)
        while house.waiting():
            time.sleep(0.2)
        timelines = _timelines(house.address, made["token"], list(senders))
    finally:
        house.stop()
    found: dict[str, Any] = step(directory / "data", "collected")
    wanted = {name: {"events": events, "distinct": events} for name in senders}
    assert found["sources"] == wanted, f"lost or doubled: {found['sources']} instead of {wanted}"
    return {
        "clients": list(senders),
        "events": events * len(senders),
        "kills": house.kills,
        "delivered_again": repeated,
        "timelines_in_order": timelines,
        "seconds": round(seconds, 1),
    }


def _until(house: House, arrived: int, senders: Sequence[threading.Thread]) -> None:
    """Wait until so many events have arrived."""
    while house.arrived() < arrived:
        assert any(sender.is_alive() for sender in senders), "the clients ended before the last kill"
        time.sleep(0.05)


def _timelines(address: str, token: str, names: Sequence[str]) -> int:
    """Look at some persons' timelines as the API tells them; returns how many are in (time, receipt) order."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=60, trust_env=False) as client:
        for name in names:
            for number in range(LOOKED_AT):
                (person,) = client.get("/persons", params={"find": f"{name}-{number}"}).json()["items"]
                told = [(one["occurred_at"], one["received_at"]) for one in _events(client, person["person"])]
                assert told, f"{name}-{number} has no timeline"
                assert told == sorted(told, reverse=True), f"the timeline of {name}-{number} is out of order"
    return LOOKED_AT * len(names)


def _events(client: httpx.Client, person: int) -> Iterator[dict[str, Any]]:
    offset: int | None = 0
    while offset is not None:
        answer = client.get(f"/persons/{person}/events", params={"limit": 200, "offset": offset})
        answer.raise_for_status()
        yield from answer.json()["items"]
        offset = answer.json()["next_offset"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="of each client")
    parser.add_argument("--kills", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-clients-") as root:
        print(json.dumps(run(Path(root), given.events, given.kills)))
