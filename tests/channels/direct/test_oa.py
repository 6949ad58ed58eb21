"""An Official Account: notices, template messages, answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.channels.direct.contract import letters
from tests.channels.direct.weixin import APP, TOKEN, WeixinContract
from yutang.channels.contracts import CannotCarry, MessageContent, Permit
from yutang.channels.direct.contracts import Allowance, Heard, LetterState, Outcome
from yutang.channels.wecom.callbacks import CallbackCrypto
from yutang.kernel.errors import BadInput

ORDER = "您的订单 A1 已发货"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


class TestOfficialAccount(WeixinContract):
    name = "oa"
    path = "/cgi-bin/message/subscribe/bizsend"
    delivered = (
        b"<xml><FromUserName>oABC_1</FromUserName><CreateTime>1700000000</CreateTime><MsgType>event</MsgType>"
        b"<Event>TEMPLATESENDJOBFINISH</Event><MsgID>42</MsgID><Status>success</Status></xml>"
    )

    def settings(self) -> dict[str, str]:
        given = super().settings()
        given["templates"] += "\n\nTPL2 service\n您的订单 {{character_string1.DATA}} 已发货"
        return given

    def test_a_template_message_never_carries_marketing(self) -> None:
        adapter = self.adapter()
        with pytest.raises(CannotCarry, match="must not carry marketing"):
            adapter.size(MessageContent(ORDER, permit=Permit("marketing")))
        with pytest.raises(CannotCarry):
            adapter.size(MessageContent(ORDER))  # nobody said that it is none
        assert adapter.size(MessageContent(ORDER, permit=Permit("service", marketing=False))).template == "TPL2"

    def test_a_template_message_bears_our_id_and_is_repeated_under_it(self) -> None:
        content = MessageContent(ORDER, permit=Permit("service", marketing=False))
        lost = iter((True, False))
        self.answers(lambda asked: None if next(lost) else {"errcode": 0, "errmsg": "ok", "msgid": 42})
        (answer,) = self.adapter().send(letters(content, "oABC_1"), {"oABC_1": Allowance()})
        assert (answer.outcome, answer.provider_id) == (Outcome.TAKEN, "42")
        first, second = self.sent()
        assert first.path == "/cgi-bin/message/template/send"
        assert first.json == second.json
        assert first.json["client_msg_id"] == answer.uid

    def test_an_answer_goes_only_into_a_window_that_is_open(self) -> None:
        self.takes()
        content = MessageContent("在的，明天到店就能取", permit=Permit("service", marketing=False))
        known = {"oABC_1": Allowance(answers=1), "oABC_2": Allowance()}
        first, second = self.adapter().send(letters(content, "oABC_1", "oABC_2"), known)
        assert (first.outcome, second.outcome, second.reason) == (Outcome.TAKEN, Outcome.REFUSED, "window_closed")
        (asked,) = self.sent()
        assert (asked.path, asked.json["msgtype"]) == ("/cgi-bin/message/custom/send", "text")

    def test_a_message_opens_48_hours_for_five_answers_and_a_deed_a_minute_for_three(self) -> None:
        head = "<FromUserName>oABC_1</FromUserName><CreateTime>1700000000</CreateTime>"
        told = self.hear(f"<xml>{head}<MsgType>text</MsgType><Content>TD</Content><MsgId>77</MsgId></xml>")
        (opened,), (reply,) = told.opened, told.replies
        assert (opened.lasts, opened.messages) == (timedelta(hours=48), 5)
        assert opened.at == datetime.fromtimestamp(1_700_000_000, UTC)
        assert (reply.text, told.key) == ("TD", "77")
        scan = self.hear(f"<xml>{head}<MsgType>event</MsgType><Event>SCAN</Event></xml>")
        assert [(one.lasts, one.messages) for one in scan.opened] == [(timedelta(minutes=1), 3)]
        job = f"<xml>{head}<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>9</MsgID>"
        (report,) = self.hear(f"{job}<Status>failed:user block</Status></xml>").reports
        assert (report.state, report.reason) == (LetterState.BOUNCED, "failed:user block")

    def test_with_a_key_only_encrypted_pushes_are_taken(self) -> None:
        adapter = self.adapter(callback_key=KEY)
        plain = b"<xml><FromUserName>oABC_1</FromUserName><MsgType>text</MsgType><Content>hi</Content></xml>"
        with pytest.raises(BadInput):
            adapter.hear(Heard("POST", self.signed(), "text/xml", plain))
        crypto = CallbackCrypto(TOKEN, KEY, APP)
        sealed = crypto.encrypt(plain)
        query = {"timestamp": "1", "nonce": "2", "msg_signature": crypto.sign("1", "2", sealed)}
        body = f"<xml><Encrypt>{sealed}</Encrypt></xml>".encode()
        assert adapter.hear(Heard("POST", query, "text/xml", body)).replies[0].text == "hi"
        with pytest.raises(BadInput):
            adapter.hear(Heard("POST", query | {"nonce": "3"}, "text/xml", body))
