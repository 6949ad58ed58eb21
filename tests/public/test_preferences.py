"""The public pages: a link opens one's own preferences, one tap stops everything, and the gate obeys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.house.world import START, World, broadcast, shared
from yutang.guard import wishes
from yutang.intake.pump import pump_until_empty
from yutang.kernel import clock
from yutang.people import links
from yutang.people import services as people
from yutang.people.contracts import Wish
from yutang.people.models import Consent, Preference
from yutang.people.queries import consented_to_partner, may_be_touched, standing_consents, wish_of
from yutang.people.services import ConsentWord
from yutang.public import preferences as pages
from yutang.reach import planning
from yutang.reach import services as reach
from yutang.warehouse.contracts import Statement

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("public")) as made:
        yield made


@pytest.fixture
def world(standing: World, db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, burst in (("VISITS", 10_000), ("TYPED", 5)):
        monkeypatch.setattr(pages, name, pages.Pace(burst, 1))
    return standing


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)  # the pages ask for no token, because there is no log-in to abuse


def stopped_at(text: str) -> str:
    return text.partition('name="at" value="')[2].partition('"')[0]


def touchable(world: World) -> object:
    return may_be_touched({world.near.person: None}, "marketing", "wecom")[world.near.person]


def test_one_tap_stops_everything_at_once_and_twice_is_once(world: World, client: Client) -> None:
    person = world.near.person
    people.give_consent(person, "marketing", "*", at=START, proof="x", partner="cinema")
    path = f"/p/{links.token_of(person)}/"
    assert client.get(f"{path}stop/").status_code == 200  # a mail program that knows no POST is shown the page
    assert touchable(world) is None
    answer = client.post(f"{path}stop/")
    assert answer.status_code == 200
    assert "已停止" in answer.content.decode()
    assert touchable(world) == "consent"
    assert consented_to_partner([person], "cinema", "marketing") == set()
    words = Consent.objects.count()
    assert "之前已经停止" in client.post(f"{path}stop/").content.decode()
    assert Consent.objects.count() == words
    pump_until_empty(world.warehouse)
    assert Consent.objects.count() == words, "the event of a word is the same word"
    events = "SELECT count(*) FROM events WHERE type = 'consent.withdrawn' AND person = $person"
    assert world.warehouse.query(Statement(events, {"person": person})).column(0)[0].as_py() == 2


def test_the_tap_can_be_taken_back_for_a_day(world: World, client: Client) -> None:
    path = f"/p/{links.token_of(world.near.person)}/"
    at = stopped_at(client.post(f"{path}stop/").content.decode())
    with clock.business_clock(START + timedelta(hours=25)):
        assert client.post(f"{path}undo/", {"at": at}).headers["Location"].endswith("said=late&lang=zh")
    with clock.business_clock(START + timedelta(hours=1)):
        assert client.post(f"{path}undo/", {"at": at}).headers["Location"].endswith("said=undone&lang=zh")
        assert touchable(world) is None
        assert client.post(f"{path}undo/", {"at": at}).headers["Location"].endswith("said=late&lang=zh")


def test_a_mail_programs_one_click_is_the_same_tap(world: World, client: Client) -> None:
    path = f"/p/{links.token_of(world.near.person)}/stop/"
    assert client.post(path, "List-Unsubscribe=One-Click", "application/x-www-form-urlencoded").status_code == 200
    assert touchable(world) == "consent"


def test_opening_a_link_changes_nothing_and_sets_no_cookie(world: World, client: Client) -> None:
    before = (Consent.objects.count(), Preference.objects.count())
    path = f"/p/{links.token_of(world.near.person)}/"
    for language, word in (("zh", "消息偏好"), ("en", "Message preferences")):
        answer = client.get(f"{path}?lang={language}")
        text = answer.content.decode()
        assert word in text
        assert not answer.cookies
        assert "<script" not in text
        assert len(answer.content) < 20_000
        for secret in (world.near.name, world.near.phone, world.near.member, world.near.external):
            assert secret not in text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert (Consent.objects.count(), Preference.objects.count()) == before


def test_a_link_says_nothing_and_cannot_be_made_up(world: World, client: Client) -> None:
    token = links.token_of(world.near.person)
    assert links.opened(token).person == world.near.person
    assert token != links.token_of(world.near.person)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (changed, token[:-1] + chr(ord(token[-1]) + 1), f"{token}!", token[:20], "x", "%00", "A" * 5000, "é"):
        assert client.get(f"/p/{wrong}/").status_code == 404, wrong


def test_an_old_or_voided_link_still_withdraws_and_does_nothing_else(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = links.token_of(world.near.person)
    people.void_links(world.near.person)
    assert not links.opened(token).fresh
    answer = client.post(f"/p/{token}/", {"often": "week"})
    assert answer.status_code == 422
    assert wish_of(world.near.person) == Wish()
    assert client.post(f"/p/{token}/stop/").status_code == 200
    assert touchable(world) == "consent"


def test_what_was_chosen_is_kept_and_shown(world: World, client: Client) -> None:
    path = f"/p/{links.token_of(world.near.person)}/"
    form = {"topic": ["offers"], "channel": ["wecom"], "often": "month2", "opens": "10", "closes": "18"}
    for _ in range(2):
        assert client.post(path, form).status_code == 303
    wish = wish_of(world.near.person)
    assert wish.topics == {"new_goods", "tips", "events"}
    assert (wish.week, wish.month, wish.opens, wish.closes) == (None, 2, 600, 1080)
    assert touchable(world) is None
    assert may_be_touched({world.near.person: None}, "marketing", "wecom", "tips")[world.near.person] == "preference"
    text = client.get(path).content.decode()
    assert 'value="offers" checked' in text
    assert 'value="tips" checked' not in text
    assert client.post(path, {**form, "opens": "18", "closes": "10"}).status_code == 422
    assert client.post(path, {**form, "opens": "<script>"}).status_code == 422


def test_the_gate_obeys_what_was_chosen(world: World) -> None:
    """A topic refused suppresses, hours narrow the touch, and a cap of the person's own binds."""
    person = world.near.person
    at = clock.business_now()
    decided = "SELECT outcome, reason, due_at FROM decisions WHERE plan = $plan AND person = $person"

    def decision(name: str, topic: str) -> dict[str, object]:
        document = broadcast(name, name).model_copy(update={"topic": topic, "value": True})
        plan = reach.launch(document, world.viewer("owner"))
        planning.plan_due(world.warehouse)
        asked = Statement(decided, {"plan": plan, "person": person})
        found: dict[str, object] = world.warehouse.query(asked).to_pylist()[0]
        return found

    people.prefer(person, Wish(topics=frozenset({"tips"})), at=at)
    assert decision("about_tips", "tips")["reason"] == "preference"
    people.prefer(person, Wish(week=0), at=at)
    assert decision("too_often", "offers")["reason"] == "caps"
    people.prefer(person, Wish(channels=frozenset({"wecom"})), at=at)
    assert decision("not_there", "offers")["reason"] == "preference"
    people.prefer(person, Wish(opens=9 * 60, closes=9 * 60), at=at)
    assert decision("never", "offers")["reason"] == "quiet_hours"


def test_a_number_typed_in_stops_and_tells_nobody_whether_it_is_known(world: World, client: Client) -> None:
    known = client.post("/p/", {"number": world.near.phone})
    unknown = client.post("/p/", {"number": "13999999999"})
    assert known.status_code == unknown.status_code == 303
    assert known.headers["Location"] == unknown.headers["Location"]
    assert touchable(world) == "consent"
    answers = [client.post("/p/", {"number": "1"}).status_code for _ in range(8)]
    assert answers[-1] == 429


def test_a_partners_word_is_not_ours_and_ours_is_not_theirs(world: World) -> None:
    person = world.near.person
    people.apply_consents([ConsentWord(person, "marketing", "*", False, START, partner="cinema")])
    assert touchable(world) is None, "what was refused to a partner is not refused to us"
    assert consented_to_partner([person], "cinema", "marketing") == set()
    people.give_consent(person, "sharing", "*", at=START, proof="", partner="gym")
    assert consented_to_partner([person], "gym", "sharing") == {person}
    assert consented_to_partner([person], "gym", "marketing") == set(), "our consent is none to them"
    assert may_be_touched({person: None}, "sharing", "wecom")[person] == "consent"
    assert ("sharing", "*", "gym") in standing_consents(person)


def test_the_link_stands_in_messages(world: World, settings: object) -> None:
    document = broadcast("with_link", "带链接")
    message = document.message.model_copy(update={"text": "新品到店。退订 {{preferences}}"})
    plan = reach.launch(document.model_copy(update={"message": message}), world.viewer("owner"))
    text = planning.document_of(reach.Plan.objects.get(pk=plan)).message.text
    assert text == f"新品到店。退订 {links.general_link()}"
    assert wishes.SOURCE not in text


def test_a_network_of_one_household_is_one_visitor(world: World, client: Client) -> None:
    answers = [
        client.post("/p/", {"number": "13700000000"}, REMOTE_ADDR=f"2001:db8:1:2::{number:x}") for number in range(6)
    ]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429]
    other = client.post("/p/", {"number": "13700000000"}, REMOTE_ADDR="2001:db8:1:3::1")
    assert other.status_code == 303
