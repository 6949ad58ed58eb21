"""What stays reachable if an account, a corp or a channel is gone, and the plan to reach the rest before it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.db import connection

from tests.guard.naive_drill import still_reachable, ways_by_person
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse
from yutang.connect import services as connect
from yutang.connect.documents import ContactWay
from yutang.guard.drill import queries, services
from yutang.guard.drill.contracts import OTHER_CORP, SAME_CORP, UnitLevel
from yutang.intake.mirror import mirror_facts
from yutang.kernel.clock import business_clock
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.log.contracts import IdentifierValue
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.models import SenderAccount
from yutang.organisation.queries import OWNER, node_by_code, senders
from yutang.organisation.services import NewNode, NewSender
from yutang.people import services as people
from yutang.people.models import Person, Tag
from yutang.playbooks.services import keep_shipped
from yutang.profiles.beforehand import keep_up, let_go
from yutang.profiles.services import rebuild
from yutang.reach import drafts, planning
from yutang.reach import services as reach
from yutang.segments import queries as segments
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
PEOPLE = 240
WAY = {
    "kind": "contact_way", "name": "second", "title": {"zh": "第二位同事", "en": "A second colleague"},
    "source": "other", "routing": {"by": "staff", "staff": ["a2"]},
}  # fmt: skip


@pytest.fixture
def pond(db: None, tmp_path: Path) -> Iterator[Warehouse]:
    """Two corps at WeCom, guides who call, a mailbox of the brand's: everybody's ways differ by their number."""
    warehouse = fresh_warehouse(tmp_path)
    with business_clock(NOW):
        organisation.set_up_brand("池塘", "CNY", "Asia/Shanghai")
        organisation.add_nodes([NewNode("north", "北区", NodeKind.REGION)])
        organisation.add_nodes([NewNode(f"s{n}", f"{n} 号店", NodeKind.STORE, "north") for n in range(3)])
        organisation.connect_corp("wecom", "ww-a", "secret")
        organisation.connect_corp("wecom", "ww-b", "secret")
        accounts = organisation.add_senders(
            [NewSender(f"s{n}", f"甲{n}", "wecom", "ww-a", f"a{n}") for n in range(3)]
            + [NewSender(f"s{n}", f"乙{n}", "wecom", "ww-b", f"b{n}") for n in range(2)]
            + [NewSender("s0", "丙", "manual", "", "c0"), NewSender("north", "丁", "manual", "", "c1"),
               NewSender("north", "戊", "email", "news", "news")]
        )  # fmt: skip
        ids = [f"wm{n}" for n in range(PEOPLE)]
        born = pa.array([NOW - timedelta(days=90)] * PEOPLE, pa.timestamp("us", "UTC"))
        homes = [f"s{n % 3}" for n in range(PEOPLE)]
        people.load_persons(
            pa.table({"external_userid": ids, "home_store": homes, "born_at": born}), source="t", corp="ww-a"
        )
        who = people.resolve_column("external_userid", "ww-a", pa.array(ids)).tolist()
        people.resolve(
            [[IdentifierValue("external_userid", "ww-a", ids[n]), IdentifierValue("email", "", f"p{n}@example.com")]
             for n in range(0, PEOPLE, 7)]
            + [[IdentifierValue("external_userid", "ww-a", ids[n]), IdentifierValue("phone", "", f"1380000{n:04}")]
               for n in range(0, PEOPLE, 4)]
            # two who are one: their words and their friendships are put together
            + [[IdentifierValue("external_userid", "ww-a", ids[n]), IdentifierValue("member", "t", f"m{n // 2}")]
               for n in range(100, 120)],
            seen_at=NOW,
        )  # fmt: skip
        bonds = [(who[n], accounts[f"a{n % 3}"], n % 11 == 3) for n in range(PEOPLE) if n % 13]
        bonds += [(who[n], accounts[f"a{(n + 1) % 3}"], n % 5 == 0) for n in range(0, PEOPLE, 6)]
        bonds += [(who[n], accounts[f"b{n % 2}"], False) for n in range(0, PEOPLE, 5)]
        people.load_relations(
            pa.table(
                {
                    "person": pa.array([one for one, _, _ in bonds], pa.int64()),
                    "sender": pa.array([int(one) for _, one, _ in bonds], pa.int64()),
                    "added_at": born.take(pa.array([0] * len(bonds))),
                    "lost_at": pa.array([NOW if gone else None for _, _, gone in bonds], pa.timestamp("us", "UTC")),
                }
            )
        )
        words = [(who[n], "wecom", n % 17 != 5) for n in range(PEOPLE) if n % 10]
        words += [(who[n], "*", True) for n in range(0, PEOPLE, 9)]
        words += [(who[n], "email", n % 2 == 0) for n in range(0, PEOPLE, 3)]
        words += [(who[n], "sms", True) for n in range(0, PEOPLE, 8)]
        people.load_consents(
            pa.table(
                {
                    "person": pa.array([one for one, _, _ in words], pa.int64()),
                    "purpose": ["marketing"] * len(words),
                    "channel": [one for _, one, _ in words],
                    "granted": [yes for _, _, yes in words],
                    "at": pa.array([NOW - timedelta(days=9, minutes=n % 7) for n in range(len(words))],
                                   pa.timestamp("us", "UTC")),
                    "proof": ["form"] * len(words),
                }
            )
        )  # fmt: skip
        Person.objects.filter(pk__in=who[7::41]).update(blocked=True)
        Person.objects.filter(pk__in=who[11::43]).update(silent=True)
        mirror_facts(warehouse)
        rebuild(warehouse, NOW)
        yield warehouse
    warehouse.close()


def rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def told(warehouse: Warehouse) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (level.value, risk.unit.of): (risk.reached, risk.still)
        for level in UnitLevel
        for risk in queries.ranking(warehouse, OWNER, level).value
        if risk.reached
    }


@pytest.mark.long
def test_every_unit_leaves_as_many_reachable_as_plain_python_says(pond: Warehouse) -> None:
    by_hand = still_reachable(ways_by_person(rows))
    assert told(pond) == by_hand
    assert {level for level, _ in by_hand} == {"account", "corp", "channel"}
    assert sum(0 < still < reached for reached, still in by_hand.values()) >= 8  # it tells them apart
    for level in UnitLevel:
        for unit in queries.units(OWNER, level):
            found = queries.drill(pond, OWNER, unit)
            if found.whole.reached:
                assert (found.whole.reached, found.whole.still) == by_hand[level.value, unit.of]
                assert sum(one.lost for one in found.stores) == found.whole.lost
                assert queries.lost(pond, OWNER, unit, limit=1)[0] == found.whole.lost


def test_by_which_other_way_and_what_could_be_connected(pond: Warehouse) -> None:
    ways = ways_by_person(rows)
    corp = queries.unit(OWNER, UnitLevel.CORP, "ww-a")
    found = queries.drill(pond, OWNER, corp)
    hit = {who: some for who, some in ways.items() if any(way[1] == "ww-a" for way in some)}
    by_way = {
        name: sum(any(way[0] == name for way in some) for some in hit.values()) for name in ("manual", "email")
    } | {OTHER_CORP: sum(any(way[1] == "ww-b" for way in some) for some in hit.values())}
    assert found.whole.by_way == by_way
    account = next(one for one in queries.units(OWNER, UnitLevel.ACCOUNT) if one.userid == "a0")
    assert {SAME_CORP, OTHER_CORP} <= set(queries.drill(pond, OWNER, account).whole.by_way)
    assert set(found.could) == {"sms"}  # nobody connected a provider
    assert 0 < found.could["sms"] < found.whole.lost


def test_an_account_out_of_service_is_nobodys_way(pond: Warehouse) -> None:
    before = told(pond)
    SenderAccount.objects.filter(userid="a1").update(active=False)
    after = told(pond)
    assert after == still_reachable(ways_by_person(rows)) != before


def test_who_sees_one_store_is_told_of_its_own(pond: Warehouse) -> None:
    store = node_by_code("s0").id
    viewer = Viewer("one", RoleName.MANAGER, frozenset({store}))
    assert {one.store for one in queries.units(viewer, UnitLevel.ACCOUNT)} == {store}
    whole = {risk.unit.of: risk for risk in queries.ranking(pond, OWNER, UnitLevel.ACCOUNT).value}
    mine = queries.ranking(pond, viewer, UnitLevel.ACCOUNT).value
    assert {risk.unit.userid for risk in mine} == {"a0", "b0", "c0"}
    assert all(risk.reached <= whole[risk.unit.of].reached and risk.lost <= whole[risk.unit.of].lost for risk in mine)
    with pytest.raises(NotFound):
        queries.unit(viewer, UnitLevel.ACCOUNT, str(next(one.id for one in senders(OWNER) if one.userid == "a1")))


def test_one_click_makes_a_standing_segment_and_a_draft_twice_is_once(pond: Warehouse) -> None:
    keep_shipped()
    connect.keep_way(parse(ContactWay, WAY), OWNER)
    unit = next(one for one in queries.units(OWNER, UnitLevel.ACCOUNT) if one.userid == "a0")
    total, _ = queries.lost(pond, OWNER, unit)
    made = services.invite(pond, OWNER, unit, way="second", address="https://pond.example/w/x/")
    assert made.persons == total > 5
    assert services.invite(pond, OWNER, unit, way="second", address="https://other.example/") == made
    assert Tag.objects.filter(live=True).count() == total
    assert segments.count(pond, OWNER, segments.segment_named(made.segment)) == total
    stored = drafts.draft(OWNER, made.draft)
    assert "https://pond.example/w/x/" in stored.document.message.text  # type: ignore[attr-defined]
    seen = reach.preview(pond, stored.document, OWNER)  # type: ignore[arg-type]
    assert seen.candidates == total
    reach.launch(stored.document, OWNER)  # type: ignore[arg-type]
    planning.plan_due(pond)
    with pytest.raises(Refused):  # it is measured by that document now
        services.invite(pond, OWNER, unit, way="second", address="https://pond.example/w/x/")


def test_what_cannot_be_asked_for_is_said(pond: Warehouse) -> None:
    keep_shipped()
    connect.keep_way(parse(ContactWay, WAY), OWNER)
    unit = next(one for one in queries.units(OWNER, UnitLevel.ACCOUNT) if one.userid == "a0")
    given: dict[str, Any] = {"way": "second", "address": "https://pond.example/w/x/"}
    with pytest.raises(BadInput, match="link"):
        services.invite(pond, OWNER, unit, **given, text="加一位同事吧")
    with pytest.raises(NotFound):
        services.invite(pond, OWNER, unit, **{**given, "way": "nowhere"})
    with pytest.raises(Refused):
        services.invite(pond, replace(OWNER, role=RoleName.ANALYST), unit, **given)
    nobody = next(one for one in queries.units(OWNER, UnitLevel.ACCOUNT) if one.userid == "c1")
    with pytest.raises(BadInput, match="nobody"):  # at that store another calls too
        services.invite(pond, OWNER, nobody, **given, store=node_by_code("s0").id)
    assert not Tag.objects.exists()


def test_both_engines_answer_alike(pond: Warehouse) -> None:
    stored = {
        table: pond.query(Statement(f"SELECT * FROM {table}"))
        for table in ("facts", "fact_relations", "fact_consents", "fact_scopes")
    }
    stored["profiles"] = pond.query(Statement("SELECT person, home_store, orders_ever, spend_365d FROM profiles"))
    could = queries._could()
    assert could is not None
    for asked in (queries._asked("pairs"), could):
        assert assert_equal_on_both_engines(asked, stored).num_rows


def test_what_is_counted_beforehand_is_as_of_then_and_shows_nobody_who_left(pond: Warehouse) -> None:
    unit = next(one for one in queries.units(OWNER, UnitLevel.ACCOUNT) if one.userid == "a0")
    viewer = Viewer("one", RoleName.MANAGER, frozenset({node_by_code("s0").id, node_by_code("s1").id}))
    seen = [(who, queries.lost(pond, who, unit, limit=500)) for who in (OWNER, viewer)]
    before = told(pond)
    keep_up(pond, [queries.CONTACTS])
    assert told(pond) == before
    assert [(who, queries.lost(pond, who, unit, limit=500)) for who in (OWNER, viewer)] == seen
    total, people_ = seen[1][1]
    gone, moved = people_[0].person, people_[1].person
    pond.write(
        [
            Statement("UPDATE fact_relations SET live = FALSE"),
            Statement("DELETE FROM facts WHERE person = $who", {"who": int(gone)}),
            Statement("DELETE FROM fact_scopes WHERE person = $who", {"who": int(moved)}),
        ]
    )
    assert told(pond) == before  # as of then
    shown = queries.lost(pond, viewer, unit, limit=500)
    assert (shown[0], shown[1]) == (total, people_[2:])
    assert queries.lost(pond, viewer, unit, limit=500, now=True)[0] < total
    let_go(pond)
    assert told(pond) != before
