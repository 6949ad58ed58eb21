"""Reading the archive on: forward only, each message once, whatever dies meanwhile.

A portion is fetched and opened, agreements are asked for, and then one transaction keeps what is to be kept, records
the events and moves the cursor on: all of it, or nothing. A portion that another process has kept meanwhile is dropped.
A message that no key opens is kept as it came, since the platform forgets it after five days, and tried again whenever
keys have changed.

Kept is what passed between a member and customers who agree: the platform's notice, and no word to us against it.
What was written is sealed and stands nowhere else; an event says only that something was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.db import transaction

from yutang.channels.archive.contracts import (
    MOST_A_CALL,
    Agreements,
    ArchiveLibrary,
    ChatMessage,
    LibraryFailed,
    ReadSoFar,
)
from yutang.channels.archive.locks import private_key, unlock
from yutang.channels.models import Archive, ArchivedMessage, ArchiveKey
from yutang.kernel.clock import wall_now
from yutang.kernel.database import lock
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import NotFound
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import EventId
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.contracts import AccountFacts
from yutang.organisation.queries import accounts
from yutang.people.queries import erased_among, refused_among

WECOM = "wecom"
CONTEXT = "channels_archivedmessage.sealed"
PURPOSE = "archive"
EXTERNAL = "external_userid"
OUTSIDERS = ("wm", "wo")
AGREED, DISAGREED = "agree", "disagree"
KEPT, UNOPENED = "kept", "unopened"


def read_on(
    corp: str,
    library: ArchiveLibrary,
    agreements: Agreements,
    *,
    synthetic: bool = False,
    most: int = MOST_A_CALL,
    told: Callable[[int], None] = lambda seen: None,
) -> ReadSoFar:
    """Read what is new of a corp, to the end; returns what it came to. `told` hears of each portion how many were seen
    in all. Raises NotFound for a corp without an archive, LibraryFailed, and what asking for agreements and `told`
    raise; what was kept before stays kept."""
    seq = _seq(corp)
    reader = _Reader(corp, agreements, synthetic, _keys(corp))
    so_far = reader.try_again(library)
    while True:
        portion = _fetch(library, seq, most)
        if not portion:
            return so_far
        so_far += reader.keep(library, seq, portion)
        told(so_far.seen)
        seq = _seq(corp)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A message as the library gives it."""

    seq: int
    id: str
    version: int
    random_key: str = field(repr=False)
    message: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.id.encode()).digest()


class _Reader:
    """One reading of one corp."""

    def __init__(self, corp: str, agreements: Agreements, synthetic: bool, keys: Mapping[int, RSAPrivateKey]) -> None:
        self._corp = corp
        self._agreements = agreements
        self._synthetic = synthetic
        self._keys = keys
        self._staff = {one.userid.casefold(): one for one in accounts(WECOM, corp)}

    def keep(self, library: ArchiveLibrary, seq: int, portion: Sequence[_Sealed]) -> ReadSoFar:
        """Keep a portion that was read after `seq`, and move on behind it."""
        opened = {one: _open(library, self._keys, one) for one in portion}
        allowed = self._allowed([message for message in opened.values() if message is not None])
        failpoint("archive.opened")
        with my_turn(), transaction.atomic():
            lock("archive")
            if _seq(self._corp) != seq:
                return ReadSoFar()  # somebody else has kept it
            digests = [one.digest for one in portion]
            known = {
                bytes(digest)
                for digest in ArchivedMessage.objects.filter(corp=self._corp, digest__in=digests).values_list(
                    "digest", flat=True
                )
            }
            fresh = {one.digest: one for one in portion if one.digest not in known}
            messages = [opened[one] for one in fresh.values()]
            kept = [one for one in messages if one is not None and one.id in allowed]
            waiting = [one for one in fresh.values() if opened[one] is None]
            events = [event for one in kept for event in self._events(one)]
            ArchivedMessage.objects.bulk_create(
                [*(self._row(one) for one in kept), *(self._unopened(one) for one in waiting)], ignore_conflicts=True
            )
            if events:
                record(events)
            last = max(one.seq for one in portion)
            Archive.objects.filter(corp=self._corp).update(seq=last, read_at=wall_now())
            failpoint("archive.before_commit")
        failpoint("archive.after_commit")
        left_out = len(fresh) - len(kept) - len(waiting)
        return ReadSoFar(len(portion), len(kept), left_out, len(waiting), len(events))

    def try_again(self, library: ArchiveLibrary) -> ReadSoFar:
        """Open what could not be opened so far, if keys changed since."""
        archive = Archive.objects.get(corp=self._corp)
        if not archive.keys_changed:
            return ReadSoFar()
        rows = ArchivedMessage.objects.filter(corp=self._corp, state=UNOPENED).order_by("pk")
        so_far = ReadSoFar()
        after = 0
        while some := list(rows.filter(pk__gt=after)[:MOST_A_CALL]):
            after = some[-1].pk
            so_far += self._open_waiting(library, some)
        Archive.objects.filter(corp=self._corp, keys_changed=archive.keys_changed).update(keys_changed=0)
        return so_far

    def _open_waiting(self, library: ArchiveLibrary, rows: Sequence[ArchivedMessage]) -> ReadSoFar:
        ring = keyring()
        sealed = {row.pk: _sealed(json.loads(ring.decrypt(bytes(row.sealed), CONTEXT))) for row in rows}
        opened = {pk: _open(library, self._keys, one) for pk, one in sealed.items()}
        found = {pk: message for pk, message in opened.items() if message is not None}
        allowed = self._allowed(list(found.values()))
        with my_turn(), transaction.atomic():
            lock("archive")
            still = set(ArchivedMessage.objects.filter(pk__in=list(found), state=UNOPENED).values_list("pk", flat=True))
            kept = {pk: one for pk, one in found.items() if pk in still and one.id in allowed}
            ArchivedMessage.objects.filter(pk__in=still - kept.keys()).delete()
            for pk, one in kept.items():
                row = self._row(one)
                ArchivedMessage.objects.filter(pk=pk).update(
                    state=KEPT, kind=row.kind, sent_at=row.sent_at, member=row.member, inbound=row.inbound,
                    room=row.room, sealed=row.sealed,
                )  # fmt: skip
            events = [event for one in kept.values() for event in self._events(one)]
            if events:
                record(events)
        return ReadSoFar(0, len(kept), len(still) - len(kept), -len(still), len(events))

    def _allowed(self, messages: Sequence[ChatMessage]) -> set[str]:
        """The ids of the messages that may be kept."""
        pairs: dict[str, list[tuple[str, str]]] = {}
        rooms: dict[str, Mapping[str, Any]] = {}
        customers: set[str] = set()
        for one in messages:
            member, others = self._sides(one)
            customers.update(others)
            if one.room and others:
                rooms.setdefault(one.room, {})
            elif member:
                pairs[one.id] = [(member, customer) for customer in others]
        agreed = self._agreements.agreements([pair for some in pairs.values() for pair in some])
        for room in rooms:
            rooms[room] = self._agreements.room_agreements(room)
        who = {IdentifierValue(EXTERNAL, self._corp, one): one for one in customers}
        erased = {who[one] for one in erased_among(who)}
        refused = {who[one] for one in refused_among(who, PURPOSE, WECOM)}
        allowed = set()
        for one in messages:
            _, others = self._sides(one)
            if not others or erased & set(others):
                continue
            if one.kind in (AGREED, DISAGREED):  # what is said of the archive itself is a word about consent
                allowed.add(one.id)
                continue
            if refused & set(others):
                continue
            if one.room:
                words = rooms[one.room]
                speaks = self._is_outsider(one.sender)
                heard = [words.get(other) for other in ([one.sender] if speaks else others)]
            else:
                heard = [agreed.get(pair) for pair in pairs.get(one.id, ())]
            if heard and all(word is not None and word.agrees for word in heard):
                allowed.add(one.id)
        return allowed

    def _sides(self, one: ChatMessage) -> tuple[str, list[str]]:
        """The member (of a chat of two) and the customers of a message."""
        everybody = [one.sender, *one.recipients]
        outsiders = [who for who in everybody if self._is_outsider(who)]
        member = next((who for who in everybody if not self._is_outsider(who)), "")
        return member, list(dict.fromkeys(outsiders))

    def _is_outsider(self, who: str) -> bool:
        # A member's id may begin with the same letters, so the directory is asked first.
        return who.startswith(OUTSIDERS) and who.casefold() not in self._staff

    def _row(self, one: ChatMessage) -> ArchivedMessage:
        member, customers = self._sides(one)
        said = {
            "id": one.id,
            "from": one.sender,
            "to": list(one.recipients),
            "customers": customers,
            "action": one.action,
            one.kind: dict(one.body),
        }
        return ArchivedMessage(
            corp=self._corp,
            digest=hashlib.sha256(one.id.encode()).digest(),
            state=KEPT,
            seq=one.seq,
            kind=one.kind[:24],
            sent_at=one.at,
            member=member[:64],
            inbound=self._is_outsider(one.sender),
            room=one.room[:64],
            sealed=keyring().encrypt(json.dumps(said, ensure_ascii=False), CONTEXT),
        )

    def _unopened(self, one: _Sealed) -> ArchivedMessage:
        raw = {
            "seq": one.seq,
            "msgid": one.id,
            "publickey_ver": one.version,
            "encrypt_random_key": one.random_key,
            "encrypt_chat_msg": one.message,
        }
        return ArchivedMessage(
            corp=self._corp,
            digest=one.digest,
            state=UNOPENED,
            seq=one.seq,
            version=one.version,
            sealed=keyring().encrypt(json.dumps(raw), CONTEXT),
        )

    def _events(self, one: ChatMessage) -> list[Event]:
        """What the log is told of a message: that it was, never what it said. Of a room, only what a customer wrote;
        of what was taken back or switched, nothing."""
        member, customers = self._sides(one)
        inbound = self._is_outsider(one.sender)
        if one.action != "send" or (one.room and not inbound):
            return []
        staff = self._staff.get(member.casefold()) if not one.room else None
        whom = [one.sender] if inbound else customers
        if one.kind in (AGREED, DISAGREED):
            kind = "consent.given" if one.kind == AGREED else "consent.withdrawn"
            props: dict[str, object] = {"purpose": PURPOSE, "channel": WECOM, "proof": "企业微信会话存档告知"}
        else:
            kind = "message.received" if inbound else "message.written"
            props = {"kind": one.kind[:24], **({"group": one.room} if one.room else {})}
        if self._synthetic:
            props["synthetic"] = True
        return [self._event(one, kind, who, staff, props) for who in whom]

    def _event(
        self, one: ChatMessage, kind: str, who: str, staff: AccountFacts | None, props: Mapping[str, object]
    ) -> Event:
        name = hashlib.sha256(f"{self._corp}\x1f{one.id}\x1f{who}".encode()).hexdigest()[:40]
        return Event(
            EventId(f"archive:{name}"),
            kind,
            one.at,
            (IdentifierValue(EXTERNAL, self._corp, who[:256]),),
            store=staff.store_code if staff else None,
            staff=staff.userid if staff else None,
            source=f"archive:{self._corp}",
            channel=WECOM,
            props=props,
        )


def _seq(corp: str) -> int:
    found = Archive.objects.filter(corp=corp).values_list("seq", flat=True).first()
    if found is None:
        raise NotFound(f"企业「{corp}」没有设置会话内容存档。", f"No session archive is set up for the corp “{corp}”.")
    return int(found)


def _keys(corp: str) -> dict[int, RSAPrivateKey]:
    return {row.version: private_key(row.pem or "", checked=True) for row in ArchiveKey.objects.filter(corp=corp)}


def _fetch(library: ArchiveLibrary, seq: int, most: int) -> list[_Sealed]:
    """The next messages, in order. Whatever is not after `seq` is none of them: the reading never goes back."""
    said = json.loads(library.get_chat_data(seq, most))
    if said.get("errcode"):
        raise LibraryFailed("GetChatData", int(said["errcode"]))
    found = sorted((_sealed(row) for row in said.get("chatdata") or ()), key=lambda one: one.seq)
    return list({one.id: one for one in found if one.seq > seq}.values())


def _sealed(row: Mapping[str, Any]) -> _Sealed:
    return _Sealed(
        int(row["seq"]),
        str(row["msgid"]),
        int(row["publickey_ver"]),
        str(row["encrypt_random_key"]),
        str(row["encrypt_chat_msg"]),
    )


def _open(library: ArchiveLibrary, keys: Mapping[int, RSAPrivateKey], one: _Sealed) -> ChatMessage | None:
    """The message inside; None where it cannot be opened, by want of the key or otherwise."""
    key = keys.get(one.version)
    random_key = unlock(key, one.random_key) if key is not None else None
    if random_key is None:
        return None
    try:
        said = json.loads(library.decrypt_data(random_key, one.message))
    except (LibraryFailed, ValueError):
        return None
    if not isinstance(said, dict):
        return None
    kind = str(said.get("msgtype") or said.get("action") or "")
    body = said.get(kind) if isinstance(said.get(kind), dict) else said.get("info")
    milliseconds = said.get("msgtime") or said.get("time") or 0
    return ChatMessage(
        one.id,
        one.seq,
        str(said.get("action") or ""),
        kind,
        datetime.fromtimestamp(int(milliseconds) / 1000, UTC),
        str(said.get("from") or said.get("user") or ""),
        tuple(map(str, said.get("tolist") or ())),
        str(said.get("roomid") or ""),
        body if isinstance(body, dict) else {},
    )
