"""The outbox: written once, sent once, looked at again just before, and never twice where nobody can say."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from tests.channels.direct.provider import Asked, Mailbox, Provider, over_http, over_smtp
from tests.people.pond import found_pond
from yutang.channels.contracts import CannotCarry, Delivery, MessageContent, Permit, TaskNotReady
from yutang.channels.direct import accounts, sending
from yutang.channels.direct.addresses import allowances
from yutang.channels.direct.contracts import MOST_TRIES
from yutang.channels.direct.outbox import Outbox, unpacked
from yutang.channels.direct.registry import kind_named
from yutang.channels.models import Address, Letter, Mailing, Outlet
from yutang.channels.webhook.contracts import ALLOW_PRIVATE
from yutang.guard import wishes
from yutang.kernel.clock import business_clock, business_now, wall_now
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.ids import PersonId
from yutang.log.contracts import IdentifierValue
from yutang.log.models import InboxEnvelope
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, channel_account, channel_accounts, senders
from yutang.people.links import opened
from yutang.people.queries import may_be_touched, standing_consents
from yutang.people.services import ConsentWord, apply_consents, birth_persons, name_persons
from yutang.reach.approach import price_of
from yutang.reach.limits import check_text

DEAD = "nohost-but-this:1:x"
MAIL = "会员日\n\n奶粉今日 8 折。"
SMS = "您的会员日到了：奶粉，到店即享。拒收请回复R"
ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """A mail server."""
    with over_smtp() as made:
        yield made


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider over HTTP."""
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    with over_http() as made:
        yield made


@pytest.fixture
def morning() -> Iterator[None]:
    """Ten in the morning in Shanghai."""
    with business_clock(business_now().replace(hour=2, minute=0)):
        yield


@pytest.fixture(autouse=True)
def _pond(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.PUBLIC_ADDRESS = "https://pond.example"
    settings.DATA = tmp_path
    sending._next.clear()
    found_pond()


def mailer(box: Mailbox, **changed: Any) -> Outbox:
    """The brand's mailbox."""
    given = {"host": box.host, "port": str(box.port), "security": "none", "from": "hello@pond.example", "name": "鱼塘",
             "identity": "鱼塘母婴有限公司"}  # fmt: skip
    accounts.keep_account(OWNER, "email", "main", given, per_second="10000", **changed)
    account = channel_account("email", "main")
    assert account is not None
    return Outbox(account)


def texter(provider: Provider, kind: str = "sms.aliyun") -> Outbox:
    """An account of short messages, with a provider that takes everything."""
    given = {"access_key_id": "k", "access_key_secret": "s", "signature": "鱼塘", "address": provider.address,
             "templates": "SMS_1\n您的会员日到了：${goods}，到店即享。拒收请回复R"}  # fmt: skip
    provider.answering = lambda asked: {"Code": "OK", "BizId": "900^0"}
    accounts.keep_account(OWNER, kind, "texts", given, cost="0.045", per_second="10000")
    account = channel_account("sms", "texts")
    assert account is not None
    return Outbox(account)


def known(*identifiers: IdentifierValue, channels: tuple[str, ...] = ("email", "sms")) -> PersonId:
    """Somebody who agreed to marketing there."""
    (birth,) = birth_persons([identifiers], seen_at=business_now())
    apply_consents([ConsentWord(birth, "marketing", one, True, business_now()) for one in channels])
    return birth


def mail(address: str) -> IdentifierValue:
    return IdentifierValue("email", "", address)


def phone(number: str) -> IdentifierValue:
    return IdentifierValue("phone", "", number)


def content(text: str, *, hours: float = 24, marketing: bool = True) -> MessageContent:
    """Marketing that the gate let through for so many hours."""
    until = business_now() + timedelta(hours=hours)
    return MessageContent(text, permit=Permit("marketing", None, marketing, until))


def sent_all(*, paced: bool = False) -> int:
    """Work until there is nothing to do (`paced`: that may be sent now); returns how many letters left."""
    sent = 0
    while True:
        if not paced:
            sending._next.clear()
        if (done := sending.work()).idle:
            return sent
        sent += done.sent


def results(port: Outbox, task: str) -> dict[str, Delivery]:
    return {one.recipient: one.state for one in port.read_results(task, "main")}


def test_a_mailing_is_written_once_and_reaches_each_by_a_letter_of_their_own(box: Mailbox) -> None:
    port, ann, bob = mailer(box), known(mail(ANN)), known(mail(BOB))
    task = port.create_task("main", [ANN, BOB], content(MAIL))
    assert not task.refused
    assert [one.sent for one in port.read_task(task.task_id)] == [False]
    assert results(port, task.task_id) == {ANN: Delivery.UNSENT, BOB: Delivery.UNSENT}
    assert sent_all() == 2
    assert results(port, task.task_id) == {ANN: Delivery.SENT, BOB: Delivery.SENT}
    (state,) = port.read_task(task.task_id)
    assert state.sent
    assert {opened(_token(raw)).person for _, _, raw in box.taken} == {ann, bob}
    (found,) = port.find_tasks(business_now() - timedelta(minutes=5), business_now())
    assert (found.task_id, found.text, found.senders) == (task.task_id, MAIL, ("main",))


def _token(raw: bytes) -> str:
    line = next(one for one in raw.replace(b"\r\n ", b"").split(b"\r\n") if one.startswith(b"List-Unsubscribe:"))
    return line.decode().split("/p/")[1].split("/")[0]


def test_nothing_personal_stands_in_clear_and_recipients_are_forgotten_in_time(box: Mailbox) -> None:
    port = mailer(box)
    known(mail(ANN))
    task = port.create_task("main", [ANN], content(MAIL))
    row = Letter.objects.values_list("recipient", flat=True)
    assert row.get() == ANN  # opened by the field
    with connection.cursor() as cursor:
        cursor.execute("SELECT recipient FROM channels_letter")
        assert ANN.encode() not in bytes(cursor.fetchone()[0])
        cursor.execute("SELECT content FROM channels_mailing")
        assert "奶粉".encode() not in bytes(cursor.fetchone()[0])
    sent_all()
    Letter.objects.update(settled_at=wall_now() - timedelta(days=4))
    Mailing.objects.update(made_at=wall_now() - timedelta(days=4))
    assert sending.forget_old_letters() == 0
    assert list(row) == [None]
    assert Mailing.objects.get().content is None
    assert results(port, task.task_id) == {ANN: Delivery.SENT}  # by whom it was for
    Mailing.objects.update(made_at=wall_now() - timedelta(days=91))
    assert sending.forget_old_letters() == 1
    assert not Mailing.objects.exists()


def test_who_said_stop_after_it_was_written_gets_nothing(box: Mailbox) -> None:
    port, ann = mailer(box), known(mail(ANN))
    known(mail(BOB))
    task = port.create_task("main", [ANN, BOB], content(MAIL))
    wishes.stop(ann, "test")
    assert sent_all() == 1
    assert results(port, task.task_id)[BOB] is Delivery.SENT
    assert Letter.objects.get(person=ann).reason == "withdrawn:consent"
    assert results(port, task.task_id)[ANN] is Delivery.WITHDRAWN


def test_what_is_not_out_by_its_deadline_is_cancelled_by_the_lane_itself(box: Mailbox) -> None:
    port = mailer(box)
    known(mail(ANN))
    task = port.create_task("main", [ANN], content(MAIL, hours=-0.01))
    assert sent_all() == 0
    assert box.taken == []
    assert Letter.objects.get().reason == "deadline"
    assert results(port, task.task_id) == {ANN: Delivery.UNSENT}


def test_what_is_taken_back_is_not_sent_and_what_is_under_way_is_waited_for(box: Mailbox) -> None:
    port = mailer(box)
    known(mail(ANN))
    task = port.create_task("main", [ANN, BOB], content(MAIL))
    Letter.objects.filter(person=None).update(state="sending", claimed_by=DEAD, claim_until=wall_now() + sending.HOLD)
    port.cancel_task(task.task_id)
    with pytest.raises(TaskNotReady):
        port.read_task(task.task_id)
    Letter.objects.filter(state="sending").update(state="sent", sent_at=business_now(), settled_at=wall_now())
    assert port.read_task(task.task_id)[0].sent
    assert results(port, task.task_id) == {ANN: Delivery.UNSENT, BOB: Delivery.SENT}
    port.cancel_task(task.task_id)
    assert sent_all() == 0


def test_what_comes_back_into_the_queue_after_it_was_withdrawn_is_not_sent(box: Mailbox) -> None:
    port = mailer(box)
    task = port.create_task("main", [BOB], content(MAIL, marketing=False))
    rows, _ = sending._claim(port.account, kind_named("email"))
    port.cancel_task(task.task_id)
    away = replace(port.account, settings=dict(port.account.settings) | {"port": "9"})
    assert sending._call(away, kind_named("email"), accounts.adapter_of(away), rows) == 0
    assert Letter.objects.get().state == "queued"
    Outlet.objects.all().delete()
    assert sent_all() == 0
    assert Letter.objects.get().reason == "cancelled"
    assert box.taken == []


def test_marketing_waits_for_the_hours_in_which_its_channel_takes_it(provider: Provider) -> None:
    port, night = texter(provider), business_now().replace(hour=14, minute=0)  # 22:00 in Shanghai
    known(phone("+8613800138000"))
    with business_clock(night):
        port.create_task("texts", ["+8613800138000"], content(SMS))
        assert sent_all() == 0
    with business_clock(night + timedelta(hours=12)):  # ten in the morning
        assert sent_all() == 1


def test_a_message_costs_its_pieces_and_goes_out_in_one_call(provider: Provider, morning: None) -> None:
    port = texter(provider)
    numbers = [f"+861380013{index:04}" for index in range(150)]
    port.create_task("texts", numbers, content(SMS, marketing=False))
    assert sent_all() == 150
    assert [len(asked.query["PhoneNumbers"].split(",")) for asked in provider.asked] == [100, 50]
    assert Letter.objects.filter(cost=Decimal("0.045")).count() == 150
    (facts,) = accounts.accounts(OWNER)
    assert (facts.left, facts.waiting, facts.spent) == (150, 0, Decimal("6.75"))


def test_a_text_that_calls_by_name_is_said_to_each_by_theirs(box: Mailbox, provider: Provider, morning: None) -> None:
    ann, bob = known(mail(ANN), phone("+8613800138000")), known(mail(BOB), phone("+8613800138001"))
    name_persons({ann: ("安小姐", business_now())})
    mailer(box).create_task("main", [ANN, BOB], content("会员日\n\n{称呼|您}好，会员日到了。"))
    assert sent_all() == 2
    said = {to[0]: message_from_bytes(raw, policy=policy.default).get_body(("plain",)) for _, to, raw in box.taken}
    assert "安小姐好，会员日到了。" in said[ANN].get_content()
    assert "您好，会员日到了。" in said[BOB].get_content()
    assert "安小姐" not in str(unpacked(Mailing.objects.get()).text)
    given = {"access_key_id": "k", "access_key_secret": "s", "signature": "鱼塘", "address": provider.address,
             "templates": "SMS_1\n${who}，会员日到了，到店即享。拒收请回复R"}  # fmt: skip
    texter(provider)
    accounts.keep_account(OWNER, "sms.aliyun", "texts", given, cost="0.045", per_second="10000")
    account = channel_account("sms", "texts")
    assert account is not None
    Outbox(account).create_task(
        "texts", ["+8613800138000", "+8613800138001"], content("{称呼|您}，会员日到了，到店即享。拒收请回复R")
    )
    assert sent_all() == 2
    assert [json.loads(asked.query["TemplateParam"]) for asked in provider.asked] == [{"who": "安小姐"}, {"who": "您"}]
    assert [asked.query["PhoneNumbers"] for asked in provider.asked] == ["13800138000", "13800138001"]
    assert bob != ann


def test_a_pause_leaves_everything_waiting_and_says_why(box: Mailbox) -> None:
    mailer(box)
    known(mail(ANN))
    shown = accounts.shown_settings(OWNER, "email", "main")
    accounts.keep_account(OWNER, "email", "main", shown | {"port": "9"}, per_second="10000")
    port = Outbox(channel_accounts()[0])
    port.create_task("main", [ANN], content(MAIL))
    assert sent_all() == 0
    row = Letter.objects.get()
    assert (row.state, row.tries) == ("queued", 0)
    (facts,) = accounts.accounts(OWNER)
    assert facts.paused_until is not None
    assert "127.0.0.1" in facts.trouble[0]
    assert sending.work().idle  # not before the pause is over
    mailer(box)  # put right
    assert sent_all() == 1
    assert accounts.accounts(OWNER)[0].trouble == ("", "")


def test_an_account_keeps_to_its_rate(box: Mailbox) -> None:
    port = mailer(box)
    given = accounts.shown_settings(OWNER, "email", "main")
    accounts.keep_account(OWNER, "email", "main", given, per_second="0.1")
    port.create_task("main", [f"p{index}@example.com" for index in range(25)], content(MAIL, marketing=False))
    assert sent_all(paced=True) == 20  # a call's worth; the next may go in 200 seconds
    sending._next.clear()
    assert sent_all(paced=True) == 5


def test_later_is_tried_ever_more_slowly_and_at_last_given_up(box: Mailbox) -> None:
    port = mailer(box)
    box.codes[ANN] = "451 4.7.1 greylisted"
    task = port.create_task("main", [ANN], content(MAIL, marketing=False))
    waits = []
    for _ in range(MOST_TRIES - 1):
        assert sent_all() == 0
        row = Letter.objects.get()
        assert row.not_before is not None
        waits.append((row.not_before - wall_now()).total_seconds())
        Letter.objects.update(not_before=None)
    assert 25 < waits[0] <= 60
    assert all(10_000 < wait <= 21_600 for wait in waits[5:])
    assert sent_all() == 0
    assert results(port, task.task_id) == {}  # nobody we know, and the address is forgotten
    row = Letter.objects.get()
    assert (row.state, row.reason, row.recipient) == ("refused", "smtp_451", None)
    assert not Address.objects.exists()


def test_a_letter_whose_worker_died_is_unknown_for_good_where_nobody_can_be_asked(box: Mailbox) -> None:
    port = mailer(box)
    known(mail(ANN))
    task = port.create_task("main", [ANN], content(MAIL))
    Letter.objects.update(state="sending", call="c", claimed_by="here:1:x", claim_until=wall_now() - timedelta(1))
    assert sent_all() == 0
    assert results(port, task.task_id) == {ANN: Delivery.UNKNOWN}
    assert sending.work().idle
    assert box.taken == []


def test_a_lost_answer_is_looked_up_and_sent_again_only_if_it_is_certainly_not_there(
    provider: Provider, morning: None
) -> None:
    port = texter(provider)
    first, second = "+8613800138000", "+8613800138001"
    port.create_task("texts", [first, second], content(SMS, marketing=False))
    provider.answering = lambda asked: None
    assert sent_all() == 0
    assert set(Letter.objects.values_list("state", flat=True)) == {"unknown"}
    (call,) = set(Letter.objects.values_list("call", flat=True))
    Letter.objects.update(not_before=wall_now(), called_at=wall_now() - timedelta(minutes=11))

    def listed(asked: Asked) -> Any:
        if asked.headers["x-acs-action"] == "SendSms":
            return {"Code": "OK", "BizId": "901^0"}
        rows = [{"OutId": call, "SendStatus": 3}] if asked.query["PhoneNumber"] == "13800138000" else []
        return {"Code": "OK", "TotalCount": len(rows), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}

    provider.answering = listed
    assert sent_all() == 1
    again = provider.asked[-1]
    assert (again.headers["x-acs-action"], again.query["PhoneNumbers"]) == ("SendSms", "13800138001")
    assert again.query["OutId"] != call
    assert set(Letter.objects.values_list("state", flat=True)) == {"sent"}


def test_where_the_other_side_knows_our_ids_a_lost_letter_is_sent_again_under_them(provider: Provider) -> None:
    given = {"url": f"{provider.address}/in", "secret": "whsec_c2VjcmV0"}
    accounts.keep_account(OWNER, "webhook", "crm", given, per_second="10000")
    account = channel_account("webhook", "crm")
    assert account is not None
    Outbox(account).create_task("crm", ["m1"], content("你好", marketing=False))
    provider.answering = lambda asked: None
    assert sent_all() == 0
    Letter.objects.update(not_before=None)
    provider.answering = lambda asked: 204
    assert sent_all() == 1
    ids = [asked.json["data"]["letters"][0]["id"] for asked in provider.asked]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_an_address_that_bounced_hard_is_never_written_to_again(box: Mailbox, client: Client) -> None:
    port = mailer(box)
    known(mail(ANN))
    first = port.create_task("main", [ANN], content(MAIL))
    sent_all()
    door = accounts.callback_address(OWNER, "email", "main").removeprefix("https://pond.example")
    said = {"event": "bounced", "message_id": Letter.objects.get().uid}
    assert client.post(f"{door}x", said, content_type="application/json").status_code == 404
    assert client.post(door, "nothing", content_type="application/json").status_code == 400
    for _ in range(2):
        assert client.post(door, said, content_type="application/json").status_code == 200
    assert results(port, first.task_id) == {ANN: Delivery.BOUNCED}
    second = port.create_task("main", [ANN, BOB], content(MAIL, marketing=False))
    assert dict(second.refused) == {ANN: "bounced"}
    assert sent_all() == 1
    assert box.taken[-1][1] == [BOB]


def test_an_address_that_the_server_does_not_know_is_dead_at_once(box: Mailbox) -> None:
    port = mailer(box)
    known(mail(ANN))
    box.codes[ANN] = "550 5.1.1 no such user"
    task = port.create_task("main", [ANN], content(MAIL))
    assert sent_all() == 0
    assert results(port, task.task_id) == {ANN: Delivery.REFUSED}
    assert Address.objects.get().dead == "smtp_550"
    assert port.create_task("main", [ANN], content(MAIL)).refused == {ANN: "bounced"}


def test_a_reply_that_says_stop_withdraws_the_channel_once_and_a_report_is_kept(
    provider: Provider, morning: None, client: Client
) -> None:
    port = texter(provider)
    ann = known(phone("+8613800138000"))
    task = port.create_task("texts", ["+8613800138000"], content(SMS))
    sent_all()
    door = accounts.callback_address(OWNER, "sms", "texts").removeprefix("https://pond.example")
    report = {"phone_number": "13800138000", "success": True, "err_code": "DELIVERED", "biz_id": "900^0",
              "out_id": Letter.objects.get().call}  # fmt: skip
    reply = {"phone_number": "13800138000", "send_time": "2026-03-01 10:00:00", "content": "TD", "sequence_id": 7}
    waiting = InboxEnvelope.objects.count()
    for _ in range(2):
        answer = client.post(door, json.dumps([report, reply]), content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (200, 0)
    assert Letter.objects.get().state == "delivered"
    assert results(port, task.task_id) == {"+8613800138000": Delivery.SENT}
    assert standing_consents(ann)["marketing", "sms", ""] is False
    assert standing_consents(ann)["marketing", "email", ""] is True  # said of this channel
    assert InboxEnvelope.objects.count() == waiting + 1
    apply_consents([ConsentWord(ann, "marketing", "sms", True, business_now() + timedelta(seconds=1))])
    client.post(door, json.dumps([reply]), content_type="application/json")  # the same reply once more
    assert may_be_touched({ann: None}, "marketing", "sms") == {ann: None}


def test_a_complaint_withdraws_and_kills_no_address(box: Mailbox, client: Client) -> None:
    port, ann = mailer(box), known(mail(ANN))
    port.create_task("main", [ANN], content(MAIL))
    sent_all()
    door = accounts.callback_address(OWNER, "email", "main").removeprefix("https://pond.example")
    client.post(door, {"event": "complained", "message_id": Letter.objects.get().uid}, content_type="application/json")
    assert standing_consents(ann)["marketing", "email", ""] is False
    assert not Address.objects.exists()


def test_allowances_of_wechat_are_counted_and_used_up(provider: Provider, client: Client) -> None:
    given = {
        "secret": "s",
        "templates": "T1\n商品：{{thing1.DATA}}",
        "callback_token": "tok",
        "address": provider.address,
    }
    accounts.keep_account(OWNER, "miniprogram", "wxapp", given, per_second="10000")
    account = channel_account("miniprogram", "wxapp")
    assert account is not None
    port = Outbox(account)
    provider.answering = lambda asked: {"access_token": "t", "expires_in": 7200} if "token" in asked.path else {}
    door = accounts.callback_address(OWNER, "miniprogram", "wxapp").removeprefix("https://pond.example")
    signature = hashlib.sha1("".join(sorted(("tok", "1", "2"))).encode()).hexdigest()
    query = f"?timestamp=1&nonce=2&signature={signature}"
    accept = {"FromUserName": "o1", "CreateTime": "1700000000", "MsgType": "event",
              "Event": "subscribe_msg_popup_event",
              "List": [{"TemplateId": "T1", "SubscribeStatusString": "accept"}]}  # fmt: skip
    for _ in range(2):  # WeChat repeats what was not answered in time
        client.post(door + query, accept, content_type="application/json")
    assert allowances("openid", "wxapp", ["o1"])["o1"].templates == {"T1": 1}
    text = content("商品：羽绒服", marketing=False)
    for state in (Delivery.SENT, Delivery.REFUSED):
        task = port.create_task("wxapp", ["o1"], text)
        sent_all()
        assert Letter.objects.get(mailing__uid=task.task_id).state == state.value
    assert allowances("openid", "wxapp", ["o1"])["o1"].templates == {"T1": 0}


def test_a_plan_on_an_official_account_is_told_at_once_what_its_template_must_not_carry() -> None:
    given = {"secret": "s", "templates": "T2 service\n您的订单 {{character_string1.DATA}} 已发货"}
    accounts.keep_account(OWNER, "oa", "wxoa", given, cost="0.01")
    assert price_of("oa", "您的订单 A1 已发货", marketing=False) == Decimal("0.01")
    with pytest.raises(CannotCarry):
        price_of("oa", "您的订单 A1 已发货")
    check_text("oa", "您的订单 A1 已发货", marketing=False)


def test_what_cannot_be_carried_is_said_before_anything_is_written(box: Mailbox) -> None:
    port = mailer(box)
    with pytest.raises(CannotCarry):
        port.create_task("main", [ANN], content("没有主题"))
    with pytest.raises(BadInput):
        port.create_task("main", [ANN, ANN], content(MAIL))
    assert not Mailing.objects.exists()


def test_an_account_is_a_sender_and_keeps_its_secrets_to_itself(box: Mailbox) -> None:
    given = {"host": box.host, "port": str(box.port), "security": "none", "user": "u", "password": "geheim",
             "from": "hello@pond.example", "name": "鱼塘", "identity": "鱼塘"}  # fmt: skip
    accounts.keep_account(OWNER, "email", "s1", given, title="一店邮箱", node="s1")
    (sender,) = [one for one in senders(OWNER) if one.channel == "email"]
    assert (sender.corp, sender.name, sender.active) == ("s1", "一店邮箱", True)
    assert "password" not in accounts.shown_settings(OWNER, "email", "s1")
    accounts.keep_account(OWNER, "email", "s1", given | {"password": ""}, title="一店", node="s1", on=False)
    found = channel_account("email", "s1")
    assert found is not None
    assert (found.settings["password"], found.on, found.title) == ("geheim", False, "一店")
    assert "geheim" not in repr(found)
    near = Viewer("near", RoleName.OPERATOR, frozenset())
    for act in (lambda: accounts.accounts(near), lambda: accounts.callback_address(near, "email", "s1")):
        with pytest.raises(Refused):
            act()
    for bad in ({"from": "nobody"}, {"host": ""}, {"security": "ssl3"}, {"port": "70000"}):
        with pytest.raises(BadInput):
            accounts.keep_account(OWNER, "email", "s1", given | bad)
    with pytest.raises(BadInput):
        accounts.keep_account(OWNER, "email", "no spaces", given)


def test_a_test_goes_to_oneself_at_once_and_is_kept_nowhere(box: Mailbox) -> None:
    mailer(box)
    answer = accounts.send_test(OWNER, "email", "main", " Me@Example.com ", MAIL)
    assert answer.outcome == "taken"
    assert box.taken[0][1] == ["me@example.com"]
    assert not Letter.objects.exists()
    with pytest.raises(BadInput):
        accounts.send_test(OWNER, "email", "main", "me", MAIL)


KILLED = """
import sys
from pathlib import Path
from yutang.app import house
opened = house.open_house(Path(sys.argv[1]))
from tests.channels.direct.test_outbox import MAIL, content, mailer
from tests.channels.direct.provider import Mailbox
from tests.people.pond import found_pond
from yutang.channels.direct import sending
from yutang.kernel import failpoints
if sys.argv[3] == "found":
    found_pond()
else:
    from yutang.channels.models import Letter
    port = mailer(Mailbox("127.0.0.1", int(sys.argv[2])))
    failpoints.arm(sys.argv[3] if sys.argv[3] != "-" else None)
    if not Letter.objects.exists():
        port.create_task("main", [f"p{n}@example.com" for n in range(50)], content(MAIL, marketing=False))
    while not sending.work().idle:
        pass
    print(*Letter.objects.order_by("pk").values_list("state", flat=True))
opened.close()
"""


PLACES = ("outbox.written", "letters.claimed", "letters.answered")


@pytest.mark.long
def test_killed_anywhere_nobody_gets_a_letter_twice(box: Mailbox, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}

    def run(word: str) -> tuple[int, str]:
        command = [sys.executable, "-c", KILLED, str(tmp_path / "data"), str(box.port), word]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert run("found")[0] == 0
    for place in PLACES:
        assert run(place)[0] == -9
    code, said = run("-")
    assert code == 0
    assert said.split() == ["unknown"] * 40 + ["sent"] * 10
    got = [recipients[0] for _, recipients, _ in box.taken]
    assert len(got) == len(set(got)) == 30  # twenty were claimed and not sent, twenty sent and not kept


def test_two_workers_at_once_send_each_letter_once(box: Mailbox) -> None:
    port = mailer(box)
    port.create_task("main", [f"p{index}@example.com" for index in range(45)], content(MAIL, marketing=False))
    account = channel_accounts()[0]
    kind = kind_named("email")
    (first, _), (second, _) = (sending._claim(account, kind) for _ in range(2))
    assert not {row.pk for row in first} & {row.pk for row in second}
    for rows in (first, second):
        sending._call(account, kind, accounts.adapter_of(account), rows)
    assert sent_all() == 5
    assert len({recipients[0] for _, recipients, _ in box.taken}) == len(box.taken) == 45
    assert not Outlet.objects.exists()
