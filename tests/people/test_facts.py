"""Consent, friendship, tags and scope: what is kept, what the warehouse gets, and what a viewer may read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from tests.people.pond import T0, found_pond, friend, manager, member, node, phone
from tests.warehouse.fixtures import fresh_warehouse
from tests.ways import ways_told
from yutang.intake.mirror import mirror_facts
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId, SenderId
from yutang.organisation.queries import OWNER
from yutang.people import queries, services
from yutang.people.contracts import Refusal, Wish
from yutang.people.models import Unmirrored
from yutang.people.services import RelationWord, TagWord
from yutang.warehouse.contracts import Statement

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def guides(db: None) -> dict[str, SenderId]:
    return found_pond()


def person(*identifiers: object) -> PersonId:
    return services.resolve([identifiers], seen_at=T0)[0]  # type: ignore[list-item]


def consents(one: PersonId) -> dict[tuple[str, str], bool]:
    rows = queries.fact_tables([one]).fact_consents.to_pylist()
    return {(row["purpose"], row["channel"]): row["granted"] for row in rows}


def test_the_latest_word_counts_whatever_order_the_words_arrive_in(guides: dict[str, SenderId]) -> None:
    one = person(member("1"))
    services.withdraw_consent(one, "marketing", "sms", at=T0 + DAY, proof="")
    services.give_consent(one, "marketing", "sms", at=T0, proof="till")
    assert consents(one) == {("marketing", "sms"): False}


def test_a_word_on_every_channel_and_a_later_one_on_one_channel(guides: dict[str, SenderId]) -> None:
    one = person(member("1"))
    services.withdraw_consent(one, "marketing", "*", at=T0, proof="")
    services.give_consent(one, "marketing", "sms", at=T0 + DAY, proof="")
    assert consents(one) == {("marketing", "*"): False, ("marketing", "sms"): True}
    services.withdraw_consent(one, "marketing", "*", at=T0 + 2 * DAY, proof="")
    assert consents(one) == {("marketing", "*"): False, ("marketing", "sms"): False}


def test_merging_consents_to_the_most_restrictive(guides: dict[str, SenderId]) -> None:
    yes, no = person(member("1")), person(friend("wm1"))
    services.give_consent(yes, "marketing", "*", at=T0 + DAY, proof="")
    services.withdraw_consent(no, "marketing", "wecom", at=T0, proof="")
    merged = person(member("1"), friend("wm1"))
    assert consents(merged) == {("marketing", "*"): True, ("marketing", "wecom"): False}


def test_may_be_touched_names_the_first_reason(guides: dict[str, SenderId]) -> None:
    ok, lost, silent, blocked, mute, other = (person(friend(f"wm{n}")) for n in range(6))
    for one in (ok, lost, silent, blocked, other):
        services.give_consent(one, "marketing", "*", at=T0, proof="")
    friends = [ok, lost, silent, blocked, mute]
    services.apply_relations(RelationWord(one, guides["wang"], "added", T0) for one in friends)
    services.apply_relations([RelationWord(lost, guides["wang"], "lost", T0 + DAY)])
    services.set_silent(silent, True)
    services.set_blocked(blocked, True)
    asked = dict.fromkeys([*friends, other], guides["wang"])
    assert queries.may_be_touched(asked, "marketing", "wecom") == {
        ok: None,
        lost: Refusal.RELATION,
        silent: Refusal.SILENT,
        blocked: Refusal.BLOCKED,
        mute: Refusal.CONSENT,
        other: Refusal.RELATION,
    }
    assert queries.may_be_touched({other: None}, "marketing", "sms") == {other: None}


def test_a_friendship_lost_and_regained_is_live_and_late_words_change_nothing(guides: dict[str, SenderId]) -> None:
    one, wang = person(friend("wm1")), guides["wang"]
    services.apply_relations(
        [RelationWord(one, wang, "added", T0 + 2 * DAY), RelationWord(one, wang, "lost", T0 + DAY)]
    )
    services.apply_relations([RelationWord(one, wang, "added", T0)])
    rows = queries.fact_tables([one]).fact_relations.to_pylist()
    assert [(row["sender"], row["store"], row["live"]) for row in rows] == [(wang, node("s1"), True)]
    assert rows[0]["added_at"] == (T0 + 2 * DAY).replace(tzinfo=None)


def test_a_tag_taken_off_stays_off_when_an_older_word_comes_late(guides: dict[str, SenderId]) -> None:
    one = person(member("1"))
    services.apply_tags([TagWord(one, "vip", False, T0 + DAY), TagWord(one, "mum", True, T0)])
    services.apply_tags([TagWord(one, "vip", True, T0)])
    assert queries.fact_tables([one]).fact_tags["tag"].to_pylist() == ["mum"]


def test_facts_are_keyed_by_the_survivor_and_take_all_ancestors(guides: dict[str, SenderId]) -> None:
    till, wecom = person(member("1")), person(friend("wm1"))
    services.assign_home({till: node("s2")})
    services.apply_relations([RelationWord(wecom, guides["wang"], "added", T0)])
    stranger = person(member("2"))
    merged = person(member("1"), friend("wm1"))
    facts = queries.fact_tables([wecom])
    assert set(facts.keys.tolist()) == {till, wecom}
    assert [(row["person"], row["zone"]) for row in facts.facts.to_pylist()] == [(merged, "America/New_York")]
    scopes = {(row["person"], row["node"]) for row in facts.fact_scopes.to_pylist()}
    assert scopes == {(merged, node(code)) for code in ("brand", "north", "s1", "s2")}
    assert facts.person_overrides.to_pylist() == [{"birth": wecom, "survivor": till}]
    everybody = queries.fact_tables(None)
    assert set(everybody.facts["person"].to_pylist()) == {merged, stranger}
    assert everybody.facts.filter(pa.compute.equal(everybody.facts["person"], stranger))["zone"].to_pylist() == [
        "Asia/Shanghai"
    ]


def test_a_card_outside_the_viewers_scope_does_not_exist(guides: dict[str, SenderId]) -> None:
    one = person(friend("wm1"), phone("13800138000"))
    services.apply_relations([RelationWord(one, guides["wang"], "added", T0)])
    services.name_persons({one: ("张三", T0)})
    assert queries.names_of(OWNER, [one]) == {one: "张三"}
    assert queries.names_of(manager("s2"), [one]) == {}
    assert queries.find_by_identifier(manager("s1"), "138 0013 8000") == [one]
    assert queries.find_by_identifier(manager("s2"), "138 0013 8000") == []
    with pytest.raises(NotFound):
        queries.person_card(manager("s2"), one)
    shown = {each.kind: each.shown for each in queries.person_card(manager("s1"), one).identifiers}
    assert shown == {"external_userid": "wm1", "phone": "+86138****8000"}
    assert {each.shown for each in queries.person_card(OWNER, one).identifiers} == {"wm1", "+8613800138000"}


def test_a_friendship_that_ends_takes_the_store_out_of_scope(guides: dict[str, SenderId]) -> None:
    one = person(friend("wm1"))
    services.apply_relations([RelationWord(one, guides["wang"], "added", T0)])
    assert queries.person_card(manager("s1"), one).person == one
    services.apply_relations([RelationWord(one, guides["wang"], "lost", T0 + DAY)])
    with pytest.raises(NotFound):
        queries.person_card(manager("s1"), one)


def test_loading_a_table_of_persons_twice_is_loading_it_once(guides: dict[str, SenderId]) -> None:
    table = pa.table(
        {
            "member": ["1", "2", None],
            "external_userid": ["wm1", None, "wm3"],
            "name": ["张三", None, "王五"],
            "phone": [None, "13800138000", None],
            "home_store": ["s1", None, None],
            "synthetic": [False, False, True],
        }
    )
    births = services.load_persons(table, source="till", corp="corp")
    assert services.load_persons(table, source="till", corp="corp").tolist() == births.tolist()
    survivors = queries.survivors(births).tolist()
    assert queries.identifiers_of(map(PersonId, survivors), "external_userid", "corp") == {
        survivors[0]: "wm1",
        survivors[2]: "wm3",
    }
    cards = [queries.person_card(OWNER, PersonId(one)) for one in survivors]
    assert [card.name for card in cards] == ["张三", None, "王五"]
    assert [card.synthetic for card in cards] == [False, False, True]
    assert cards[0].home_node == node("s1")


def test_every_change_leaves_a_mark_until_the_warehouse_is_told(guides: dict[str, SenderId]) -> None:
    one = person(member("1"))
    marks, persons = queries.unmirrored()
    assert persons == {one}
    services.give_consent(one, "marketing", "*", at=T0, proof="")
    services.mirrored(marks)
    assert queries.unmirrored()[1] == {one}, "the change that came after the marks were read is still told"
    services.mirrored(queries.unmirrored()[0])
    assert not Unmirrored.objects.exists()


def test_ways_are_friendships_and_addresses_that_were_agreed_to_and_are_not_refused(
    guides: dict[str, SenderId], tmp_path: Path
) -> None:
    friendly, written_to, silent, refusing, mute = (person(friend(f"wm{n}"), phone(f"1390000000{n}")) for n in range(5))
    for one in (friendly, written_to, silent, refusing):
        services.give_consent(one, "marketing", "*", at=T0, proof="")
    services.withdraw_consent(written_to, "marketing", "wecom", at=T0, proof="")
    services.apply_relations(
        RelationWord(one, guides["wang"], "added", T0) for one in (friendly, written_to, refusing, mute)
    )
    services.set_silent(silent, True)
    services.prefer(refusing, Wish(channels=frozenset({"sms"})), at=T0)
    warehouse = fresh_warehouse(tmp_path)
    asked = Statement("SELECT person, channel, friend, wanted FROM fact_ways ORDER BY 1, 2")

    def ways() -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in warehouse.query(asked).to_pylist()]

    mirror_facts(warehouse)
    told = ways()
    assert told == [
        (friendly, "sms", False, True), (friendly, "wecom", True, True), (written_to, "sms", False, True),
        (refusing, "sms", False, False), (refusing, "wecom", True, True),
    ]  # fmt: skip
    mirror_facts(warehouse, [friendly, written_to, mute])
    assert ways() == told, "told twice is told once"
    warehouse.write(ways_told())
    assert ways() == [row for row in told if row[2]], "what the migration makes of friendships"
    services.withdraw_consent(friendly, "marketing", "sms", at=T0 + DAY, proof="")
    mirror_facts(warehouse, [friendly])
    assert [row[1] for row in ways() if row[0] == friendly] == ["wecom"]
    warehouse.close()
