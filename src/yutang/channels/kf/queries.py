"""What was said in customer service, for those who may see the customer."""

from __future__ import annotations

from django.db.models import Count, Q

from yutang.channels.kf.contracts import AnswerState, SaidInService, ServiceAccountFacts
from yutang.channels.kf.models import Account, Message
from yutang.channels.kf.services import HOUSE, lookups_of_person, unseal
from yutang.kernel.errors import Refused
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.people.queries import person_card

SHOWN = 200


def conversation(viewer: Viewer, person: PersonId, limit: int = SHOWN) -> list[SaidInService]:
    """The last messages with a person, oldest first. Raises NotFound for whom the viewer does not see."""
    person_card(viewer, person)
    rows = Message.objects.filter(who__in=lookups_of_person(person)).select_related("account").order_by("-at", "-pk")
    return [said_of(row) for row in reversed(rows[:limit])]


def said_of(row: Message) -> SaidInService:
    """A message as others see it."""
    fields = unseal(row.sealed)
    text = str(fields.get("content") or fields.get("head_content") or fields.get("title") or fields.get("name") or "")
    return SaidInService(
        row.message_id,
        row.account.kfid,
        row.at,
        row.origin,
        row.origin == HOUSE,
        row.servicer,
        row.kind,
        text,
        row.state,
        row.reason,
    )


def accounts(viewer: Viewer) -> list[ServiceAccountFacts]:
    """Every account that is there, with how it stands. Raises Refused for whoever does not see the whole brand."""
    if not viewer.sees_all:
        raise Refused(
            "客服账号属于整个品牌，请找总部。", "Service accounts belong to the whole brand; ask headquarters."
        )
    waiting = (AnswerState.DUE, AnswerState.DOING, AnswerState.UNKNOWN)
    rows = Account.objects.filter(gone=False).annotate(
        count=Count("messages"),
        waiting=Count("messages", filter=Q(messages__state__in=waiting)),
        failed=Count("messages", filter=Q(messages__state__in=(AnswerState.FAILED, AnswerState.REFUSED))),
    )
    return [
        ServiceAccountFacts(row.corp, row.kfid, row.name, row.count, row.waiting, row.failed, row.read_at, row.trouble)
        for row in rows.order_by("corp", "kfid")
    ]


def accounts_held() -> dict[str, int]:
    """How many accounts each corp has. (Unscoped: numbers of whole corps.)"""
    rows = Account.objects.filter(gone=False).values_list("corp").annotate(count=Count("pk"))
    return dict(rows)
