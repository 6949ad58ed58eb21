"""How long events of each type are kept: documents say it, the clock does it in portions.

Nothing is let go of unless a document says so. Orders are never: they are accounts (电子商务法 31 条: three years at
least). What a restore brings back is let go of again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from pydantic import Field, field_validator

from yutang.documents import queries as documents
from yutang.guard.queries import headquarters
from yutang.kernel.clock import business_now
from yutang.kernel.documents import Document, register
from yutang.kernel.errors import BadInput
from yutang.log.vocabulary import VOCABULARY
from yutang.organisation.contracts import Viewer
from yutang.warehouse.contracts import Statement, Warehouse, named

PORTION = 50_000
"""Events let go of in one transaction."""


@register
class RetentionDocument(Document):
    """How many days events are kept, by type; a type that is not named is kept for ever. Orders cannot be named."""

    KIND: ClassVar[str] = "retention"

    days: dict[str, int] = Field(default_factory=dict, max_length=200)

    @field_validator("days")
    @classmethod
    def _can_be(cls, days: dict[str, int]) -> dict[str, int]:
        for name, kept in days.items():
            if name not in VOCABULARY:
                raise BadInput(f"没有「{name}」这种事件。", f"There is no event type “{name}”.")
            if name.startswith("order."):
                raise BadInput("订单是账目，不能设保留期限。", "Orders are accounts; they cannot be let go of.")
            if not 1 <= kept <= 36_500:
                raise BadInput(f"{name} 的天数应在 1–36500 之间。", f"The days of {name} lie between 1 and 36,500.")
        return days


@dataclass(frozen=True, slots=True)
class Kept:
    """An event type that is not kept for ever: how long, how many there are, and how many are past it (the dry run)."""

    type: str
    days: int
    events: int
    due: int


def rules() -> dict[str, int]:
    """Days by event type, of all retention documents; of two that name a type the shorter counts."""
    found: dict[str, int] = {}
    for stored in documents.current(RetentionDocument):
        assert isinstance(stored.document, RetentionDocument)
        for name, days in stored.document.days.items():
            found[name] = min(days, found.get(name, days))
    return found


def overview(warehouse: Warehouse, viewer: Viewer) -> list[Kept]:
    """Every rule with what it would let go of now. Raises Refused for whoever is not headquarters."""
    headquarters(viewer)
    result = []
    for name, days in sorted(rules().items()):
        before = business_now() - timedelta(days=days)
        row = warehouse.query(named("guard/past_their_time", {"type": name, "before": before})).to_pylist()[0]
        result.append(Kept(name, days, row["events"], row["due"]))
    return result


def let_go(warehouse: Warehouse, portion: int = PORTION) -> int:
    """Let go of at most a portion of events that are past their time; returns how many. Again does no harm."""
    left = portion
    for name, days in sorted(rules().items()):
        if left <= 0:
            break
        before = business_now() - timedelta(days=days)
        asked = named("guard/past_ids", {"type": name, "before": before, "limit": left})
        past = warehouse.query(asked)
        if past.num_rows:
            text = (
                "DELETE FROM events WHERE type = $type AND occurred_at < $before "
                "AND EXISTS (SELECT 1 FROM past WHERE past.event_id = events.event_id)"
            )
            params = {"type": name, "before": before}
            warehouse.write([Statement(text, params, {"past": past}, "guard/let_go")])
            left -= past.num_rows
    return portion - left
