"""Every trait: its type, its unit, what people call it, what it means. Drives the docs and the segment builder.

Stored traits are columns of `profiles`. Virtual traits change with the instant alone, or live in `facts`: they are
expressions, worked out when read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlglot import exp

from yutang.profiles.conditions import instant
from yutang.profiles.contracts import WINDOWS, Moment

if TYPE_CHECKING:
    from yutang.profiles.documents import TraitDocument

NEW_DAYS, ACTIVE_DAYS, SILENT_DAYS = 30, 90, 365
LIFECYCLE = ("prospect", "new", "active", "silent", "lapsed")
POOLS = ("nurturing", "customer")
LADDER = ("prospect", "customer", "fan", "loyalist", "agent", "partner")
REACHABLE, WAYS, LAYER, WORTH = "reachable", "ways", "layer", "worth"
MORE = "more"
"""The alias under which the brand's own traits stand, each as a column: see `profiles.queries.join_beside`."""
BESIDE = {
    REACHABLE: "profiles/reachable",
    WAYS: "profiles/ways",
    LAYER: "profiles/layer",
    WORTH: "profiles/values/worth",
}
"""What traits that are no columns of `profiles` are read from: a named query with one row per `person`, at most, under
the alias by which a trait's expression names it. A query joins only those that its traits ask for."""
OF_ALL = {REACHABLE: "profiles/all_reachable"}
"""What says the same where it is asked of everybody."""


class TraitType(StrEnum):
    """What a value is, and so which operators a rule may use."""

    COUNT = "count"
    MONEY = "money"
    NUMBER = "number"
    DAY = "day"
    INSTANT = "instant"
    CHOICE = "choice"
    FLAG = "flag"
    STORE = "store"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing known of a person. `derive` is None for a stored trait; `choices` are all values of a CHOICE; `words`
    is the unit of a trait of the brand's own, in Chinese and English."""

    name: str
    type: TraitType
    unit: str
    zh: str
    en: str
    note_zh: str
    note_en: str
    choices: tuple[str, ...] = ()
    derive: Callable[[Moment], exp.Expr] | None = None
    words: tuple[str, str] | None = None

    @property
    def stored(self) -> bool:
        """Whether it is a column of `profiles`."""
        return self.derive is None

    def expression(self, moment: Moment) -> exp.Expr:
        """Its value in a query that reads `profiles`."""
        return exp.column(self.name, "profiles") if self.derive is None else self.derive(moment)


_T = TraitType


def _windowed() -> list[Trait]:
    kinds = (
        ("orders", TraitType.COUNT, "orders", "订单数", "Orders", "未取消的订单数", "orders that were not cancelled"),
        (
            "spend",
            TraitType.MONEY,
            "money",
            "消费额",
            "Spend",
            "订单净额之和（扣除退款）",
            "net amounts of orders, refunds taken off",
        ),
        (
            "visit_days",
            TraitType.COUNT,
            "days",
            "到店天数",
            "Visit days",
            "有订单的当地日数",
            "distinct local days with an order",
        ),
        (
            "categories",
            TraitType.COUNT,
            "categories",
            "购买品类数",
            "Categories",
            "买过的不同品类数",
            "distinct categories bought",
        ),
    )
    spans = [
        (
            f"{days}d",
            f"近 {days} 天",
            f"last {days} days",
            f"过去 {days} 个 24 小时内",
            f"in the last {days} × 24 hours",
        )
        for days in WINDOWS
    ]
    spans.append(("ever", "累计", "ever", "有史以来", "ever"))
    return [
        Trait(
            f"{kind}_{span}",
            type_,
            unit,
            f"{when_zh}{zh}",
            f"{en}, {when_en}",
            f"{how_zh}{note_zh}",
            f"{note_en}, {how_en}",
        )
        for kind, type_, unit, zh, en, note_zh, note_en in kinds
        for span, when_zh, when_en, how_zh, how_en in spans
    ]


def _margins() -> list[Trait]:
    """What orders left, by the costs of their lines; none where no cost is known."""
    spans = (("365d", "近 365 天", "last 365 days"), ("ever", "累计", "ever"))
    stored = [
        Trait(f"{kind}_{span}", _T.MONEY, "money", f"{when_zh}{zh}", f"{en}, {when_en}", note_zh, note_en)
        for kind, zh, en, note_zh, note_en in (
            (
                "margin", "毛利", "Margin",
                "净额减成本，只算知道成本的订单明细；退款按比例带回成本；一条成本都不知道的没有",
                "net amounts less costs, of the order lines whose cost is known; refunds take their share of the cost "
                "back; none where no cost is known",
            ),
            (
                "costed", "成本已知的消费额", "Spend with a known cost",
                "消费额里知道成本的那部分；一条成本都不知道的没有",
                "the part of spend whose cost is known; none where no cost is known",
            ),
        )
        for span, when_zh, when_en in spans
    ]  # fmt: skip
    return stored + [
        Trait(
            f"cost_known_{span}",
            _T.NUMBER,
            "0–1",
            f"{when_zh}成本已知占比",
            f"Share of spend with a known cost, {when_en}",
            "成本已知的消费额 ÷ 消费额；没有消费额的没有",
            "spend with a known cost ÷ spend; none without spend",
            derive=_cost_known(span),
        )
        for span, when_zh, when_en in spans
    ]


def _cost_known(span: str) -> Callable[[Moment], exp.Expr]:
    known = exp.Coalesce(this=_column(f"costed_{span}"), expressions=[exp.Literal.number(0)])
    return lambda _: ratio(known.copy(), _column(f"spend_{span}"))


def _column(name: str) -> exp.Column:
    return exp.column(name, "profiles")


def today(moment: Moment) -> exp.Expr:
    """The local day of the instant."""
    return exp.cast(exp.Literal.string(moment.today.isoformat()), "date")


def _days_since(column: str) -> Callable[[Moment], exp.Expr]:
    return lambda moment: exp.DateDiff(this=today(moment), expression=_column(column), unit=exp.Literal.string("day"))


def day_of(value: exp.Expr, moment: Moment) -> exp.Expr:
    """The local day of an instant."""
    return exp.Anonymous(this="day_in_zone", expressions=[value, exp.Literal.string(moment.zone)])


def ratio(part: exp.Expr, whole: exp.Expr) -> exp.Expr:
    """Floating-point division; null where the divisor is zero (a word of the warehouse)."""
    return exp.Anonymous(this="ratio", expressions=[part, whole])


def _discount_share(_: Moment) -> exp.Expr:
    discount = _column("discount_90d")
    return ratio(discount, exp.Add(this=_column("spend_90d"), expression=discount.copy()))


def _overdue(moment: Moment) -> exp.Expr:
    return ratio(_days_since("last_visit_day")(moment), _column("median_gap_days"))


def _lifecycle(moment: Moment) -> exp.Expr:
    def later(column: str, days: int) -> exp.Expr:
        return exp.GT(this=_column(column), expression=instant(moment.before(days)))

    return (
        exp.Case()
        .when(exp.EQ(this=_column("orders_ever"), expression=exp.Literal.number(0)), exp.Literal.string("prospect"))
        .when(later("first_order_at", NEW_DAYS), exp.Literal.string("new"))
        .when(later("last_order_at", ACTIVE_DAYS), exp.Literal.string("active"))
        .when(later("last_order_at", SILENT_DAYS), exp.Literal.string("silent"))
        .else_(exp.Literal.string("lapsed"))
    )


def _reachable(_: Moment) -> exp.Expr:
    return exp.column("person", REACHABLE).is_(exp.null()).not_()


def _on(channel: str) -> Callable[[Moment], exp.Expr]:
    return lambda _: exp.Coalesce(this=exp.column(channel, WAYS), expressions=[exp.false()])


def _pool(moment: Moment) -> exp.Expr:
    bought = exp.GT(this=_column("orders_ever"), expression=exp.Literal.number(0))
    return (
        exp.Case()
        .when(exp.column("person", REACHABLE).is_(exp.null()), exp.null())
        .when(bought, exp.Literal.string("customer"))
        .else_(exp.Literal.string("nurturing"))
    )


def _ladder(_: Moment) -> exp.Expr:
    step = exp.Coalesce(this=exp.column("step", LAYER), expressions=[exp.Literal.number(0)])
    case = exp.Case()
    for place, name in enumerate(LADDER):
        case = case.when(exp.EQ(this=step.copy(), expression=exp.Literal.number(place)), exp.Literal.string(name))
    return case


def _worth() -> list[Trait]:
    """What a person is worth, as it was last told (`values`); none of what the models cannot tell."""
    told = (
        (
            "existing_value_365d", "existing_365d", _T.MONEY, "money", "既成价值，近 365 天",
            "Existing value, last 365 days",
            "上次打分时近 365 天已实现的毛利（毛利知道得不够时为消费额）",
            "margin realised in the 365 days before the last scoring (spend where too little of margin is known)",
        ),
        (
            "potential_value", "potential", _T.MONEY, "money", "潜在价值", "Potential value",
            "预计在设定期限内（默认一年）带来的价值；看不出的没有",
            "what they are expected to bring within the horizon (a year by default); none where it cannot be told",
        ),
        (
            "potential_low", "potential_low", _T.MONEY, "money", "潜在价值下限", "Potential value, lower end",
            "80% 区间的下限", "the lower end of the 80 % interval",
        ),
        (
            "potential_high", "potential_high", _T.MONEY, "money", "潜在价值上限", "Potential value, upper end",
            "80% 区间的上限", "the upper end of the 80 % interval",
        ),
        (
            "alive_probability", "alive", _T.NUMBER, "0–1", "仍是顾客的概率", "Probability of still being a customer",
            "按购买节奏推算；只在一天买过的看不出",
            "by their rhythm of buying; none for who bought on one day only",
        ),
        (
            "churn_risk", "churn", _T.NUMBER, "0–1", "流失风险", "Churn risk",
            "设定期限内（默认一年）一单都没有的概率",
            "the probability of no order at all within the horizon (a year by default)",
        ),
        (
            "next_order_day", "next_order_day", _T.DAY, "day", "预计下次下单日", "Next order expected",
            "有规律的按其间隔，其他人按模型的中位数；更可能不再来的没有",
            "of regulars by their own gaps, of others the model's median; none where no order is likelier",
        ),
        (
            "brought", "brought", _T.COUNT, "persons", "带来的新客", "Newcomers brought",
            "其直接带来的新客人数，按上次打分时；每位新客只算给最早带来他的人",
            "how many they brought themselves, as of the last scoring; each newcomer counts for who brought them first",
        ),
        (
            "model_value_one", "model_one", _T.MONEY, "money", "模型价值，直接带来", "Model value, brought directly",
            "其直接带来的新客的既成与潜在价值之和；每位新客只计一次",
            "existing and potential value of those whom they brought themselves; each newcomer counts once",
        ),
        (
            "model_value_tree", "model_tree", _T.MONEY, "money", "模型价值，整棵树", "Model value, whole tree",
            "其带来的人、再由这些人带来的人……的价值之和",
            "the same with those whom the newcomers brought, and so on",
        ),
    )  # fmt: skip
    return [
        Trait(name, type_, unit, zh, en, note_zh, note_en, derive=_of_worth(column))
        for name, column, type_, unit, zh, en, note_zh, note_en in told
    ]


def _of_worth(column: str) -> Callable[[Moment], exp.Expr]:
    return lambda _: exp.column(column, WORTH)


SHIPPED: dict[str, Trait] = {
    trait.name: trait
    for trait in (
        *_windowed(),
        Trait(
            "discount_90d",
            _T.MONEY,
            "money",
            "近 90 天优惠额",
            "Discount, last 90 days",
            "订单上减掉的金额之和",
            "what was taken off the orders of the last 90 days",
        ),
        Trait(
            "discount_365d",
            _T.MONEY,
            "money",
            "近 365 天优惠额",
            "Discount, last 365 days",
            "订单上减掉的金额之和",
            "what was taken off the orders of the last 365 days",
        ),
        *_margins(),
        Trait(
            "first_order_at",
            _T.INSTANT,
            "day",
            "首单时间",
            "First order",
            "最早一笔未取消的订单；按当地日比较",
            "the earliest order not cancelled; compared by local day",
        ),
        Trait(
            "last_order_at",
            _T.INSTANT,
            "day",
            "末单时间",
            "Last order",
            "最近一笔未取消的订单；按当地日比较",
            "the latest order not cancelled; compared by local day",
        ),
        Trait(
            "first_visit_day",
            _T.DAY,
            "day",
            "首次到店日",
            "First visit day",
            "首单的当地日",
            "the local day of the first order",
        ),
        Trait(
            "last_visit_day",
            _T.DAY,
            "day",
            "最近到店日",
            "Last visit day",
            "末单的当地日",
            "the local day of the last order",
        ),
        Trait(
            "median_gap_days",
            _T.NUMBER,
            "days",
            "到店间隔中位数",
            "Median gap",
            "相邻到店日之间天数的中位数；只来过一天的没有",
            "median days between consecutive visit days; none after a single one",
        ),
        Trait(
            "home_store",
            _T.STORE,
            "store",
            "常去门店",
            "Home store",
            "订单最多的门店；相同则取消费额高者、最近者、编号小者",
            "the store of most orders; ties to the higher spend, then the latest, then the lower id",
        ),
        Trait(
            "recency_score",
            _T.COUNT,
            "1–5",
            "R 分",
            "R score",
            "按末单时间在所有买过的人中五等分，5 最好",
            "fifths of all who ever bought, by last order; 5 is best",
        ),
        Trait(
            "frequency_score",
            _T.COUNT,
            "1–5",
            "F 分",
            "F score",
            "按近 365 天订单数五等分，5 最好",
            "fifths of all who ever bought, by orders of the last 365 days; 5 is best",
        ),
        Trait(
            "monetary_score",
            _T.COUNT,
            "1–5",
            "M 分",
            "M score",
            "按近 365 天消费额五等分，5 最好",
            "fifths of all who ever bought, by spend of the last 365 days; 5 is best",
        ),
        Trait(
            "discount_share_90d",
            _T.NUMBER,
            "0–1",
            "近 90 天优惠占比",
            "Discount share, last 90 days",
            "优惠额 ÷（消费额 + 优惠额）；两者都为零的没有",
            "discount ÷ (spend + discount); none where both are zero",
            derive=_discount_share,
        ),
        Trait(
            "days_since_first_visit",
            _T.COUNT,
            "days",
            "距首次到店天数",
            "Days since the first visit",
            "从首次到店日到今天（当地日）",
            "local days from the first visit day to today",
            derive=_days_since("first_visit_day"),
        ),
        Trait(
            "days_since_last_visit",
            _T.COUNT,
            "days",
            "距最近到店天数",
            "Days since the last visit",
            "从最近到店日到今天（当地日）",
            "local days from the last visit day to today",
            derive=_days_since("last_visit_day"),
        ),
        Trait(
            "overdue_ratio",
            _T.NUMBER,
            "×",
            "超期倍数",
            "Overdue ratio",
            "距最近到店天数 ÷ 到店间隔中位数",
            "days since the last visit ÷ median gap",
            derive=_overdue,
        ),
        Trait(
            "lifecycle",
            _T.CHOICE,
            "",
            "生命周期",
            "Lifecycle",
            "prospect 未购；new 首单在 30 天内；active 末单在 90 天内；silent 365 天内；lapsed 更早",
            "prospect: no order; new: first within 30 days; active: last within 90; silent: within 365; lapsed: longer",
            LIFECYCLE,
            _lifecycle,
        ),
        Trait(
            "reachable",
            _T.FLAG,
            "",
            "可触达",
            "Reachable",
            "至少有一个在线的、同意营销的联系方式，且未要求免打扰",
            "has a live relation with consent to marketing, and did not ask to be left alone",
            derive=_reachable,
        ),
        *(
            Trait(
                f"reachable_{channel}",
                _T.FLAG,
                "",
                f"可由{zh}触达",
                f"Reachable by {en}",
                f"{how_zh}，同意在此收营销，未拒收，且未要求免打扰",
                f"{how_en}, with consent to marketing there, did not refuse it, and did not ask to be left alone",
                derive=_on(channel),
            )
            for channel, zh, en, how_zh, how_en in (
                ("wecom", "企业微信", "WeCom", "是某位员工的在线好友", "is a live friend of one of our people"),
                ("sms", "短信", "text message", "有本人的手机号", "has a phone number of their own"),
                ("email", "邮件", "e-mail", "有本人的邮箱", "has an e-mail address of their own"),
            )
        ),
        Trait(
            "pool",
            _T.CHOICE,
            "",
            "客户池",
            "Pool",
            "nurturing 可触达、未购；customer 可触达、已购；不可触达的不在池中",
            "nurturing: reachable, not yet bought; customer: reachable, bought; who is not reachable is in none",
            POOLS,
            _pool,
        ),
        Trait(
            "ladder",
            _T.CHOICE,
            "",
            "客户阶段",
            "Ladder",
            "prospect 潜客、customer 顾客、fan 粉丝、loyalist 铁杆、agent 代理、partner 合伙人；规则在文档 ladder 里",
            "prospect, customer, fan, loyalist, agent or partner, by the rules of the document ladder",
            LADDER,
            _ladder,
        ),
        *_worth(),
    )
}
"""By name, in the order in which they are shown."""


class Traits(Mapping[str, Trait]):
    """The traits that ship, and those of the brand's documents (`learn`).

    Reading asks no database, but for a name that is unknown: another process may have kept it since (`learner`).
    Swapped whole, so that a reader in another thread sees the one or the other.
    """

    def __init__(self) -> None:
        self.learner: Callable[[], None] | None = None
        self.learn({}, (), {})
        self.mark: object = None
        """By what was read last it is known whether there is anything new."""

    def learn(
        self, brand: Mapping[str, Trait], documents: tuple[TraitDocument, ...], former: Mapping[str, Trait]
    ) -> None:
        """Know these traits of the brand's, and no others, beside those that ship. `former` are no more: what was
        written of them can still be read."""
        self.documents = documents
        """The brand's documents, aggregates and formulas."""
        self.former = dict(former)
        self.mark = None
        self.version = object()
        """Another one whenever anything else is known."""
        self._known = {**SHIPPED, **brand}

    def ever(self, name: str) -> Trait | None:
        """The trait of a name, also one that is no more."""
        return self.get(name) or self.former.get(name)

    def __getitem__(self, name: str) -> Trait:
        if name not in self._known and name not in self.former and self.learner is not None:
            self.learner()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


TRAITS = Traits()
"""By name, in the order in which they are shown."""
