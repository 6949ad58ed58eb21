"""What is held of a person, and the erasures."""

from __future__ import annotations

import pyarrow as pa

from yutang.guard.contracts import ErasureFacts, Holdings, Step
from yutang.guard.models import Erasure
from yutang.kernel.errors import Refused
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.people import erasing, shunned
from yutang.people.queries import person_card
from yutang.warehouse.contracts import Warehouse, named


def holdings(warehouse: Warehouse, viewer: Viewer, person: PersonId) -> Holdings:
    """How much is held of a person. Raises NotFound outside the viewer's scope."""
    card = person_card(viewer, person)
    births = pa.table({"person": pa.array(card.births, pa.int64())})
    found = warehouse.query(named("guard/holdings", tables={"births": births})).to_pylist()[0]
    return Holdings(card.person, card.births, {**erasing.counts_of(card.births), **found})


def headquarters(viewer: Viewer) -> None:
    """Raise Refused for whoever does not run the whole brand."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("只有总部运营能处理客户的个人信息权利。", "Only headquarters handles a person's rights.")


def turned_away(viewer: Viewer) -> tuple[int, int]:
    """How much arrived of erased persons: dropped, and of orders kept as nobody's. Raises Refused as `erasures`."""
    headquarters(viewer)
    return shunned.turned_away()


def erasures(viewer: Viewer) -> list[ErasureFacts]:
    """Every erasure, the latest first. Raises Refused for whoever does not run the whole brand."""
    headquarters(viewer)
    return [facts_of(row) for row in Erasure.objects.order_by("-pk")]


def facts_of(row: Erasure) -> ErasureFacts:
    """A row as others see it."""
    return ErasureFacts(
        row.pk, PersonId(row.person), row.reason, row.asked_by, row.asked_at, Step(row.step), row.counts, row.done_at,
        row.trouble,
    )  # fmt: skip
