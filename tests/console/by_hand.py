"""The pond's own rows, as they came in, and what plain Python makes of them: nothing of what Yutang works out is asked.

Only the instant at which profiles stand is taken over, or nothing could be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from yutang.warehouse.contracts import Statement
from yutang.warehouse.wire import Client

ZONE = ZoneInfo("Asia/Shanghai")
RAW = ("orders", "order_lines", "facts", "fact_relations", "fact_consents", "fact_scopes", "nodes", "invites",
       "person_overrides", "ladder_moves", "events")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """An order that stands, of somebody known. `shelves`: the categories of its lines."""

    person: int
    store: int | None
    at: datetime
    amount: float
    shelves: frozenset[str]

    @property
    def day(self) -> date:
        """The local day."""
        return local(self.at)


def local(at: datetime) -> date:
    return at.astimezone(ZONE).date()


class Rows:
    """Everything of a served pond, by hand."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        client = Client(Path(directory))

        def ask(sql: str) -> list[dict[str, Any]]:
            return client.query(Statement(sql)).to_pylist()

        self.raw = {name: ask(f"SELECT * FROM {name}") for name in RAW}
        state = ask("SELECT value FROM profile_state WHERE name = 'profiles'")
        self.as_of = datetime.fromisoformat(json.loads(state[0]["value"])["as_of"])
        self.today = local(self.as_of)
        self.now_is = {row["birth"]: row["survivor"] for row in self.raw["person_overrides"]}
        shelves: dict[tuple[str, str], set[str]] = {}
        for line in self.raw["order_lines"]:
            shelves.setdefault((line["source"], line["order_id"]), set()).add(line["category"])
        self.orders = sorted(
            (
                Order(
                    self.now_is.get(row["person"], row["person"]),
                    row["store"],
                    utc(row["placed_at"]),
                    float(row["net_amount"]),
                    frozenset(shelves.get((row["source"], row["order_id"]), set())),
                )
                for row in self.raw["orders"]
                if row["cancelled_at"] is None and row["person"] is not None and utc(row["placed_at"]) <= self.as_of
            ),
            key=lambda one: (one.at, one.person),
        )
        self.of: dict[int, list[Order]] = {}
        for one in self.orders:
            self.of.setdefault(one.person, []).append(one)
        self.persons = {row["person"] for row in self.raw["facts"] if row["person"] not in self.now_is}

    def recent(self, person: int, days: int) -> list[Order]:
        """A person's orders of the last so many times 24 hours."""
        return [one for one in self.of.get(person, ()) if one.at > self.as_of - timedelta(days=days)]

    def spent(self, person: int, days: int = 365) -> float:
        return sum(one.amount for one in self.recent(person, days))

    def may_be_reached(self) -> set[int]:
        """Who has a live friend, agreed to marketing there or everywhere, and did not ask to be left alone."""
        said = {(row["person"], row["channel"]): row["granted"] for row in self.raw["fact_consents"]
                if row["purpose"] == "marketing"}  # fmt: skip
        quiet = {row["person"] for row in self.raw["facts"] if row["blocked"] or row["silent"]}
        return {
            row["person"]
            for row in self.raw["fact_relations"]
            if row["live"]
            and row["person"] not in quiet
            and said.get((row["person"], row["channel"]), said.get((row["person"], "*"), False))
        }

    def scores(self) -> dict[int, tuple[int, int, int]]:
        """R, F and M of everybody who ever bought: five equal parts, ties by number."""
        keys = (
            lambda one: self.of[one][-1].at,
            lambda one: len(self.recent(one, 365)),
            lambda one: round(self.spent(one), 2),
        )
        places = []
        for key in keys:
            ordered = sorted(self.of, key=lambda one: (key(one), one))
            places.append({person: 5 * place // len(ordered) + 1 for place, person in enumerate(ordered)})
        return {person: (places[0][person], places[1][person], places[2][person]) for person in self.of}

    def stage(self, person: int) -> str:
        """The stage of life."""
        mine = self.of.get(person)
        if not mine:
            return "prospect"
        if mine[0].at > self.as_of - timedelta(days=30):
            return "new"
        ago = self.as_of - mine[-1].at
        return "active" if ago < timedelta(days=90) else "silent" if ago < timedelta(days=365) else "lapsed"

    def step(self, person: int, reachable: set[int]) -> str:
        """The step of the shipped ladder."""
        year, quarter = self.recent(person, 365), self.recent(person, 90)
        days, lately = {one.day for one in year}, {one.day for one in quarter}
        shelves = {shelf for one in year for shelf in one.shelves}
        if person in reachable and len(days) >= 24 and len(lately) >= 6 and len(shelves) >= 3:
            return "loyalist"
        if person in reachable and len(days) >= 4 and self.stage(person) in ("new", "active"):
            return "fan"
        return "customer" if person in self.of else "prospect"

    def brought(self) -> dict[int, list[datetime]]:
        """When each person brought somebody; a newcomer is credited to whom they came by first."""
        first: dict[int, tuple[datetime, str, int]] = {}
        for row in self.raw["invites"]:
            newcomer, by = (self.now_is.get(row[name], row[name]) for name in ("person", "inviter"))
            told = utc(row["at"]), row["event_id"], by
            if newcomer != by and utc(row["at"]) <= self.as_of:
                first[newcomer] = min(first.get(newcomer, told), told)
        found: dict[int, list[datetime]] = {}
        for at, _, by in first.values():
            found.setdefault(by, []).append(at)
        return found

    def taken(self) -> dict[int, list[datetime | None]]:
        """When each person took each step of the loop: met, bought, again, of another category, brought somebody."""
        born = {row["person"]: utc(row["born_at"]) for row in self.raw["facts"] if row["born_at"] is not None}
        brought, found = self.brought(), {}
        for person in self.persons:
            mine = self.of.get(person, [])
            times: list[datetime | None] = [min([born[person]] * (person in born) + [one.at for one in mine[:1]])]
            later = [one for one in mine if one.at > mine[0].at]
            first = {shelf for one in mine if one.at == mine[0].at for shelf in one.shelves}
            other = [one.at for one in later if one.shelves - first]
            times += [mine[0].at if mine else None, later[0].at if later else None]
            times.append(other[0] if other else None)
            times.append(max(other[0], min(brought[person])) if other and person in brought else None)
            found[person] = times
        return found


def utc(at: datetime) -> datetime:
    """What comes from the warehouse has no zone and is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def money(value: float, digits: int = 0) -> str:
    """An amount as pages show it."""
    return f"{'−' if round(value, digits) < 0 else ''}¥{abs(value):,.{digits}f}"


def signed(value: float, digits: int = 0) -> str:
    """With its sign."""
    return ("+" if value > 0 else "") + money(value, digits)


def share(part: float, whole: float, digits: int = 1) -> str:
    """A share as pages show it."""
    return f"{100 * part / whole:,.{digits}f} %" if whole else "–"


def total(several: Iterable[float]) -> float:
    """Their sum to the cent."""
    return round(sum(several), 2)
