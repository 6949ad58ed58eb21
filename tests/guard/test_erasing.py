"""Erasing a person: everything that names them goes, wherever it is killed; what adds up still adds up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pytest_django import DjangoDbBlocker, Settings

from tests.channels.archive.library import Library, Talk, make_key, pem_of
from tests.channels.archive.test_reading import Words
from tests.house.world import CORP, SOURCE, START, World, shared
from tests.intake.tables import told_otherwise
from tests.warehouse.fixtures import prepared
from yutang.channels.archive import services as archive
from yutang.channels.archive.reading import read_on
from yutang.channels.contracts import MessageContent, Permit
from yutang.channels.direct import accounts, addresses
from yutang.channels.direct.outbox import Outbox
from yutang.channels.models import Address, ArchivedMessage, Letter
from yutang.documents.queries import find
from yutang.documents.services import save_document
from yutang.guard import exporting, queries, retention, services
from yutang.guard.contracts import Step
from yutang.guard.statements import BURIED, FORGOTTEN, NOBODYS
from yutang.intake import imports
from yutang.intake.hooks import services as hooks
from yutang.intake.hooks.contracts import Delivery, Outcome
from yutang.intake.hooks.documents import WebhookDocument
from yutang.intake.hooks.reading import texts_of
from yutang.intake.hooks.services import Taken
from yutang.intake.mirror import mirror_facts
from yutang.intake.models import HeldMessage, HookDelivery, Import
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import business_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import NotFound, Refused, Unavailable
from yutang.kernel.failpoints import FAILPOINTS
from yutang.kernel.ids import EventId, PersonId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.models import AuditEntry
from yutang.organisation.queries import OWNER, channel_accounts
from yutang.people import queries as people
from yutang.people import services as people_services
from yutang.people import shunned
from yutang.people.models import DoNotContact, Identifier, Person, TurnedAway
from yutang.profiles import services as profiles
from yutang.reach import services as reach
from yutang.reach.ledger import plan_counts
from yutang.warehouse.contracts import Statement
from yutang.warehouse.current import install_warehouse
from yutang.warehouse.engine import FILE, open_warehouse

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def template(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The world, its warehouse closed: each test works on a copy of the file, and in a transaction that is undone."""
    with shared(django_db_blocker, tmp_path_factory.mktemp("erasing")) as made:
        made.warehouse.close()
        yield made


@pytest.fixture
def world(template: World, db: None, tmp_path: Path, settings: Settings) -> Iterator[World]:
    settings.DATA = tmp_path
    (tmp_path / FILE).write_bytes((template.directory / FILE).read_bytes())
    warehouse = open_warehouse(prepared(tmp_path), threads=1, memory_limit="1GB")
    install_warehouse(warehouse)
    yield replace(template, warehouse=warehouse, directory=tmp_path)
    install_warehouse(None)
    warehouse.close()


def count(world: World, sql: str, **params: object) -> object:
    return world.warehouse.query(Statement(sql, params)).column(0)[0].as_py()


def erased(world: World, person: PersonId) -> None:
    services.erase(world.warehouse, OWNER, person)
    assert services.go_on(world.warehouse) == 1


@pytest.mark.long
def test_nothing_in_either_store_names_who_was_erased(world: World) -> None:
    far = world.far
    before = count(world, "SELECT sum(net_amount) FROM orders")
    plans = plan_counts(world.warehouse, [far.plan, world.near.plan])
    held = queries.holdings(world.warehouse, OWNER, far.person)
    assert held.counts["identifiers"] == 3
    assert held.counts["orders"] == 1
    assert held.counts["decisions"] >= 1
    erased(world, far.person)
    assert people.find_by_identifier(OWNER, far.phone) == []
    with pytest.raises(NotFound):
        people.person_card(OWNER, far.person)
    for table in (*FORGOTTEN, *NOBODYS, *BURIED):
        columns = FORGOTTEN.get(table, ("person",))
        for column in columns:
            found = count(world, f"SELECT count(*) FROM {table} WHERE {column} = $person", person=far.person)
            assert found == 0, table
    assert count(world, "SELECT sum(net_amount) FROM orders") == before
    assert plan_counts(world.warehouse, [far.plan, world.near.plan]) == plans
    assert all(one.balances() for one in plans.values())
    (done,) = queries.erasures(OWNER)
    assert done.step is Step.DONE
    assert done.counts == held.counts
    assert services.Erasure.objects.get().work is None
    people.person_card(OWNER, world.near.person)  # the control stands


@pytest.mark.long
def test_every_table_that_bears_a_persons_number_is_seen_to(world: World) -> None:
    names = "('person', 'birth', 'survivor')"
    sql = f"SELECT DISTINCT table_name FROM information_schema.columns WHERE column_name IN {names} ORDER BY 1"
    bearing = set(world.warehouse.query(Statement(sql)).column(0).to_pylist())
    assert bearing == {*FORGOTTEN, *NOBODYS, *BURIED}


@pytest.mark.long
def test_who_was_erased_does_not_come_back_by_any_door(world: World, tmp_path: Path) -> None:
    far = world.far
    erased(world, far.person)
    persons, orders = Person.objects.count(), count(world, "SELECT count(*) FROM orders")
    turnover = count(world, "SELECT sum(net_amount) FROM orders")
    who = (IdentifierValue("member", SOURCE, far.member), IdentifierValue("openid", "app", "brand-new"))
    base = Event(EventId("again"), "person.seen", START, who, props={"name": far.name, "phone": far.phone})
    record([base])
    file = tmp_path / "again.csv"
    file.write_text(
        "order_id,placed_at,sku,quantity,amount,member,phone,name\n"
        f"new-1,2026-03-01 10:00:00,a,1,5.00,{far.member},,{far.name}\n"
        f"new-2,2026-03-01 10:00:00,a,1,7.00,,{far.phone},{far.name}\n",
        encoding="utf-8",
    )
    imports.import_orders(world.warehouse, file, source=SOURCE, author="owner")
    again = imports.import_orders(world.warehouse, file, source=SOURCE, author="owner")
    assert again.persons == 0
    assert again.already_there == 2
    pump_until_empty(world.warehouse)
    births = people_services.load_persons(pa.table({"external_userid": [far.external]}), source=SOURCE, corp=CORP)
    assert births.tolist() == [0]
    assert people_services.resolve_column("member", SOURCE, pa.array([far.member, "m-other"])).tolist()[0] == 0
    assert Person.objects.count() == persons + 1
    assert not Identifier.objects.filter(kind="openid").exists()
    assert count(world, "SELECT count(*) FROM orders") == orders + 2
    assert count(world, "SELECT count(*) FROM orders WHERE person IS NULL") == 3
    assert count(world, "SELECT sum(net_amount) FROM orders") == turnover + 12
    assert told_otherwise(world.warehouse) == []
    counted = TurnedAway.objects.get()
    assert (counted.dropped, counted.orders) == (1, 4)  # arrivals: the file came twice
    mirror_facts(world.warehouse)
    profiles.rebuild(world.warehouse, business_now())
    assert count(world, "SELECT count(*) FROM profiles WHERE person = $p", p=far.person) == 0


@pytest.mark.long
def test_a_second_arrival_of_an_erased_persons_order_changes_nothing(world: World) -> None:
    far = world.far
    erased(world, far.person)
    before = world.warehouse.query(Statement("SELECT * FROM orders ORDER BY ALL"))
    again = Event(
        EventId(f"event-{far.code}-x7"), "order.placed", START - timedelta(days=20),
        (IdentifierValue("member", SOURCE, far.member),), store=far.code, source=SOURCE, amount=Decimal("88.00"),
        currency="CNY", props={"order_id": far.order},
    )  # fmt: skip
    record([again])
    pump_until_empty(world.warehouse)
    assert world.warehouse.query(Statement("SELECT * FROM orders ORDER BY ALL")) == before
    assert told_otherwise(world.warehouse) == []
    refund = Event(
        EventId("refund"), "order.refunded", START, again.identifiers, source=SOURCE, amount=Decimal("8.00"),
        currency="CNY", props={"order_id": far.order},
    )  # fmt: skip
    record([refund])
    pump_until_empty(world.warehouse)
    assert count(world, "SELECT min(net_amount) FROM orders WHERE person IS NULL") == 80


@pytest.mark.long
def test_no_letter_to_them_waits_or_is_kept(world: World) -> None:
    far, near = world.far, world.near
    given = {"access_key_id": "k", "access_key_secret": "s", "signature": "x", "templates": "T\n你好"}
    accounts.keep_account(OWNER, "sms.aliyun", "texts", given)
    (account,) = channel_accounts()
    numbers = [f"+86{one.phone}" for one in (far, near)]
    service = Permit("service", marketing=False)
    Outbox(account).create_task("texts", numbers, MessageContent("你好", permit=service))
    addresses.note_dead("phone", "", numbers[0], "bounced")
    erased(world, far.person)
    assert list(Letter.objects.values_list("recipient", flat=True)) == numbers[1:]
    assert not Address.objects.exists()


@pytest.mark.long
def test_what_the_archive_kept_of_them_goes_and_no_more_comes(world: World) -> None:
    key, talk = make_key(), Talk()
    library = Library({1: key}, talk)
    archive.open_archive(CORP, "archive-secret")
    archive.add_key(CORP, 1, pem_of(key))
    for who in (world.far.external, world.near.external):
        talk.say("wang", who)
    assert read_on(CORP, library, Words()).kept == 2
    erased(world, world.far.person)
    assert ArchivedMessage.objects.get().seq == 2
    talk.say(world.far.external, "wang")
    assert read_on(CORP, library, Words()).left_out == 1


@pytest.fixture
def pushed(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret part of a webhook's address, whose orders are those of the world's till."""
    data = {**find(WebhookDocument, "generic_orders").document.as_data(), "source": SOURCE, "verify": {"by": "address"}}
    hooks.keep_webhook(parse(WebhookDocument, data), OWNER)
    return hooks.open_hook("generic_orders", OWNER).path.rpartition("/")[2]


def push(place: str, **said: object) -> Taken:
    body = {"status": "refunded", "at": "2026-03-02T10:00:00+08:00", "amount": 800, **said}
    return hooks.take("generic_orders", place, Delivery(json.dumps(body).encode()))


@pytest.mark.long
def test_what_platforms_pushed_of_them_is_read_no_more(world: World, pushed: str) -> None:
    far, near = world.far, world.near
    grouped = f"{far.phone[:3]}-{far.phone[3:7]}-{far.phone[7:]}"
    for number, said in enumerate(({"member": far.member}, {"phone": grouped}, {"note": far.external.upper()})):
        taken = push(pushed, order_no=f"p{number}", refund_no=f"r{number}", status="paid", **said)
    assert taken.outcome is Outcome.HELD  # it names nobody, and its order is not known
    push(pushed, order_no="p9", refund_no="r9", status="paid", member=near.member)
    assert HeldMessage.objects.count() == 1
    erased(world, far.person)
    bodies = [list(texts_of(bytes(row.sealed)))[1] for row in HookDelivery.objects.order_by("pk")]
    assert [bool(body) for body in bodies] == [False, False, False, True]
    assert not HeldMessage.objects.exists()
    again = push(pushed, order_no="p0", refund_no="r0", status="paid", member=far.member)
    assert again.repeated


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
def test_a_refund_that_names_nobody_finds_the_order_of_an_erased_person(
    world: World, pushed: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    far = world.far

    def refund(name: str = "") -> None:
        if name in ("", f"erase.{Step.INBOX}"):
            assert push(pushed, order_no=far.order, refund_no="r1").outcome is Outcome.RECORDED

    if when == "before":
        refund()
    elif when == "meanwhile":
        monkeypatch.setattr(services, "failpoint", refund)
    erased(world, far.person)
    if when == "after":
        refund()
    pump_until_empty(world.warehouse)
    assert count(world, "SELECT min(net_amount) FROM orders WHERE person IS NULL") == 80
    assert count(world, "SELECT count(*) FROM orders WHERE order_id = $order", order=far.order) == 0
    assert count(world, "SELECT count(*) FROM events WHERE props LIKE $order", order=f"%{far.order}%") == 0
    assert count(world, "SELECT count(*) FROM events WHERE person = $p", p=far.person) == 0


@pytest.mark.long
def test_an_import_that_was_killed_meanwhile_is_finished_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    services.erase(world.warehouse, OWNER, world.far.person)
    killed = Import.objects.create(kind="orders", source=SOURCE, digest="x", state=imports.APPENDING, author="owner")
    monkeypatch.setattr(imports, "resume", lambda warehouse: 0)  # it was killed just after this
    with pytest.raises(Unavailable, match="interrupted"):
        services.go_on(world.warehouse)
    killed.delete()
    assert services.go_on(world.warehouse) == 1


@pytest.mark.long
def test_somebody_who_shares_a_number_with_an_erased_person_stays(world: World) -> None:
    erased(world, world.far.person)
    near = (IdentifierValue("member", SOURCE, world.near.member), IdentifierValue("phone", "", world.far.phone))
    assert people_services.resolve([near], seen_at=START) == [world.near.person]
    assert people.find_by_identifier(OWNER, world.far.phone) == []


@pytest.mark.long
def test_all_numbers_of_a_merged_person_go(world: World) -> None:
    near, far = world.near, world.far
    pair = (IdentifierValue("member", SOURCE, near.member), IdentifierValue("member", SOURCE, far.member))
    (survivor,) = people_services.resolve([pair], seen_at=START)
    pump_until_empty(world.warehouse)
    plans = plan_counts(world.warehouse, [far.plan, near.plan])
    erased(world, far.person)
    assert not Person.objects.filter(pk__in=[near.person, far.person, survivor]).exists()
    assert count(world, "SELECT count(*) FROM person_overrides") == 0
    assert plan_counts(world.warehouse, [far.plan, near.plan]) == plans


@pytest.mark.long
def test_a_running_plan_goes_on_without_them(world: World) -> None:
    erased(world, world.far.person)
    before = plan_counts(world.warehouse, [world.far.plan])[world.far.plan]
    reach.turn(world.warehouse, {})
    after = plan_counts(world.warehouse, [world.far.plan])[world.far.plan]
    assert after.balances()
    assert after.decided == before.decided


class Killed(BaseException):
    """As if the process had died here: nothing catches it."""


PLACES = [name for name in FAILPOINTS if name.startswith("erase.")]


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_it_goes_on(world: World, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def die(name: str) -> None:
        if name == place:
            raise Killed

    monkeypatch.setattr(services, "failpoint", die)
    with pytest.raises(Killed):
        erased(world, world.far.person)
    monkeypatch.undo()
    asked_again = Person.objects.filter(pk=world.far.person).exists()
    first = services.erase(world.warehouse, OWNER, world.far.person).id if asked_again else None
    services.go_on(world.warehouse)
    assert services.go_on(world.warehouse) == 0
    (done,) = queries.erasures(OWNER)
    assert done.step is Step.DONE
    assert first in (None, done.id)
    assert not Person.objects.filter(pk=world.far.person).exists()
    assert count(world, "SELECT count(*) FROM decisions WHERE person = $p", p=world.far.person) == 0
    assert len(shunned.listed()) == DoNotContact.objects.count() == 3


@pytest.mark.long
def test_a_restored_backup_forgets_again(world: World) -> None:
    erased(world, world.far.person)
    DoNotContact.objects.all().delete()  # as in a backup from before
    births = people_services.load_persons(pa.table({"external_userid": [world.far.external]}), source=SOURCE, corp=CORP)
    assert births[0] > 0
    assert services.erase_again(world.warehouse, OWNER) == 1
    services.go_on(world.warehouse)
    assert not Person.objects.filter(pk=int(births[0])).exists()
    assert services.erase_again(world.warehouse, OWNER) == 0


@pytest.mark.long
def test_only_headquarters_erases(world: World) -> None:
    for username in ("near_manager", "near_operator"):
        with pytest.raises(Refused):
            services.erase(world.warehouse, world.viewer(username), world.near.person)


# Seeing, and letting go by time --------------------------------------------------------------------------------------


@pytest.mark.long
def test_an_export_holds_everything_and_is_noted(world: World) -> None:
    found = exporting.export_person(world.warehouse, OWNER, world.far.person)
    text, page = exporting.as_json(found), exporting.as_page(found)
    for told in (world.far.name, world.far.phone, world.far.member, world.far.external, world.far.order, world.far.sku):
        assert told in text
        assert told in page
    assert {name for name in exporting.TITLES if not found[name]} <= {"segments"}
    assert world.near.phone not in text
    assert "<script" not in exporting.as_page({**found, "tags": [{"tag": "<script>alert(1)</script>"}]})
    assert AuditEntry.objects.filter(verb="export_person", subject=f"person {world.far.person}").count() == 1
    with pytest.raises(Refused):
        exporting.export_person(world.warehouse, world.viewer("near_operator"), world.near.person)


@pytest.mark.long
def test_events_past_their_time_go_in_portions_and_orders_never(world: World) -> None:
    who = (IdentifierValue("member", SOURCE, world.near.member),)
    record(
        [
            Event(EventId(f"view-{days}"), "page.viewed", START - timedelta(days=days), who, props={"path": "/"})
            for days in (1, 40, 50, 60)
        ]
    )
    pump_until_empty(world.warehouse)
    with pytest.raises(ValueError, match="accounts"):
        kept_for({"order.placed": 30})
    with pytest.raises(ValueError, match="no event type"):
        kept_for({"no.such": 30})
    assert retention.let_go(world.warehouse) == 0
    save_document(kept_for({"page.viewed": 30}), "owner")
    assert [(one.events, one.due) for one in retention.overview(world.warehouse, OWNER)] == [(4, 3)]
    assert retention.let_go(world.warehouse, portion=2) == 2
    assert retention.let_go(world.warehouse, portion=2) == 1
    assert retention.let_go(world.warehouse) == 0
    assert count(world, "SELECT count(*) FROM events WHERE type = 'page.viewed'") == 1


def kept_for(days: dict[str, int]) -> retention.RetentionDocument:
    title = {"zh": "期限", "en": "Kept"}
    return retention.RetentionDocument.model_validate(
        {"kind": "retention", "name": "kept", "title": title, "days": days}
    )
