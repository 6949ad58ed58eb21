"""Naming addresses, cutting the log into parcels for them, and posting the parcels.

The log is not copied event by event: each address has a cursor over the slices that the pump has taken in, and of a
slice the events that it asked for are cut into parcels of up to PARCEL_EVENTS, in the transaction that moves the
cursor.
A parcel is claimed, posted and settled; killed in between, it is posted again with the same id: at least once, in no
promised order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal

import httpx
from django.db import connection, transaction
from django.db.models import F, Q

from yutang.channels.models import Endpoint, Parcel
from yutang.channels.webhook.contracts import (
    FIRST_WAIT,
    KEPT,
    LONGEST_WAIT,
    MOST_TRIES,
    MOST_WAITING,
    OFF_AFTER,
    OLDEST,
    PARCEL_EVENTS,
    Fresh,
    Off,
    ParcelState,
    Posted,
    Worked,
)
from yutang.channels.webhook.sending import check_url, client, new_secret, post, reachable
from yutang.intake.collect.held import any_of, stands_in
from yutang.intake.lease import lives, me
from yutang.intake.telling import Told, last_slice, slices_after, told
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.failpoints import failpoint
from yutang.kernel.turns import my_turn
from yutang.log.vocabulary import VOCABULARY
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer

CLAIM = 16
PER_ADDRESS = 4
PARALLEL = 8
HOLD = timedelta(seconds=60)
OVERLAP = timedelta(hours=24)
"""How long the former secret signs too, after it was changed."""
SLICES = 20
PING = "yutang.ping"
_CONTEXT = "channels_parcel.sealed"
_OPEN = (ParcelState.DUE.value, ParcelState.DOING.value)

Poster = Callable[[str, str, bytes, Sequence[str]], Posted]


# Naming -----------------------------------------------------------------------------------------------------------


def add_endpoint(viewer: Viewer, name: str, url: str, types: Sequence[str], *, private: bool = False) -> Fresh:
    """Post events of these types there from now on. The secret is shown once. Raises BadInput and Refused."""
    _headquarters(viewer)
    name, url, types = name.strip(), url.strip(), list(dict.fromkeys(types))
    if not name or len(name) > 80:
        raise BadInput("请给这个地址起个名字，至多 80 个字。", "Give the address a name of at most 80 characters.")
    if not types:
        raise BadInput("至少选一种事件。", "Choose at least one type of event.")
    for type_ in types:
        if type_ not in VOCABULARY:
            raise BadInput(f"没有「{type_}」这种事件。", f"There is no event type “{type_}”.")
    reachable(check_url(url))
    with transaction.atomic():
        if Endpoint.objects.filter(name=name).exists():
            raise BadInput(f"「{name}」已存在，请换一个名字。", f"There is a “{name}”; choose another name.")
        row = Endpoint.objects.create(
            name=name, url=url, types=types, private=private, secret=new_secret(), cursor=last_slice()
        )
        organisation.audit(viewer, "add_endpoint", name, types=types, private=private)
    return Fresh(name, row.secret or "")


def renew_secret(viewer: Viewer, name: str) -> Fresh:
    """Another secret; the former one signs beside it for a day, so that the other side may change in peace."""
    _headquarters(viewer)
    with transaction.atomic():
        row = _row(name, lock=True)
        row.former, row.former_until, row.secret = row.secret, wall_now() + OVERLAP, new_secret()
        row.save(update_fields=["former", "former_until", "secret"])
        organisation.audit(viewer, "renew_endpoint", name)
    return Fresh(name, row.secret or "")


def switch(viewer: Viewer, name: str, *, on: bool) -> None:
    """Switch an address off, or on again: it goes on where it stood, and gets what came meanwhile."""
    _headquarters(viewer)
    with transaction.atomic():
        row = _row(name, lock=True)
        row.off = "" if on else Off.BY_HAND.value
        row.failures, row.failing_since, row.paused_until = 0, None, None
        row.save(update_fields=["off", "failures", "failing_since", "paused_until"])
        organisation.audit(viewer, "switch_endpoint", name, on=on)


def drop_endpoint(viewer: Viewer, name: str) -> None:
    """Forget an address and what waits for it."""
    _headquarters(viewer)
    with transaction.atomic():
        _row(name, lock=True).delete()
        organisation.audit(viewer, "drop_endpoint", name)


def ping(viewer: Viewer, name: str) -> Posted:
    """Post a test, signed as all else is, and say what was answered. It is tried once and kept nowhere."""
    _headquarters(viewer)
    row = _row(name)
    now = wall_now()
    said = {"type": PING, "timestamp": now.isoformat(), "data": {"name": row.name}}
    with client() as through:
        uid = f"ping_{row.pk}_{int(now.timestamp())}"
        return post(through, row.url or "", uid, json.dumps(said).encode(), _secrets(row, now), now)


def redeliver(viewer: Viewer, name: str, parcel: int | None = None) -> int:
    """Let dead parcels (or one of them) be posted again, with the ids that they had; returns how many."""
    _headquarters(viewer)
    with transaction.atomic():
        dead = Parcel.objects.filter(endpoint=_row(name), state=ParcelState.DEAD.value)
        dead = dead if parcel is None else dead.filter(pk=parcel)
        count = dead.update(state=ParcelState.DUE.value, tries=0, not_before=None, made_at=wall_now(), settled_at=None)
        organisation.audit(viewer, "redeliver", name, parcels=count)
    return count


def _headquarters(viewer: Viewer) -> None:
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused(
            "事件投递到外部涉及整个品牌，请找总部运营。", "Events of the whole brand leave by it; ask headquarters."
        )


def _row(name: str, *, lock: bool = False) -> Endpoint:
    rows = Endpoint.objects.select_for_update() if lock else Endpoint.objects
    row = rows.filter(name=name).first()
    if row is None:
        raise NotFound(f"没有名为「{name[:80]}」的投递地址。", f"There is no address named “{name[:80]}”.")
    return row


def _secrets(row: Endpoint, now: datetime) -> list[str]:
    both = [row.secret or ""]
    if row.former and row.former_until and row.former_until > now:
        both.append(row.former)
    return both


# Cutting ----------------------------------------------------------------------------------------------------------


def cut(limit: int = SLICES) -> int:
    """Cut what the pump has taken in since into parcels; returns how many. Any number of workers may: of one slice and
    address one makes the parcels."""
    made = 0
    for row in Endpoint.objects.filter(off="").order_by("pk"):
        if Parcel.objects.filter(endpoint=row, state__in=_OPEN).count() >= MOST_WAITING:
            continue
        for slice in slices_after(row.cursor, limit):
            parcels = _parcels(row, slice)
            failpoint("parcel.before_cut")
            with my_turn(), transaction.atomic():
                if not Endpoint.objects.filter(pk=row.pk, cursor=row.cursor).update(cursor=slice):
                    break  # another was first
                Parcel.objects.bulk_create(parcels)
            failpoint("parcel.cut")
            row.cursor = slice
            made += len(parcels)
    return made


def _parcels(row: Endpoint, slice: int) -> list[Parcel]:
    events = told(slice, row.types)
    parts = [events[start : start + PARCEL_EVENTS] for start in range(0, len(events), PARCEL_EVENTS)]
    return [
        Parcel(
            endpoint=row,
            slice=slice,
            ordinal=ordinal,
            uid=f"msg_{row.pk}_{slice}_{ordinal}",
            events=len(part),
            sealed=keyring().encrypt_bytes(_body(part, private=row.private), _CONTEXT),
        )
        for ordinal, part in enumerate(parts)
    ]


def _body(events: Sequence[Told], *, private: bool) -> bytes:
    said = {
        "type": "yutang.events",
        "timestamp": events[-1].received_at.isoformat(),
        "data": {"events": [_shown(event, private=private) for event in events]},
    }
    return json.dumps(said, ensure_ascii=False, default=_plain, separators=(",", ":")).encode()


def _shown(event: Told, *, private: bool) -> dict[str, object]:
    """An event as it is posted. Identifiers and what else is personal only to who may have it; a person's number says
    nothing to anybody else."""
    shown: dict[str, object] = {
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "person": event.person,
        "store": event.store,
        "staff": event.staff,
        "source": event.source,
        "plan": event.plan,
        "channel": event.channel,
        "amount": event.amount,
        "currency": event.currency,
        "props": {**event.props, **(event.private if private else {})},
        "lines": event.lines,
    }
    if private:
        shown["identifiers"] = [
            {"kind": one.kind, "namespace": one.namespace, "value": one.value} for one in event.identifiers
        ]
    return {name: value for name, value in shown.items() if value not in (None, (), {})}


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, Decimal)
    return str(value)


# Posting ----------------------------------------------------------------------------------------------------------


def work(poster: Poster | None = None) -> Worked:
    """Cut, then claim what is due, post it and settle it. Any number of workers may do so at once."""
    made = cut()
    if not Parcel.objects.filter(state__in=_OPEN).exists():
        return Worked(made)
    holder = me()
    _give_up_claims()
    claimed = _claim(holder)
    if not claimed:
        return Worked(made)
    failpoint("parcel.claimed")
    now = wall_now()
    keys = {row.pk: _secrets(row, now) for row in {one.endpoint for one in claimed}}
    if poster is not None:
        answers = [_post_one(one, keys, poster) for one in claimed]
    else:
        with client() as through, ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(lambda one: _post_one(one, keys, _through(through)), claimed))
    failpoint("parcel.answered")
    for one, answer in zip(claimed, answers, strict=True):
        _settle(one, answer, holder)
    sent = sum(answer.taken for answer in answers)
    return Worked(made, sent, len(answers) - sent)


def _through(through: httpx.Client) -> Poster:
    return lambda url, id, body, keys: post(through, url, id, body, keys, wall_now())


def _post_one(parcel: Parcel, keys: dict[int, list[str]], poster: Poster) -> Posted:
    body = keyring().decrypt_bytes(bytes(parcel.sealed or b""), _CONTEXT)
    return poster(parcel.endpoint.url or "", parcel.uid, body, keys[parcel.endpoint_id])


def _give_up_claims() -> None:
    """Claims that are held for too long, or by the dead, are given up: what they hold is posted again."""
    doing = Parcel.objects.filter(state=ParcelState.DOING.value)
    for claimed_by in doing.values_list("claimed_by", flat=True).distinct():
        if not lives(claimed_by):
            doing.filter(claimed_by=claimed_by).update(state=ParcelState.DUE.value)
    doing.filter(claim_until__lt=wall_now()).update(state=ParcelState.DUE.value)


def _claim(holder: str) -> list[Parcel]:
    """A few parcels of each address that is on and not paused, the oldest first; so that no address keeps others
    waiting."""
    now = wall_now()
    ready = Endpoint.objects.filter(Q(paused_until=None) | Q(paused_until__lte=now), off="")
    chosen: list[int] = []
    with my_turn(), transaction.atomic():
        for endpoint in ready.order_by(F("last_ok_at").asc(nulls_first=True), "pk").values_list("pk", flat=True):
            due = Parcel.objects.filter(
                Q(not_before=None) | Q(not_before__lte=now), endpoint=endpoint, state=ParcelState.DUE.value
            ).order_by("pk")
            if connection.features.has_select_for_update_skip_locked:
                due = due.select_for_update(skip_locked=True)
            chosen += due.values_list("pk", flat=True)[: min(PER_ADDRESS, CLAIM - len(chosen))]
            if len(chosen) >= CLAIM:
                break
        if not chosen:
            return []
        Parcel.objects.filter(pk__in=chosen, state=ParcelState.DUE.value).update(
            state=ParcelState.DOING.value, claimed_by=holder, claim_until=now + HOLD, tries=F("tries") + 1
        )
        mine = Parcel.objects.filter(pk__in=chosen, state=ParcelState.DOING.value, claimed_by=holder)
        return list(mine.select_related("endpoint").order_by("pk"))


def _settle(parcel: Parcel, answer: Posted, holder: str) -> None:
    now = wall_now()
    mine = Parcel.objects.filter(pk=parcel.pk, state=ParcelState.DOING.value, claimed_by=holder)
    said = {"status": answer.status, "reason": answer.reason[:160]}
    with my_turn(), transaction.atomic():
        if answer.taken:
            mine.update(state=ParcelState.SENT.value, settled_at=now, sealed=None, **said)
            Endpoint.objects.filter(pk=parcel.endpoint_id).update(
                last_ok_at=now, failures=0, failing_since=None, paused_until=None
            )
            return
        dead = parcel.tries >= MOST_TRIES or now - parcel.made_at >= OLDEST
        wait = answer.wait if answer.wait is not None else _backoff(parcel.tries)
        mine.update(
            state=(ParcelState.DEAD if dead else ParcelState.DUE).value,
            settled_at=now if dead else None,
            not_before=now + timedelta(seconds=wait),
            **said,
        )
        _note_failure(parcel.endpoint_id, answer, now)


def _backoff(tries: int) -> float:
    """Seconds: 5, 20, 80 … up to six hours, a random half of it taken off, so that not all come back at once."""
    return min(FIRST_WAIT * 4.0 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def _note_failure(endpoint: int, answer: Posted, now: datetime) -> None:
    """Leave the address alone for a while; switch it off where it says that it is gone, or took nothing for days."""
    row = Endpoint.objects.select_for_update().filter(pk=endpoint).first()
    if row is None:
        return
    row.failures += 1
    row.failing_since = row.failing_since or now
    pause = answer.wait if answer.wait is not None else min(2.0 ** min(row.failures, 8), 300.0)
    row.paused_until = now + timedelta(seconds=pause)
    if not row.off and answer.status == 410:
        row.off = Off.GONE.value
    elif not row.off and now - row.failing_since >= OFF_AFTER:
        row.off = Off.FAILING.value
    row.save(update_fields=["failures", "failing_since", "paused_until", "off"])


def forget_old_parcels() -> int:
    """Forget what was settled long ago, dead ones too; returns how many."""
    return Parcel.objects.filter(settled_at__lt=wall_now() - KEPT).delete()[0]


def forget_parcels_with(words: Sequence[str], after: int, limit: int = 500) -> int | None:
    """Take the events in which one of these words stands out of the next parcels that wait or are dead; returns the
    last one looked at, None when there are no more. What was taken is no longer here."""
    last = None
    wanted = any_of(words)
    for row in Parcel.objects.filter(pk__gt=after).exclude(sealed=None).order_by("pk")[:limit]:
        last = row.pk
        body = json.loads(keyring().decrypt_bytes(bytes(row.sealed), _CONTEXT))
        events = body["data"]["events"]
        kept = [one for one in events if not stands_in(wanted, json.dumps(one, ensure_ascii=False))]
        mine = Parcel.objects.filter(pk=row.pk).exclude(sealed=None)  # it may have been taken meanwhile
        if not kept:
            mine.delete()
        elif len(kept) < len(events):
            body["data"]["events"] = kept
            sealed = keyring().encrypt_bytes(json.dumps(body, ensure_ascii=False).encode(), _CONTEXT)
            mine.update(sealed=sealed, events=len(kept))
    return last
