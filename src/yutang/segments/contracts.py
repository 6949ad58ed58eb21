"""What other rooms see of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.profiles.contracts import Moment
from yutang.profiles.shapes import unknown
from yutang.segments.documents import Likeness, SegmentDocument
from yutang.segments.likeness import Model

Resolver = Callable[[str], SegmentDocument]
"""The current segment of a name. Raises NotFound."""


class Nodes:
    """The organisation tree as rules name it: by code. It is not read before a rule names a place: most name none, and
    a tree may be of thousands."""

    def __init__(self, read: Callable[[], Iterable[NodeFacts]]) -> None:
        self._read = read

    @cached_property
    def nodes(self) -> tuple[NodeFacts, ...]:
        """The whole tree, parents first."""
        return tuple(self._read())

    def named(self, codes: Iterable[str], kind: NodeKind) -> list[NodeFacts]:
        """The nodes of a kind with these codes. Raises BadInput naming a code that does not exist."""
        known: Mapping[str, NodeFacts] = {node.code: node for node in self.nodes if node.kind is kind}
        for code in codes:
            if code not in known:
                what = ("门店", "store") if kind is NodeKind.STORE else ("区域", "region")
                raise unknown(*what, code, sorted(known)[:50])
        return [known[code] for code in codes]

    def below(self, roots: Iterable[NodeFacts]) -> list[int]:
        """The ids of these nodes and of every node below them."""
        found = {int(node.id) for node in roots}
        for node in self.nodes:  # parents stand before their children
            if node.parent is not None and int(node.parent) in found:
                found.add(int(node.id))
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Context:
    """What a document needs to become a query: the instant of the profiles, the tree, the other segments, and what
    makes somebody look like the members of one of them."""

    moment: Moment
    nodes: Nodes
    segments: Resolver
    model: Callable[[Likeness, Context], Model]


def unfitted(likeness: Likeness, at: Context) -> Model:
    """In place of a model, where a document is only looked over: nobody looks like anybody."""
    return Model()


@dataclass(frozen=True, slots=True)
class Changes:
    """Who entered and who left a segment since it was last recorded."""

    segment: str
    version: int
    at: datetime
    entered: int
    left: int
