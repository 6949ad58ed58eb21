"""The one way into the log, and the pump's way out of its inbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.db import connection, transaction
from django.db.models import Max, Min

from yutang.kernel.clock import wall_now
from yutang.kernel.database import alone_with
from yutang.kernel.encryption import keyring
from yutang.log import envelopes as form
from yutang.log.arrivals import announce, wanted
from yutang.log.contracts import Envelope, Event, EventColumns
from yutang.log.envelopes import Row
from yutang.log.models import InboxEnvelope
from yutang.log.vocabulary import check
from yutang.organisation.queries import brand_currency

ENVELOPE_LIMIT = 5000
_CONTEXT = "inbox.envelope"
_INSERT = "INSERT INTO log_inboxenvelope (received_at, sealed, events, done) VALUES (%s, %s, %s, false)"
_STATEMENT = 10_000  # ids in one IN list; SQLite takes 32,766 parameters by default


def record(events: Sequence[Event], *, history: bool = False) -> int:
    """Write events into the inbox, in the caller's transaction; returns how many.

    They are durable when that transaction is. `history`: they are long past, and nobody is told of them as they arrive.
    Raises BadInput for the first event that the vocabulary refuses, and then nothing is written.
    """
    currency = brand_currency()
    for event in events:
        check(event, currency)
    return record_rows([form.row_of(event) for event in events], history=history)


def record_rows(rows: Sequence[Row], *, history: bool = False) -> int:
    """As `record`, for rows of events that `vocabulary.check` has taken already, or would: whoever takes them in by the
    thousand checks each where it can name it to its sender."""
    received_at, ring = connection.ops.adapt_datetimefield_value(wall_now()), keyring()
    parts = [rows[start : start + ENVELOPE_LIMIT] for start in range(0, len(rows), ENVELOPE_LIMIT)]
    with transaction.atomic(savepoint=False):
        with connection.cursor() as cursor:
            cursor.executemany(
                _INSERT, [(received_at, ring.encrypt_bytes(form.pack(part), _CONTEXT), len(part)) for part in parts]
            )
        told = frozenset() if history else wanted()
        if told:
            announce([form.event_of(row) for row in rows if row[form.TYPE] in told])
    return len(rows)


def seal(events: Sequence[Event]) -> bytes:
    """Checked events as the bytes of an envelope: columns, encrypted."""
    return keyring().encrypt_bytes(form.pack([form.row_of(event) for event in events]), _CONTEXT)


def unseal(sealed: bytes) -> list[Event]:
    """The events of an envelope."""
    return form.unpack(keyring().decrypt_bytes(sealed, _CONTEXT))


def columns(envelopes: Iterable[Envelope]) -> EventColumns:
    """The events of envelopes as columns: what the pump takes in."""
    ring = keyring()
    return form.columns((one.received_at, ring.decrypt_bytes(one.sealed, _CONTEXT)) for one in envelopes)


def hold_inbox() -> None:
    """Let nothing arrive until the caller's transaction ends; what is arriving is waited for."""
    alone_with(InboxEnvelope)


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
    claimed = 0
    with connection.cursor() as cursor:  # not the ORM's `__in`: it makes an expression of every number
        for start in range(0, len(chosen), _STATEMENT):
            part = chosen[start : start + _STATEMENT]
            marks = ", ".join(["%s"] * len(part))
            text = f"UPDATE log_inboxenvelope SET slice = %s WHERE slice IS NULL AND id IN ({marks})"  # noqa: S608
            cursor.execute(text, [slice_id, *part])
            claimed += cursor.rowcount
    return claimed


def _waiting(limit: int) -> Iterable[tuple[int, int]]:
    rows = InboxEnvelope.objects.filter(slice=None, done=False).order_by("pk")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    return list(rows.values_list("pk", "events")[: max(limit, 1)])


def envelopes(slice_id: int) -> list[Envelope]:
    """What a slice holds, by arrival."""
    rows = InboxEnvelope.objects.filter(slice=slice_id).order_by("pk").values_list("received_at", "sealed")
    return [Envelope(received_at, bytes(sealed)) for received_at, sealed in rows.iterator()]


Whom = Callable[[set[str], set[int], list[str]], bool]


def rewrite(after: int, upto: int, limit: int, concerns: Whom, kept: Callable[[Event], Event | None]) -> int | None:
    """Seal anew, in the caller's transaction, those of the next `limit` envelopes (numbers above `after`, up to `upto`)
    that `concerns` says yes to (asked with what `envelopes.whom` tells), with what `kept` leaves of each event.

    Returns the last envelope looked at; None when there are no more. This is the only change that the log allows: it is
    how a person's right to be forgotten is honoured.
    """
    ring = keyring()
    rows = InboxEnvelope.objects.filter(pk__gt=after, pk__lte=upto).order_by("pk").values_list("pk", "sealed")[:limit]
    last = None
    for last, sealed in list(rows):
        packed = ring.decrypt_bytes(bytes(sealed), _CONTEXT)
        if concerns(*form.whom(packed)):
            rest = [event for event in map(kept, form.unpack(packed)) if event is not None]
            InboxEnvelope.objects.filter(pk=last).update(sealed=seal(rest), events=len(rest))
    return last


def span_of(slice_id: int) -> tuple[int, int]:
    """The first and the last envelope of a slice."""
    found = InboxEnvelope.objects.filter(slice=slice_id).aggregate(first=Min("pk"), last=Max("pk"))
    return found["first"] or 1, found["last"] or 0


def finish(slice_id: int) -> None:
    """Note that a slice's envelopes stand in the warehouse. They are kept until they are backed up."""
    with transaction.atomic():
        InboxEnvelope.objects.filter(slice=slice_id).update(done=True)
