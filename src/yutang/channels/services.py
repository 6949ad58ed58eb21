"""Taking a platform's callbacks: checked, kept once, and what concerns friendship recorded, all in one transaction."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.db.models import F
from msgspec import structs

from yutang.channels.gathering import Gathering
from yutang.channels.models import Callback, RefusedCallback
from yutang.channels.sync.known import Word, take
from yutang.channels.sync.services import hints_of
from yutang.channels.wecom.callbacks import BadCallback, CallbackCrypto, Notice, encrypted_part, read_notice
from yutang.kernel.clock import business_now, monotonic, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import EventId
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.contracts import AccountFacts, CallbackSecrets
from yutang.organisation.queries import accounts, callback_secrets

WECOM = "wecom"
KEPT = timedelta(days=30)
LINGER = 0.03  # seconds: one commit costs as much for five callbacks as for one, and the platform waits five seconds
FRESH = 5.0  # seconds for which a corp's secrets are not read again
_CONTEXT = "channels.callback"
_WHAT = {"add_external_contact": "added", "del_external_contact": "ended", "del_follow_user": "left"}
_LOST_BY = {"del_follow_user": "customer", "del_external_contact": "member"}

WayOf = Callable[[str], str | None]
"""The name of our contact way by the state that the platform says; None for a state that is none of ours."""


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a callback's address."""

    signature: str
    timestamp: str
    nonce: str


_known: dict[str, tuple[float, CallbackSecrets]] = {}


def _secrets(corp: str, fresh: bool) -> CallbackSecrets:
    """By what a corp's callbacks are checked, as of at most FRESH seconds ago, or of now."""
    read_at, secrets = _known.get(corp, (float("-inf"), None))
    if secrets is None or fresh or monotonic() - read_at > FRESH:
        secrets = callback_secrets(WECOM, corp)
        if secrets is None:
            _known.pop(corp, None)
            raise NotFound(f"企业「{corp[:64]}」没有开通回调。", f"The corp “{corp[:64]}” takes no callbacks.")
        _known[corp] = (monotonic(), secrets)
    return secrets


def _checked(corp: str, query: Query, encrypted: str) -> tuple[CallbackCrypto, CallbackSecrets]:
    """The crypto of a corp, once the signature holds; what was kept is read again before one is refused."""
    for fresh in (False, True):
        secrets = _secrets(corp, fresh)
        crypto = CallbackCrypto(secrets.token, secrets.key, corp)
        try:
            crypto.check(query.signature, query.timestamp, query.nonce, encrypted)
        except BadCallback:
            if fresh:
                raise
        else:
            return crypto, secrets
    raise AssertionError  # the second round returns or raises


class _TurnedAway:
    """Counts what is refused, by corp. Written once a second at most: whoever wants to can post nonsense all day."""

    PAUSE = 1.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()
        self._written_at = float("-inf")

    def note(self, corp: str) -> None:
        """One more for a corp that is connected."""
        with self._lock:
            self._waiting[corp] += 1
            if monotonic() - self._written_at < self.PAUSE:
                return
            self._written_at = monotonic()
            counted, self._waiting = self._waiting, Counter()
        try:
            with transaction.atomic():
                for name, count in counted.items():
                    row, _ = RefusedCallback.objects.get_or_create(channel=WECOM, corp=name)
                    changed = {"count": F("count") + count, "last_at": wall_now()}
                    RefusedCallback.objects.filter(pk=row.pk).update(**changed)
        except DatabaseError:  # the refusal stands; the count is told with the next one
            with self._lock:
                self._waiting += counted


_turned_away = _TurnedAway()


def check_address(corp: str, query: Query, echo: str) -> str:
    """The plain text with which WeCom's URL check is to be answered. Raises BadCallback or NotFound."""
    return _opened(corp, query, echo)[0].decode(errors="replace")


def _opened(corp: str, query: Query, encrypted: str) -> tuple[bytes, CallbackSecrets]:
    """What is inside, once signature and seal hold; what does not is counted. Raises BadCallback or NotFound."""
    try:
        crypto, secrets = _checked(corp, query, encrypted)
        return crypto.decrypt(encrypted), secrets
    except BadCallback:
        _turned_away.note(corp)
        raise


def take_callback(corp: str, query: Query, body: bytes, way_of: WayOf) -> bool:
    """Keep one posted body, and record the event in it; False for one that had arrived before.

    Durable when it returns. Loss, repetition and disorder are the platform's way: what is told twice is kept once, and
    friendships go by when a thing was said, not when it arrived. Raises BadCallback or NotFound.
    """
    encrypted = encrypted_part(body)
    body, secrets = _opened(corp, query, encrypted)
    return _keep(_Letter(read_notice(corp, body), way_of, secrets.sandboxed))


@dataclass(frozen=True, slots=True)
class _Letter:
    """A notice on its way to be kept; `synthetic`: our own sandbox wrote it."""

    notice: Notice
    way_of: WayOf
    synthetic: bool


def _keep_all(letters: Sequence[_Letter]) -> list[bool]:
    """Keep each notice once, with the event or the hint that it comes to, all in one transaction; which were new."""
    with my_turn(), transaction.atomic():
        digests = {(one.notice.corp, bytes.fromhex(one.notice.digest)) for one in letters}
        rows = Callback.objects.filter(channel=WECOM, digest__in=[digest for _, digest in digests])
        known = {(corp, bytes(digest)) for corp, digest in rows.values_list("corp", "digest")}
        told: list[bool] = []
        fresh: list[Callback] = []
        events: list[Event] = []
        taken: list[Notice] = []
        staff = _staff_of([one.notice for one in letters])
        ways: dict[str, str | None] = {}
        for one in letters:
            key = (one.notice.corp, bytes.fromhex(one.notice.digest))
            told.append(key not in known)
            if key in known:
                continue
            known.add(key)
            state = one.notice.get("State")
            if state and state not in ways:
                ways[state] = one.way_of(state)
            event = event_of(one.notice, ways.get(state), staff, synthetic=one.synthetic)
            taken.append(one.notice)
            fresh.append(_row(one.notice, event))
            events += [] if event is None else [event]
        Callback.objects.bulk_create(fresh, ignore_conflicts=True)  # of two processes', the event's own id makes one
        hints_of(taken)
        events = _under_one_id(events, taken, staff)
        if events:
            record(events)
        return told


def _under_one_id(events: Sequence[Event], notices: Sequence[Notice], staff: Staff) -> list[Event]:
    """Note what callbacks say of relations of our accounts, and give their events the id under which a sync would tell
    the same, or told it."""
    by_id = {event.id: event for event in events}
    words: dict[str, Word] = {}
    for notice in notices:
        event = by_id.get(EventId(notice.event_id))
        account = staff.get((notice.corp, notice.get("UserID").casefold()))
        what = _WHAT.get(notice.get("ChangeType"))
        if event is not None and account is not None and what is not None:
            external = event.identifiers[0].value
            words[event.id] = Word(notice.corp, external, account.id, what, int(event.occurred_at.timestamp()))
    said = dict(zip(words, take(list(words.values())), strict=True))
    return [
        event if event.id not in said else structs.replace(event, id=said[event.id].id, occurred_at=said[event.id].at)
        for event in events
    ]


_keep = Gathering(_keep_all, LINGER)


def _row(notice: Notice, event: Event | None) -> Callback:
    return Callback(
        channel=WECOM,
        corp=notice.corp,
        digest=bytes.fromhex(notice.digest),
        kind=notice.kind,
        event="" if event is None else event.type,
        sealed=keyring().encrypt(notice.body.decode(errors="replace"), _CONTEXT),
    )


Staff = Mapping[tuple[str, str], AccountFacts]


def _staff_of(notices: Sequence[Notice]) -> Staff:
    """The accounts that notices name, by corp and userid without regard to case."""
    by_corp: dict[str, set[str]] = {}
    for one in notices:
        if one.event_type is not None:
            by_corp.setdefault(one.corp, set()).add(one.get("UserID").casefold())
    return {
        (corp, one.userid.casefold()): one
        for corp, userids in by_corp.items()
        for one in accounts(WECOM, corp, sorted(userids))
    }


def event_of(notice: Notice, way: str | None, staff: Staff, *, synthetic: bool) -> Event | None:
    """The event of a notice that concerns friendship, by that way; None for all others.

    The member is named as the directory writes it, since the platform ignores the case of member ids. Without a time
    of the platform's, it happened now.
    """
    kind = notice.event_type
    if kind is None:
        return None
    found = staff.get((notice.corp, notice.get("UserID").casefold()))
    return Event(
        EventId(notice.event_id),
        kind,
        notice.occurred_at or business_now(),
        (IdentifierValue("external_userid", notice.corp, notice.get("ExternalUserID")[:256]),),
        store=found.store_code if found else None,
        staff=found.userid if found else notice.get("UserID")[:64],
        source=f"way:{way}" if way else "",
        channel=WECOM,
        props=_lost(notice) if kind == "relation.lost" else _door(notice, way, synthetic),
    )


def _lost(notice: Notice) -> Mapping[str, object]:
    transferred = notice.get("Source") == "DELETE_BY_TRANSFER"
    return {"by": "transfer" if transferred else _LOST_BY[notice.get("ChangeType")]}


def _door(notice: Notice, way: str | None, synthetic: bool) -> Mapping[str, object]:
    said = {"way": way, "state": notice.get("State")[:64], "welcome_code": notice.get("WelcomeCode")[:512]}
    return {name: value for name, value in said.items() if value} | ({"synthetic": True} if synthetic else {})


def forget_old_callbacks() -> int:
    """Delete the raw bodies kept longer than `KEPT`; returns how many."""
    return Callback.objects.filter(received_at__lt=wall_now() - KEPT).delete()[0]


def forget_callbacks_of(ids: Iterable[str], after: int, limit: int = 1000) -> int | None:
    """Delete those of the next kept bodies that name one of these ids at the platform; returns the last one looked at,
    None when there are no more."""
    wanted = [one.encode() for one in ids]
    ring = keyring()
    last = None
    gone = []
    for last, sealed in Callback.objects.filter(pk__gt=after).order_by("pk").values_list("pk", "sealed")[:limit]:
        body = ring.decrypt_bytes(bytes(sealed), _CONTEXT)
        if any(one in body for one in wanted):
            gone.append(last)
    Callback.objects.filter(pk__in=gone).delete()
    return last
