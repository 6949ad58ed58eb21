"""Off-gate touches (闸外触达): what staff sent on their own, read back from the platform's own lists.

Sends are listed from where the last list ended, those of ours are left out, and each of the others is read until
nothing more will be told of it: whom it reached, each an event `offgate.sent` under an id made of the send and the
recipient, so that reading again adds nothing. Of the words a keyed mark is kept. A mass send speaks to each person; who
reads a group, or looks among their moments, nobody knows, so those events say only who could have seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q

from yutang.channels.contracts import Delivery, RefusedByPlatform, TaskNotReady, UnexpectedAnswer
from yutang.channels.ports.moments import MomentNotReady
from yutang.channels.ports.sent import ListedSend, SendKind
from yutang.channels.sync.contracts import Found, Kind, Progress
from yutang.channels.sync.customers import PARALLEL, rest, staff_of
from yutang.channels.sync.doors import counted_among, ours_among
from yutang.channels.sync.models import SendsListed, StaffSend
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.group_send import WeComGroupSend
from yutang.channels.wecom.mass_send import LIST_SPAN, WeComMassSend
from yutang.channels.wecom.moments import WeComMoments
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import EventId
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.contracts import AccountFacts, CorpFacts
from yutang.people.groups import members_at

HOURLY = timedelta(hours=1)
OVERLAP = timedelta(hours=1)  # lists are read so far back again: a send may be listed late, and clocks differ
BACK = {SendKind.MASS: LIST_SPAN, SendKind.GROUP: LIST_SPAN, SendKind.MOMENTS: timedelta(days=1)}
"""How far back the first list of a kind reaches: as far as caps look and the platform allows. Moments use no cap, and
each is an event for every friend."""
WATCHED = timedelta(days=7)  # what others are asked to confirm is looked at so long: a tap may come days later
KEPT = timedelta(days=40)
SENDS = 20  # sends read together
PORTION = 4_000  # events in one transaction
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom a send reached, and when: a customer's id, or a group's."""

    recipient: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What the platform told of a row: the members who have confirmed, or whom it reached. `over`: it tells no more."""

    row: StaffSend
    members: Sequence[str] = ()
    reached: Sequence[Reached] = ()
    over: bool = True


def sync(corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
    """List what is new, kind by kind, then read whatever is not read to its end."""
    reading = _Reading.of(corp, client, told)
    for kind in SendKind:
        if kind.value not in reading.listed:
            reading.list_new(kind)
    reading.read_open()
    StaffSend.objects.filter(made_at__lt=reading.until - KEPT).delete()
    return replace(reading.found, note=_note(reading.found.read, reading.persons))


def _note(sends: int, persons: int) -> tuple[str, str]:
    if not sends:
        return "", ""
    return (
        f"读到员工自发 {sends:,} 次，涉及 {persons:,} 人次",
        f"{sends:,} sends of staff's own were read, to {persons:,} persons in all",
    )


@dataclass(slots=True)
class _Reading:
    """One reading. `until` (business time): what is sent later is left to the next; `began` (wall clock): what was read
    since is read. `persons` counts whom the sends reached, each time anew."""

    corp: CorpFacts
    mass: WeComMassSend
    groups: WeComGroupSend
    moments: WeComMoments
    told: Progress
    staff: Mapping[str, AccountFacts]
    until: datetime
    began: datetime
    listed: set[str]
    persons: int
    found: Found = field(default_factory=Found)

    @staticmethod
    def of(corp: CorpFacts, client: WeComClient, told: Progress) -> _Reading:
        """A reading that begins now, or goes on where an earlier attempt stood."""
        kept = told.cursor
        until = datetime.fromisoformat(kept["until"]) if "until" in kept else business_now()
        began = datetime.fromisoformat(kept["began"]) if "began" in kept else wall_now()
        ports = WeComMassSend(client), WeComGroupSend(client), WeComMoments(client)
        listed, persons = set(kept.get("listed", ())), int(kept.get("persons", 0))
        return _Reading(corp, *ports, told, staff_of(corp), until, began, listed, persons, told.found)

    def _keep(self) -> None:
        cursor = {
            "until": self.until.isoformat(),
            "began": self.began.isoformat(),
            "listed": sorted(self.listed),
            "persons": self.persons,
        }
        self.told.keep(cursor, self.found)

    def _mine(self) -> dict[str, Any]:
        return {"channel": self.corp.channel, "corp": self.corp.corp}

    # Lists ---------------------------------------------------------------------------------------------------------

    def list_new(self, kind: SendKind) -> None:
        """Keep a row for each send of a kind that is not ours; killed in between, the list is read again."""
        last = SendsListed.objects.filter(**self._mine(), kind=kind).first()
        since = self.until - BACK[kind]
        since = since if last is None else max(since, min(last.upto, self.until) - OVERLAP)
        for page in self._pages(kind, since):
            self.told(0, 0)
            ours = ours_among(self.corp, page)
            theirs = [one for one in page if one.ref not in ours]
            StaffSend.objects.bulk_create([self._row(one) for one in theirs], ignore_conflicts=True)
        failpoint("offgate.listed")
        with my_turn(), transaction.atomic():
            SendsListed.objects.update_or_create(**self._mine(), kind=kind, defaults={"upto": self.until})
            self.listed.add(kind.value)
            self._keep()

    def _pages(self, kind: SendKind, since: datetime) -> Iterator[list[ListedSend]]:
        if kind is SendKind.MOMENTS:
            yield self.moments.listed(since, self.until)
        else:
            yield from self.mass.listed(kind, since, self.until)

    def _row(self, one: ListedSend) -> StaffSend:
        said = keyring().lookup_hash("said", one.said).hex()[:16]
        member = one.creator if one.personal else ""
        return StaffSend(**self._mine(), kind=one.kind, ref=one.ref, member=member, said=said, made_at=one.created_at)

    # Results -------------------------------------------------------------------------------------------------------

    def read_open(self) -> None:
        """Read every row that is not read to its end, once."""
        unread = Q(read_at=None) | Q(read_at__lt=self.began)
        rows = StaffSend.objects.filter(unread, **self._mine(), done=False).order_by("pk")
        done = 0
        with ThreadPoolExecutor(PARALLEL) as pool:
            while part := list(rows[:SENDS]):
                self.told(done, done + rows.count())
                self._take(list(pool.map(self._ask, part)))
                done += len(part)

    def _ask(self, row: StaffSend) -> Told:
        ask: Callable[[StaffSend], Told] = self._who_sent if not row.member else self._whom
        try:
            told = ask(row)
        except (TaskNotReady, MomentNotReady):
            return Told(row, over=False)
        except (RefusedByPlatform, UnexpectedAnswer) as refusal:  # it is gone, or its member is: nothing more is told
            _log.warning("a send of staff's own cannot be read", ref=row.ref, reason=refusal.en)
            return Told(row)
        return replace(told, over=told.over or row.made_at <= self.until - WATCHED)

    def _who_sent(self, row: StaffSend) -> Told:
        """Of what members were asked to confirm, who has."""
        if row.kind == SendKind.MOMENTS:
            states = [(one.member, one.published) for one in self.moments.read_publishing(row.ref)]
        else:
            states = [(one.sender, one.sent) for one in self.mass.read_task(row.ref)]
        return Told(row, [member for member, sent in states if sent], over=all(sent for _, sent in states))

    def _whom(self, row: StaffSend) -> Told:
        if row.kind == SendKind.MOMENTS:
            shown = self.moments.read_shown(row.ref, row.member)
            return Told(row, reached=[Reached(one, row.made_at) for one in shown])
        if row.kind == SendKind.GROUP:
            sent = self.groups.read_results(row.ref, row.member)
            reached = [Reached(one.group, one.sent_at or row.made_at) for one in sent]
            return Told(row, reached=reached, over=bool(reached))
        results = self.mass.read_results(row.ref, row.member)
        got = [Reached(one.recipient, one.sent_at or row.made_at) for one in results if one.state is Delivery.SENT]
        open_still = not results or any(one.state is Delivery.UNSENT for one in results)
        return Told(row, reached=got, over=not open_still)

    def _take(self, answers: Sequence[Told]) -> None:
        """Keep what was told: events in portions, and with the last of them that these rows were read."""
        answers = [replace(told, reached=self._beside_the_gate(told)) for told in answers]
        events = [event for told in answers for event in self._events(told)]
        for first in range(0, len(events), PORTION):
            rest(self.told, 0, 0)
            last = first + PORTION >= len(events)
            with my_turn(), transaction.atomic():
                record(events[first : first + PORTION], history=self.told.first)
                if last:
                    self._settle(answers)
            failpoint("offgate.portion")
        if not events:
            with my_turn(), transaction.atomic():
                self._settle(answers)

    def _beside_the_gate(self, told: Told) -> Sequence[Reached]:
        """Without those whom the member was asked by us to contact: a card's message is prefilled in WeCom, which lists
        it as a send of the member's own."""
        if told.row.kind != SendKind.MASS:
            return told.reached
        counted = counted_among(self.corp, told.row.member, [(one.recipient, one.at) for one in told.reached])
        return [one for one in told.reached if one.recipient not in counted]

    def _settle(self, answers: Sequence[Told]) -> None:
        now = wall_now()
        confirmed = [
            StaffSend(**self._mine(), kind=told.row.kind, ref=told.row.ref, member=member, said=told.row.said,
                      made_at=told.row.made_at)
            for told in answers
            for member in told.members
        ]  # fmt: skip
        StaffSend.objects.bulk_create(confirmed, ignore_conflicts=True)
        for told in answers:
            told.row.read_at, told.row.done, told.row.reached = now, told.over, len(told.reached)
        StaffSend.objects.bulk_update([told.row for told in answers], ["read_at", "done", "reached"])
        ended = [told for told in answers if told.row.member and told.over]
        self.persons += sum(len(told.reached) for told in ended)
        self.found += Found(read=len(ended))
        self._keep()

    def _events(self, told: Told) -> Iterator[Event]:
        row = told.row
        account = self.staff.get(row.member.casefold())
        synthetic = {"synthetic": True} if self.corp.sandboxed else {}
        common: dict[str, Any] = {
            "store": None if account is None else account.store_code,
            "staff": row.member if account is None else account.userid,
            "source": f"offgate:{row.kind}",
            "channel": self.corp.channel,
            "props": {"kind": row.kind, "send": row.ref, "content": row.said, **synthetic},
        }
        for one in told.reached:
            if row.kind != SendKind.GROUP:
                who = (IdentifierValue("external_userid", self.corp.corp, one.recipient),)
                yield Event(_id(self.corp, row, one.recipient), "offgate.sent", one.at, who, **common)
                continue
            for person in members_at([one.recipient], one.at)[one.recipient]:
                recipient = f"{one.recipient} {person}"
                yield Event(_id(self.corp, row, recipient), "offgate.sent", one.at, person=person, **common)


def _id(corp: CorpFacts, row: StaffSend, recipient: str) -> EventId:
    """The same for the same send and recipient, whenever and however often it is read."""
    mark = blake2b(f"{corp.corp} {row.ref} {recipient}".encode(), digest_size=16)
    return EventId(f"offgate:{mark.hexdigest()}")


class _Aside:
    """How far a reading is, said to nobody: it begins anew if it is killed, and what it had read adds nothing."""

    cursor: Mapping[str, Any] = {}
    found = Found()

    def __init__(self, *, first: bool) -> None:
        self.first = first

    def __call__(self, done: int, total: int, /) -> None:
        pass

    def keep(self, cursor: Mapping[str, Any], found: Found) -> None:
        pass


def overhear(corp: CorpFacts, client: WeComClient) -> Found:
    """Read on, beside the runs of the sync: for a stepped clock, whose hours are none of the wall's."""
    first = not SendsListed.objects.filter(channel=corp.channel, corp=corp.corp).exists()
    return sync(corp, client, _Aside(first=first))


KIND = Kind("offgate", "员工自发的群发和朋友圈", "what staff sent on their own", sync, every=HOURLY)
