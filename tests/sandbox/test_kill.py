"""kill -9 at any moment, then go on: the same purchases and sends, none lost, none doubled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from tests.sandbox.conftest import DAY, START, Client, PublicDoor, small_world
from yutang.sandbox.asgi import create_app
from yutang.sandbox.contracts import Customer, Member, Relation, Spec
from yutang.sandbox.store import FILE

PEOPLE = 400
END = START + 16 * DAY


def busy_world() -> Spec:
    mixed = {"at_once": 1.0, "late": 2.0, "night": 2.0, "never": 1.0}
    members = tuple(Member(f"m{n}", f"导购 {n:02d}", mixed, offgate_per_day=0.2) for n in range(6))
    customers = tuple(Customer(f"wm{n:04d}", f"顾客 {n:04d}", daily_rate=0.4, lift=0.5) for n in range(PEOPLE))
    friends = tuple(Relation(f"m{n % 6}", one.external_userid, START - DAY) for n, one in enumerate(customers))
    return small_world(members=members, customers=customers, relations=friends)


def ask_for_sends(client: Client) -> None:
    for number in range(4):
        made = client.send(*(f"wm{n:04d}" for n in range(number, PEOPLE, 2)), sender="", text=f"第 {number} 条")
        assert made["errcode"] == 0


def outcome(directory: Path) -> list[list[tuple]]:
    with contextlib.closing(sqlite3.connect(directory / FILE)) as con:
        return [
            con.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
            for table in ("purchases", "recipients", "member_tasks")
        ]


@contextlib.contextmanager
def process(directory: Path, door: PublicDoor) -> Iterator[tuple[Client, subprocess.Popen[str]]]:
    """The sandbox in a process of its own, killed at the end."""
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "yutang.sandbox",
            "--dir",
            str(directory),
            "--port",
            "0",
            "--events-url",
            door.url,
            "--events-token",
            "door-token",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert line.startswith("sandbox ready: http://127.0.0.1:")
        yield Client(line.split(": ", 1)[1].strip()), running
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate()


@pytest.fixture
def undisturbed(
    tmp_path: Path, house: object, door: PublicDoor
) -> tuple[list[list[tuple]], dict[str, dict[str, object]]]:
    """What the busy world comes to when nobody kills it."""
    app = create_app(tmp_path / "calm", events_url=door.url, events_token="door-token")
    client = Client(house.mount(app))  # type: ignore[attr-defined]
    client.seed(busy_world())
    ask_for_sends(client)
    client.advance(END)
    events = dict(door.events)
    door.events.clear()
    door.arrivals.clear()
    return outcome(tmp_path / "calm"), events


def test_killed_anywhere_it_goes_on_to_the_same_end(
    tmp_path: Path, door: PublicDoor, undisturbed: tuple[list[list[tuple]], dict[str, dict[str, object]]]
) -> None:
    rng = random.Random(5)
    directory = tmp_path / "killed"
    with process(directory, door) as (client, _):
        client.seed(busy_world())
        ask_for_sends(client)
    seen: list[datetime] = []
    for attempt in range(12):
        with process(directory, door) as (client, running):
            seen.append(datetime.fromisoformat(client.state()["now"]))
            if attempt < 3:
                kill_after(directory, seen[-1] + rng.uniform(1, 4) * DAY, running)
            elif attempt == 3:
                kill_while_posting(door, running)
            with contextlib.suppress(httpx.HTTPError):
                moved = client.advance(END)
                if moved["waiting"] == 0:
                    break
    assert len({at for at in seen if START < at < END}) == 3  # each of the first three kills struck in the middle
    assert outcome(directory) == undisturbed[0]
    assert door.events == undisturbed[1]
    assert len(door.arrivals) > len(door.events)  # what was posted but not yet noted came again, under the same ids


def kill_after(directory: Path, at: datetime, running: subprocess.Popen[str]) -> None:
    """Kill the process when its clock has passed an instant, which is while it works on the next step."""

    def watch() -> None:
        with contextlib.closing(sqlite3.connect(directory / FILE)) as con:
            while running.poll() is None:
                now = con.execute("SELECT value FROM settings WHERE name = 'now'").fetchone()[0]
                if now >= at.timestamp():
                    running.kill()
                    return

    threading.Thread(target=watch, daemon=True).start()


def kill_while_posting(door: PublicDoor, running: subprocess.Popen[str]) -> None:
    """Kill the process after the door took the second batch and before the sandbox could note it."""

    def watch() -> None:
        before = len(door.batches)
        while running.poll() is None:
            if len(door.batches) >= before + 2:
                running.kill()
                return
            threading.Event().wait(0.001)

    threading.Thread(target=watch, daemon=True).start()
