"""How syncs stand: only headquarters is shown them, since they concern the whole corp."""

from __future__ import annotations

from django.db.models import Count, Max, Min, Q

from yutang.channels.sync.contracts import Found, HintCount, RunFacts, RunState
from yutang.channels.sync.models import SyncHint, SyncRun
from yutang.kernel.errors import Refused
from yutang.organisation.contracts import Viewer


def facts_of(row: SyncRun) -> RunFacts:
    """A row as others see it."""
    return RunFacts(
        row.pk,
        row.channel,
        row.corp,
        row.kind,
        RunState(row.state),
        row.first,
        row.done,
        row.total,
        Found(row.read, row.added, row.changed, row.ended, (row.note_zh, row.note_en)),
        row.by,
        row.begun_at,
        row.started_at,
        row.ended_at,
        row.not_before,
        (row.error_zh, row.error_en),
    )


def check_viewer(viewer: Viewer) -> None:
    """Raise Refused for whoever does not see the whole brand."""
    if not viewer.sees_all:
        raise Refused("同步属于整个品牌，请找总部。", "Syncs belong to the whole brand; ask headquarters.")


def last_runs(viewer: Viewer) -> list[RunFacts]:
    """The last run of each corp and kind, open or ended. Raises Refused."""
    check_viewer(viewer)
    last = SyncRun.objects.values("channel", "corp", "kind").annotate(last=Max("pk")).values("last")
    return [facts_of(row) for row in SyncRun.objects.filter(pk__in=last).order_by("corp", "kind")]


def runs(viewer: Viewer, *, limit: int = 50) -> list[RunFacts]:
    """The last runs of all, newest first. Raises Refused."""
    check_viewer(viewer)
    return [facts_of(row) for row in SyncRun.objects.order_by("-pk")[:limit]]


def run_numbered(viewer: Viewer, number: int) -> RunFacts | None:
    """One run. Raises Refused."""
    check_viewer(viewer)
    row = SyncRun.objects.filter(pk=number).first()
    return None if row is None else facts_of(row)


def hints_waiting(viewer: Viewer) -> list[HintCount]:
    """How many hints wait, by corp and kind. Raises Refused."""
    check_viewer(viewer)
    rows = SyncHint.objects.values("channel", "corp", "kind").annotate(
        waiting=Count("pk"), failing=Count("pk", filter=Q(tries__gt=0)), since=Min("made_at")
    )
    return [
        HintCount(row["channel"], row["corp"], row["kind"], row["waiting"], row["failing"], row["since"])
        for row in rows.order_by("corp", "kind")
    ]
