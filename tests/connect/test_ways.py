"""Contact ways at the platform: made once, led to whom they should, found again after a lost answer, and measured."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.reflex.conftest import WAY, Shore
from tests.soak.pond import CORP
from yutang.connect import queries, services
from yutang.connect.contracts import CodeState
from yutang.connect.documents import ContactWay
from yutang.connect.models import Code
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import EventId, NodeId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, nodes

pytestmark = pytest.mark.django_db
ADD = "externalcontact/add_contact_way"


def platform(shore: Shore) -> dict[str, list[str]]:
    """The users of every code that the platform has, by state."""
    port = shore.channels.contact_ways()["wecom", CORP]
    now = business_now()
    return {way.state: list(way.users) for way in port.find_ways(now - timedelta(days=1), now + timedelta(days=1))}


def turn(shore: Shore) -> int:
    return services.turn(shore.channels.contact_ways())


def codes(name: str = "card") -> list[Code]:
    return list(Code.objects.filter(way__name=name).order_by("node"))


def test_a_way_is_made_once_and_told_again_only_when_it_changes(shore: Shore) -> None:
    shore.keep_way()
    assert platform(shore)[shore.token()] == ["guide00"]
    before = len(platform(shore))
    assert turn(shore) == 0
    shore.keep_way(routing={"by": "staff", "staff": ["guide01", "GUIDE00"]})
    assert sorted(one.casefold() for one in platform(shore)[shore.token()]) == ["guide00", "guide01"]
    assert len(platform(shore)) == before
    assert turn(shore) == 0


def test_the_shipped_poster_leads_to_every_stores_own_staff(shore: Shore) -> None:
    turn(shore)
    found = {code.node: code.users for code in codes("store_poster")}
    stores = {node.code: node.id for node in nodes()}
    assert found == {stores["s0"]: ["guide00"], stores["s1"]: ["guide01"], stores["s2"]: ["guide02"]}
    for code in codes("store_poster"):
        assert queries.way_of_state(code.token) == "store_poster"


def test_an_answer_that_is_lost_is_looked_for_by_our_state_and_never_asked_for_twice(shore: Shore) -> None:
    turn(shore)
    there = len(platform(shore))
    shore.stage.faults({"api": ADD, "kind": "drop_answer", "times": 1})
    shore.keep_way()
    assert codes()[0].state == CodeState.UNKNOWN
    turn(shore)
    code = codes()[0]
    assert (code.state, bool(code.config_id)) == (CodeState.LIVE, True)
    assert len(platform(shore)) == there + 1


def test_a_call_that_was_never_made_is_made_again_once_that_is_certain(shore: Shore) -> None:
    shore.keep_way()
    turn(shore)
    mine = Code.objects.filter(way__name="card")
    lost = wall_now() - services.GIVE_UP
    mine.update(
        state=CodeState.UNKNOWN, config_id="", qr_code="", token="ytnobody", told="", called_at=lost, not_before=None
    )
    turn(shore)  # not there: asked again in the same turn
    assert codes()[0].state == CodeState.LIVE
    assert "ytnobody" in platform(shore)


def test_a_refusal_is_shown_and_asked_again_later(shore: Shore) -> None:
    shore.stage.faults({"api": ADD, "kind": "refuse", "errcode": 41054})
    shore.keep_way()
    facts = queries.way(OWNER, "card")
    assert "激活" in facts.trouble
    assert not facts.ready
    shore.stage.faults()
    assert turn(shore) >= 0
    assert not queries.way(OWNER, "card").ready
    shore.stage.jump(1)
    turn(shore)
    assert queries.way(OWNER, "card").ready
    assert queries.way(OWNER, "card").trouble == ""


def test_whoever_is_full_for_the_day_gives_way_and_comes_back_the_next(shore: Shore) -> None:
    shore.keep_way(routing={"by": "staff", "staff": ["guide00"], "daily_limit": 2, "overflow": ["guide01"]})
    for expected in (["guide00"], ["guide00"], ["guide01"], ["guide01"]):
        assert platform(shore)[shore.token()] == expected
        shore.scan(shore.token())
        shore.carry_all(1)
        turn(shore)
    assert codes()[0].full
    shore.stage.jump(16)  # past midnight in Shanghai
    turn(shore)
    assert platform(shore)[shore.token()] == ["guide00"]


def test_shifts_follow_the_clock(shore: Shore) -> None:
    shifts = [
        {"opens": "08:00", "closes": "12:00", "staff": ["guide00"]},
        {"opens": "12:00", "closes": "22:00", "staff": ["guide01"]},
    ]
    shore.keep_way(routing={"by": "shift", "shifts": shifts})
    assert platform(shore)[shore.token()] == ["guide00"]  # 08:30
    shore.stage.jump(4)
    turn(shore)
    assert platform(shore)[shore.token()] == ["guide01"]


def test_what_a_way_brought_is_counted_from_the_log(shore: Shore) -> None:
    shore.keep_way(cost={"fixed": "100", "per_head": "5"})
    found = [shore.scan(shore.token())["external_userid"] for _ in range(3)]
    shore.carry_all(3)
    slug = queries.way(OWNER, "card").slug
    assert queries.opened(slug).document.name == "card"
    for visitor in ("a", "a", "b"):
        services.note_scan("card", visitor, None)
    shore.stage.jump(2)
    record([order(found[0], "1", "30.00"), order(found[0], "2", "10.00"), order("wm00001", "3", "99.00")])
    pump_until_empty(shore.stage.warehouse)
    facts = queries.way(OWNER, "card")
    result = queries.results(shore.stage.warehouse, OWNER, [facts])["card"]
    assert (result.scans, result.joined, result.kept, result.firsts) == (2, 3, 3, 1)
    assert (result.spent, result.cost, result.cost_per_head) == (Decimal("40.00"), Decimal("115"), Decimal("38.33"))
    assert result.first_rate is None  # three people tell nothing
    assert result.payback is None


def test_enough_people_tell_and_a_friend_who_left_is_not_kept(shore: Shore) -> None:
    shore.keep_way(cost={"per_head": "2"})
    token = shore.token()
    scans = shore.ask("scan", way=token, times=32)["scans"]
    shore.carry_all(32)
    shore.stage.jump(1)
    shore.ask("leave", userid=scans[0]["userid"], external_userid=scans[0]["external_userid"], by="member")
    shore.carry_all(1)
    record([order(one["external_userid"], str(number), "8.00") for number, one in enumerate(scans[:16])])
    pump_until_empty(shore.stage.warehouse)
    result = queries.results(shore.stage.warehouse, OWNER, [queries.way(OWNER, "card")])["card"]
    assert (result.joined, result.kept, result.lost, result.net, result.firsts) == (32, 31, 1, 31, 16)
    assert result.first_rate is not None
    assert result.first_rate.low < 0.5 < result.first_rate.high
    assert result.payback is not None
    assert result.payback.value == pytest.approx(2.0)
    assert result.payback.low < 2.0 < result.payback.high


def order(who: str, number: str, amount: str) -> Event:
    return Event(
        EventId(f"order-{number}"), "order.placed", business_now(), (IdentifierValue("external_userid", CORP, who),),
        source="till", amount=Decimal(amount), currency="CNY", props={"order_id": number},
    )  # fmt: skip


def test_a_store_sees_its_own_ways_only(shore: Shore) -> None:
    stores = {node.code: node.id for node in nodes()}
    shore.keep_way(at="s0")
    shore.keep_way(name="other", at="s1")
    keeper = Viewer("keeper", RoleName.MANAGER, frozenset({NodeId(stores["s0"])}))
    assert [one.name for one in queries.ways(keeper)] == ["card"]
    with pytest.raises(NotFound):
        queries.way(keeper, "other")
    assert queries.results(shore.stage.warehouse, keeper, queries.ways(OWNER)).keys() == {"card"}
    with pytest.raises(Refused):
        services.keep_way(parse(ContactWay, {**WAY, "at": "s0"}), keeper)
    operator = Viewer("operator", RoleName.OPERATOR, frozenset({NodeId(stores["s0"])}))
    services.keep_way(parse(ContactWay, {**WAY, "at": "s0"}), operator)
    for changes in ({"at": "s1"}, {"name": "other", "at": "s0"}):
        with pytest.raises(Refused):
            services.keep_way(parse(ContactWay, {**WAY, **changes}), operator)
    staff = {"by": "staff", "staff": ["guide01"]}
    with pytest.raises(BadInput, match="staff account"):  # another store's guide
        services.keep_way(parse(ContactWay, {**WAY, "at": "s0", "routing": staff}), operator)


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": "moon"}, "source"),
        ({"at": "nowhere"}, "there is no store or region"),
        ({"corp": "ww-none"}, "not connected"),
        ({"routing": {"by": "staff"}}, "needs staff"),
        ({"routing": {"by": "shift"}}, "needs shifts"),
        ({"routing": {"by": "nearest", "staff": ["guide00"]}}, "leave staff and shifts out"),
        ({"routing": {"by": "staff", "staff": ["nobody"]}}, "no active staff account"),
        (
            {"routing": {"by": "shift", "shifts": [{"opens": "12:00", "closes": "08:00", "staff": ["guide00"]}]}},
            "opens before it closes",
        ),
        ({"cost": {"fixed": "-3"}}, "greater than or equal to 0"),
        ({"welcome": "好" * 1400}, "4,000"),
        ({"channel": "manual", "routing": None}, "needs a link"),
        ({"channel": "manual"}, "has no routing"),
        ({"link": "https://a.example"}, "no link of its own"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_way_that_cannot_stand_gets_one_sentence_and_is_not_kept(
    shore: Shore, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        services.keep_way(parse(ContactWay, {**WAY, **changes}), OWNER)
    assert "card" not in services.open_ways()
