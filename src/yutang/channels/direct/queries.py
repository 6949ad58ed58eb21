"""What accounts were asked to send, for those who run the whole brand. Nothing here names a recipient."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Sum

from yutang.channels.direct.accounts import account_named
from yutang.channels.direct.contracts import LetterState
from yutang.channels.models import Letter, Mailing, Outlet
from yutang.organisation.contracts import Viewer


@dataclass(frozen=True, slots=True)
class MailingFacts:
    """A mailing: how many letters came to what, the most frequent reason of those that did not leave, and what it
    cost."""

    uid: str
    made_at: datetime
    until: datetime | None
    letters: int
    states: dict[str, int]
    reason: str
    cost: Decimal


def mailings(viewer: Viewer, channel: str, corp: str, limit: int = 20) -> list[MailingFacts]:
    """The latest of an account, newest first. Raises NotFound; only for headquarters, to whom the account is shown."""
    if not (viewer.may_operate and viewer.sees_all):
        return []
    account_named(channel, corp)
    rows = list(Mailing.objects.filter(channel=channel, corp=corp).order_by("-pk")[:limit])
    found = Letter.objects.filter(mailing__in=rows).values("mailing", "state", "reason")
    states: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    reasons: dict[int, dict[str, int]] = defaultdict(dict)
    costs: dict[int, Decimal] = defaultdict(Decimal)
    for row in found.annotate(count=Count("pk"), spent=Sum("cost")):
        states[row["mailing"]][row["state"]] += row["count"]
        costs[row["mailing"]] += Decimal(row["spent"] or 0)
        if row["reason"]:
            reasons[row["mailing"]][row["reason"]] = row["count"]
    order = [state.value for state in LetterState]
    return [
        MailingFacts(
            row.uid, row.made_at, row.until, sum(states[row.pk].values()),
            dict(sorted(states[row.pk].items(), key=lambda item: order.index(item[0]))),
            max(reasons[row.pk], key=reasons[row.pk].__getitem__, default=""), costs[row.pk],
        )
        for row in rows
    ]  # fmt: skip


def in_trouble() -> list[tuple[str, str, tuple[str, str]]]:
    """The accounts that cannot send, and why: channel, name, sentence in both languages. (Unscoped because it names no
    person; pages show it to headquarters.)"""
    rows = Outlet.objects.exclude(trouble_zh="").order_by("channel", "corp")
    return [(row.channel, row.corp, (row.trouble_zh, row.trouble_en)) for row in rows]
