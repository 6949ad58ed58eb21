"""A brand with two stores, each with people, orders, guides and a running plan; what is planted in the far store has
names and numbers that occur nowhere else, so that finding one anywhere is a leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from tests import stores
from tests.kept import made_once
from tests.sandbox.files import png
from tests.warehouse.fixtures import prepared
from yutang.channels.contracts import Attached, AttachedKind, MessageContent
from yutang.channels.manual.mass_send import ManualMassSend, number_of
from yutang.connect.documents import ContactWay
from yutang.connect.group_ways import GroupWayForm, keep_group_way
from yutang.connect.services import keep_way
from yutang.files.contracts import FileKind
from yutang.files.services import keep_file
from yutang.intake.mirror import mirror_nodes
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import business_clock, business_now, wall_now
from yutang.kernel.ids import EventId, PersonId, PlanId
from yutang.layers.ladder import climb
from yutang.log.contracts import Event, IdentifierValue, Line
from yutang.log.services import record
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.queries import OWNER, node_by_code, viewer_named
from yutang.organisation.services import NewNode, NewSender
from yutang.people import grouped
from yutang.people import services as people
from yutang.people.groups import GroupTold, MemberTold, keep_groups
from yutang.people.models import Counter
from yutang.playbooks.services import keep_shipped
from yutang.profiles import services as profiles
from yutang.reach import planning
from yutang.reach import queries as reach_queries
from yutang.reach import services as reach
from yutang.reach.contracts import PlanState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.models import Plan
from yutang.reflex import services as reflex
from yutang.reflex.documents import ReflexRule
from yutang.reflex.queries import follow_ups
from yutang.tasks.remarks import remark
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.current import install_warehouse
from yutang.warehouse.engine import open_warehouse

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten in the morning in Shanghai
CORP, CHANNEL, SOURCE = "ww-house", "wecom", "till"
PASSWORD = "correct horse battery"
SCOPES = ("events:write", "read", "plans:write", "persons:write")
FAR = {
    "person": 7_310_000,
    "reach_batch": 7_530_000,
    "organisation_staff": 7_640_000,
    "organisation_senderaccount": 7_750_000,
    "reflex_followup": 7_860_000,
    "people_group": 7_970_000,
    "connect_groupway": 7_180_000,
    "manual_worklist": 7_290_000,
}
"""The numbers of the far store's rows begin here, so that they can be told from any other number."""
FAR_PLAN = 7_420_000
"""And that of its plan comes after this one: plans are numbered without a sequence."""


@dataclass(frozen=True, slots=True)
class Store:
    """What stands at one of the two stores."""

    code: str
    person: PersonId
    plan: PlanId
    batch: int
    name: str
    phone: str
    member: str
    external: str
    order: str
    sku: str
    guide: str
    userid: str
    plan_name: str
    way: str
    way_title: str
    follow_up: str
    group: str
    group_name: str
    group_way: str
    group_way_title: str
    list: str

    def planted(self) -> dict[str, str]:
        """Each thing that somebody of another store must not be told, by what it is."""
        return {
            "person": str(self.person),
            "plan": str(self.plan),
            "batch": str(self.batch),
            "name": self.name,
            "phone": self.phone,
            "member": self.member,
            "external": self.external,
            "order": self.order,
            "sku": self.sku,
            "guide": self.guide,
            "userid": self.userid,
            "plan_name": self.plan_name,
            "way": self.way,
            "way_title": self.way_title,
            "follow_up": self.follow_up,
            "group": self.group,
            "group_name": self.group_name,
            "group_way": self.group_way,
            "group_way_title": self.group_way_title,
            "list": self.list,
        }


@dataclass(frozen=True, slots=True)
class World:
    """The brand, with a user of every kind and a token of each."""

    warehouse: Warehouse
    directory: Path
    near: Store
    far: Store
    tokens: dict[str, str]

    def viewer(self, username: str) -> Viewer:
        """What a user may see."""
        return viewer_named(username)


def broadcast(name: str, title: str) -> BroadcastDocument:
    """A broadcast to everyone whom its author sees."""
    return BroadcastDocument.model_validate(
        {
            "kind": "broadcast",
            "name": name,
            "title": {"zh": title, "en": name},
            "audience": {"everyone": True},
            "purpose": "marketing",
            "message": {"text": "本周新品到店。"},
            "hold_out": 0,
        }
    )


@contextmanager
def built(directory: Path) -> Iterator[World]:
    """The world, with its warehouse installed and the business clock at START. Needs a database."""

    def build(folder: Path) -> tuple[Store, Store, dict[str, str]]:
        with _installed(folder) as warehouse:
            return _build(warehouse)

    with business_clock(START):
        near, far, tokens = made_once("house", directory, build)
        with _installed(directory) as warehouse:
            yield World(warehouse, directory, near, far, dict(tokens))


@contextmanager
def _installed(directory: Path) -> Iterator[Warehouse]:
    with closing(open_warehouse(prepared(directory), threads=1, memory_limit="1GB")) as warehouse:
        install_warehouse(warehouse)
        try:
            yield warehouse
        finally:
            install_warehouse(None)


@contextmanager
def shared(blocker: DjangoDbBlocker, directory: Path) -> Iterator[World]:
    """The world for many tests: in one transaction around theirs, and undone with it."""
    with blocker.unblock(), transaction.atomic(), built(directory) as made:
        yield made
        transaction.set_rollback(True)


def _build(warehouse: Warehouse) -> tuple[Store, Store, dict[str, str]]:
    organisation.set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    keep_shipped()
    organisation.add_nodes(
        [NewNode("near", "近店", NodeKind.STORE), NewNode("far", "远店", NodeKind.STORE)],
    )
    mirror_nodes(warehouse)
    tokens = {}
    for username, role, node in (
        ("owner", RoleName.OWNER, "brand"),
        ("near_manager", RoleName.MANAGER, "near"),
        ("near_operator", RoleName.OPERATOR, "near"),
        ("far_operator", RoleName.OPERATOR, "far"),
    ):
        organisation.add_user(username, PASSWORD, role, node)
        tokens[username] = organisation.issue_token(username, SCOPES, role, node)
    _number_apart(dict.fromkeys(FAR, 1) if stores.on_postgres() else {})  # its sequences outlive what is undone
    near = _store(warehouse, "near", "周近", "13800138001", "owner")
    _number_apart(FAR)
    before = Plan.objects.get(pk=near.plan)
    before.pk, before.state = FAR_PLAN, PlanState.STOPPED
    before.save(force_insert=True)
    far = _store(warehouse, "far", "暗桩远", "13911117777", "far_operator")
    before.delete()
    profiles.rebuild(warehouse, business_now())
    _climbed(warehouse, near, far)
    return near, far, tokens


def _climbed(warehouse: Warehouse, *those: Store) -> None:
    """Both went up the ladder just now."""
    rows = pa.table({"person": [one.person for one in those]})
    first = Statement(
        "INSERT INTO ladder_moves SELECT person, 0, NULL, $at, 1 FROM those",
        {"at": business_now() - timedelta(days=9)},
        {"those": rows},
    )
    warehouse.write([first])
    assert climb(warehouse).up == len(those)


def _number_apart(firsts: Mapping[str, int]) -> None:
    """Let the next row of each table come after that number; the next person be that one."""
    with connection.cursor() as cursor:
        for table, first in firsts.items():
            if table == "person":
                Counter.objects.update_or_create(name=table, defaults={"next": first})
            elif stores.on_postgres():
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, first])
            else:
                cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [first, table])
                assert cursor.rowcount == 1, table


def _store(warehouse: Warehouse, code: str, name: str, phone: str, author: str) -> Store:
    guide, userid = f"导购{name}", f"guide-{code}-x7"
    member, external, order, sku = f"M-{code}-x7", f"wm-{code}-x7", f"ORDER-{code}-x7", f"SKU-{code}-x7"
    senders = organisation.add_senders([NewSender(code, guide, CHANNEL, CORP, userid)])
    births = people.load_persons(
        pa.table(
            {
                "member": [member],
                "phone": [phone],
                "external_userid": [external],
                "name": [name],
                "home_store": [code],
                "born_at": pa.array([START - timedelta(days=200)], pa.timestamp("us", "UTC")),
            }
        ),
        source=SOURCE,
        corp=CORP,
    )
    person = PersonId(int(births[0]))
    friend = pa.array([START - timedelta(days=90)], pa.timestamp("us", "UTC"))
    people.load_relations(pa.table({"person": births, "sender": [senders[userid]], "added_at": friend}))
    people.give_consent(person, "marketing", CHANNEL, at=START - timedelta(days=90), proof=f"proof-{code}-x7")
    record(
        [
            Event(
                EventId(f"event-{code}-x7"),
                "order.placed",
                START - timedelta(days=20),
                (IdentifierValue("member", SOURCE, member),),
                store=code,
                source=SOURCE,
                amount=Decimal("88.00"),
                currency="CNY",
                props={"order_id": order},
                lines=(Line(sku, f"category-{code}-x7", Decimal("1"), Decimal("88.00")),),
            ),
            Event(
                EventId(f"own-{code}-x7"),
                "offgate.sent",
                START - timedelta(days=3),
                (IdentifierValue("member", SOURCE, member),),
                store=code,
                staff=userid,
                source="offgate:mass",
                channel=CHANNEL,
                props={"kind": "mass", "send": f"msg-{code}-x7", "content": "c0ffee"},
            ),
        ]
    )
    remark(person, node_by_code(code).id, userid, f"{name}喜欢周末来", START)
    pump_until_empty(warehouse)
    profiles.rebuild(warehouse, business_now())
    plan = reach.launch(broadcast(f"plan_{code}_x7", f"计划{name}"), viewer_named(author))
    planning.plan_due(warehouse)
    batches = reach_queries.batches(viewer_named(author), plan)
    way, title = f"way_{code}_x7", f"活码{name}"
    _way(way, title, code, viewer_named(author))
    return Store(
        code,
        person,
        plan,
        batches[0].id,
        name,
        phone,
        member,
        external,
        order,
        sku,
        guide,
        userid,
        f"plan_{code}_x7",
        way,
        title,
        _follow_up(warehouse, person, code, userid),
        *_group(code, external, userid, viewer_named(author)),
        _list(person, code, name),
    )


def _group(code: str, external: str, userid: str, viewer: Viewer) -> tuple[str, str, str, str]:
    """A group of the store's guide, in which the person is, and a code that leads into it."""
    member = MemberTold((IdentifierValue("external_userid", CORP, external),), START - timedelta(days=9), 3, userid, "")
    told = GroupTold(
        f"wr-{code}-x7",
        f"老客{code}x7",
        userid,
        "followed",
        START - timedelta(days=30),
        "",
        (),
        (userid,),
        "",
        (member,),
    )
    with transaction.atomic():
        keep_groups(CORP, [told], read_at=wall_now(), now=START)
    group = grouped.groups(viewer)[0][0]
    way = keep_group_way(viewer, GroupWayForm(f"群码{code}x7", (group.id,)))
    return f"{group.id}", group.name, f"{way}", f"群码{code}x7"


def _way(name: str, title: str, code: str, viewer: Viewer) -> None:
    data = {"kind": "contact_way", "name": name, "title": {"zh": title, "en": title}, "source": "poster", "at": code}
    keep_way(ContactWay.model_validate({**data, "channel": "manual", "link": f"https://u.example/{code}"}), viewer)


def _list(person: PersonId, code: str, name: str) -> str:
    """A list that a guide of the store works through by hand."""
    organisation.add_senders([NewSender(code, f"导购{name}", "manual", "", f"hand-{code}-x7")])
    picture = Attached(AttachedKind.IMAGE, keep_file(FileKind.IMAGE, "a.png", png()).digest, "新到")
    content = MessageContent("你好", attached=(picture,))
    task = ManualMassSend().create_task(f"hand-{code}-x7", [str(person)], content)
    return str(number_of(task.task_id))


def _follow_up(warehouse: Warehouse, person: PersonId, code: str, userid: str) -> str:
    """Somebody to be followed up by a store's guide, as a rule asked for it."""
    data = {"kind": "reflex", "name": f"call_{code}", "title": {"zh": "打电话", "en": "Call"}, "on": "tag.added"}
    act = {"do": "follow_up", "note": {"zh": f"打给 {code}", "en": f"Call {code}"}}
    rule = {**data, "where": {"staff": [userid]}, "acts": [act]}
    reflex.keep_rule(ReflexRule.model_validate(rule), OWNER)
    record([Event(EventId(f"tag-{code}"), "tag.added", START, person=person, staff=userid, props={"tag": "call"})])
    reflex.work({})
    pump_until_empty(warehouse)
    found = {one.userid: one.id for one in follow_ups(OWNER)}
    return str(found[userid])
