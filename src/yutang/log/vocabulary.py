"""Every type of event that this pond knows. What is not here is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from yutang.kernel.errors import BadInput
from yutang.log.contracts import STRONG_KINDS, WEAK_KINDS, Event

LARGEST = Decimal(10**12)
"""No amount and no quantity reaches this: sums of them must fit the warehouse's 18 digits, or the pump stands still."""
FIRST_YEAR, LAST_YEAR = 1990, 2099
_CENT, _THOUSANDTH = Decimal("0.01"), Decimal("0.001")
_KINDS = frozenset(STRONG_KINDS + WEAK_KINDS)


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
_HOME = {
    "home_store": Prop(str, zh="归属门店", en="the code of the store that the person belongs to; the latest counts"),
    "zone": Prop(str, zh="时区", en="where the person lives by the clock, such as Asia/Shanghai"),
}
_IN_GROUP = {
    "group": Prop(str, required=True, zh="群", en="the customer group's id"),
    "name": Prop(str, pii=True, zh="群名称", en="what the group is called"),
    "synthetic": _SYNTHETIC,
}
_INTO_GROUP = {
    **_IN_GROUP,
    "scene": Prop(int, zh="入群方式", en="1 invited, 2 by an invitation link, 3 by a code"),
    "inviter": Prop(str, zh="邀请人", en="the userid of the member of staff who invited"),
    "state": Prop(str, zh="渠道参数", en="what the platform said of the join way they came by"),
}
_COUPON = {
    "coupon": Prop(str, required=True, zh="券", en="the coupon"),
    "campaign": Prop(str, zh="活动", en="its campaign"),
}
_TALK = {
    "kind": Prop(str, zh="消息类型", en="text, image, voice and so on, as the platform says"),
    "group": Prop(str, zh="群", en="the customer group's id, where it was in one"),
    "account": Prop(str, zh="客服账号", en="the account of customer service, where it was there"),
    "synthetic": _SYNTHETIC,
}
_OFF_GATE = {
    "kind": Prop(
        str,
        zh="方式",
        en="mass: to each customer; group: to a group they are in; moments: among moments that they can see",
    ),
    "send": Prop(str, zh="群发编号", en="the platform's id of the send"),
    "content": Prop(str, zh="内容指纹", en="stands for what was said: the same words, the same mark; never the words"),
    "synthetic": _SYNTHETIC,
}
_CONSENT = {
    "purpose": Prop(str, required=True, zh="用途", en="what for, such as marketing"),
    "channel": Prop(str, required=True, zh="渠道", en="by which channel, or * for all"),
    "partner": Prop(str, zh="伙伴", en="the partner to whom it was said; without it, to us"),
    "proof": Prop(str, pii=True, zh="凭证", en="where and how it was said"),
    "synthetic": _SYNTHETIC,
}
_DOOR = {
    "way": Prop(str, zh="活码", en="the contact way by which they came"),
    "state": Prop(str, zh="渠道参数", en="what the platform said of the door they came by"),
    "by": Prop(str, zh="由谁", en="transfer: handed over by the brand from other staff, and won by nobody"),
    "welcome_code": Prop(str, pii=True, zh="欢迎语凭证", en="by which one welcome may be sent, for seconds only"),
    "synthetic": _SYNTHETIC,
}
_PLACE = {
    "latitude": Prop(float, pii=True, zh="纬度", en="latitude in degrees"),
    "longitude": Prop(float, pii=True, zh="经度", en="longitude in degrees"),
}
_CAMPAIGN = {"campaign": Prop(str, required=True, zh="活动", en="the campaign's name or number")}
_CLAIMED = {
    "email": Prop(str, pii=True, zh="邮箱", en="e-mail address"),
    "gender": Prop(str, pii=True, zh="性别", en="gender, as said"),
    "birthday": Prop(str, pii=True, zh="生日", en="birthday, as said"),
    "claimed_phone": Prop(str, pii=True, zh="自称手机号", en="a phone number that nobody verified: joins no persons"),
    "claimed_email": Prop(str, pii=True, zh="自称邮箱", en="an e-mail address that nobody verified: joins no persons"),
}
_LEAD = {
    "lead": Prop(str, zh="线索编号", en="the platform's id of the lead"),
    "form": Prop(str, zh="表单", en="which form"),
    "campaign": Prop(str, zh="推广活动", en="which campaign"),
    "ad": Prop(str, zh="广告", en="which advertisement"),
    "city": Prop(str, zh="城市", en="in which city, as the platform says"),
    "cost": Prop(float, zh="成本", en="what this lead cost, in the brand's currency"),
    **_PERSON,
}
_CAME_BY = {
    "utm_source": Prop(str, zh="来源", en="utm_source of the visit"),
    "utm_medium": Prop(str, zh="媒介", en="utm_medium of the visit"),
    "utm_campaign": Prop(str, zh="推广活动", en="utm_campaign of the visit"),
    "utm_term": Prop(str, zh="关键词", en="utm_term of the visit"),
    "utm_content": Prop(str, zh="创意", en="utm_content of the visit"),
}
_SEEN_AT = {
    "path": Prop(str, zh="路径", en="path of the page, without its query"),
    "page_title": Prop(str, zh="页面标题", en="title of the page"),
    "referrer": Prop(str, zh="来路", en="where the visitor came from, without its query"),
}
_VISIT = {**_SEEN_AT, **_CAME_BY}
_PAGE = {
    "name": Prop(str, zh="页面", en="the page's name"),
    "category": Prop(str, zh="分类", en="the page's category"),
    **_VISIT,
}
_GOODS = {
    "sku": Prop(str, zh="货号", en="the article"),
    "product": Prop(str, zh="商品", en="what the article is called"),
    "category": Prop(str, zh="品类", en="its category"),
    "brand": Prop(str, zh="品牌", en="its brand"),
    "variant": Prop(str, zh="规格", en="its variant"),
    "price": Prop(float, zh="单价", en="price of one"),
    "quantity": Prop(float, zh="数量", en="how many"),
    "coupon": Prop(str, zh="券", en="the coupon in use"),
    **_VISIT,
}
_LIST = {
    "list": Prop(str, zh="列表", en="which list of goods"),
    "category": Prop(str, zh="品类", en="of which category"),
    "query": Prop(str, pii=True, zh="搜索词", en="what was typed: it may hold anything"),
    "cart": Prop(str, zh="购物车", en="which cart"),
    "order_id": Prop(str, zh="订单号", en="the order's id, where there is one"),
    "items": Prop(float, zh="件数", en="how many different articles"),
    "value": Prop(float, zh="金额", en="what they cost together; no turnover"),
    "coupon": Prop(str, zh="券", en="the coupon in use"),
    **_VISIT,
}


class Rules(NamedTuple):
    """An event type taken apart once, because collectors check 80,000 events a second."""

    kind: EventType
    types: dict[str, type]
    required: tuple[str, ...]
    personal: frozenset[str]

    @staticmethod
    def of(kind: EventType) -> Rules:
        """The rules of a type."""
        return Rules(
            kind,
            {name: prop.type for name, prop in kind.props.items()},
            tuple(name for name, prop in kind.props.items() if prop.required),
            frozenset(name for name, prop in kind.props.items() if prop.pii),
        )


class Vocabulary(Mapping[str, EventType]):
    """The types that ship with Yutang, and those that the brand has registered (`learn`).

    Reading asks no database. Swapped whole, so that a reader in another thread sees the one or the other.
    """

    def __init__(self, built_in: Mapping[str, EventType]) -> None:
        self.built_in = dict(built_in)
        self.learn({})

    def learn(self, types: Mapping[str, EventType]) -> None:
        """Know these registered types, and no others, beside those that ship. One of a shipped name stands for it."""
        known = {**self.built_in, **types}
        self.altered = frozenset(types.keys() & self.built_in.keys())
        """The shipped types that a registered one stands for."""
        self._types: dict[str, EventType] = known
        self._rules: dict[str, Rules] = {name: Rules.of(kind) for name, kind in known.items()}

    def rules(self, name: str) -> Rules | None:
        """What `check` asks of events of that type, ready to be asked; None for an unknown type."""
        return self._rules.get(name)

    def __getitem__(self, name: str) -> EventType:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)


VOCABULARY = Vocabulary(
    {
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
            EventType("person.seen", "新客户", "a person became known", {**_PERSON, **_HOME, **_PLACE, **_CLAIMED}),
            EventType("lead.submitted", "留下线索", "somebody filled in a form of an advertisement", _LEAD),
            EventType("way.scanned", "扫码", "somebody opened a contact way's landing page", person=False),
            EventType("relation.added", "添加好友", "a person became a staff account's friend", _DOOR),
            EventType(
                "relation.half_added",
                "单向添加",
                "a person passed to a staff account that has not added them back: no friendship yet",
                _DOOR,
            ),
            EventType(
                "relation.lost",
                "好友流失",
                "a friendship ended",
                {"by": Prop(str, zh="由谁", en="customer, member or transfer: who ended it")},
            ),
            EventType(
                "relation.handed_over",
                "客户继承",
                "a member's customer went to another (`staff`): no loss of the one's, no friend that the other won",
                {
                    "from": Prop(str, required=True, zh="原跟进人", en="the userid of who gave the customer away"),
                    "resigned": Prop(bool, zh="离职继承", en="whether they had left"),
                    "synthetic": _SYNTHETIC,
                },
            ),
            EventType("consent.given", "同意", "consent was given", _CONSENT),
            EventType("consent.withdrawn", "撤回同意", "consent was withdrawn", _CONSENT),
            EventType(
                "tag.added", "打标签", "a tag was put on", {"tag": Prop(str, required=True, zh="标签", en="the tag")}
            ),
            EventType(
                "tag.removed",
                "去标签",
                "a tag was taken off",
                {"tag": Prop(str, required=True, zh="标签", en="the tag")},
            ),
            EventType(
                "campaign.targeted",
                "活动投放",
                "a person was targeted by a campaign; the event's day is the campaign's first",
                {**_CAMPAIGN, "last_day": Prop(str, zh="活动最后一天", en="its last local day, such as 2017-12-24")},
            ),
            EventType("coupon.issued", "发优惠券", "a coupon was given to a person", _COUPON),
            EventType("coupon.redeemed", "核销优惠券", "a coupon was redeemed", _COUPON),
            EventType(
                "message.sent",
                "触达",
                "a message reached a person through the gate",
                {
                    "rule": Prop(str, zh="规则", en="the reflex rule that sent it"),
                    "class": Prop(str, zh="触达类别", en="of which class it was, where a guide sent it beside a chat"),
                    "value": Prop(str, zh="价值内容", en="`yes` where it gave something of use and sold nothing"),
                    "content": Prop(str, zh="内容", en="the document whose words they were"),
                },
            ),
            EventType("message.received", "客户来消息", "a person wrote to us; what they wrote is not said", _TALK),
            EventType(
                "message.written", "导购回消息", "staff wrote to a person in a chat; no touch of the gate's", _TALK
            ),
            EventType(
                "service.entered",
                "进入客服会话",
                "a customer entered a conversation by a link of ours",
                {
                    "account": Prop(str, zh="客服账号", en="which account of customer service"),
                    "scene": Prop(str, zh="场景", en="the scene of the link by which they came"),
                    "synthetic": _SYNTHETIC,
                },
            ),
            EventType("offgate.sent", "闸外触达", "staff sent something on their own", _OFF_GATE),
            EventType(
                "service.handed_over",
                "客服转导购",
                "the service desk handed a customer to a guide; what was said is not told",
                {
                    "account": Prop(str, zh="客服账号", en="which account of customer service"),
                    "reason": Prop(str, zh="原因", en="order, goods, visit, complaint or other"),
                },
            ),
            EventType("page.viewed", "看网页", "a page of a site was opened", _PAGE),
            EventType("screen.viewed", "看界面", "a screen of an app was opened", _PAGE),
            EventType("product.viewed", "看商品", "a product was looked at", _GOODS),
            EventType("product.clicked", "点商品", "a product was chosen from a list", _GOODS),
            EventType("product.added", "加购", "a product was put into the cart", _GOODS),
            EventType("product.removed", "移出购物车", "a product was taken out of the cart", _GOODS),
            EventType("list.viewed", "看商品列表", "a list of goods was looked at", _LIST),
            EventType("goods.searched", "搜商品", "goods were searched for", _LIST),
            EventType("cart.viewed", "看购物车", "the cart was looked at", _LIST),
            EventType("checkout.started", "去结算", "a checkout was begun", _LIST),
            EventType(
                "group.seen",
                "归属",
                "a person was seen as one of a group (an account, a household, a company)",
                {
                    "group": Prop(str, required=True, zh="群体", en="the group's id in its source"),
                    "name": Prop(str, pii=True, zh="名称", en="what the group is called"),
                },
            ),
            EventType("group.joined", "入群", "a person joined a customer group", _INTO_GROUP),
            EventType("group.left", "退群", "a person left a customer group, or was taken out", _IN_GROUP),
            EventType(
                "partner.listed",
                "伙伴名单",
                "a person came by a partner's list; by itself this is no consent to anything",
                {
                    "partner": Prop(str, required=True, zh="合作伙伴", en="whose list it was"),
                    "basis": Prop(str, required=True, zh="授权依据", en="by what the partner might pass the person on"),
                    "campaign": Prop(str, zh="活动", en="what the list was made for"),
                },
            ),
            EventType(
                "invite.joined",
                "老带新",
                "a customer brought somebody new; the event is the newcomer's",
                {
                    "inviter": Prop(
                        str,
                        required=True,
                        pii=True,
                        zh="邀请人",
                        en="who brought them: a member number of the event's source, or `kind:value`, or "
                        "`kind:namespace:value` with the kind of an identifier, such as `phone:13800138000`",
                    ),
                    "by": Prop(str, zh="方式", en="by what: a card, a code, a group-buy and so on"),
                    "synthetic": _SYNTHETIC,
                },
            ),
            EventType("person.linked", "合并标识", "two identifiers were said to be one person's"),
        )
    }
)


def check(event: Event, currency: str | None = None) -> None:
    """Refuse an event of unknown type, with unknown or missing props, or with a value of the wrong kind.

    `currency` is the brand's: an amount in another is refused, because amounts are added up.

    Raises BadInput with one sentence that names the event, the field and what to do.
    """
    rules = VOCABULARY.rules(event.type)
    if rules is None or not _plainly_good(event, rules, currency):
        _refuse(event, currency)


def personal_props(name: str) -> frozenset[str]:
    """Which props of that type of event are sealed in the inbox and never enter the warehouse."""
    rules = VOCABULARY.rules(name)
    return rules.personal if rules is not None else frozenset()


def _plainly_good(event: Event, rules: Rules, currency: str | None) -> bool:
    """Whether an event is good at a quick look. What is not may still be: `_refuse` looks closely."""
    kind, types, required, _ = rules
    if not event.id or len(event.id) > 128 or event.occurred_at.tzinfo is None:
        return False
    if not FIRST_YEAR < event.occurred_at.year < LAST_YEAR:
        return False
    props = event.props
    for name, value in props.items():
        if name not in types or (type(value) is not types[name] and value is not None):
            return False
    for name in required:
        if props.get(name) is None:
            return False
    if not event.identifiers and kind.person and event.person is None:
        return False
    for one in event.identifiers:
        value, namespace = one.value, one.namespace
        if one.kind not in _KINDS or not value or len(value) > 256 or value.isspace() or len(namespace) > 80:
            return False
        if "\x1f" in value or "\x1e" in value or "\x1f" in namespace or "\x1e" in namespace:
            return False
    if event.lines or event.amount is not None or event.currency or kind.amount:
        return _money_plainly_good(event, kind, currency)
    return True


def _money_plainly_good(event: Event, kind: EventType, currency: str | None) -> bool:
    amount = event.amount
    if (amount is None and kind.amount) or (event.lines and not kind.lines):
        return False
    if (amount is not None and not event.currency) or (event.currency and currency and event.currency != currency):
        return False
    try:
        if amount is not None and not (0 <= amount < LARGEST and _has_digits(amount, _CENT)):
            return False
        for line in event.lines:
            if not (
                0 <= line.quantity < LARGEST
                and -LARGEST < line.amount < LARGEST
                and -LARGEST < line.discount < LARGEST
                and _has_digits(line.quantity, _THOUSANDTH)
                and _has_digits(line.amount, _CENT)
                and _has_digits(line.discount, _CENT)
                and (line.cost is None or (0 <= line.cost < LARGEST and _has_digits(line.cost, _CENT)))
            ):
                return False
    except InvalidOperation:  # not a number
        return False
    return True


def _has_digits(number: Decimal, unit: Decimal) -> bool:
    """Whether it has no more digits behind the point than the unit."""
    return number.same_quantum(unit) or number == number.quantize(unit)


def _refuse(event: Event, currency: str | None) -> None:
    kind = VOCABULARY.get(event.type)
    if kind is None:
        raise _bad(event, "type", f"没有「{event.type}」这种事件", f"there is no event type “{event.type}”")
    if event.occurred_at.tzinfo is None:
        raise _bad(event, "occurred_at", "时间缺少时区", "the time has no zone")
    if not FIRST_YEAR <= event.occurred_at.year <= LAST_YEAR:
        raise _bad(event, "occurred_at", "时间应在 1990 到 2099 年之间", "the time is not between 1990 and 2099")
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
        if any(sign in text for sign in "\x1e\x1f" for text in (identifier.value, identifier.namespace)):
            raise _bad(
                event,
                f"identifiers.{index}.value",
                "不能含分隔控制符 U+001E、U+001F",
                "it cannot hold the separators U+001E and U+001F",
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
            amounts += [line.amount, line.discount, line.cost or Decimal(0)]
            quantity = line.quantity
            if not quantity.is_finite() or abs(quantity) >= LARGEST or quantity != round(quantity, 3):
                raise InvalidOperation
        if any(not a.is_finite() or abs(a) >= LARGEST or a != round(a, 2) for a in amounts):
            raise InvalidOperation
    except InvalidOperation:
        raise _bad(
            event,
            "amount",
            "金额和数量应小于一万亿，金额至多两位小数，数量至多三位",
            "amounts and quantities are below 1,000,000,000,000; amounts have at most two decimals, quantities three",
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
        if line.cost is not None and line.cost < 0:
            raise _bad(
                event,
                f"lines.{index}.unit_cost",
                "成本不能为负；不知道成本就不要填",
                "a cost is not negative; leave it out where it is not known",
            )


def _bad(event: Event, where: str, zh: str, en: str) -> BadInput:
    return BadInput(f"事件「{event.id}」的 {where}：{zh}。", f"Event “{event.id}”, {where}: {en}.")
