"""催办: whom to ask after tasks that wait, decided by the policy before anything is sent.

Pure: the caller brings what stands, and keeps what is decided. A guide is asked at most so often a day, with a pause
between, in the open hours of staff at their store, and not where they have said why not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from yutang.kernel.calendars import zone
from yutang.kernel.ids import BatchId, SenderId, StaffId
from yutang.reach.policy import Chasing
from yutang.reach.tallies import Open

REMINDERS_A_DAY = 3  # of the platform's own, for one task within 24 hours (WeCom doc 97610: errcode 41094)
DAY = timedelta(hours=24)


class LeftOut(StrEnum):
    """Why a guide whose tasks wait is not asked after."""

    QUIET = "quiet"
    OFTEN = "often"
    PAUSE = "pause"
    EXCUSED = "excused"
    NO_ACCOUNT = "no_account"
    NO_AGENT = "no_agent"
    REMINDED = "reminded"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide whose tasks wait. `account`: by which the app can write to them; `agent`: whether the app of that corp is
    known. `zone` is their store's."""

    staff: StaffId
    zone: str
    tasks: tuple[Open, ...]
    account: SenderId | None
    agent: bool
    active: bool = True


@dataclass(frozen=True, slots=True)
class Before:
    """What stands of a guide: how often they were asked on which day, and when last; of a batch: how often the platform
    reminded in the last 24 hours; and what was excused."""

    times: Mapping[tuple[StaffId, date], int]
    last: Mapping[StaffId, datetime]
    reminded: Mapping[BatchId, int]
    excused: frozenset[BatchId]
    away: frozenset[SenderId]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A guide who is asked, of which tasks, and by what: a message to `account`, reminders of `remind`."""

    staff: StaffId
    day: date
    nth: int
    tasks: tuple[Open, ...]
    account: SenderId | None
    remind: tuple[Open, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """Who is asked, and who is left out and why."""

    chosen: tuple[Chosen, ...]
    left_out: Mapping[StaffId, LeftOut]

    @property
    def counts(self) -> dict[str, int]:
        """How many are left out, by why."""
        found: dict[str, int] = defaultdict(int)
        for why in self.left_out.values():
            found[why.value] += 1
        return dict(sorted(found.items()))


def within(policy: Chasing, zone_name: str, now: datetime) -> bool:
    """Whether staff may be written to now, at a place of that zone."""
    local = now.astimezone(zone(zone_name)).time()
    return policy.hours.opens <= local < policy.hours.closes


def decide(
    policy: Chasing, guides: Sequence[Guide], before: Before, now: datetime, *, message: bool, remind: bool
) -> Decided:
    """Who of the guides is asked now, by a message of the app and/or the platform's reminder."""
    chosen: list[Chosen] = []
    left_out: dict[StaffId, LeftOut] = {}
    here = {name: _Local(now.astimezone(zone(name)).date(), within(policy, name, now)) for name in _zones(guides)}
    for guide in guides:
        found = _of(policy, guide, before, now, here[guide.zone], message=message, remind=remind)
        if isinstance(found, LeftOut):
            left_out[guide.staff] = found
        else:
            chosen.append(found)
    return Decided(tuple(chosen), left_out)


@dataclass(frozen=True, slots=True)
class _Local:
    """What day it is in a zone, and whether staff there may be written to."""

    day: date
    opened: bool


def _zones(guides: Sequence[Guide]) -> set[str]:
    return {guide.zone for guide in guides}


def _of(
    policy: Chasing, guide: Guide, before: Before, now: datetime, local: _Local, *, message: bool, remind: bool
) -> Chosen | LeftOut:
    if not guide.active:
        return LeftOut.AWAY
    tasks = guide.tasks
    if before.excused or before.away:  # else thousands of guides are gone through for nothing
        tasks = tuple(one for one in tasks if one.batch not in before.excused and one.sender not in before.away)
    if not tasks:
        return LeftOut.EXCUSED
    if not local.opened:
        return LeftOut.QUIET
    times = before.times.get((guide.staff, local.day), 0)
    if times >= policy.a_day:
        return LeftOut.OFTEN
    last = before.last.get(guide.staff)
    if last is not None and now - last < timedelta(hours=policy.pause_hours):
        return LeftOut.PAUSE
    account = guide.account if message and guide.agent else None
    reminded: tuple[Open, ...] = ()
    if remind:
        reminded = tuple(one for one in tasks if one.task and before.reminded.get(one.batch, 0) < REMINDERS_A_DAY)
    if account is None and not reminded:
        if remind:
            return LeftOut.REMINDED
        return LeftOut.NO_ACCOUNT if guide.account is None else LeftOut.NO_AGENT
    return Chosen(guide.staff, local.day, times + 1, tasks, account, reminded)
