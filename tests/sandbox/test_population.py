"""Purchases repeat exactly, a message only adds, and the truth is what happened."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.sandbox.conftest import DAY, HOUR, START, Client, PublicDoor, small_world
from yutang.api.schemas import EventIn
from yutang.log.vocabulary import check
from yutang.sandbox.contracts import Customer, Relation, Spec
from yutang.sandbox.population import BASELINE, DISCOUNTED, EXTRA, Population, draw_baskets, spend_by_customer

PEOPLE = 120


def shoppers(**changes: object) -> Spec:
    """People who buy half a basket a day, all friends of a; a message doubles that for two days."""
    customers = tuple(
        Customer(
            f"wm{n:04d}",
            f"顾客 {n:04d}",
            member_no=str(n) if n % 2 else None,
            daily_rate=0.5,
            store_code="s1",
            category_weights={"奶粉": 3.0, "尿裤": 1.0},
            lift=1.0,
        )
        for n in range(PEOPLE)
    )
    friends = tuple(Relation("a", one.external_userid, START - DAY) for one in customers)
    return small_world(**{"customers": customers, "relations": friends, "effect_days": 2.0, **changes})


def message_everyone(client: Client) -> dict:
    return client.send(*(f"wm{n:04d}" for n in range(PEOPLE)))


def test_any_steps_of_the_clock_buy_the_same(open_sandbox: Callable[..., Client]) -> None:
    bought = []
    for name, step in (("leaps", 6 * DAY), ("steps", 7 * HOUR + timedelta(seconds=11))):
        client = open_sandbox(shoppers(), name=name)
        message_everyone(client)
        now = START
        while now < START + 6 * DAY:
            now = min(now + step, START + 6 * DAY)
            client.advance(now)
        truth = client.control("truth", since=START.isoformat(), until=(START + 6 * DAY).isoformat())
        bought.append((truth, client.state()["purchases"], client.state()["extra_purchases"]))
    assert bought[0] == bought[1]
    assert bought[0][1] > 6 * PEOPLE * 0.3


def test_a_message_adds_purchases_only_while_it_works_and_changes_no_other(
    open_sandbox: Callable[..., Client], door: PublicDoor
) -> None:
    quiet = open_sandbox(shoppers(), name="quiet", door=door)
    quiet.advance(START + 7 * DAY)
    plain = dict(door.events)
    door.events.clear()
    client = open_sandbox(shoppers(), name="messaged", door=door)
    made = message_everyone(client)
    moved = client.advance(START + 7 * DAY)
    sent = {
        row["external_userid"]: datetime.fromtimestamp(row["send_time"], UTC)
        for row in client.post("get_groupmsg_send_result", msgid=made["msgid"], userid="a")["send_list"]
    }
    extra = {key: event for key, event in door.events.items() if ":x" in key}
    assert {key: event for key, event in door.events.items() if key not in extra} == plain
    assert len(extra) == moved["extra_purchases"] > 0
    for key, event in extra.items():
        received = sent[key.split(":")[1]]
        assert received <= datetime.fromisoformat(event["occurred_at"]) < received + 2 * DAY  # type: ignore[arg-type]


def test_the_truth_is_what_happened(open_sandbox: Callable[..., Client], door: PublicDoor) -> None:
    client = open_sandbox(shoppers(), door=door)
    message_everyone(client)
    tap = datetime.fromisoformat(client.state()["next_at"])
    until = tap + 5 * DAY
    client.advance(until - timedelta(seconds=1))
    truth = client.control("truth", since=tap.isoformat(), until=until.isoformat())
    for row in truth["customers"]:
        mine = [
            event
            for key, event in door.events.items()
            if key.split(":")[1] == row["external_userid"] and datetime.fromisoformat(str(event["occurred_at"])) >= tap
        ]
        extra = [event for event in mine if ":x" in str(event["id"])]
        assert (row["baskets"], row["extra_baskets"]) == (len(mine) - len(extra), len(extra))
        assert Decimal(row["extra"]) == sum((Decimal(str(event["amount"])) for event in extra), Decimal(0))
        assert Decimal(row["baseline"]) + Decimal(row["extra"]) == sum(
            (Decimal(str(event["amount"])) for event in mine), Decimal(0)
        )
    # Everyone received it at `tap`, so what happened is the potential outcome of being reached.
    assert truth["total"]["extra"] == truth["total"]["extra_if_reached"] != "0.00"
    some = client.control("truth", external_userid=["wm0003", "nobody"], since=tap.isoformat(), until=until.isoformat())
    assert some["customers"] == [truth["customers"][3]]


def test_rates_and_amounts_are_as_seeded() -> None:
    from scipy import stats  # half a second to import

    count, days = 2_000, [date(2026, 3, 1) + timedelta(days=n) for n in range(30)]
    keys = np.arange(count, dtype=np.int64) * 7919
    whole = np.full(count, 1.0)
    numbers = (0.2 * whole, 3.0 * whole, 0.5 * whole, 0.3 * whole)
    people = Population([str(n) for n in range(count)], keys, *numbers, np.zeros(count, np.int64))
    wide = (0, 1 << 40)
    baskets, cents = spend_by_customer(people, 1, "Asia/Shanghai", BASELINE, days, *wide)
    extra, _ = spend_by_customer(people, 1, "Asia/Shanghai", EXTRA, days, *wide)
    for made, rate in ((baskets, 0.2), (extra, 0.06)):
        expected = count * 30 * rate
        assert abs(made.sum() - expected) < 4 * math.sqrt(expected)
    mean = cents.sum() / 100 / baskets.sum()
    expected_mean = math.exp(3.0 + 0.5**2 / 2)
    deviation = expected_mean * math.sqrt(math.expm1(0.25)) / math.sqrt(baskets.sum())
    assert abs(mean - expected_mean) < 4 * deviation
    per_customer = np.bincount(baskets, minlength=15)[:15]
    chance = stats.chisquare(
        per_customer[2:11],
        per_customer[2:11].sum() * stats.poisson.pmf(range(2, 11), 6) / stats.poisson.pmf(range(2, 11), 6).sum(),
    ).pvalue
    assert chance > 0.001


def test_baskets_fall_into_opening_hours_of_the_local_day() -> None:
    whole = np.full(500, 1.0)
    nobody_new = np.zeros(500, np.int64)
    keys = np.arange(500, dtype=np.int64)
    people = Population([str(n) for n in range(500)], keys, whole, whole, whole, whole, nobody_new)
    for day in (date(2017, 3, 12), date(2017, 11, 5), date(2017, 7, 1)):  # clocks change on the first two
        at = draw_baskets(people, 1, day, "America/New_York", BASELINE).at
        local = [datetime.fromtimestamp(one, UTC).astimezone(ZoneInfo("America/New_York")) for one in at]
        assert {one.date() for one in local} == {day}
        assert min(one.hour for one in local) >= 7
        assert max(one.hour for one in local) <= 22


def test_an_event_says_whose_order_it_is_and_adds_up(open_sandbox: Callable[..., Client], door: PublicDoor) -> None:
    client = open_sandbox(shoppers(currency="USD"), door=door)
    client.advance(START + 2 * DAY)
    assert len(door.events) > PEOPLE // 2
    for key, event in door.events.items():
        prefix, external, day, k = key.split(":")
        number = int(external.removeprefix("wm"))
        whose = ("member", "", str(number)) if number % 2 else ("external_userid", "ww-sandbox", external)
        assert event["identifiers"] == [dict(zip(("kind", "namespace", "value"), whose, strict=True))]
        assert (prefix, event["type"], event["store"], event["source"]) == ("sandbox", "order.placed", "s1", "sandbox")
        assert event["props"] == {"order_id": f"{external}:{day}:{k}", "synthetic": True}
        assert event["currency"] == "USD"
        lines: list[dict[str, str]] = event["lines"]  # type: ignore[assignment]
        assert sum(Decimal(line["amount"]) for line in lines) == Decimal(str(event["amount"])) > 0
        assert {line["category"] for line in lines} <= {"奶粉", "尿裤"}
        assert all((line["quantity"], line["discount"]) == ("1", "0.00") for line in lines)
    assert len({event["props"]["order_id"] for event in door.events.values()}) == len(door.events)  # type: ignore[index]


def test_a_share_of_lines_is_discounted_so_that_the_customers_own_share_comes_off(
    open_sandbox: Callable[..., Client], door: PublicDoor
) -> None:
    """No order carried a discount, so everybody came without coupons after some months of the demo."""
    plain = shoppers()
    frugal = tuple(replace(one, discount=0.3) for one in plain.customers[: PEOPLE // 2])
    client = open_sandbox(replace(plain, customers=(*frugal, *plain.customers[PEOPLE // 2 :])), door=door)
    client.advance(START + 28 * DAY)
    lines: dict[bool, list[tuple[Decimal, Decimal]]] = {True: [], False: []}
    for key, event in door.events.items():
        for line in event["lines"]:  # type: ignore[attr-defined]
            amounts = Decimal(line["amount"]), Decimal(line["discount"])
            lines[int(key.split(":")[1].removeprefix("wm")) < PEOPLE // 2].append(amounts)
    assert {discount for _, discount in lines[False]} == {Decimal("0.00")}
    off, paid = sum(discount for _, discount in lines[True]), sum(amount for amount, _ in lines[True])
    assert float(off / (off + paid)) == pytest.approx(0.3, abs=0.03)
    assert sum(discount > 0 for _, discount in lines[True]) / len(lines[True]) == pytest.approx(DISCOUNTED, abs=0.05)


def test_people_come_are_told_of_first_and_buy_only_then(open_sandbox: Callable[..., Client], door: PublicDoor) -> None:
    """Nobody new ever came, so a nurturing pool from which people buy ran dry."""
    client = open_sandbox(shoppers(arrivals_per_day=3.0, arrival_rate=0.5, currency="USD"), door=door)
    moved = client.advance(START + 30 * DAY)
    assert abs(moved["arrivals"] - 90) < 4 * math.sqrt(90)
    told: dict[str, dict[str, dict]] = {}
    for event in door.events.values():
        external = event["identifiers"][0]["value"]  # type: ignore[index]
        if external.startswith("wm-scan-"):
            told.setdefault(external, {}).setdefault(str(event["type"]), event)
    assert len(told) == moved["arrivals"]
    consenting = 0
    for external, events in told.items():
        seen, added = events["person.seen"], events["relation.added"]
        assert (added["staff"], added["store"], added["occurred_at"]) == ("a", "s1", seen["occurred_at"])
        consenting += "consent.given" in events
        assert all(event["props"]["synthetic"] is True for event in events.values())
        for event in events.values():
            check(EventIn(**event).event(), "USD")
        if "order.placed" in events:
            assert added["occurred_at"] < events["order.placed"]["occurred_at"]
        assert door.arrivals.index(f"sandbox:{external}:relation.added") < min(
            (place for place, one in enumerate(door.arrivals) if one.startswith(f"sandbox:{external}:20")),
            default=len(door.arrivals),
        )
    assert 0.8 < consenting / len(told) <= 1
    assert client.send(next(iter(told)))["errcode"] == 0  # a friend now


def test_the_same_people_come_however_the_clock_is_stepped(open_sandbox: Callable[..., Client]) -> None:
    came = []
    for name, step in (("leaps", 5 * DAY), ("steps", 7 * HOUR)):
        client = open_sandbox(shoppers(arrivals_per_day=2.0, arrival_rate=0.5), name=name)
        now = START
        while now < START + 5 * DAY:
            now = min(now + step, START + 5 * DAY)
            client.advance(now)
        truth = client.control("truth", since=START.isoformat(), until=(START + 5 * DAY).isoformat())
        came.append((truth, client.state()["arrivals"], client.state()["purchases"]))
    assert came[0] == came[1]
    assert came[0][1] > 0


def test_a_refusing_door_gets_everything_once_it_opens(open_sandbox: Callable[..., Client], door: PublicDoor) -> None:
    client = open_sandbox(shoppers(), door=door)
    for status in (429, 503, 401):
        door.refuse_with = status
        moved = client.advance(datetime.fromisoformat(client.state()["now"]) + 4 * DAY)
        assert moved["trouble"].startswith(f"HTTP {status}")
        assert moved["posted"] == 0
    door.refuse_with = None
    moved = client.advance(START)
    assert (moved["posted"], moved["waiting"], moved["trouble"]) == (client.state()["purchases"], 0, "")
    assert len(door.arrivals) == len(door.events) == client.state()["purchases"] > 500
    assert max(door.batches) == 500


def test_a_door_that_is_not_there_loses_nothing(open_sandbox: Callable[..., Client]) -> None:
    nowhere = PublicDoor(url="http://127.0.0.1:9/events")
    moved = open_sandbox(shoppers(), door=nowhere).advance(START + 2 * DAY)
    assert moved["trouble"].startswith("ConnectError")
    assert moved["waiting"] == moved["purchases"] > 0


def test_events_are_lost_or_doubled_on_demand(open_sandbox: Callable[..., Client], door: PublicDoor) -> None:
    client = open_sandbox(shoppers(), door=door)
    client.control("faults", faults=[{"api": "events", "kind": "lose"}])
    lost = client.advance(START + 2 * DAY)["purchases"]
    assert door.arrivals == []
    client.control("faults", faults=[{"api": "events", "kind": "duplicate"}])
    moved = client.advance(START + 4 * DAY)
    assert len(door.arrivals) == 2 * len(door.events) == 2 * moved["purchases"]
    assert client.state()["purchases"] == lost + moved["purchases"]
