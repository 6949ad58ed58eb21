"""How syncs stand: only headquarters is shown them, since they concern the whole corp."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count, F, Max, Min, Q

from yutang.channels.sync.contracts import Found, HintCount, RunFacts, RunState
from yutang.channels.sync.models import KnownRelation, KnownTag, SyncHint, SyncRun
from yutang.kernel.errors import Refused
from yutang.kernel.ids import SenderId
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


@dataclass(frozen=True, slots=True)
class CustomersHeld:
    """How many customers the platform counts for some accounts. `left`: of how many the customer deleted the
    member; they count still.

    `fullest`: the account with the most relations, and how many; None where none is known.
    """

    customers: int
    left: int
    fullest: tuple[SenderId, int] | None


def customers_held(accounts: Collection[SenderId]) -> CustomersHeld:
    """What the platform shows of these accounts, as it was told or read last. (Unscoped: numbers of a whole corp.)"""
    mine = KnownRelation.objects.filter(sender__in=list(accounts), added__isnull=False)
    shown = mine.filter(Q(ended=None) | Q(ended__lt=F("added")))
    most = shown.values("sender").annotate(count=Count("pk")).order_by("-count", "sender").first()
    customers = shown.aggregate(count=Count("who", distinct=True))["count"]
    gone = shown.filter(left__gte=F("added")).count()
    return CustomersHeld(customers, gone, (SenderId(most["sender"]), most["count"]) if most else None)


def tags_held(corp: str) -> int:
    """How many tags a corp has at the platform. (Unscoped: a number of a whole corp.)"""
    return KnownTag.objects.filter(corp=corp, gone=False).count()
