"""The lane that counts beforehand what pages show, in every process that serves pages."""

from __future__ import annotations

import threading
from typing import Any

from yutang.console import counted, pond
from yutang.execution import board
from yutang.guard.accounts import queries as accounts
from yutang.guard.drill import queries as drill
from yutang.layers import flow, next_queries, standing
from yutang.operations.lanes import until
from yutang.profiles.beforehand import Beforehand, keep_up, let_go
from yutang.reach.offgate import SPOKEN
from yutang.reach.settled import SETTLED
from yutang.review import advisor_queries, growth_queries, growth_tree_queries, trust_queries
from yutang.segments import kept
from yutang.warehouse.contracts import Warehouse

FIGURES: tuple[Beforehand[Any], ...] = (
    pond.POND,
    counted.LATE_NOW,
    counted.LATE_THEN,
    counted.GAINED,
    accounts.LEVELS,
    board.LATELY,
    SETTLED,
    next_queries.NEXT,
    standing.STANDING,
    kept.MEMBERSHIPS,
    growth_queries.MONTHS,
    flow.FLOW,
    drill.CONTACTS,
    growth_tree_queries.GROWTH,
    advisor_queries.MEASURED,
    trust_queries.WHOLE,
    SPOKEN,
)

PAUSE = 2.0  # wall seconds between two looks: profiles are computed anew every three at most


def figures(warehouse: Warehouse, stop: threading.Event) -> None:
    """Count until stopped. Whoever opens a page meanwhile sees what was counted before."""

    def once(stop: threading.Event) -> bool:
        keep_up(warehouse, (one for one in FIGURES if not stop.is_set()))
        return False  # each rests longer than a look takes

    try:
        until(stop, "figures", once, PAUSE)
    finally:
        let_go(warehouse)
