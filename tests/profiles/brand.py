"""The brand's own traits in tests: documents at random, and their values the slow and obvious way."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.profiles.worlds import World
from yutang.kernel.documents import from_data
from yutang.profiles.documents import TraitDocument
from yutang.warehouse.contracts import Statement, Warehouse

HOURS = {"h": 1, "d": 24, "w": 168}
CAMPAIGNS = ["it's", "back\\slash", "优惠 '券'", "plain"]
CATEGORIES = ["milk", "beef", *CAMPAIGNS[:3]]


def trait(name: str, **said: Any) -> dict[str, Any]:
    """The data of a trait document."""
    return {"kind": "trait", "name": name, "schema": 1, "title": {"zh": name, "en": name}, **said}


def read_traits(several: Iterable[Mapping[str, Any]]) -> list[TraitDocument]:
    """The documents of data."""
    found = [from_data(data) for data in several]
    assert all(isinstance(document, TraitDocument) for document in found)
    return found  # type: ignore[return-value]


# At random --------------------------------------------------------------------------------------------------------

windows = st.one_of(
    st.just({}),
    st.sampled_from(["30d", "45d", "1d", "36h", "5w", "90d"]).map(lambda span: {"within": span}),
    st.dates(datetime(2016, 9, 1).date(), datetime(2017, 11, 2).date()).map(lambda day: {"since": str(day)}),
    st.tuples(st.integers(0, 400), st.integers(0, 300)).map(
        lambda t: {
            "since": str((datetime(2016, 9, 1) + timedelta(days=t[0])).date()),
            "until": str((datetime(2016, 9, 1) + timedelta(days=sum(t))).date()),
        }
    ),
)
after = st.sampled_from([None, None, None, ["coupon.redeemed"], ["message.sent", "order.refunded"]])
amounts = st.sampled_from([{"more_than": 5}, {"at_most": 12.5}, {"between": [1, 20]}])
texts = st.lists(st.sampled_from(CAMPAIGNS), min_size=1, max_size=2)
categories = st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=2)
_PLAIN = ("sum", "min", "max", "mean", "distinct", "first", "last")


def _some(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=strategies)


_sources = st.sampled_from(["shop", ["shop", "app"]])
_where = {
    "events": st.one_of(
        st.tuples(
            st.sampled_from(["message.sent", ["coupon.redeemed", "order.refunded"], ["message.sent"]]),
            _some(source=_sources, channel=st.just("wecom"), amount=amounts),
        ).map(lambda t: {"type": t[0], **t[1]}),
        st.fixed_dictionaries(
            {"type": st.just("campaign.targeted")}, optional={"props": texts.map(lambda t: {"campaign": t})}
        ),
    ),
    "orders": _some(source=st.sampled_from(["shop", "nowhere"]), amount=amounts),
    "lines": _some(categories=categories, skus=categories.map(lambda c: [f"sku of {one}" for one in c])),
    "touches": _some(channel=st.sampled_from(["wecom", ["sms", "wecom"]]), **{"class": st.just("marketing")}),
}


def _taken_of(kind: str) -> list[tuple[str, str | None]]:
    """Every `take` with each `what` of rows of a kind."""
    numbers = {"events": ["amount"], "orders": ["amount", "discount"], "lines": ["amount"], "touches": []}[kind]
    words = {
        "events": ["source", "channel", "type", "hour", "weekday"],
        "orders": ["source", "hour", "weekday"],
        "lines": ["category", "sku", "hour"],
        "touches": ["channel", "class", "hour"],
    }[kind]
    words += ["props.campaign"] if kind == "events" else []
    keys = {"events": ["day"], "orders": ["store", "day"], "lines": ["order", "day"], "touches": ["plan"]}[kind]
    return [
        ("count", None),
        ("first", None),
        ("last", None),
        *((take, what) for take in _PLAIN for what in numbers),
        *((take, what) for take in ("distinct", "first", "last", "most_frequent") for what in words),
        *(("distinct", what) for what in keys),
    ]


@st.composite
def aggregates(draw: st.DrawFn, name: str = "t") -> dict[str, Any]:
    """The data of an aggregate."""
    kind = draw(st.sampled_from(["events", "orders", "lines", "touches"]))
    take, what = draw(st.sampled_from(_taken_of(kind)))
    where = {"type": "campaign.targeted"} if what == "props.campaign" else draw(_where[kind])
    said = {"of": kind, "take": take, **({"what": what} if what else {}), **({"where": where} if where else {})}
    answered = draw(after)
    return trait(name, **said, **draw(windows), **({"after_last": answered} if answered else {}))


FORMULAS = (
    "t0 + t1 * 2 - t2 / 3",
    "max(orders_ever, 2, t0) / min(t1, spend_ever)",
    "coalesce(median_gap_days, t0, 0 - 1)",
    "if(t0 > t1, t0, if(t1 = 0, 1, t1 / 7))",
    "days_between(last_order_at, today) - days_between(first_visit_day, last_order_at)",
    "if(lifecycle = 'new', 1, days_since_last_visit)",
    "t0 >= 2 * t1",
    "if(t3, 1, 0) + t1",
)


@st.composite
def brands(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some traits of a brand: `t0`, `t1`, `t2` are numbers, `t3` holds or does not, `f…` are derived, `x…` are any."""
    numbers = aggregates().filter(lambda data: _is_number(data))
    named = [{**draw(numbers), "name": f"t{n}"} for n in range(3)]
    more = [{**draw(aggregates()), "name": f"x{n}"} for n in range(draw(st.integers(1, 5)))]
    chosen = draw(st.lists(st.sampled_from(FORMULAS), max_size=3, unique=True))
    derived = [trait(f"f{n}", formula=formula) for n, formula in enumerate(chosen)]
    return [*named, trait("t3", formula="t0 < t2"), *more, *derived]


def _is_number(data: Mapping[str, Any]) -> bool:
    if data["take"] in ("count", "distinct", "sum", "mean"):
        return True
    return data.get("what") in ("amount", "discount", "hour", "weekday")


# The slow way -----------------------------------------------------------------------------------------------------


def rows_of(world: World, kind: str, person: int) -> list[dict[str, Any]]:
    """The rows of a person, each with `at` (aware) and its fields."""
    if kind in ("orders", "lines"):
        mine = [o for o in world.orders.values() if world.survivor(o.person) == person and not o.cancelled]
        if kind == "orders":
            return [
                {"at": o.placed_at, "amount": o.amount, "discount": o.discount, "source": "shop", "store": o.store}
                for o in mine
            ]
        return [
            {
                "at": o.placed_at, "amount": amount, "category": category, "sku": f"sku of {category}",
                "source": "shop", "order": o.id,
            }
            for o in mine
            for category, amount in o.lines
        ]  # fmt: skip
    events = [e for e in world.events if world.survivor(e["person"]) == person]
    if kind == "events":
        return [{**e, "at": e["occurred_at"].replace(tzinfo=UTC)} for e in events]
    told = [t for t in world.touches if world.survivor(t["person"]) == person]
    beside = [e for e in events if e["type"] == "message.sent" and e["source"] == "sidebar"]
    return [
        *({**t, "class": t["touch_class"]} for t in told),
        *(
            {
                "at": e["occurred_at"].replace(tzinfo=UTC), "channel": e["channel"], "plan": None,
                "class": json.loads(e["props"] or "{}").get("class"),
            }
            for e in beside
        ),
    ]  # fmt: skip


class Traits:
    """The values of a brand's traits at an instant; `shipped` tells a shipped trait's value of a person."""

    def __init__(self, world: World, as_of: datetime, zone: str, brand: Iterable[Mapping[str, Any]]) -> None:
        self.world, self.as_of, self.zone = world, as_of, ZoneInfo(zone)
        self.brand = {data["name"]: data for data in brand}

    def value(self, name: str, person: int, shipped: Any) -> Any:
        """Of one person; `shipped(name, person)` tells of the others."""
        if name not in self.brand:
            return shipped(name, person)
        data = self.brand[name]
        if "formula" in data:
            return Formula(
                data["formula"], lambda other: self.plain(self.value(other, person, shipped)), self.day(self.as_of)
            ).said
        return self.aggregate(data, person)

    def plain(self, value: Any) -> Any:
        """As formulas see it: numbers are floating-point, instants are their local day."""
        if isinstance(value, datetime):
            return self.day(value.replace(tzinfo=UTC))
        plain = isinstance(value, bool) or not isinstance(value, int | Decimal)
        return value if plain else float(value)

    def day(self, at: datetime) -> Any:
        return at.astimezone(self.zone).date()

    def aggregate(self, data: Mapping[str, Any], person: int) -> Any:
        rows = [row for row in self.counted(data, person) if row["at"] <= self.as_of]
        take, what = data["take"], data.get("what")
        if take == "count":
            return len(rows)
        if what is None:
            ats = [row["at"] for row in rows]
            return (min(ats) if take == "first" else max(ats)).replace(tzinfo=None) if ats else None
        values = [(row["at"], self.field(row, what)) for row in rows]
        only = [value for _, value in values]
        match take:
            case "distinct":
                return len(set(only))
            case "sum":
                return sum(only, Decimal(0))
            case _ if not values:
                return None
            case "min":
                return min(only)
            case "max":
                return max(only)
            case "mean":
                return float(sum(only, Decimal(0))) / len(only)
            case "first":
                return min(values)[1]
            case "last":
                latest = max(at for at, _ in values)
                return min(value for at, value in values if at == latest)
        times = {value: (only.count(value), max(at for at, other in values if other == value)) for value in set(only)}
        best = max(times.values())
        return min(value for value, place in times.items() if place == best)

    def next_edge(self, data: Mapping[str, Any], person: int) -> datetime | None:
        """When time alone may next change it."""
        rows = self.counted(data, person)
        edges = [row["at"] for row in rows if row["at"] > self.as_of]
        if "within" in data:
            edges += [row["at"] + self.span(data) for row in rows if row["at"] <= self.as_of]
        if rows and "after_last" in data:
            edges += [at for at in self.acts(data, person) if at > self.as_of]
        return min((edge.replace(tzinfo=None) for edge in edges), default=None)

    def counted(self, data: Mapping[str, Any], person: int) -> list[dict[str, Any]]:
        """The rows that count, those to come among them."""
        rows = [row for row in rows_of(self.world, data["of"], person) if self.is_such(row, data.get("where", {}))]
        if "within" in data:
            rows = [row for row in rows if row["at"] > self.as_of - self.span(data)]
        rows = [
            row for row in rows if str(data.get("since", "")) <= str(self.day(row["at"])) <= str(data.get("until", "9"))
        ]
        if "after_last" in data:
            done = [at for at in self.acts(data, person) if at <= self.as_of]
            rows = [row for row in rows if not done or row["at"] > max(done)]
        what = data.get("what")
        return [row for row in rows if what is None or self.field(row, what) is not None]

    def acts(self, data: Mapping[str, Any], person: int) -> list[datetime]:
        return [row["at"] for row in rows_of(self.world, "events", person) if row["type"] in data["after_last"]]

    def span(self, data: Mapping[str, Any]) -> timedelta:
        return timedelta(hours=int(data["within"][:-1]) * HOURS[data["within"][-1]])

    def field(self, row: Mapping[str, Any], what: str) -> Any:
        local = row["at"].astimezone(self.zone)
        if what == "hour":
            return float(local.hour)
        if what == "weekday":
            return float(local.isoweekday())
        if what.startswith("props."):
            return json.loads(row["props"] or "{}").get(what.removeprefix("props."))
        return local.date() if what == "day" else row[what]

    def is_such(self, row: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
        goods = where.get("categories", ()), where.get("skus", ())
        if any(goods) and row["category"] not in goods[0] and row["sku"] not in goods[1]:
            return False
        for name in ("type", "source", "channel", "class"):
            if name in where and row[name] not in ([where[name]] if isinstance(where[name], str) else where[name]):
                return False
        if "amount" in where and not (row["amount"] is not None and within(where["amount"], row["amount"])):
            return False
        props = json.loads(row.get("props") or "{}")
        return all(props.get(name) in wanted for name, wanted in where.get("props", {}).items())


def within(bounds: Mapping[str, Any], value: Decimal) -> bool:
    """Whether an amount keeps to bounds."""

    def plain(given: float) -> Decimal:
        return Decimal(str(given))

    tests = {
        "more_than": lambda b: value > plain(b),
        "at_most": lambda b: value <= plain(b),
        "between": lambda b: plain(b[0]) <= value <= plain(b[1]),
    }
    return all(tests[name](bound) for name, bound in bounds.items())


class Formula:
    """A formula, worked out by Python's own reading of it: unknown is None, and spreads."""

    def __init__(self, written: str, value: Any, today: Any) -> None:
        self._value, self._today = value, today
        text = written.replace(" = ", " == ").replace("if(", "if_(")
        self.said = self.of(ast.parse(text, mode="eval").body)

    def of(self, node: Any) -> Any:
        match node:
            case ast.Constant(value):
                return float(value) if isinstance(value, int | float) else value
            case ast.Name(name):
                return self._today if name == "today" else self._value(name)
            case ast.Compare(left, [operator], [right]):
                return self.compare(type(operator).__name__, self.of(left), self.of(right))
            case ast.BinOp(left, operator, right):
                return self.arithmetic(type(operator).__name__, self.of(left), self.of(right))
            case ast.Call(ast.Name(name), arguments):
                return self.call(name, [self.of(one) for one in arguments])
        raise AssertionError(ast.dump(node))

    @staticmethod
    def compare(operator: str, left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        return {
            "Gt": lambda: left > right, "GtE": lambda: left >= right, "Lt": lambda: left < right,
            "LtE": lambda: left <= right, "Eq": lambda: left == right, "NotEq": lambda: left != right,
        }[operator]()  # fmt: skip

    @staticmethod
    def arithmetic(operator: str, left: Any, right: Any) -> Any:
        if left is None or right is None or (operator == "Div" and right == 0):
            return None
        return {
            "Add": lambda: left + right, "Sub": lambda: left - right,
            "Mult": lambda: left * right, "Div": lambda: left / right,
        }[operator]()  # fmt: skip

    def call(self, name: str, parts: list[Any]) -> Any:
        if name == "if_":
            return parts[1] if parts[0] else parts[2]
        if name == "coalesce":
            return next((part for part in parts if part is not None), None)
        if any(part is None for part in parts):
            return None
        if name == "days_between":
            return float((parts[1] - parts[0]).days)
        return min(parts) if name == "min" else max(parts)


# What stands ------------------------------------------------------------------------------------------------------


def stored_more(warehouse: Warehouse) -> dict[tuple[int, str], dict[str, Any]]:
    """Every row of `profile_more`, by person and trait."""
    rows = warehouse.query(Statement("SELECT * FROM profile_more")).to_pylist()
    found = {(row.pop("person"), row.pop("trait")): row for row in rows}
    assert len(found) == len(rows), "a trait of a person stands twice"
    return found


def expected_more(traits: Traits) -> dict[tuple[int, str], dict[str, Any]]:
    """Every row that must stand there."""
    found = {}
    for data in traits.brand.values():
        if "formula" in data:
            continue
        column = read_traits([data])[0].column
        for person in traits.world.persons:
            row: dict[str, Any] = dict.fromkeys(("number", "amount", "text", "at"))
            if any(one["at"] <= traits.as_of for one in traits.counted(data, person)):
                row[column] = traits.aggregate(data, person)
            row["next_edge_at"] = traits.next_edge(data, person)
            if any(value is not None for value in row.values()):
                found[person, data["name"]] = row
    return found
