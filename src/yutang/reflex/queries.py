"""What became of reflex acts, and who is to be followed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Count, Q

from yutang.kernel.clock import business_now
from yutang.kernel.errors import Refused
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation.contracts import Viewer
from yutang.reflex.contracts import ActState, FollowUpFacts, RuleCounts
from yutang.reflex.models import Act, FollowUp

SOON = timedelta(days=1)


def waiting() -> int:
    """How many acts are due or under way. (Unscoped: a number of the whole installation.)"""
    return Act.objects.filter(state__in=[ActState.DUE, ActState.DOING]).count()


def rule_counts(viewer: Viewer) -> list[RuleCounts]:
    """What became of the acts of every rule, by name. Raises Refused for a viewer who does not see the whole brand."""
    if not viewer.sees_all:
        raise Refused("规则的执行情况是全品牌的。", "What became of rules concerns the whole brand.")
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in Act.objects.values("rule", "kind", "state").annotate(acts=Count("pk")):
        found[row["rule"]][row["kind"]][row["state"]] = row["acts"]
    return [RuleCounts(rule, {kind: dict(states) for kind, states in found[rule].items()}) for rule in sorted(found)]


def own_follow_ups(userids: Collection[str], until: datetime, limit: int = 20) -> list[FollowUpFacts]:
    """Whom these accounts are to follow up and did not yet, the most urgent first: who is due until then, and whom a
    rule asks them to follow up within a day, for that one waits already. (Unscoped: they are the reader's own.)"""
    due = Q(due_at__lte=until) | Q(act__isnull=False, due_at__lte=business_now() + SOON)
    rows = FollowUp.objects.filter(due, userid__in=list(userids), done_at=None).order_by("due_at", "pk")
    return [_facts(row) for row in rows.select_related("act")[:limit]]


def follow_ups(
    viewer: Viewer, *, open_only: bool = True, limit: int = 50, births: Collection[PersonId] | None = None
) -> list[FollowUpFacts]:
    """Who is to be followed up at the stores that a viewer sees, the most urgent first; `births`: only these persons,
    by all their numbers."""
    rows = FollowUp.objects.order_by("due_at", "pk")
    rows = rows if births is None else rows.filter(person__in=births)
    rows = rows if viewer.nodes is None else rows.filter(node__in=viewer.nodes)
    rows = rows.filter(done_at=None) if open_only else rows
    return [_facts(row) for row in rows.select_related("act")[:limit]]


def _facts(row: FollowUp) -> FollowUpFacts:
    rule = "" if row.act is None else row.act.rule
    return FollowUpFacts(
        row.pk, PersonId(row.person), row.userid, NodeId(row.node), row.note, row.due_at, row.done_at, rule
    )  # fmt: skip
