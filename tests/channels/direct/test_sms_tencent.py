"""Tencent Cloud, against a provider that works out TC3-HMAC-SHA256 by itself."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.channels.direct.contract import SECRET, AdapterContract
from tests.channels.direct.provider import Asked
from yutang.channels.direct.adapters.sms_tencent import signed
from yutang.channels.direct.contracts import Heard, LetterState, Outcome
from yutang.channels.direct.short_messages import says_stop

ID = "AKIDz8krbsJ5"


def right_signature(asked: Asked, secret: str = SECRET) -> bool:
    """Tencent Cloud's documentation, step by step, from the headers as they came."""
    algorithm, _, rest = asked.headers["authorization"].partition(" ")
    parts = dict(one.strip().split("=", 1) for one in rest.split(","))
    id, day, service, end = parts["Credential"].split("/")
    names = parts["SignedHeaders"].split(";")
    assert {"content-type", "host"} <= set(names)
    assert day == datetime.fromtimestamp(int(asked.headers["x-tc-timestamp"]), UTC).strftime("%Y-%m-%d")
    lines = "".join(f"{name}:{asked.headers[name].strip().lower()}\n" for name in names)
    hashed = hashlib.sha256(asked.body).hexdigest()
    request = f"POST\n/\n\n{lines}\n{parts['SignedHeaders']}\n{hashed}"
    scope = f"{day}/{service}/{end}"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = f"TC3-HMAC-SHA256\n{asked.headers['x-tc-timestamp']}\n{scope}\n{hashed}"
    date = hmac.new(b"TC3" + secret.encode(), day.encode(), hashlib.sha256).digest()
    key = hmac.new(hmac.new(date, service.encode(), hashlib.sha256).digest(), end.encode(), hashlib.sha256).digest()
    wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return (algorithm, id, service, parts["Signature"]) == ("TC3-HMAC-SHA256", ID, "sms", wanted)


class TestTencent(AdapterContract):
    name = "sms.tencent"
    text = "您的会员日到了：奶粉今日8折，到店即享。拒收请回复R"
    wrong_text = "今天全场五折，拒收请回复R"
    recipients = ("+8613800138000", "+8613800138001", "+85261234567")
    delivered = json.dumps(
        [{"user_receive_time": "2026-03-01 08:03:04", "nationcode": "86", "mobile": "13800138000",
          "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "ok", "sid": "5000:104571066915"}]
    ).encode()  # fmt: skip

    def settings(self) -> dict[str, str]:
        return {
            "secret_id": ID, "secret_key": SECRET, "sdk_app_id": "1400006666", "signature": "鱼塘",
            "templates": "1110\n您的会员日到了：{1}今日{2}，到店即享。拒收请回复R", "address": self.provider.address,
        }  # fmt: skip

    def answers(self, body: Callable[[Asked], dict[str, Any]]) -> None:
        def answering(asked: Asked) -> Any:
            if not right_signature(asked):
                return {"Response": {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": "x"}}}
            return {"Response": {"RequestId": "a0aabda6", **body(asked)}}

        self.provider.answering = answering

    def each(self, code_of: Callable[[str], str]) -> None:
        self.answers(
            lambda asked: {
                "SendStatusSet": [
                    {"SerialNo": f"5000:{index}", "PhoneNumber": number, "Fee": 1, "Code": code_of(number),
                     "SessionContext": asked.json["SessionContext"], "Message": "m", "IsoCode": "CN"}
                    for index, number in enumerate(asked.json["PhoneNumberSet"])
                ]
            }
        )  # fmt: skip

    def takes(self) -> None:
        self.each(lambda number: "Ok")

    def taken(self) -> list[str]:
        (asked,) = self.provider.asked
        body = asked.json
        assert (asked.headers["x-tc-action"], asked.headers["x-tc-version"]) == ("SendSms", "2021-01-11")
        assert (body["SmsSdkAppId"], body["TemplateId"], body["SignName"]) == ("1400006666", "1110", "鱼塘")
        assert body["TemplateParamSet"] == ["奶粉", "8折"]
        return list(body["PhoneNumberSet"])

    def refuses(self) -> None:
        self.answers(lambda asked: {"Error": {"Code": "FailedOperation.TemplateIncorrectOrUnapproved", "Message": "x"}})

    def knows_not(self, recipient: str) -> None:
        self.each(lambda number: "InvalidParameterValue.IncorrectPhoneNumber" if number == recipient else "Ok")

    def is_slow(self) -> None:
        self.each(lambda number: "LimitExceeded.PhoneNumberDailyLimit")

    def locks_out(self) -> None:
        self.answers(lambda asked: {"Error": {"Code": "FailedOperation.InsufficientBalanceInSmsPackage"}})

    def goes_dead(self) -> None:
        self.provider.answering = lambda asked: None

    def known(self) -> None:
        def statuses(asked: Asked) -> dict[str, Any]:
            assert asked.headers["x-tc-action"] == "PullSmsSendStatusByPhoneNumber"
            row = {"SerialNo": "5000:1", "SessionContext": "ltcall", "ReportStatus": "SUCCESS"}
            return {"PullSmsSendStatusSet": [row] if asked.json["PhoneNumber"] == self.recipients[0] else []}

        self.answers(statuses)

    def test_the_documented_example_of_a_signature(self) -> None:
        body = b'{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
        headers = signed(
            "cvm.tencentcloudapi.com", "DescribeInstances", body, "AKIDEXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
            datetime.fromtimestamp(1551113065, UTC), service="cvm", version="2017-03-12",
        )  # fmt: skip
        wanted = "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
        assert headers["Authorization"].endswith(f"Signature={wanted}")

    def test_a_time_out_inside_the_provider_is_unknown(self) -> None:
        self.answers(lambda asked: {"Error": {"Code": "InternalError.Timeout"}})
        assert [one.outcome for one in self.send(self.adapter(), self.recipients[0])] == [Outcome.UNKNOWN]

    def test_replies_and_failures_are_heard(self) -> None:
        adapter = self.adapter()
        reply = {
            "extend": "",
            "mobile": "13800138001",
            "nationcode": "86",
            "sign": "鱼塘",
            "text": "T",
            "time": 1457336869,
        }
        (heard,) = adapter.hear(Heard("POST", {}, "application/json", json.dumps(reply).encode())).replies
        assert (heard.recipient, heard.at) == ("+8613800138001", datetime(2016, 3, 7, 7, 47, 49, tzinfo=UTC))
        assert says_stop(heard.text)
        failed = [{"nationcode": "852", "mobile": "61234567", "report_status": "FAIL", "errmsg": "UNDELIV", "sid": "5"}]
        told = adapter.hear(Heard("POST", {}, "application/json", json.dumps(failed).encode()))
        (report,) = told.reports
        assert (report.state, report.recipient, report.reason) == (LetterState.BOUNCED, "+85261234567", "UNDELIV")
        assert not report.bad_address
        assert json.loads(told.answer) == {"result": 0, "errmsg": "OK"}

    def test_another_key_is_refused_by_the_provider(self) -> None:
        self.takes()
        with pytest.raises(Exception, match="AuthFailure"):
            self.send(self.adapter(secret_key="another"), self.recipients[0])
