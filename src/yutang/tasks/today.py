"""今天联系这几位: chosen once a day for all guides at once, decided by the gate, kept as cards; and told their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import structlog
from django.db import transaction
from django.db.models import Min, Q

from yutang.content.checking import check
from yutang.content.documents import Content
from yutang.content.queries import content_named
from yutang.documents import queries as documents
from yutang.kernel.calendars import aware, day_start, local_day, zone
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import SenderId
from yutang.organisation.phones import on_the_phone
from yutang.organisation.queries import brand
from yutang.people import bulk
from yutang.reach.contracts import ReceiptState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.ledger import committed, receipts_of, write_receipts_statement
from yutang.reach.planning import Rulebook
from yutang.reach.standing import decide_standing
from yutang.tasks.contracts import CardResult
from yutang.tasks.documents import TodayDocument
from yutang.tasks.models import Asked, Card
from yutang.warehouse.contracts import Warehouse, named

NAME, CHANNEL = "today", "wecom"
MONTH = timedelta(days=30)
SETTLED = timedelta(hours=24)
"""So long after its deadline a card that nobody said anything of is told to have expired: a phone may be without a
network when it is used."""
KEPT_FOR = timedelta(days=400)
AT_ONCE = 20_000  # cards whose end is told in one write
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the brand's, with the instants at which its five are chosen and are over."""

    day: date
    begins: datetime
    ends: datetime

    @staticmethod
    def of(now: datetime, at_hour: int) -> Day:
        """The day that it is."""
        name = brand().zone
        today = local_day(now, name)
        begins = datetime.combine(today, time(at_hour), zone(name)).astimezone(UTC)
        return Day(today, begins, day_start(today + timedelta(days=1), name))


def turn(warehouse: Warehouse) -> int:
    """Choose today's for the guides who have none yet, and tell the ledger what ended; returns how many were chosen."""
    tell_ends(warehouse)
    return choose(warehouse)


def choose(warehouse: Warehouse) -> int:
    """Choose for every guide on the phone whose day was not looked at yet; returns how many persons were decided.

    Killed anywhere, nothing of it is there, and the next call chooses again. Raises Unavailable while others plan.
    """
    document, now = current(), business_now()
    if document is None:
        return 0
    day = Day.of(now, document.at_hour)
    if not day.begins <= now < day.ends:
        return 0
    guides = _waiting(day.day)
    if not guides:
        return 0
    choice = _Choice(warehouse, document, day, guides)
    occasion = f"{day.day:%Y%m%d}.{Asked.objects.filter(day=day.day).values('run').distinct().count()}"
    return decide_standing(warehouse, _plan(document), occasion, day.ends, document.each, choice.ask, choice.keep)


def next_instant(now: datetime) -> datetime | None:
    """The next instant at which something is to be done here: a day's choice, or a card's end."""
    document = current()
    found = []
    if document is not None and on_the_phone(CHANNEL):
        begins = Day.of(now, document.at_hour).begins
        found.append(begins if begins > now else Day.of(now + timedelta(days=1), document.at_hour).begins)
    first = Card.objects.filter(told=False, sent_at=None).aggregate(first=Min("deadline"))["first"]
    found += [first + SETTLED] if first is not None else []
    return min((one for one in found if one > now), default=None)


def tell_ends(warehouse: Warehouse) -> int:
    """Tell the ledger of cards that were carried out, or are over; returns how many. Told twice, it is kept once."""
    _settle_ends()
    rows = list(Card.objects.filter(told=False).exclude(end="").order_by("touch")[:AT_ONCE])
    if not rows:
        return 0
    parts = [_receipts([one for one in rows if one.end == end], *told) for end, told in _ENDS.items()]
    warehouse.write([write_receipts_statement(pa.concat_tables(parts))])
    Card.objects.filter(pk__in=[one.pk for one in rows]).update(told=True)
    Card.objects.filter(day__lt=local_day(business_now() - KEPT_FOR, brand().zone)).delete()
    return len(rows)


_REFUSED = (CardResult.DO_NOT_DISTURB.value, CardResult.WRONG_PERSON.value)
_SENT, _EXPIRED = "sent", "expired"
_ENDS: Mapping[str, tuple[ReceiptState, str | None]] = {
    _SENT: (ReceiptState.SENT, None),
    CardResult.DO_NOT_DISTURB.value: (ReceiptState.SUPPRESSED, "silent"),
    CardResult.WRONG_PERSON.value: (ReceiptState.FAILED, "not_reached"),
    _EXPIRED: (ReceiptState.EXPIRED, None),
}
"""What a card comes to in the ledger, by its end."""


def _settle_ends() -> None:
    """Say of each card that has ended how, before the ledger is told: what a phone says of it afterwards comes late,
    also while the ledger is being told, and counts by its event."""
    over = business_now() - SETTLED
    waiting = Card.objects.filter(told=False, end="")
    if not waiting.filter(Q(sent_at__isnull=False) | Q(deadline__lte=over) | Q(result__in=_REFUSED)).exists():
        return
    waiting.filter(sent_at__isnull=False).update(end=_SENT)
    for result in _REFUSED:
        waiting.filter(sent_at=None, result=result).update(end=result)
    waiting.filter(sent_at=None, deadline__lte=over).update(end=_EXPIRED)


def _receipts(rows: Sequence[Card], state: ReceiptState, reason: str | None) -> pa.Table:
    at = [one.sent_at or one.noted_at or one.deadline for one in rows]
    table = receipts_of([one.touch for one in rows], state, at=at, key="today", batch=0, reason=reason)
    senders = pa.array([one.sender for one in rows], pa.int64())
    return table.set_column(table.column_names.index("sender"), "sender", senders)


def current() -> TodayDocument | None:
    """The document by which today's are chosen; None where there is none, or it is switched off."""
    try:
        found = documents.find(TodayDocument, NAME).document
    except NotFound:
        return None
    assert isinstance(found, TodayDocument)
    return found if found.active else None


def beside() -> dict[str, Content]:
    """Of each reason whose words something stands beside, the content that has it, as it may be used now. One that is
    not there, that nobody approved, or whose pictures were not uploaded, stands beside nothing."""
    document = current()
    found: dict[str, Content] = {}
    for one in document.reasons if document is not None else ():
        if one.beside is not None:
            with suppress(NotFound, Refused):
                content = content_named(one.beside).document
                found |= {one.why: content} if content.uploaded else {}
    return found


def _plan(document: TodayDocument) -> BroadcastDocument:
    """The same as a plan, by which it is decided and measured."""
    return BroadcastDocument.model_validate(
        {
            "kind": "broadcast",
            "name": "today_five",
            "title": document.title.model_dump(),
            "note": document.note.model_dump() if document.note else None,
            "audience": {"everyone": True},
            "purpose": document.purpose,
            "topic": document.topic,
            "channel": CHANNEL,
            "class": document.touch_class.value,
            "value": document.value,
            "message": {"text": document.reasons[0].script},
            "hold_out": document.hold_out,
            "horizon_days": document.horizon_days,
        }
    )


def _waiting(day: date) -> dict[SenderId, int]:
    """The accounts of guides on the phone that were not looked at on this day, with whose they are."""
    done = set(Asked.objects.filter(day=day).values_list("sender", flat=True))
    return {sender: staff for sender, staff in on_the_phone(CHANNEL).items() if sender not in done}


class _Choice:
    """One run's choice: what is asked of the warehouse, and what is kept of the gate's answer."""

    def __init__(self, warehouse: Warehouse, document: TodayDocument, day: Day, guides: Mapping[SenderId, int]) -> None:
        self._warehouse = warehouse
        self._document = document
        self._day = day
        self._guides = guides
        self._asked: dict[int, dict[str, Any]] = {}
        self._months: list[dict[str, Any]] = []

    def ask(self, plan: int, now: datetime, book: Rulebook) -> pa.Table:
        """Whom to put before the gate, for all guides in one query."""
        guides = self._table()
        tables = {
            "guides": guides,
            "committed": committed(),
            "tired": _tired(self._document, self._day.day),
            "chances": self._chances(book),
        }
        params = {
            "channel": CHANNEL, "plan": plan, "today": self._day.day, "zone": brand().zone,
            "rested_since": now - timedelta(days=self._document.rest_days), "line": 3 * self._document.each,
            **self._limits(),
        }  # fmt: skip
        rows = self._warehouse.query(named("tasks/today", params, tables))
        self._asked = {row["person"]: row for row in rows.to_pylist()}
        self._months = self._warehouse.query(
            named("tasks/results", {"since": now - MONTH}, {"guides": guides})
        ).to_pylist()
        return rows.select(["person", "sender", "store", "added_at", "last_talk_at", "value"])

    def keep(self, run: int, rows: pa.Table) -> None:
        """The cards of a run, with the month behind each guide."""
        day = self._day.day
        granted = rows.to_pylist() if rows.num_rows else []
        sent = [row for row in granted if row["outcome"] == "send"]
        sent.sort(key=lambda row: (row["sender"], -self._asked[row["person"]]["value"], row["person"]))
        Asked.objects.bulk_create([Asked(day=day, run=run, **month) for month in self._months], batch_size=2_000)
        place, before, cards = 0, None, []
        for row in sent:
            place = place + 1 if row["sender"] == before else 1
            before = row["sender"]
            cards.append(self._card(run, row, place))
        Card.objects.bulk_create(cards, batch_size=2_000)

    def _card(self, run: int, row: Mapping[str, Any], place: int) -> Card:
        asked = self._asked[row["person"]]
        reason = self._document.reasons[asked["place"] - 1]
        usual = None if asked["usual"] is None else round(asked["usual"])
        facts = {"days": asked["days"], "usual": usual, "orders": asked["orders"], "friend_days": asked["friend_days"]}
        return Card(
            touch=row["touch"], run=run, day=self._day.day, sender=row["sender"], node=row["store"],
            person=row["person"], place=place, due_at=aware(row["due_at"]), deadline=aware(row["deadline"]),
            reason=reason.why, facts=facts, script=reason.script,
        )  # fmt: skip

    def _table(self) -> pa.Table:
        return pa.table(
            {
                "sender": pa.array(list(self._guides), pa.int64()),
                "staff": pa.array(list(self._guides.values()), pa.int64()),
            }
        )

    def _chances(self, book: Rulebook) -> pa.Table:
        """The chance of each reason by its place; a reason whose words break a content rule has none."""
        found = {}
        for place, reason in enumerate(self._document.reasons, 1):
            problems = check(reason.script, book.rules)
            if problems:
                _log.warning("script left out", document=NAME, reason=reason.why, rule=problems[0].rule)
            else:
                found[place] = reason.chance
        return pa.table(
            {"place": pa.array(list(found), pa.int32()), "chance": pa.array(list(found.values()), pa.float64())}
        )

    def _limits(self) -> dict[str, object]:
        """What the query asks of each reason; of one that the document does not name, its place is 0."""
        limits: dict[str, object] = dict.fromkeys(_LIMITS, 0)
        for place, reason in enumerate(self._document.reasons, 1):
            limits[f"{reason.why}_place"] = place
            for name, value in reason.model_dump(exclude={"why", "chance", "script", "beside"}).items():
                limits[f"{reason.why}_{_SHORT[name]}"] = value
        return limits


_SHORT = {
    "least_orders": "orders", "least_score": "score", "from_ratio": "from", "to_ratio": "to", "from_days": "from",
    "to_days": "to",
}  # fmt: skip
_LIMITS = (
    *(f"{why}_place" for why in ("overdue", "due_soon", "lapsed_super", "no_word")),
    *(f"{why}_{end}" for why in ("overdue", "due_soon", "lapsed_super", "no_word") for end in ("from", "to")),
    *(f"{why}_orders" for why in ("overdue", "due_soon", "lapsed_super")),
    "lapsed_super_score",
)


def _tired(document: TodayDocument, day: date) -> pa.Table:
    """Who said lately that they are not interested."""
    since = day - timedelta(days=document.tired_days)
    rows = Card.objects.filter(result=CardResult.NOT_INTERESTED.value, day__gt=since)
    return pa.table({"person": pa.array(sorted(set(rows.values_list("person", flat=True))), pa.int64())})


def forget_persons(births: frozenset[int]) -> None:
    """Delete the cards of persons, in the caller's transaction."""
    with transaction.atomic():
        for part in bulk.chunks(births):
            Card.objects.filter(person__in=part).delete()
