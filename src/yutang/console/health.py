"""Whether this process answers: for supervisors and load balancers. Tells nothing about customers."""

from __future__ import annotations

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse

from yutang.intake import pulses
from yutang.intake.collect.writer import current_collector
from yutang.kernel.database import is_shared
from yutang.kernel.errors import YutangError
from yutang.organisation.queries import is_set_up
from yutang.warehouse.contracts import Statement
from yutang.warehouse.current import current_warehouse


def healthz(request: HttpRequest) -> JsonResponse:
    """200 when database and warehouse answer and the collect API writes, else 503 and which does not."""
    found = {"database": _database(), "warehouse": _warehouse()}
    collector = current_collector()
    if collector is not None:  # a process without that door says nothing of it
        found["collector"] = collector.alive
    ok = all(found.values())
    return JsonResponse({"ok": ok, **found}, status=200 if ok else 503)


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when a brand's pages can be opened, 503 before set-up or while something does not answer.

    On PostgreSQL it says whether a worker and a clock have been alive in the last seconds.
    """
    found: dict[str, object] = {"ready": _database() and _warehouse() and is_set_up()}
    if found["ready"] and is_shared():  # where others do the work: pages open without them, and nothing goes on
        found |= {role: pulses.alive(role) > 0 for role in ("worker", "clock")}
    return JsonResponse(found, status=200 if found["ready"] else 503)


def _database() -> bool:
    try:
        is_set_up()
    except DatabaseError:
        return False
    return True


def _warehouse() -> bool:
    try:
        current_warehouse().query(Statement("SELECT 1 AS one", name="console/healthz"))
    except YutangError:
        return False
    return True
