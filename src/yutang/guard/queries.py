"""What is held of a person, and the erasures."""

from __future__ import annotations

import pyarrow as pa

from yutang.guard.contracts import ErasureFacts, Holdings, Step
from yutang.guard.models import Erasure
from yutang.kernel.errors import Refused
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.people import erasing
from yutang.people.queries import person_card
from yutang.warehouse.contracts import Warehouse, named


def holdings(warehouse: Warehouse, viewer: Viewer, person: PersonId) -> Holdings:
    """How much is held of a person. Raises NotFound outside the viewer's scope."""
    card = person_card(viewer, person)
    births = pa.table({"person": pa.array(card.births, pa.int64())})
    found = warehouse.query(named("guard/holdings", tables={"births": births})).to_pylist()[0]
    return Holdings(card.person, card.births, {**erasing.counts_of(card.births), **found})


def erasures(viewer: Viewer) -> list[ErasureFacts]:
    """Every erasure, the latest first. Raises Refused for whoever does not run the whole brand."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("删除记录是全品牌的，请找总部运营。", "Erasures concern the whole brand; ask headquarters.")
    return [facts_of(row) for row in Erasure.objects.order_by("-pk")]


def facts_of(row: Erasure) -> ErasureFacts:
    """A row as others see it."""
    return ErasureFacts(
        row.pk, PersonId(row.person), row.reason, row.asked_by, row.asked_at, Step(row.step), row.counts, row.done_at,
        row.trouble,
    )  # fmt: skip
