"""The quota and what was told of links. (Unscoped: neither names a person or a store.)"""

from __future__ import annotations

from datetime import UTC, datetime

from yutang.channels.acquisition.contracts import LinkNews, LinkNotice, QuotaFacts
from yutang.channels.acquisition.models import Quota, Told


def quotas() -> list[QuotaFacts]:
    """The quota of each corp whose quota was read."""
    return [
        QuotaFacts(
            row.corp,
            row.total,
            row.balance,
            tuple((datetime.fromtimestamp(at, UTC), count) for at, count in row.expiring),
            row.read_at,
        )
        for row in Quota.objects.order_by("corp")
    ]


def news() -> dict[tuple[str, str], LinkNotice]:
    """The last word of each link, by corp and link."""
    return {(row.corp, row.link_id): notice_of(row) for row in Told.objects.all()}


def notice_of(row: Told) -> LinkNotice:
    """A row as others see it."""
    return LinkNotice(row.corp, row.link_id, LinkNews(row.news), row.at)
