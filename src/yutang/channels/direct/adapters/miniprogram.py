"""Subscription messages of a mini-program (微信开放文档 subscribeMessage.send): one message for each consent.

The customer allows a template in the mini-program, which WeChat pushes as `subscribe_msg_popup_event`; each allowance
is one message. Where pushes are set up, nobody who has allowed nothing is asked for; else WeChat says 43101 of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from yutang.channels.contracts import AnswerLost, CannotCarry, Capabilities, MessageContent
from yutang.channels.direct import templates, weixin
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
    Report,
    Size,
    Subscribed,
    Told,
)

MARK = re.compile(r"\{\{(\w+)\.DATA\}\}")
SEND = "/cgi-bin/message/subscribe/send"
PER_KIND = {"thing": 20, "number": 32, "letter": 32, "symbol": 5, "character_string": 32, "phone_number": 17,
            "car_number": 8, "phrase": 5}  # fmt: skip
"""The most characters of a value by what its name begins with; of others WeChat says 47003."""


class MiniProgram:
    """One app."""

    def __init__(self, given: Given) -> None:
        self._client, self._pushes = weixin.Client(given), weixin.Pushes(given)
        self._templates = templates.read(given["templates"])
        self._page = given["page"]

    def size(self, content: MessageContent) -> Size:
        """One, by the template that it was written by."""
        return Size(template=self._fitting(content).template.id)

    def _fitting(self, content: MessageContent) -> templates.Fitting:
        found = templates.found_or_refused(content.text, self._templates, MARK)
        check_values(found.values)
        return found

    def send(self, letters: Sequence[Letter], allowances: Mapping[str, Allowance]) -> Iterator[Answer]:
        """A call for each."""
        for one in letters:
            found = self._fitting(one.content)
            if allowances[one.recipient].templates.get(found.template.id) == 0:
                yield Answer(one.uid, Outcome.REFUSED, "not_subscribed")
                continue
            body = {"touser": one.recipient, "template_id": found.template.id, "data": data_of(found.values)}
            try:
                yield weixin.answer_of(
                    one.uid, self._client.call(SEND, body | ({"page": self._page} if self._page else {}))
                )
            except AnswerLost:
                yield Answer(one.uid, Outcome.UNKNOWN, "answer_lost")

    def find(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """WeChat cannot be asked."""
        return [Answer(one.uid, Outcome.UNKNOWN) for one in letters]

    def hear(self, heard: Heard) -> Told:
        """The address check, and what customers allowed or refused."""
        if heard.method == "GET":
            return Told(answer=self._pushes.echo(heard), content_type="text/plain")
        return told_of(self._pushes.read(heard))


def check_values(values: Mapping[str, str]) -> None:
    """Raise CannotCarry for a value that WeChat would refuse by its length."""
    for name, value in values.items():
        most = PER_KIND.get(name.rstrip("0123456789"))
        if most is not None and len(value) > most:
            raise CannotCarry(
                f"模板变量 {name} 最多 {most} 个字，现有 {len(value)} 个，请缩短。",
                f"The value {name} takes {most} characters and has {len(value)}; shorten it.",
            )


def data_of(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Values as WeChat wants them."""
    return {name: {"value": value} for name, value in values.items()}


def told_of(push: weixin.Push) -> Told:
    """What a push says of subscriptions and of messages that were sent."""
    who = push["FromUserName"]
    subscribed: list[Subscribed] = []
    reports: list[Report] = []
    for row in push.lists:
        template, status = row.get("TemplateId", ""), row.get("SubscribeStatusString", "")
        if push["Event"] == "subscribe_msg_popup_event" and status == "accept":
            subscribed.append(Subscribed(who, template, 1))
        elif push["Event"] in ("subscribe_msg_popup_event", "subscribe_msg_change_event") and status == "reject":
            subscribed.append(Subscribed(who, template, None))
        elif push["Event"] == "subscribe_msg_sent_event":
            arrived = row.get("ErrorCode") == "0"
            state = LetterState.DELIVERED if arrived else LetterState.BOUNCED
            reason = "" if arrived else f"weixin_{row.get('ErrorCode', '')}"[:60]
            reports.append(Report(state, provider_id=row.get("MsgID", ""), reason=reason))
    return Told(tuple(reports), subscribed=tuple(subscribed), answer="success", content_type="text/plain", key=push.key)


KIND = Kind(
    Capabilities(
        "miniprogram", "miniprogram", "小程序订阅消息", "Mini-program messages", addressed_by="openid", namespaced=True,
        text=1_000, characters=True, recipients=20, per_second=50.0,
    ),
    (*weixin.FIELDS, Field("page", "打开的页面", "Page to open", needed=False)),
    MiniProgram,
    Lost.NEVER,
    key_zh="AppID",
    key_en="AppID",
    callbacks_zh="在小程序后台「开发管理 → 消息推送」里填下面的地址。",
    callbacks_en="Give the address below as the mini-program's message push.",
    one_text=True,
)  # fmt: skip
