"""净增好友 = 新增 − 删除: the one definition, for every page, command and phone that shows a gain.

A friendship is one person with one member of staff, however many accounts either has (`sql/friendships.sql`). It counts
where the member of staff stands now, so that what guides have adds up to what their store has. Who comes back counts
again: lost and regained is no gain. Who was handed over by the brand is neither the one's gain nor the other's loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from yutang.kernel.ids import NodeId, StaffId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import posts
from yutang.warehouse.contracts import Statement, Warehouse, named
from yutang.warehouse.dialects import beside


@dataclass(frozen=True, slots=True)
class NetFriends:
    """Friendships that began (`added`) and ended (`lost`) in a window; `by_customer` of the lost were ended by them.

    `handed_in` and `handed_on` came from and went to other staff, and are in neither.
    """

    added: int = 0
    lost: int = 0
    by_customer: int = 0
    handed_in: int = 0
    handed_on: int = 0

    @property
    def net(self) -> int:
        """净增好友."""
        return self.added - self.lost

    def __add__(self, other: NetFriends) -> NetFriends:
        return NetFriends(
            self.added + other.added,
            self.lost + other.lost,
            self.by_customer + other.by_customer,
            self.handed_in + other.handed_in,
            self.handed_on + other.handed_on,
        )


def net_friends(warehouse: Warehouse, viewer: Viewer, since: datetime, until: datetime) -> dict[StaffId, NetFriends]:
    """What each of the staff whom the viewer sees gained in [since, until); without who neither gained nor lost."""
    return net_friends_of_each(warehouse, posts(viewer), since, until)


def net_friends_of(warehouse: Warehouse, at: Mapping[StaffId, NodeId], since: datetime, until: datetime) -> NetFriends:
    """What these members of staff, each with their store, gained together. (Unscoped: the caller names them.)"""
    return total(net_friends_of_each(warehouse, at, since, until).values())


def net_friends_of_each(
    warehouse: Warehouse, at: Mapping[StaffId, NodeId], since: datetime, until: datetime
) -> dict[StaffId, NetFriends]:
    """The same of each of them; without who neither gained nor lost."""
    params = {"since": since, "until": until}
    rows = warehouse.query(with_friendships(named("profiles/net_friends", params), at)).to_pylist()
    found = {
        StaffId(row["staff"]): NetFriends(row["added"], row["lost"], row["left_us"], row["handed_in"], row["handed_on"])
        for row in rows
    }
    return {staff: one for staff, one in found.items() if one != NetFriends()}


def with_friendships(statement: Statement, at: Mapping[StaffId, NodeId]) -> Statement:
    """The statement with a table `friendships` beside its others: those of these members of staff, each with their
    store. Of persons of whom nothing was said since its parameter `since`, there is nothing in it."""
    table = {"staff": pa.array(list(at), pa.int64()), "store": pa.array(list(at.values()), pa.int64())}
    whole = beside(statement, "friendships", "profiles/friendships")
    return Statement(whole.sql, whole.params, {**whole.tables, "posts": pa.table(table)}, statement.name)


def total(several: Iterable[NetFriends]) -> NetFriends:
    """All of them together."""
    return sum(several, NetFriends())


def by_node(found: Mapping[StaffId, NetFriends], at: Mapping[StaffId, NodeId]) -> dict[NodeId, NetFriends]:
    """The same by the store where each member of staff stands now."""
    stores: dict[NodeId, NetFriends] = {}
    for staff, one in found.items():
        if (store := at.get(staff)) is not None:
            stores[store] = stores.get(store, NetFriends()) + one
    return stores
