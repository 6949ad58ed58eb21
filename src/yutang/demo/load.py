"""Loading the demo through the same doors as a brand's own data. Killed anywhere, the next start goes on."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yutang.demo import dataset
from yutang.guard.radar import services as radar
from yutang.intake import imports, mirror
from yutang.kernel.clock import business_clock
from yutang.kernel.documents import Note
from yutang.kernel.errors import Refused
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind
from yutang.organisation.queries import OWNER, brand, corps, is_set_up
from yutang.organisation.services import NewNode, NewSender
from yutang.people import services as people
from yutang.playbooks.services import keep_shipped
from yutang.profiles import services as profiles
from yutang.review.advisor_documents import Answers
from yutang.review.advisor_queries import advisor_document
from yutang.review.advisor_services import keep_advisor
from yutang.sandbox.contracts import Customer, Member, Relation, Spec
from yutang.sandbox.world import seed
from yutang.warehouse.contracts import Warehouse, named

CORP = "ww-demo-yutang"
CHANNEL = "wecom"
AUTHOR = "demo"
EFFECT_DAYS = 14.0
SCANS_PER_DAY = 0.2  # of each store's poster: a few new people a day over all stores
# About as many as leave the nurturing pool: 600 prospects buy a hundredth of a basket a day.
ARRIVALS_PER_DAY = 6.0
# How a guide of each kind takes a task: mostly by their own habit, so that asking again is worth it.
HABITS: dict[str, str | dict[str, float]] = {
    "at_once": {"at_once": 0.85, "late": 0.15},
    "late": {"at_once": 0.35, "late": 0.65},  # half of these still within a task's 24 hours: `sandbox.habits`
    "night": {"at_once": 0.25, "night": 0.75},
    "never": "never",
}
# Category ('': the whole brand), whether customers ask before they buy, whether they talk of it.
ANSWERS = (
    ("", False, False),
    ("INFANT FORMULA", True, True),
    ("DIAPERS & DISPOSABLES", True, True),
    ("VITAMINS", True, True),
    ("DOMESTIC WINE", True, True),
    ("加油", False, False),
    ("ROSES", False, False),
    ("PORTABLE ELECTRIC APPLIANCES", True, False),
)
# What the loyalty card took off at the shelf; coupons are redemptions, told by events of their own.
COLUMNS = {"placed_at": "occurred_at", "discount": "shelf_discount"}

Say = Callable[[str], None]


def load_demo(warehouse: Warehouse, sandbox: Path, say: Say) -> None:
    """Make the demo pond in an empty data directory, or finish making it. Raises Refused in a brand's own."""
    if is_set_up() and not brand().demo:
        raise Refused(
            "这个数据目录里是您自己的品牌，演示数据不会混进去。请用另一个目录：make run DATA=./demo。",
            "This data directory holds your own brand; the demo does not mix into it. "
            "Use another: make run DATA=./demo.",
        )
    if organisation.demo_loaded():
        return
    with business_clock(dataset.BUSINESS_START):
        _load(warehouse, sandbox, say)
    organisation.step_clock(dataset.BUSINESS_START)
    organisation.demo_loaded(True)


def _load(warehouse: Warehouse, sandbox: Path, say: Say) -> None:
    if not is_set_up():
        organisation.set_up_brand("鱼塘演示超市", dataset.CURRENCY, dataset.ZONE, country="US", demo=True)
        organisation.connect_corp(CHANNEL, CORP, secrets.token_urlsafe(24))
    say("门店、导购、好友（合成） / stores, guides, friends (synthetic)")
    bought = dataset.purchases()
    world = dataset.load(bought)
    keep_shipped()
    _advised()
    _organisation(world)
    mirror.mirror_nodes(warehouse)
    say("1,469,307 条购买明细 / 1,469,307 purchase lines")
    lines = dataset.order_lines(read=bought)
    first = next(lines)
    reader = pa.RecordBatchReader.from_batches(first.schema, chain((first,), lines))
    imports.import_orders(warehouse, reader, source=dataset.SOURCE, zone="UTC", author=AUTHOR, mapping=COLUMNS)
    del bought, lines, reader
    _people(world)
    # An import ends by telling the warehouse of everybody who changed: of the people just loaded too.
    imports.import_events(warehouse, _campaign_events(world), source=dataset.SOURCE, author=AUTHOR)
    say("客户画像 / profiles")
    profiles.rebuild(warehouse, dataset.BUSINESS_START)
    seed(sandbox, _sandbox(world))
    radar.enter(
        OWNER, radar.EntryForm("contacts", "合成：已购规模 5,000", CORP, most="5000")
    )  # more friends than are free


def _advised() -> None:
    """The advisor's three questions, answered for a supermarket that sells in dollars. By the demo's author: the data
    do not say what people ask and talk of."""
    document = advisor_document()
    note = Note(
        zh="演示：界线按卖美元商品的超市改过；三个问题由写演示的人回答，数据里没有。",
        en="The demo: bounds are those of a supermarket that sells in dollars; the answers are the demo author's, "
        "for the data do not say them.",
    )
    answers = tuple(Answers(category=category, asks=asks, talks=talks, once=False) for category, asks, talks in ANSWERS)
    changes = {"note": note, "high_price": 20.0, "very_high_price": 200.0, "answers": answers}
    keep_advisor(document.model_copy(update=changes), replace(OWNER, name=AUTHOR))


def _organisation(world: dataset.DemoWorld) -> None:
    regions = [NewNode(row["code"], row["name"], NodeKind.REGION, synthetic=True) for row in world.regions.to_pylist()]
    stores = [NewNode(row["code"], row["name"], NodeKind.STORE, row["region"]) for row in world.stores.to_pylist()]
    organisation.add_nodes([*regions, *stores])
    organisation.add_senders(
        NewSender(row["store"], row["label"], CHANNEL, CORP, row["userid"], synthetic=True)
        for row in world.guides.to_pylist()
    )


def _people(world: dataset.DemoWorld) -> None:
    households = world.persons.select(["member", "external_userid", "name", "home_store", "synthetic"])
    households = households.append_column("born_at", world.persons["first_at"])
    people.load_persons(households, source=dataset.SOURCE, corp=CORP)
    prospects = world.prospects
    people.load_persons(
        pa.table(
            {
                "external_userid": prospects["external_userid"],
                "name": prospects["name"],
                "home_store": prospects["store"],
                "born_at": prospects["added_at"],
                "synthetic": pa.array(np.ones(prospects.num_rows, bool)),
            }
        ),
        source=dataset.SOURCE,
        corp=CORP,
    )
    senders = organisation.add_senders([])
    who = _persons_of(world.friendships["external_userid"])
    left, dropped = world.friendships["customer_deleted_at"], world.friendships["member_deleted_at"]
    lost = pc.if_else(pc.fill_null(pc.less(dropped, left), pc.is_null(left)), dropped, left)  # whichever came first
    people.load_relations(
        pa.table(
            {
                "person": who,
                "sender": [senders[userid] for userid in world.friendships["userid"].to_pylist()],
                "added_at": world.friendships["added_at"],
                "lost_at": lost,
                "last_talk_at": world.friendships["last_talk_at"],
            }
        )
    )
    consents = world.consents
    people.load_consents(
        consents.select(["purpose", "channel", "granted", "at", "proof"]).append_column(
            "person", _persons_of(consents["external_userid"])
        )
    )


def _persons_of(external: pa.ChunkedArray) -> pa.Array:
    return pa.array(people.resolve_column("external_userid", CORP, external), pa.int64())


def _campaign_events(world: dataset.DemoWorld) -> pa.RecordBatchReader:
    return world.events.to_reader()


def _sandbox(world: dataset.DemoWorld) -> Spec:
    """The same people as the sandbox knows them: its guides tap, its customers buy."""
    corp = next(corp for corp in corps() if corp.corp == CORP)
    return Spec(
        corp_id=CORP,
        secret=corp.secret,
        seed=2018,
        start_at=dataset.BUSINESS_START,
        members=tuple(
            Member(row["userid"], row["label"], HABITS[row["habit"]], row["offgate_per_day"])
            for row in world.guides.to_pylist()
        ),
        customers=tuple(
            Customer(
                row["external_userid"],
                row["name"],
                None,  # named by external_userid at the door, which is joined with the member number
                row["daily_rate"],
                row["basket_mu"],
                row["basket_sigma"],
                row["store_code"],
                dict(row["category_weights"]),
                row["lift"],
                row["discount"],
            )
            for row in world.population.to_pylist()
        ),
        relations=tuple(Relation(**row) for row in world.friendships.to_pylist()),
        effect_days=EFFECT_DAYS,
        zone=dataset.ZONE,
        currency=dataset.CURRENCY,
        dispatch_seconds=0.0,
        scans_per_day=SCANS_PER_DAY,
        arrivals_per_day=ARRIVALS_PER_DAY,
    )


def totals(warehouse: Warehouse) -> dict[str, object]:
    """What stands in the pond, counted from the warehouse."""
    row = warehouse.query(named("demo/totals", {"source": dataset.SOURCE})).to_pylist()[0]
    return {name: float(value) if name == "spend" else value for name, value in row.items()}
