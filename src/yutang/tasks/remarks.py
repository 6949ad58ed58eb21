"""What somebody wrote down of a customer in their own words: kept sealed, shown at the store where it was written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from yutang.kernel.errors import BadInput
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation.contracts import Viewer
from yutang.tasks.models import Remark

LONGEST = 400


@dataclass(frozen=True, slots=True)
class RemarkFacts:
    """A remark; `at` is business time."""

    text: str = field(repr=False)
    userid: str
    at: datetime


def remark(person: PersonId, node: NodeId, userid: str, text: str, at: datetime) -> None:
    """Keep a remark, in the caller's transaction. Raises BadInput for an empty or too long one."""
    if not text.strip() or len(text) > LONGEST:
        raise BadInput(f"备注要写 1–{LONGEST} 个字。", f"A remark has 1 to {LONGEST} characters.")
    Remark.objects.create(person=person, node=node, userid=userid, text=text.strip(), at=at)


def remarks_of(viewer: Viewer, births: Collection[PersonId], limit: int = 3) -> list[RemarkFacts]:
    """The latest remarks about a person (by all their numbers) that were written at stores which the viewer sees."""
    rows = Remark.objects.filter(person__in=list(births)).order_by("-at", "-pk")
    rows = rows if viewer.nodes is None else rows.filter(node__in=viewer.nodes)
    return [RemarkFacts(row.text or "", row.userid, row.at) for row in rows[:limit]]


def forget_remarks_on(births: Collection[int]) -> int:
    """Delete what was written of a person, in the caller's transaction; returns how many remarks."""
    return Remark.objects.filter(person__in=list(births)).delete()[0]
