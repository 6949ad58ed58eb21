"""Several processes on one pond (PostgreSQL): each is killed -9 in its turn, others take over, and the books agree.

`python -m tests.soak.apart --kills 30 --seed 1` prints a line of JSON; `make soak` starts a server for it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests import stores
from tests.soak.kill import HABITS
from tests.soak.scene import Scene, check, python

ROLES = ("worker", "worker", "clock", "clock", "web")
RATE, HOURS = 20_000.0, "84"  # so long that every window of the last plan is over
SECONDS = 240
PATIENCE = 60  # seconds in which a process that was told to must have ended


@dataclass
class Crew:
    """The processes that work on a scene, each in its place."""

    scene: Scene
    roles: tuple[str, ...] = ROLES
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    starting: set[int] = field(default_factory=set)
    killed: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        """Start all, and wait until each is ready."""
        self.processes = [self._started(role) for role in self.roles]
        self.starting = set(range(len(self.roles)))
        self.settle()

    def settle(self) -> None:
        """Wait until each is ready that is not yet."""
        for place in sorted(self.starting):
            self._ready(self.processes[place])
        self.starting.clear()

    def kill(self, place: int) -> None:
        """kill -9 one, and start another in its place."""
        self.killed[self.roles[place]] += 1
        Scene.kill(self.processes[place])
        self.processes[place] = self._started(self.roles[place])
        self.starting.add(place)

    def stop(self) -> None:
        """SIGTERM for all, once they are ready (what is started in the background may ignore Ctrl-C). Raises
        AssertionError with what those said that do not end in good order."""
        self.settle()
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        said = [self._last_words(process) for process in self.processes]
        codes = [process.returncode for process in self.processes]
        wrong = [f"{role}: {code}\n{words}" for role, code, words in zip(self.roles, codes, said, strict=True) if code]
        assert not wrong, "\n".join(wrong)

    @staticmethod
    def _last_words(process: subprocess.Popen[str]) -> str:
        """What one said, once it has ended; what its threads are at, if it does not end."""
        try:
            return process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            return f"did not end within {PATIENCE} s\n{process.communicate()[0]}"

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        for process in self.processes:
            if process.poll() is None:
                Scene.kill(process)

    def ready(self) -> dict[str, object]:
        """What the web's /readyz says."""
        with suppress(httpx.HTTPError):
            found: dict[str, object] = httpx.get(f"http://127.0.0.1:{self.scene.port}/readyz", timeout=20).json()
            return found
        return {}

    def _started(self, role: str) -> subprocess.Popen[str]:
        env = {**stores.environment(self.scene.directory), "YUTANG_SANDBOX_URL": self.scene.sandbox_url}
        env |= {"PYTHONFAULTHANDLER": "1"}
        port = ("--port", str(self.scene.port)) if role == "web" else ()
        return python("-m", "yutang.app.main", role, "--json", *port, env=env)

    @staticmethod
    def _ready(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("{"):
                return
        raise AssertionError("a process ended early:\n" + "".join(said))


def killed_in_turn(where: Path, kills: int, seed: int, roles: tuple[str, ...] = ROLES) -> dict[str, object]:
    """A pond whose processes are killed one after the other while its plans run; what the books say at the end."""
    where.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    scene = Scene(where)
    crew = Crew(scene, roles)
    try:
        scene.build("more", "one", HOURS, str(RATE), persons=60, guides=4, habit=HABITS)
        crew.start()
        places = list(range(len(roles)))
        for number in range(kills):
            if number % len(places) == 0:
                rng.shuffle(places)
            time.sleep(rng.uniform(0.3, 1.5))
            crew.kill(places[number % len(places)])
            if scene.at_rest():
                scene.more(f"more{number}", float(HOURS), RATE)
        give_up = time.monotonic() + SECONDS
        while not (scene.at_rest() and crew.ready() == {"ready": True, "worker": True, "clock": True}):
            assert time.monotonic() < give_up, f"they never came to rest: {crew.ready()}"
            assert all(process.poll() is None for process in crew.processes), "a process ended by itself"
            time.sleep(0.2)
        crew.stop()
        return {"killed": dict(crew.killed), **check(scene)}
    finally:
        crew.close()
        scene.close()


def main() -> None:
    """Run and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    assert stores.on_postgres(), "python -m tests.postgres -- python -m tests.soak.apart"
    with tempfile.TemporaryDirectory(prefix="yutang-apart-", dir=os.environ.get("TMPDIR")) as folder:
        print(json.dumps(killed_in_turn(Path(folder) / "pond", given.kills, given.seed), ensure_ascii=False))


if __name__ == "__main__":
    main()
