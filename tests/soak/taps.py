"""Guides who tap at random hours, also by night, after the deadline and three days later, and who write on their own.

`python -m tests.soak.taps --days 30 --seed 1` fast-forwards a small brand and prints a JSON line. Every day there are
new plans with random windows, now and then a policy with random caps and hours, consents that are withdrawn and given
again, and people who want to be left in peace. Whom the platform's own file says was reached is then checked by a naive
checker against what the driver knows it did; nothing is asked of the house but who was held out, and what its page
shows.

- consent, peace: at the instant of the tap, the person's latest word. No grace: a refusal counts from when it is kept.
- quiet hours: the hours of a policy that stood between the plan's launch and the task's making (its run's policy).
- caps: in every stretch of a day, a week and thirty days that ends with a touch of ours: touches of ours, and of the
  guide's own those that a reading had told of before that touch's task was made, are no more than the cap of the policy
  that stood when one of these tasks was made. What a guide sends after a task was made nobody can know when it is made.
- contamination: of each plan's held out, those with a private send in the window of their wave; by the file.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from bisect import bisect_right
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from tests.soak.pond import CHANNEL, START, ZONE, Pond, broadcast

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HABIT = {"at_once": 0.3, "late": 0.35, "night": 0.2, "never": 0.15}
SPANS = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY}


@dataclass
class Known:
    """What the driver did, in its own words: the only facts by which it is checked."""

    consents: dict[str, list[tuple[datetime, bool]]] = field(default_factory=lambda: defaultdict(list))
    peace: dict[str, list[tuple[datetime, bool]]] = field(default_factory=lambda: defaultdict(list))
    policies: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    launched: dict[str, datetime] = field(default_factory=dict)  # by the text of a plan's message
    readings: list[datetime] = field(default_factory=list)
    private: dict[str, int] = field(default_factory=dict)  # by send: how many readings had been before it


@dataclass(frozen=True)
class Touch:
    """Somebody reached, as the platform's file has it. `made`: when the task was."""

    who: str
    at: datetime
    made: datetime
    text: str


class Play:
    """A brand, its sandbox and a driver of both."""

    def __init__(self, directory: Path, sandbox: str, persons: int, guides: int, seed: int) -> None:
        from yutang.app import house as opening

        opening.configure(directory)
        self.directory, self.sandbox, self.persons, self.guides = directory, sandbox, persons, guides
        self.chance = random.Random(seed)
        self.known = Known()
        self.opened = opening.open_house(directory)
        self._build(seed)
        self.plans = 0

    def _build(self, seed: int) -> None:
        from tests.soak.pond import build
        from yutang.app.channels import Channels
        from yutang.app.serve import ports_at, sandbox_clock
        from yutang.intake import mirror
        from yutang.kernel.clock import business_now
        from yutang.operations.loop import Loop
        from yutang.profiles import services as profiles

        build(self.directory, Pond(self.persons, self.guides, HABIT, daily_rate=0.05, seed=seed))
        self.opened.clock.forget()
        mirror.mirror_nodes(self.opened.warehouse)
        mirror.mirror_facts(self.opened.warehouse)
        profiles.rebuild(self.opened.warehouse, business_now())
        for index in range(self.persons):
            self.known.consents[f"wm{index:05}"].append((START - 60 * DAY, index % 10 != 9))
        channels = Channels(self.sandbox)

        def heard() -> Any:
            self.known.readings.append(business_now())
            return channels.syncs()

        self.loop = Loop(
            self.opened.warehouse, ports_at(self.sandbox), self.opened.clock, sandbox_clock(self.sandbox), sends=heard
        )
        self._persons()

    def _persons(self) -> None:
        import pyarrow as pa

        from tests.soak.pond import CORP
        from yutang.people import services as people

        names = [f"wm{index:05}" for index in range(self.persons)]
        found = people.resolve_column("external_userid", CORP, pa.array(names)).tolist()
        self.numbers = dict(zip(names, found, strict=True))

    # What happens --------------------------------------------------------------------------------------------------

    def run(self, days: int, share: float) -> None:
        """So many days; in each window of a plan about `share` of all have a private message."""
        self._new_policy(START)
        for day in range(days):
            begins = START + day * DAY
            acts = [(self.chance.uniform(0, 24), self._launch) for _ in range(self.chance.randint(1, 2))]
            acts += [(self.chance.uniform(0, 24), self._words) for _ in range(5)]
            acts += [(self.chance.uniform(0, 14), self._own_send(share)) for _ in range(self.guides // 2)]
            if day and self.chance.random() < 0.5:
                acts.append((19.5, lambda at: self._new_policy(at)))  # at four in the morning, in Shanghai
            for hour, act in sorted(acts, key=lambda one: one[0]):
                at = (begins + hour * HOUR).replace(microsecond=0)
                self.loop.step_to(at)
                act(at)
                self.loop.step_to(at)  # what was done is seen at once, as by the next half second
            print(f"day {day + 1}", file=sys.stderr, flush=True)
        self.loop.step_to(START + days * DAY + 4 * DAY)

    def _new_policy(self, at: datetime) -> None:
        from yutang.documents.services import save_document
        from yutang.reach.policy import PolicyDocument

        opens, closes = self.chance.choice([8, 9, 10]), self.chance.choice([18, 20, 21])
        caps = {"day": self.chance.choice([1, 2]), "week": self.chance.choice([2, 3, 5]), "month": 12}
        data = {
            "kind": "policy", "name": "default", "title": {"zh": "规则", "en": "Policy"}, "grace_days": 0,
            "hours": {"opens": f"{opens:02}:00", "closes": f"{closes:02}:00"}, "caps": caps,
            "promotions": {"free": 1000}, "tap_budget": 5,
        }  # fmt: skip
        save_document(PolicyDocument.model_validate(data), "driver")
        self.known.policies.append((at, {**caps, "opens": opens, "closes": closes}))

    def _launch(self, at: datetime) -> None:
        from yutang.organisation.queries import OWNER
        from yutang.reach import services

        self.plans += 1
        text = f"第 {self.plans} 个计划的话"
        document = broadcast(
            f"plan{self.plans}", text=text, hold_out=self.chance.choice([0.2, 0.3]), attempts=self.chance.randint(1, 3),
            within_hours=self.chance.choice([6, 12, 24, 48, 96]), horizon_days=self.chance.choice([2, 4]),
            waves=self.chance.choice([[1.0], [0.3, 1.0]]),
        )  # fmt: skip
        services.launch(document, OWNER)
        self.known.launched[text] = at

    def _words(self, at: datetime) -> None:
        for act in (self._refuse, self._refuse, self._agree):
            act(at)

    def _refuse(self, at: datetime) -> None:
        from yutang.people import services as people

        waiting = self.platform(
            "SELECT DISTINCT external_userid FROM recipients JOIN tasks USING (msgid) JOIN member_tasks USING (msgid) "
            "WHERE status = 0 AND cancelled_at IS NULL AND tap_at IS NOT NULL ORDER BY external_userid"
        )
        who = f"wm{self.chance.randrange(self.persons):05}"
        if waiting and self.chance.random() < 0.7:  # somebody whose guide is about to tap
            who = str(self.chance.choice(waiting)[0])
        if self.chance.random() < 0.3:
            people.set_silent(self.numbers[who], True)
            self.known.peace[who].append((at, True))
            return
        people.withdraw_consent(self.numbers[who], "marketing", CHANNEL, at=at, proof="driver")
        self.known.consents[who].append((at, False))

    def _agree(self, at: datetime) -> None:
        from yutang.people import services as people

        who = f"wm{self.chance.randrange(self.persons):05}"
        people.give_consent(self.numbers[who], "marketing", CHANNEL, at=at, proof="driver")
        self.known.consents[who].append((at, True))
        if self.known.peace[who]:
            people.set_silent(self.numbers[who], False)
            self.known.peace[who].append((at, False))

    def _own_send(self, share: float) -> Any:
        """A guide who writes to some of their friends; about `share` of all within three days."""

        def act(at: datetime) -> None:
            guide = self.chance.randrange(self.guides)
            friends = [f"wm{index:05}" for index in range(guide, self.persons, self.guides)]
            to = [who for who in friends if self.chance.random() < share]
            if to:
                body = {"userid": f"guide{guide:02}", "to": to, "text": f"我自己说的 {at}"}
                answer = httpx.post(f"{self.sandbox}/control/sends", json=body, timeout=30)
                self.known.private[answer.raise_for_status().json()["msgid"]] = len(self.known.readings)

        return act

    # What is checked -----------------------------------------------------------------------------------------------

    def platform(self, sql: str) -> list[tuple[Any, ...]]:
        """What the platform's own file says."""
        with closing(sqlite3.connect(self.directory / "sandbox" / "sandbox.sqlite3", timeout=20)) as con:
            return con.execute(sql).fetchall()

    def check(self) -> dict[str, object]:
        """Breaches by kind, with examples; what is shown of contamination beside the truth."""
        said = "json_extract(content, '$.text.content')"
        rows = self.platform(
            f"SELECT external_userid, send_time, create_time, {said}, create_type, msgid FROM recipients "
            "JOIN tasks USING (msgid) WHERE status = 1"
        )
        ours = [Touch(who, _at(at), _at(made), text) for who, at, made, text, kind, _ in rows if kind == 0]
        private = defaultdict(list)
        for who, at, _, _, kind, msgid in rows:
            if kind == 1:
                private[who].append((_at(at), self.known.private[msgid]))
        by_person = defaultdict(list)
        for touch in sorted(ours, key=lambda one: one.at):
            by_person[touch.who].append(touch)
        breaches: dict[str, list[str]] = {name: [] for name in ("consent", "peace", "hours", *SPANS)}
        for who, touches in by_person.items():
            for touch in touches:
                for name, wrong in self._wrong(who, touch, touches, private[who]).items():
                    if wrong:
                        when = f"at {touch.at:%m-%d %H:%M}Z, made {touch.made:%m-%d %H:%M}Z"
                        breaches[name].append(f"{who} {when}: {wrong}")
        late = self.platform(
            "SELECT count(*) FROM recipients JOIN tasks USING (msgid) WHERE status = 1 AND send_time > cancelled_at"
        )
        return {
            "plans": self.plans, "tasks": self.platform("SELECT count(*) FROM tasks WHERE create_type = 0")[0][0],
            "touches": len(ours), "private": sum(map(len, private.values())), "after_cancelling": late[0][0],
            "refusals": sum(len(words) for words in self.known.consents.values()) - self.persons,
            "recalled": self._recalled(),
            "breaches": {name: len(found) for name, found in breaches.items()},
            "examples": [f"{name}: {found[0]}" for name, found in breaches.items() if found],
            **self._contamination({who: [at for at, _ in sends] for who, sends in private.items()}),
        }  # fmt: skip

    def _wrong(
        self, who: str, touch: Touch, all_ours: list[Touch], private: list[tuple[datetime, int]]
    ) -> dict[str, str]:
        wrong = {}
        if not _standing(self.known.consents[who], touch.at):
            wrong["consent"] = str(self.known.consents[who])
        if _standing(self.known.peace[who], touch.at):
            wrong["peace"] = str(self.known.peace[who])
        policies = self._between(self.known.launched[touch.text], touch.made)
        local = touch.at.astimezone(ZoneInfo(ZONE))
        if not any(one["opens"] <= local.hour < one["closes"] for one in policies):
            wrong["hours"] = f"{local} of {policies}"
        # The sandbox stands a second before the house: what was done in the very second of a reading is told by order.
        heard = bisect_right(self.known.readings, touch.made + timedelta(seconds=1))
        for name, span in SPANS.items():
            near = [one for one in all_ours if touch.at - span < one.at <= touch.at]
            known = [at for at, before in private if touch.at - span < at <= touch.at and before < heard]
            cap = max(self._between(one.made, one.made)[0][name] for one in near)
            if len(near) + len(known) > cap:
                wrong[name] = f"{len(near)} of ours and {len(known)} known of {cap}"
        return wrong

    def _between(self, first: datetime, last: datetime) -> list[dict[str, Any]]:
        """The policies that stood at some time between two instants."""
        times = [at for at, _ in self.known.policies]
        return [one for _, one in self.known.policies[bisect_right(times, first) - 1 : bisect_right(times, last)]]

    def _recalled(self) -> int:
        from yutang.reach.contracts import RECALLED
        from yutang.reach.models import Batch

        return int(Batch.objects.filter(trouble=RECALLED).count())

    def _contamination(self, private: dict[str, list[datetime]]) -> dict[str, object]:
        from yutang.kernel.clock import business_now
        from yutang.organisation.queries import OWNER
        from yutang.reach import queries
        from yutang.warehouse.contracts import Statement

        rows = self.opened.warehouse.query(
            Statement("SELECT plan, person, decided_at FROM decisions WHERE attempt = 1 AND outcome = 'held_out'")
        ).to_pylist()
        names = {number: who for who, number in self.numbers.items()}
        held = defaultdict(list)
        for row in rows:
            held[row["plan"]].append((names[row["person"]], row["decided_at"].replace(tzinfo=UTC)))
        worst, truths, shown = 0.0, [0, 0], [0, 0]
        for plan, people in held.items():
            span = queries.plan(OWNER, plan).document.horizon_days * DAY
            ends = business_now()
            hit = sum(any(at < sent <= min(at + span, ends) for sent in private.get(who, ())) for who, at in people)
            found = queries.contamination(self.opened.warehouse, OWNER, plan).total
            assert found.held_out == len(people), (plan, found, len(people))
            worst = max(worst, abs(found.off_gate - hit) / len(people))
            truths = [truths[0] + hit, truths[1] + len(people)]
            shown = [shown[0] + found.off_gate, shown[1] + found.held_out]
        return {
            "held_out": truths[1], "contaminated_truly": round(truths[0] / max(truths[1], 1), 4),
            "contaminated_shown": round(shown[0] / max(shown[1], 1), 4), "worst_plan_off_by": round(worst, 4),
        }  # fmt: skip


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _standing(words: list[tuple[datetime, bool]], at: datetime) -> bool:
    """The latest word at an instant."""
    said = [word for when, word in words if when <= at]
    return bool(said and said[-1])


def run(directory: Path, days: int, seed: int, persons: int = 240, guides: int = 8) -> dict[str, object]:
    """Play so many days, and check them. Raises AssertionError for what must not be."""
    from tests.sandbox.conftest import serving
    from yutang.sandbox.asgi import create_app

    directory.mkdir(parents=True, exist_ok=True)
    with serving(create_app(directory / "sandbox", events_url=None, events_token=None)) as address:
        started, cpu = time.monotonic(), time.process_time()
        play = Play(directory, address, persons, guides, seed)
        try:
            play.run(days, 0.2)
            found = play.check()
        finally:
            play.opened.close()
    found |= {"seconds": round(time.monotonic() - started), "cpu": round(time.process_time() - cpu)}
    breaches = found["breaches"]
    assert isinstance(breaches, dict)
    told = json.dumps(found, ensure_ascii=False)
    assert not any(breaches.values()), f"somebody was reached who must not be: {told}"
    assert found["touches"], f"nobody was reached, so nothing was checked: {told}"
    assert found["after_cancelling"] == 0, told
    assert float(str(found["worst_plan_off_by"])) <= 0.01, f"contamination is not told rightly: {told}"
    return found


def main() -> None:
    """Run as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--persons", type=int, default=240)
    parser.add_argument("--guides", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-taps-") as folder:
        found = run(Path(folder) / "house", given.days, given.seed, given.persons, given.guides)
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
