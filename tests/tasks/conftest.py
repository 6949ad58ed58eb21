"""The world of two stores with a few more friends of the near store's guide, each of whom something is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from pytest_django import DjangoDbBlocker

from tests.house.world import CHANNEL, CORP, SOURCE, START, World, shared
from yutang.intake.pump import pump_until_empty
from yutang.kernel.ids import EventId, PersonId, SenderId
from yutang.log.contracts import Event, IdentifierValue, Line
from yutang.log.services import record
from yutang.organisation.queries import OWNER, senders
from yutang.people import services as people
from yutang.profiles import services as profiles

DAY = timedelta(days=1)
FRIENDS = ("regular", "newcomer", "told", "answered", "welcomed")
"""One who comes every three weeks, one who never bought, and one each who was sent an offer beside a chat, answered
there, and greeted by a rule."""


@dataclass(frozen=True, slots=True)
class Pond:
    """The world, the guide's account, and her friends by what is known of them."""

    world: World
    sender: SenderId
    friends: Mapping[str, PersonId]


def friend(name: str) -> tuple[IdentifierValue, ...]:
    """How events name a friend."""
    return (IdentifierValue("external_userid", CORP, f"wm-{name}"),)


def ordered(name: str, ago: float, goods: Mapping[str, int], store: str = "near") -> Event:
    """An order so many days before the start."""
    lines = tuple(Line(f"sku-{one}", one, Decimal(1), Decimal(amount)) for one, amount in goods.items())
    total = sum((line.amount for line in lines), Decimal(0))
    key = f"{name}-{ago}"
    return Event(
        EventId(f"order-{key}"), "order.placed", START - ago * DAY, friend(name), store=store, source=SOURCE,
        amount=total, currency="CNY", props={"order_id": key}, lines=lines,
    )  # fmt: skip


def sent(name: str, kind: str, source: str) -> Event:
    """A message of three hours ago."""
    at = START - timedelta(hours=3)
    return Event(
        EventId(f"sent-{name}"), "message.sent", at, friend(name), source=source, channel=CHANNEL, props={"class": kind}
    )


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pond]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("tasks")) as world:
        yield filled(world)


@pytest.fixture
def pond(standing: Pond, db: None) -> Pond:
    return standing


def filled(world: World) -> Pond:
    """The world with the friends in it."""
    sender = next(one.id for one in senders(OWNER) if one.userid == world.near.userid)
    born = pa.array([START - 100 * DAY] * len(FRIENDS), pa.timestamp("us", "UTC"))
    given = {
        "external_userid": [f"wm-{name}" for name in FRIENDS], "name": [f"林{name}" for name in FRIENDS],
        "home_store": ["near"] * len(FRIENDS), "born_at": born,
    }  # fmt: skip
    births = people.load_persons(pa.table(given), source=SOURCE, corp=CORP)
    people.load_relations(pa.table({"person": births, "sender": [sender] * len(FRIENDS), "added_at": born}))
    friends = {name: PersonId(int(birth)) for name, birth in zip(FRIENDS, births, strict=True)}
    for person in friends.values():
        people.give_consent(person, "marketing", CHANNEL, at=START - 90 * DAY, proof="asked")
    record(
        [
            *(ordered("regular", 20 + 21 * n, {"纸尿裤": 60, "湿巾": 20}) for n in range(6)),
            ordered("regular", 2, {"钓具": 500}, store="far"),
            sent("told", "marketing", "sidebar"),
            sent("told", "marketing", "sidebar"),
            sent("answered", "reply", "sidebar"),
            sent("welcomed", "marketing", "reflex"),
        ]
    )
    pump_until_empty(world.warehouse)
    profiles.rebuild(world.warehouse, START)
    return Pond(world, sender, friends)
