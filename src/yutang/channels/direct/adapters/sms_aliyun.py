"""Short messages by Aliyun (Dysmsapi 2017-05-25): SendSms, QuerySendDetails, and its posts of SmsReport and SmsUp.

Signed by ACS3-HMAC-SHA256 (Aliyun: V3 版本请求体 & 签名机制). SendSms knows no key of idempotency; but it takes
our id of the call (`OutId`), and QuerySendDetails gives it back for a number and a day, so a lost answer can be looked
up. Nothing signs what is posted to us: the secret part of the address stands for that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from yutang.channels.contracts import AnswerLost, Capabilities, MessageContent
from yutang.channels.direct import short_messages, templates
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

VERSION = "2017-05-25"
ALGORITHM = "ACS3-HMAC-SHA256"
MARK = re.compile(r"\$\{(\w+)\}")
CHINA = timedelta(hours=8)
SETTLES = timedelta(minutes=10)
"""A message that a day's list does not show so long after the call was never sent."""
BAD_NUMBER = ("isv.MOBILE_NUMBER_ILLEGAL", "isv.INVALID_MOBILE", "isv.DOMESTIC_NUMBER_NOT_SUPPORTED")
SLOWLY = ("isv.BUSINESS_LIMIT_CONTROL", "isp.SYSTEM_ERROR", "ServiceUnavailable")
HOPELESS = ("isv.", "MissingPhoneNumbers", "InvalidParameter")
"""What begins so and is none of the others is the message's own fault."""
ACCOUNT = (
    "isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE", "isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE",
    "isv.ACCOUNT_NOT_EXISTS", "isv.ACCOUNT_ABNORMAL", "isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL",
    "isv.DENY_IP_RANGE", "isp.RAM_PERMISSION_DENY", "SignatureDoesNotMatch", "InvalidAccessKeyId", "Forbidden",
)  # fmt: skip


def signed(
    host: str, action: str, query: Mapping[str, str], key: str, secret: str, at: datetime, nonce: str, *,
    version: str = VERSION,
) -> dict[str, str]:  # fmt: skip
    """The headers of a call without a body whose parameters stand in the query."""
    empty = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": empty,
        "x-acs-date": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join(("POST", "/", written(query), lines, names, empty))
    text = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()
    return headers | {"Authorization": f"{ALGORITHM} Credential={key},SignedHeaders={names},Signature={signature}"}


def written(query: Mapping[str, str]) -> str:
    """A query as it is signed: sorted, and encoded as RFC 3986 says."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))


class Aliyun:
    """An access key with one signature of its owner's."""

    def __init__(self, given: Given) -> None:
        self._caller = Caller(given["address"] or "https://dysmsapi.aliyuncs.com")
        self._key, self._secret = given["access_key_id"], given["access_key_secret"]
        self._sign = given["signature"].strip("【】")
        self._templates = templates.read(given["templates"])

    def size(self, content: MessageContent) -> Size:
        """Its pieces, by the template that it was written by."""
        whole = f"【{self._sign}】{content.text}"
        short_messages.check(content, whole)
        found = templates.found_or_refused(content.text, self._templates, MARK)
        return Size(short_messages.pieces(whole), found.template.id)

    def send(self, letters: Sequence[Letter], allowances: Mapping[str, Allowance]) -> Iterator[Answer]:
        """One call for all of them; where one of several numbers makes the provider refuse the call, halves of it."""
        found = templates.found_or_refused(letters[0].content.text, self._templates, MARK)
        query = {
            "PhoneNumbers": ",".join(short_messages.local(one.recipient) for one in letters),
            "SignName": self._sign,
            "TemplateCode": found.template.id,
            "OutId": letters[0].call,
        }
        if found.values:
            query["TemplateParam"] = json.dumps(found.values, ensure_ascii=False)
        try:
            answer = self._call("SendSms", query)
        except AnswerLost:
            yield from (Answer(one.uid, Outcome.UNKNOWN, "answer_lost") for one in letters)
            return
        code, id = str(answer.get("Code", "")), str(answer.get("BizId", ""))
        if code == "OK":
            yield from (Answer(one.uid, Outcome.TAKEN, provider_id=id) for one in letters)
        elif code.startswith(BAD_NUMBER) and len(letters) > 1:
            half = len(letters) // 2
            yield from self.send(letters[:half], allowances)
            yield from self.send(letters[half:], allowances)
        else:
            yield from (_refusal(one.uid, code) for one in letters)

    def find(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """By number and day, for the id of the call."""
        return [self._found(one) for one in letters]

    def _found(self, letter: Letter) -> Answer:
        at = letter.sent_at or wall_now()
        query = {
            "PhoneNumber": short_messages.local(letter.recipient),
            "SendDate": (at + CHINA).strftime("%Y%m%d"),
            "PageSize": "50",
            "CurrentPage": "1",
        }
        try:
            answer = self._call("QuerySendDetails", query)
        except AnswerLost:
            return Answer(letter.uid, Outcome.UNKNOWN)
        if answer.get("Code") != "OK":
            return Answer(letter.uid, Outcome.UNKNOWN, str(answer.get("Code", ""))[:60])
        rows = (answer.get("SmsSendDetailDTOs") or {}).get("SmsSendDetailDTO") or []
        mine = [row for row in rows if str(row.get("OutId", "")) == letter.call]
        if mine:
            return Answer(letter.uid, Outcome.TAKEN)
        whole_day = int(answer.get("TotalCount") or 0) <= len(rows)
        certain = whole_day and wall_now() - at > SETTLES
        return Answer(letter.uid, Outcome.LATER if certain else Outcome.UNKNOWN, wait=0.0)

    def hear(self, heard: Heard) -> Told:
        """SmsReport and SmsUp: lists that are told apart by their fields."""
        reports, replies = [], []
        for row in rows_of(heard.body):
            if "content" in row:
                key = f"aliyun:{row.get('sequence_id', '')}:{row.get('send_time', '')}"
                number = short_messages.e164(str(row.get("phone_number", "")))
                replies.append(Reply(number, str(row["content"]), _instant(row), key))
            elif "biz_id" in row:
                reports.append(_report(row))
            else:
                raise BadInput("不是短信回执，也不是上行短信。", "This is neither a report nor a reply.")
        return Told(tuple(reports), tuple(replies), answer='{"code":0,"msg":"接收成功"}')

    def _call(self, action: str, query: Mapping[str, str]) -> Any:
        headers = signed(self._caller.host, action, query, self._key, self._secret, wall_now(), secrets.token_hex(16))
        answer = self._caller.call(action, "POST", f"/?{written(query)}", headers=headers)
        code = str(answer.get("Code", ""))
        if code.startswith(ACCOUNT):
            raise Pause(
                f"阿里云短信不收：{code[:60]}。请检查 AccessKey、权限和余额。",
                f"Aliyun refuses the account: {code[:60]}. Check its access key, its permissions and its balance.",
            )
        if code.startswith("Throttling"):
            raise Pause("阿里云短信说太快了，稍后继续。", "Aliyun says it is too fast; it goes on in a moment.", 5.0)
        return answer


def _refusal(uid: str, code: str) -> Answer:
    if code.startswith(SLOWLY) or not code.startswith(HOPELESS):
        return Answer(uid, Outcome.LATER, code[:60], wait=3_600.0 if code.startswith("isv.") else None)
    return Answer(uid, Outcome.REFUSED, code[:60], bad_address=code.startswith(BAD_NUMBER))


def rows_of(body: bytes) -> list[dict[str, Any]]:
    """The objects of a JSON list, or of a single one. Raises BadInput."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadInput("回调内容不是 JSON。", "What was posted is not JSON.") from None
    rows = found if isinstance(found, list) else [found]
    if len(rows) > 1_000 or not all(isinstance(row, dict) for row in rows):
        raise BadInput("回调内容不是一组对象。", "What was posted is no list of objects.")
    return rows


def _report(row: Mapping[str, Any]) -> Report:
    arrived = row.get("success") in (True, "true")
    code = str(row.get("err_code", ""))[:60]
    state = LetterState.DELIVERED if arrived else LetterState.BOUNCED
    return Report(
        state, call=str(row.get("out_id") or ""), provider_id=str(row["biz_id"]),
        recipient=short_messages.e164(str(row.get("phone_number", ""))), reason="" if arrived else code,
        bad_address=not arrived and code in short_messages.DEAD_NUMBER,
    )  # fmt: skip


def _instant(row: Mapping[str, Any]) -> datetime:
    """Times are China's, without a zone."""
    try:
        return datetime.strptime(str(row.get("send_time")), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) - CHINA
    except ValueError:
        return wall_now()


KIND = Kind(
    Capabilities(
        "sms.aliyun", "sms", "短信（阿里云）", "Short messages (Aliyun)", addressed_by="phone",
        text=short_messages.MOST, characters=True, recipients=100, per_second=100.0, cost=Decimal("0.05"),
        hours=(time(8), time(21)),
    ),
    (
        Field("access_key_id", "AccessKey ID", "AccessKey ID"),
        Field("access_key_secret", "AccessKey Secret", "AccessKey Secret", secret=True),
        Field("signature", "短信签名", "Signature", hint_zh="不带【】", hint_en="without 【】"),
        Field(
            "templates", "已审核模板", "Approved templates", lines=True,
            hint_zh="每个模板：一行模板 Code，下面是正文，变量写 ${name}；模板之间空一行。",
            hint_en="For each: a line with its code, below it its text with ${name}; an empty line between them.",
        ),
        Field(
            "address", "接口地址", "Address of the API", needed=False, hint_zh="一般不用填",
            hint_en="usually left empty",
        ),
    ),
    Aliyun,
    Lost.LOOK_UP,
    callbacks_zh="在短信服务控制台里，把下面的地址填为 SmsReport 和 SmsUp 的 HTTP 批量推送地址。",
    callbacks_en="In Aliyun's console, give the address below as the HTTP address of both SmsReport and SmsUp.",
    one_text=True,
)  # fmt: skip
