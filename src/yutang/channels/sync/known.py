"""What we know of relations at a platform: told by callbacks as they come, and compared with what is read.

A change becomes an event, in the transaction that notes it, under an id that is the same whoever told of it first: a
callback that comes after the sync that found the same adds nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Q

from yutang.channels.contracts import Customer
from yutang.channels.sync.contracts import Found
from yutang.channels.sync.doors import way_named
from yutang.channels.sync.models import KnownRelation, KnownTag, SyncHint, TagWish
from yutang.channels.sync.standing import SLACK, Standing
from yutang.kernel.database import lock
from yutang.kernel.encryption import Keyring, keyring
from yutang.kernel.ids import EventId, SenderId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record, unseal
from yutang.organisation.contracts import AccountFacts, CorpFacts
from yutang.people import bulk
from yutang.people import queries as people

SOURCE = "sync"
TAGGED = "wecom"
"""The source of tag events that the platform told of: they are not told to it again."""
ASSIGNED = 202
"""The `add_way` of who was handed over by the brand (WeCom doc 92114)."""
_CONTEXT = "channels_knownrelation.sealed"
_COLUMNS = ("id", "sender", "who", "added", "ended", "left", "add_way", "tags", "mark", "sealed")

Key = tuple[bytes, int]
"""A relation: for whom (`who`), and the account."""


Wearing = dict[bytes, dict[str, set[tuple[int, str]]]]
"""By customer and tag of ours: on which relations that stand it is, and as which of the corp's tags."""


@dataclass(slots=True)
class Row:
    """A row as it is, or is to be. `id` 0: it is new."""

    id: int
    standing: Standing
    add_way: int = 0
    tags: tuple[str, ...] = ()
    mark: bytes = b""
    sealed: bytes = b""


def who_of(ring: Keyring, corp: str, external_userid: str) -> bytes:
    """What stands for a customer of a corp for ever."""
    return ring.lookup_hash("relation", corp, external_userid)


def instant(seconds: int) -> datetime:
    """Unix seconds as aware UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def added_id(who: bytes, sender: int, at: int) -> EventId:
    """The id of the event that a relation was added at `at`."""
    return EventId(f"wecom:added:{sender}:{who.hex()}:{at}")


def lost_id(who: bytes, sender: int, at: int) -> EventId:
    """The id of the event that a relation was lost at `at`."""
    return EventId(f"wecom:lost:{sender}:{who.hex()}:{at}")


def hold() -> None:
    """Let one transaction at a time change what is known, until it ends; taken before any other lock."""
    lock("sync")


def rows_of(column: str, values: Iterable[Any]) -> dict[Key, Row]:
    """The known relations whose `column` (`who` or `sender`) is among the values."""
    found = {}
    for id, sender, who, added, ended, left, add_way, tags, mark, sealed in bulk.select(
        KnownRelation, _COLUMNS, column, values
    ):
        listed = tags if isinstance(tags, list) else json.loads(tags)
        standing = Standing(added, ended, left)
        found[bytes(who), sender] = Row(id, standing, add_way, tuple(listed), bytes(mark), bytes(sealed))
    return found


def write(rows: Mapping[Key, Row]) -> None:
    """Keep rows, new and changed."""
    database: Any = connection
    binary = database.Database.Binary
    new = [
        (sender, binary(who), row.standing.added, row.standing.ended, row.standing.left, row.add_way,
         json.dumps(row.tags), binary(row.mark), binary(row.sealed))
        for (who, sender), row in rows.items() if not row.id
    ]  # fmt: skip
    changed = [
        (row.standing.added, row.standing.ended, row.standing.left, row.add_way, json.dumps(row.tags),
         binary(row.mark), binary(row.sealed), row.id)
        for row in rows.values() if row.id
    ]  # fmt: skip
    bulk.insert(KnownRelation, _COLUMNS[1:], new, key=("who", "sender"))
    bulk.update(KnownRelation, _COLUMNS[3:], changed)


def forget_customers(identifiers: Iterable[IdentifierValue]) -> None:
    """Forget what is known of whoever bears these identifiers, the hints at them, and the tags they wait for."""
    ring = keyring()
    named = set(identifiers)
    customers = [one for one in named if one.kind == "external_userid"]
    with transaction.atomic():
        KnownRelation.objects.filter(who__in=[who_of(ring, one.namespace, one.value) for one in customers]).delete()
        SyncHint.objects.filter(ref__in=[one.value for one in customers]).delete()
        for row in TagWish.objects.all():
            if any(not named.isdisjoint(event.identifiers) for event in unseal(bytes(row.sealed))):
                row.delete()


def shared_customers(senders: Iterable[int]) -> int:
    """How many customers are friends of two or more of these accounts."""
    mine = KnownRelation.objects.filter(sender__in=list(senders), added__isnull=False)
    standing = mine.filter(Q(ended=None) | Q(ended__lt=F("added")), Q(left=None) | Q(left__lt=F("added")))
    return standing.values("who").annotate(friends=Count("pk")).filter(friends__gt=1).count()


# What callbacks tell ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """A callback's word about a relation: `added`, `ended` (by the member) or `left` (by the customer), and when."""

    corp: str
    external_userid: str
    sender: int
    what: str
    at: int


@dataclass(frozen=True, slots=True)
class Said:
    """The id and time under which a word's event is kept: those of the event that tells the same already, if any."""

    id: EventId
    at: datetime


def take(words: Sequence[Word]) -> list[Said]:
    """Note words, in the order of arrival, in the caller's transaction. Any order, and any of them twice, comes to the
    same."""
    if not words:
        return []
    hold()
    ring = keyring()
    keys: list[Key] = [(who_of(ring, word.corp, word.external_userid), word.sender) for word in words]
    rows = rows_of("who", {who for who, _ in keys})
    changed: dict[Key, Row] = {}
    said = []
    for word, (who, sender) in zip(words, keys, strict=True):
        row = rows.get((who, sender))
        if row is None:
            sealed = ring.encrypt_bytes(json.dumps({"id": word.external_userid}).encode(), _CONTEXT)
            row = rows[who, sender] = Row(0, Standing(), sealed=sealed)
        before, now = row.standing, _after(row.standing, word)
        if now != before or not row.id:
            row.standing = now
            changed[who, sender] = row
        said.append(_said(who, sender, word, before, now))
    write(changed)
    return said


def only_listed(corp: str, senders: Iterable[int], shown: Collection[Key]) -> list[Word]:
    """That these accounts have friends whom the platform neither showed nor told of, but a list or a demo did: words to
    `take`, so that they are known and can be found gone."""
    ring = keyring()
    friends = people.friends_of("external_userid", corp, [SenderId(sender) for sender in senders])
    found = [
        Word(corp, name, int(sender), "added", int(added.timestamp()))
        for name, sender, added in friends
        if (who_of(ring, corp, name), int(sender)) not in shown
    ]
    told = {IdentifierValue("external_userid", corp, word.external_userid) for word in found}
    erased = {one.value for one in people.erased_among(told)}
    return [word for word in found if word.external_userid not in erased]


def _after(before: Standing, word: Word) -> Standing:
    if word.what == "added":
        return before.with_added(word.at)
    return before.with_ended(word.at) if word.what == "ended" else before.with_left(word.at)


def _said(who: bytes, sender: int, word: Word, before: Standing, now: Standing) -> Said:
    at = word.at
    if word.what == "added":
        if now.added is not None and now.added != at and abs(at - now.added) <= SLACK:
            at = now.added  # told of before, by another app or by a sync
        return Said(added_id(who, sender, at), instant(at))
    over = before.added is not None and before.ended is not None and before.added <= at <= before.ended
    if word.what == "ended" and over and before.ended is not None:
        at = before.ended  # a sync found it gone before
    return Said(lost_id(who, sender, at), instant(at))


# What is read -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reading:
    """One reading of a corp's customers, portion by portion. `began`: Unix seconds of our business clock before which
    nothing of a portion was asked. `staff`: the accounts by userid without case. `history`: nobody is told.

    `tags` are our names of the corp's tags by their ids.
    """

    corp: CorpFacts
    staff: Mapping[str, AccountFacts]
    history: bool
    tags: Mapping[str, str]
    _ways: dict[str, str | None] = field(default_factory=dict)

    @staticmethod
    def of(corp: CorpFacts, staff: Mapping[str, AccountFacts], *, history: bool) -> Reading:
        """A reading that begins now."""
        tags = KnownTag.objects.filter(channel=corp.channel, corp=corp.corp)
        return Reading(corp, staff, history, dict(tags.values_list("tag_id", "ours")))

    def seen(self, customers: Sequence[Customer], began: int) -> tuple[Found, set[Key]]:
        """Keep, in the caller's transaction, what the platform shows; how much was new, and which relations these are.

        Those of members who are none of our accounts, and those of erased persons, are passed over.
        """
        hold()
        ring = keyring()
        mine: dict[Key, tuple[Customer, AccountFacts]] = {
            (who_of(ring, self.corp.corp, one.external_userid), account.id): (one, account)
            for one in customers
            if (account := self.staff.get(one.member.casefold())) is not None
        }
        rows = rows_of("who", {who for who, _ in mine})
        self._adopt(ring, {key: both for key, both in mine.items() if key not in rows}, mine, rows)
        wearing = self._wearing(rows)
        changed: dict[Key, Row] = {}
        events: list[Event] = []
        added = differs = 0
        for key, (one, account) in mine.items():
            row = rows.get(key) or Row(0, Standing())
            before, after = row.standing, row.standing.seen(int(one.added_at.timestamp()), began)
            mark = _mark_of(ring, one)
            tags = tuple(
                sorted(tag for tag in one.tag_ids if tag in self.tags)
            )  # one unknown yet is new once it is known
            comes = after.live and not before.live
            if row.id and after == before and mark == row.mark and tags == row.tags:
                continue
            if after.added != before.added:
                events.append(self._added(key, one, account, after))
            events += self._persons(ring, key, one, account, row, mark, after, began)
            events += self._tagged(key, one, row.tags, tags, began, wearing)
            added += comes
            differs += bool(row.id) and not comes
            changed[key] = Row(row.id, after, one.add_way, tags, mark, _sealed(ring, one))
        write(changed)
        if events:
            record(events, history=self.history)
        return Found(read=len(mine), added=added, changed=differs), set(mine)

    def _adopt(
        self,
        ring: Keyring,
        new: Mapping[Key, tuple[Customer, AccountFacts]],
        mine: dict[Key, tuple[Customer, AccountFacts]],
        rows: dict[Key, Row],
    ) -> None:
        """Of relations that are read for the first time, leave out those of erased persons, and take those that people
        know already (by a list, or a demo) as told."""
        if not new:
            return
        names = {one.external_userid for one, _ in new.values()}
        space = self.corp.corp
        gone = people.erased_among(IdentifierValue("external_userid", space, name) for name in names)
        erased = {one.value for one in gone}
        known = people.friendships("external_userid", space, names - erased)
        for key, (one, account) in new.items():
            if one.external_userid in erased:
                del mine[key]
                continue
            added, lost = known.get((one.external_userid, account.id), (None, None))
            if added is not None:
                ended = None if lost is None else int(lost.timestamp())
                rows[key] = Row(0, Standing(int(added.timestamp()), left=ended))

    def unseen(self, rows: Mapping[Key, Row], began: int) -> int:
        """Keep, in the caller's transaction, that the platform shows these no more; of how many friendships it was the
        end."""
        hold()
        ring = keyring()
        fresh = rows_of("who", {who for who, _ in rows})
        changed: dict[Key, Row] = {}
        events: list[Event] = []
        accounts = {int(one.id): one for one in self.staff.values()}
        for key in rows:
            row = fresh.get(key)
            account = accounts.get(key[1])
            if row is None or account is None:
                continue
            before, after = row.standing, row.standing.unseen(began)
            if after == before:
                continue
            row.standing = after
            changed[key] = row
            if before.live and after.ended is not None:
                external = json.loads(ring.decrypt_bytes(row.sealed, _CONTEXT))["id"]
                events.append(
                    Event(
                        lost_id(*key, after.ended), "relation.lost", instant(after.ended), self._named(external),
                        store=account.store_code, staff=account.userid, source=SOURCE, channel=self.corp.channel,
                        props={"by": "member"},
                    )
                )  # fmt: skip
        write(changed)
        if events:
            record(events, history=self.history)
        return len(events)

    def _named(self, external: str, unionid: str | None = None) -> tuple[IdentifierValue, ...]:
        one = IdentifierValue("external_userid", self.corp.corp, external)
        return (one, IdentifierValue("unionid", "", unionid)) if unionid else (one,)

    def _added(self, key: Key, one: Customer, account: AccountFacts, now: Standing) -> Event:
        assert now.added is not None
        state = one.state or ""
        if state not in self._ways:
            self._ways[state] = way_named(state)
        way = self._ways[state]
        given = "transfer" if one.add_way == ASSIGNED else None
        said = {"way": way, "state": state[:64], "by": given} | ({"synthetic": True} if self.corp.sandboxed else {})
        return Event(
            added_id(*key, now.added), "relation.added", instant(now.added), self._named(one.external_userid),
            store=account.store_code, staff=account.userid, source=f"way:{way}" if way else SOURCE,
            channel=self.corp.channel, props={name: value for name, value in said.items() if value},
        )  # fmt: skip

    def _persons(
        self, ring: Keyring, key: Key, one: Customer, account: AccountFacts, row: Row, mark: bytes, now: Standing,
        began: int,
    ) -> list[Event]:  # fmt: skip
        """Who they are, as the platform and the member say, where that is new. A number that a member noted was
        verified by nobody: it joins no persons."""
        if mark == row.mark:
            return []
        before = json.loads(ring.decrypt_bytes(row.sealed, _CONTEXT)) if row.mark else {}
        at = began if row.mark or now.added is None else now.added
        numbers = [number for number in one.mobiles if number not in before.get("mobiles", ())]
        if (one.name, one.unionid) == (before.get("name"), before.get("unionid")) and not numbers:
            return []
        synthetic = {"synthetic": True} if self.corp.sandboxed else {}
        props: list[dict[str, object]] = [{"name": one.name, "claimed_phone": numbers[0] if numbers else None}]
        props += [{"claimed_phone": number} for number in numbers[1:]]
        return [
            Event(
                EventId(f"wecom:seen:{key[1]}:{key[0].hex()}:{at}:{mark.hex()[:8]}{place}"), "person.seen",
                instant(at), self._named(one.external_userid, one.unionid), store=account.store_code, source=SOURCE,
                channel=self.corp.channel,
                props={name: value for name, value in said.items() if value} | synthetic,
            )
            for place, said in enumerate(props)
        ]  # fmt: skip

    def _tagged(
        self, key: Key, one: Customer, before: tuple[str, ...], now: tuple[str, ...], began: int, wearing: Wearing
    ) -> list[Event]:
        """Which of our tags come and go. One that another member, or another group, has on the customer stays."""
        if before == now:
            return []
        who, sender = key
        for tag in set(before) - set(now):
            wearing[who][self.tags.get(tag, "")].discard((sender, tag))
        for tag in set(now) - set(before):
            wearing[who][self.tags[tag]].add((sender, tag))
        come = {self.tags[tag] for tag in set(now) - set(before)}
        gone = {self.tags[tag] for tag in set(before) - set(now) if tag in self.tags}
        gone = {ours for ours in gone - come if not wearing[who][ours]}
        return [
            Event(
                EventId(f"wecom:{kind}:{sender}:{who.hex()}:{_short(ours)}:{began}"), kind, instant(began),
                self._named(one.external_userid), source=TAGGED, channel=self.corp.channel, props={"tag": ours},
            )
            for kind, several in (("tag.added", come), ("tag.removed", gone))
            for ours in sorted(several)
        ]  # fmt: skip

    def _wearing(self, rows: Mapping[Key, Row]) -> Wearing:
        found: Wearing = defaultdict(lambda: defaultdict(set))
        for (who, sender), row in rows.items():
            if row.standing.shown:
                for tag in row.tags:
                    found[who][self.tags.get(tag, "")].add((sender, tag))
        return found


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _mark_of(ring: Keyring, one: Customer) -> bytes:
    """Stands for what was told of a relation beside its tags and times; says nothing to whoever has not the key."""
    told = (one.name, one.unionid, one.kind, one.state, one.add_way, one.remark, one.description, one.company,
            *one.mobiles)  # fmt: skip
    return hashlib.blake2b(repr(told).encode("utf-8", "replace"), digest_size=16, key=ring.lookup).digest()


def _sealed(ring: Keyring, one: Customer) -> bytes:
    said = {
        "id": one.external_userid,
        "name": one.name,
        "unionid": one.unionid,
        "mobiles": one.mobiles,
        "remark": one.remark,
        "description": one.description,
        "company": one.company,
    }
    text = json.dumps({name: value for name, value in said.items() if value}, ensure_ascii=False)
    return ring.encrypt_bytes(text.encode("utf-8", "replace"), _CONTEXT)
