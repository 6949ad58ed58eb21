"""Whom guides are to contact today: chosen for all at once, decided by the gate, kept, carried out once, and over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.channels.wecom.conftest import client, clock, connect, platform
from tests.channels.wecom.platform import Platform, ok
from tests.house.world import CHANNEL, CORP, SOURCE, START, World, broadcast, shared
from tests.sandbox.files import png
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.media import UPLOAD, WeComMedia
from yutang.content.documents import Content
from yutang.content.services import keep_content
from yutang.documents import queries as documents
from yutang.documents.services import save_document
from yutang.files.contracts import FileKind
from yutang.files.services import keep_file
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import business_clock, business_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import EventId, PersonId, SenderId
from yutang.log.contracts import Event, IdentifierValue, Line
from yutang.log.services import record
from yutang.mobile.speaking import speak_by, spoken
from yutang.organisation import phones
from yutang.organisation import services as organisation
from yutang.organisation.contracts import SenderFacts
from yutang.organisation.queries import OWNER, senders, viewer_named
from yutang.organisation.services import NewSender
from yutang.people import services as people
from yutang.profiles import services as profiles
from yutang.reach import planning
from yutang.reach import queries as reach_queries
from yutang.reach import services as reach
from yutang.reach import standing as standing_plans
from yutang.reach.contracts import PlanState, RunState
from yutang.reach.gate.contracts import Outcome
from yutang.reach.ledger import committed, plan_counts
from yutang.reach.models import Batch, Plan, Run
from yutang.reach.policy import PolicyDocument
from yutang.tasks import cards, today
from yutang.tasks.contracts import CardResult
from yutang.tasks.documents import TodayDocument
from yutang.tasks.models import Asked, Card
from yutang.warehouse.contracts import Statement

__all__ = ["client", "clock", "connect", "platform"]

DAY = timedelta(days=1)
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
FRIENDS = 16  # late against their own rhythm, the later ones worth more
SPECIAL = ("soon", "super", "quiet", "refusing", "silent", "fresh", "talked")


@dataclass(frozen=True, slots=True)
class Pond:
    world: World
    guide: SenderFacts
    friends: dict[str, PersonId]


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pond]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("today")) as world:
        yield _filled(world)


@pytest.fixture
def pond(standing: Pond, db: None) -> Iterator[Pond]:
    """The warehouse is not undone with a test: what it decided is taken away again."""
    yield standing
    warehouse = standing.world.warehouse
    warehouse.write([Statement(f"DELETE FROM {name} WHERE run > {_last_run(warehouse)}") for name in ("decisions",)])
    warehouse.write([Statement("DELETE FROM receipts WHERE receipt_key LIKE '%:today'")])


def _last_run(warehouse) -> int:  # type: ignore[no-untyped-def]
    return int(Run.objects.filter(plan__standing=False).order_by("-pk").values_list("pk", flat=True)[0])


def _filled(world: World) -> Pond:
    names = [*(f"late-{n}" for n in range(FRIENDS)), *SPECIAL]
    added = {"fresh": 1, "quiet": 6, "talked": 6}
    sender = next(one for one in senders(OWNER) if one.userid == world.near.userid)
    born = pa.array([START - added.get(name, 300) * DAY for name in names], pa.timestamp("us", "UTC"))
    talk = pa.array([START - DAY if name == "talked" else None for name in names], pa.timestamp("us", "UTC"))
    table = {
        "external_userid": [f"wm-{name}" for name in names], "name": [f"林{name}" for name in names],
        "home_store": ["near"] * len(names), "born_at": born,
    }  # fmt: skip
    births = people.load_persons(pa.table(table), source=SOURCE, corp=CORP)
    people.load_relations(
        pa.table({"person": births, "sender": [sender.id] * len(names), "added_at": born, "last_talk_at": talk})
    )
    friends = {name: PersonId(int(birth)) for name, birth in zip(names, births, strict=True)}
    for name, person in friends.items():
        if name != "refusing":
            people.give_consent(person, "marketing", CHANNEL, at=START - 290 * DAY, proof="asked")
    people.set_silent(friends["silent"], True)
    late = [*(f"late-{n}" for n in range(FRIENDS)), "refusing", "silent"]
    record(
        [
            *(_ordered(name, 40 + 20 * n, 30 + 5 * place) for place, name in enumerate(late) for n in range(5)),
            *(_ordered("soon", 20 + 20 * n, 40) for n in range(5)),
            *(_ordered("super", 120 + 5 * n, 150) for n in range(14)),
        ]
    )
    pump_until_empty(world.warehouse)
    profiles.rebuild(world.warehouse, START)
    _open_phone(world.near.userid)
    return Pond(world, sender, friends)


def _ordered(name: str, ago: float, amount: int) -> Event:
    key = f"{name}-{ago}"
    return Event(
        EventId(f"order-{key}"), "order.placed", START - ago * DAY,
        (IdentifierValue("external_userid", CORP, f"wm-{name}"),), store="near", source=SOURCE,
        amount=Decimal(amount), currency="CNY", props={"order_id": key},
        lines=(Line("sku", "x", Decimal(1), Decimal(amount)),),
    )  # fmt: skip


def _open_phone(userid: str) -> str:
    from django.contrib.auth.models import update_last_login

    user = phones.user_of_staff(phones.staff_by_account(CHANNEL, CORP, userid))
    update_last_login(None, user)
    return user.username


def _document(**changes: object) -> None:
    document = documents.find(TodayDocument, today.NAME).document
    save_document(document.model_copy(update=changes), "owner")


def _tap_budget(most: int) -> None:
    policy = documents.find(PolicyDocument, "default").document
    save_document(policy.model_copy(update={"tap_budget": most}), "owner")


def _cards(pond: Pond) -> dict[str, Card]:
    name = {person: name for name, person in pond.friends.items()}
    return {name[PersonId(card.person)]: card for card in Card.objects.order_by("place")}


def _outcomes(pond: Pond) -> dict[str, tuple[str, str | None]]:
    """What the ledger says of each friend."""
    rows = pond.world.warehouse.query(
        Statement(
            "SELECT person, outcome, reason FROM decisions d SEMI JOIN committed c ON c.run = d.run WHERE plan = $plan",
            {"plan": Plan.objects.get(standing=True).pk},
            {"committed": committed()},
        )
    ).to_pylist()
    name = {person: name for name, person in pond.friends.items()}
    return {name.get(row["person"], "?"): (row["outcome"], row["reason"]) for row in rows}


def _shown(pond: Pond) -> list[cards.CardFacts]:
    return cards.cards_of(OWNER, [pond.guide])


def test_five_are_chosen_by_their_own_rhythm_and_all_that_is_said_is_in_the_ledger(pond: Pond) -> None:
    _document(hold_out=0.0)
    assert today.turn(pond.world.warehouse) > 5
    found = _cards(pond)
    assert len(found) == 5
    assert all(card.reason == "overdue" and name.startswith("late") for name, card in found.items()), found
    assert list(found) == [f"late-{n}" for n in range(FRIENDS - 1, FRIENDS - 6, -1)]  # the most promising first
    outcomes = _outcomes(pond)
    assert {name for name, (outcome, _) in outcomes.items() if outcome == "send"} == set(found)
    # Those worth more than the fifth were refused with a reason; nobody after the fifth was decided.
    assert outcomes["refusing"] == ("suppressed", "consent")
    assert outcomes["silent"] == ("suppressed", "preference")
    assert set(outcomes) == {*found, "refusing", "silent"}
    counts = plan_counts(pond.world.warehouse, [Plan.objects.get(standing=True).pk])
    (one,) = counts.values()
    assert one.balances()
    assert (one.pending, one.decided) == (5, 7)
    first = found["late-15"]
    assert first.facts == {"days": 40, "usual": 20, "orders": 5, "friend_days": 300}
    assert (first.node, first.sender) == (pond.guide.store, pond.guide.id)


def test_each_reason_is_found_and_who_is_too_new_or_was_spoken_to_is_not(pond: Pond) -> None:
    _document(hold_out=0.0, each=20)
    today.turn(pond.world.warehouse)
    found = _cards(pond)
    assert found["soon"].reason == "due_soon"
    assert found["super"].reason == "lapsed_super"
    assert found["quiet"].reason == "no_word"
    assert not {"fresh", "talked"} & set(found)


def test_nobody_is_chosen_twice_and_nobody_again_while_they_rest(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    before = _cards(pond)
    assert today.turn(pond.world.warehouse) == 0
    with business_clock(START + DAY):
        today.turn(pond.world.warehouse)
        later = {name for name, card in _cards(pond).items() if card.day != before["late-15"].day}
    assert len(later) == 5
    assert not later & set(before)
    assert Asked.objects.count() == 2


def test_only_guides_who_open_the_phone_are_asked_and_a_newcomer_the_same_day(pond: Pond) -> None:
    from yutang.organisation.models import User

    User.objects.filter(staff__accounts=pond.guide.id).update(last_login=None)
    assert today.turn(pond.world.warehouse) == 0
    assert not Plan.objects.filter(standing=True).exists()
    _open_phone(pond.guide.userid)
    assert today.turn(pond.world.warehouse) > 0
    organisation.add_senders([NewSender("near", "新人", CHANNEL, CORP, "newcomer")])
    _open_phone("newcomer")
    today.turn(pond.world.warehouse)
    assert Run.objects.filter(plan__standing=True, state=RunState.COMMITTED).count() == 2


def test_the_held_out_take_no_place_and_stay_held_out(pond: Pond) -> None:
    _document(hold_out=0.5, rest_days=1)
    held: set[str] = set()
    for number in range(2):
        with business_clock(START + 2 * number * DAY):
            today.turn(pond.world.warehouse)
            if number == 0:
                assert len(_cards(pond)) == 5
        outcomes = _outcomes(pond)
        now = {name for name, (outcome, _) in outcomes.items() if outcome == Outcome.HELD_OUT}
        assert now
        assert held <= now
        held = now
    assert not held & set(_cards(pond))


def test_the_five_are_one_task_of_the_day_and_leave_caps_for_nobody_else(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    mine = set(_cards(pond))
    _tap_budget(3)  # a batch of the world's own is one, the five are one
    plans = []
    for number in range(2):
        plans.append(reach.launch(broadcast(f"again_{number}", "再来"), viewer_named("owner")))
        planning.plan_due(pond.world.warehouse)
    rows = pond.world.warehouse.query(
        Statement("SELECT plan, person, outcome, reason FROM decisions WHERE plan >= $first", {"first": plans[0]})
    ).to_pylist()
    name = {person: name for name, person in pond.friends.items()}
    said = {(row["plan"], name.get(row["person"], "?")): (row["outcome"], row["reason"]) for row in rows}
    assert all(said[plans[0], one] == ("suppressed", "caps") for one in mine)
    assert said[plans[0], "late-0"] == ("send", None)  # the second of her two taps
    assert Batch.objects.filter(sender=pond.guide.id, run__plan=plans[0]).count() == 1
    assert Batch.objects.filter(sender=pond.guide.id, run__plan=plans[1]).count() == 0


def test_a_full_day_of_hers_leaves_no_five(pond: Pond) -> None:
    _tap_budget(1)
    today.turn(pond.world.warehouse)
    assert _cards(pond) == {}
    reasons = Counter(reason for _, reason in _outcomes(pond).values())
    assert reasons == {"tap_budget": 5, "consent": 1, "preference": 1}


class Died(Exception):
    """The process, at a named place."""


@pytest.mark.parametrize("where", ["standing.run_opened", "standing.decisions_written", "standing.before_commit"])
def test_killed_anywhere_it_is_chosen_again_and_once(pond: Pond, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _document(hold_out=0.0)

    def die(name: str) -> None:
        if name == where:
            raise Died

    monkeypatch.setattr(standing_plans, "failpoint", die)
    with pytest.raises(Died):
        today.turn(pond.world.warehouse)
    monkeypatch.undo()
    assert not Card.objects.exists()
    assert today.turn(pond.world.warehouse) > 5
    assert len(_outcomes(pond)) == 7
    assert Card.objects.count() == 5


def test_what_is_sent_counts_once_and_the_rest_of_the_day_expires(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    shown = _shown(pond)
    assert [one.name for one in shown] == [f"林late-{n}" for n in range(15, 10, -1)]
    assert shown[0].script.startswith("林late-15，我是导购周近，有一阵没见")
    assert shown[0].external == ("wm-late-15",)
    for _ in range(2):
        cards.note(OWNER, [pond.guide], shown[0].touch, CardResult.SENT, at=business_now())
    cards.note(OWNER, [pond.guide], shown[0].touch, CardResult.ANSWERED, at=business_now())
    cards.note(OWNER, [pond.guide], shown[0].touch, CardResult.SENT, at=business_now())  # a queue's late word
    cards.note(OWNER, [pond.guide], shown[1].touch, CardResult.WRONG_PERSON, at=business_now())
    assert [one.result for one in _shown(pond)][:2] == [CardResult.ANSWERED, CardResult.WRONG_PERSON]
    pump_until_empty(pond.world.warehouse)
    events = pond.world.warehouse.query(Statement("SELECT source, props FROM events WHERE type = 'message.sent'"))
    assert events["source"].to_pylist() == ["guide"]
    with business_clock(START + 3 * DAY):
        for _ in range(2):
            today.tell_ends(pond.world.warehouse)
        assert _shown(pond) == []
        (counts,) = plan_counts(pond.world.warehouse, [Plan.objects.get(standing=True).pk]).values()
    assert (counts.sent, counts.failed, counts.expired, counts.pending) == (1, 1, 3, 0)


def test_its_plan_is_no_finished_one_and_says_what_every_day_came_to(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    shown = _shown(pond)
    cards.note(OWNER, [pond.guide], shown[0].touch, CardResult.ANSWERED, at=business_now())
    cards.note(OWNER, [pond.guide], shown[1].touch, CardResult.WRONG_PERSON, at=business_now())
    number = Plan.objects.get(standing=True).pk
    (day,) = cards.days_of(OWNER, reach_queries.run_numbers(OWNER, number))
    assert (day.guides, day.chosen, day.sent, day.answered, day.refused) == (1, 5, 1, 1, 1)
    assert cards.days_of(replace(OWNER, nodes=frozenset()), reach_queries.run_numbers(OWNER, number)) == []
    assert number not in {one.id for one in reach_queries.plans(OWNER, PlanState.FINISHED)}
    client = Client()
    client.force_login(get_user_model().objects.get(username="owner"), BACKEND)
    kept = client.get("/plans/?state=standing").content.decode()
    assert re.findall(r'href="/plans/(\d+)/"', kept) == [str(number)]
    page = client.get(f"/plans/{number}/").content.decode()
    assert 'id="days"' in page
    assert 'id="batches"' not in page


def test_what_a_phone_says_after_the_ledger_closed_still_counts_for_fatigue(
    pond: Pond, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Event] = []
    monkeypatch.setattr(cards, "record", said.extend)
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    first = _shown(pond)[0]
    with business_clock(START + 3 * DAY):
        today.tell_ends(pond.world.warehouse)
        cards.note(OWNER, [pond.guide], first.touch, CardResult.SENT, at=START + timedelta(hours=2))
    assert [one.source for one in said] == ["sidebar"]  # as what is sent beside a chat: by the event, not the ledger
    card = Card.objects.get(pk=first.touch)
    assert card.sent_at == START + timedelta(hours=2)


@pytest.mark.parametrize("killed", [False, True])
def test_what_a_phone_says_while_the_ledger_is_told_another_end_counts_for_fatigue_once(
    pond: Pond, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    said: list[Event] = []
    monkeypatch.setattr(cards, "record", said.extend)
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    first = _shown(pond)[0]

    def meanwhile(statements: object) -> None:
        cards.note(OWNER, [pond.guide], first.touch, CardResult.SENT, at=START + timedelta(hours=2))
        if killed:
            raise KeyboardInterrupt
        type(warehouse).write(warehouse, statements)

    warehouse = pond.world.warehouse
    with business_clock(START + 3 * DAY):
        with monkeypatch.context() as slow:
            slow.setattr(warehouse, "write", meanwhile)
            with suppress(KeyboardInterrupt):
                today.tell_ends(warehouse)
        today.tell_ends(warehouse)
        (counts,) = plan_counts(warehouse, [Plan.objects.get(standing=True).pk]).values()
    assert [one.source for one in said] == ["sidebar"]
    assert (counts.sent, counts.expired, counts.pending) == (0, 5, 0)


def test_whoever_wants_peace_has_it_at_once(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    first, second, *_ = _shown(pond)
    people.withdraw_consent(second.person, "marketing", CHANNEL, at=business_now(), proof="said so")
    assert [one.refusal for one in _shown(pond)][:2] == [None, "consent"]
    cards.note(OWNER, [pond.guide], first.touch, CardResult.DO_NOT_DISTURB, at=business_now())
    from yutang.people.queries import person_card

    assert person_card(OWNER, first.person).silent
    today.tell_ends(pond.world.warehouse)
    (counts,) = plan_counts(pond.world.warehouse, [Plan.objects.get(standing=True).pk]).values()
    assert counts.suppressed["silent"] == 1


def test_at_the_tap_a_card_is_asked_once_more(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    first, second, third, *_ = _shown(pond)
    client = Client(headers={"Accept": "application/json"})
    client.force_login(phones.user_of_staff(pond.guide.staff))

    def asked(touch: object) -> tuple[int, bool | None]:
        answer = client.get(f"/m/today/ask/?card={touch}")
        return answer.status_code, answer.json().get("allowed")

    assert asked(first.touch) == (200, True)
    people.withdraw_consent(first.person, "marketing", CHANNEL, at=business_now(), proof="said so")
    people.set_silent(second.person, True)
    cards.note(OWNER, [pond.guide], third.touch, CardResult.SENT, at=business_now())
    expected = [(200, False), (200, False), (403, None)]
    assert [asked(one.touch) for one in (first, second, third)] == expected
    _document(active=False)  # switched off, which gives nobody leave
    assert [asked(one.touch) for one in (first, second, third)] == expected
    assert [asked(one) for one in ("x", 10**30, 10**18)] == [(422, None), (422, None), (404, None)]
    with business_clock(START + DAY):  # the page of yesterday
        assert asked(first.touch) == (404, None)


def test_what_stands_beside_a_reasons_words_goes_along_at_the_tap(
    pond: Pond, platform: Platform, client: WeComClient
) -> None:
    picture = keep_file(FileKind.IMAGE, "a.png", png()).address
    data = {"kind": "content", "name": "along", "title": {"zh": "新到", "en": "New"}, "pictures": [{"url": picture}]}
    keep_content(parse(Content, {**data, "link": {"title": "日历", "url": "https://shop.example/care"}}), OWNER, 0)
    document = documents.find(TodayDocument, "today").document
    reasons = [one.model_copy(update={"beside": "along"}) for one in document.reasons]  # type: ignore[attr-defined]
    _document(hold_out=0.0, reasons=tuple(reasons))
    today.turn(pond.world.warehouse)
    platform.plays(UPLOAD, ok(media_id="m1"))
    phone, here = Client(headers={"Accept": "application/json"}), spoken()
    phone.force_login(phones.user_of_staff(pond.guide.staff))

    class Files:
        def media(self) -> dict[tuple[str, str], WeComMedia]:
            return {(CHANNEL, CORP): WeComMedia(client, CORP)}

    first, *_ = _shown(pond)
    speak_by(lambda: Files())  # type: ignore[arg-type,return-value]
    try:
        told = phone.get(f"/m/today/ask/?card={first.touch}").json()
        paper = {"url": keep_file(FileKind.FILE, "a.pdf", b"some words").address, "name": "a.pdf"}
        keep_content(parse(Content, {**data, "file": paper}), OWNER, 1)
        assert "a.pdf" in phone.get(f"/m/today/ask/?card={first.touch}").json()["sentence"]
    finally:
        speak_by(lambda: here)
    card = {"title": "日历", "imgUrl": "", "desc": "", "url": "https://shop.example/care"}
    image = {"msgtype": "image", "image": {"mediaid": "m1"}}
    assert told["attachments"] == [image, {"msgtype": "link", "link": card}]
    assert (
        f"/m/file/{picture.removeprefix('file:')}/"
        in phone.get("/m/", headers={"Accept": "text/html"}).content.decode()
    )


def test_a_card_is_its_guides_own(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    other = next(one for one in senders(OWNER) if one.id != pond.guide.id)
    assert cards.cards_of(OWNER, [other]) == []
    with pytest.raises(NotFound):
        cards.note(OWNER, [other], _shown(pond)[0].touch, CardResult.SENT, at=business_now())


def test_it_waits_for_its_hour(pond: Pond) -> None:
    _document(at_hour=20)
    assert today.turn(pond.world.warehouse) == 0
    at = today.next_instant(START)
    assert at is not None
    assert (at - START) < DAY
    with business_clock(at):
        assert today.turn(pond.world.warehouse) > 0


def test_an_erased_person_has_no_card(pond: Pond) -> None:
    _document(hold_out=0.0)
    today.turn(pond.world.warehouse)
    today.forget_persons(frozenset({pond.friends["late-15"]}))
    assert "late-15" not in _cards(pond)
    assert SenderId(pond.guide.id) == pond.guide.id
