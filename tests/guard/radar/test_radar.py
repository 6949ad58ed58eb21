"""The radar: every wall is seen once a day from what the house knows, what is near is said in time, and cleaned up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.reach.conftest import DAY, START, Stage, staged
from tests.soak.pond import CORP
from yutang.app.channels import Channels
from yutang.channels.sync import services as sync
from yutang.connect import services as connect
from yutang.connect.documents import ContactWay
from yutang.documents.services import save_document
from yutang.guard.radar import cleaning, queries, services
from yutang.guard.radar.contracts import State, WallFacts
from yutang.guard.radar.documents import LIMITED, WallsDocument
from yutang.guard.radar.models import Snapshot
from yutang.guard.radar.services import EntryForm
from yutang.intake.mirror import mirror_facts
from yutang.kernel.clock import business_clock, wall_now
from yutang.kernel.documents import read
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.organisation import clock as brand_clock
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, node_by_code
from yutang.people.models import Relation

pytestmark = pytest.mark.django_db
TOLD = {"source": "tests", "read_on": "2026-03-01"}


@pytest.fixture
def stage(db: None, tmp_path: Path, settings: Settings) -> Iterator[Stage]:
    with staged(tmp_path, settings, persons=12) as built:
        yield built


def allow(free: int, **limits: int) -> None:
    """Keep a document of walls."""
    document = {
        "kind": "walls", "name": "wecom", "title": {"zh": "试", "en": "tried"},
        "contacts": {"free": free, "per_head": "0.1", "steps": [{"size": 50}, {"size": 500, "price": "40"}], **TOLD},
        "limits": {name: {"most": most, **TOLD} for name, most in limits.items()},
    }  # fmt: skip
    save_document(WallsDocument.model_validate(document), "tests")


def one(wall: str) -> WallFacts:
    (found,) = [row for row in queries.walls(OWNER) if row.wall.name == wall]
    return found


def on_day(stage: Stage, day: int) -> None:
    """The business clock stands so many days after the start."""
    brand_clock.move_clock(START + day * DAY)
    stage.loop._now()


def test_contacts_are_counted_as_the_platform_does_and_warned_of_in_time(stage: Stage) -> None:
    channels = Channels(stage.sandbox)
    allow(40, account_contacts=5000)
    came = 12
    for day in range(0, 30, 5):  # a day that nobody looked at lies between its neighbours
        on_day(stage, day)
        for new in range(day, day + 5):
            stage.ask("befriend", userid="guide00", external_userid=f"wm-new-{new}")
            came += 1
        if day == 20:  # who deletes the member counts still; whom the member deletes does not
            stage.ask("leave", userid="guide01", external_userid="wm00001", by="customer")
            stage.ask("leave", userid="guide01", external_userid="wm00004", by="member")
            came -= 1
        with business_clock(START + day * DAY):  # which threads of a sync may read beside this transaction
            sync.ask(OWNER, "customers", CORP)
            assert sync.work(channels.syncs())
            assert services.look_daily(stage.warehouse) > 0
            assert services.look_daily(stage.warehouse) == 0  # once a day
    contacts = one("contacts")
    assert (contacts.used, contacts.most, contacts.state) == (came, 40, State.HIT)
    assert contacts.price == Decimal("5.00")  # fifty at ten cents
    services.enter(OWNER, EntryForm("contacts", "", CORP, "50", ends_on="2026-05-31", price="5"))
    services.look(stage.warehouse)
    contacts = one("contacts")
    assert (contacts.most, contacts.left) == (90, 90 - came)
    assert contacts.low is not None
    assert contacts.low <= 49 <= (contacts.high or 365)
    licence = one("licence")
    assert (licence.ends_on is not None, licence.middle, licence.price) == (True, pytest.approx(66, abs=1), 5)
    assert one("account_contacts").title == "guide00"


def test_a_day_is_seen_whole_or_not_at_all(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(40, codes=500)
    with monkeypatch.context() as patched:
        patched.setattr(Snapshot.objects, "bulk_create", _die)
        with pytest.raises(RuntimeError):
            services.look(stage.warehouse)
    assert not Snapshot.objects.exists()
    first = services.look(stage.warehouse)
    assert (services.look(stage.warehouse), Snapshot.objects.count()) == (first, first)  # again: the same day's rows


def _die(rows: object) -> None:
    raise RuntimeError


def test_what_no_api_tells_is_written_down_and_warned_of(stage: Stage) -> None:
    allow(4000)
    day = (START + timedelta(days=40)).date().isoformat()
    licence = services.enter(OWNER, EntryForm("licence", "会话存档 200 席", CORP, ends_on=day, price="9600"))
    services.enter(OWNER, EntryForm("other", "云空间", most="100", used="96"))
    services.look(stage.warehouse)
    assert [(row.wall.name, row.state) for row in queries.warnings(OWNER)] == [
        ("licence", State.WARNED), ("other", State.WARNED),
    ]  # fmt: skip
    services.enter(OWNER, EntryForm("other", "云空间", most="200", used="97"))  # in place of the former
    services.end_entry(OWNER, licence)
    services.look(stage.warehouse)
    assert [one.title for one in queries.entries(OWNER)] == ["云空间"]
    assert queries.warnings(OWNER) == []
    with pytest.raises(NotFound):
        services.end_entry(OWNER, licence)
    for wrong in (
        EntryForm("nonsense", "x"), EntryForm("licence", "x"), EntryForm("other", "x", most="-1"),
        EntryForm("licence", "x", ends_on="31.1.2027"), EntryForm("other", "", most="1"),
        EntryForm("other", "x", most="NaN"),
    ):  # fmt: skip
        with pytest.raises(BadInput):
            services.enter(OWNER, wrong)
    with pytest.raises(NotFound):
        services.enter(OWNER, EntryForm("balance", "", "sms:none", most="10"))


def test_only_headquarters_sees_the_walls(stage: Stage) -> None:
    near = Viewer("near", RoleName.OPERATOR, frozenset({node_by_code("s1").id}))
    analyst = Viewer("analyst", RoleName.ANALYST, None)
    for viewer in (near, analyst):
        for forbidden in (
            lambda viewer=viewer: queries.walls(viewer),
            lambda viewer=viewer: queries.entries(viewer),
            lambda viewer=viewer: services.enter(viewer, EntryForm("other", "x", most="1")),
            lambda viewer=viewer: cleaning.idle_contacts(stage.warehouse, viewer),
            lambda viewer=viewer: cleaning.close_idle(viewer, ["x"], 90),
            lambda viewer=viewer: cleaning.dead_groups(viewer),
        ):
            with pytest.raises(Refused):
                forbidden()


def test_contacts_that_take_up_room_are_named_with_why(stage: Stage) -> None:
    long_ago = START - timedelta(days=400)
    person = stage.persons
    Relation.objects.filter(person_id=person["wm00000"]).update(added_at=long_ago)
    Relation.objects.filter(person_id=person["wm00001"]).update(added_at=long_ago, last_talk_at=START - DAY)
    Relation.objects.filter(person_id=person["wm00002"]).update(lost_at=START - DAY)
    mirror_facts(stage.warehouse)
    found, total = cleaning.idle_contacts(stage.warehouse, OWNER)
    assert (total, {(row.person, row.reason) for row in found}) == (
        2, {(person["wm00000"], "zombie"), (person["wm00002"], "deleted")},
    )  # fmt: skip
    assert [row.person for row in cleaning.idle_contacts(stage.warehouse, OWNER, "deleted")[0]] == [person["wm00002"]]
    assert cleaning.idle_contacts(stage.warehouse, OWNER, limit=1, offset=1)[1] == 2


def test_codes_by_which_nobody_comes_are_closed_and_deleted(stage: Stage) -> None:
    ports = Channels(stage.sandbox).contact_ways()
    for name in ("busy", "idle"):
        way = {"kind": "contact_way", "name": name, "title": {"zh": name, "en": name}, "source": "poster"}
        connect.keep_way(ContactWay.model_validate({**way, "routing": {"staff": ["guide00"]}}), OWNER)
    connect.turn(ports)
    day = (wall_now() - START).days + 100  # what was kept just now, by the wall clock, was so long before
    on_day(stage, day)
    assert [row.way.name for row in cleaning.idle_codes(OWNER, 90)] == ["store_poster", "busy", "idle"]
    connect.Join.objects.create(way="busy", userid="guide00", who=b"x", at=START + (day - 10) * DAY)
    assert [row.way.name for row in cleaning.idle_codes(OWNER, 90)] == ["store_poster", "idle"]
    assert cleaning.close_idle(OWNER, ["busy", "idle"], 90) == 1
    assert cleaning.close_idle(OWNER, ["idle"], 90) == 0  # again: it is closed already
    connect.turn(ports)
    there = stage._platform("SELECT count(*) FROM ways WHERE deleted_at IS NULL")
    assert there == [(4,)]  # the busy one, and one for each store of the poster
    with pytest.raises(BadInput):
        cleaning.close_idle(OWNER, [], 90)


def test_every_number_of_the_platform_stands_with_where_and_when_it_was_read() -> None:
    shipped = read((Path(__file__).parents[3] / "playbooks" / "walls" / "wecom.yaml").read_bytes())
    assert isinstance(shipped, WallsDocument)
    for wall in ("contacts", *LIMITED):
        told = shipped.told(wall)
        assert told is not None, wall
        assert told.source, wall
    assert shipped.told("licence") is None
