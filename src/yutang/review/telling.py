"""Guide trust as the API and the shell tell it."""

from __future__ import annotations

from collections.abc import Mapping

from yutang.kernel.ids import NodeId
from yutang.review.trust_queries import DAYS, GuideTrust


def told_trust(one: GuideTrust, codes: Mapping[NodeId, str]) -> dict[str, object]:
    """A guide as plain data; `value`, `low` and `high` are null where too few friends tell nothing yet."""
    row: dict[str, object] = {"staff": one.staff, "store": codes.get(one.store), "standing": one.standing.value}
    score = one.score
    row |= {name: round(getattr(score, name), 1) if score else None for name in ("value", "low", "high")}
    row |= {"friends": one.kept.friends, "lost": one.kept.lost}
    kept = zip(DAYS, one.kept.shares, strict=True)
    return row | {f"kept_{days}": None if share is None else round(share, 4) for days, share in kept}
