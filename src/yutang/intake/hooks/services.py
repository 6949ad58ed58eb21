"""Opening and closing addresses for platforms, and taking in what they push."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import F

from yutang.documents.contracts import StoredDocument
from yutang.documents.queries import document_named
from yutang.documents.services import save_document
from yutang.intake.collect.contracts import Held, Trouble
from yutang.intake.collect.held import any_of, harmless, headquarters, hold, replay, settled, stands_in
from yutang.intake.collect.reading import Kept
from yutang.intake.hooks.contracts import KEPT_DAYS, KEPT_PER_HOOK, Delivery, Opened, Outcome
from yutang.intake.hooks.documents import WebhookDocument
from yutang.intake.hooks.mapping import Made, called, delivery_id
from yutang.intake.hooks.reading import CALL, ORDER_UNKNOWN, read, seal, texts_of
from yutang.intake.hooks.verify import BadSignature, check
from yutang.intake.models import HeldMessage, Hook, HookDelivery, WriteKey
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.failpoints import failpoint
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event
from yutang.log.envelopes import Row, row_of
from yutang.log.services import record_rows
from yutang.log.vocabulary import VOCABULARY
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER

_PLACE = "hook.place"
_REFUSALS = 10.0  # wall seconds between two notes of refusals: anybody may cause them
RETRIED = timedelta(days=3)
_refusals: dict[int, tuple[float, int]] = {}


@dataclass(frozen=True, slots=True)
class Taken:
    """What the platform is to be told, and what came of its delivery."""

    answer: str
    outcome: Outcome
    repeated: bool = False


# Opening ----------------------------------------------------------------------------------------------------------


def keep_webhook(document: WebhookDocument, viewer: Viewer, *, base: int | None = None) -> StoredDocument:
    """Keep a webhook document as the next version of its name. Raises BadInput for a type of event that is not there,
    and Refused for whoever does not run the whole brand."""
    headquarters(viewer)
    for number, rule in enumerate(document.events):
        said = [rule.type.value] if rule.type.value is not None else [*(rule.type.map or {}).values()]
        for type_ in [*said, *([rule.type.otherwise] if rule.type.otherwise else [])]:
            if type_ and str(type_) not in VOCABULARY:
                raise BadInput(
                    f"events.{number}.type：没有「{type_}」这种事件。",
                    f"events.{number}.type: there is no event type “{type_}”.",
                )
    stored = save_document(document, viewer.name, base=base)
    organisation.audit(viewer, "keep", f"webhook {document.name}", version=stored.version)
    return stored


def open_hook(name: str, viewer: Viewer, *, secret: str = "", client: str = "") -> Opened:
    """Open the address of a webhook document. `secret` is what the platform signs with; left out, one is made.

    Raises NotFound without such a document, BadInput where its address is open already.
    """
    headquarters(viewer)
    document = document_named(WebhookDocument, name)
    secret = _given(secret) or secrets.token_urlsafe(24)
    place = secrets.token_urlsafe(18) if document.verify.by == "address" else ""
    with transaction.atomic():
        if Hook.objects.filter(name=name).exists():
            raise BadInput(f"「{name}」的地址已经开着。", f"The address of “{name}” is open already.")
        key = WriteKey.objects.create(
            name=document.title.zh[:80], digest=secrets.token_bytes(16), source=document.source, trusted=True
        )
        Hook.objects.create(name=name, key=key, secret=secret, place=_hash(place), client=client.strip()[:120])
        organisation.audit(viewer, "open_webhook", name)
    return Opened(name, path_of(name, place), "" if place else secret)


def renew_hook(name: str, viewer: Viewer, *, secret: str = "", client: str = "") -> Opened:
    """Give a webhook another secret (or another secret address); the old one is no use from now on."""
    headquarters(viewer)
    document = document_named(WebhookDocument, name)
    secret = _given(secret) or secrets.token_urlsafe(24)
    place = secrets.token_urlsafe(18) if document.verify.by == "address" else ""
    with transaction.atomic():
        row = Hook.objects.select_for_update().filter(name=name).first()
        if row is None:
            raise _no_such(name)
        row.secret, row.place, row.active = secret, _hash(place), True
        row.client = client.strip()[:120] or row.client
        row.save(update_fields=["secret", "place", "active", "client"])
        organisation.audit(viewer, "renew_webhook", name)
    return Opened(name, path_of(name, place), "" if place else secret)


def close_hook(name: str, viewer: Viewer) -> None:
    """Take nothing at that address any more. What came is kept. Raises NotFound."""
    headquarters(viewer)
    if not Hook.objects.filter(name=name, active=True).update(active=False):
        raise _no_such(name)
    organisation.audit(viewer, "close_webhook", name)


def path_of(name: str, place: str = "") -> str:
    """The path of a webhook's address."""
    return f"/hooks/{name}/{place}" if place else f"/hooks/{name}"


def _given(secret: str) -> str:
    secret = secret.strip()
    if secret and not 8 <= len(secret) <= 400:
        raise BadInput("密钥应为 8–400 个字符，请从平台后台重新复制。", "A secret has 8–400 characters; copy it again.")
    return secret


def _hash(place: str) -> bytes | None:
    return keyring().lookup_hash(_PLACE, place) if place else None


def _no_such(name: str) -> NotFound:
    return NotFound(f"没有打开名为「{name[:63]}」的推送地址。", f"There is no open webhook “{name[:63]}”.")


# Taking in --------------------------------------------------------------------------------------------------------


def challenge(name: str, place: str, query: dict[str, str]) -> str:
    """What a platform wants repeated when it checks the address. Raises NotFound."""
    _, document = _opened(name, place)
    said = query.get(document.challenge or "", "")
    return said if said.isascii() and said.isprintable() and len(said) <= 256 and "<" not in said else ""


def take(name: str, place: str, delivery: Delivery) -> Taken:
    """Take one delivery: durable, as it came and as what it means, when this returns.

    A second arrival changes nothing. What cannot be mapped is held. Raises NotFound for an address that is not open,
    BadSignature for a delivery that is not proved.
    """
    row, document = _opened(name, place)
    now = wall_now()
    try:
        check(document, delivery, row.secret or "", row.client, now)
    except BadSignature:
        _note_refusal(row.pk, now)
        raise
    id = delivery_id(document, delivery)
    mark = f"{name}/{id}"
    hashed = keyring().lookup_hash("collect.held", mark)
    if known := _repeated(hashed):
        return Taken(document.answer, known, repeated=True)
    found = read(document, delivery, id, now)
    try:
        with my_turn(), transaction.atomic():
            outcome = _keep(row, document, delivery, id, hashed, mark, found, now)
            failpoint("hook.before_commit")
    except IntegrityError:  # the same delivery arrived twice at once
        if known := _repeated(hashed):
            return Taken(document.answer, known, repeated=True)
        raise
    failpoint("hook.after_commit")
    return Taken(document.answer, outcome)


def _keep(
    row: Hook, document: WebhookDocument, delivery: Delivery, id: str, hashed: bytes, mark: str, found: Made | Trouble,
    now: datetime,
) -> Outcome:  # fmt: skip
    label = harmless(called(document, delivery))
    rows = [] if isinstance(found, Trouble) else [*map(row_of, found.events), *_settled(found.unsure)]
    outcome = Outcome.HELD if isinstance(found, Trouble) else Outcome.RECORDED if rows else Outcome.IGNORED
    HookDelivery.objects.create(
        hook=row, mark=hashed, called=label, received_at=now, outcome=outcome.value, events=len(rows),
        sealed=seal(delivery, id),
    )  # fmt: skip
    if isinstance(found, Trouble):
        sealed = msgspec.json.encode(Kept(msgspec.Raw(b"null"), CALL, now, False, id))
        hold([Held(row.key_id, id, label, mark, found, sealed)], now)
    elif rows:
        record_rows(rows)
    Hook.objects.filter(pk=row.pk).update(last_at=now)
    return outcome


def _settled(events: Sequence[Event]) -> list[Row]:
    """Events without a time of their own, each at the time that its first arrival was given."""
    return settled([row_of(event) for event in events]) if events else []


def _opened(name: str, place: str) -> tuple[Hook, WebhookDocument]:
    row = Hook.objects.filter(name=name, active=True).first()
    if row is None:
        raise _no_such(name)
    wanted, given = bytes(row.place or b""), _hash(place) or b""
    if not hmac.compare_digest(wanted, given):  # also an address that has no secret part and is given one
        raise _no_such(name)
    return row, document_named(WebhookDocument, name)


def _repeated(mark: bytes) -> Outcome | None:
    row = HookDelivery.objects.filter(mark=mark).first()
    if row is None:
        return None
    HookDelivery.objects.filter(pk=row.pk).update(repeats=F("repeats") + 1)
    return Outcome(row.outcome)


def _note_refusal(hook: int, now: datetime) -> None:
    """Count a refusal; written at most every few seconds, so that hostile calls cost no writes."""
    last, waiting = _refusals.get(hook, (float("-inf"), 0))
    if monotonic() - last < _REFUSALS:
        _refusals[hook] = (last, waiting + 1)
        return
    _refusals[hook] = (monotonic(), 0)
    Hook.objects.filter(pk=hook).update(refused=F("refused") + waiting + 1, refused_at=now)


# In the turn of the clock -----------------------------------------------------------------------------------------


def retry_unknown_orders() -> int:
    """Read once more what waited for an order that had not been told yet; returns how many deliveries are no longer
    held."""
    waiting = HeldMessage.objects.filter(problem=ORDER_UNKNOWN, received_at__gte=wall_now() - RETRIED)
    return replay(OWNER, problem=ORDER_UNKNOWN)[0] if waiting.exists() else 0


def forget_old_deliveries() -> int:
    """Let go what is past its time or its number; returns how many deliveries. Those held are let go by time only."""
    gone = HookDelivery.objects.filter(received_at__lt=wall_now() - timedelta(days=KEPT_DAYS)).delete()[0]
    for hook in Hook.objects.values_list("pk", flat=True):
        settled_rows = HookDelivery.objects.filter(hook=hook).exclude(outcome=Outcome.HELD.value)
        beyond = settled_rows.order_by("-pk").values_list("pk", flat=True)[KEPT_PER_HOOK : KEPT_PER_HOOK + 1]
        for first in list(beyond):
            gone += settled_rows.filter(pk__lte=first).delete()[0]
    return gone


def forget_deliveries_with(words: Sequence[str], after: int, limit: int = 500) -> int | None:
    """Empty those of the next deliveries in which one of these words stands; what is held of them goes. Returns the
    last one looked at, None when there are no more. They stay known, so that a second arrival is not taken for new."""
    last = None
    gone: list[bytes] = []
    wanted = any_of(words)
    rows = HookDelivery.objects.filter(pk__gt=after).order_by("pk")[:limit]
    for key, mark, sealed in rows.values_list("pk", "mark", "sealed").iterator(20):
        last = key
        if any(stands_in(wanted, text) for text in texts_of(bytes(sealed))):
            gone.append(bytes(mark))
    for at in range(0, len(gone), 100):
        part = gone[at : at + 100]
        HeldMessage.objects.filter(mark__in=part).delete()
        rows_gone = HookDelivery.objects.filter(mark__in=part)
        rows_gone.filter(outcome=Outcome.HELD.value).update(outcome=Outcome.IGNORED.value)
        rows_gone.update(called="", sealed=seal(Delivery(b""), ""))
    return last


def answer_type(answer: str) -> str:
    """The media type of an answer."""
    try:
        json.loads(answer)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json; charset=utf-8"
