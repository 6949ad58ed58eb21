"""Aliyun, against a provider that works out ACS3-HMAC-SHA256 by itself, from the headers as they came."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.channels.direct.contract import SECRET, AdapterContract, letters
from tests.channels.direct.provider import Asked
from yutang.channels.contracts import CannotCarry, MessageContent, Permit
from yutang.channels.direct.adapters.sms_aliyun import signed
from yutang.channels.direct.contracts import Allowance, Heard, LetterState, Outcome
from yutang.channels.direct.short_messages import pieces, says_stop

KEY = "LTAI5tKEY"
TEXT = "您的会员日到了：奶粉今日8折，到店即享。拒收请回复R"
TEMPLATES = "SMS_1001\n您的订单已发货。\n\nSMS_2002\n您的会员日到了：${goods}今日${off}，到店即享。拒收请回复R"


def right_signature(asked: Asked, secret: str = SECRET) -> bool:
    """Aliyun's documentation, step by step: the canonical request from what came, then both hashes."""
    said = asked.headers["authorization"]
    algorithm, _, rest = said.partition(" ")
    parts = dict(one.split("=", 1) for one in rest.split(","))
    names = parts["SignedHeaders"].split(";")
    assert names == sorted(names)
    required = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
    assert required <= set(names)
    canonical = "".join(f"{name}:{asked.headers[name].strip()}\n" for name in names)
    query = "&".join(sorted(asked.raw_query.split("&")))
    hashed = hashlib.sha256(asked.body).hexdigest()
    assert asked.headers["x-acs-content-sha256"] == hashed
    request = f"{asked.method}\n{asked.path}\n{query}\n{canonical}\n{parts['SignedHeaders']}\n{hashed}"
    text = f"{algorithm}\n{hashlib.sha256(request.encode()).hexdigest()}"
    wanted = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return algorithm == "ACS3-HMAC-SHA256" and parts["Credential"] == KEY and parts["Signature"] == wanted


class TestAliyun(AdapterContract):
    name = "sms.aliyun"
    text = TEXT
    wrong_text = "今天全场五折，拒收请回复R"
    recipients = ("+8613800138000", "+8613800138001", "+8613800138002")
    delivered = json.dumps(
        [{"phone_number": "13800138000", "send_time": "2026-03-01 10:00:00", "report_time": "2026-03-01 10:00:03",
          "success": True, "err_code": "DELIVERED", "err_msg": "ok", "sms_size": "1", "biz_id": "900619746936498440^0",
          "out_id": "ltcall"}]
    ).encode()  # fmt: skip

    def settings(self) -> dict[str, str]:
        return {
            "access_key_id": KEY, "access_key_secret": SECRET, "signature": "鱼塘", "templates": TEMPLATES,
            "address": self.provider.address,
        }  # fmt: skip

    def answer(self, code: str, **more: Any) -> None:
        def answering(asked: Asked) -> Any:
            if not right_signature(asked):
                return {"Code": "SignatureDoesNotMatch", "Message": "Specified signature is not matched."}
            return {"Code": code, "Message": code, "RequestId": "F655A8D5", **more}

        self.provider.answering = answering

    def takes(self) -> None:
        self.answer("OK", BizId="900619746936498440^0")

    def taken(self) -> list[str]:
        (asked,) = self.provider.asked
        query = asked.query
        assert (asked.headers["x-acs-action"], asked.headers["x-acs-version"]) == ("SendSms", "2017-05-25")
        assert (query["SignName"], query["TemplateCode"], query["OutId"]) == ("鱼塘", "SMS_2002", "ltcall")
        assert json.loads(query["TemplateParam"]) == {"goods": "奶粉", "off": "8折"}
        return [f"+86{one}" for one in query["PhoneNumbers"].split(",")]

    def refuses(self) -> None:
        self.answer("isv.SMS_TEMPLATE_ILLEGAL")

    def knows_not(self, recipient: str) -> None:
        bad = recipient.removeprefix("+86")

        def answering(asked: Asked) -> Any:
            assert right_signature(asked)
            code = "isv.MOBILE_NUMBER_ILLEGAL" if bad in asked.query["PhoneNumbers"] else "OK"
            return {"Code": code, "BizId": "1^0"}

        self.provider.answering = answering

    def is_slow(self) -> None:
        self.answer("isv.BUSINESS_LIMIT_CONTROL")

    def locks_out(self) -> None:
        self.answer("isv.AMOUNT_NOT_ENOUGH")

    def goes_dead(self) -> None:
        self.provider.answering = lambda asked: None

    def known(self) -> None:
        def answering(asked: Asked) -> Any:
            assert right_signature(asked)
            assert asked.headers["x-acs-action"] == "QuerySendDetails"
            rows = [{"PhoneNum": "13800138000", "SendStatus": 3, "ErrCode": "DELIVERED", "OutId": "ltcall"}]
            rows = rows if asked.query["PhoneNumber"] == "13800138000" else []
            return {"Code": "OK", "TotalCount": len(rows), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}

        self.provider.answering = answering

    def test_the_documented_example_of_a_signature(self) -> None:
        query = {
            "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
            "RegionId": "cn-shanghai",
        }
        at = datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC)
        headers = signed(
            "ecs.cn-shanghai.aliyuncs.com", "RunInstances", query, "YourAccessKeyId", "YourAccessKeySecret", at,
            "3156853299f313e23d1673dc12e1703d", version="2014-05-26",
        )  # fmt: skip
        wanted = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        assert headers["Authorization"].endswith(f"Signature={wanted}")

    def test_another_secret_is_refused_by_the_provider(self) -> None:
        self.takes()
        with pytest.raises(Exception, match="SignatureDoesNotMatch"):
            self.send(self.adapter(access_key_secret="another"), self.recipients[0])

    def test_marketing_says_how_it_is_refused(self) -> None:
        adapter = self.adapter(templates="SMS_9\n全场${off}，到店即享")
        with pytest.raises(CannotCarry, match="拒收请回复R"):
            adapter.size(MessageContent("全场8折，到店即享", permit=Permit("marketing")))
        assert adapter.size(MessageContent("全场8折，到店即享", permit=Permit("service", marketing=False))).pieces == 1

    def test_a_longer_message_is_counted_in_pieces_of_67(self) -> None:
        assert [pieces("字" * size) for size in (1, 70, 71, 134, 135)] == [1, 1, 2, 2, 3]
        adapter = self.adapter(templates="SMS_9\n${a}拒收请回复R")
        content = MessageContent("长" * 80 + "拒收请回复R", permit=Permit("marketing"))
        assert adapter.size(content).pieces == 2

    def test_a_day_with_more_than_one_page_says_nothing_for_certain(self) -> None:
        self.provider.answering = lambda asked: {
            "Code": "OK", "TotalCount": 51, "SmsSendDetailDTOs": {"SmsSendDetailDTO": []},
        }  # fmt: skip
        (answer,) = self.adapter().find(letters(self.content, self.recipients[0]))
        assert answer.outcome is Outcome.UNKNOWN

    def test_replies_and_failures_are_heard(self) -> None:
        posted = [
            {"phone_number": "13800138001", "send_time": "2026-03-01 10:00:00", "content": " td ", "sign_name": "鱼塘",
             "dest_code": "1", "sequence_id": 7},
            {"phone_number": "13800138002", "success": False, "err_code": "MK:0001", "biz_id": "9^0", "out_id": "c"},
        ]  # fmt: skip
        told = self.adapter().hear(Heard("POST", {}, "application/json", json.dumps(posted).encode()))
        (reply,), (report,) = told.replies, told.reports
        assert (reply.recipient, reply.at) == ("+8613800138001", datetime(2026, 3, 1, 2, tzinfo=UTC))
        assert says_stop(reply.text)
        assert (report.state, report.bad_address, report.call) == (LetterState.BOUNCED, True, "c")
        assert json.loads(told.answer)["code"] == 0

    @pytest.mark.parametrize("text", ["TD", "t", "Ｒ", "退订。", " 拒收 ", "不要再发了！"])
    def test_a_stop_is_understood_however_it_is_written(self, text: str) -> None:
        assert says_stop(text)
        assert not says_stop(f"请问{text}是什么")

    def test_no_allowance_is_needed(self) -> None:
        self.takes()
        (answer,) = self.adapter().send(letters(self.content, self.recipients[0]), {self.recipients[0]: Allowance()})
        assert answer.outcome is Outcome.TAKEN
