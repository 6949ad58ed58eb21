"""The gate's naive twin: the same policy, one person at a time, in plain Python.

Written from the policy's text and not from the gate's code: it shares with the gate only the shapes of what goes in and
the project's one hash. It also notes which rules bore on whom, so that the worlds can be shown to be worth the trouble.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from yutang.kernel.ids import draw, salt, touch_id
from yutang.reach.gate.contracts import PlanTerms, Policy, Tick

MINUTE = timedelta(minutes=1)
Row = dict[str, Any]


@dataclass
class Told:
    """What the twin says: a row per candidate, in their order, and for each the rules that would have refused her."""

    rows: list[Row] = field(default_factory=list)
    bore: list[set[str]] = field(default_factory=list)


def decide_naively(tick: Tick) -> Told:
    told = Told()
    candidates = tick.candidates.to_pylist()
    passed = []
    for position, candidate in enumerate(candidates):
        plan = tick.plans[candidate["plan"]]
        start = max(tick.now, plan.start)
        window = (start, plan.deadline)
        if plan.touch_class in ("marketing", "service"):
            window = first_opening(tick.policy, plan, tick.zones[candidate["zone"]], start, candidate)
        refusals = [name for name, refused in row_refusals(tick.policy, plan, candidate, start, window) if refused]
        row: Row = {
            "plan": plan.plan,
            "person": candidate["person"],
            "touch": touch_id(plan.plan, plan.occasion, "person", candidate["person"], plan.attempt),
            "outcome": "suppressed" if refusals else None,
            "reason": refusals[0] if refusals else None,
            "sender": None,
            "store": None,
            "due": None,
            "deadline": None,
            "occasion": plan.occasion,
            "attempt": plan.attempt,
        }
        told.rows.append(row)
        bore = set(refusals)
        if window is not None and window != (start, plan.deadline):
            bore.add("quiet_hours moves")
        told.bore.append(bore)
        if not refusals:
            passed.append((position, window))
    allocate_naively(tick, candidates, passed, told)
    for row, candidate, bore in zip(told.rows, candidates, told.bore, strict=True):
        if row["outcome"] is not None:
            continue
        plan = tick.plans[candidate["plan"]]
        globally = plan.touch_class == "marketing" and candidate["bucket"] < round(tick.policy.global_hold_out * 10_000)
        held = draw(row["person"], salt("arm", plan.plan)) < plan.hold_out
        bore |= {name for name, is_so in (("global_holdout", globally), ("plan_holdout", held)) if is_so}
        row["outcome"] = "globally_held_out" if globally else "held_out" if held else "send"
    return told


def row_refusals(
    policy: Policy, plan: PlanTerms, candidate: Row, start: datetime, window: tuple[datetime, datetime] | None
) -> list[tuple[str, bool]]:
    marketing = plan.touch_class == "marketing"
    unasked = plan.touch_class in ("marketing", "service")
    since = candidate["friend_since"]
    may_promote = policy.promotions_free + policy.promotions_per_value * candidate["value_30d"]
    return [
        ("relation", not plan.addressed and not candidate["reachable"]),
        ("no_address", plan.addressed and not candidate["reachable"]),
        ("consent", unasked and not candidate["consent"]),
        ("preference", unasked and not candidate["preference"]),
        ("content", plan.content_problem is not None),
        ("risk", marketing and candidate["risk"] > policy.max_risk),
        ("grace_period", marketing and since is not None and start < since + policy.grace),
        ("quiet_hours", unasked and window is None),
        ("value_ratio", marketing and not plan.value and candidate["promo_30d"] + 1 > may_promote),
    ]


def first_opening(
    policy: Policy, plan: PlanTerms, zone: str, start: datetime, candidate: Row
) -> tuple[datetime, datetime] | None:
    """The first stretch of open time with a whole minute in it, found by trying each local day; within the hours that
    the person asked for."""
    hours = policy.channel_hours.get(plan.channel, policy.hours)
    opens, closes = hours.opens, hours.closes
    if candidate["own_opens"] is not None:
        opens = max(opens, time(*divmod(candidate["own_opens"], 60)))
    if candidate["own_closes"] is not None and candidate["own_closes"] < 24 * 60:
        closes = min(closes, time(*divmod(candidate["own_closes"], 60)))
    if opens >= closes:
        return None
    day = start.astimezone(ZoneInfo(zone)).date()
    while instants(day, time(0), zone)[0] < plan.deadline:
        shut = day in policy.closed_dates
        if day.weekday() in policy.closed_weekdays and day not in policy.open_dates:
            shut = True
        begin = max([start, *instants(day, opens, zone)])
        end = min([plan.deadline, *instants(day, closes, zone)])
        if not shut and begin + MINUTE <= end:
            return begin, end
        day += timedelta(days=1)
    return None


def instants(day: date, at: time, zone: str) -> list[datetime]:
    """The instants for which a wall-clock time may stand: two where daylight saving repeats or skips it."""
    return [datetime.combine(day, at.replace(fold=fold), ZoneInfo(zone)).astimezone(UTC) for fold in (0, 1)]


@dataclass
class Used:
    """What has been given out in this tick."""

    marketing: dict[int, int] = field(default_factory=dict)
    channel: dict[tuple[int, str], int] = field(default_factory=dict)
    plan: dict[int, int] = field(default_factory=dict)
    sender: dict[int, int] = field(default_factory=dict)
    tasks: dict[int, set[int]] = field(default_factory=dict)

    def tapped(self, sender: int, plans: tuple[PlanTerms, ...]) -> set[int]:
        """The plans that were given to a sender and that wait for a tap of theirs."""
        return self.tasks.get(sender, set()) & {plan.plan for plan in plans if not plan.addressed}


def allocate_naively(
    tick: Tick, candidates: list[Row], passed: list[tuple[int, tuple[datetime, datetime]]], told: Told
) -> None:
    friends = preferred_senders(tick)
    quota = {row["sender"]: row["quota_left"] for row in tick.senders.to_pylist()}
    taken = {(row["sender"], row["plan"]): row["tasks_taken"] for row in tick.tasks.to_pylist()}

    def turn_of(entry: tuple[int, Any]) -> tuple[Any, ...]:
        candidate = candidates[entry[0]]
        plan = tick.plans[candidate["plan"]]
        chance = draw(candidate["person"], salt(plan.plan))
        return -plan.priority, -candidate["expected_value"], chance, candidate["person"], candidate["plan"]

    waiting = sorted(passed, key=turn_of)
    used = Used()
    for turn in range(3):
        still = []
        for position, window in waiting:
            candidate, row = candidates[position], told.rows[position]
            plan = tick.plans[candidate["plan"]]
            known = friends.get(candidate["person"], [])
            if turn >= len(known):
                if turn == 0:
                    row["reason"] = "sender_choice"
                    told.bore[position].add("sender_choice")
                row["outcome"] = "suppressed"
                continue
            sender, store = known[turn]
            refusals = [
                name
                for name, refused in (
                    ("caps", over_cap(tick.policy, plan, candidate, used)),
                    ("capacity", plan.at_most is not None and used.plan.get(plan.plan, 0) >= plan.at_most),
                    ("platform_quota", used.sender.get(sender, 0) >= quota[sender]),
                    (
                        "tap_budget",
                        over_budget(
                            tick.policy,
                            plan,
                            used.tapped(sender, tick.plans),
                            taken.get((sender, candidate["plan"]), 0),
                        ),
                    ),
                )
                if refused
            ]
            told.bore[position].update(refusals)
            if refusals:
                row["reason"] = refusals[0]
                if refusals[0] in ("caps", "capacity"):
                    row["outcome"] = "suppressed"
                else:
                    still.append((position, window))
                continue
            grant(plan, candidate, sender, used)
            row.update(reason=None, sender=sender, store=store, due=window[0], deadline=window[1])
        waiting = still
    for position, _ in waiting:
        told.rows[position]["outcome"] = "suppressed"


def preferred_senders(tick: Tick) -> dict[int, list[tuple[int, int]]]:
    active = {row["sender"] for row in tick.senders.to_pylist() if row["active"]}
    never = datetime(1, 1, 1, tzinfo=UTC)
    relations = [row for row in tick.relations.to_pylist() if row["sender"] in active]
    relations.sort(key=lambda row: (row["added_at"], row["sender"]))
    relations.sort(key=lambda row: row["last_talk_at"] or never, reverse=True)
    friends: dict[int, list[tuple[int, int]]] = {}
    for row in relations:
        friends.setdefault(row["person"], []).append((row["sender"], row["store"]))
    return friends


def over_cap(policy: Policy, plan: PlanTerms, candidate: Row, used: Used) -> bool:
    person = candidate["person"]
    checks: list[tuple[int | None, int]] = []
    if plan.touch_class == "marketing":
        now = used.marketing.get(person, 0)
        checks += [
            (policy.day_cap, candidate["touches_day"] + now),
            (policy.week_cap, candidate["touches_week"] + now),
            (policy.month_cap, candidate["touches_month"] + now),
            (candidate["own_week"], candidate["touches_week"] + now),
            (candidate["own_month"], candidate["touches_month"] + now),
        ]
    if plan.touch_class != "reply" and plan.channel in policy.channel_caps:
        now = used.channel.get((person, plan.channel), 0)
        channel = policy.channel_caps[plan.channel]
        checks += [(channel.day, candidate["channel_day"] + now), (channel.month, candidate["channel_month"] + now)]
    return any(cap is not None and count >= cap for cap, count in checks)


def over_budget(policy: Policy, plan: PlanTerms, granted: set[int], taken: int) -> bool:
    return not plan.addressed and plan.plan not in granted and taken + len(granted) >= policy.tap_budget


def grant(plan: PlanTerms, candidate: Row, sender: int, used: Used) -> None:
    person = candidate["person"]
    if plan.touch_class == "marketing":
        used.marketing[person] = used.marketing.get(person, 0) + 1
    used.channel[person, plan.channel] = used.channel.get((person, plan.channel), 0) + 1
    used.plan[plan.plan] = used.plan.get(plan.plan, 0) + 1
    used.sender[sender] = used.sender.get(sender, 0) + 1
    used.tasks.setdefault(sender, set()).add(plan.plan)


# What senders have to do already ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planned:
    """Whom a committed run granted to one sender for one window, and what became of the batch of those to be sent."""

    run: int
    sender: int
    due: datetime
    hours: int
    send: int
    held_out: int
    globally_held_out: int
    closed_untapped: bool

    @property
    def deadline(self) -> datetime:
        return self.due + timedelta(hours=self.hours)

    @property
    def everyone(self) -> int:
        return self.send + self.held_out + self.globally_held_out

    @property
    def stands(self) -> bool:
        """A task that nobody tapped took nothing; where nobody was to be sent to, it would have been tapped."""
        return not (self.send and self.closed_untapped)


def standing_naively(
    planned: list[Planned], begin: datetime, end: datetime, task_limit: int
) -> dict[int, tuple[int, int]]:
    """Recipients and tasks of each sender in one window, had everybody who was granted a touch been sent to."""
    told: dict[int, tuple[int, int]] = {}
    for one in planned:
        if one.stands and one.everyone and one.deadline > begin and one.due < end:
            people, tasks = told.get(one.sender, (0, 0))
            more = len(range(0, one.everyone, task_limit))
            told[one.sender] = people + one.everyone, tasks + more
    return told
