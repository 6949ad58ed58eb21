"""From a callback to the act: once, in time, or honestly not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.reflex.conftest import RULE, Shore
from tests.soak.pond import CORP
from yutang.channels.queries import callback_counts
from yutang.connect.models import Join
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import wall_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput, Refused
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.people import queries as people
from yutang.people import services as people_services
from yutang.reflex import queries, services
from yutang.reflex.contracts import ActState
from yutang.reflex.documents import ReflexRule
from yutang.reflex.models import Act, Stimulus

pytestmark = pytest.mark.django_db
WELCOME = "externalcontact/send_welcome_msg"


@pytest.fixture
def ready(shore: Shore) -> Shore:
    """A way and a rule for who comes by it."""
    shore.keep_way()
    shore.keep_rule()
    return shore


def test_somebody_who_scans_is_welcomed_and_tagged_at_once(ready: Shore) -> None:
    who = ready.scan(ready.token())["external_userid"]
    ready.carry_all(1)
    ready.work()
    assert ready.acts() == [("done", "")]
    assert ready.said()[who]["text"]["content"] == "欢迎扫码，新人有礼。"
    pump_until_empty(ready.stage.warehouse)
    (person,) = people_services.resolve([[IdentifierValue("external_userid", CORP, who)]], seen_at=wall_now())
    card = people.person_card(OWNER, person)
    assert set(card.tags) == {"包裹卡", "新好友"}
    assert [relation.live for relation in card.relations] == [True]
    assert card.home_node is not None  # the shipped rule gave the guide's store
    assert ready.stage.rows("SELECT count(*) FROM events WHERE type = 'message.sent'") == [(1,)]


def test_nothing_that_the_code_said_is_kept_once_it_is_spent(ready: Shore) -> None:
    ready.scan(ready.token())
    ready.carry_all(1)
    ready.work()
    assert [bytes(sealed) for sealed in Stimulus.objects.values_list("sealed", flat=True)] == [b""]
    pump_until_empty(ready.stage.warehouse)
    props = ready.stage.rows("SELECT props FROM events WHERE type = 'relation.added'")[0][0]
    assert "welcome_code" not in props
    assert '"way":"card"' in props


def test_a_way_counts_each_person_once_however_often_the_platform_tells(ready: Shore) -> None:
    ready.scan(ready.token())
    (letter,) = ready.letters_of(1)
    assert [ready.carry(letter) for _ in range(3)] == [200] * 3
    ready.work()
    assert ready.work().idle
    assert len(ready.said()) == 1
    assert Join.objects.count() == 1
    assert [(one.kind, one.count, one.handled) for one in callback_counts()] == [
        ("change_external_contact/add_external_contact", 1, True)
    ]
    pump_until_empty(ready.stage.warehouse)
    assert ready.stage.rows("SELECT count(*) FROM events WHERE type = 'relation.added'") == [(1,)]


def test_callbacks_may_come_in_any_order_and_the_friendship_goes_by_what_was_said_when(ready: Shore) -> None:
    found = ready.scan(ready.token())
    ready.stage.jump(1)
    ready.ask("leave", userid=found["userid"], external_userid=found["external_userid"], by="customer")
    first, second = ready.letters_of(2)
    assert [ready.carry(second), ready.carry(first)] == [200, 200]
    pump_until_empty(ready.stage.warehouse)
    (person,) = people_services.resolve(
        [[IdentifierValue("external_userid", CORP, found["external_userid"])]], seen_at=wall_now()
    )
    assert [relation.live for relation in people.person_card(OWNER, person).relations] == [False]
    assert ready.stage.rows("SELECT props FROM events WHERE type = 'relation.lost'") == [('{"by":"customer"}',)]


def test_what_is_not_handled_yet_is_kept_and_counted_as_such(ready: Shore) -> None:
    ready.ask(
        "tell", event="change_external_contact", change="transfer_fail", fields={"FailReason": "customer_refused"}
    )
    ready.ask("tell", event="change_external_chat", change="create", fields={"ChatId": "wr1"})
    ready.ask("tell", event="enter_agent", fields={"FromUserName": "guide00"})
    ready.carry_all(3)
    assert {(one.kind, one.handled) for one in callback_counts()} == {
        ("change_external_contact/transfer_fail", True),  # hints: what they are about is read again
        ("change_external_chat/create", True),
        ("enter_agent", False),
    }


def test_what_misses_its_deadline_is_recorded_and_never_sent(ready: Shore) -> None:
    ready.scan(ready.token())
    ready.carry_all(1)
    Act.objects.filter(kind="welcome").update(deadline=wall_now() - timedelta(milliseconds=1))
    ready.work()
    assert ready.acts() == [("missed", "deadline")]
    assert ready.acts("tag") == [("done", "")]
    assert ready.said() == {}


def test_an_event_that_arrives_late_has_so_much_less_time(ready: Shore) -> None:
    ready.scan(ready.token())
    ready.stage.jump(0.01)  # 36 seconds
    ready.carry_all(1)
    ready.work()
    assert ready.acts() == [("missed", "deadline")]


def test_two_workers_at_once_say_one_welcome(ready: Shore) -> None:
    ready.scan(ready.token())
    ready.carry_all(1)
    claims = [services._claim(f"{name}:1:x", 32) for name in "abc"]
    kinds = [sorted(task.act.kind for task in tasks) for tasks in claims]
    # the welcome goes first and alone; the shipped rule leaves it to the narrower one
    assert kinds == [["welcome"], ["assign", "tag", "tag"], []]


def test_a_worker_who_slept_settles_nothing_that_was_taken_over(ready: Shore) -> None:
    ready.scan(ready.token())
    ready.carry_all(1)
    sleeper = services._claim("elsewhere:1:x", 32)
    Act.objects.update(claim_until=wall_now() - timedelta(seconds=1))
    ready.work()
    done = sorted(Act.objects.values_list("pk", "state"))
    for task in sleeper:
        task.person, task.outcome = None, ActState.FAILED
    services._settle(sleeper, "elsewhere:1:x")
    assert sorted(Act.objects.values_list("pk", "state")) == done
    assert ready.acts("tag") == [("done", "")]


def test_killed_before_the_call_the_welcome_is_said_by_who_comes_after(ready: Shore) -> None:
    who = ready.scan(ready.token())["external_userid"]
    ready.carry_all(1)
    services._claim(_dead(), 32)
    ready.work()
    assert ready.acts() == [("done", "")]
    assert who in ready.said()


def test_killed_after_the_call_nobody_can_say_and_it_is_not_said_twice(ready: Shore) -> None:
    who = ready.scan(ready.token())["external_userid"]
    ready.carry_all(1)
    tasks = services._claim(_dead(), 32)
    services._name_persons(tasks)
    services._say_welcomes([task for task in tasks if task.act.kind == "welcome"], ready.channels.welcomes())
    assert who in ready.said()
    ready.work()
    assert ready.acts() == [("unknown", "code_spent")]
    assert ready.acts("tag") == [("done", "")]


def test_begun_and_then_too_late_is_unknown_and_not_missed(ready: Shore) -> None:
    ready.scan(ready.token())
    ready.carry_all(1)
    services._claim(_dead(), 32)
    Act.objects.filter(kind="welcome").update(deadline=wall_now() - timedelta(milliseconds=1))
    ready.work()
    assert ready.acts() == [("unknown", "interrupted")]


def _dead() -> str:
    """The name of a worker of this machine who is not alive."""
    import os
    import subprocess

    from yutang.intake.lease import me

    host, _, nonce = me().split(":")
    process = subprocess.Popen(["true"])
    process.wait()
    assert process.pid != os.getpid()
    return f"{host}:{process.pid}:{nonce}"


def test_a_lost_answer_is_tried_again_with_the_same_code_and_told_honestly(ready: Shore) -> None:
    ready.stage.faults({"api": WELCOME, "kind": "drop_answer", "times": 1})
    who = ready.scan(ready.token())["external_userid"]
    ready.carry_all(1)
    ready.work()
    assert ready.acts() == [("due", "answer_lost")]
    Act.objects.update(not_before=None)
    ready.work()
    assert ready.acts() == [("unknown", "code_spent")]
    assert who in ready.said()


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (41050, ("failed", "code_spent")),
        (41051, ("refused", "elsewhere")),
        (41096, ("due", "busy")),
        (40007, ("failed", "platform_40007")),
    ],
)
def test_what_the_platform_says_is_told(ready: Shore, code: int, state: tuple[str, str]) -> None:
    ready.stage.faults({"api": WELCOME, "kind": "refuse", "times": 1, "errcode": code})
    ready.scan(ready.token())
    ready.carry_all(1)
    ready.work()
    assert ready.acts() == [state]
    assert ready.said() == {}


def test_somebody_who_is_blocked_is_told_nothing_and_the_text_goes_through_the_content_rules(shore: Shore) -> None:
    shore.keep_way(welcome="全网最低价，扫码就送。")
    shore.keep_rule()
    shore.scan(shore.token())
    shore.carry_all(1)
    shore.work()
    assert shore.acts() == [("refused", "content")]
    shore.keep_way()
    blocked = shore.stage.persons["wm00007"]
    people_services.set_blocked(blocked, True)
    shore.scan(shore.token(), external_userid="wm00007")
    shore.carry_all(1)
    shore.work()
    assert shore.acts()[-1] == ("refused", "blocked")
    assert shore.said() == {}


def test_a_welcome_that_is_a_service_needs_consent_and_open_hours_and_a_reply_does_not(shore: Shore) -> None:
    shore.keep_way()
    shore.keep_rule(acts=[{"do": "welcome", "class": "service", "purpose": "marketing"}])
    shore.stage.jump(1)  # 09:30 in Shanghai: open
    for who in ("wm00009", "wm00001"):  # the first said no to marketing
        shore.scan(shore.token(), external_userid=who)
    shore.carry_all(2)
    shore.work()
    assert sorted(shore.acts()) == [("done", ""), ("refused", "consent")]
    shore.stage.jump(14)  # 22:30: quiet
    shore.scan(shore.token(), external_userid="wm00002")
    shore.carry_all(1)
    shore.work()
    assert shore.acts()[-1] == ("refused", "quiet_hours")
    shore.keep_rule()
    shore.scan(shore.token(), external_userid="wm00003")
    shore.carry_all(1)
    shore.work()
    assert shore.acts()[-1] == ("done", "")


def test_a_half_friend_is_welcomed_and_is_no_friend_yet(ready: Shore) -> None:
    who = ready.scan(ready.token(), half=True)["external_userid"]
    ready.carry_all(1)
    ready.work()
    assert who in ready.said()
    pump_until_empty(ready.stage.warehouse)
    assert ready.stage.rows("SELECT count(*) FROM events WHERE type = 'relation.half_added'") == [(1,)]
    (person,) = people_services.resolve([[IdentifierValue("external_userid", CORP, who)]], seen_at=wall_now())
    assert people.person_card(OWNER, person).relations == ()


def test_acts_of_one_rule_on_one_event_follow_one_another(shore: Shore) -> None:
    shore.keep_way()
    shore.keep_rule(
        acts=[
            {"do": "assign", "to": "shift", "staff": ["guide01", "guide02"], "daily_limit": 1, "overflow": ["guide00"]},
            {"do": "follow_up", "note": {"zh": "打个电话", "en": "Call"}, "in_hours": 2},
        ]
    )
    for _ in range(4):
        shore.scan(shore.token())
    shore.carry_all(4)
    shore.work()
    found = queries.follow_ups(OWNER)
    assert sorted(one.userid for one in found) == ["guide00", "guide00", "guide01", "guide02"]
    first = found[0]
    services.finish_follow_up(OWNER, first.id)
    assert first.id not in {one.id for one in queries.follow_ups(OWNER)}


@pytest.mark.long
def test_entering_a_segment_sets_off_a_rule_once_and_being_in_it_does_not(shore: Shore) -> None:
    from decimal import Decimal

    from yutang.kernel.clock import business_now
    from yutang.kernel.ids import EventId
    from yutang.log.contracts import Event
    from yutang.log.services import record
    from yutang.profiles import services as profiles

    def buys(who: str) -> None:
        record(
            [
                Event(
                    EventId(f"order-{who}"), "order.placed", business_now(),
                    (IdentifierValue("external_userid", CORP, who),), source="till", amount=Decimal("9.90"),
                    currency="CNY", props={"order_id": who},
                )
            ]
        )  # fmt: skip
        pump_until_empty(shore.stage.warehouse)
        profiles.refresh(shore.stage.warehouse, business_now())

    buys("wm00001")
    shore.keep_rule(on="segment.entered", segment="customer_pool", where={}, acts=[{"do": "tag", "tags": ["新成交"]}])
    assert services.notice_entered(shore.stage.warehouse) == 0
    shore.stage.jump(1)
    buys("wm00002")
    assert services.notice_entered(shore.stage.warehouse) == 1
    assert services.notice_entered(shore.stage.warehouse) == 0
    shore.work()
    assert shore.acts("tag") == [("done", "")]
    assert people.person_card(OWNER, shore.stage.persons["wm00002"]).tags == ()  # the pump brings it
    pump_until_empty(shore.stage.warehouse)
    assert people.person_card(OWNER, shore.stage.persons["wm00002"]).tags == ("新成交",)


def test_a_rule_does_not_answer_what_a_rule_did(shore: Shore) -> None:
    shore.keep_way()
    shore.keep_rule(acts=[{"do": "tag", "tags": ["一"]}])
    loop: dict[str, Any] = {"name": "again", "on": "tag.added", "where": {}, "acts": [{"do": "tag", "tags": ["二"]}]}
    services.keep_rule(parse(ReflexRule, {**RULE, **loop}), OWNER)
    shore.scan(shore.token())
    shore.carry_all(1)
    while not shore.work().idle:
        pass
    assert not Act.objects.filter(rule="again").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"on": "relation.befriended"}, "there is no event type"),
        ({"on": "segment.entered"}, "needs segment"),
        ({"where": {"store": ["nowhere"]}}, "there is no store"),
        ({"acts": [{"do": "welcome", "text": "全网最低"}]}, "breaks the rule"),
        ({"acts": [{"do": "welcome", "within_seconds": 60}]}, "less than or equal to 20"),
        ({"acts": [{"do": "tag"}]}, "needs tags"),
        ({"acts": [{"do": "assign", "to": "shift"}]}, "needs staff or shifts"),
        ({"acts": [{"do": "dance"}]}, "dance"),
        ({"acts": []}, "at least 1"),
    ],
)
def test_a_rule_that_cannot_stand_gets_one_sentence(shore: Shore, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        shore.keep_rule(**changes)


def test_a_bare_on_is_read_as_it_was_meant(shore: Shore) -> None:
    from yutang.kernel.documents import read

    text = "kind: reflex\nname: r\ntitle: {zh: 规, en: r}\non: relation.added\nacts:\n  - do: tag\n    tags: [a]\n"
    document = read(text)
    assert isinstance(document, ReflexRule)
    assert document.on == ("relation.added",)
    assert read(document.as_yaml()) == document


def test_only_headquarters_keeps_rules_and_sees_what_they_did(shore: Shore) -> None:
    from yutang.organisation.contracts import RoleName, Viewer

    store = Viewer("keeper", RoleName.OPERATOR, frozenset())
    with pytest.raises(Refused):
        services.keep_rule(parse(ReflexRule, RULE), store)
    with pytest.raises(Refused):
        queries.rule_counts(store)
    assert queries.follow_ups(store) == []
