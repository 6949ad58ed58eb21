"""What a store manager sees of the store: who has not sent yet, and what each guide gained for what they sold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from yutang.kernel.clock import business_now
from yutang.kernel.ids import StaffId
from yutang.organisation.contracts import SenderFacts, Viewer
from yutang.organisation.queries import senders
from yutang.profiles.friends import NetFriends, net_friends
from yutang.reach.contracts import AskedFacts
from yutang.reach.queries import asked_of
from yutang.warehouse.contracts import Warehouse, named

SPAN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Owing:
    """A member of staff with tasks that wait for their tap, the nearest deadline first."""

    staff: StaffId
    name: str
    tasks: tuple[AskedFacts, ...]

    @property
    def people(self) -> int:
        """How many customers wait to be written to."""
        return sum(task.size for task in self.tasks)

    @property
    def deadline(self) -> datetime:
        """When the first of the tasks is over."""
        return self.tasks[0].deadline


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days: friends gained and lost, and orders (None: none of the store's names who served)."""

    friends: NetFriends
    orders: int | None

    @property
    def rate(self) -> float | None:
        """Friends added for every hundred orders; None without orders."""
        return 100 * self.friends.added / self.orders if self.orders else None


@dataclass(frozen=True, slots=True)
class GuideWeeks:
    """A guide's last seven days, and the seven before."""

    staff: StaffId
    name: str
    now: Week
    before: Week


@dataclass(frozen=True, slots=True)
class StoreWeeks:
    """The store's own, and each guide's, who gained most first. `named`: whether orders say who served."""

    guides: tuple[GuideWeeks, ...]
    now: Week
    before: Week
    named: bool


def owing(viewer: Viewer) -> list[Owing]:
    """Whose tasks wait at the stores that the viewer sees, the nearest deadline first."""
    team = {one.id: one for one in senders(viewer) if one.active}
    tasks: dict[StaffId, list[AskedFacts]] = defaultdict(list)
    names: dict[StaffId, str] = {}
    for task in asked_of(team):
        account = team[task.sender]
        tasks[account.staff].append(task)
        names[account.staff] = account.name
    found = [Owing(staff, names[staff], tuple(several)) for staff, several in tasks.items()]
    return sorted(found, key=lambda one: (one.deadline, one.staff))


def weeks(warehouse: Warehouse, viewer: Viewer) -> StoreWeeks:
    """What the stores that the viewer sees gained and sold in the last seven days, and in the seven before, by guide.

    Raises ValueError for a viewer who sees everything: a store's manager sees stores.
    """
    if viewer.nodes is None:
        raise ValueError("name the stores")
    now = business_now()
    team = _people(senders(viewer))
    gained = [net_friends(warehouse, viewer, end - SPAN, end) for end in (now, now - SPAN)]
    params = {"since": now - 2 * SPAN, "middle": now - SPAN, "until": now}
    chosen = pa.table({"node": pa.array(sorted(viewer.nodes), pa.int64())})
    rows = warehouse.query(named("tasks/orders_by_staff", params, {"chosen": chosen})).to_pylist()
    sold = {row["staff"]: (row["orders"], row["orders_before"]) for row in rows}
    told = any(staff is not None for staff in sold)
    guides = [
        GuideWeeks(staff, name, *(
            Week(gained[at].get(staff, NetFriends()), sold.get(staff, (0, 0))[at] if told else None) for at in (0, 1)
        ))
        for staff, name in team.items()
    ]  # fmt: skip
    whole = [Week(sum(gained[at].values(), NetFriends()), sum(orders[at] for orders in sold.values())) for at in (0, 1)]
    guides.sort(key=lambda one: (-one.now.friends.net, one.staff))
    return StoreWeeks(tuple(guides), whole[0], whole[1], told)


def _people(accounts: Sequence[SenderFacts]) -> dict[StaffId, str]:
    """Each of the staff once, however many accounts they have."""
    return {one.staff: one.name for one in accounts if one.active}
