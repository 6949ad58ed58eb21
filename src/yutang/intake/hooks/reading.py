"""A delivery as events that the log takes, or why it is none yet; at the door, and again when it is replayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from yutang.documents.queries import document_named
from yutang.intake.collect.contracts import Trouble
from yutang.intake.collect.mapping import trouble
from yutang.intake.collect.messages import UNREADABLE
from yutang.intake.collect.reading import Kept
from yutang.intake.hooks.contracts import Delivery, Outcome
from yutang.intake.hooks.documents import WebhookDocument
from yutang.intake.hooks.mapping import Made, Stuck, arrived, events_of
from yutang.intake.models import HookDelivery
from yutang.intake.turned_away import hidden_order, nobodys_event
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound, Unavailable
from yutang.kernel.ids import PersonId
from yutang.log.contracts import Event
from yutang.log.vocabulary import VOCABULARY, check
from yutang.organisation.queries import brand
from yutang.people import shunned
from yutang.warehouse.contracts import named
from yutang.warehouse.current import current_warehouse

CALL = "webhook"
"""The call of a held message that is a delivery: what it holds is kept with the delivery, once."""
ORDER_UNKNOWN = "order_unknown"
_CONTEXT = "intake_hookdelivery.sealed"
_SOMEBODY = PersonId(1)
"""Stands for an erased person while an event of their order is checked; nobody's once it is."""

__all__ = ["Made"]


class _Sealed(msgspec.Struct):
    """A delivery with its id, as it is sealed."""

    id: str
    body: bytes
    headers: dict[str, str]
    query: dict[str, str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Sealed).decode


def seal(delivery: Delivery, id: str) -> bytes:
    """The delivery as it is kept."""
    plain = _encode(_Sealed(id, delivery.body, dict(delivery.headers), dict(delivery.query)))
    return keyring().encrypt_bytes(plain, _CONTEXT)


def _unseal(row: HookDelivery) -> tuple[str, Delivery]:
    kept = _decode(keyring().decrypt_bytes(bytes(row.sealed), _CONTEXT))
    return kept.id, Delivery(kept.body, kept.headers, kept.query)


def texts_of(sealed: bytes) -> Iterator[str]:
    """Whatever a kept delivery says, as texts to be searched."""
    kept = _decode(keyring().decrypt_bytes(sealed, _CONTEXT))
    yield kept.id
    yield kept.body.decode(errors="replace")
    yield from (*kept.headers.values(), *kept.query.values())


def read(document: WebhookDocument, delivery: Delivery, id: str, received_at: datetime) -> Made | Trouble:
    """The events of a delivery, each taken by the vocabulary; none where it is ignored; or why there are none yet."""
    facts = brand()
    try:
        made = events_of(document, delivery, id, received_at, facts.currency, facts.zone)
        for events in (made.events, made.unsure):
            persons, erased = _of_whom(events)
            for place, event in enumerate(events):
                if not _names_nobody(event):
                    check(event, facts.currency)
                    continue
                order = str(event.props.get("order_id"))
                if order not in persons and order not in erased:
                    return Trouble(
                        ORDER_UNKNOWN,
                        "没有说是哪位客户，这张订单也还没有见过",
                        "it names nobody, and its order is not known yet",
                    )
                events[place] = msgspec.structs.replace(event, person=persons.get(order, _SOMEBODY))
                check(events[place], facts.currency)
                if order not in persons:
                    events[place] = nobodys_event(event)
    except Stuck as stuck:
        return stuck.trouble
    except BadInput as error:
        return trouble(error)
    return made


def _names_nobody(event: Event) -> bool:
    kind = VOCABULARY.get(event.type)
    return kind is not None and kind.order and not event.identifiers and event.person is None


def _of_whom(events: Sequence[Event]) -> tuple[dict[str, PersonId], set[str]]:
    """Of the orders whose events name nobody: of whom each was told before, and which were an erased person's."""
    nameless = sorted({str(one.props.get("order_id")) for one in events if _names_nobody(one)})
    if not nameless:
        return {}, set()
    source = events[0].source
    hidden = {hidden_order(source, order): order for order in nameless} if shunned.anybody() else {}
    try:
        persons = {
            order: PersonId(person)
            for order, person in _orders("intake/hooks/order_persons", source, nameless)
            if person is not None
        }
        erased = {hidden[order] for order, _ in _orders("intake/hooks/hidden_orders", source, list(hidden))}
    except Unavailable:
        return {}, set()
    return persons, erased - persons.keys()


def _orders(name: str, source: str, numbers: Sequence[str]) -> list[tuple[str, int | None]]:
    if not numbers:
        return []
    wanted = pa.table({"source": [source] * len(numbers), "order_id": pa.array(numbers, pa.string())})
    found = current_warehouse().query(named(name, tables={"wanted": wanted}))
    return [(row["order_id"], row["person"]) for row in found.to_pylist()]


def is_ours(kept: Kept) -> bool:
    """Whether a held message is a webhook's delivery."""
    return kept.call == CALL


def content(mark: bytes) -> dict[str, Any]:
    """What a kept delivery says, taken apart; empty where it cannot be, or is gone."""
    row = HookDelivery.objects.filter(mark=mark).select_related("hook").first()
    if row is None:
        return {}
    try:
        _, delivery = _unseal(row)
        body = arrived(document_named(WebhookDocument, row.hook.name), delivery).body
    except (Stuck, NotFound, *UNREADABLE):
        return {}
    return body if isinstance(body, dict) else {"$": body}


def leaves(value: Any, path: str = "$", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every plain value of a body with its place; of a list the first item only."""
    if isinstance(value, dict) and depth < 8:
        for name, inside in value.items():
            yield from leaves(inside, f"{path}.{name}"[:120], depth + 1)
    elif isinstance(value, list) and value and depth < 8:
        yield from leaves(value[0], f"{path}[0]", depth + 1)
    else:
        yield path, value


class Again:
    """Deliveries read once more, with the documents as they are now; a part of them at a time."""

    def __init__(self, marks: Sequence[bytes]) -> None:
        rows = HookDelivery.objects.filter(mark__in=list(marks)).select_related("hook") if marks else ()
        self._rows = {bytes(row.mark): row for row in rows}
        self._documents: dict[str, WebhookDocument | None] = {}

    def read(self, mark: bytes) -> Made | Trouble:
        """The events of the delivery of that mark, or why there are none."""
        row = self._rows.get(mark)
        document = self._document(row.hook.name) if row is not None else None
        if row is None or document is None:
            return Trouble("gone", "推送的原文或它的文档已不在", "the delivery or its document is gone")
        id, delivery = _unseal(row)
        return read(document, delivery, id, row.received_at)

    def _document(self, name: str) -> WebhookDocument | None:
        if name not in self._documents:
            try:
                self._documents[name] = document_named(WebhookDocument, name)
            except NotFound:
                self._documents[name] = None
        return self._documents[name]


def note_recorded(told: Mapping[bytes, int]) -> None:
    """Note with each delivery, by its mark, how many events it became."""
    for mark, count in told.items():
        outcome = Outcome.RECORDED if count else Outcome.IGNORED
        HookDelivery.objects.filter(mark=mark).update(outcome=outcome.value, events=count)
