"""A small pond: one region with two stores, a guide in each."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

from yutang.kernel.ids import EventId, NodeId, SenderId
from yutang.log.contracts import Event, IdentifierValue
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import nodes
from yutang.organisation.services import NewNode, NewSender, add_nodes, add_senders, set_up_brand

T0 = datetime(2026, 3, 29, 0, 30, 7, 250_000, UTC)
_number = count()


def found_pond(country: str = "CN") -> dict[str, SenderId]:
    """Set up the brand; returns the guides' sender ids by userid."""
    set_up_brand("鱼塘", "CNY", "Asia/Shanghai", country=country)
    add_nodes(
        [
            NewNode("north", "北区", NodeKind.REGION),
            NewNode("s1", "一店", NodeKind.STORE, "north"),
            NewNode("s2", "二店", NodeKind.STORE, "north", zone="America/New_York"),
        ]
    )
    return add_senders(
        [NewSender("s1", "小王", "wecom", "corp", "wang"), NewSender("s2", "小李", "wecom", "corp", "li")]
    )


def node(code: str) -> NodeId:
    """A node's id."""
    return next(one.id for one in nodes() if one.code == code)


def manager(code: str) -> Viewer:
    """Somebody who sees one store only."""
    return Viewer(f"manager-{code}", RoleName.MANAGER, frozenset({node(code)}))


def member(number: str) -> IdentifierValue:
    """A member number of the till."""
    return IdentifierValue("member", "till", number)


def friend(userid: str) -> IdentifierValue:
    """A WeCom friend of the corp."""
    return IdentifierValue("external_userid", "corp", userid)


def phone(number: str) -> IdentifierValue:
    """A phone number."""
    return IdentifierValue("phone", "", number)


def event(
    kind: str, *identifiers: IdentifierValue, at: datetime = T0, id: str | None = None, **fields: object
) -> Event:
    """An event of the till with an id of its own."""
    return Event(EventId(id or f"e{next(_number)}"), kind, at, identifiers, source="till", **fields)  # type: ignore[arg-type]
