"""Dying around contact ways and reflex rules: a code is made once, a welcome said once, an entry noticed once."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests import stores
from tests.soak.pond import START
from tests.soak.scene import Scene, step

# Died between answer and note, the code is found; died before the call, it is asked for again.
PLACES = (
    "way.answered",
    "way.found",
    "way.claimed",
    "reflex.claimed",
    "reflex.said",
    "reflex.entries_recorded",
)
BUYER = "wm00001"


def every_place(directory: Path) -> dict[str, object]:
    """Die once at each of PLACES, each time going on where it was. Returns what stands at the end."""
    scene, log = Scene(directory), directory.parent / f"{directory.name}.log"
    try:
        scene.build("way", persons=40, guides=5, daily_rate=0.0)
        die(scene, "way.answered", log)
        die(scene, "way.found", log)
        die(scene, "way.claimed", log)
        step(directory, "as_if_called_long_ago")
        live(scene, lambda: count(scene, "connect_code WHERE state <> 'live'") == 0)
        die(scene, "reflex.claimed", log, lambda: scan(scene))
        live(scene, lambda: settled(scene, 1))
        die(scene, "reflex.said", log, lambda: scan(scene))
        live(scene, lambda: settled(scene, 2))
        die(scene, "reflex.entries_recorded", log, lambda: buy(scene))
        live(scene, lambda: settled(scene, 3))
        return check(scene, log)
    finally:
        scene.close()


def die(scene: Scene, place: str, log: Path, act: Callable[[], None] | None = None) -> None:
    """Die at a place; with `act`, something is done once the house answers. Raises AssertionError if it lives on."""
    process = scene.up(place, log)
    try:
        if act is not None:
            answers(process)
            act()
        process.wait(60)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{place} was never passed:\n{Scene.kill(process)}") from None
    process.communicate()


def live(scene: Scene, ready: Callable[[], bool]) -> None:
    """Let the house work until it is so. Raises AssertionError if it never is."""
    process = scene.up()
    try:
        give_up = time.monotonic() + 60
        while not ready():
            assert process.poll() is None, f"the house ended by itself:\n{process.communicate()[0]}"
            assert time.monotonic() < give_up, f"it never came to that:\n{Scene.kill(process)}"
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            Scene.stop(process)


def answers(process: subprocess.Popen[str]) -> None:
    """Wait until the house has said where it is."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"address"'):
            return
    raise AssertionError("the house ended before it answered")


def scan(scene: Scene) -> None:
    """Somebody new scans the card."""
    ((token,),) = rows(
        scene, "SELECT token FROM connect_code c JOIN connect_way w ON w.id = way_id WHERE name = 'card'"
    )
    answer = httpx.post(f"{scene.sandbox_url}/control/scan", json={"way": token}, timeout=10)
    answer.raise_for_status()


def buy(scene: Scene) -> None:
    """A friend of the pond buys for the first time, and so enters the segment that a rule waits for."""
    order = {
        "id": "first-order",
        "type": "order.placed",
        "occurred_at": START.isoformat(),
        "identifiers": [{"kind": "external_userid", "namespace": "ww-pond", "value": BUYER}],
        "source": "till",
        "amount": "9.90",
        "currency": "CNY",
        "props": {"order_id": "first-order"},
    }
    answer = httpx.post(
        f"http://127.0.0.1:{scene.port}/api/v1/events",
        json={"events": [order]},
        headers={"Authorization": f"Bearer {scene.token}"},
        timeout=10,
    )
    answer.raise_for_status()


def settled(scene: Scene, stimuli: int) -> bool:
    """Whether all acts on so many events are final."""
    return (
        count(scene, "reflex_stimulus") == stimuli
        and count(scene, "reflex_act WHERE state IN ('due', 'doing')") == 0
        and count(scene, "log_inboxenvelope WHERE NOT done") == 0
    )


def count(scene: Scene, where: str) -> int:
    """How many rows the house keeps."""
    return int(rows(scene, f"SELECT count(*) FROM {where}")[0][0])


def rows(scene: Scene, query: str, file: str | None = None) -> list[tuple[Any, ...]]:
    """Rows of the house's store, or of the sandbox's file."""
    if file is None:
        return stores.rows(scene.directory, query)
    with closing(sqlite3.connect(scene.directory / file, timeout=20)) as connection:
        return connection.execute(query).fetchall()


def check(scene: Scene, log: Path) -> dict[str, object]:
    """Compare the house's books with the platform's. Raises AssertionError naming what does not agree."""
    passed = Counter(log.read_text().split())
    sandbox = "sandbox/sandbox.sqlite3"
    there = rows(scene, "SELECT state, config_id FROM ways WHERE deleted_at IS NULL ORDER BY 1", file=sandbox)
    known = rows(scene, "SELECT token, config_id FROM connect_code WHERE state = 'live' ORDER BY 1")
    scans = "SELECT count(*), count(sent_wall) FROM welcomes"
    (came, welcomed) = rows(scene, scans, file=sandbox)[0]
    welcomes = Counter(
        state for (state,) in rows(scene, "SELECT state FROM reflex_act WHERE kind = 'welcome' AND rule = 'greet'")
    )
    tags = rows(
        scene,
        "SELECT rule, stimulus_id, state, count(*) FROM reflex_act WHERE kind = 'tag' GROUP BY 1, 2, 3 ORDER BY 1",
    )
    books = step(scene.directory, "way_books")
    told = {"ways": len(there), "scans": came, "welcomed": welcomed, "welcomes": welcomes, "tags": tags, **books}
    said = json.dumps(told)
    assert all(passed[name] for name in PLACES), f"never passed: {[name for name in PLACES if not passed[name]]}"
    assert there == known, f"a code was lost, or made twice: {said}"
    assert came == 2, f"a scan was lost: {said}"
    assert welcomes.total() == came, f"a welcome was forgotten, or began twice: {said}"
    assert welcomes["done"] <= welcomed <= welcomes["done"] + welcomes["unknown"], f"a welcome is told wrongly: {said}"
    assert all(state == "done" and times == 1 for _, _, state, times in tags), f"a tag was lost or put twice: {said}"
    assert sum(rule == "regulars" for rule, *_ in tags) == 1, f"the entry was lost, or noticed twice: {said}"
    assert books["doubled_events"] == 0, f"an event stands twice: {said}"
    assert books["joins"] == books["friendships"] == came, f"a friendship was lost or doubled: {said}"
    assert books["tagged"] == 1, f"the tag did not arrive: {said}"
    return {**told, "passed": {name: passed[name] for name in PLACES}}
