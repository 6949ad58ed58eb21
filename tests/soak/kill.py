"""Dying at every named place and at random ones, and what the books say afterwards."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.soak.scene import Scene, check

HABITS = {"at_once": 0.4, "late": 0.2, "night": 0.2, "never": 0.2}
CREATE, CANCEL = "externalcontact/add_msg_template", "externalcontact/cancel_groupmsg_send"
FORBIDDEN = 48002  # "api forbidden"; -1, "busy", would be tried again after a pause
RATE = 20_000.0
# Dying between claim and call leaves a call that was never made; a dropped answer leaves one that was.
PLACES = (
    "plan.audience_frozen",
    "plan.runs_opened",
    "plan.decisions_written",
    "plan.before_commit",
    "plan.committed",
    "media.claimed",
    "media.uploaded",
    "issue.ready",
    "issue.claimed",
    "issue.not_found",
    "issue.answered",
    "issue.found",
    "issue.bound",
    "issue.unknown",
    "read.receipts_written",
    "expire.cancelled",
    "expire.read",
    "expire.receipts_written",
    "pump.after_claim",
    "pump.after_persons",
    "pump.after_identity",
    "pump.after_append",
    "pump.after_mirrored",
    "pump.after_done",
)
NOT_WITHDRAWN = "expire.given_up"  # passed only where the platform withdraws nothing, in a pond where nobody taps


@dataclass
class Killer:
    """Kills one pond again and again, and keeps count."""

    scene: Scene
    plans: int = 0

    def more(self, plans: int, hours: float) -> None:
        """More plans, and more time for them to run."""
        names = ",".join(f"p{self.plans + index}" for index in range(plans))
        self.plans += plans
        self.scene.more(names, hours, RATE)

    def at(self, name: str, log: Path) -> None:
        """Die at a named place. Raises AssertionError if the house never comes by it."""
        for _ in range(3):
            if name == "issue.unknown":
                self.scene.fault(CREATE, "drop_answer", 1)
            process = self.scene.up(name, log)
            died = self.scene.wait(process, 1_800)
            if died:
                output = process.communicate(timeout=300)[0]
                assert process.returncode == -9, f"at {name} the house ended by itself:\n{output}"
                return
            Scene.stop(process)
            self.more(2, 60)
        raise AssertionError(f"the house never came by {name}")

    def at_random(self, rng: random.Random) -> None:
        """Die somewhere within the next seconds; now and then the platform loses an answer too."""
        if rng.random() < 0.3:
            self.scene.fault(CREATE, "drop_answer", 1)
        process = self.scene.up()
        try:
            self.scene.wait(process, rng.uniform(2.0, 6.0))
        except TimeoutError:
            return  # killed while at work: what was wanted
        if process.poll() is None:
            Scene.kill(process)
        self.more(1, 36)

    def settle(self) -> dict[str, object]:
        """Give everything time to come to its end, and compare the books with the world."""
        self.more(1, 240)  # a plan may start two days on, and has two waves of two attempts
        return self.run_out()

    def run_out(self) -> dict[str, object]:
        """Go on to the end of the time that was given, and compare the books with the world."""
        process = self.scene.up()
        died = self.scene.wait(process, 1_800)
        output = process.communicate()[0] if died else Scene.stop(process)
        assert not died, f"the house ended by itself:\n{output}"
        return check(self.scene)


def every_place(directory: Path, places: Sequence[str] = PLACES) -> dict[str, object]:
    """Die once at each of `places`, each time going on where it was. Returns the books, the world and the counts."""
    scene, log = Scene(directory), directory.parent / "failpoints.log"
    try:
        scene.build(persons=120, guides=6, habit=HABITS)
        killer = Killer(scene)
        killer.more(3, 96)
        for name in places:
            killer.at(name, log)
        answer = killer.settle()
    finally:
        scene.close()
    passed = Counter(log.read_text().split())
    assert all(passed[name] for name in places), f"never passed: {[name for name in places if not passed[name]]}"
    return {**answer, "passed": {name: passed[name] for name in places}}


def one_place(directory: Path, name: str) -> dict[str, object]:
    """Die once at a place in a pond so small that a test can wait for its end. Returns the books and the world."""
    scene, log = Scene(directory), directory.parent / f"{directory.name}.log"
    habit = "never" if name == NOT_WITHDRAWN else HABITS
    try:
        scene.build("more", "p0", "132", "1e7", persons=40, guides=5, habit=habit)  # two waves of two attempts
        if name == NOT_WITHDRAWN:
            scene.fault(CANCEL, "refuse", errcode=FORBIDDEN)
        killer = Killer(scene, plans=1)
        killer.at(name, log)
        answer = killer.run_out()
    finally:
        scene.close()
    passed = Counter(log.read_text().split())
    assert passed[name] == 1, f"died elsewhere: {passed}"
    return answer


def random_kills(directory: Path, kills: int, seed: int, until: float | None = None) -> dict[str, object]:
    """Kill -9 at random moments (at most until a monotonic time), then compare. Returns books, world and kills."""
    scene, rng = Scene(directory), random.Random(seed)
    done = 0
    try:
        scene.build(persons=120, guides=6, habit=HABITS, seed=seed)
        killer = Killer(scene)
        killer.more(4, 240)
        while done < kills and (until is None or time.monotonic() < until):
            killer.at_random(rng)
            done += 1
        answer = killer.settle()
    finally:
        scene.close()
    return {**answer, "kills": done}
