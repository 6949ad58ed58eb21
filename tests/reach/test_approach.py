"""A channel that reaches people by an address: who has one, through which account, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.channels.manual.conftest import START, Hand, stamps
from tests.channels.manual.conftest import hand as hand
from yutang.channels.contracts import (
    Capabilities,
    CreatedTask,
    Delivery,
    MassSendLimits,
    MessageContent,
    PlatformTask,
    RecipientResult,
    SenderState,
    Window,
)
from yutang.intake.mirror import mirror_facts
from yutang.kernel.clock import business_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadDocument, BadInput
from yutang.kernel.ids import PersonId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.organisation.services import NewSender, add_senders
from yutang.people import queries as people_queries
from yutang.people import services as people
from yutang.reach import approach, limits, queries, services
from yutang.reach.documents import BroadcastDocument
from yutang.reach.limits import check_text, narrowed, way_of

pytestmark = pytest.mark.django_db
SMS = Capabilities(
    "sms.test", "sms", "短信", "Text message", addressed_by="phone", text=70, characters=True, recipients=1,
    cost=Decimal("0.045"), hours=(time(8), time(20)),
)  # fmt: skip
APP = Capabilities("app.test", "app", "小程序", "App", addressed_by="openid", namespaced=True, text=200)


@dataclass
class Outbox:
    """Sends at once whatever it is given, and says of each address what it is told to say."""

    sent: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, Delivery] = field(default_factory=dict)
    contents: list[MessageContent] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)

    limits = MassSendLimits()

    def create_task(self, sender: str, recipients: Sequence[str], content: MessageContent) -> CreatedTask:
        self.senders.append(sender)
        self.contents.append(content)
        task = f"out-{len(self.contents)}"
        self.sent[task] = list(recipients)
        return CreatedTask(task, {})

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        return []

    def cancel_task(self, task_id: str) -> None:
        pass

    def remind_task(self, task_id: str) -> None:
        pass

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        return [SenderState("any", True, business_now())]

    def read_results(self, task_id: str, sender: str) -> Sequence[RecipientResult]:
        return [
            RecipientResult(one, sender, self.words.get(one, Delivery.SENT), business_now())
            for one in self.sent[task_id]
        ]

    @property
    def everyone(self) -> list[str]:
        """All addresses that were ever written to."""
        return [one for part in self.sent.values() for one in part]


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> Outbox:
    """The brand with an account for short messages, and one at an app."""
    known = limits.of_channel
    for module in (limits,):
        monkeypatch.setattr(module, "of_channel", lambda name: {"sms": (SMS,), "app": (APP,)}.get(name) or known(name))
    add_senders([NewSender("brand", "签名", "sms", "", "sign"), NewSender("brand", "小程序", "app", "wxapp", "app")])
    return Outbox()


def run(hand: Hand, box: Outbox, name: str = "texts", **changes: object) -> int:
    """Launch, issue, and read back."""
    data = {
        "kind": "broadcast", "name": name, "title": {"zh": name, "en": name}, "audience": {"everyone": True},
        "purpose": "marketing", "channel": "sms", "message": {"text": "会员日。回T退订"}, "hold_out": 0.0,
        "within_hours": 8, "attempts": 3, **changes,
    }  # fmt: skip
    plan = services.launch(parse(BroadcastDocument, data), OWNER)
    ports = {("sms", ""): box, ("app", "wxapp"): box}
    services.turn(hand.warehouse, ports)
    hand.now[0] += timedelta(hours=1)
    services.turn(hand.warehouse, ports)
    hand.now[0] += timedelta(hours=7)
    services.turn(hand.warehouse, ports)
    return plan


def test_whoever_has_a_number_is_written_to_once_whoever_has_none_is_told_so(hand: Hand, box: Outbox) -> None:
    (stranger,) = people.load_persons(
        pa.table({"member": ["m-1"], "home_store": ["east"], "born_at": stamps(START, 1)}), source="till", corp=""
    ).tolist()
    people.give_consent(PersonId(stranger), "marketing", "*", at=START, proof="form")
    twice = hand.persons[0]
    both = [IdentifierValue("phone", "", number) for number in ("13800138000", "13700137000")]
    people.resolve([both], seen_at=START)
    mirror_facts(hand.warehouse)
    plan = run(hand, box)
    decided = hand.decided(plan)  # type: ignore[arg-type]
    assert decided[stranger] == ("suppressed", "no_address", None)
    assert sum(outcome == "send" for outcome, _, _ in decided.values()) == 36
    assert len(box.everyone) == len(set(box.everyone)) == 36
    assert people_queries.addresses_of([twice], "phone", "")[twice] == ["+8613800138000", "+8613700137000"]
    assert "+8613700137000" in box.everyone, "the number that we learned last"
    assert "+8613800138000" not in box.everyone
    assert hand.counts(plan).sent == 36  # type: ignore[arg-type]
    assert set(box.senders) == {"sign"}
    permit = box.contents[0].permit
    assert permit is not None
    assert (permit.purpose, permit.marketing, permit.until) == ("marketing", True, START + timedelta(hours=8))


def test_a_number_that_is_several_peoples_is_nobodys_address(hand: Hand, box: Outbox) -> None:
    from yutang.people.models import Identifier

    Identifier.objects.filter(person_id=hand.persons[0]).update(hub=True)
    plan = run(hand, box)
    assert hand.decided(plan)[hand.persons[0]][:2] == ("suppressed", "no_address")  # type: ignore[arg-type]


def test_an_id_at_an_app_leads_only_through_that_apps_account(hand: Hand, box: Outbox) -> None:
    for person, app in ((0, "wxapp"), (1, "another")):
        phone = IdentifierValue("phone", "", f"138001380{person:02}")
        people.resolve([[phone, IdentifierValue("openid", app, f"o-{person}")]], seen_at=START)
    plan = run(hand, box, channel="app")
    assert box.everyone == ["o-0"]
    assert hand.decided(plan)[hand.persons[1]][:2] == ("suppressed", "no_address")  # type: ignore[arg-type]


def test_a_stores_own_account_goes_before_the_brands(hand: Hand, box: Outbox) -> None:
    add_senders([NewSender("east", "东店签名", "sms", "", "east-sign")])
    run(hand, box)
    told = {sender: len(part) for sender, part in zip(box.senders, box.sent.values(), strict=True)}
    assert told == {"east-sign": 27, "sign": 9}


def test_what_nobody_can_tell_of_stays_unknown_and_is_not_sent_again(hand: Hand, box: Outbox) -> None:
    said = {0: Delivery.UNKNOWN, 2: Delivery.BOUNCED, 4: Delivery.REFUSED, 6: Delivery.WITHDRAWN}
    box.words = {f"+86138001380{index:02}": state for index, state in said.items()}
    plan = run(hand, box)
    told = hand.counts(plan)  # type: ignore[arg-type]
    assert (told.sent, told.failed, told.unknown, told.expired) == (32, 2, 1, 0)
    assert told.suppressed == {"consent": 4, "withdrawn": 1}
    assert len(box.everyone) == 36


def test_the_cost_is_shown_before_and_kept_with_the_plan(hand: Hand, box: Outbox) -> None:
    data = {
        "kind": "broadcast", "name": "dear", "title": {"zh": "贵", "en": "Dear"}, "audience": {"everyone": True},
        "purpose": "marketing", "channel": "sms", "message": {"text": "会员日"}, "hold_out": 0.25,
    }  # fmt: skip
    seen = services.preview(hand.warehouse, parse(BroadcastDocument, data), OWNER)
    assert 0 < seen.send < 36
    assert seen.cost == Decimal("0.045") * seen.send
    plan = run(hand, box)
    assert queries.plan(OWNER, plan).unit_cost == Decimal("0.045")


def test_the_platforms_hours_narrow_the_policys(hand: Hand, box: Outbox) -> None:
    hand.now[0] = START + timedelta(hours=10, minutes=30)  # 20:30, after the platform's day
    plan = services.launch(
        parse(
            BroadcastDocument,
            {
                "kind": "broadcast", "name": "late", "title": {"zh": "晚", "en": "L"}, "audience": {"everyone": True},
                "purpose": "marketing", "channel": "sms", "message": {"text": "晚"}, "hold_out": 0, "within_hours": 24,
            },
        ),
        OWNER,
    )  # fmt: skip
    services.turn(hand.warehouse, {("sms", ""): box})
    assert box.everyone == []
    hand.now[0] = START + timedelta(hours=23)  # nine the next morning
    services.turn(hand.warehouse, {("sms", ""): box})
    assert len(box.everyone) == 36
    assert {batch.deadline for batch in queries.batches(OWNER, plan)} == {START + timedelta(hours=34)}
    with pytest.raises(BadInput, match="do not meet"):
        narrowed(SMS, time(20), time(22))


def test_a_text_is_measured_by_its_channel_while_it_is_written(box: Outbox) -> None:
    check_text("sms", "好" * 70, marketing=True)
    with pytest.raises(BadInput, match="71 characters; Text message takes at most 70"):
        check_text("sms", "好" * 71, marketing=True)
    with pytest.raises(BadInput, match=r"4,002 bytes; WeCom takes at most 4,000"):
        check_text("wecom", "好" * 1334, marketing=True)
    with pytest.raises(BadInput, match="no channel"):
        way_of("pigeon")
    data = {
        "kind": "broadcast", "name": "x", "title": {"zh": "x", "en": "x"}, "audience": {"everyone": True},
        "purpose": "marketing", "channel": "sms", "message": {"text": "好" * 71},
    }  # fmt: skip
    with pytest.raises(BadDocument, match="message"):
        parse(BroadcastDocument, data)
    with pytest.raises(BadDocument, match="channel"):
        parse(BroadcastDocument, {**data, "channel": "pigeon"})


def test_a_channel_that_only_answers_or_sells_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Capabilities("a", "a", "甲", "A", addressed_by="openid", window=Window(timedelta(hours=48), 5))
    monkeypatch.setattr(limits, "of_channel", lambda _: (answers,))
    with pytest.raises(BadInput, match="only answer"):
        check_text("a", "hello", marketing=False)
    monkeypatch.setattr(limits, "of_channel", lambda _: (Capabilities("b", "b", "乙", "B", marketing=False),))
    with pytest.raises(BadInput, match="no marketing"):
        check_text("b", "hello", marketing=True)
    check_text("b", "hello", marketing=False)


def test_by_which_channels_only_friends_speak() -> None:
    assert [approach.friends_only(one) for one in ("wecom", "manual")] == [True, False]
