"""Arrivals and purchases go to the pond through its public HTTP door. The outbox is in the sandbox's file.

A kill between posting and noting it posts again under the same event ids, which the door ignores; nothing is lost.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime

import httpx

from yutang.kernel.ids import draw, salt
from yutang.kernel.trust import trusted
from yutang.sandbox.faults import Faults
from yutang.sandbox.population import DISCOUNTED, EXTRA
from yutang.sandbox.store import Settings, Store, settings_of

BATCH = 500
EVENTS_OF_AN_ARRIVAL = 3
CHANNEL = "wecom"

Events = list[dict[str, object]]
Batch = list[tuple[str, Events]]
"""What is posted at once: of each arrival or purchase its id and its events."""


@dataclass(frozen=True, slots=True)
class Posting:
    """What one round of posting did. `posted` counts arrivals and purchases; `trouble` says why it stopped early, or is
    empty."""

    posted: int
    trouble: str


class Outbox:
    """Posts what waits in the store to a URL with a bearer token; without a URL everything waits."""

    def __init__(self, store: Store, url: str | None, token: str, faults: Faults) -> None:
        self._store = store
        self._url = url
        self._token = token
        self._faults = faults
        self._client: httpx.Client | None = None

    def post(self) -> Posting:
        """Post arrivals, then purchases, oldest first, ≤ 500 events a request; stop at the first refusal and leave the
        rest for next time."""
        posted, trouble = 0, ""
        for next_batch, note in (
            (_next_arrivals, "UPDATE arrivals SET posted = 1 WHERE external_userid = ?"),
            (_next_purchases, "UPDATE purchases SET posted = 1 WHERE id = ?"),
        ):
            while self._url is not None and not trouble and (batch := next_batch(self._store)):
                trouble = self._post(self._url, [event for _, events in batch for event in events])
                if not trouble:
                    with self._store.write() as con:
                        con.executemany(note, [(one,) for one, _ in batch])
                    posted += len(batch)
        return Posting(posted, trouble)

    def waiting(self) -> int:
        """How many arrivals and purchases are not yet posted."""
        with self._store.read() as con:
            row = con.execute(
                "SELECT (SELECT count(*) FROM arrivals WHERE posted = 0) + "
                "(SELECT count(*) FROM purchases WHERE posted = 0)"
            ).fetchone()
        return int(row[0])

    def _post(self, url: str, events: Events) -> str:
        fault = self._faults.take("events")
        if fault is not None and fault.kind == "lose":
            return ""
        if self._client is None:
            self._client = httpx.Client(timeout=30, trust_env=False, verify=trusted())
        for _ in range(2 if fault is not None and fault.kind == "duplicate" else 1):
            try:
                answer = self._client.post(
                    url, json={"events": events}, headers={"Authorization": f"Bearer {self._token}"}
                )
            except httpx.HTTPError as error:
                return f"{type(error).__name__}: {error}"
            if not answer.is_success:
                return f"HTTP {answer.status_code}: {answer.text[:200]}"
        return ""


def _next_arrivals(store: Store) -> Batch:
    with store.read() as con:
        settings = settings_of(con)
        rows = con.execute(
            "SELECT a.*, c.name, c.store_code FROM arrivals a JOIN customers c USING (external_userid) "
            "WHERE posted = 0 ORDER BY at, external_userid LIMIT ?",
            (BATCH // EVENTS_OF_AN_ARRIVAL,),
        ).fetchall()
    return [(row["external_userid"], arrival_events(row, settings)) for row in rows]


def arrival_events(row: sqlite3.Row, settings: Settings) -> Events:
    """What the pond is told of an arrival joined with its customer: seen, befriended and, of most, consent."""
    told: list[tuple[str, dict[str, object]]] = [("person.seen", {"name": row["name"]}), ("relation.added", {})]
    if row["consents"]:
        told.append(("consent.given", {"purpose": "marketing", "channel": "*", "proof": "合成：扫码后的问卷"}))
    external = row["external_userid"]
    return [
        {
            "id": f"sandbox:{external}:{kind}",
            "type": kind,
            "occurred_at": datetime.fromtimestamp(row["at"], UTC).isoformat(),
            "identifiers": [{"kind": "external_userid", "namespace": settings.corp_id, "value": external}],
            "store": row["store_code"],
            "staff": row["userid"],
            "channel": CHANNEL,
            "source": "sandbox",
            "props": {**props, "synthetic": True},
        }
        for kind, props in told
    ]


def _next_purchases(store: Store) -> Batch:
    with store.read() as con:
        settings = settings_of(con)
        rows = con.execute(
            "SELECT p.*, c.member_no, c.store_code, c.category_weights, c.discount FROM purchases p "
            "JOIN customers c USING (external_userid) WHERE posted = 0 ORDER BY occurred_at, id LIMIT ?",
            (BATCH,),
        ).fetchall()
    return [(row["id"], [order_event(row, settings)]) for row in rows]


def order_event(row: sqlite3.Row, settings: Settings) -> dict[str, object]:
    """The `order.placed` event of a purchase joined with its customer; the same each time it is made."""
    kind, namespace, value = (
        ("member", "", row["member_no"])
        if row["member_no"] is not None
        else ("external_userid", settings.corp_id, row["external_userid"])
    )
    return {
        "id": row["id"],
        "type": "order.placed",
        "occurred_at": datetime.fromtimestamp(row["occurred_at"], UTC).isoformat(),
        "identifiers": [{"kind": kind, "namespace": namespace, "value": value}],
        "store": row["store_code"],
        "source": "sandbox",
        "props": {"order_id": row["id"].removeprefix("sandbox:"), "synthetic": True},
        "amount": money(row["cents"]),
        "currency": settings.currency,
        "lines": _lines(row, settings.seed),
    }


def _lines(row: sqlite3.Row, seed: int) -> list[dict[str, str]]:
    """One to four lines whose amounts add up to the basket's, in categories drawn by the customer's weights.

    A line's discount is so deep that, were every line's the same, the customer's mean share of list price comes off.
    """
    off = (row["discount"] or 0.0) / (1 - (row["discount"] or 0.0)) / DISCOUNTED
    own = salt(
        seed, "lines", row["external_userid"], date.fromordinal(row["day"]).isoformat(), row["kind"] == EXTRA, row["k"]
    )
    count = 1 + int(draw(0, own) * 4)
    weights = json.loads(row["category_weights"])
    shares = [0.2 + draw(10 + index, own) for index in range(count)]
    cents = [int(row["cents"] * share / sum(shares)) for share in shares]
    cents[0] += row["cents"] - sum(cents)
    lines = []
    for index, part in enumerate(cents):
        category = _choose(weights, draw(20 + index, own))
        lines.append(
            {
                "sku": f"{category}-{1 + int(draw(30 + index, own) * 20):02d}",
                "category": category,
                "quantity": "1",
                "amount": money(part),
                "discount": money(int(part * off) if draw(40 + index, own) < DISCOUNTED else 0),
            }
        )
    return lines


def _choose(weights: dict[str, float], u: float) -> str:
    left = u * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return max(weights, key=lambda name: weights[name])


def money(cents: int) -> str:
    """Cents as an amount with two decimals."""
    return f"{cents // 100}.{cents % 100:02d}"
