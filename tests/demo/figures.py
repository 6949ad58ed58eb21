"""Every figure of the demo as Yutang's own rooms compute it, in a pond of its own.

`python -m tests.demo.figures DIRECTORY` loads the demo into a fresh data directory through the real door and prints one
line of JSON. A process of its own, for one process has one data directory.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

LAUNCH = "2017-12-04"
HALF_YEAR = "2017-06-04"
DIAPERS = ["DIAPERS & DISPOSABLES"]
BABY = [*DIAPERS, "INFANT FORMULA", "BABY FOODS", "BABYFOOD"]
WIPES = ["婴儿湿巾"]
THRICE = {"at_least": 3}
SEGMENTS: dict[str, Any] = {
    "baby_active": {
        "all": [{"bought": {"categories": BABY}, "baskets": THRICE}, {"bought": {"categories": BABY}, "within": "90d"}]
    },
    "diapers_current": {
        "all": [
            {"bought": {"categories": DIAPERS}, "baskets": THRICE},
            {"bought": {"categories": DIAPERS}, "within": "180d"},
        ]
    },
    "diapers_ever": {"bought": {"categories": DIAPERS}, "baskets": THRICE},
    "diapers_and_wipes": {
        "all": [{"bought": {"categories": DIAPERS}, "baskets": THRICE}, {"bought": {"categories": WIPES}}]
    },
    "wipes": {"bought": {"categories": WIPES}},
}


def main() -> None:
    """Load, compute, print."""
    directory = Path(sys.argv[1])
    from yutang.app import house

    opened = house.open_house(directory)
    try:
        with redirect_stdout(sys.stderr):
            found = computed(opened.warehouse, directory)
        print(json.dumps(found, default=str))
    finally:
        opened.close()


def computed(warehouse, directory: Path) -> dict[str, Any]:  # type: ignore[no-untyped-def]  # as below: Yutang needs Django
    """Everything, by name."""
    from yutang.app.serve import sandbox_directory
    from yutang.demo import dataset, load
    from yutang.kernel.clock import business_clock

    load.load_demo(warehouse, sandbox_directory(directory), lambda text: print(text, file=sys.stderr))
    with business_clock(dataset.BUSINESS_START):
        return {
            "totals": load.totals(warehouse),
            "segments": _segments(warehouse),
            "come_back": _come_back(warehouse),
            "home_stores": _home_stores(warehouse),
            "campaigns": _campaigns(warehouse),
            **_effects(warehouse),
            "growth": _growth(warehouse),
            "next": _next(warehouse),
            "advisor": _advisor(warehouse),
            "lines": _lines(warehouse),
            "synthetic": _synthetic(warehouse),
            "drill": _drill(warehouse),
            "walls": _walls(warehouse),
        }


def _advisor(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    from yutang.organisation.queries import OWNER
    from yutang.review.advisor_queries import advice, advisor_document

    document = advisor_document()
    found = {one.measured.category: one for one in advice(warehouse, OWNER, document).value}
    return {
        one.category: [found[one.category].kind.letter, found[one.category].exact, found[one.category].measured.price]
        for one in document.answers
    }


def _segments(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    """Heads, and what the members spent, of the shipped segments and of a few more."""
    import pyarrow.compute as pc

    from yutang.kernel.documents import read
    from yutang.organisation.queries import OWNER
    from yutang.segments import queries

    title = {"zh": "试", "en": "Test"}
    more: list[Any] = [
        read(json.dumps({"kind": "segment", "name": name, "schema": 1, "title": title, "where": rule}))
        for name, rule in SEGMENTS.items()
    ]
    found = {}
    for document in [*queries.segments(), *more]:
        rows = queries.members(warehouse, OWNER, document, limit=10_000, traits=["spend_90d", "spend_365d"])
        spend = {name: float(pc.sum(rows[name]).as_py() or 0) for name in ("spend_90d", "spend_365d")}
        found[document.name] = {"persons": queries.count(warehouse, OWNER, document), **spend}
        assert rows.num_rows == found[document.name]["persons"]
    everyone = _rows(warehouse, "SELECT sum(spend_90d) AS spend_90d, sum(spend_365d) AS spend_365d FROM profiles")[0]
    found["everyone"] = {name: float(value) for name, value in everyone.items()}
    return found


def _rows(warehouse, sql: str) -> list[dict[str, Any]]:  # type: ignore[no-untyped-def]
    from yutang.warehouse.contracts import Statement

    return warehouse.query(Statement(sql)).to_pylist()  # type: ignore[no-any-return]


def _page():  # type: ignore[no-untyped-def]
    """A request as a page of the console gets it from the owner."""
    from django.test import RequestFactory

    from yutang.organisation.queries import OWNER, brand
    from yutang.warehouse.current import current_warehouse

    request = RequestFactory().get("/")
    request.viewer, request.warehouse, request.brand = OWNER, current_warehouse(), brand()
    return request


def _come_back(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    from yutang.console.today import overdue

    counted = overdue(_page())
    assert counted is not None
    found = counted.value
    return {
        "now": found.now,
        "spend": found.spend,
        "cut": found.cut.isoformat(),
        "messaged": found.messaged,
        "rows": [[row.first, row.last, row.back.part, row.back.whole] for row in found.rows],
    }


def _home_stores(warehouse) -> dict[str, int]:  # type: ignore[no-untyped-def]
    from yutang.console.pond import POND
    from yutang.console.pool import by_store
    from yutang.organisation.queries import OWNER, nodes

    found = by_store(POND.answer(warehouse).value.at_home(OWNER), nodes(), "", "-customers")
    named = {row.node.code: row.customers for row in found.rows if row.node is not None}
    return {"all": found.total.customers, **named}


def _campaigns(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    """Each campaign in its own window, as its page shows it."""
    from yutang.organisation.queries import OWNER
    from yutang.review.queries import past_campaigns

    found = {}
    for campaign in past_campaigns(warehouse, OWNER):
        window = [campaign.window.first.isoformat(), campaign.window.last.isoformat()]
        found[campaign.name] = {"window": window, "targeted": campaign.targeted, "readiness": campaign.readiness.value}
        if difference := campaign.difference:
            found[campaign.name] |= {
                "listed": difference.targeted,
                "others": difference.others,
                "during": [difference.during.targeted, difference.during.others],
                "before": [difference.before.targeted, difference.before.others],
                "unlike": difference.unlike_before,
                "verdict": difference.verdict.value,
                "change": [difference.change.value, difference.change.low, difference.change.high]
                if difference.change
                else None,
            }
    return found


def _effects(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    """The smallest effect, and how often random splits raise a false alarm, of who bought in the six months before the
    launch."""
    import pyarrow as pa

    from tests.reach.simulation import false_alarms
    from yutang.demo.dataset import BUSINESS_START, ZONE
    from yutang.kernel.calendars import day_start
    from yutang.reach.services import effect_points
    from yutang.warehouse.contracts import Statement, named

    first, launch = (day_start(datetime.fromisoformat(day).date(), ZONE) for day in (HALF_YEAR, LAUNCH))
    assert launch + timedelta(days=28) == BUSINESS_START
    who = warehouse.query(
        Statement(
            "SELECT DISTINCT person FROM orders WHERE placed_at >= $first AND placed_at < $launch",
            {"first": first, "launch": launch},
        )
    )
    audience = pa.table({"person": who["person"]})
    points = effect_points(warehouse, audience, BUSINESS_START, 28)
    window = {"window_start": BUSINESS_START - timedelta(days=28), "until": BUSINESS_START}
    rows = warehouse.query(named("reach/history", window, {"audience": audience}))
    spent, before = rows["outcome"].to_numpy(), rows["before"].to_numpy()
    return {
        "effects": {round(100 * point.share): [point.held_out, point.per_person, point.relative] for point in points},
        "false_alarms": {percent: false_alarms(spent, before, percent / 100, 2_000, seed=2018) for percent in (5, 10)},
    }


def _growth(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    from yutang.organisation.queries import OWNER, nodes
    from yutang.review.growth import split_change
    from yutang.review.growth_queries import monthly_sales

    months = monthly_sales(warehouse, OWNER, nodes())
    november, december = months[-3], months[-2]
    split = split_change(november, december)
    assert split is not None
    return {
        "months": [[one.month.isoformat(), one.customers, one.orders, str(one.sales), one.synthetic] for one in months],
        "parts": [split.change, split.customers, split.frequency, split.basket],
    }


def _next(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    from dataclasses import asdict

    from yutang.layers.next_queries import next_categories

    found = next_categories(warehouse).tested
    assert found is not None
    return {**asdict(found), "beats": found.beats}


def _lines(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    categories = _rows(
        warehouse, "SELECT category, sum(amount) AS amount, sum(quantity) AS n FROM order_lines GROUP BY 1"
    )
    stores = "SELECT count(*) AS n FROM (SELECT store FROM orders GROUP BY store HAVING count(*) < 10)"
    return {
        "zero": _rows(warehouse, "SELECT count(*) AS n FROM order_lines WHERE amount = 0")[0]["n"],
        "categories": {row["category"]: [str(row["amount"]), str(row["n"])] for row in categories},
        "small_stores": _rows(warehouse, stores)[0]["n"],
    }


def _synthetic(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    """How many of each kind are flagged, and how many are not."""
    from yutang.organisation.queries import OWNER, senders

    def flagged(table: str, kind: str) -> list[list[Any]]:
        rows = _rows(
            warehouse, f"SELECT {kind} AS kind, synthetic, count(*) AS n FROM {table} GROUP BY 1, 2 ORDER BY 1, 2"
        )
        return [[row["kind"], row["synthetic"], row["n"]] for row in rows]

    bought = "CASE WHEN person IN (SELECT orders.person FROM orders) THEN 'buyer' ELSE 'prospect' END"
    guides = senders(OWNER)
    return {
        "persons": flagged("facts", bought),
        "orders": flagged("orders", "source"),
        "nodes": flagged("nodes", "kind"),
        "guides": [len(guides), sum(guide.synthetic for guide in guides)],
    }


def _drill(warehouse) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    """Whom every account, corp and channel reaches and who is still reached without it: ours, and by hand."""
    from django.db import connection

    from tests.guard.naive_drill import still_reachable, ways_by_person
    from yutang.guard.drill.contracts import UnitLevel
    from yutang.guard.drill.queries import ranking
    from yutang.organisation.queries import OWNER

    def rows(sql: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    by_hand = {" ".join(unit): counts for unit, counts in still_reachable(ways_by_person(rows)).items()}
    risks = [risk for level in UnitLevel for risk in ranking(warehouse, OWNER, level).value if risk.reached]
    ours = {f"{risk.unit.level} {risk.unit.of}": (risk.reached, risk.still) for risk in risks}
    return {"ours": ours, "by_hand": by_hand}


def _walls(warehouse) -> list[str]:  # type: ignore[no-untyped-def]
    """The platform's walls of which the radar warns on the first day."""
    from yutang.guard.radar import queries, services
    from yutang.organisation.queries import OWNER

    assert services.look(warehouse)
    return [one.wall.name for one in queries.warnings(OWNER)]


if __name__ == "__main__":
    main()
