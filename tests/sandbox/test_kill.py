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

from tests.sandbox.conftest import DAY, START, Client, House, PublicDoor, small_world
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
    return small_world(members=members, customers=customers, relations=friends, arrivals_per_day=2.0)


def ask_for_sends(client: Client) -> None:
    for number in range(4):
        made = client.send(*(f"wm{n:04d}" for n in range(number, PEOPLE, 2)), sender="", text=f"第 {number} 条")
        assert made["errcode"] == 0


def prepare(directory: Path, door: PublicDoor, house: House) -> Client:
    client = Client(house.mount(create_app(directory, events_url=door.url, events_token="door-token")))
    client.seed(busy_world())
    ask_for_sends(client)
    return client


def outcome(directory: Path) -> list[list[tuple]]:
    with contextlib.closing(sqlite3.connect(directory / FILE)) as con:
        return [
            con.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
            for table in ("purchases", "arrivals", "recipients", "member_tasks")
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
    tmp_path: Path, house: House, door: PublicDoor
) -> tuple[list[list[tuple]], dict[str, dict[str, object]]]:
    """What the busy world comes to when nobody kills it."""
    client = prepare(tmp_path / "calm", door, house)
    client.advance(END)
    events = dict(door.events)
    door.events.clear()
    door.arrivals.clear()
    return outcome(tmp_path / "calm"), events


@pytest.mark.long
def test_killed_anywhere_it_goes_on_to_the_same_end(
    tmp_path: Path,
    house: House,
    door: PublicDoor,
    undisturbed: tuple[list[list[tuple]], dict[str, dict[str, object]]],
) -> None:
    rng = random.Random(5)
    directory = tmp_path / "killed"
    prepare(directory, door, house)
    seen: list[datetime] = []
    for attempt in range(8):
        with process(directory, door) as (client, running):
            seen.append(datetime.fromisoformat(client.state()["now"]))
            if attempt < 2:
                kill_at_batch(door, rng.randint(2, 6), running)
            elif attempt == 2:
                threading.Timer(rng.uniform(0.02, 0.1), running.kill).start()  # wherever that is
            with contextlib.suppress(httpx.HTTPError):
                moved = client.advance(END)
                if moved["waiting"] == 0:
                    break
    assert len({at for at in seen if START < at < END}) >= 2  # the first two kills, at least, struck in the middle
    assert outcome(directory) == undisturbed[0]
    assert door.events == undisturbed[1]
    assert len(door.arrivals) > len(door.events)  # what was posted but not yet noted came again, under the same ids


def kill_at_batch(door: PublicDoor, batch: int, running: subprocess.Popen[str]) -> None:
    """Kill the process once the door took its n-th batch and before the sandbox can note that: also mid-advance."""
    last = len(door.batches) + batch

    def strike() -> None:
        if len(door.batches) == last:
            running.kill()
            running.wait()

    door.on_batch = strike
