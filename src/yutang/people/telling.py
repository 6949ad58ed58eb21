"""Groups as shell and API tell them."""

from __future__ import annotations

from collections.abc import Mapping

from yutang.kernel.ids import NodeId
from yutang.people.contracts import GroupFacts


def shown_group(one: GroupFacts, codes: Mapping[NodeId, str]) -> dict[str, object]:
    """A group as a row; `codes` are the stores' codes."""
    return {
        "number": one.id,
        "id": one.code,
        "name": one.name,
        "owner": one.owner or None,
        "store": codes.get(one.node) if one.node is not None else None,
        "state": one.state or None,
        "size": one.size,
        "full": one.full,
        "persons": one.persons,
        "joined_30d": one.joined,
        "left_30d": one.left,
        "made_at": one.made_at,
        "last_moved_at": one.moved_at,
        "read_at": one.read_at,
    }
