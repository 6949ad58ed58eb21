"""Every type of event that this pond knows. What is not here is refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from yutang.kernel.errors import BadInput
from yutang.log.contracts import STRONG_KINDS, WEAK_KINDS, Event

LARGEST = Decimal(10**12)
"""No amount and no quantity reaches this: sums of them must fit the warehouse's 18 digits, or the pump stands still."""


@dataclass(frozen=True, slots=True)
class Prop:
    """A field of an event's `props`. `pii` fields are sealed in the inbox and never enter the warehouse."""

    type: type
    required: bool = False
    pii: bool = False
    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event: what it says, which props it carries, what it needs beside them."""

    name: str
    zh: str
    en: str
    props: dict[str, Prop] = field(default_factory=dict)
    amount: bool = False
    order: bool = False
    lines: bool = False
    person: bool = True


_ORDER = {
    "order_id": Prop(str, required=True, zh="订单号", en="the order's id, unique within its source"),
    "synthetic": Prop(bool, zh="合成数据", en="made by a sandbox, not by a customer"),
}
_SYNTHETIC = Prop(bool, zh="合成数据", en="made by a sandbox or a demo")
_PERSON = {
    "name": Prop(str, pii=True, zh="姓名", en="name"),
    "phone": Prop(str, pii=True, zh="手机号", en="phone number"),
    "synthetic": _SYNTHETIC,
}
_CONSENT = {
    "purpose": Prop(str, required=True, zh="用途", en="what for, such as marketing"),
    "channel": Prop(str, required=True, zh="渠道", en="by which channel, or * for all"),
    "proof": Prop(str, pii=True, zh="凭证", en="where and how it was said"),
    "synthetic": _SYNTHETIC,
}
_CAMPAIGN = {"campaign": Prop(str, required=True, zh="活动", en="the campaign's name or number")}

VOCABULARY: dict[str, EventType] = {
    kind.name: kind
    for kind in (
        EventType("order.placed", "下单", "an order was placed", _ORDER, amount=True, order=True, lines=True),
        EventType("order.paid", "付款", "an order was paid", _ORDER, order=True),
        EventType("order.cancelled", "取消", "an order was cancelled; it counts for nothing", _ORDER, order=True),
        EventType(
            "order.refunded",
            "退款",
            "part or all of an order was paid back; amount is positive",
            _ORDER,
            amount=True,
            order=True,
        ),
        EventType(
            "order.corrected",
            "更正",
            "an order's true amount (and lines, if given) is this; the latest correction counts",
            _ORDER,
            amount=True,
            order=True,
            lines=True,
        ),
        EventType("person.seen", "新客户", "a person became known", _PERSON),
        EventType("relation.added", "添加好友", "a person became a staff account's friend", {"synthetic": _SYNTHETIC}),
        EventType("relation.lost", "好友流失", "a friendship ended"),
        EventType("consent.given", "同意", "consent was given", _CONSENT),
        EventType("consent.withdrawn", "撤回同意", "consent was withdrawn", _CONSENT),
        EventType(
            "tag.added", "打标签", "a tag was put on", {"tag": Prop(str, required=True, zh="标签", en="the tag")}
        ),
        EventType(
            "tag.removed", "去标签", "a tag was taken off", {"tag": Prop(str, required=True, zh="标签", en="the tag")}
        ),
        EventType(
            "campaign.targeted",
            "活动投放",
            "a person was targeted by a campaign; the event's day is the campaign's first",
            {**_CAMPAIGN, "last_day": Prop(str, zh="活动最后一天", en="its last local day, such as 2017-12-24")},
        ),
        EventType(
            "coupon.redeemed",
            "核销优惠券",
            "a coupon was redeemed",
            {
                "coupon": Prop(str, required=True, zh="券", en="the coupon"),
                "campaign": Prop(str, zh="活动", en="its campaign"),
            },
        ),
        EventType("message.sent", "触达", "a message reached a person through the gate"),
        EventType("offgate.sent", "闸外触达", "staff sent something on their own"),
    )
}


def check(event: Event, currency: str | None = None) -> None:
    """Refuse an event of unknown type, with unknown or missing props, or with a value of the wrong kind.

    `currency` is the brand's: an amount in another is refused, because amounts are added up.

    Raises BadInput with one sentence that names the event, the field and what to do.
    """
    kind = VOCABULARY.get(event.type)
    if kind is None:
        raise _bad(event, "type", f"没有「{event.type}」这种事件", f"there is no event type “{event.type}”")
    if event.occurred_at.tzinfo is None:
        raise _bad(event, "occurred_at", "时间缺少时区", "the time has no zone")
    if not event.id or len(event.id) > 128:
        raise _bad(event, "id", "事件 id 应为 1–128 个字符", "an event id has 1–128 characters")
    for name in event.props:
        if name not in kind.props:
            raise _bad(event, f"props.{name}", "没有这个字段", "there is no such field")
    for name, prop in kind.props.items():
        value = event.props.get(name)
        if value is None and prop.required:
            raise _bad(event, f"props.{name}", "缺少这一项", "it is missing")
        if value is not None and not isinstance(value, prop.type):
            raise _bad(event, f"props.{name}", f"应为 {prop.type.__name__}", f"it must be a {prop.type.__name__}")
    if kind.person and not event.identifiers and event.person is None:
        raise _bad(event, "identifiers", "没有说明是哪位客户", "it does not say which person")
    for index, identifier in enumerate(event.identifiers):
        if identifier.kind not in STRONG_KINDS + WEAK_KINDS:
            known = ", ".join(STRONG_KINDS + WEAK_KINDS)
            raise _bad(
                event,
                f"identifiers.{index}.kind",
                f"没有这种身份标识，应为 {known}",
                f"no such kind; it is one of {known}",
            )
        if not identifier.value.strip() or len(identifier.value) > 256 or len(identifier.namespace) > 80:
            raise _bad(
                event,
                f"identifiers.{index}.value",
                "应为 1–256 个字符，来源至多 80 个",
                "it has 1–256 characters, and its namespace at most 80",
            )
    if kind.amount and event.amount is None:
        raise _bad(event, "amount", "缺少金额", "the amount is missing")
    if event.amount is not None and not event.currency:
        raise _bad(event, "currency", "缺少币种", "the currency is missing")
    if event.currency and currency and event.currency != currency:
        raise _bad(
            event,
            "currency",
            f"品牌的币种是 {currency}，请先把 {event.currency} 换算成 {currency}",
            f"the brand's currency is {currency}; convert {event.currency} to it first",
        )
    _check_amounts(event, kind)


def _check_amounts(event: Event, kind: EventType) -> None:
    if event.lines and not kind.lines:
        raise _bad(event, "lines", "这种事件不带明细", "this type of event carries no lines")
    try:
        amounts = [event.amount or Decimal(0)]
        for line in event.lines:
            amounts += [line.amount, line.discount]
            if not line.quantity.is_finite() or abs(line.quantity) >= LARGEST:
                raise InvalidOperation
        if any(not a.is_finite() or abs(a) >= LARGEST or a != round(a, 2) for a in amounts):
            raise InvalidOperation
    except InvalidOperation:
        raise _bad(
            event,
            "amount",
            "金额和数量应小于一万亿，金额至多两位小数",
            "amounts and quantities are below 1,000,000,000,000, and amounts have at most two decimals",
        ) from None
    if kind.order and event.amount is not None and event.amount < 0:
        raise _bad(
            event,
            "amount",
            "金额不能为负，退款请用 order.refunded",
            "an amount is not negative; say a refund with order.refunded",
        )
    for index, line in enumerate(event.lines):
        if line.quantity < 0:
            raise _bad(
                event,
                f"lines.{index}.quantity",
                "数量不能为负，退款请用 order.refunded",
                "a quantity is not negative; say a refund with order.refunded",
            )


def _bad(event: Event, where: str, zh: str, en: str) -> BadInput:
    return BadInput(f"事件「{event.id}」的 {where}：{zh}。", f"Event “{event.id}”, {where}: {en}.")
