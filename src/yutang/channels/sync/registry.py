"""Every kind of sync, in the order in which they are done, and every kind of hint.

A new kind is a line here; whoever works through them needs no other word of it.
"""

from __future__ import annotations

from yutang.channels.sync import acquisition, archive, customers, groups, kf, offgate, staff, tags
from yutang.channels.sync.contracts import Hinted, Kind
from yutang.kernel.errors import NotFound

KINDS: tuple[Kind, ...] = (tags.KIND, staff.KIND, customers.KIND, groups.KIND, archive.KIND, kf.KIND, offgate.KIND)
HINTED: tuple[Hinted, ...] = (
    tags.HINTED,
    staff.MEMBERS,
    staff.DEPARTMENTS,
    customers.HINTED,
    groups.HINTED,
    archive.HINTED,
    kf.HINTED,
    acquisition.HINTED,
    tags.MARKED,
)


def kind_named(name: str) -> Kind:
    """The kind of sync of that name. Raises NotFound."""
    for one in KINDS:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in KINDS)
    raise NotFound(
        f"没有「{name[:40]}」这种同步，有：{known}。", f"There is no sync of “{name[:40]}”; there are: {known}."
    )
