"""What is told of the person beside a chat, and what may be said to them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.house.world import CHANNEL, CORP, START
from tests.tasks.conftest import DAY, Pond
from yutang.log.contracts import IdentifierValue
from yutang.organisation.contracts import CorpFacts
from yutang.organisation.queries import OWNER
from yutang.people import services as people
from yutang.people.contracts import Wish
from yutang.people.queries import known_as, person_card
from yutang.reach.asking import Saying, may_say
from yutang.reach.gate.contracts import TouchClass
from yutang.tasks.beside import Beside, Said, beside
from yutang.tasks.cards import sent_from_cards
from yutang.tasks.models import Card

pytestmark = pytest.mark.django_db

HELLO, REPLY = Saying("您好"), Saying("您好", touch_class=TouchClass.REPLY)
USEFUL = Saying("辅食怎么加", value=True)


def seen(pond: Pond, name: str) -> Beside:
    viewer = pond.world.viewer("near_manager")
    return beside(pond.world.warehouse, viewer, person_card(viewer, pond.friends[name]), CHANNEL)


def asked(pond: Pond, name: str, *sayings: Saying) -> list[str | None]:
    answers = may_say(pond.world.warehouse, pond.friends[name], pond.sender, CHANNEL, sayings)
    return [one.reason for one in answers]


def test_all_that_is_known_of_somebody_who_comes_every_three_weeks(pond: Pond) -> None:
    found = seen(pond, "regular")
    assert found.last is not None
    assert (found.last.day, found.last.amount) == ((START - 20 * DAY).date(), 80)
    assert (found.last.categories, found.last.store_name) == (("纸尿裤", "湿巾"), "近店")
    assert found.elsewhere == (START - 2 * DAY).date(), "at another store: the day, and nothing else"
    assert found.rhythm is not None
    assert (found.rhythm.gaps, found.rhythm.usual) == (6, 21)
    assert found.need is not None
    assert (found.need.category, found.need.rhythm.usual, found.need.rhythm.gaps) == ("湿巾", 21, 5)
    assert (found.lifecycle, found.pool, found.orders, found.days_since) == ("active", "customer", 7, 2)
    assert (found.consents, found.left_alone) == ((Said("marketing", True),), None)
    assert found.friend_since == START - 100 * DAY
    assert "钓具" not in repr(found), "what they bought at another store is that store's"
    card = person_card(OWNER, pond.friends["regular"])
    assert "钓具" in repr(beside(pond.world.warehouse, OWNER, card, CHANNEL).last)


def test_of_somebody_new_nothing_can_be_told_yet(pond: Pond) -> None:
    found = seen(pond, "newcomer")
    assert (found.last, found.last_day, found.rhythm, found.need) == (None, None, None, None)
    assert (found.lifecycle, found.pool) == ("prospect", "nurturing")


def test_an_open_follow_up_is_shown(pond: Pond) -> None:
    viewer = pond.world.viewer("near_manager")
    found = beside(pond.world.warehouse, viewer, person_card(viewer, pond.world.near.person), CHANNEL)
    assert [one.note["zh"] for one in found.follow_ups] == ["打给 near"]
    assert seen(pond, "regular").follow_ups == ()


def test_nobody_is_told_of_a_person_of_another_store(pond: Pond) -> None:
    viewer, far = pond.world.viewer("near_manager"), pond.world.far
    for external, person in ((far.external, None), ("nobody", None), ("wm-regular", pond.friends["regular"])):
        assert known_as(viewer, IdentifierValue("external_userid", CORP, external)) == person


def test_who_asked_to_be_left_alone_is_shown_so_at_once_and_is_sent_nothing(pond: Pond) -> None:
    name, person = "newcomer", pond.friends["newcomer"]
    assert asked(pond, name, HELLO, REPLY) == [None, None]
    people.set_silent(person, True)
    assert (seen(pond, name).left_alone, asked(pond, name, HELLO, REPLY)) == ("silent", ["silent", "silent"])
    people.set_silent(person, False)
    people.prefer(person, Wish(topics=frozenset({"*"})), at=START)
    assert (seen(pond, name).left_alone, asked(pond, name, HELLO)) == ("wish", ["preference"])
    people.set_blocked(person, True)
    assert (seen(pond, name).left_alone, asked(pond, name, REPLY)) == ("blocked", ["blocked"])


def test_words_are_judged_by_the_gates_own_rules(pond: Pond) -> None:
    person, warehouse = pond.friends["newcomer"], pond.world.warehouse
    lowest = may_say(warehouse, person, pond.sender, CHANNEL, [Saying("全网最低，速来")])[0]
    assert (lowest.reason, lowest.rule, lowest.word) == ("content", "absolute_claims", "全网最低")
    assert may_say(warehouse, pond.world.far.person, pond.sender, CHANNEL, [HELLO])[0].reason == "relation"
    people.withdraw_consent(person, "marketing", CHANNEL, at=START, proof="said so")
    assert asked(pond, "newcomer", HELLO, REPLY) == ["consent", None], "whoever writes first is answered"


@pytest.mark.parametrize(("name", "offer"), [("told", "caps"), ("answered", None), ("welcomed", None)])
def test_what_was_sent_beside_a_chat_counts_once_for_the_caps_of_its_class(
    pond: Pond, name: str, offer: str | None
) -> None:
    assert asked(pond, name, HELLO, USEFUL, REPLY) == [offer, offer, None]


def test_a_cards_message_that_wecom_lists_as_the_guides_own_is_the_cards_if_it_was_noted_about_then(pond: Pond) -> None:
    corp, guide = CorpFacts("wecom", CORP, ""), pond.world.near.userid
    at = START - timedelta(minutes=20)
    Card.objects.create(
        touch=1, run=1, day=START.date(), sender=pond.sender, node=1, person=pond.friends["regular"], place=1,
        due_at=START, deadline=START, reason="rhythm", script="", sent_at=START,
    )  # fmt: skip
    assert sent_from_cards(corp, guide.upper(), [("wm-regular", at), ("wm-newcomer", at)]) == {"wm-regular"}
    assert sent_from_cards(corp, guide, [("wm-regular", START - timedelta(hours=3))]) == set()
    assert sent_from_cards(corp, "somebody-else", [("wm-regular", at)]) == set()
