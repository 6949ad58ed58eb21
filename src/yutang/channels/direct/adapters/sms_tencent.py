"""Short messages by Tencent Cloud (sms 2021-01-11): SendSms, PullSmsSendStatusByPhoneNumber, and its callbacks.

Signed by TC3-HMAC-SHA256 (Tencent Cloud: 签名方法 v3). SendSms knows no key of idempotency; our id of the call goes
along as `SessionContext`, which the status of a number gives back, so a lost answer can be looked up once the message
has arrived. That nothing is listed does not say that nothing was sent. Nothing signs the callbacks: the secret part of
the address stands for that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from yutang.channels.contracts import AnswerLost, Capabilities, MessageContent
from yutang.channels.direct import short_messages, templates
from yutang.channels.direct.adapters.sms_aliyun import rows_of
from yutang.channels.direct.calling import Caller
from yutang.channels.direct.contracts import (
    Allowance,
    Answer,
    Field,
    Given,
    Heard,
    Kind,
    Letter,
    LetterState,
    Lost,
    Outcome,
    Pause,
    Reply,
    Report,
    Size,
    Told,
)
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput

VERSION, SERVICE = "2021-01-11", "sms"
ALGORITHM = "TC3-HMAC-SHA256"
MARK = re.compile(r"\{(\d+)\}")
ACCOUNT = (
    "AuthFailure", "UnauthorizedOperation", "FailedOperation.InsufficientBalance", "InvalidParameterValue.SdkAppId",
    "LimitExceeded.AppDailyLimit", "LimitExceeded.AppMainlandChinaDaily", "UnsupportedRegion",
)  # fmt: skip
SLOWLY = ("LimitExceeded", "RequestLimitExceeded", "InternalError")
BAD_NUMBER = ("InvalidParameterValue.IncorrectPhoneNumber",)
LOST = ("InternalError.Timeout",)


def signed(
    host: str, action: str, body: bytes, id: str, secret: str, at: datetime, *, service: str = SERVICE,
    version: str = VERSION, region: str = "ap-guangzhou",
) -> dict[str, str]:  # fmt: skip
    """The headers of a call with a JSON body."""
    kind, stamp, day = "application/json; charset=utf-8", str(int(at.timestamp())), at.strftime("%Y-%m-%d")
    hashed = hashlib.sha256(body).hexdigest()
    request = "\n".join(("POST", "/", "", f"content-type:{kind}\nhost:{host}\n", "content-type;host", hashed))
    scope = f"{day}/{service}/tc3_request"
    text = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"TC3{secret}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    return {
        "Authorization": f"{ALGORITHM} Credential={id}/{scope}, SignedHeaders=content-type;host, Signature={signature}",
        "Content-Type": kind,
        "Host": host,
        "X-TC-Action": action,
        "X-TC-Timestamp": stamp,
        "X-TC-Version": version,
        "X-TC-Region": region,
    }


class Tencent:
    """A key with one SMS application and one signature."""

    def __init__(self, given: Given) -> None:
        self._caller = Caller(given["address"] or "https://sms.tencentcloudapi.com")
        self._id, self._secret = given["secret_id"], given["secret_key"]
        self._app, self._region = given["sdk_app_id"], given["region"] or "ap-guangzhou"
        self._sign = given["signature"].strip("【】")
        self._templates = templates.read(given["templates"])

    def size(self, content: MessageContent) -> Size:
        """Its pieces, by the template that it was written by."""
        whole = f"【{self._sign}】{content.text}"
        short_messages.check(content, whole)
        found = templates.found_or_refused(content.text, self._templates, MARK)
        return Size(short_messages.pieces(whole), found.template.id)

    def send(self, letters: Sequence[Letter], allowances: Mapping[str, Allowance]) -> Iterator[Answer]:
        """One call for all of them; the provider answers for each number."""
        found = templates.found_or_refused(letters[0].content.text, self._templates, MARK)
        body = {
            "PhoneNumberSet": [one.recipient for one in letters],
            "SmsSdkAppId": self._app,
            "SignName": self._sign,
            "TemplateId": found.template.id,
            "TemplateParamSet": [value for _, value in sorted(found.values.items(), key=lambda item: int(item[0]))],
            "SessionContext": letters[0].call,
        }
        try:
            answer = self._call("SendSms", body)
        except AnswerLost:
            yield from (Answer(one.uid, Outcome.UNKNOWN, "answer_lost") for one in letters)
            return
        if error := answer.get("Error"):
            yield from (_refusal(one.uid, str(error.get("Code", ""))) for one in letters)
            return
        rows = {str(row.get("PhoneNumber", "")): row for row in answer.get("SendStatusSet") or []}
        for one in letters:
            row = rows.get(one.recipient)
            if row is None:
                yield Answer(one.uid, Outcome.UNKNOWN, "not_answered")
            elif str(row.get("Code")) == "Ok":
                yield Answer(one.uid, Outcome.TAKEN, provider_id=str(row.get("SerialNo", "")))
            else:
                yield _refusal(one.uid, str(row.get("Code", "")))

    def find(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """By number and time, for the id of the call."""
        return [self._found(one) for one in letters]

    def _found(self, letter: Letter) -> Answer:
        at = letter.sent_at or wall_now()
        body = {
            "SmsSdkAppId": self._app,
            "PhoneNumber": letter.recipient,
            "BeginTime": int((at - timedelta(minutes=5)).timestamp()),
            "EndTime": int(wall_now().timestamp()),
            "Offset": 0,
            "Limit": 100,
        }
        try:
            answer = self._call("PullSmsSendStatusByPhoneNumber", body)
        except AnswerLost:
            return Answer(letter.uid, Outcome.UNKNOWN)
        for row in answer.get("PullSmsSendStatusSet") or []:
            if str(row.get("SessionContext", "")) == letter.call:
                return Answer(letter.uid, Outcome.TAKEN, provider_id=str(row.get("SerialNo", "")))
        return Answer(letter.uid, Outcome.UNKNOWN)

    def hear(self, heard: Heard) -> Told:
        """Reports (a list) and replies (one object): told apart by their fields."""
        reports, replies = [], []
        for row in rows_of(heard.body):
            number = short_messages.e164(str(row.get("mobile", "")), str(row.get("nationcode", "86")))
            if "text" in row:
                at = datetime.fromtimestamp(float(row.get("time") or 0), UTC) if _is_time(row) else wall_now()
                told = hashlib.sha256(str(row["text"]).encode()).hexdigest()[:16]
                replies.append(Reply(number, str(row["text"]), at, f"tencent:{row.get('time', '')}:{told}"))
            elif "sid" in row:
                arrived = row.get("report_status") == "SUCCESS"
                code = str(row.get("errmsg", ""))[:60]
                state = LetterState.DELIVERED if arrived else LetterState.BOUNCED
                dead = not arrived and code in short_messages.DEAD_NUMBER
                reason = "" if arrived else code
                reports.append(Report(state, "", "", str(row["sid"]), number, reason, bad_address=dead))
            else:
                raise BadInput("不是短信回执，也不是短信回复。", "This is neither a report nor a reply.")
        return Told(tuple(reports), tuple(replies), answer='{"result":0,"errmsg":"OK"}')

    def _call(self, action: str, body: Mapping[str, Any]) -> Any:
        raw = json.dumps(body, ensure_ascii=False).encode()
        headers = signed(self._caller.host, action, raw, self._id, self._secret, wall_now(), region=self._region)
        answer = self._caller.call(action, "POST", "/", headers=headers, content=raw).get("Response")
        if not isinstance(answer, dict):
            raise AnswerLost(action, "no Response")
        code = str((answer.get("Error") or {}).get("Code", ""))
        if code.startswith(ACCOUNT):
            raise Pause(
                f"腾讯云短信不收：{code[:60]}。请检查密钥、应用、权限和余额。",
                f"Tencent Cloud refuses the account: {code[:60]}. Check its keys, application and balance.",
            )
        if code.startswith("RequestLimitExceeded"):
            raise Pause(
                "腾讯云短信说太快了，稍后继续。", "Tencent Cloud says it is too fast; it goes on in a moment.", 5.0
            )
        return answer


def _is_time(row: Mapping[str, Any]) -> bool:
    said = row.get("time")
    return isinstance(said, int | float) and 946_684_800 <= said < 4_102_444_800


def _refusal(uid: str, code: str) -> Answer:
    if code.startswith(LOST):
        return Answer(uid, Outcome.UNKNOWN, code[:60])
    if code.startswith((*SLOWLY, *ACCOUNT)):
        return Answer(uid, Outcome.LATER, code[:60], wait=3_600.0 if code.startswith("LimitExceeded") else None)
    return Answer(uid, Outcome.REFUSED, code[:60], bad_address=code.startswith(BAD_NUMBER))


KIND = Kind(
    Capabilities(
        "sms.tencent", "sms", "短信（腾讯云）", "Short messages (Tencent Cloud)", addressed_by="phone",
        text=short_messages.MOST, characters=True, recipients=200, per_second=100.0, cost=Decimal("0.05"),
        hours=(time(8), time(21)),
    ),
    (
        Field("secret_id", "SecretId", "SecretId"),
        Field("secret_key", "SecretKey", "SecretKey", secret=True),
        Field("sdk_app_id", "SdkAppId", "SdkAppId"),
        Field("signature", "短信签名", "Signature", hint_zh="不带【】", hint_en="without 【】"),
        Field(
            "templates", "已审核模板", "Approved templates", lines=True,
            hint_zh="每个模板：一行模板 ID，下面是正文，变量写 {1}、{2}；模板之间空一行。",
            hint_en="For each: a line with its id, below it its text with {1}, {2}; an empty line between them.",
        ),
        Field("region", "地域", "Region", needed=False, default="ap-guangzhou"),
        Field(
            "address", "接口地址", "Address of the API", needed=False, hint_zh="一般不用填",
            hint_en="usually left empty",
        ),
    ),
    Tencent,
    Lost.LOOK_UP,
    callbacks_zh="在短信控制台「应用管理 → 基础配置」里，把下面的地址填为短信状态回调和短信回复回调。",
    callbacks_en="In Tencent Cloud's console, give the address below for both the status and the reply callback.",
    one_text=True,
)  # fmt: skip
