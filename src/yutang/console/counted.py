"""What Today counts beforehand of the whole brand, and the part of it that a viewer sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import StaffId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER, brand, posts
from yutang.profiles.beforehand import Beforehand, Known
from yutang.profiles.friends import NetFriends, net_friends_of_each, total
from yutang.segments import queries as segments
from yutang.segments.documents import SegmentDocument
from yutang.warehouse.contracts import Warehouse, named

OVERDUE = "overdue"
CUT_DAYS = 31
BACK_DAYS = 14
NET_DAYS = 7
Numbers = npt.NDArray[np.int64]


# Who is overdue -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LateNow:
    """Who is overdue: for how many days, and what they spent in a year."""

    known: Known
    days: Numbers
    spend: npt.NDArray[np.float64]

    def part(self, viewer: Viewer) -> tuple[Numbers, npt.NDArray[np.float64]]:
        """Days and spend of those whom the viewer sees."""
        seen = self.known.seen_by(viewer)
        return self.days[seen], self.spend[seen]


def _overdue() -> SegmentDocument | None:
    try:
        return segments.segment_named(OVERDUE)
    except NotFound:
        return None


def _late_now(warehouse: Warehouse) -> LateNow | None:
    document = _overdue()
    if document is None:
        return None
    traits = ("days_since_last_visit", "spend_365d")
    rows = segments.members(warehouse, OWNER, document, limit=100_000_000, traits=traits)
    days, spend = (np.array([float(one or 0) for one in rows[name].to_pylist()]) for name in traits)
    return LateNow(Known.of(warehouse, rows["person"].to_numpy()), days.astype(np.int64), spend)


LATE_NOW = Beforehand(_late_now, _overdue)
"""None where the segment was retired."""


@dataclass(frozen=True, slots=True)
class Back:
    """Of those who were so late at the cut and were told nothing (`households`), how many came back by themselves; and
    how many were told something."""

    households: int = 0
    came: int = 0
    messaged: int = 0


@dataclass(frozen=True, slots=True)
class LateThen:
    """Who was overdue at the start of the day `cut`, from how many days on, who was told something and who came."""

    cut: date
    known: Known
    from_days: Numbers
    messaged: npt.NDArray[np.bool_]
    came: npt.NDArray[np.bool_]

    def part(self, viewer: Viewer) -> Mapping[int, Back]:
        """By the days from which they count, of those whom the viewer sees."""
        seen = self.known.seen_by(viewer)
        rows = zip(self.from_days[seen], self.messaged[seen], self.came[seen], strict=True)
        heads = Counter((int(first), bool(told), bool(back)) for first, told, back in rows)
        return {
            first: Back(
                heads[first, False, True] + heads[first, False, False],
                heads[first, False, True],
                heads[first, True, True] + heads[first, True, False],
            )
            for first in {first for first, _, _ in heads}
        }


def _cut() -> tuple[str, date]:
    zone = brand().zone
    return zone, local_day(business_now(), zone) - timedelta(days=CUT_DAYS)


def late_then(warehouse: Warehouse, zone: str, cut: date) -> LateThen:
    """Of everybody. (Unscoped: `part` says whom a viewer sees.)"""
    until = cut + timedelta(days=BACK_DAYS)
    params = {
        "zone": zone,
        "cut": cut,
        "cut_at": day_start(cut, zone),
        "latest": day_start(cut - timedelta(days=13), zone),
        "until_day": until,
        "until": day_start(until, zone),
        "quiet_from": day_start(cut - timedelta(days=BACK_DAYS), zone),
    }
    rows = warehouse.query(named("console/come_back", params))
    first, messaged, came = (rows[name].to_numpy() for name in ("from_days", "messaged", "came"))
    return LateThen(cut, Known.of(warehouse, rows["person"].to_numpy()), first, messaged, came)


LATE_THEN = Beforehand(lambda warehouse: late_then(warehouse, *_cut()), _cut)


# Friends gained -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gain:
    """Friends gained in the last seven days, and in the seven before."""

    now: NetFriends
    before: NetFriends


@dataclass(frozen=True, slots=True)
class Gained:
    """The same of each member of staff."""

    now: Mapping[StaffId, NetFriends]
    before: Mapping[StaffId, NetFriends]

    def part(self, viewer: Viewer) -> Gain:
        """Of those whom the viewer sees, together."""
        mine = posts(viewer)
        now, before = (total(one for staff, one in each.items() if staff in mine) for each in (self.now, self.before))
        return Gain(now, before)


def _gained(warehouse: Warehouse) -> Gained:
    now, span, at = business_now(), timedelta(days=NET_DAYS), posts(OWNER)
    return Gained(*(net_friends_of_each(warehouse, at, end - span, end) for end in (now, now - span)))


GAINED = Beforehand(_gained, lambda: local_day(business_now(), brand().zone))
