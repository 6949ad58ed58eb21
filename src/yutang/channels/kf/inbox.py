"""The desk's inbox: which conversations there are for a viewer, one of them whole, and how well they were served."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, sqrt

from django.db.models import F, QuerySet

from yutang.channels.kf.contracts import ConversationFacts, SaidInService
from yutang.channels.kf.desk import EXTERNAL, OUR_SENT, facts_of
from yutang.channels.kf.models import Conversation, Message, OnDuty
from yutang.channels.kf.queries import said_of
from yutang.channels.kf.services import HOUSE, conversation_seen
from yutang.channels.ports.service import Speaker
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.people.queries import find_values

FOLDERS = ("waiting", "mine", "open", "closed")
MOST_OPEN = 500
SHOWN_MESSAGES = 200
Z = 1.959964
_SPOKEN = (Speaker.CUSTOMER.value, Speaker.SERVICER.value, HOUSE)


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A conversation in the list, with its person where they are known."""

    facts: ConversationFacts
    person: PersonId | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation, its person, and what was said there, oldest first."""

    facts: ConversationFacts
    person: PersonId | None
    messages: tuple[SaidInService, ...]


def inbox(viewer: Viewer, folder: str, limit: int = 50, offset: int = 0) -> tuple[list[InboxRow], int]:
    """A folder's conversations, the longest waiting first (closed ones: the latest first), and how many there are.

    Who does not see the whole brand sees those of their customers; of them MOST_OPEN are looked through.
    """
    rows = _folder(viewer, folder)
    if viewer.sees_all:
        total, found = rows.count(), list(rows[offset : offset + limit])
        persons = _persons(viewer, found)
    else:
        every = list(rows[:MOST_OPEN])
        persons = _persons(viewer, every)
        seen = [row for row in every if (row.customer or "") in persons]
        total, found = len(seen), seen[offset : offset + limit]
    sent = _sent(found)
    return [InboxRow(facts_of(row, sent.get(row.pk, 0)), persons.get(row.customer or "")) for row in found], total


def _folder(viewer: Viewer, folder: str) -> QuerySet[Conversation]:
    rows = Conversation.objects.select_related("account")
    if folder == "closed":
        return rows.filter(closed_at__isnull=False).order_by("-closed_at", "-pk")
    rows = rows.filter(closed_at=None).order_by(F("waiting_since").asc(nulls_last=True), "-asked_at", "pk")
    if folder == "waiting":
        return rows.filter(waiting_since__isnull=False)
    return rows.filter(assigned=viewer.name) if folder == "mine" else rows


def counts(viewer: Viewer) -> dict[str, int]:
    """How many conversations the open folders hold."""
    return {folder: inbox(viewer, folder, limit=0)[1] for folder in FOLDERS if folder != "closed"}


def _persons(viewer: Viewer, rows: Iterable[Conversation]) -> dict[str, PersonId]:
    customers = {row.customer or "" for row in rows}
    return find_values(viewer, EXTERNAL, customers) if customers else {}


def _sent(rows: Sequence[Conversation]) -> dict[int, int]:
    """How many messages of ours each has got since the customer last wrote."""
    found: dict[int, int] = {}
    asked = {(row.account_id, bytes(row.who)): row for row in rows if row.closed_at is None}
    if not asked:
        return found
    since = min(row.asked_at for row in asked.values())
    ours = Message.objects.filter(
        origin=HOUSE, state__in=OUR_SENT, at__gte=since, who__in={who for _, who in asked},
        account__in={account for account, _ in asked},
    )  # fmt: skip
    for account, who, at in ours.values_list("account_id", "who", "at"):
        row = asked.get((account, bytes(who)))
        if row is not None and at >= row.asked_at:
            found[row.pk] = found.get(row.pk, 0) + 1
    return found


def opened(viewer: Viewer, number: int) -> Opened:
    """A conversation with all that was said with the customer at that account. Raises NotFound."""
    row, person = conversation_seen(viewer, number)
    rows = Message.objects.filter(account=row.account, who=row.who).select_related("account").order_by("-at", "-pk")
    said = [said_of(one) for one in reversed(rows.filter(origin__in=_SPOKEN)[:SHOWN_MESSAGES])]
    return Opened(facts_of(row, _sent([row]).get(row.pk, 0)), person, tuple(said))


def on_duty() -> list[str]:
    """Who takes conversations now. (Unscoped because it names users only.)"""
    return list(OnDuty.objects.order_by("username").values_list("username", flat=True))


# Figures -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of minutes with its 95 % interval between order statistics (Hahn & Meeker 1991, ch. 5), which takes
    nothing for granted; None: too few to tell."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Served:
    """How a servicer (empty: all together) served the conversations that began in a span. Minutes; shares with their
    interval are counts of a whole."""

    servicer: str
    conversations: int
    answered: int
    first_median: Quantile | None
    first_p90: Quantile | None
    resolved_median: Quantile | None
    solved: tuple[int, int]
    happy: tuple[int, int]


def figures(viewer: Viewer, since: datetime) -> list[Served]:
    """All together, then each who answered, the most conversations first. Only what the viewer sees counts."""
    rows = list(Conversation.objects.filter(opened_at__gte=since).select_related("account"))
    if not viewer.sees_all:
        persons = _persons(viewer, rows)
        rows = [row for row in rows if (row.customer or "") in persons]
    if not rows:
        return []
    by: dict[str, list[Conversation]] = defaultdict(list)
    for row in rows:
        if row.answered_by:
            by[row.answered_by].append(row)
    each = sorted(by.items(), key=lambda one: (-len(one[1]), one[0]))
    return [_served("", rows), *(_served(name, mine) for name, mine in each)]


def _served(name: str, rows: Collection[Conversation]) -> Served:
    first = sorted(_minutes(row.first_answer_at, row) for row in rows if row.first_answer_at is not None)
    whole = sorted(_minutes(row.closed_at, row) for row in rows if row.closed_at is not None)
    told = [row.solved for row in rows if row.solved is not None]
    rated = [row.rating for row in rows if row.rating is not None]
    return Served(
        name, len(rows), len(first), quantile(first, 0.5), quantile(first, 0.9), quantile(whole, 0.5),
        (sum(told), len(told)), (sum(rating == 3 for rating in rated), len(rated)),
    )  # fmt: skip


def _minutes(at: datetime | None, row: Conversation) -> float:
    return 0.0 if at is None else max((at - row.opened_at) / timedelta(minutes=1), 0.0)


def quantile(ordered: Sequence[float], share: float) -> Quantile | None:
    """The quantile of numbers that stand in order; an end of the interval that lies outside of them is None."""
    count = len(ordered)
    if not count:
        return None
    value = ordered[min(ceil(share * count), count) - 1]
    spread = Z * sqrt(count * share * (1 - share))
    low, high = floor(share * count - spread), ceil(share * count + spread) + 1
    return Quantile(value, ordered[low - 1] if low >= 1 else None, ordered[high - 1] if high <= count else None)
