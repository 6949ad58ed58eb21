"""Stage (a): rules that look at one candidate alone. The first that refuses gives the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from yutang.kernel.calendars import zone
from yutang.reach.gate.contracts import Hours, Policy, RuleName, TouchClass
from yutang.reach.gate.docket import MICROSECOND, NEVER, OPEN, UNBOUND, Bools, Docket, Ints, micros

MARKETING = frozenset({TouchClass.MARKETING})
UNASKED = frozenset({TouchClass.MARKETING, TouchClass.SERVICE})
ALL = frozenset(TouchClass)

MINUTE = timedelta(minutes=1)
DAY = 24 * 60  # minutes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which candidates a rule refuses, and, if it moves touches, their new `due` and `deadline`."""

    refused: Bools
    due: Ints | None = None
    deadline: Ints | None = None


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule over the candidates' columns, and the classes of touch that it binds."""

    name: RuleName
    binds: frozenset[TouchClass]
    judge: Callable[[Docket], Verdict]


def row_rule(binds: frozenset[TouchClass]) -> Callable[[Callable[[Docket], Verdict]], RowRule]:
    """Make a function a rule that is named like it."""
    return lambda judge: RowRule(RuleName(judge.__name__), binds, judge)


def judge_rows(docket: Docket, rules: Sequence[RowRule]) -> None:
    """Ask every rule in turn about the open candidates."""
    for rule in rules:
        verdict = rule.judge(docket)
        bound = docket.bound(rule.binds) & (docket.outcome == OPEN)
        if verdict.due is not None and verdict.deadline is not None:
            docket.due = np.where(bound, verdict.due, docket.due)
            docket.deadline = np.where(bound, verdict.deadline, docket.deadline)
        docket.suppress(verdict.refused & bound, rule.name)


@row_rule(binds=ALL)
def relation(docket: Docket) -> Verdict:
    """No live relation: nobody could speak to this person."""
    return Verdict(_unreachable(docket, addressed=False))


@row_rule(binds=ALL)
def no_address(docket: Docket) -> Verdict:
    """The channel reaches people by an address, and this person has none there."""
    return Verdict(_unreachable(docket, addressed=True))


def _unreachable(docket: Docket, *, addressed: bool) -> Bools:
    concerned = docket.of_plans([terms.addressed is addressed for terms in docket.tick.plans])
    unreachable: Bools = concerned & np.equal(docket.column("reachable"), False)
    return unreachable


@row_rule(binds=UNASKED)
def consent(docket: Docket) -> Verdict:
    """No consent for the plan's purpose on its channel. What a person asked for herself needs none."""
    return Verdict(np.equal(docket.column("consent"), False))


@row_rule(binds=UNASKED)
def preference(docket: Docket) -> Verdict:
    """The person asked for silence, or wants to hear nothing of the plan's topic or by its channel."""
    return Verdict(np.equal(docket.column("preference"), False))


@row_rule(binds=ALL)
def content(docket: Docket) -> Verdict:
    """The text breaks a content rule; then nobody gets it."""
    return Verdict(docket.of_plans([terms.content_problem is not None for terms in docket.tick.plans]))


@row_rule(binds=MARKETING)
def risk(docket: Docket) -> Verdict:
    """The person's risk level is above what the policy bears."""
    return Verdict(docket.column("risk") > docket.tick.policy.max_risk)


@row_rule(binds=MARKETING)
def grace_period(docket: Docket) -> Verdict:
    """A friend too new to be sold to at the moment the touch could first go out."""
    grace = docket.tick.policy.grace // MICROSECOND
    return Verdict(docket.column("friend_since") > docket.due - grace)


@row_rule(binds=UNASKED)
def quiet_hours(docket: Docket) -> Verdict:
    """Moves a touch into the first stretch of open hours, of one local day, that holds a whole minute.

    Its due is not before the plan's start, its deadline neither after the plan's nor after that day's close, so a guide
    may tap at any moment between. Refuses only if the plan ends before any such minute. The hours that a person asked
    for narrow the policy's.
    """
    tick = docket.tick
    stretches = np.array(
        [
            open_stretch(
                tick.policy,
                tick.policy.hours_of(terms.channel),
                zone(name),
                max(tick.now, terms.start),
                terms.deadline,
            )
            for terms in tick.plans
            for name in tick.zones
        ],
        np.int64,
    ).reshape(-1, 2)
    # The other rows' stretches are looked up too and thrown away by judge_rows: cheaper than picking rows first.
    pair = docket.plan * len(tick.zones) + docket.column("zone")
    due, deadline = stretches[:, 0][pair], stretches[:, 1][pair]
    _narrow(docket, due, deadline)
    return Verdict(due == NEVER, due, deadline)


def _narrow(docket: Docket, due: Ints, deadline: Ints) -> None:
    """Put those who asked for hours of their own into the first stretch of these; each set is looked up once."""
    opens, closes = docket.wished("own_opens"), docket.wished("own_closes")
    rows = np.flatnonzero((opens != UNBOUND) | (closes != UNBOUND))
    if not len(rows):
        return
    tick = docket.tick
    asked = np.column_stack([docket.plan[rows], docket.column("zone")[rows], opens[rows], closes[rows]])
    kinds, kind = np.unique(asked, axis=0, return_inverse=True)
    found = np.full((len(kinds), 2), NEVER, np.int64)
    for index, (plan, place, first, last) in enumerate(kinds.tolist()):
        terms = tick.plans[plan]
        hours = _within(tick.policy.hours_of(terms.channel), first, last)
        if hours is not None:
            start = max(tick.now, terms.start)
            found[index] = open_stretch(tick.policy, hours, zone(tick.zones[place]), start, terms.deadline)
    due[rows], deadline[rows] = found[kind.reshape(-1)].T


def _within(hours: Hours, opens: int, closes: int) -> Hours | None:
    """The part of a day's hours that lies between two minutes of the day; None if there is none."""
    first = hours.opens if opens == UNBOUND else max(hours.opens, _clock(opens))
    last = hours.closes if closes == UNBOUND or closes >= DAY else min(hours.closes, _clock(closes))
    return Hours(first, last) if first < last else None


def _clock(minutes: int) -> time:
    """A minute of the day as a time; the day's end has none, and is its last instant."""
    return time(minutes // 60, minutes % 60) if minutes < DAY else time.max


@row_rule(binds=MARKETING)
def value_ratio(docket: Docket) -> Verdict:
    """One promotion more than the value given in 30 days has earned."""
    policy = docket.tick.policy
    earned = policy.promotions_free + policy.promotions_per_value * docket.column("value_30d")
    promotes = docket.of_plans([not terms.value for terms in docket.tick.plans])
    return Verdict(promotes & (docket.column("promo_30d") >= earned))


def open_stretch(policy: Policy, hours: Hours, local: ZoneInfo, start: datetime, deadline: datetime) -> tuple[int, int]:
    """The first open stretch of at least a minute between two instants, as microseconds; (NEVER, NEVER) if none."""
    day, last = start.astimezone(local).date(), deadline.astimezone(local).date()
    while day <= last:
        if not policy.closed(day):
            opens, closes = _opening(day, hours, local)
            due, end = max(start, opens), min(deadline, closes)
            if end - due >= MINUTE:
                return micros(due), micros(end)
        day += timedelta(days=1)
    return NEVER, NEVER


def _opening(day: date, hours: Hours, local: ZoneInfo) -> tuple[datetime, datetime]:
    """When a local day's hours open and close, as instants.

    A wall-clock time that daylight saving shows twice or skips stands for two instants; the stretch is taken between
    the later opening and the earlier close, so all of it is open.
    """

    def both(at: time) -> tuple[datetime, datetime]:
        first = datetime.combine(day, at, local)
        return first.astimezone(UTC), first.replace(fold=1).astimezone(UTC)

    return max(both(hours.opens)), min(both(hours.closes))
