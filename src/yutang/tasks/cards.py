"""A guide's cards: reading her own of today, and writing down what came of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, Q

from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import EventId, NodeId, PersonId, SenderId
from yutang.log.contracts import Event
from yutang.log.services import record
from yutang.organisation import services as organisation
from yutang.organisation.contracts import CorpFacts, SenderFacts, Viewer
from yutang.organisation.queries import accounts as corp_accounts
from yutang.organisation.queries import brand
from yutang.people import queries as people
from yutang.people.services import set_silent
from yutang.tasks.contracts import SENT, CardFacts, CardResult, DayFacts, Month
from yutang.tasks.models import Asked, Card
from yutang.tasks.today import current

SOURCE = "guide"
ABOUT = timedelta(hours=1)  # between a card's message and the note of it: phones are offline now and then
BESIDE = "sidebar"  # of words that the ledger does not count, fatigue counts the event (`reach/candidates`)


def cards_of(viewer: Viewer, accounts: Sequence[SenderFacts]) -> list[CardFacts]:
    """Today's cards of these accounts, the reader's own, by rank: those whose time is not over, and those of which
    something was written down."""
    now = business_now()
    today = local_day(now, brand().zone)
    by_id = {one.id: one for one in accounts}
    rows = list(Card.objects.filter(sender__in=list(by_id), day=today).order_by("place", "touch"))
    rows = [row for row in rows if row.deadline > now or row.result]
    births = [row.person for row in rows]
    survivors = dict(zip(births, people.survivors(np.array(births, np.int64)).tolist(), strict=True)) if rows else {}
    persons = [PersonId(survivors[row.person]) for row in rows]
    names = people.names_of(viewer, persons)
    refusals = _refusals(rows, survivors)
    external = _external(rows, survivors, by_id)
    return [
        CardFacts(
            row.touch,
            PersonId(survivors[row.person]),
            SenderId(row.sender),
            names.get(PersonId(survivors[row.person]), ""),
            row.reason,
            row.facts,
            _filled(row, names.get(PersonId(survivors[row.person]), ""), by_id[SenderId(row.sender)].name),
            tuple(external.get(survivors[row.person], ())),
            row.deadline,
            CardResult(row.result) if row.result else None,
            row.sent_at is not None,
            refusals.get(row.touch) if not row.result else None,
        )
        for row in rows
    ]


def card_to_send(viewer: Viewer, accounts: Sequence[SenderFacts], touch: int) -> CardFacts:
    """A card of theirs as it stands at the tap; its `refusal` says whether its words may still go out. Raises NotFound
    for one that is not theirs or whose time is over, Refused where something was written down of it already."""
    found = next((one for one in cards_of(viewer, accounts) if one.touch == touch), None)
    if found is None:
        raise NotFound("这张卡片的时间已过，今天不发了。", "This card's time is over; it is not sent any more.")
    if found.result is not None:
        raise Refused("这位今天已经记过结果了。", "Something was written down of them today already.")
    return found


def sent_from_cards(corp: CorpFacts, member: str, reached: Sequence[tuple[str, datetime]]) -> set[str]:
    """Of the customers whom a member wrote to on their own, as the platform lists it, those whose card the member had
    and noted as sent about then: that touch is the card's. (Unscoped: a sync asks, and shows it to nobody.)"""
    mine = [one.id for one in corp_accounts(corp.channel, corp.corp) if one.userid.casefold() == member.casefold()]
    times = [at for _, at in reached]
    rows = Card.objects.filter(sender__in=mine, sent_at__gte=min(times) - ABOUT, sent_at__lte=max(times) + ABOUT)
    births = list(rows.values_list("person", flat=True))
    if not births:
        return set()
    noted = dict(zip(births, people.survivors(np.array(births, np.int64)).tolist(), strict=True))
    known = people.all_identifiers_of([PersonId(one) for one in set(noted.values())], "external_userid", corp.corp)
    sent: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        for external in known.get(PersonId(noted.get(row.person, row.person)), ()):
            if row.sent_at is not None:
                sent[external].append(row.sent_at)
    return {who for who, at in reached if any(abs(at - noted_at) <= ABOUT for noted_at in sent.get(who, ()))}


def days_of(viewer: Viewer, runs: Collection[int], limit: int = 28) -> list[DayFacts]:
    """What came of the cards of these runs, day by day, the latest first, at the stores that a viewer sees. Cards are
    kept for `today.KEPT_FOR`."""
    rows = Card.objects.filter(run__in=list(runs))
    rows = rows if viewer.nodes is None else rows.filter(node__in=viewer.nodes)

    def those(*results: CardResult) -> Count:
        return Count("pk", filter=Q(result__in=[one.value for one in results]))

    summed = rows.order_by().values("day").annotate(
        guides=Count("sender", distinct=True), chosen=Count("pk"), sent=Count("pk", filter=Q(sent_at__isnull=False)),
        answered=those(CardResult.ANSWERED), no_answer=those(CardResult.NO_ANSWER),
        not_interested=those(CardResult.NOT_INTERESTED),
        refused=those(CardResult.WRONG_PERSON, CardResult.DO_NOT_DISTURB),
    )  # fmt: skip
    return [DayFacts(**row) for row in summed.order_by("-day")[:limit]]


def month_of(senders: Collection[SenderId]) -> Month | None:
    """The month behind these accounts as it stood when their day was last looked at; None before the first time.
    (Unscoped: they are the reader's own.)"""
    names = [one.name for one in fields(Month)]
    latest: dict[int, Asked] = {}
    since = local_day(business_now() - timedelta(days=7), brand().zone)
    for row in Asked.objects.filter(sender__in=list(senders), day__gte=since).order_by("day"):
        latest[row.sender] = row
    if not latest:
        return None
    return Month(**{name: sum(getattr(row, name) for row in latest.values()) for name in names})


def note(
    viewer: Viewer, accounts: Sequence[SenderFacts], touch: int, result: CardResult, *, at: datetime
) -> tuple[PersonId, SenderFacts, NodeId]:
    """Write down what came of a card, in the caller's transaction: later words correct earlier ones, but what was sent
    stays sent. Answers with the person, whose card it is, and at which store.

    That somebody is to be left in peace counts at once, for everybody. Raises NotFound for a card that is not theirs.
    """
    by_id = {one.id: one for one in accounts}
    row = Card.objects.select_for_update().filter(pk=touch, sender__in=list(by_id)).first()
    if row is None:
        raise NotFound("没有这张卡片，可能已经过期清理。", "There is no such card; it may be over.")
    person, account = PersonId(row.person), by_id[SenderId(row.sender)]
    if result in SENT and row.sent_at is None:
        row.sent_at = min(max(at, row.due_at - timedelta(minutes=1)), business_now())
        late = row.told or row.end != ""  # the ledger says, or is being told, another end, and is not changed
        record([_sent(row, account, BESIDE if late else SOURCE)])
    if result is CardResult.DO_NOT_DISTURB and row.result != result:
        set_silent(person, True)
        organisation.audit(viewer, "silence_person", f"person {person}", card=row.touch)
    if not (result is CardResult.SENT and row.result):  # "sent" says less than any word of what came of it
        row.result, row.noted_at = result.value, at
    row.save(update_fields=["sent_at", "result", "noted_at"])
    return person, account, NodeId(row.node)


def _sent(row: Card, account: SenderFacts, source: str) -> Event:
    document = current()
    props = {
        "class": document.touch_class.value if document is not None else "marketing",
        **({"value": "yes"} if document is not None and document.value else {}),
        "content": f"today:{row.reason}",
    }
    return Event(
        EventId(f"today:{row.touch}"), "message.sent", row.sent_at or row.due_at, person=PersonId(row.person),
        staff=account.userid, source=source, channel=account.channel, props=props,
    )  # fmt: skip


def _refusals(rows: Sequence[Card], survivors: Mapping[int, int]) -> dict[int, str]:
    """What speaks against cards since they were chosen, by touch."""
    document = current()  # None: switched off since, which gives nobody leave
    purpose, topic = (document.purpose, document.topic) if document is not None else ("marketing", None)
    found = {}
    accounts = {PersonId(survivors[row.person]): SenderId(row.sender) for row in rows}
    said = people.may_be_touched(accounts, purpose, "wecom", topic)
    for row in rows:
        reason = said[PersonId(survivors[row.person])]
        if reason is not None:
            found[row.touch] = reason.value
    return found


def _external(
    rows: Sequence[Card], survivors: Mapping[int, int], by_id: Mapping[SenderId, SenderFacts]
) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for corp in {by_id[SenderId(row.sender)].corp for row in rows}:
        mine = [PersonId(survivors[row.person]) for row in rows if by_id[SenderId(row.sender)].corp == corp]
        for person, values in people.all_identifiers_of(mine, "external_userid", corp).items():
            found[int(person)] = list(values)
    return found


def _filled(row: Card, name: str, guide: str) -> str:
    """The script with its variables: without a name the sentence begins as it would without one."""
    text = row.script
    if not name:
        text = text.replace("{{name}}，", "").replace("{{name}},", "").replace("{{name}}", "您")
    days = row.facts.get("days")
    filled = {"{{name}}": name, "{{guide}}": guide, "{{days}}": "" if days is None else str(days)}
    for variable, value in filled.items():
        text = text.replace(variable, value)
    return text.strip()
