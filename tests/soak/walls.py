"""`python -m tests.soak.walls`: the sandbox is driven into each wall over simulated months, and the radar must have
said so 30 days before; where the pace is flat and the walls are far, it must say nothing.

A world is a pond of its own in a process of its own. Each day people come, scan, send and make codes at the world's
pace; the house reads the platform anew and looks at its walls; the next day comes. A wall is hit when the sandbox
refuses.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import exp
from pathlib import Path
from typing import Any

import httpx
import structlog

DAYS = 300
EVERY = 3  # days between two looks: what lies between is between
PROMISE = 30
NOBODY_LEFT = 41048  # every recipient has had their share
TAP = timedelta(minutes=20)  # by when a guide has tapped


@dataclass(frozen=True, slots=True)
class Pace:
    """How many a day: `start`, growing by `growth` a day; `noise` says how ragged a day is."""

    growth: float
    noise: float

    def draw(self, rng: random.Random, start: float, day: int) -> int:
        """So many on that day. Saturdays bring more, Mondays fewer; some days bring a crowd."""
        mean = start * exp(self.growth * day)
        if self.noise:
            mean *= (0.7, 1.0, 1.0, 1.0, 1.1, 1.5, 0.7)[day % 7] * exp(rng.gauss(0, self.noise) - self.noise**2 / 2)
            mean *= 4 if rng.random() < 0.02 * self.noise else 1
        return _poisson(rng, mean) if self.noise else int(mean * (day + 1)) - int(mean * day)


def _poisson(rng: random.Random, mean: float) -> int:
    count, left = 0, mean
    while (left := left - rng.expovariate(1.0)) > 0:
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class Setting:
    """A world: its pace, where its walls stand, and at what daily pace they are approached."""

    pace: Pace
    limits: Mapping[str, int]
    starts: Mapping[str, float]
    hits: bool = True


NEAR = {"contacts": 500, "codes": 120, "links": 360, "group_seats": 110, "received": 28}
FAR = {"contacts": 90_000, "codes": 500_000, "links": 50_000, "group_seats": 4_000, "received": 28}
STARTS = {"contacts": 1.2, "codes": 0.4, "links": 1.1, "group_seats": 0.4, "received": 0.3}
SLOW = {"contacts": 1.2, "codes": 0.2, "links": 1.0, "group_seats": 0.3, "received": 0.2}
EVEN = {"contacts": 2.6, "codes": 0.65, "links": 2.0, "group_seats": 0.65, "received": 0.5}
SETTINGS = {
    "steady": Setting(Pace(0.0, 0.0), NEAR, EVEN),
    "noisy": Setting(Pace(0.0, 0.5), NEAR, EVEN),
    "growing": Setting(Pace(0.006, 0.0), NEAR, STARTS),
    "growing_noisy": Setting(Pace(0.006, 0.5), NEAR, STARTS),
    "flat_far": Setting(Pace(0.0, 0.0), FAR, SLOW, hits=False),
    "flat_far_noisy": Setting(Pace(0.0, 0.5), FAR, SLOW, hits=False),
}


@dataclass
class Wall:
    """What happened at a wall: the day it was hit, and the episodes of warning (first day, last day)."""

    hit: int | None = None
    episodes: list[list[int]] = field(default_factory=list)


class World:
    """A pond whose walls are approached, day by day."""

    def __init__(self, directory: Path, address: str, warehouse: Any, setting: Setting, seed: int) -> None:
        from yutang.app.channels import Channels

        self.directory, self.address, self.warehouse, self.setting = directory, address, warehouse, setting
        self.rng = random.Random(seed)
        self.channels = Channels(address)
        # a day takes longer than an idle connection is kept: each question comes by its own
        once = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=address, timeout=60, limits=once)
        self.walls = {name: Wall() for name in NEAR}
        self.day = 0
        self.people = 0
        self.sent = 0
        self._found()

    def ask(self, door: str, **body: object) -> tuple[int, Any]:
        """What a control door answers: its status and its body."""
        answer = self.http.post(f"/control/{door}", json=body)
        return answer.status_code, answer.json()

    def _found(self) -> None:
        from yutang.channels.ports.inheritance import ACQUISITION
        from yutang.connect.documents import ContactWay
        from yutang.connect.group_ways import GroupWayForm, keep_group_way
        from yutang.connect.services import keep_way
        from yutang.documents.services import save_document
        from yutang.guard.radar.documents import WallsDocument
        from yutang.organisation.queries import OWNER
        from yutang.people import grouped

        limits = self.setting.limits
        told = {"source": "tests.soak.walls", "read_on": "2026-03-01"}
        seats = limits["group_seats"] // 2
        named = {**limits, "group_seats": seats, "moments": 4}
        document = {
            "kind": "walls", "name": "wecom", "title": {"zh": "试", "en": "tried"},
            "contacts": {"free": limits["contacts"], "per_head": "0.1", "steps": [{"size": 5000}], **told},
            "limits": {
                name: {"most": named[name], **told} for name in ("codes", "group_seats", "received", "moments")
            },
        }  # fmt: skip
        save_document(WallsDocument.model_validate(document), "tests")
        self.ask("walls", contacts=limits["contacts"], configs=limits["codes"])
        self.ask("groups", do="rules", detail_lag=0, scan_most=seats, chat_most=seats * 2)
        self.ask("acquisition", do="quota", left=limits["links"])
        for number in range(2):
            self.ask("groups", do="create", owner=f"guide{number:02}", name=f"群{number}")
        link = {"kind": "contact_way", "name": "link", "title": {"zh": "链接", "en": "Link"}, "channel": ACQUISITION}
        keep_way(ContactWay.model_validate({**link, "routing": {"staff": ["guide00"]}, "source": "ad"}), OWNER)
        self._read("groups")
        groups = tuple(one.id for one in grouped.groups(OWNER)[0])
        keep_group_way(OWNER, GroupWayForm("群码", groups))
        self._turn()

    def _read(self, *kinds: str) -> None:
        from yutang.channels.sync import services as sync
        from yutang.organisation.queries import OWNER

        for kind in kinds:
            sync.ask(OWNER, kind)
        while sync.work(self.channels.syncs()):
            pass

    def _turn(self) -> None:
        """The house makes what is wanted, and reads the quota."""
        from yutang.channels.acquisition.services import read_quota
        from yutang.channels.ports.inheritance import ACQUISITION, AcquisitionPort
        from yutang.connect import group_ways
        from yutang.connect import services as connect

        ports = self.channels.contact_ways()
        for _ in range(30):
            if not connect.turn(ports) + group_ways.turn(self.channels.join_ways()):
                break
        port = next(one for (channel, _), one in ports.items() if channel == ACQUISITION)
        assert isinstance(port, AcquisitionPort)
        read_quota("ww-pond", port)

    def run(self, days: int) -> dict[str, Any]:
        """So many days; returns what happened at each wall."""
        from yutang.guard.radar import queries, services
        from yutang.organisation.queries import OWNER

        doings: Mapping[str, Callable[[int], bool]] = {
            "contacts": self._come, "links": self._come_by_link, "group_seats": self._join, "codes": self._make,
            "received": self._send,
        }  # fmt: skip
        for self.day in range(days):
            for name, doing in doings.items():
                wall = self.walls[name]
                many = self.setting.pace.draw(self.rng, self.setting.starts[name], self.day)
                if wall.hit is None and many and not doing(many):
                    wall.hit = self.day
                    if name == "contacts":  # more were bought: the other walls are still to be hit
                        self.ask("walls", contacts=0)
            if self.day % EVERY:
                self._tomorrow()
                continue
            self._turn()
            self._read("customers", "groups")
            services.look(self.warehouse, self.channels.moments())
            warned = {one.wall.name for one in queries.warnings(OWNER)}
            for name, wall in self.walls.items():
                if name not in warned:
                    continue
                if wall.episodes and wall.episodes[-1][1] >= self.day - EVERY:
                    wall.episodes[-1][1] = self.day
                else:
                    wall.episodes.append([self.day, self.day])
            if all(wall.hit is not None for wall in self.walls.values()):
                break
            self._tomorrow()
        return self._result()

    def _tomorrow(self) -> None:
        from tests.soak.pond import START
        from yutang.organisation import clock as brand_clock

        to = START + timedelta(days=self.day + 1)
        self.ask("advance", to=(to - timedelta(microseconds=1)).isoformat())
        brand_clock.move_clock(to)

    def _new(self) -> str:
        self.people += 1
        return f"wm-new-{self.people:06}"

    def _come(self, many: int) -> bool:
        """People become a guide's friends; whether all could. (Those who come by links and into groups count too.)"""
        return all(
            self.ask("befriend", userid=f"guide{self.people % 4:02}", external_userid=self._new())[0] == 200
            for _ in range(many)
        )

    def _come_by_link(self, many: int) -> bool:
        """Friends of the house already come once more, by the link: each takes one of the quota."""
        for _ in range(many):
            who = f"wm{self.rng.randrange(60):05}"
            status, _ = self.ask("acquisition", do="add", link=self._link(), external_userid=who)
            if status != 200:
                return False
        return True

    def _link(self) -> str:
        from yutang.connect.models import Code

        return str(Code.objects.get(way__name="link").config_id)

    def _join(self, many: int) -> bool:
        """People scan the code of the groups; whether all got in."""
        from yutang.connect.models import GroupWay

        who = [f"wm-seat-{self.day}-{index}" for index in range(many)]
        for one in who:  # friends of somebody: what is tried here are the seats
            if self.ask("befriend", userid="guide03", external_userid=one)[0] != 200:
                return True
        _, said = self.ask("groups", do="scan", way=GroupWay.objects.get().token, members=who)
        return None not in said["chats"]

    def _make(self, many: int) -> bool:
        """The house makes new contact ways; whether the platform took all."""
        from yutang.connect.documents import ContactWay
        from yutang.connect.models import Code
        from yutang.connect.services import keep_way
        from yutang.organisation.queries import OWNER

        for index in range(many):
            way = {
                "kind": "contact_way", "name": f"way_{self.day}_{index}", "title": {"zh": "码", "en": "way"},
                "routing": {"staff": ["guide00"]}, "source": "poster",
            }  # fmt: skip
            keep_way(ContactWay.model_validate(way), OWNER)
        self._turn()
        return not Code.objects.filter(trouble__contains="41045").exists()

    def _send(self, many: int) -> bool:
        """A guide sends to the same two customers by themselves; whether the platform delivered all. What is read back
        is an off-gate touch."""
        from tests.soak.pond import CORP
        from yutang.channels.contracts import Delivery, MessageContent, RefusedByPlatform
        from yutang.intake.pump import pump_until_empty
        from yutang.kernel.clock import business_now
        from yutang.kernel.ids import EventId
        from yutang.log.contracts import Event, IdentifierValue
        from yutang.log.services import record

        port = self.channels.mass_send()["wecom", CORP]
        took = True
        for index in range(many):
            self.sent += 1
            try:
                made = port.create_task("guide00", ["wm00000", "wm00004"], MessageContent(f"第 {self.sent} 条"))
            except RefusedByPlatform as refused:
                if refused.errcode != NOBODY_LEFT:
                    raise
                took = False
                break
            now = business_now() + (index + 1) * TAP
            self.ask("advance", to=now.isoformat())
            for row in port.read_results(made.task_id, "guide00"):
                if row.state is not Delivery.SENT:
                    took = False
                    continue
                event = Event(
                    EventId(f"off:{made.task_id}:{row.recipient}"), "offgate.sent", row.sent_at or now,
                    (IdentifierValue("external_userid", CORP, row.recipient),), staff="guide00", source="sync",
                    channel="wecom",
                )  # fmt: skip
                record([event])
        pump_until_empty(self.warehouse)
        return took

    def _result(self) -> dict[str, Any]:
        told: dict[str, Any] = {"days": self.day + 1, "walls": {}}
        for name, wall in self.walls.items():
            last = wall.episodes[-1] if wall.episodes else None
            ending = last is not None and wall.hit is not None and last[1] >= wall.hit - EVERY
            lead = wall.hit - last[0] if ending and last and wall.hit is not None else None
            running = last is not None and wall.hit is None and last[1] >= self.day - EVERY
            false = len(wall.episodes) - int(ending) - int(running and self.setting.hits)
            told["walls"][name] = {"hit": wall.hit, "warned_before": lead, "false": false}
        return told


def one(directory: Path, name: str, seed: int, days: int) -> dict[str, Any]:
    """One world, in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    from yutang.app import house

    opened = house.open_house(directory)
    from tests.sandbox.conftest import serving
    from tests.soak import pond
    from yutang.intake.mirror import mirror_nodes
    from yutang.kernel.clock import business_clock
    from yutang.organisation import clock as brand_clock
    from yutang.sandbox.asgi import create_app

    clock = brand_clock.BrandClock()

    def now() -> datetime:
        clock.forget()
        return clock().astimezone(UTC)

    with (
        business_clock(now),
        serving(create_app(directory / "sandbox", events_url=None, events_token=None)) as address,
        closing(opened),
    ):
        pond.build(directory, pond.Pond(persons=60, guides=4, daily_rate=0.0))
        mirror_nodes(opened.warehouse)
        return World(directory, address, opened.warehouse, SETTINGS[name], seed).run(days)


def check(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Raises AssertionError where a wall came as a surprise, or a calm world was warned of anything."""
    leads, false, hits = [], 0, 0
    for world, told in found.items():
        calm = not SETTINGS[world.partition("/")[0]].hits
        for name, wall in told["walls"].items():
            false += wall["false"]
            if calm:
                assert (wall["hit"], wall["false"]) == (None, 0), f"{world}: {name} was warned of for nothing: {wall}"
                continue
            if wall["hit"] is None:
                continue
            hits += 1
            assert wall["warned_before"] is not None, f"{world}: {name} came as a surprise: {wall}"
            assert wall["warned_before"] >= PROMISE, f"{world}: {name} was warned of too late: {wall}"
            leads.append(wall["warned_before"])
    kinds = {name for told in found.values() for name, wall in told["walls"].items() if wall["hit"] is not None}
    assert kinds == set(NEAR), f"never hit: {set(NEAR) - kinds}"
    leads.sort()
    return {
        "worlds": len(found), "walls_hit": hits, "surprises": 0, "least_days_before": leads[0],
        "median_days_before": leads[len(leads) // 2], "most_days_before": leads[-1], "false_warnings": false,
    }  # fmt: skip


def run(directory: Path, seeds: int, days: int = DAYS, worlds: Sequence[str] = tuple(SETTINGS)) -> dict[str, Any]:
    """Every world (or these) with every seed, one after another, each in its own process."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in worlds:
        for seed in range(1, seeds + 1 if SETTINGS[name].pace.noise else 2):
            folder = directory / f"{name}-{seed}"
            command = [sys.executable, "-W", "ignore", "-m", "tests.soak.walls", "--one", name, "--seed", str(seed)]
            done = subprocess.run(
                [*command, "--days", str(days), "--directory", str(folder)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{name}/{seed}: {done.stderr[-3000:]}")
            found[f"{name}/{seed}"] = json.loads(done.stdout.strip().splitlines()[-1])
            print(f"{name}/{seed}:", json.dumps(found[f"{name}/{seed}"]), flush=True)
    return check(found)


def main() -> None:
    """Print what was found; an AssertionError names what came as a surprise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2, help="worlds of each noisy pace")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--one", choices=SETTINGS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.directory, chosen.one, chosen.seed, chosen.days)))
        return
    with tempfile.TemporaryDirectory(prefix="yutang-walls-") as folder:
        print(json.dumps(run(Path(folder), chosen.seeds, chosen.days)))


if __name__ == "__main__":
    main()
