"""Letters to a system of the brand's own, which hands them on: posted and signed as events are (`channels.webhook`).

The body is `{"type": "yutang.letters", "data": {"letters": [{"id", "to", "text", "links"}]}}`; `webhook-id` names the
call and stays the same when it is repeated, each letter's `id` too: whoever takes them keeps each id once. Reports come
back to the account's address as `{"id": …, "event": "delivered"}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from yutang.channels.contracts import Capabilities, MessageContent
from yutang.channels.direct.adapters.email import EVENTS
from yutang.channels.direct.adapters.sms_aliyun import rows_of
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
    Report,
    Size,
    Told,
)
from yutang.channels.webhook.sending import check_url, client, post
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput


class Webhook:
    """An address and the secret that signs what is posted there."""

    def __init__(self, given: Given) -> None:
        self._url, self._secret = given["url"], given["secret"]
        check_url(self._url)
        if not self._secret.startswith("whsec_"):
            raise BadInput("签名密钥应以 whsec_ 开头。", "The signing secret begins with whsec_.")

    def size(self, content: MessageContent) -> Size:
        """One; any text will do."""
        return Size()

    def send(self, letters: Sequence[Letter], allowances: Mapping[str, Allowance]) -> Iterator[Answer]:
        """All of them in one post."""
        now = wall_now()
        rows = [
            {
                "id": one.uid,
                "to": one.recipient,
                "text": one.content.text,
                "links": [{"title": link.title, "url": link.url} for link in one.content.links],
                "preferences": one.link,
            }
            for one in letters
        ]
        said = {"type": "yutang.letters", "timestamp": now.isoformat(), "data": {"letters": rows}}
        body = json.dumps(said, ensure_ascii=False).encode()
        with client() as through:
            posted = post(through, self._url, letters[0].call, body, [self._secret], now)
        if posted.taken:
            yield from (Answer(one.uid, Outcome.TAKEN) for one in letters)
        elif posted.status in (400, 413, 422):
            yield from (Answer(one.uid, Outcome.REFUSED, f"http_{posted.status}") for one in letters)
        elif posted.status is None or posted.status >= 500:
            yield from (Answer(one.uid, Outcome.UNKNOWN, "answer_lost", wait=posted.wait) for one in letters)
        else:
            raise Pause(
                f"对方没有收下（HTTP {posted.status}），请检查地址和签名密钥。",
                f"The other side did not take it (HTTP {posted.status}); check the address and the secret.",
                posted.wait or 300.0,
            )

    def find(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """Never asked: what is lost is repeated."""
        return [Answer(one.uid, Outcome.UNKNOWN) for one in letters]

    def hear(self, heard: Heard) -> Told:
        """Reports: objects with our `id` and an `event`."""
        reports = []
        for row in rows_of(heard.body):
            if not row.get("id") or row.get("event") not in EVENTS:
                raise BadInput("每条回执要有 id 和 event。", "Each report has an id and an event.")
            state = EVENTS[str(row["event"])]
            dead = state is LetterState.BOUNCED and row.get("type") == "hard"
            reports.append(Report(state, uid=str(row["id"]), reason=str(row.get("reason", ""))[:60], bad_address=dead))
        return Told(tuple(reports), answer='{"ok":true}')


KIND = Kind(
    Capabilities(
        "webhook", "webhook", "自有系统", "A system of one's own", addressed_by="member", namespaced=True, text=100_000,
        links=20, recipients=100, per_second=100.0,
    ),
    (
        Field("url", "投递地址", "Address"),
        Field(
            "secret", "签名密钥", "Signing secret", secret=True, hint_zh="whsec_ 开头的 base64",
            hint_en="base64 after whsec_",
        ),
    ),
    Webhook,
    Lost.REPEAT,
    key_zh="会员号的来源",
    key_en="Source of the member numbers",
    callbacks_zh="对方可以把送达或退回告诉下面的地址。",
    callbacks_en="The other side may tell the address below what was delivered or came back.",
)  # fmt: skip
