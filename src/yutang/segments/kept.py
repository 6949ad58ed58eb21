"""Who is in every segment of the brand's, in columns, counted beforehand: sizes and overlaps are sums over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from yutang.documents.queries import latest_mark
from yutang.organisation.contracts import Viewer
from yutang.profiles.beforehand import Beforehand, Known
from yutang.segments.compile import compile_memberships
from yutang.segments.documents import SegmentDocument
from yutang.segments.queries import context, segments
from yutang.segments.services import compiles
from yutang.warehouse.contracts import Statement, Warehouse

Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Memberships:
    """Of everybody, by each segment, whether they are in it. What names something that is no more is not among them."""

    known: Known
    members: Mapping[str, Truths]

    def counts(self, viewer: Viewer) -> dict[str, int]:
        """How many members each segment has for the viewer."""
        seen = self.known.seen_by(viewer)
        return {name: int(np.count_nonzero(mine & seen)) for name, mine in self.members.items()}

    def overlaps(self, viewer: Viewer, name: str) -> dict[str, tuple[int, int]]:
        """How many of each segment's members are in the one of this `name` too, and how many it has."""
        mine = self.members[name] & self.known.seen_by(viewer)
        whole = self.counts(viewer)
        return {other: (int(np.count_nonzero(mine & its)), whole[other]) for other, its in self.members.items()}

    def of(self, viewer: Viewer, name: str) -> npt.NDArray[np.int64]:
        """The members of one whom the viewer sees."""
        return self.known.persons[self.members[name] & self.known.seen_by(viewer)]


def _memberships(warehouse: Warehouse) -> Memberships:
    """(Unscoped: the sums say whom a viewer sees.)"""
    at = context(warehouse)
    found = [document for document in segments() if compiles(document, at)]
    rows = warehouse.query(Statement(compile_memberships(found, at), name="segments/memberships")).sort_by("person")
    members = {document.name: rows[document.name].to_numpy() for document in found}
    return Memberships(Known.of(warehouse, rows["person"].to_numpy()), members)


@dataclass(frozen=True, slots=True)
class Members:
    """The members of a segment whom a viewer sees, in order, and as of when they were found."""

    persons: npt.NDArray[np.int64]
    as_of: datetime


def found_members(warehouse: Warehouse, viewer: Viewer, name: str) -> Members | None:
    """Who was in a segment when it was last counted beforehand; None where it was not: then ask it."""
    found = MEMBERSHIPS.found(warehouse)
    if found is None or name not in found.value.members:
        return None
    return Members(found.value.of(viewer, name), found.as_of)


MEMBERSHIPS = Beforehand(_memberships, lambda: latest_mark(SegmentDocument))
