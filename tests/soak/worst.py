"""A platform on its worst day, and a house that is killed every minute of it.

A fifth of the platform's answers are dropped after the act was done; of its callbacks a tenth is lost, a tenth told
twice, a tenth late, so that the next ones overtake it. Meanwhile plans run, people scan, and friendships end. At the
end one reconciling sync reads the platform anew, and then no batch was issued twice, nobody got a message twice, every
friendship there is one here, and no other is.

Run: python -m tests.soak.worst --minutes 20
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.soak.kill import HABITS, Killer
from tests.soak.scene import Scene, step
from tests.soak.ways import answers, rows

LOST, TWICE, LATE, DROPPED = 0.1, 0.1, 0.1, 0.2
AGE = 60.0  # seconds that each house lives
PULSE = 2.0  # seconds between two things that people do
FAULTS = [
    {"api": "*", "kind": "drop_answer", "probability": DROPPED},
    {"api": "callback", "kind": "lose", "probability": LOST},
    {"api": "callback", "kind": "duplicate", "probability": TWICE / (1 - LOST)},
    {"api": "callback", "kind": "latency", "probability": LATE / (1 - LOST - TWICE), "seconds": 3.0},
]


def run(directory: Path, minutes: float, seed: int) -> dict[str, object]:
    """Live through it; returns what was done and how books and platform stand. Raises AssertionError otherwise."""
    scene, chance = Scene(directory), random.Random(seed)
    done = {"kills": 0, "scans": 0, "left": 0}
    end = time.monotonic() + minutes * 60
    try:
        scene.build("way", persons=200, guides=8, habit=HABITS, seed=seed)
        killer = Killer(scene)
        killer.more(3, 48)
        control(scene, "faults", faults=FAULTS)
        while time.monotonic() < end:
            process = scene.up()
            answers(process)
            dies = min(end, time.monotonic() + AGE)
            while time.monotonic() < dies:
                assert process.poll() is None, f"the house ended by itself:\n{process.communicate()[0]}"
                people(scene, chance, done)
                time.sleep(PULSE)
            Scene.kill(process)
            done["kills"] += 1
            killer.more(1, 24)
        control(scene, "faults", faults=[])
        missed = step(directory, "reconcile", scene.sandbox_url)
        answer = killer.settle()
        return {**done, "missed_by_callbacks": missed, **friendships(scene), **answer}
    finally:
        scene.close()


def people(scene: Scene, chance: random.Random, done: dict[str, int]) -> None:
    """Some scan; now and then a friendship ends, from either side."""
    made = rows(scene, "SELECT token FROM connect_code c JOIN connect_way w ON w.id = way_id WHERE name = 'card'")
    if not made:
        return
    ((token,),) = made
    times = chance.randint(1, 5)
    try:
        control(scene, "scan", way=token, times=times)
    except httpx.HTTPStatusError:
        return  # the code is not made yet: its answer was lost, too
    done["scans"] += times
    if chance.random() < 0.5:
        member, customer = chance.choice(followed(scene))
        control(scene, "leave", userid=member, external_userid=customer, by=chance.choice(["customer", "member"]))
        done["left"] += 1


def followed(scene: Scene, view: str = "friends") -> list[tuple[str, str]]:
    """Who is whose friend on the platform; by the view `visible`, also those whom the customer has deleted: the
    platform goes on listing them, and only a message that does not arrive tells."""
    return rows(scene, f"SELECT userid, external_userid FROM {view} ORDER BY 1, 2", file="sandbox/sandbox.sqlite3")


def control(scene: Scene, door: str, **body: Any) -> None:
    """Ask the sandbox for something."""
    httpx.post(f"{scene.sandbox_url}/control/{door}", json=body, timeout=30).raise_for_status()


def friendships(scene: Scene) -> dict[str, object]:
    """Compare who follows whom here and there. Raises AssertionError."""
    ours = {(member, name) for member, name in step(scene.directory, "friends")["friends"]}  # type: ignore[attr-defined]
    real, listed = set(followed(scene)), set(followed(scene, "visible"))
    assert real <= ours, f"a customer is missing: {sorted(real - ours)[:10]}"
    assert ours <= listed, f"no friends any more: {sorted(ours - listed)[:10]}"
    return {"friends": len(real), "ours": len(ours), "listed": len(listed)}


def main() -> None:
    """Print what was done."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-worst-") as folder:
        print(json.dumps(run(Path(folder) / "data", chosen.minutes, chosen.seed), ensure_ascii=False))


if __name__ == "__main__":
    main()
