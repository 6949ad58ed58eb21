"""A WeChat on loopback for the contract tests of its two adapters: stable_token, one call for each letter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.channels.direct.contract import SECRET, AdapterContract, letters
from tests.channels.direct.provider import Asked
from yutang.channels.direct.contracts import Allowance, Heard, Outcome, Pause
from yutang.kernel.errors import BadInput

APP = "wx1234567890abcdef"
TOKEN = "pushtoken" + SECRET


class WeixinContract(AdapterContract):
    """What holds of both."""

    corp = APP
    text = "商品：羽绒服\n时间：2026-11-28"
    wrong_text: str | None = "商品：" + "长" * 21 + "\n时间：2026-11-28"
    recipients = ("oABC_1", "oABC_2", "oABC_3")
    path: str

    def settings(self) -> dict[str, str]:
        return {
            "secret": SECRET, "templates": "TPL1\n商品：{{thing1.DATA}}\n时间：{{date2.DATA}}",
            "callback_token": TOKEN, "address": self.provider.address,
        }  # fmt: skip

    def answers(self, of: Callable[[Asked], Any]) -> None:
        self.tokens: list[bool] = []

        def answering(asked: Asked) -> Any:
            if asked.path == "/cgi-bin/stable_token":
                said = asked.json
                assert (said["grant_type"], said["appid"]) == ("client_credential", APP)
                if said["secret"] != SECRET:
                    return {"errcode": 40125, "errmsg": "invalid appsecret rid: 1-2"}
                self.tokens.append(said["force_refresh"])
                return {"access_token": f"token{len(self.tokens)}", "expires_in": 7200}
            if asked.query.get("access_token") != f"token{len(self.tokens)}":
                return {"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest rid: 1"}
            return of(asked)

        self.provider.answering = answering

    def sent(self) -> list[Asked]:
        return [one for one in self.provider.asked if one.path != "/cgi-bin/stable_token"]

    def takes(self) -> None:
        self.answers(lambda asked: {"errcode": 0, "errmsg": "ok", "msgid": 42})

    def taken(self) -> list[str]:
        for one in self.sent():
            assert one.path == self.path
            assert one.json["template_id"] == "TPL1"
            assert one.json["data"] == {"thing1": {"value": "羽绒服"}, "date2": {"value": "2026-11-28"}}
        assert self.tokens == [False]
        return [one.json["touser"] for one in self.sent()]

    def refuses(self) -> None:
        self.answers(lambda asked: {"errcode": 47003, "errmsg": "argument invalid! data.thing1.value rid: 1-2"})

    def knows_not(self, recipient: str) -> None:
        self.answers(
            lambda asked: {"errcode": 40003, "errmsg": "invalid openid"} if asked.json["touser"] == recipient else {}
        )

    def is_slow(self) -> None:
        self.answers(lambda asked: {"errcode": 45009, "errmsg": "reach max api daily quota limit"})

    def locks_out(self) -> None:
        self.answers(lambda asked: {"errcode": 40164, "errmsg": "invalid ip 1.2.3.4, not in whitelist"})

    def goes_dead(self) -> None:
        self.answers(lambda asked: None)

    def signed(self) -> dict[str, str]:
        stamp, nonce = "1700000000", "n1"
        signature = hashlib.sha1("".join(sorted((TOKEN, stamp, nonce))).encode()).hexdigest()
        return {"timestamp": stamp, "nonce": nonce, "signature": signature, "echostr": "echo7"}

    def hear(self, body: str) -> Any:
        return self.adapter().hear(Heard("POST", self.signed(), "text/xml", body.encode()))

    def test_a_token_that_was_refused_is_fetched_anew_once(self) -> None:
        self.takes()
        adapter = self.adapter()
        self.send(adapter, self.recipients[0])
        self.tokens.append(True)  # WeChat ended the token early
        assert [one.outcome for one in self.send(adapter, self.recipients[1])] == [Outcome.TAKEN]
        self.answers(lambda asked: {"errcode": 42001, "errmsg": "access_token expired"})
        with pytest.raises(Pause):
            self.send(self.adapter(), self.recipients[0])
        assert len(self.tokens) == 2

    def test_the_address_check_is_answered_only_where_the_signature_holds(self) -> None:
        adapter = self.adapter()
        assert adapter.hear(Heard("GET", self.signed())).answer == "echo7"
        with pytest.raises(BadInput):
            adapter.hear(Heard("GET", self.signed() | {"nonce": "other"}))

    def test_whoever_allowed_a_template_gets_so_many_messages_and_no_call_is_made_for_who_did_not(self) -> None:
        self.takes()
        adapter, (one, two, three) = self.adapter(), self.recipients
        known = {one: Allowance(templates={"TPL1": 1}), two: Allowance(templates={"TPL1": 0}), three: Allowance()}
        answers = list(adapter.send(letters(self.content, one, two, three), known))
        assert [answer.outcome for answer in answers] == [Outcome.TAKEN, Outcome.REFUSED, Outcome.TAKEN]
        assert answers[1].reason == "not_subscribed"
        assert [asked.json["touser"] for asked in self.sent()] == [one, three]

    def test_what_a_customer_allowed_is_heard_as_xml_and_as_json(self) -> None:
        head = f"<FromUserName>{self.recipients[0]}</FromUserName><CreateTime>1700000000</CreateTime>"
        row = "<List><TemplateId>TPL1</TemplateId><SubscribeStatusString>{}</SubscribeStatusString></List>"
        popup = "<xml>" + head + "<MsgType>event</MsgType><Event>subscribe_msg_popup_event</Event>"
        rows = row.format("accept") + row.format("reject")
        told = self.hear(f"{popup}<SubscribeMsgPopupEvent>{rows}</SubscribeMsgPopupEvent></xml>")
        assert [(one.template, one.more) for one in told.subscribed] == [("TPL1", 1), ("TPL1", None)]
        assert (told.answer, bool(told.key)) == ("success", True)
        said = {"FromUserName": self.recipients[0], "CreateTime": "1700000000", "MsgType": "event",
                "Event": "subscribe_msg_popup_event",
                "List": [{"TemplateId": "TPL1", "SubscribeStatusString": "accept"}]}  # fmt: skip
        assert self.hear(json.dumps(said)).subscribed[0].more == 1
