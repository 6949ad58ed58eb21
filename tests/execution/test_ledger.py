"""What stands on a batch of how many it was asked for and settled is what the ledger says; HQ sees it after the tap."""

from __future__ import annotations

import pytest

from tests.reach.conftest import Stage, stage  # noqa: F401  # the stage is this file's fixture too
from yutang.execution.board import board
from yutang.organisation.queries import OWNER
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch
from yutang.reach.tallies import Wanted

pytestmark = pytest.mark.django_db


def settled(stage: Stage, batch: Batch) -> int:  # noqa: F811
    """Of how many of a batch's people something final was told by the platform after it was asked."""
    sql = (
        "SELECT count(DISTINCT r.touch) FROM receipts r WHERE r.batch = $batch AND r.state IN ('sent', 'failed')"
        " AND r.receipt_key NOT LIKE 'failed:issue%'"
    )
    return int(stage.rows(sql, batch=batch.pk)[0][0])


def test_headquarters_sees_on_the_board_what_guides_have_sent(stage: Stage) -> None:  # noqa: F811
    plan = stage.launch("hello")
    stage.to(0.0)
    wanted = Wanted(plan=plan)
    assert board(OWNER, wanted).total.planned == 3
    stage.to(1.0)
    counts, total = stage.counts(plan), board(OWNER, wanted).total
    assert (total.issued, total.executed, total.waiting) == (3, 3, 0)
    assert total.people == total.reached == counts.sent + counts.failed
    for batch in Batch.objects.filter(run__plan_id=plan, state=BatchState.CLOSED):
        assert batch.done == settled(stage, batch) > 0
        assert batch.tapped_hour is not None
