"""An Official Account (公众号): subscription notices, template messages, and answers in the windows that WeChat opens.

Which of the three a text becomes follows from the account's templates: a block's id is followed by `notice`
(订阅通知, bizsend; the default) or by `service` (模板消息, for important notices of a service and never for
marketing). A text that fits none is an answer (客服消息) to whoever did something lately: five within 48 hours of a
message of theirs, three within a minute of following, scanning or a menu.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from yutang.channels.contracts import AnswerLost, CannotCarry, Capabilities, MessageContent, Window
from yutang.channels.direct import templates, weixin
from yutang.channels.direct.adapters.miniprogram import MARK, check_values, data_of, told_of
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
    Opened,
    Outcome,
    Reply,
    Report,
    Size,
    Told,
)
from yutang.kernel.errors import BadInput

NOTICE, SERVICE, CUSTOM = (f"/cgi-bin/message/{name}" for name in ("subscribe/bizsend", "template/send", "custom/send"))
SPOKE, DID = Window(timedelta(hours=48), 5), Window(timedelta(minutes=1), 3)
DEEDS = ("subscribe", "SCAN", "CLICK", "VIEW")
MOST_ANSWER = 600  # characters of an answer: 2,048 bytes


class OfficialAccount:
    """One account."""

    def __init__(self, given: Given) -> None:
        self._client, self._pushes = weixin.Client(given), weixin.Pushes(given)
        self._templates = templates.read(given["templates"])
        for one in self._templates:
            if one.words not in ((), ("notice",), ("service",)):
                raise BadInput(
                    f"模板 {one.id} 后面只能写 notice 或 service。",
                    f"After the template {one.id} stands notice or service.",
                )
        self._url = given["url"]

    def size(self, content: MessageContent) -> Size:
        """One, by the template that it was written by; without one it is an answer."""
        found = templates.fitting(content.text, self._templates, MARK)
        if found is None:
            if len(content.text) > MOST_ANSWER:
                raise CannotCarry(
                    f"客服消息最多 {MOST_ANSWER} 个字，请缩短，或照模板写。",
                    f"An answer takes {MOST_ANSWER} characters; shorten it, or write it as a template says.",
                )
            return Size(answer=True)
        check_values(found.values)
        if found.template.words == ("service",) and (content.permit is None or content.permit.marketing):
            raise CannotCarry(
                "模板消息不能用来营销；请改用订阅通知的模板，或把计划改为服务类。",
                "Template messages must not carry marketing; use a subscription notice, or make it a plan of service.",
            )
        return Size(template=found.template.id)

    def send(self, letters: Sequence[Letter], allowances: Mapping[str, Allowance]) -> Iterator[Answer]:
        """A call for each."""
        self.size(letters[0].content)
        found = templates.fitting(letters[0].content.text, self._templates, MARK)
        for one in letters:
            try:
                yield self._one(one, found, allowances[one.recipient])
            except AnswerLost:
                yield Answer(one.uid, Outcome.UNKNOWN, "answer_lost")

    def _one(self, letter: Letter, found: templates.Fitting | None, allowed: Allowance) -> Answer:
        if found is None:
            if not allowed.answers:
                return Answer(letter.uid, Outcome.REFUSED, "window_closed")
            body = {"touser": letter.recipient, "msgtype": "text", "text": {"content": letter.content.text}}
            return weixin.answer_of(letter.uid, self._client.call(CUSTOM, body))
        if allowed.templates.get(found.template.id) == 0:
            return Answer(letter.uid, Outcome.REFUSED, "not_subscribed")
        message = {"touser": letter.recipient, "template_id": found.template.id, "data": data_of(found.values)}
        if found.template.words != ("service",):
            page = {"page": self._url} if self._url else {}
            return weixin.answer_of(letter.uid, self._client.call(NOTICE, message | page))
        message |= {"client_msg_id": letter.uid} | ({"url": self._url} if self._url else {})
        try:
            answer = self._client.call(SERVICE, message)
        except AnswerLost:  # once more: by our id WeChat knows it again
            answer = self._client.call(SERVICE, message)
        return weixin.answer_of(letter.uid, answer)

    def find(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """WeChat cannot be asked."""
        return [Answer(one.uid, Outcome.UNKNOWN) for one in letters]

    def hear(self, heard: Heard) -> Told:
        """The address check, messages, and events."""
        if heard.method == "GET":
            return Told(answer=self._pushes.echo(heard), content_type="text/plain")
        push = self._pushes.read(heard)
        who, plain = push["FromUserName"], Told(answer="success", content_type="text/plain", key=push.key)
        if push["MsgType"] != "event":
            opened = (Opened(who, push.at, SPOKE.lasts, SPOKE.messages),)
            said = push["Content"]
            replies = (Reply(who, said, push.at, f"oa:{push.key}"),) if said else ()
            return replace(plain, replies=replies, opened=opened)
        if push["Event"] == "TEMPLATESENDJOBFINISH":
            arrived = push["Status"] == "success"
            state = LetterState.DELIVERED if arrived else LetterState.BOUNCED
            reason = "" if arrived else push["Status"][:60]
            return replace(plain, reports=(Report(state, provider_id=push["MsgID"], reason=reason),))
        if push["Event"] in DEEDS:
            return replace(plain, opened=(Opened(who, push.at, DID.lasts, DID.messages),))
        return told_of(push)


KIND = Kind(
    Capabilities(
        "oa", "oa", "公众号", "Official Account", addressed_by="openid", namespaced=True, text=1_000, characters=True,
        recipients=20, per_second=50.0,
    ),
    (*weixin.FIELDS, Field("url", "点开的网址", "Page to open", needed=False)),
    OfficialAccount,
    Lost.NEVER,
    key_zh="AppID",
    key_en="AppID",
    callbacks_zh="在公众号后台「设置与开发 → 基本配置」里填下面的服务器地址。",
    callbacks_en="Give the address below as the Official Account's server.",
    one_text=True,
)  # fmt: skip
