"""Membership, the slow and obvious way: one person, one rule, one row at a time, from rules as they were written."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.profiles import oracle
from tests.profiles.brand import Traits
from tests.segments.worlds import NODES, Pond

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "is": operator.eq,
    "is_not": operator.ne,
    "at_least": operator.ge,
    "at_most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
    "between": lambda value, ends: ends[0] <= value <= ends[1],
    "in": lambda value, listed: value in listed,
}
WORTH = {
    "existing_value_365d": "existing_365d",
    "potential_value": "potential",
    "potential_low": "potential_low",
    "potential_high": "potential_high",
    "alive_probability": "alive",
    "churn_risk": "churn",
    "next_order_day": "next_order_day",
    "brought": "brought",
    "model_value_one": "model_one",
    "model_value_tree": "model_tree",
}
BELOW = {"north": {7, 8}, "south": {9}}
USUALLY = (
    *("orders_365d", "spend_365d", "categories_365d", "median_gap_days", "days_since_first_visit"),
    *("days_since_last_visit", "discount_share_90d"),
)
LIFECYCLES = ["prospect", "new", "active", "silent", "lapsed"]
HOURS = {"h": 1, "d": 24, "w": 168}


class Oracle:
    """Everything known of a pond at an instant; `others` are the rules of segments that rules refer to, `brand` the
    trait documents."""

    def __init__(
        self,
        pond: Pond,
        as_of: datetime,
        zone: str,
        others: Mapping[str, dict[str, Any]],
        brand: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.pond, self.as_of, self.zone, self.others = pond, as_of, ZoneInfo(zone), others
        self.profiles = oracle.profiles(pond, as_of, zone)
        self.brand = Traits(pond, as_of, zone, brand)
        self._alike: dict[str, set[int]] = {}

    def members(self, rule: dict[str, Any]) -> set[int]:
        return {person for person in self.pond.persons if self.holds(rule, person)}

    def holds(self, rule: dict[str, Any], person: int) -> bool:
        kind = next(name for name in rule if hasattr(self, f"if_{name}"))
        return bool(getattr(self, f"if_{kind}")(rule, person))

    def if_all(self, rule: dict[str, Any], person: int) -> bool:
        return all(self.holds(branch, person) for branch in rule["all"])

    def if_any(self, rule: dict[str, Any], person: int) -> bool:
        return any(self.holds(branch, person) for branch in rule["any"])

    def if_not(self, rule: dict[str, Any], person: int) -> bool:
        return not self.holds(rule["not"], person)

    def if_segment(self, rule: dict[str, Any], person: int) -> bool:
        return self.holds(self.others[rule["segment"]], person)

    def if_trait(self, rule: dict[str, Any], person: int) -> bool:
        value = self.value(rule["trait"], person)
        conditions = {name: given for name, given in rule.items() if name != "trait"}
        if "known" in conditions and conditions.pop("known") != (value is not None):
            return False
        if not conditions:
            return True
        if isinstance(value, datetime):
            value = value.replace(tzinfo=UTC).astimezone(self.zone).date()
        return value is not None and self.within(conditions, value)

    def within(self, conditions: dict[str, Any], value: Any) -> bool:
        def plain(given: Any) -> Any:
            if isinstance(given, list | tuple):
                return [plain(item) for item in given]
            if isinstance(value, date) and isinstance(given, str):
                return date.fromisoformat(given)
            return Decimal(str(given)) if isinstance(value, Decimal) else given

        return all(COMPARE[name](value, plain(given)) for name, given in conditions.items())

    def value(self, trait: str, person: int) -> Any:
        return self.brand.value(trait, person, self.shipped)

    def shipped(self, trait: str, person: int) -> Any:
        row = self.profiles[person]
        if trait in row:
            return row[trait]
        if trait in WORTH:
            return self.pond.worth.get(person, {}).get(WORTH[trait])
        return getattr(self, f"get_{trait}")(row, person)

    def get_discount_share_90d(self, row: dict[str, Any], _: int) -> float | None:
        whole = row["spend_90d"] + row["discount_90d"]
        return float(row["discount_90d"]) / float(whole) if whole else None

    def get_cost_known_365d(self, row: dict[str, Any], _: int) -> float | None:
        return float(row["costed_365d"] or 0) / float(row["spend_365d"]) if row["spend_365d"] else None

    def get_cost_known_ever(self, row: dict[str, Any], _: int) -> float | None:
        return float(row["costed_ever"] or 0) / float(row["spend_ever"]) if row["spend_ever"] else None

    def get_days_since_first_visit(self, row: dict[str, Any], _: int) -> int | None:
        return self.days_since(row["first_visit_day"])

    def get_days_since_last_visit(self, row: dict[str, Any], _: int) -> int | None:
        return self.days_since(row["last_visit_day"])

    def days_since(self, day: date | None) -> int | None:
        return (self.as_of.astimezone(self.zone).date() - day).days if day else None

    def get_overdue_ratio(self, row: dict[str, Any], person: int) -> float | None:
        late, gap = self.get_days_since_last_visit(row, person), row["median_gap_days"]
        return None if late is None or gap is None else late / gap

    def get_lifecycle(self, row: dict[str, Any], _: int) -> str:
        if not row["orders_ever"]:
            return "prospect"
        now = self.as_of.replace(tzinfo=None)
        if row["first_order_at"] > now - timedelta(days=30):
            return "new"
        age = now - row["last_order_at"]
        return "active" if age < timedelta(days=90) else "silent" if age < timedelta(days=365) else "lapsed"

    def get_reachable(self, _: dict[str, Any], person: int) -> bool:
        return bool(self._ways(person))

    def get_reachable_wecom(self, _: dict[str, Any], person: int) -> bool:
        return "wecom" in self._ways(person)

    def get_reachable_sms(self, _: dict[str, Any], person: int) -> bool:
        return "sms" in self._ways(person)

    def get_reachable_email(self, _: dict[str, Any], person: int) -> bool:
        return "email" in self._ways(person)

    def _ways(self, person: int) -> set[str]:
        """By whose friendship; no address is known to this pond."""
        if self.pond.facts[person]["blocked"] or self.pond.facts[person]["silent"]:
            return set()
        live = {r["channel"] for r in self.pond.relations if r["person"] == person and r["live"]}
        return {channel for channel in live if self.consented(person, "marketing", channel)}

    def get_pool(self, row: dict[str, Any], person: int) -> str | None:
        if not self.get_reachable(row, person):
            return None
        return "customer" if row["orders_ever"] else "nurturing"

    def get_ladder(self, _: dict[str, Any], person: int) -> str:
        return "prospect"  # nobody was told of yet

    def consented(self, person: int, purpose: str, channel: str) -> bool:
        words = {
            c["channel"]: c["granted"] for c in self.pond.consents if c["person"] == person and c["purpose"] == purpose
        }
        return bool(words.get(channel, words.get("*", False)))

    def if_event(self, rule: dict[str, Any], person: int) -> bool:
        mine = [e for e in self.pond.events if self.pond.survivor(e["person"]) == person and e["type"] == rule["event"]]
        mine = [e for e in mine if self.in_window(rule, e["occurred_at"].replace(tzinfo=UTC))]
        mine = [e for e in mine if self.is_such(e, rule.get("where", {}))]
        return self.within(rule.get("count", {"at_least": 1}), len(mine))

    def is_such(self, event: dict[str, Any], where: dict[str, Any]) -> bool:
        for name in ("source", "channel"):
            if name in where and event[name] not in listed(where[name]):
                return False
        if "amount" in where and (event["amount"] is None or not self.within(where["amount"], event["amount"])):
            return False
        props = json.loads(event["props"] or "{}")
        return all(props.get(name) in listed(wanted) for name, wanted in where.get("props", {}).items())

    def in_window(self, rule: dict[str, Any], at: datetime) -> bool:
        if at > self.as_of:
            return False
        if "within" in rule and at <= self.as_of - timedelta(
            hours=int(rule["within"][:-1]) * HOURS[rule["within"][-1]]
        ):
            return False
        day = str(at.astimezone(self.zone).date())
        return str(rule.get("since", "")) <= day <= str(rule.get("until", "9"))

    def if_bought(self, rule: dict[str, Any], person: int) -> bool:
        baskets, spend = set(), Decimal(0)
        for order in self.pond.orders.values():
            if self.pond.survivor(order.person) != person or order.cancelled:
                continue
            for category, amount in order.lines:
                wanted = rule["bought"].get("categories", ()), rule["bought"].get("skus", ())
                if (category in wanted[0] or f"sku of {category}" in wanted[1]) and self.in_window(
                    rule, order.placed_at
                ):
                    baskets.add(order.id)
                    spend += amount
        if "baskets" not in rule and "spend" not in rule:
            return bool(baskets)
        return self.within(rule.get("baskets", {}), len(baskets)) and self.within(rule.get("spend", {}), spend)

    def if_tag(self, rule: dict[str, Any], person: int) -> bool:
        return any(t["person"] == person and t["tag"] in listed(rule["tag"]) for t in self.pond.tags)

    def if_store(self, rule: dict[str, Any], person: int) -> bool:
        stores = {int(code[1:]) for code in listed(rule["store"])}
        return self.is_at(rule, person, stores, stores)

    def if_region(self, rule: dict[str, Any], person: int) -> bool:
        codes = listed(rule["region"])
        regions = {int(n.id) for n in NODES.nodes if n.code in codes}
        return self.is_at(rule, person, set().union(*(BELOW[code] for code in codes)), regions)

    def is_at(self, rule: dict[str, Any], person: int, stores: set[int], nodes: set[int]) -> bool:
        if rule.get("by") == "scope":
            return any(s["person"] == person and s["node"] in nodes for s in self.pond.scopes)
        return self.profiles[person]["home_store"] in stores

    def if_consent(self, rule: dict[str, Any], person: int) -> bool:
        return self.consented(person, rule["consent"]["purpose"], rule["consent"]["channel"])

    def if_in_group(self, rule: dict[str, Any], person: int) -> bool:
        mine = [
            (json.loads(e["props"])["group"], e["type"]) for e in self.pond.events
            if e["type"] in ("group.joined", "group.left") and self.pond.survivor(e["person"]) == person
            and e["occurred_at"].replace(tzinfo=UTC) <= self.as_of
        ]  # fmt: skip
        return any(mine.count((g, "group.joined")) > mine.count((g, "group.left")) for g in listed(rule["in_group"]))

    def if_recorded(self, rule: dict[str, Any], person: int) -> bool:
        until = datetime.fromisoformat(rule["recorded"]["at"]).replace(tzinfo=None)
        mine = [
            change["entered"] for change in self.pond.changes
            if change["segment"] == rule["recorded"]["segment"] and change["at"] <= until
            and self.pond.survivor(change["person"]) == person
        ]  # fmt: skip
        return mine.count(True) > mine.count(False)

    def if_looks_like(self, rule: dict[str, Any], person: int) -> bool:
        asked = rule["looks_like"]
        key = json.dumps(asked, sort_keys=True)
        if key not in self._alike:
            self._alike[key] = self.alike(asked)
        return person in self._alike[key]

    def alike(self, asked: dict[str, Any]) -> set[int]:
        """The first of those who score more than nothing, by score and then by age."""
        seed = self.members(self.others[asked["segment"]])
        others = self.pond.persons - seed
        if not seed or not others:
            return set()
        score = dict.fromkeys(others, 0)
        for trait in asked.get("traits", USUALLY):
            band = self.bands(trait)
            kinds = len(LIFECYCLES) + 1 if trait == "lifecycle" else 5 if any(band.values()) else 2
            for person in others:
                mine = [sum(band[one] == band[person] for one in whole) for whole in (seed, others)]
                inside, outside = ((n + 1) / (len(w) + kinds) for n, w in zip(mine, (seed, others), strict=True))
                score[person] += round(1000 * (math.log(inside) - math.log(outside)))
        first = sorted((person for person in others if score[person] > 0), key=lambda one: (-score[one], one))
        share = Decimal(str(asked.get("share", "0.05")))
        return set(first[: asked.get("top") or math.ceil(share * len(others))])

    def bands(self, trait: str) -> dict[int, int]:
        """In which quarter of everybody's values each person's is, in whole hundredths; 0 for none."""
        value = {person: self.value(trait, person) for person in self.pond.persons}
        if trait == "lifecycle":
            return {person: 1 + LIFECYCLES.index(its) for person, its in value.items()}
        whole = {person: math.floor(float(its) * 100) for person, its in value.items() if its is not None}
        row = sorted(whole.values())
        edges = []
        for quarter in (1, 2, 3) if row else ():
            place, rest = divmod((len(row) - 1) * quarter, 4)
            edges.append(row[place] + Fraction(rest, 4) * (row[min(place + 1, len(row) - 1)] - row[place]))
        return {
            person: 1 + sum(whole[person] > edge for edge in edges) if person in whole else 0
            for person in self.pond.persons
        }

    def if_pool(self, rule: dict[str, Any], person: int) -> bool:
        return self.get_pool(self.profiles[person], person) == rule["pool"]


def listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value)
