"""Rotate the keys of a small pond while others write into it, and kill the rotation at every named place and at random.

`python -m tests.operations.rotate DIRECTORY --random 20` prints a JSON line; `make soak` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from yutang.kernel.failpoints import FAILPOINTS

PLACES = tuple(name for name in FAILPOINTS if name.startswith("rotate."))
PERSONS = 300
WRITERS = 2
GRACE = timedelta(seconds=0.5)


class Ground:
    """A pond in a directory; what writers were told is kept stands in `acknowledged`."""

    def __init__(self, root: Path) -> None:
        self.data, self.trouble, self.stop = root / "data", root / "trouble", root / "stop"
        self.data.mkdir(parents=True)
        self.trouble.write_text("")
        self.acknowledged = [root / f"acknowledged{number}" for number in range(WRITERS)]
        os.environ["YUTANG_DATA"] = str(self.data)
        from yutang.app import house

        house.configure(self.data)
        house.unlock(self.data)
        self.must(self._found)

    def run(self, places: Sequence[str], kills: int, chance: random.Random) -> dict[str, object]:
        """One rotation for each place and each random kill, beside writers all the while. Raises SystemExit."""
        writers = [self._fork(lambda number=number: self._write(number)) for number in range(WRITERS)]
        while not all(path.exists() for path in self.acknowledged):
            time.sleep(0.01)
        for name in places:
            died = self._wait(self._fork(lambda name=name: self._rotate(name)))
            if died != -signal.SIGKILL:
                raise SystemExit(f"{name} was never passed: {died} {self.trouble.read_text()}")
            self.must(lambda: self._rotate(None))
        for _ in range(kills):
            child = self._fork(lambda: self._rotate(None))
            time.sleep(chance.uniform(0, 0.6))
            os.kill(child, signal.SIGKILL)
            self._wait(child)
            self.must(lambda: self._rotate(None))
        self.stop.touch()
        for writer in writers:
            if died := self._wait(writer):
                raise SystemExit(f"a writer ended with {died} {self.trouble.read_text()}")
        self.must(self._check)
        written = sum(len(path.read_text().splitlines()) for path in self.acknowledged)
        return {"kills": len(places) + kills, "written": written}

    def must(self, act: Callable[[], object]) -> None:
        """Do it in a process of its own. Raises SystemExit with what went wrong there."""
        if died := self._wait(self._fork(act)):
            raise SystemExit(f"ended with {died} {self.trouble.read_text()}")

    def _fork(self, act: Callable[[], object]) -> int:
        child = os.fork()
        if child == 0:
            try:
                act()
            except BaseException:  # noqa: BLE001 – a child must end here, whatever happened
                self.trouble.write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        return child

    @staticmethod
    def _wait(child: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _found(self) -> None:
        from django.core.management import call_command

        from tests.people.pond import found_pond, member
        from yutang.kernel.clock import wall_now
        from yutang.people import identity, services

        call_command("migrate", verbosity=0)
        found_pond()
        births = identity.births_of([[member(f"old{n}")] for n in range(PERSONS)], [wall_now()] * PERSONS, False)
        services.name_persons({birth: (f"name{birth}", wall_now()) for birth in births})

    def _write(self, number: int) -> None:
        """New persons, old ones once more, names and events; each noted once it is durable."""
        from django.db import transaction

        from tests.people.pond import event, member
        from yutang.kernel.clock import wall_now
        from yutang.log.services import record
        from yutang.people import identity, services

        chance, count = random.Random(number), 0
        with self.acknowledged[number].open("a") as out:
            while not self.stop.exists():
                count += 1
                new, old = f"new{chance.randrange(2000)}", f"old{chance.randrange(PERSONS)}"
                births = identity.births_of([[member(new)], [member(old)]], [wall_now()] * 2, False)
                services.name_persons({births[0]: (f"name{births[0]}", wall_now())})
                with transaction.atomic():
                    record([event("tag.added", member(new), id=f"w{number}-{count}", props={"tag": "x"})])
                out.write(f"{new} {births[0]} {old} {births[1]} w{number}-{count}\n")
                out.flush()
                time.sleep(0.002)

    def _rotate(self, place: str | None) -> None:
        """Begin a rotation, or go on with the one that was killed, to its end."""
        from yutang.kernel import failpoints, sealing
        from yutang.operations import rotation

        sealing.PORTION = 40
        failpoints.arm(place, None)
        rotation.begin()
        sealer = rotation.Sealer(GRACE)
        while sealer.turn(0.05):
            time.sleep(0.02)

    def _check(self) -> None:
        from tests.people.pond import member
        from yutang.kernel.encryption import keyring
        from yutang.log.models import InboxEnvelope
        from yutang.log.services import unseal
        from yutang.operations import rotation
        from yutang.organisation.services import check_key
        from yutang.people import identity
        from yutang.people.models import Identifier, Person

        ring = keyring(fresh=True)
        assert ring.former == (), "a former key was left"
        assert not rotation.status().unfinished
        check_key()
        values = list(Identifier.objects.values_list("value", "person_id"))
        persons = dict(values)
        assert len(persons) == len(values), "an identifier stands twice"
        known = identity.find([member(str(value)) for value in persons])
        assert len(known) == len(values), "an identifier is not found by its hash"
        assert {one.value: born for one, (_, born) in known.items()} == persons
        names = dict(Person.objects.exclude(name=None).values_list("pk", "name"))
        events = {event.id for sealed in InboxEnvelope.objects.values_list("sealed", flat=True)
                  for event in unseal(bytes(sealed))}  # fmt: skip
        for path in self.acknowledged:
            for line in path.read_text().splitlines():
                new, born, old, first, event = line.split()
                assert (persons[new], persons[old]) == (int(born), int(first)), f"{line}: somebody was born twice"
                assert names[int(born)] == f"name{born}"
                assert event in events, f"{event} was lost"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--places", nargs="*", choices=PLACES, default=PLACES, help="named places (default: all)")
    parser.add_argument("--random", type=int, default=20, help="how many kills at random instants")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(Ground(given.directory).run(given.places, given.random, random.Random(given.seed))))
    sys.exit(0)
