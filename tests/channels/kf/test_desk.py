"""The service desk: a conversation follows what is read, one writes in it at a time, and an answer arrives once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.channels.kf.test_service import WHO, Counter, counter
from tests.reach.conftest import START, stage
from yutang.channels.kf import desk, inbox, services
from yutang.channels.kf.models import Conversation, Message, OnDuty
from yutang.channels.wecom.kf import MOVE, SEND
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.organisation import clock as brand_clock
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.models import Role
from yutang.organisation.queries import OWNER, node_by_code, viewer_named
from yutang.reflex import services as reflex

__all__ = ["counter", "stage"]
pytestmark = pytest.mark.django_db
UID = "0123456789abcdef"


def only(folder: str = "open") -> inbox.InboxRow:
    (row,), total = inbox.inbox(OWNER, folder)
    assert total == 1
    return row


def later(counter: Counter, minutes: float) -> None:
    to = START + timedelta(minutes=minutes)
    counter.stage.ask("advance", to=to.isoformat())
    brand_clock.move_clock(to)
    counter.stage.loop._now()


def test_a_conversation_opens_is_answered_once_closed_and_rated(counter: Counter) -> None:
    for word in ("有货吗", "M 码"):
        counter.does("say", text=word)
    counter.read()
    row = only("waiting")
    assert (row.person, row.facts.waiting_since, row.facts.left) == (counter.stage.persons[WHO], START, 5)
    later(counter, 7)
    number = row.facts.id
    for _ in range(2):  # the form was sent twice
        sent = services.answer_conversation(OWNER, number, "有的", UID)
    counter.stage.faults({"api": SEND, "kind": "drop_answer", "times": 1})
    services.hand_out(counter.ports)
    Message.objects.update(not_before=None)
    services.hand_out(counter.ports)
    assert counter.does("sent")["sent"] == [sent]
    facts = only().facts
    assert (facts.waiting_since, facts.response, facts.answered_by) == (None, timedelta(minutes=7), "owner")
    assert (facts.assigned, facts.left) == ("owner", 4)
    services.close_conversation(OWNER, number, solved=True, ask=True)
    services.hand_out(counter.ports)
    with pytest.raises(Refused):
        services.answer_conversation(OWNER, number, "还在吗", "f" * 16)
    counter.does("say", text={"content": "满意", "menu_id": "yt_rate_3"})
    counter.read()
    assert inbox.inbox(OWNER, "open") == ([], 0)
    facts = only("closed").facts
    assert (facts.solved, facts.rating, facts.closed_by, facts.resolution) == (True, 3, "owner", timedelta(minutes=7))
    counter.does("say", text="再问一下")  # another conversation
    counter.read()
    assert only().facts.id != number
    every, mine = inbox.figures(OWNER, START - timedelta(days=1))
    assert (every.conversations, every.answered, every.solved, every.happy) == (2, 1, (1, 1), (1, 1))
    assert (mine.servicer, mine.first_median.value if mine.first_median else None) == ("owner", 7.0)


def test_read_twice_or_again_from_the_beginning_a_conversation_is_one(counter: Counter) -> None:
    from yutang.channels.kf.models import Account

    counter.does("say", text="在吗")
    counter.read()
    services.answer_conversation(OWNER, only().facts.id, "在的", UID)
    services.hand_out(counter.ports)
    Account.objects.update(cursor="")
    counter.read()
    assert Conversation.objects.count() == 1
    assert only().facts.waiting_since is None  # what was answered is not waited for again


def test_one_writes_at_a_time(counter: Counter) -> None:
    counter.does("say", text="有货吗")
    counter.read()
    number = only().facts.id
    other = Viewer("other", RoleName.OPERATOR, None)
    services.answer_conversation(other, number, "稍等", UID)
    with pytest.raises(Refused, match="other"):
        services.answer_conversation(OWNER, number, "有的", "f" * 16)
    assert Message.objects.filter(origin="house").count() == 1
    Conversation.objects.update(held_until=wall_now() - timedelta(seconds=1))  # gone for a coffee
    assert services.answer_conversation(OWNER, number, "有的", "f" * 16)
    for refused in (lambda: services.answer_conversation(OWNER, number, "x", "no id"),
                    lambda: services.answer_conversation(OWNER, number, "  ", "e" * 16)):  # fmt: skip
        with pytest.raises(BadInput):
            refused()


def test_what_waits_is_shared_out_by_load_among_those_who_may_see_it(counter: Counter) -> None:
    for name, role, node in (("ann", RoleName.OPERATOR, "brand"), ("bob", RoleName.GUIDE, "s2")):
        organisation.add_user(name, "correct horse battery", role, node)
        desk.set_duty(viewer_named(name), on=True)
    counter.does("say", text="有货吗")
    counter.read()
    services.hand_out(counter.ports)
    assert only().facts.assigned == "ann"  # bob has fewer, and does not see customers of s1
    desk.set_duty(viewer_named("ann"), on=False)
    assert [one.username for one in OnDuty.objects.all()] == ["bob"]
    row = Conversation.objects.get()
    with pytest.raises(Refused):
        desk.assign(OWNER, row, "bob", lambda viewer: viewer.sees_all)
    with pytest.raises(NotFound):
        desk.assign(OWNER, row, "nobody", lambda viewer: True)


def test_who_may_serve_no_more_is_given_nothing_and_keeps_nobody_waiting(counter: Counter) -> None:
    for name, role in (("ann", RoleName.OPERATOR), ("bob", RoleName.OPERATOR)):
        organisation.add_user(name, "correct horse battery", role, "brand")
        desk.set_duty(viewer_named(name), on=True)
    Role.objects.filter(user__username="ann").delete()
    Role.objects.filter(user__username="bob").update(role=RoleName.ANALYST.value)
    counter.does("say", text="有货吗")
    counter.read()
    sent = services.answer_conversation(OWNER, only().facts.id, "有的", UID)
    Conversation.objects.update(assigned="", waiting_since=START)
    services.hand_out(counter.ports)
    assert only().facts.assigned == ""
    assert counter.does("sent")["sent"] == [sent]


def test_only_who_sees_the_customer_sees_the_conversation(counter: Counter) -> None:
    counter.does("say", text="有货吗")
    counter.read()
    number = only().facts.id
    near = Viewer("near", RoleName.GUIDE, frozenset({node_by_code("s1").id}))
    far = Viewer("far", RoleName.MANAGER, frozenset({node_by_code("s2").id}))
    assert inbox.inbox(near, "waiting")[1] == 1
    assert inbox.inbox(far, "waiting") == ([], 0)
    assert inbox.figures(far, START - timedelta(days=1)) == []
    for forbidden in (lambda: inbox.opened(far, number), lambda: services.answer_conversation(far, number, "x", UID),
                      lambda: services.close_conversation(far, number, solved=True, ask=False)):  # fmt: skip
        with pytest.raises(NotFound):
            forbidden()
    with pytest.raises(Refused):
        services.answer_conversation(Viewer("x", RoleName.ANALYST, None), number, "x", UID)
    assert services.forget_conversations(services.lookups_of_person(counter.stage.persons[WHO])) == 2
    assert not Conversation.objects.exists()


def test_handed_to_the_guide_it_is_a_follow_up_and_theirs_at_the_platform(counter: Counter) -> None:
    from yutang.channels.wecom.kf import WeComService

    assert isinstance(counter.port, WeComService)
    counter.port.add_servicers(counter.account, ["guide00"])
    counter.does("say", text="我要退货")
    counter.read()
    row, person = services.conversation_seen(OWNER, only().facts.id)
    assert person is not None
    with pytest.raises(BadInput):
        desk.hand_to_guide(OWNER, row, person, "guide00", "她说要退货", serve=True, store="s0")
    for _ in range(2):  # asked twice: one event
        desk.hand_to_guide(OWNER, row, person, "guide00", "order", serve=True, store="s0")
    counter.stage.faults({"api": MOVE, "kind": "drop_answer", "times": 1})
    services.hand_out(counter.ports)
    assert only().facts.wish == desk.HUMAN  # its answer was lost: it is looked up, not asked again
    Conversation.objects.update(wish_after=None)
    services.hand_out(counter.ports)
    facts = only().facts
    assert (facts.hand, facts.servicer, facts.wish, facts.with_staff) == (desk.HUMAN, "guide00", None, True)
    assert counter.port.state(counter.account, WHO) == (desk.HUMAN, "guide00")
    pump_until_empty(counter.stage.warehouse)
    told = counter.stage.rows("SELECT person, props FROM events WHERE type = 'service.handed_over'")
    assert [(who, "退货" in props) for who, props in told] == [(person, False)]
    reflex.work({})
    (follow_up,) = reflex.FollowUpRow.objects.all()
    assert (follow_up.person, follow_up.userid) == (person, "guide00")
    services.answer_conversation(OWNER, facts.id, "您好", UID)  # staff have it: the platform refuses, and says why
    services.hand_out(counter.ports)
    assert "人工" in Message.objects.get(origin="house").reason
    counter.does("end")
    counter.read()
    assert only("closed").facts.closed_by == "platform"


def test_a_quantile_says_when_it_cannot_tell() -> None:
    assert inbox.quantile([], 0.5) is None
    few = inbox.quantile([1.0, 2.0, 3.0], 0.9)
    assert few is not None
    assert (few.value, few.high) == (3.0, None)
    many = inbox.quantile([float(minute) for minute in range(1, 201)], 0.5)
    assert many is not None
    assert (many.value, many.low, many.high) == (100.0, 86.0, 115.0)
