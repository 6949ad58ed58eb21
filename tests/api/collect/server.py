"""The collect API in a process of its own, asked over standard input what it holds.

`python -m tests.api.collect.server DIRECTORY MOST_EVENTS MOST_WAITING` prints one line of JSON once it answers: its
address and keys. A line of JSON in is answered by one out.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests import stores

KEYS: dict[str, dict[str, Any]] = {
    "shop": {"trusted": True},
    "web": {"origins": ["https://shop.example.com"]},
    "app": {"members": True},
    "slow": {"rate": 10},
    "narrow": {"types": ["page.viewed"]},
    "till": {"types": ["order.placed"]},
}
PAGE = b"""<!doctype html><title>Landing</title><h1>Landing</h1>
<script src="/w.js" data-key="%s"></script>"""


def main() -> None:
    """Serve until standard input ends."""
    directory, most, waiting = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    from yutang.app import house

    opened = house.open_house(directory)
    import uvicorn

    from yutang.api.collect import Collect
    from yutang.app.serve import listen
    from yutang.intake.collect.writer import Collector
    from yutang.organisation.queries import is_set_up

    if not is_set_up():
        _found(directory)
    keys = json.loads((directory / "keys.json").read_text())
    collector = Collector(most_events=most, most_waiting=waiting)
    collector.start()
    listener = listen(0)
    config = uvicorn.Config(Collect(collector, _page(keys)), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(json.dumps({"address": address, "keys": keys}), flush=True)
    desk = Desk(directory, opened.warehouse)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(getattr(desk, asked.pop("do"))(**asked), default=str), flush=True)
    collector.stop()
    opened.close()


def _found(directory: Path) -> None:
    from yutang.intake.collect.keys import add_key
    from yutang.intake.mirror import mirror_nodes
    from yutang.organisation.services import set_up_brand
    from yutang.warehouse.current import current_warehouse

    set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    mirror_nodes(current_warehouse())
    made = {name: add_key(name, name, **more) for name, more in KEYS.items()}
    (directory / "keys.json").write_text(json.dumps(made))


def _page(keys: dict[str, str]) -> Any:
    """A landing page of the same origin, and nothing else."""

    async def page(scope: Any, receive: Any, send: Any) -> None:
        body = PAGE % keys["web"].encode()
        headers = [(b"content-type", b"text/html"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return page


class Desk:
    """What tests ask of the server's own side."""

    def __init__(self, directory: Path, warehouse: Any) -> None:
        self.directory, self.warehouse = directory, warehouse
        self.lock: Any = None

    def inbox(self) -> list[Any]:
        """Every event in the inbox, in order of arrival."""
        import msgspec

        from yutang.log.models import InboxEnvelope
        from yutang.log.services import unseal

        rows = InboxEnvelope.objects.order_by("pk")
        return [msgspec.to_builtins(event) for row in rows for event in unseal(bytes(row.sealed))]

    def timeline(self) -> list[Any]:
        """Every event of the warehouse in (time, receipt) order, once all is pumped."""
        from yutang.intake.pump import pump_until_empty
        from yutang.warehouse.contracts import Statement

        pump_until_empty(self.warehouse)
        text = "SELECT event_id, occurred_at, received_at, person FROM events ORDER BY occurred_at, received_at"
        return self.warehouse.query(Statement(text)).to_pylist()

    def troubles(self) -> list[Any]:
        """What messages met."""
        from dataclasses import asdict

        from yutang.intake.collect.held import troubles
        from yutang.organisation.queries import OWNER

        return [asdict(one) for one in troubles(OWNER)]

    def sample(self, key: int, type_: str, problem: str) -> list[Any]:
        """The newest held message of a kind, masked."""
        from dataclasses import asdict

        from yutang.intake.collect.held import sample
        from yutang.organisation.queries import OWNER

        return [asdict(one) for one in sample(OWNER, key, type_, problem)]

    def define(self, key: int, type_: str) -> str:
        """Define a type from what was seen and keep it."""
        from yutang.intake.collect.held import proposed
        from yutang.log.registry import save_event_type
        from yutang.organisation.queries import OWNER

        document = proposed(OWNER, key, type_)
        save_event_type(document, OWNER)
        return document.as_yaml()

    def apply(self, document: dict[str, Any]) -> None:
        """Keep an event type."""
        from yutang.kernel.documents import parse
        from yutang.log.documents import EventTypeDocument
        from yutang.log.registry import save_event_type
        from yutang.organisation.queries import OWNER

        save_event_type(parse(EventTypeDocument, document), OWNER)

    def replay(self) -> list[int]:
        """Replay all that is held."""
        from yutang.intake.collect.held import replay
        from yutang.organisation.queries import OWNER

        return list(replay(OWNER))

    def raw(self) -> str:
        """Every byte of the database and its log."""
        if stores.on_postgres():
            return "\n".join(stores.dump(self.directory).values())
        return b"".join(path.read_bytes() for path in self.directory.glob("yutang.sqlite3*")).decode("latin-1")

    def add_key(self, name: str) -> str:
        """Make a key as another process would."""
        from yutang.intake.collect.keys import add_key

        return add_key(name, name)

    def revoke_key(self, name: str) -> None:
        """Revoke a key as another process would."""
        from yutang.intake.collect.keys import revoke_key

        revoke_key(name)

    def hold_lock(self, held: bool) -> None:
        """Hold the database's write lock (PostgreSQL: the inbox's), so that nothing can be committed, or let it go."""
        if held and stores.on_postgres():
            import psycopg

            self.lock = psycopg.connect(stores.address(self.directory))
            self.lock.execute("LOCK TABLE log_inboxenvelope IN EXCLUSIVE MODE")
        elif held:
            self.lock = sqlite3.connect(self.directory / "yutang.sqlite3", isolation_level=None)
            self.lock.execute("BEGIN IMMEDIATE")
        elif self.lock is not None:
            self.lock.close()
            self.lock = None


if __name__ == "__main__":
    main()
