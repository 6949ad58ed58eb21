"""交接: all of what a member leaves behind, customers and groups, in one flow: previewed, begun, followed until it is
done; what did not come about is named, one by one, with what helps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, Q

from yutang.connect import group_handover, inheritance
from yutang.connect.contracts import HandoverState
from yutang.connect.group_handover import A_DAY, GroupPreview
from yutang.connect.inheritance import EXTERNAL, FAILED, Preview, giver_named, takers_of
from yutang.connect.models import GroupHandover, Handover
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer
from yutang.people import grouped
from yutang.people.contracts import GroupFilter
from yutang.people.queries import find_values, names_of
from yutang.warehouse.contracts import Warehouse

ACCEPTED_AFTER = timedelta(days=1)
"""Then a transfer is done of itself, unless the customer refuses (WeCom doc 92125)."""
_UNASKED = (HandoverState.WANTED, HandoverState.CALLING, HandoverState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a hand-over would come to: customers and groups, and in how many days at the soonest."""

    customers: Preview
    groups: GroupPreview

    @property
    def days(self) -> int:
        """A customer takes a day; groups as many as the platform's limit for a new owner makes them."""
        return max(1 if self.customers.customers else 0, self.groups.days)


@dataclass(frozen=True, slots=True)
class Part:
    """How a member's customers, or their groups, stand: how many in each state, and how many were done within the last
    24 hours."""

    states: Mapping[HandoverState, int] = field(default_factory=dict)
    lately: int = 0

    @property
    def total(self) -> int:
        """All that were asked for."""
        return sum(self.states.values())

    @property
    def done(self) -> int:
        """Who changed hands."""
        return self.states.get(HandoverState.DONE, 0)

    @property
    def failed(self) -> int:
        """What did not come about, for whatever reason."""
        return sum(self.states.get(state, 0) for state in FAILED)

    @property
    def left(self) -> int:
        """What is still under way."""
        return self.total - self.done - self.failed

    @property
    def share(self) -> float | None:
        """Done and failed, of all."""
        return (self.total - self.left) / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Progress:
    """How the hand-over of one member stands. `unassigned`: customers of who left whom nobody was asked to take.
    `ends_at`: when it is through at the soonest, None where nothing is under way."""

    corp: str
    handover: str
    resigned: bool
    begun_at: datetime
    customers: Part
    groups: Part
    unassigned: int
    ends_at: datetime | None

    @property
    def days_left(self) -> int:
        """Whole days until it is through."""
        return 0 if self.ends_at is None else max(1, -(-(self.ends_at - business_now()) // timedelta(days=1)))


@dataclass(frozen=True, slots=True)
class TakerShare:
    """What one taker got, or is getting."""

    takeover: str
    customers: Part
    groups: Part


@dataclass(frozen=True, slots=True)
class Failure:
    """One customer or group that did not change hands. `person` is None for a customer whom we do not know (any more);
    `name` is personal: show it, never keep it. `remedy`: what helps, in Chinese and in English."""

    group: str
    person: PersonId | None
    name: str
    takeover: str
    state: HandoverState
    reason: tuple[str, str]
    at: datetime | None


REMEDIES: Mapping[HandoverState, tuple[str, str]] = {
    HandoverState.REFUSED: (
        "客户自己拒绝了：尊重；原跟进人走之前当面问一次，或请客户扫门店的码。",
        "They said no: respect it; ask once in person before the member leaves, or let them scan the store's code.",
    ),
    HandoverState.FULL: (
        "接替的人客户已满：换一位接替，再转一次。",
        "The taker has as many customers as allowed: choose somebody else and hand over again.",
    ),
    HandoverState.IMPOSSIBLE: (
        "按平台的话处理，再转一次。",
        "Do as the platform says, then hand over again.",
    ),
}


def preview(
    warehouse: Warehouse,
    viewer: Viewer,
    handover: str,
    *,
    takers: Sequence[str] = (),
    store: str = "",
    again: bool = False,
    groups: bool = True,
) -> Offer:
    """What would go to whom; nothing is asked for. Raises BadInput or Refused."""
    customers = inheritance.preview(warehouse, viewer, handover, takers=takers, store=store, again=again)
    return Offer(customers, _groups(viewer, handover, takers, store) if groups else GroupPreview())


def _groups(viewer: Viewer, handover: str, takers: Sequence[str], store: str) -> GroupPreview:
    giver = giver_named(viewer, handover)
    chosen = [one.userid for one in takers_of(viewer, giver, takers, store)]
    return group_handover.preview(viewer, giver.corp, giver.userid, chosen, resigned=giver.resigned)


def start(
    warehouse: Warehouse,
    viewer: Viewer,
    handover: str,
    *,
    takers: Sequence[str] = (),
    store: str = "",
    message: str = "",
    again: bool = False,
    groups: bool = True,
) -> Offer:
    """Have it done, as previewed: the turn of the clock goes on with it until it is through. Begun again it adds what
    is not under way and did not change hands: so what failed is given to others."""
    giver = giver_named(viewer, handover)
    with transaction.atomic():
        customers = inheritance.start(
            warehouse, viewer, handover, takers=takers, store=store, message=message, again=again
        )
        found = _groups(viewer, handover, takers, store) if groups else GroupPreview()
        if found.groups:
            group_handover.start(viewer, giver.corp, giver.userid, found, resigned=giver.resigned)
            organisation.audit(viewer, "transfer", f"groups of {giver.userid}", groups=len(found.groups))
    return Offer(customers, found)


def all_progress(viewer: Viewer) -> list[Progress]:
    """Every hand-over that was ever begun, the latest first. Raises Refused for whoever is not headquarters."""
    inheritance.headquarters(viewer)
    givers: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    day_ago = business_now() - timedelta(days=1)
    lately = Count("pk", filter=Q(ended_at__gt=day_ago))
    columns = ("corp", "handover", "state", "resigned")
    counted = {"n": Count("pk"), "lately": lately, "since": Min("asked_at")}
    customers = Handover.objects.filter(replaced=False).values(*columns).annotate(**counted, begun=Max("begun_at"))
    groups = GroupHandover.objects.filter(replaced=False).values(*columns).annotate(**counted)
    for what, rows in (("customers", list[Any](customers)), ("groups", list[Any](groups))):
        for row in rows:
            givers[row["corp"], row["handover"].casefold()][what].append(row)
    waiting = {
        (corp, handover.casefold()): n for (corp, handover), n in inheritance.waiting_for_somebody(viewer).items()
    }
    open_groups = _longest_queue()
    found = [
        _progress(corp, of, rows, waiting.get((corp, of), 0), open_groups.get((corp, of), 0))
        for (corp, of), rows in givers.items()
    ]
    return sorted(found, key=lambda one: (one.ends_at is None, -one.begun_at.timestamp(), one.handover))


def _longest_queue() -> dict[tuple[str, str], int]:
    """Of each giver the most open groups that one taker is to get: by these the days are counted."""
    rows = GroupHandover.objects.filter(state__in=group_handover.OPEN)
    longest: Counter[tuple[str, str]] = Counter()
    for row in rows.values("corp", "handover", "takeover").annotate(n=Count("pk")):
        key = row["corp"], row["handover"].casefold()
        longest[key] = max(longest[key], row["n"])
    return longest


def _progress(
    corp: str, of: str, rows: Mapping[str, Sequence[Mapping[str, Any]]], unassigned: int, queue: int
) -> Progress:
    both = [*rows.get("customers", ()), *rows.get("groups", ())]
    customers, groups = _part(rows.get("customers", ())), _part(rows.get("groups", ()))
    ends = []
    if customers.left:
        begun = [row["begun"] for row in rows["customers"] if row["state"] == HandoverState.WAITING and row["begun"]]
        unasked = any(row["state"] in _UNASKED for row in rows["customers"])
        ends.append((business_now() if unasked else max(begun, default=business_now())) + ACCEPTED_AFTER)
    if groups.left:
        ends.append(business_now() + timedelta(days=-(-queue // A_DAY) - 1, hours=1))
    resigned = any(row["resigned"] for row in both)
    since, ends_at = min(row["since"] for row in both), max(ends, default=None)
    return Progress(corp, both[0]["handover"], resigned, since, customers, groups, unassigned, ends_at)


def _part(rows: Sequence[Mapping[str, Any]]) -> Part:
    states: Counter[HandoverState] = Counter()
    lately = 0
    for row in rows:
        states[HandoverState(row["state"])] += row["n"]
        lately += row["lately"] if row["state"] == HandoverState.DONE else 0
    return Part(dict(states), lately)


def progress_of(viewer: Viewer, corp: str, handover: str) -> Progress:
    """One member's. Raises NotFound where none was begun, Refused for whoever is not headquarters."""
    for one in all_progress(viewer):
        if (one.corp, one.handover.casefold()) == (corp, handover.casefold()):
            return one
    raise NotFound(f"没有「{handover[:64]}」的交接。", f"Nothing of “{handover[:64]}” was ever handed over.")


def takers_shares(viewer: Viewer, corp: str, handover: str) -> list[TakerShare]:
    """What each taker got of a member, or is getting, by userid. Raises Refused."""
    inheritance.headquarters(viewer)
    parts: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    lately = Count("pk", filter=Q(ended_at__gt=business_now() - timedelta(days=1)))
    for what, model in (("customers", Handover), ("groups", GroupHandover)):
        rows = model.objects.filter(corp=corp, handover__iexact=handover, replaced=False)
        for row in list[Any](rows.values("takeover", "state").annotate(n=Count("pk"), lately=lately)):
            parts[row["takeover"]][what].append(row)
    return [TakerShare(one, _part(some["customers"]), _part(some["groups"])) for one, some in sorted(parts.items())]


def failures(
    viewer: Viewer, corp: str, handover: str, *, state: HandoverState | None = None, limit: int = 50, offset: int = 0
) -> tuple[int, list[Failure]]:
    """What did not come about of a member's hand-over, each customer and group named, and how many they are; groups
    first. Raises Refused."""
    inheritance.headquarters(viewer)
    wanted = FAILED if state is None else (state,)
    given = {"corp": corp, "handover__iexact": handover, "replaced": False, "state__in": wanted}
    groups = GroupHandover.objects.filter(**given).order_by("pk")
    customers = Handover.objects.filter(**given).order_by("pk")
    in_groups = groups.count()
    some_groups = list(groups[offset : offset + limit])
    first = max(0, offset - in_groups)
    some = list(customers[first : first + limit - len(some_groups)]) if len(some_groups) < limit else []
    facts = {
        one.code: one.name
        for one in grouped.groups(viewer, GroupFilter(codes=tuple(row.chat for row in some_groups), live=None))[0]
    }
    persons = find_values(viewer, EXTERNAL, [row.customer or "" for row in some])
    names = names_of(viewer, list(persons.values()))
    rows = [
        Failure(row.chat, None, facts.get(row.chat) or row.chat, row.takeover, *_why(row), row.ended_at)
        for row in some_groups
    ]
    for one in some:
        person = persons.get(one.customer or "")
        name = names.get(person, "") if person is not None else ""
        rows.append(Failure("", person, name or (one.customer or "")[:12], one.takeover, *_why(one), one.ended_at))
    return in_groups + customers.count(), rows


def _why(row: Handover | GroupHandover) -> tuple[HandoverState, tuple[str, str]]:
    """The state, and what helps: the platform's own word where there is one."""
    state = HandoverState(row.state)
    zh, _slash, en = row.reason.partition(" / ")
    return state, (zh, en or zh) if zh else REMEDIES[state]


def left_behind(viewer: Viewer) -> list[tuple[str, str, int, int]]:
    """Members who left, whose customers or groups wait for somebody: corp, userid, how many of each. Raises Refused."""
    inheritance.headquarters(viewer)
    customers = inheritance.waiting_for_somebody(viewer)
    named = {(corp, of.casefold()): (corp, of) for corp, of in customers}
    groups: Counter[tuple[str, str]] = Counter()
    for (corp, owner), (count, left) in grouped.counts_by_owner(viewer).items():
        if left or (corp, owner.casefold()) in named:
            groups[named.setdefault((corp, owner.casefold()), (corp, owner))] += count
    return [(corp, of, customers.get((corp, of), 0), groups[corp, of]) for corp, of in sorted(named.values())]
