"""What a message means: the events of the log that it says, or why it says none yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec

from yutang.intake.collect import commerce
from yutang.intake.collect.contracts import KeyFacts, Trouble
from yutang.intake.collect.messages import Message
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, IdentifierValue, Line
from yutang.log.documents import EventTypeDocument
from yutang.log.registry import registered_as
from yutang.log.vocabulary import VOCABULARY, check

OPEN_TYPES = frozenset(
    (
        "page.viewed", "screen.viewed", "product.viewed", "product.clicked", "product.added", "product.removed",
        "list.viewed", "goods.searched", "cart.viewed", "checkout.started", "group.seen", "person.seen",
        "person.linked", "consent.given", "consent.withdrawn",
    )
)  # fmt: skip
"""What an untrusted key may say without being told so: orders, tags and friendships are nothing for a web page to say.
Types that the brand registered are open too."""

PERSONAL = frozenset(("person.seen", "person.linked", "consent.given", "consent.withdrawn"))
"""What an untrusted key says by its calls only, which mark phones as unverified and consents as the web's: under the
vocabulary's own names it could join persons, and consent to anything on any channel."""

CONSENT_CHANNEL = "web"
"""A cookie banner speaks of the web only: it opens no other channel, and closes none."""

CONSENT_EVENT = "segment consent preference updated"
LEFT_OUT = frozenset(
    ("address", "age", "avatar", "company", "createdAt", "created_at", "description", "employees", "id", "industry",
     "logins", "plan", "title", "username", "website", "firstName", "lastName", "first_name", "last_name", "name",
     "phone", "email", "gender", "birthday", "unionid", "anonymousId", "userId")
)  # fmt: skip
"""Traits of Segment's spec: mapped, or left out on purpose. Any other is held, unless the brand registered it."""

LONGEST_ID = 72
_SCREENFUL = frozenset(
    ("name", "category", "path", "title", "referrer", "url", "search", "keywords", "hash", "initial_referrer")
)


class Said(msgspec.Struct, gc=False):
    """A message with what is known around it."""

    message: Message
    key: KeyFacts
    id: str
    at: datetime
    currency: str
    props: Mapping[str, Any]


def events_of(message: Message, key: KeyFacts, at: datetime, currency: str) -> list[Event] | Trouble:
    """The events that a message says, each taken by the vocabulary; or why there are none."""
    call = _CALLS.get(message.type or "")
    if call is None:
        return Trouble("call", f"没有「{message.type}」这种调用", f"there is no call “{message.type}”")
    given = message.traits if message.type in _OF_TRAITS else message.properties
    said = Said(message, key, event_id(message, key), at, currency, given or {})
    try:
        found = call(said)
        if isinstance(found, Trouble):
            return found
        for event in found:
            if not may_say(key, event.type):
                return _not_allowed(event.type)
            check(event, currency)
    except BadInput as error:
        return trouble(error)
    return found


def trouble(error: BadInput) -> Trouble:
    """What the vocabulary said of an event, without naming the event."""
    zh = error.zh.partition("的 ")[2] or error.zh
    en = error.en.partition("”, ")[2] or error.en
    return Trouble(en.partition(":")[0][:160], zh.rstrip("。")[:240], en.rstrip(".")[:240])


def event_id(message: Message, key: KeyFacts) -> str:
    """The message's id under its source: no page can take the id of a till's event. One without an id gets one made,
    so that sending it again makes another event, as Segment has it."""
    said = message.message_id or uuid4().hex
    if len(said) > LONGEST_ID:
        said = hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=24).hexdigest()
    return f"{key.source}/{said}"


def called(message: Message) -> str:
    """What a message is called where it is counted: the event of a track, else the call."""
    return str((message.event if message.type == "track" else message.type) or "?")[:120]


def _not_allowed(type_: str) -> Trouble:
    return Trouble("not_allowed", f"这把密钥不能发「{type_}」", f"this key may not send “{type_}”")


def may_say(key: KeyFacts, type_: str) -> bool:
    """Whether the key lets its bearer say events of that type."""
    if key.types:
        return type_ in key.types
    return key.trusted or type_ in OPEN_TYPES or type_ not in VOCABULARY.built_in


def _who(said: Said) -> tuple[IdentifierValue, ...]:
    """A userId is a member number where the key says so, else a device's word; an anonymousId is a device."""
    message, key = said.message, said.key
    found = []
    if message.user_id is not None and message.user_id != "":
        found.append(_user(said, message.user_id))
    if message.anonymous_id is not None and message.anonymous_id != "":
        found.append(IdentifierValue("device", key.source, str(message.anonymous_id)))
    return tuple(found)


def _user(said: Said, user: str | int) -> IdentifierValue:
    if said.key.trusted or said.key.members:
        return IdentifierValue("member", said.key.source, str(user))
    return IdentifierValue("device", said.key.source, f"user:{user}")


def _event(
    said: Said,
    type_: str,
    props: dict[str, Any],
    *,
    who: tuple[IdentifierValue, ...] | None = None,
    suffix: str = "",
    amount: Decimal | None = None,
    lines: tuple[Line, ...] = (),
    currency: str | None = None,
) -> Event:
    return Event(
        id=EventId(said.id + suffix),
        type=type_,
        occurred_at=said.at,
        identifiers=_who(said) if who is None else who,
        source=said.key.source,
        amount=amount,
        currency=currency,
        props=props,
        lines=lines,
        store=_code(said.props.get("store")),
        staff=_code(said.props.get("staff")),
    )


def _code(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 64 else None


# Calls ------------------------------------------------------------------------------------------------------------


def _identify(said: Said) -> list[Event] | Trouble:
    given, trusted = said.props, said.key.trusted
    props: dict[str, Any] = {name: value for name, value in given.items() if name not in LEFT_OUT and value is not None}
    name = _name(given)
    if name:
        props["name"] = name
    who = list(_who(said))
    for kind in ("phone", "email"):
        if given.get(kind) not in (None, ""):
            value = commerce.said(given[kind], kind)
            props[kind if trusted else f"claimed_{kind}"] = value
            if trusted:
                who.append(IdentifierValue(kind, "", value))
    for kind in ("gender", "birthday"):
        if given.get(kind) is not None:
            props[kind] = commerce.said(given[kind], kind)
    if trusted and given.get("unionid"):
        who.append(IdentifierValue("unionid", "", commerce.said(given["unionid"], "unionid")))
    return [_event(said, "person.seen", props, who=tuple(who)), *_consents(said)]


def _name(given: Mapping[str, Any]) -> str:
    """The whole name; a Chinese one has its family name first and no space."""
    if given.get("name") is not None:
        return commerce.said(given["name"], "name")
    first = given.get("firstName") or given.get("first_name") or ""
    last = given.get("lastName") or given.get("last_name") or ""
    first, last = commerce.said(first, "firstName"), commerce.said(last, "lastName")
    chinese = any("\u4e00" <= sign <= "\u9fff" for sign in first + last)
    return f"{last}{first}" if chinese else f"{first} {last}".strip()


def _consents(said: Said) -> list[Event]:
    """The categories of Segment's consent object, each as a word about that purpose on the web."""
    context = said.message.context
    if context is None or context.consent is None:
        return []
    preferences = context.consent.category_preferences or {}
    return [
        _event(
            said,
            "consent.given" if granted else "consent.withdrawn",
            {"purpose": purpose.strip().lower()[:24], "channel": CONSENT_CHANNEL, "proof": said.id},
            suffix=f"#{purpose.strip().lower()[:24]}",
        )
        for purpose, granted in preferences.items()
        if purpose.strip()
    ]


def _page(said: Said) -> list[Event]:
    return _viewed(said, "page.viewed")


def _screen(said: Said) -> list[Event]:
    return _viewed(said, "screen.viewed")


def _viewed(said: Said, type_: str) -> list[Event]:
    given, message = said.props, said.message
    props = {name: value for name, value in given.items() if name not in _SCREENFUL and value is not None}
    for ours, theirs in (("path", "path"), ("page_title", "title"), ("referrer", "referrer")):
        if given.get(theirs) is not None:
            props[ours] = commerce.said(given[theirs], theirs)
    for ours, value in (("name", message.name or given.get("name")), ("category", message.category)):
        if value is not None:
            props[ours] = commerce.said(value, ours)
    return [_event(said, type_, {**_visit(said), **_bare(props)})]


def _group(said: Said) -> list[Event] | Trouble:
    given = said.props
    props = {name: value for name, value in given.items() if name not in LEFT_OUT and value is not None}
    if said.message.group_id is not None:
        props["group"] = str(said.message.group_id)
    if given.get("name") is not None:
        props["name"] = commerce.said(given["name"], "name")
    return [_event(said, "group.seen", props)]


def _alias(said: Said) -> list[Event] | Trouble:
    """A trusted key's previousId may be a member's too, and then joins; any other is only a device's word."""
    message, source = said.message, said.key.source
    if message.user_id in (None, "") or message.previous_id in (None, ""):
        return Trouble("previousId", "alias 需要 userId 和 previousId", "an alias needs userId and previousId")
    before = str(message.previous_id)
    who = [_user(said, message.user_id or ""), IdentifierValue("device", source, before)]
    if said.key.trusted:
        who.insert(1, IdentifierValue("member", source, before))
    return [_event(said, "person.linked", {}, who=tuple(who))]


def _track(said: Said) -> list[Event] | Trouble:
    name = said.message.event
    if not name:
        return Trouble("event", "track 缺少 event", "a track lacks its event")
    plain = name.lower()
    if plain in commerce.GOODS:
        return [_event(said, commerce.GOODS[plain], commerce.goods(said.props, _visit(said)))]
    if plain in commerce.LISTS:
        return [_event(said, commerce.LISTS[plain], commerce.listing(said.props, _visit(said)))]
    if plain in commerce.ORDERS:
        return [_order(said, commerce.ORDERS[plain])]
    if plain == CONSENT_EVENT:
        return _consents(said) or Trouble(
            "context.consent",
            "缺少 context.consent.categoryPreferences",
            "context.consent.categoryPreferences is missing",
        )
    if name in VOCABULARY.built_in:
        return _not_allowed(name) if name in PERSONAL and not said.key.trusted else [_named(said, name)]
    document = registered_as(name)
    if document is not None:
        return [_registered(said, document)]
    return Trouble("type", "没有这种事件", "there is no such event type")


def _order(said: Said, type_: str) -> Event:
    given = said.props
    props = commerce.order(given)
    carries = VOCABULARY[type_]
    lines = commerce.lines(given) if carries.lines else ()
    amount = commerce.paid(given, lines) if carries.amount else None
    return _event(said, type_, props, amount=amount, lines=lines, currency=_currency(said, amount))


def _named(said: Said, type_: str) -> Event:
    """An event under the vocabulary's own name: its props as they are, its amount and lines by Segment's names."""
    kind, given = VOCABULARY[type_], said.props
    aside = () if kind.amount else ("amount", "total", "revenue", "value")
    beside = {"currency", "store", "staff", "products", "amount", "total", "revenue", "value"} - set(aside)
    props = {
        name: value for name, value in given.items() if value is not None and name not in beside - kind.props.keys()
    }
    lines = commerce.lines(given) if kind.lines else ()
    amount = None
    if kind.amount:
        amount = (
            commerce.money(given["amount"], "amount")
            if given.get("amount") is not None
            else commerce.paid(given, lines)
        )
    return _event(said, type_, _typed(kind.props, props), amount=amount, lines=lines, currency=_currency(said, amount))


def _registered(said: Said, document: EventTypeDocument) -> Event:
    kind, given = VOCABULARY[document.name], said.props
    amount = None
    left = {"store", "staff"}
    if document.amount is not None:
        left |= {document.amount, "currency"}
        if given.get(document.amount) is not None:
            amount = commerce.money(given[document.amount], document.amount)
    left -= kind.props.keys()
    props = {name: value for name, value in given.items() if value is not None and name not in left}
    visit = {name: value for name, value in _visit(said).items() if name in kind.props}
    return _event(
        said, document.name, {**visit, **_typed(kind.props, props)}, amount=amount, currency=_currency(said, amount)
    )


def _typed(known: Mapping[str, Any], props: dict[str, Any]) -> dict[str, Any]:
    """JSON writes whole numbers without a point, and senders write ids as numbers."""
    for name, value in props.items():
        if type(value) is int and name in known and known[name].type is not bool:
            wanted = known[name].type
            props[name] = commerce.number(value, name) if wanted is float else commerce.said(value, name)
    return props


def _currency(said: Said, amount: Decimal | None) -> str | None:
    if amount is None:
        return None
    given = said.props.get("currency")
    return commerce.said(given, "currency").upper() if given else said.currency


def _visit(said: Said) -> dict[str, Any]:
    """Where and by which campaign: from the context, without what stands behind a question mark."""
    context = said.message.context
    if context is None:
        return {}
    props: dict[str, Any] = {}
    page, campaign = context.page, context.campaign
    if page is not None:
        if page.path and isinstance(page.path, str):
            props["path"] = page.path
        if page.title and isinstance(page.title, str):
            props["page_title"] = page.title
        if page.referrer and isinstance(page.referrer, str):
            props["referrer"] = page.referrer
        _bare(props)
    if campaign:
        for name in ("source", "medium", "term", "content"):
            if isinstance(campaign.get(name), str):
                props[f"utm_{name}"] = campaign[name][:200]
        if isinstance(campaign.get("name"), str):
            props["utm_campaign"] = campaign["name"][:200]
    return props


def _bare(props: dict[str, Any]) -> dict[str, Any]:
    """Addresses without query and fragment, where names and phone numbers stand."""
    for name in ("path", "referrer"):
        value = props.get(name)
        if value is not None and ("?" in value or "#" in value):
            props[name] = value.partition("?")[0].partition("#")[0]
    return props


_Call = Callable[[Said], list[Event] | Trouble]
_CALLS: dict[str, _Call] = {
    "track": _track,
    "identify": _identify,
    "page": _page,
    "screen": _screen,
    "group": _group,
    "alias": _alias,
}
_OF_TRAITS = ("identify", "group")
