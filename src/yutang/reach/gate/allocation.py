"""Stage (b): who gets what there is. Equal to serving the candidates one by one, but done on whole columns.

In round r every waiting candidate asks the r-th of the senders who know her, in the order of plan priority, expected
value, a draw and the person's id. She is granted the touch, refused for good, or waits for the next round. So what the
one before got decides what the next may get; but most answers do not hang on it. Whoever passes every rule even if all
who may still be granted before her are, is granted; whom a rule refuses even if none of them is, and who surely passes
the rules before that one, is refused by it. The counts are then exact for a shorter line, and it is asked again. The
first in line is always decided, so this ends, with the very answer of serving one by one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from yutang.kernel.ids import draw_array, salt
from yutang.reach.gate.acquaintances import Acquaintances, index_of
from yutang.reach.gate.contracts import ChannelCaps, RuleName, Tick, TouchClass
from yutang.reach.gate.docket import OPEN, REASONS, SUPPRESSED, UNBOUND, Bools, Docket, Ints, numbers
from yutang.reach.gate.order import Line, numbered, ranking

ROUNDS = 3


@dataclass(slots=True)
class Applicants:
    """A round's undecided candidates in line. `rows` are docket rows, `places` the places in the line of all.

    `sender` is an index into the tick's senders; their number stands for nobody.
    """

    rows: Ints
    places: Ints
    plan: Ints
    sender: Ints

    def keep(self, kept: Bools) -> None:
        """Let the others leave the line."""
        self.rows, self.places = self.rows[kept], self.places[kept]
        self.plan, self.sender = self.plan[kept], self.sender[kept]


class Resource(ABC):
    """What a rule gives out. It lives through all rounds of a tick."""

    def enter(self, line: Applicants) -> None:  # noqa: B027  # most rules have nothing to do here
        """A round begins with these applicants."""

    @abstractmethod
    def refuses(self, line: Applicants) -> Bools:
        """Who is refused even if none of the applicants before is granted."""

    @abstractmethod
    def passes(self, line: Applicants, hopeful: Bools) -> Bools:
        """Who passes even if all the hopeful before are granted."""

    def settle(self, line: Applicants, granted: Bools, kept: Bools) -> None:  # noqa: B027  # as above
        """These applicants were granted; only those `kept` are still undecided. `line` is as it was judged."""


@dataclass(frozen=True, slots=True)
class AllocationRule:
    """A rule over what the candidates share. Refusal is `final`, or else sends them to their next sender."""

    name: RuleName
    final: bool
    opens: Callable[[Docket], Resource]


Opened = tuple[AllocationRule, Resource]


def allocate(docket: Docket, rules: Sequence[AllocationRule]) -> None:
    """Grant, or suppress with a reason, every open candidate."""
    rows = _queue(docket)
    acquaintances = Acquaintances(docket.tick)
    known = acquaintances.of(docket.person)[rows]
    places = np.arange(len(rows))
    resources = [(rule, rule.opens(docket)) for rule in rules]
    for turn in range(ROUNDS):
        relations = acquaintances.choice(known, turn)
        if turn:  # whoever has nobody at all asks once, to be told so
            asks = relations >= 0
            rows, places, known, relations = rows[asks], places[asks], known[asks], relations[asks]
        line = Applicants(rows, places, docket.plan[rows].astype(np.int64), acquaintances.senders(relations))
        granted, waits = _round(docket, line, resources)
        acquaintances.introduce(docket, rows[granted], relations[granted])
        rows, places, known = rows[waits], places[waits], known[waits]
    docket.outcome[(docket.outcome == OPEN) & (docket.reason != OPEN)] = SUPPRESSED


def _queue(docket: Docket) -> Ints:
    """The docket rows of the open candidates, in the order in which they are served."""
    plans = docket.tick.plans
    undecided = docket.outcome == OPEN
    value = docket.column("expected_value").astype(np.float64, copy=False)
    queue = [np.zeros(0, np.int64)]
    for priority in sorted({terms.priority for terms in plans}, reverse=True):
        rows = np.flatnonzero(undecided & docket.of_plans([terms.priority == priority for terms in plans]))
        person, plan = docket.person[rows], docket.plan[rows]
        draws = np.empty(len(rows))
        for index, terms in enumerate(plans):
            own = plan == index
            draws[own] = draw_array(person[own], salt(terms.plan))
        queue.append(rows[ranking(-value[rows], draws, person, plan)])
    return np.concatenate(queue)


def _round(docket: Docket, line: Applicants, resources: Sequence[Opened]) -> tuple[Bools, Bools]:
    """Decide one round. Returns who of the line was granted, and who waits: was refused, but not for good."""
    granted, waits = np.zeros(len(line.rows), np.bool_), np.zeros(len(line.rows), np.bool_)
    here = np.arange(len(line.rows))
    for _, resource in resources:
        resource.enter(line)
    while len(here):
        passes = np.ones(len(here), np.bool_)
        final = np.zeros(len(here), np.bool_)
        reason = np.full(len(here), OPEN, np.int8)
        refusals = [resource.refuses(line) for _, resource in resources]
        hopeful = ~np.logical_or.reduce(refusals)
        for (rule, resource), refusal in zip(resources, refusals, strict=True):
            stopped = passes & refusal
            reason[stopped] = REASONS.index(rule.name)
            final |= stopped & rule.final
            passes &= resource.passes(line, hopeful)
        refused = reason != OPEN
        kept = ~(passes | refused)
        for _, resource in resources:
            resource.settle(line, passes, kept)
        docket.reason[line.rows] = reason
        docket.outcome[line.rows[final]] = SUPPRESSED
        granted[here[passes]] = True
        waits[here[refused & ~final]] = True
        here = here[kept]
        line.keep(kept)
    return granted, waits


class Choice(Resource):
    """There is somebody to ask."""

    def __init__(self, docket: Docket) -> None:
        self._nobody = len(docket.tick.senders)

    def refuses(self, line: Applicants) -> Bools:
        refused: Bools = line.sender == self._nobody
        return refused

    def passes(self, line: Applicants, hopeful: Bools) -> Bools:
        return ~self.refuses(line)


class Room(Resource):
    """Groups of candidates, each with room for so many of those who take a place.

    `group` and `limit` give each applicant's group and the places it had when the tick began, as she sees it: two
    plans with unlike windows see unlike counts for one person. UNBOUND limits nothing. A `group` of None: each stands
    alone, and takes from nobody.
    """

    def __init__(
        self,
        groups: int,
        group: Callable[[Applicants], Ints] | None,
        limit: Callable[[Applicants], Ints],
        takes: Callable[[Applicants], Bools] | None = None,
    ) -> None:
        self._group, self._limit, self._takes = group, limit, takes
        self._used = np.zeros(groups, np.int64)

    def enter(self, line: Applicants) -> None:  # most rules have nothing to do here
        self._limits = self._limit(line)
        self._shared = self._group is not None and bool((self._limits != UNBOUND).any())
        self._taken = np.zeros(len(line.rows), np.int64)
        if self._group is not None and self._shared:
            self._line = Line(self._group(line), len(self._used))
            self._taken = self._used[self._line.codes]
            self._taking = np.ones(len(line.rows), np.bool_) if self._takes is None else self._takes(line)

    def refuses(self, line: Applicants) -> Bools:
        refused: Bools = self._taken >= self._limits
        return refused

    def passes(self, line: Applicants, hopeful: Bools) -> Bools:
        if not self._shared:
            return ~self.refuses(line)
        passes: Bools = self._taken + self._line.before(self._taking & hopeful) < self._limits
        return passes

    def settle(self, line: Applicants, granted: Bools, kept: Bools) -> None:  # as above
        if self._shared:
            took = granted & self._taking
            self._used += np.bincount(self._line.codes[took], minlength=len(self._used))
            self._taken += self._line.before(took)
            self._taking = self._taking[kept]
            self._line.keep(kept)
        self._taken, self._limits = self._taken[kept], self._limits[kept]


class Caps(Resource):
    """Each person's caps: of marketing per day, week and month, and of any touch per channel, day and month. What she
    asked for herself binds beside the policy."""

    def __init__(self, docket: Docket) -> None:
        tick, policy = docket.tick, docket.tick.policy
        alone = len(tick.plans) == 1  # then nobody stands in line twice
        people, person = (0, docket.person) if alone else numbered(docket.person)
        channels = sorted({terms.channel for terms in tick.plans})
        channel = np.array([channels.index(terms.channel) for terms in tick.plans], np.int64)
        marketing = docket.bound({TouchClass.MARKETING})
        capped = docket.bound(set(TouchClass) - {TouchClass.REPLY})
        caps = [policy.channel_caps.get(terms.channel, ChannelCaps()) for terms in tick.plans]
        every = len(tick.plans)
        marketing_room = _least_left(
            docket,
            marketing,
            ("touches_day", [policy.day_cap] * every),
            ("touches_week", [policy.week_cap] * every),
            ("touches_month", [policy.month_cap] * every),
        )
        marketing_room = np.minimum(marketing_room, _own_left(docket, marketing))
        channel_room = _least_left(
            docket, capped, ("channel_day", [cap.day for cap in caps]), ("channel_month", [cap.month for cap in caps])
        )
        self._rooms = (
            Room(
                people,
                None if alone else lambda line: person[line.rows],
                lambda line: marketing_room[line.rows],
                lambda line: marketing[line.rows],
            ),
            Room(
                people * len(channels),
                None if alone else lambda line: person[line.rows] * len(channels) + channel[line.plan],
                lambda line: channel_room[line.rows],
            ),
        )

    def enter(self, line: Applicants) -> None:  # most rules have nothing to do here
        for room in self._rooms:
            room.enter(line)

    def refuses(self, line: Applicants) -> Bools:
        return np.logical_or(*(room.refuses(line) for room in self._rooms))

    def passes(self, line: Applicants, hopeful: Bools) -> Bools:
        return np.logical_and(*(room.passes(line, hopeful) for room in self._rooms))

    def settle(self, line: Applicants, granted: Bools, kept: Bools) -> None:  # as above
        for room in self._rooms:
            room.settle(line, granted, kept)


class Taps(Resource):
    """Each guide's tasks of a day: one per plan, so whoever shares a granted plan costs no further tap. What is written
    to an address needs no tap, and takes none from others.

    Kept as the place in line of the first who was granted each (sender, plan); -1 from an earlier round.
    """

    def __init__(self, docket: Docket) -> None:
        tick = docket.tick
        self._plans = len(tick.plans)
        self._tapped = [index for index, terms in enumerate(tick.plans) if not terms.addressed]
        self._budget = np.where([terms.addressed for terms in tick.plans], UNBOUND, tick.policy.tap_budget)
        self._tasks = tasks_taken(tick)
        self._first = np.full((len(tick.senders) + 1, self._plans), UNBOUND, np.int64)

    def enter(self, line: Applicants) -> None:  # most rules have nothing to do here
        self._first[self._first != UNBOUND] = -1
        self._earlier = self._tasks[line.sender, line.plan]

    def refuses(self, line: Applicants) -> Bools:
        if self._plans == 1:  # then no plan of this tick takes a tap from another
            full: Bools = self._earlier >= self._budget[0]
            return full
        own, others = self._standing(line, self._first)
        full = self._earlier + others >= self._budget[line.plan]
        # The first to be granted a plan needs a free tap. Who finds none is refused, unless someone before her, who
        # may find one, opens the plan for her: without this only one of them would be decided at a time.
        opened, _ = self._standing(line, self._with(line, ~full))
        refused: Bools = full & ~own & ~opened
        return refused

    def passes(self, line: Applicants, hopeful: Bools) -> Bools:
        if self._plans == 1:
            free: Bools = self._earlier < self._budget[0]
            return free
        own, _ = self._standing(line, self._first)
        _, others = self._standing(line, self._with(line, hopeful))
        passes: Bools = own | (self._earlier + others < self._budget[line.plan])
        return passes

    def settle(self, line: Applicants, granted: Bools, kept: Bools) -> None:  # as above
        if self._plans > 1:
            self._first = self._with(line, granted)
        self._earlier = self._earlier[kept]

    def _with(self, line: Applicants, added: Bools) -> Ints:
        """`first`, had these applicants been granted too."""
        first = self._first.copy()
        np.minimum.at(first.reshape(-1), (line.sender * self._plans + line.plan)[added], line.places[added])
        return first

    def _standing(self, line: Applicants, first: Ints) -> tuple[Bools, Ints]:
        """For each applicant: was her plan granted to this sender before her, and how many other plans that need a tap
        were? (What is told of the others means nothing to whoever needs none.)"""
        own: Bools = first[line.sender, line.plan] < line.places
        plans = np.zeros(len(line.rows), np.int64)
        for index in self._tapped:
            plans += first[line.sender, index] < line.places
        return own, plans - own


def tasks_taken(tick: Tick) -> Ints:
    """Tasks that each sender (row, by index; the last row is nobody) already has in each plan's window (column)."""
    taken = np.zeros((len(tick.senders) + 1, len(tick.plans)), np.int64)
    index = index_of(numbers(tick.tasks, "sender"), numbers(tick.senders, "sender"))
    np.add.at(taken, (index, numbers(tick.tasks, "plan")), numbers(tick.tasks, "tasks_taken").astype(np.int64))
    return taken


def _capacity(docket: Docket) -> Resource:
    """How many touches each plan may still be granted, where it says so."""
    limits = np.array([UNBOUND if terms.at_most is None else terms.at_most for terms in docket.tick.plans], np.int64)
    return Room(len(limits), lambda line: line.plan, lambda line: limits[line.plan])


def _quota(docket: Docket) -> Resource:
    """How many recipients the platform still lets each sender have."""
    limits = np.append(numbers(docket.tick.senders, "quota_left").astype(np.int64), UNBOUND)
    return Room(len(limits), lambda line: line.sender, lambda line: limits[line.sender])


def _least_left(docket: Docket, bound: Bools, *counted: tuple[str, list[int | None]]) -> Ints:
    """What the tightest of several caps leaves each candidate: cap per plan less what the column counts."""
    least = np.full(len(docket.person), UNBOUND, np.int64)
    for column, caps in counted:
        if any(cap is not None for cap in caps):
            limits = np.array([UNBOUND if cap is None else cap for cap in caps], np.int64)
            limit = limits[0] if (limits == limits[0]).all() else limits[docket.plan]
            np.minimum(least, np.where(limit == UNBOUND, UNBOUND, limit - docket.column(column)), out=least)
    least[~bound] = UNBOUND
    return least


def _own_left(docket: Docket, bound: Bools) -> Ints:
    """What the candidate's own wishes leave her."""
    least = np.full(len(docket.person), UNBOUND, np.int64)
    for column, wish in (("touches_week", "own_week"), ("touches_month", "own_month")):
        most = docket.wished(wish)
        asked = most != UNBOUND
        if asked.any():
            np.minimum(least, np.where(asked, most - docket.column(column), UNBOUND), out=least)
    least[~bound] = UNBOUND
    return least


sender_choice = AllocationRule(RuleName.SENDER_CHOICE, final=True, opens=Choice)
caps = AllocationRule(RuleName.CAPS, final=True, opens=Caps)
capacity = AllocationRule(RuleName.CAPACITY, final=True, opens=_capacity)
platform_quota = AllocationRule(RuleName.PLATFORM_QUOTA, final=False, opens=_quota)
tap_budget = AllocationRule(RuleName.TAP_BUDGET, final=False, opens=Taps)
