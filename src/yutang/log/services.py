"""The one way into the log, and the pump's way out of its inbox."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from django.db import connection, transaction

from yutang.kernel.encryption import keyring
from yutang.log.contracts import Envelope, Event
from yutang.log.models import InboxEnvelope
from yutang.log.vocabulary import check
from yutang.organisation.queries import brand_currency

ENVELOPE_LIMIT = 1000
_CONTEXT = "inbox.envelope"
_DECODER = msgspec.json.Decoder(list[Event])


def record(events: Sequence[Event]) -> int:
    """Write events into the inbox, in the caller's transaction; returns how many.

    They are durable when that transaction is. Raises BadInput for the first event that the vocabulary refuses, and
    then nothing is written.
    """
    currency = brand_currency()
    for event in events:
        check(event, currency)
    parts = (list(events[start : start + ENVELOPE_LIMIT]) for start in range(0, len(events), ENVELOPE_LIMIT))
    InboxEnvelope.objects.bulk_create(InboxEnvelope(sealed=seal(part), events=len(part)) for part in parts)
    return len(events)


def seal(events: Sequence[Event]) -> bytes:
    """Events as the bytes of an envelope: JSON, encrypted."""
    return keyring().encrypt(msgspec.json.encode(events).decode(), _CONTEXT)


def unseal(sealed: bytes) -> list[Event]:
    """The events of an envelope."""
    return _DECODER.decode(keyring().decrypt(sealed, _CONTEXT))


def claim(slice_id: int, events: int) -> int:
    """Give waiting envelopes of about so many events (at least one envelope) to a slice; returns how many envelopes.

    Membership is stored, and in the caller's transaction: a replay of the slice finds the same envelopes.
    """
    chosen: list[int] = []
    for envelope, size in _waiting(events):
        if chosen and size > events:
            break
        chosen.append(envelope)
        events -= size
    return InboxEnvelope.objects.filter(pk__in=chosen, slice=None).update(slice=slice_id)


def _waiting(limit: int) -> Iterable[tuple[int, int]]:
    rows = InboxEnvelope.objects.filter(slice=None, done=False).order_by("pk")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    return list(rows.values_list("pk", "events")[: max(limit, 1)])


def envelopes(slice_id: int) -> list[Envelope]:
    """What a slice holds, by arrival."""
    rows = InboxEnvelope.objects.filter(slice=slice_id).order_by("pk").values_list("received_at", "sealed")
    return [Envelope(received_at, tuple(unseal(bytes(sealed)))) for received_at, sealed in rows.iterator()]


def finish(slice_id: int) -> None:
    """Note that a slice's envelopes stand in the warehouse. They are kept until they are backed up."""
    with transaction.atomic():
        InboxEnvelope.objects.filter(slice=slice_id).update(done=True)
