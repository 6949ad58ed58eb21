"""Every kind that can be imported, by name."""

from __future__ import annotations

from yutang.intake import eventfiles, orders
from yutang.intake.kinds import people
from yutang.intake.kinds.contracts import Kind
from yutang.kernel.errors import NotFound

ORDERS = Kind("orders", "订单", "orders", orders.REQUIRED, orders.IDENTITY, orders.OPTIONAL)
EVENTS = Kind("events", "事件", "events", eventfiles.REQUIRED, eventfiles.IDENTITY, eventfiles.OPTIONAL)
KINDS = {
    kind.name: kind
    for kind in (
        ORDERS,
        people.PERSONS,
        people.RELATIONS,
        people.GROUPS,
        people.COUPONS,
        people.CONSENT,
        people.PARTNERS,
        people.INVITES,
        EVENTS,
    )
}


def kind_named(name: str) -> Kind:
    """The kind of that name. Raises NotFound."""
    if name not in KINDS:
        raise NotFound(
            f"不能导入「{name}」，可以导入：{'、'.join(KINDS)}。",
            f"“{name}” cannot be imported; there are {', '.join(KINDS)}.",
        )
    return KINDS[name]
