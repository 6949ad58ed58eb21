"""Acquisition links: of the quota a callback says only that it changed, so it is read again; of a link it says all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from yutang.channels.acquisition.contracts import LinkNews
from yutang.channels.acquisition.services import note_news, read_quota
from yutang.channels.sync.contracts import Hinted
from yutang.channels.wecom.acquisition import WeComAcquisition
from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.kernel.clock import business_now
from yutang.organisation.contracts import CorpFacts

QUOTA = "quota"
CHANGES = (
    "balance_low", "balance_exhausted", "balance_increased", "quota_expire_soon", *(one.value for one in LinkNews),
)  # fmt: skip


def ref_of(notice: Notice) -> str:
    """What happened to which link and when; or that the quota changed."""
    change, link = notice.get("ChangeType"), notice.get("LinkId")
    if change not in (one.value for one in LinkNews):
        return QUOTA
    at = notice.occurred_at or business_now()
    return f"{change}|{int(at.timestamp())}|{link}"[:160] if link else ""


def again(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Keep what was told of links, and read the quota."""
    for ref in refs:
        if ref != QUOTA:
            change, seconds, link = ref.split("|", 2)
            note_news(corp.corp, link, LinkNews(change), datetime.fromtimestamp(int(seconds), UTC))
    if QUOTA in refs:
        read_quota(corp.corp, WeComAcquisition(client))


HINTED = Hinted(QUOTA, frozenset(f"customer_acquisition/{change}" for change in CHANGES), ref_of, again)
