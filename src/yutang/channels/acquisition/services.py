"""Reading the quota, and keeping what the platform tells of links."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from yutang.channels.acquisition.contracts import LinkNews, LinkNotice
from yutang.channels.acquisition.models import Quota, Told
from yutang.channels.acquisition.queries import notice_of
from yutang.channels.ports.inheritance import AcquisitionPort
from yutang.kernel.clock import wall_now


def read_quota(corp: str, port: AcquisitionPort) -> int:
    """Read what is left and keep it; returns the balance. Raises what the port raises."""
    found = port.quota()
    Quota.objects.update_or_create(
        corp=corp,
        defaults={
            "total": found.total,
            "balance": found.balance,
            "expiring": [[int(at.timestamp()), count] for at, count in found.expiring],
            "read_at": wall_now(),
        },
    )
    return found.balance


def note_news(corp: str, link_id: str, news: LinkNews, at: datetime) -> None:
    """Keep what was told of a link; an older word, told late, changes nothing. In one second, deleting is the last."""
    with transaction.atomic():
        row, made = Told.objects.get_or_create(corp=corp, link_id=link_id[:64], defaults={"news": news.value, "at": at})
        if not made:
            newer = Q(at__lt=at) | Q(at=at, news=LinkNews.UNAVAILABLE)
            mine = Told.objects.filter(newer if news is LinkNews.DELETED else Q(at__lt=at), pk=row.pk)
            mine.update(news=news.value, at=at, seen=False)


def unseen() -> list[LinkNotice]:
    """What was told and not acted on yet, oldest first."""
    return [notice_of(row) for row in Told.objects.filter(seen=False).order_by("at", "pk")]


def settle(notice: LinkNotice) -> None:
    """It was acted on; a newer word of the same link stays."""
    Told.objects.filter(corp=notice.corp, link_id=notice.link_id, at=notice.at, news=notice.news).update(seen=True)
