"""What could be cleaned up at the platform: contacts that are none any more, codes by which nobody comes, dead groups.

The platform lets software delete a contact way, and nothing else of this: friends and groups are lists that people work
through in their own clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from yutang.connect.queries import IdleWay, idle_ways
from yutang.connect.services import close_way
from yutang.guard.radar.queries import headquarters
from yutang.kernel.calendars import aware
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import PersonId, SenderId
from yutang.organisation.contracts import Viewer
from yutang.organisation.services import audit
from yutang.people import grouped
from yutang.people.contracts import GroupFacts, GroupFilter
from yutang.warehouse.contracts import Warehouse, named

REASONS = ("deleted", "blocked", "zombie")
OLD, NOT_BOUGHT, NOT_HEARD = timedelta(days=180), timedelta(days=365), timedelta(days=180)
IDLE_DAYS = (30, 60, 90, 180)
DEAD_DAYS = 60
MOST_CLOSED = 100


@dataclass(frozen=True, slots=True)
class IdleContact:
    """A contact that takes up room: with which account, since when, and why it is thought so (one of REASONS)."""

    person: PersonId
    sender: SenderId
    added_at: datetime
    last_order_at: datetime | None
    reason: str


def idle_contacts(
    warehouse: Warehouse, viewer: Viewer, reason: str = "", *, limit: int = 50, offset: int = 0
) -> tuple[list[IdleContact], int]:
    """Contacts to be deleted by their members, and how many there are. Raises Refused."""
    headquarters(viewer)
    now = business_now()
    params = {
        "old": now - OLD, "bought": now - NOT_BOUGHT, "heard": now - NOT_HEARD,
        "reason": reason if reason in REASONS else "", "limit": max(limit, 1), "offset": offset,
    }  # fmt: skip
    rows = warehouse.query(named("guard/radar/contacts", params)).to_pylist()
    found = [
        IdleContact(
            PersonId(row["person"]), SenderId(row["sender"]), aware(row["added_at"]),
            aware(row["last_order_at"]) if row["last_order_at"] else None, row["reason"],
        )
        for row in rows
    ]  # fmt: skip
    return found, rows[0]["total"] if rows else 0


def idle_codes(viewer: Viewer, days: int) -> list[IdleWay]:
    """The ways by which nobody came for so many days. Raises Refused for whoever is not headquarters."""
    headquarters(viewer)
    return idle_ways(viewer, days)


def close_idle(viewer: Viewer, names: Sequence[str], days: int) -> int:
    """Take the codes of these ways away from the platform; friendships stay, and a way can be opened again.

    One by which somebody came meanwhile is left alone; returns how many were closed. Raises Refused, BadInput."""
    headquarters(viewer)
    wanted = set(names)
    if not wanted or len(wanted) > MOST_CLOSED:
        raise BadInput(f"请选择 1–{MOST_CLOSED} 个活码。", f"Choose 1–{MOST_CLOSED} contact ways.")
    idle = [one for one in idle_ways(viewer, days) if one.way.name in wanted]
    for one in idle:
        close_way(one.way.name, viewer)
    audit(viewer, "radar_close_ways", f"{len(idle)} ways", days=days)
    return len(idle)


def dead_groups(viewer: Viewer, *, limit: int = 50, offset: int = 0) -> tuple[list[GroupFacts], int]:
    """Groups in and out of which nobody went for DEAD_DAYS days, the largest first. Raises Refused."""
    headquarters(viewer)
    asked = GroupFilter(silent=DEAD_DAYS)
    return grouped.groups(viewer, asked, order="-size", limit=limit, offset=offset)
