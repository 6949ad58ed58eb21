"""WeCom's contact ways (渠道活码, doc 92228) and welcome messages (doc 92137) behind their ports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from yutang.channels.contracts import (
    AnswerLost,
    CodeSpent,
    MessageContent,
    PlatformWay,
    RefusedByPlatform,
    TryLater,
    WaySpec,
)
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.mass_send import text_and_links
from yutang.kernel.errors import BadInput

ADD = "externalcontact/add_contact_way"
GET = "externalcontact/get_contact_way"
LIST = "externalcontact/list_contact_way"
UPDATE = "externalcontact/update_contact_way"
DELETE = "externalcontact/del_contact_way"
WELCOME = "externalcontact/send_welcome_msg"

STATE_CHARACTERS = REMARK_CHARACTERS = 30
MOST_USERS = 100
QR_SCENE, SEVERAL = 2, 2
AGAIN = timedelta(seconds=1)  # another app is sending: well inside the 20 seconds


class WeComContactWays:
    """`ContactWayPort` on WeCom doc 92228. Always of type 2 (several members), whose list can change later."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def create_way(self, spec: WaySpec) -> PlatformWay:
        """`add_contact_way`. The config id must be kept: ways made by software are not shown in the admin console."""
        body = {"type": SEVERAL, "scene": QR_SCENE, **_body(spec)}
        answer = self._client.call(ADD, body=body, repeatable=False)
        if not answer.get("config_id"):
            raise AnswerLost(ADD, "no config_id")
        return PlatformWay(str(answer["config_id"]), str(answer.get("qr_code") or ""), spec.state, spec.users)

    def update_way(self, config_id: str, spec: WaySpec) -> None:
        """`update_contact_way`: every field is said, since those left out may be cleared."""
        self._client.call(UPDATE, body={"config_id": config_id, **_body(spec)})

    def delete_way(self, config_id: str) -> None:
        """`del_contact_way`; 41044, the answer for one that is gone, says that what was wanted is so."""
        try:
            self._client.call(DELETE, body={"config_id": config_id})
        except RefusedByPlatform as refused:
            if refused.errcode != errcodes.NO_SUCH_WAY:
                raise

    def find_ways(self, since: datetime, until: datetime) -> Sequence[PlatformWay]:
        """`list_contact_way`, then `get_contact_way` for each; one deleted between the two is left out."""
        body = {"start_time": math.floor(since.timestamp()), "end_time": math.ceil(until.timestamp()), "limit": 1000}
        rows, _ = self._client.rows(LIST, body, "contact_way", lambda row: str(row["config_id"]))
        found = []
        for row in rows:
            try:
                way = self._client.call(GET, body={"config_id": row["config_id"]}).get("contact_way") or {}
            except RefusedByPlatform as refused:
                if refused.errcode == errcodes.NO_SUCH_WAY:
                    continue
                raise
            found.append(_way(way))
        return found


class WeComWelcome:
    """`WelcomePort` on WeCom doc 92137: a code lives 20 s and works once."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def send_welcome(self, code: str, content: MessageContent) -> None:
        """`send_welcome_msg`, sent once: what a lost answer means is for the caller to find out."""
        try:
            self._client.call(WELCOME, body={"welcome_code": code, **text_and_links(content)}, repeatable=False)
        except RefusedByPlatform as refused:
            if refused.errcode in (errcodes.WELCOME_SPENT, errcodes.WELCOME_TAKEN):
                raise CodeSpent(refused.errcode == errcodes.WELCOME_TAKEN) from refused
            if refused.errcode == errcodes.WELCOME_UNDER_WAY:
                until = self._client.now() + AGAIN
                raise TryLater(WELCOME, until, "另一个应用正在发送", "another app is sending") from refused
            raise


def _body(spec: WaySpec) -> dict[str, Any]:
    if not spec.users or len(spec.users) > MOST_USERS:
        raise BadInput(
            f"一个活码应有 1–{MOST_USERS} 位成员，现有 {len(spec.users)} 位。",
            f"A contact way has 1–{MOST_USERS} members; this one has {len(spec.users)}.",
        )
    return {
        "remark": spec.remark[:REMARK_CHARACTERS],
        "skip_verify": spec.skip_verify,
        "state": spec.state[:STATE_CHARACTERS],
        "user": list(spec.users),
    }


def _way(row: Mapping[str, Any]) -> PlatformWay:
    return PlatformWay(
        str(row.get("config_id") or ""),
        str(row.get("qr_code") or ""),
        str(row.get("state") or ""),
        tuple(str(user) for user in row.get("user") or ()),
    )
