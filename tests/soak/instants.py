"""Random instants × random segments on random ponds with random traits, against the naive oracle: no difference.

Run: python -m tests.soak.instants --instants 1000 --segments 30 [--engine clickhouse] [--seed 1]

Each pond is brought from instant to instant by refreshes, in time's order, on the edges of what is in it; at each, the
profiles, the brand's traits and who is in every segment are compared. Ten of the segments are those of
`tests/bench/segments.yaml`; half of the ponds speak of what these ask for.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.bench import environment  # noqa: F401
from tests.profiles import oracle
from tests.profiles.brand import Traits, brands, expected_more, read_traits, stored_more
from tests.profiles.worlds import stored
from tests.segments.oracle import Oracle
from tests.segments.worlds import INSTANTS, NODES, ZONE, Pond, leaves, own_leaves, ponds, put_pond, segment, trees
from tests.warehouse.clickhouse import warehouse_of
from tests.warehouse.fixtures import fresh_duckdb
from yutang.profiles.contracts import Moment
from yutang.profiles.registry import learn_these
from yutang.profiles.services import rebuild, refresh
from yutang.segments.compile import compile_memberships
from yutang.segments.contracts import Context
from yutang.segments.documents import SegmentDocument
from yutang.segments.fitting import fit
from yutang.warehouse.contracts import Statement, Warehouse

T = TypeVar("T")
TEN = Path(__file__).parents[1] / "bench" / "segments.yaml"
PER_POND, PONDS = 10, 5
SPANS = [timedelta(days=n) for n in (0, 0, 1, 30, 35, 45, 60, 90, 180, 365)] + [timedelta(hours=36)]


def gather(strategy: st.SearchStrategy[T], wanted: int, number: int) -> list[T]:
    """So many examples of a strategy, the same ones for the same number."""
    found: list[T] = []

    @seed(number)
    @settings(
        max_examples=wanted,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def take(example: T) -> None:
        found.append(example)

    take()
    return found


def as_the_ten_say(pond: Pond) -> Pond:
    """The pond with the goods, tags, campaigns and sources that the ten segments ask for."""
    goods = {"milk": "category 3", "beef": "category 9", "it's": "category 1", "back\\slash": "category 4"}
    orders = {
        id_: replace(one, lines=tuple((goods.get(category or "", category), amount) for category, amount in one.lines))
        for id_, one in pond.orders.items()
    }
    events = [
        {
            **event,
            "source": "mall" if event["type"] == "coupon.redeemed" and event["source"] == "app" else event["source"],
            "props": event["props"] and event["props"].replace('"plain"', '"c1"'),
        }
        for event in pond.events
    ]
    tags = [{**tag, "tag": {"it's": "tag 1", "plain": "tag 2"}.get(tag["tag"], tag["tag"])} for tag in pond.tags]
    tags = list({(tag["person"], tag["tag"]): tag for tag in tags}.values())
    return replace(pond, orders=orders, events=events, tags=tags)


def instants_of(pond: Pond, dice: random.Random, wanted: int) -> list[datetime]:
    """Instants at which something of the pond enters or leaves some window, just before and after, and any others."""
    seen = [one.placed_at for one in pond.orders.values()]
    seen += [one["occurred_at"].replace(tzinfo=UTC) for one in pond.events] + [one["at"] for one in pond.touches]
    found = set()
    while len(found) < wanted:
        tick = timedelta(microseconds=dice.choice([-1, 0, 0, 1]))
        at = dice.choice(seen) + dice.choice(SPANS) + tick
        if dice.random() < 0.2:
            at += timedelta(seconds=dice.randint(-40 * 86400, 40 * 86400))
        found.add(at)
    return sorted(found)


class Run:
    """One run: what was compared, and what differed."""

    def __init__(self, warehouse: Warehouse, *, number: int, segments: int) -> None:
        self.warehouse, self.segments = warehouse, segments
        self.dice = random.Random(number)
        self.number = number
        data = yaml.safe_load(TEN.read_text(encoding="utf-8"))
        self.ten = {one["name"]: one["where"] for one in data}
        self.instants = self.compared = self.members = self.computed = 0
        self.differences: list[str] = []

    def brand(self, wanted: int) -> None:
        """Some ponds of one brand, until so many instants were looked at."""
        self.number += 1
        brand = gather(brands(), 7, self.number)[-1]
        learn_these(read_traits(brand))
        own = gather(trees(own_leaves), 6, self.number)
        others = {"other": own[-1], "another": {"not": {"segment": "other"}}, **self.ten}
        rules = gather(trees(leaves), 3 * self.segments, self.number)
        at = self.dice.choice(INSTANTS)
        for number, pond in enumerate(gather(ponds(at), PONDS + 1, self.number)[1:]):
            told = as_the_ten_say(pond) if number % 2 else pond
            for place, instant in enumerate(instants_of(told, self.dice, min(PER_POND, wanted))):
                if not place:
                    self.warehouse.write(put_pond(told))
                (refresh if place else rebuild)(self.warehouse, instant, zone=ZONE)
                chosen = self.dice.sample(rules, min(len(rules), max(0, self.segments - len(self.ten))))
                self.look(told, instant, brand, others, [*self.ten.values(), *chosen][: self.segments])
                wanted -= 1
            if wanted <= 0:
                return

    def look(
        self,
        pond: Pond,
        at: datetime,
        brand: Sequence[dict[str, Any]],
        others: dict[str, dict[str, Any]],
        rules: Sequence[dict[str, Any]],
    ) -> None:
        """Compare everything at one instant."""
        self.instants += 1
        naive = Oracle(pond, at, ZONE, others, brand)
        self.same("profiles", at, stored(self.warehouse), oracle.profiles(pond, at, ZONE))
        more = stored_more(self.warehouse)
        self.computed += len(more)
        self.same("traits", at, more, expected_more(Traits(pond, at, ZONE, brand)))
        documents = [segment(rule, f"s{n}") for n, rule in enumerate(rules)]
        context = Context(
            Moment(at, ZONE), NODES, lambda name: segment(others[name], name), partial(fit, self.warehouse)
        )
        found = self.answer(documents, context)
        for document, rule in zip(documents, rules, strict=True):
            members = {row["person"] for row in found if row[document.name]}
            self.members += len(members)
            self.compared += 1
            self.same(f"segment {rule}", at, members, naive.members(rule))

    def answer(self, documents: list[SegmentDocument], context: Context) -> list[dict[str, Any]]:
        statement = Statement(compile_memberships(documents, context), name="soak/instants")
        return self.warehouse.query(statement).to_pylist()

    def same(self, what: str, at: datetime, found: Any, expected: Any) -> None:
        """Note a difference."""
        if found != expected:
            self.differences.append(f"{at.isoformat()} {what}: {found} instead of {expected}")
            print(self.differences[-1][:2000], flush=True)


def main() -> int:
    """Run and say what was compared; 1 if anything differed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instants", type=int, default=1000)
    parser.add_argument("--segments", type=int, default=30)
    parser.add_argument("--engine", choices=("duckdb", "clickhouse"), default="duckdb")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        opened = warehouse_of if asked.engine == "clickhouse" else fresh_duckdb
        warehouse = opened(Path(folder))
        run = Run(warehouse, number=1000 * asked.seed, segments=asked.segments)
        while run.instants < asked.instants:
            run.brand(asked.instants - run.instants)
        warehouse.close()
    print(
        f"{run.instants:,} instants × {asked.segments} segments on {asked.engine}: {run.compared:,} memberships "
        f"({run.members:,} members) and {run.computed:,} values of traits compared, "
        f"{len(run.differences)} differences; seed {asked.seed}, {time.process_time() - start:.0f} s of CPU"
    )
    return 1 if run.differences else 0


if __name__ == "__main__":
    sys.exit(main())
