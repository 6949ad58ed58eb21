"""From a delivery to events, as a document says. Pure: no clock, no database, no network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonpath
import msgspec

from yutang.intake.collect.commerce import exact
from yutang.intake.collect.contracts import Trouble
from yutang.intake.collect.messages import UNREADABLE
from yutang.intake.hooks.contracts import Delivery
from yutang.intake.hooks.documents import (
    Amount,
    Condition,
    EventRule,
    Identity,
    Lines,
    Pick,
    WebhookDocument,
    When,
    compiled,
)
from yutang.kernel.calendars import zone
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, IdentifierValue, Line, cost_of
from yutang.log.vocabulary import VOCABULARY

SPACED = ("member", "openid", "device", "external_userid")
"""Kinds of identifiers whose namespace is the source where none is said."""
MOST_EVENTS = 500
_NO_RULE = Trouble("rules", "没有一条规则适用于这次推送", "no rule fits this delivery")
_NO_BODY = Trouble("body", "正文不是文档所说的格式", "the body has not the form that the document says")
_CENT = Decimal("0.01")
_LONGEST_ID = 128
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z_ -]{0,39}")
_LATEST_SECONDS = 4_102_444_800


class Stuck(Exception):
    """A delivery that cannot be mapped, and why."""

    def __init__(self, place: str, zh: str, en: str) -> None:
        super().__init__(place)
        self.trouble = Trouble(place[:160], f"{place}：{zh}"[:240], f"{place}: {en}"[:240])


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivery taken apart. `item` is what `@` stands for."""

    body: Any
    headers: Mapping[str, str]
    query: Mapping[str, str]
    item: Any = None

    def at(self, item: Any) -> Arrived:
        """The same with another item."""
        return Arrived(self.body, self.headers, self.query, item)


@dataclass(slots=True)
class Made:
    """The events that a delivery is. `unsure` ones had no time of their own: their first arrival's counts."""

    events: list[Event] = field(default_factory=list)
    unsure: list[Event] = field(default_factory=list)


def arrived(document: WebhookDocument, delivery: Delivery) -> Arrived:
    """The delivery taken apart. Raises Stuck where its body has not the form that the document says."""
    try:
        text = delivery.body.decode()
        body: Any = dict(parse_qsl(text)) if document.body == "form" else msgspec.json.decode(text)
        for name, form in document.unpack.items():
            packed = body.get(name) if isinstance(body, dict) else None
            if isinstance(packed, str):
                body[name] = msgspec.json.decode(unquote(packed) if form == "urlencoded_json" else packed)
    except UNREADABLE:
        raise Stuck(_NO_BODY.problem, _NO_BODY.zh, _NO_BODY.en) from None
    return Arrived(body, delivery.headers, delivery.query)


def delivery_id(document: WebhookDocument, delivery: Delivery) -> str:
    """The platform's own id of a delivery, else the digest of its body. The same at every arrival."""
    if document.delivery is not None:
        try:
            found = text_of(found_by(document.delivery, arrived(document, delivery), "delivery"))
        except Stuck:
            found = None
        if found:
            return found
    return hashlib.sha256(delivery.body).hexdigest()[:32]


def called(document: WebhookDocument, delivery: Delivery) -> str:
    """The name under which a delivery is counted."""
    if document.called is not None:
        try:
            return (text_of(found_by(document.called, arrived(document, delivery), "called")) or document.name)[:120]
        except Stuck:
            return document.name
    return document.name


def events_of(
    document: WebhookDocument, delivery: Delivery, id: str, received_at: datetime, currency: str, brand_zone: str
) -> Made:
    """The events of a delivery, not yet looked at by the vocabulary; none where the document ignores it.

    Raises Stuck where one of them cannot be made: then there is none.
    """
    whole = arrived(document, delivery)
    if any(holds(one, whole, f"ignore.{n}") for n, one in enumerate(document.ignore)):
        return Made()
    made, fits = Made(), False
    for number, rule in enumerate(document.events):
        place = f"events.{number}"
        if not all(holds(one, whole, f"{place}.when.{n}") for n, one in enumerate(rule.when)):
            continue
        fits = True
        for index, item in enumerate(_items(rule.each, whole)):
            event = _event(document, rule, whole.at(item), f"{id}:{number}:{index}", received_at, currency, brand_zone,
                           place)  # fmt: skip
            if event is not None:
                (made.events if rule.occurred_at else made.unsure).append(event)
            if len(made.events) + len(made.unsure) > MOST_EVENTS:
                raise Stuck(
                    place, f"一次推送至多 {MOST_EVENTS} 个事件", f"a delivery makes at most {MOST_EVENTS} events"
                )
    if not fits:
        raise Stuck(_NO_RULE.problem, _NO_RULE.zh, _NO_RULE.en)
    return made


def _items(each: str | None, whole: Arrived) -> Sequence[Any]:
    return [None] if each is None else _all(each, whole)


def _all(path: str, whole: Arrived) -> list[Any]:
    """Everything that a path finds."""
    return found_in(whole.item if path.startswith("@") else whole.body, path)


def found_in(value: Any, path: str) -> list[Any]:
    """Everything that a path finds in a value. What is no object or list holds nothing: of a text, the library would
    read what it says as JSON."""
    if not isinstance(value, dict | list):
        return []
    try:
        return list(compiled(path).findall(value))
    except (jsonpath.JSONPathError, TypeError, RecursionError):
        return []


def found_by(pick: Pick, whole: Arrived, place: str) -> Any:
    """What a pick finds; None where it finds nothing. Raises Stuck for a value that its map does not name."""
    value = _raw(pick, whole)
    if value is not None and pick.pattern is not None and not re.fullmatch(pick.pattern, text_of(value) or ""):
        value = None
    if pick.map is None:
        return pick.otherwise if value is None else value
    said = text_of(value) if value is not None else None
    if said is not None and said in pick.map:
        return pick.map[said]
    if pick.otherwise is not None:
        return pick.otherwise
    if said is None:
        return None
    zh, en = (f"「{said}」", f"“{said}”") if _PLAIN.fullmatch(said) else ("这个值", "this value")
    raise Stuck(place, f"map 里没有{zh}", f"map does not name {en}")


def _raw(pick: Pick, whole: Arrived) -> Any:
    if pick.value is not None:
        return pick.value
    if pick.header is not None:
        return whole.headers.get(pick.header.lower()) or None
    if pick.query is not None:
        return whole.query.get(pick.query) or None
    for path in pick.paths:
        for value in _all(path, whole):
            if value is not None and value != "":
                return value
    return None


def holds(condition: Condition, whole: Arrived, place: str) -> bool:
    """Whether a condition holds."""
    value = found_by(condition, whole, place)
    if condition.absent:
        return value is None
    said = None if value is None else text_of(value)
    if condition.in_ is not None:
        return said in condition.in_
    if condition.not_in is not None:
        return said not in condition.not_in
    return value is not None


def text_of(value: object) -> str | None:
    """A plain value as text; None for a list or an object."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value.strip()
        case int():
            return str(value) if abs(value) < 10**40 else None
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return None


def _event(
    document: WebhookDocument, rule: EventRule, whole: Arrived, id: str, received_at: datetime, currency: str,
    brand_zone: str, place: str,
) -> Event | None:  # fmt: skip
    type_ = _text(rule.type, whole, f"{place}.type")
    if not type_:
        return None
    kind = VOCABULARY.get(type_)
    if kind is None:
        raise Stuck(f"{place}.type", f"没有「{type_[:40]}」这种事件", f"there is no event type “{type_[:40]}”")
    own = [_text(pick, whole, f"{place}.id.{n}") for n, pick in enumerate(rule.id)]
    if not all(own):  # or all that lack it would be one event
        raise Stuck(f"{place}.id", "缺少 id 的一部分", "a part of its id is missing")
    said = ":".join(part for part in own if part) or id
    amount = _amount(rule.amount, whole, f"{place}.amount") if rule.amount else None
    lines = _lines(rule.lines, whole, f"{place}.lines") if rule.lines else ()
    if amount is None and lines and kind.amount:
        amount = sum((line.amount for line in lines), Decimal(0))
    return Event(
        EventId(_short(f"{document.source}/{said}")),
        type_,
        _time(rule.occurred_at, whole, brand_zone, f"{place}.occurred_at") if rule.occurred_at else received_at,
        tuple(_identifiers(document.source, rule.identifiers, whole, place)),
        store=_optional(rule.store, whole, f"{place}.store"),
        staff=_optional(rule.staff, whole, f"{place}.staff"),
        source=document.source,
        amount=amount,
        currency=None if amount is None else _optional(rule.currency, whole, f"{place}.currency") or currency,
        props=dict(_props(type_, rule.props, whole, place)),
        lines=lines,
    )


def _short(id: str) -> str:
    return id if len(id) <= _LONGEST_ID else f"{id[:60]}~{hashlib.blake2b(id.encode(), digest_size=24).hexdigest()}"


def _text(pick: Pick, whole: Arrived, place: str) -> str | None:
    value = found_by(pick, whole, place)
    said = text_of(value)
    if value is not None and said is None:
        raise Stuck(place, "应为文字或数字", "it is a text or a number")
    return said


def _optional(pick: Pick | None, whole: Arrived, place: str) -> str | None:
    return (_text(pick, whole, place) or None) if pick is not None else None


def _identifiers(source: str, rules: Sequence[Identity], whole: Arrived, place: str) -> Iterator[IdentifierValue]:
    for number, rule in enumerate(rules):
        value = _text(rule.value, whole, f"{place}.identifiers.{number}")
        if value:
            namespace = _optional(rule.namespace, whole, f"{place}.identifiers.{number}.namespace")
            yield IdentifierValue(rule.kind, namespace or (source if rule.kind in SPACED else ""), value)


def _props(type_: str, rules: Mapping[str, Pick], whole: Arrived, place: str) -> Iterator[tuple[str, object]]:
    """The props as the vocabulary wants them: numbers and truths also where they were written as text."""
    known = VOCABULARY[type_].props
    for name, rule in rules.items():
        where = f"{place}.props.{name}"
        value = found_by(rule, whole, where)
        if value is None:
            continue
        wanted = known[name].type if name in known else str
        if wanted is float:
            yield name, float(_number(value, where))
        elif wanted is bool and text_of(value) in ("true", "false", "1", "0"):
            yield name, text_of(value) in ("true", "1")
        else:
            said = text_of(value)
            if said is None:
                raise Stuck(where, "应为文字或数字", "it is a text or a number")
            if said:
                yield name, said


def _number(value: object, place: str) -> Decimal:
    try:
        return exact(value.replace(",", "").strip() if isinstance(value, str) else value, place)
    except BadInput:
        raise Stuck(place, "应为数字", "it is a number") from None


def _money(value: object, unit: str, place: str) -> Decimal:
    number = _number(value, place)
    return (number / 100 if unit == "cents" else number).quantize(_CENT, ROUND_HALF_UP)


def _amount(rule: Amount, whole: Arrived, place: str) -> Decimal | None:
    if rule.sum:
        found = [value for path in rule.paths[:1] for value in _all(path, whole) if value is not None]
        return sum((_money(value, rule.unit, place) for value in found), Decimal(0)) if found else None
    value = found_by(rule, whole, place)
    return None if value is None else _money(value, rule.unit, place)


def _lines(rule: Lines, whole: Arrived, place: str) -> tuple[Line, ...]:
    lines = []
    for index, item in enumerate(_all(rule.each, whole)):
        at, where = whole.at(item), f"{place}.{index}"
        sku = _text(rule.sku, at, f"{where}.sku")
        if not sku:
            raise Stuck(f"{place}.sku", "缺少货号", "the article is missing")
        quantity = _number(found_by(rule.quantity, at, f"{place}.quantity"), f"{place}.quantity")
        discount = _amount(rule.discount, at, f"{place}.discount") if rule.discount else None
        if rule.amount is not None:
            charged = _amount(rule.amount, at, f"{place}.amount")
        else:
            assert rule.price is not None  # by the document
            price = _amount(rule.price, at, f"{place}.price")
            charged = None if price is None else price * quantity - (discount or 0)
        if charged is None:
            raise Stuck(f"{place}.amount", "缺少金额", "the amount is missing")
        category = _optional(rule.category, at, f"{place}.category")
        lines.append(
            Line(
                sku,
                category or "",
                quantity,
                charged.quantize(_CENT, ROUND_HALF_UP),
                discount or Decimal(0),
                cost_of(_unit_cost(rule, at, f"{place}.unit_cost"), quantity),
            )
        )
    return tuple(lines)


def _unit_cost(rule: Lines, at: Arrived, place: str) -> Decimal | None:
    value = None if rule.unit_cost is None else found_by(rule.unit_cost, at, place)
    if rule.unit_cost is None or value is None or value == "":
        return None
    number = _number(value, place)
    if number < 0:
        raise Stuck(place, "成本不能为负", "a cost is not negative")
    return number / 100 if rule.unit_cost.unit == "cents" else number


def _time(rule: When, whole: Arrived, brand_zone: str, place: str) -> datetime:
    value = found_by(rule, whole, place)
    if value is None:
        raise Stuck(place, "缺少时间", "the time is missing")
    try:
        if rule.form in ("seconds", "millis"):
            seconds = _number(value, place) / (1000 if rule.form == "millis" else 1)
            if not 0 < seconds < _LATEST_SECONDS:
                raise ValueError(value)
            return datetime.fromtimestamp(float(seconds), UTC)
        said = text_of(value) or ""
        at = datetime.fromisoformat(said) if rule.form == "iso" else _parsed(said, rule.form)
        local = at if at.tzinfo is not None else at.replace(tzinfo=zone(rule.zone or brand_zone))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Stuck(place, f"不是 {rule.form} 写法的时间", f"it is no time of the form {rule.form}") from None


def _parsed(said: str, form: str) -> datetime:
    return datetime.strptime(said, form)  # noqa: DTZ007  # its zone is set by whoever asked
