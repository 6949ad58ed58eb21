"""WeCom's contact ways (渠道活码, doc 92228) and welcome messages (doc 92137) behind their ports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from yutang.channels.wecom.attaching import WeComAttaching, check_parts, link_body
from yutang.channels.wecom.client import WeComClient
from yutang.kernel.errors import BadInput

ADD = "externalcontact/add_contact_way"
GET = "externalcontact/get_contact_way"
LIST = "externalcontact/list_contact_way"
UPDATE = "externalcontact/update_contact_way"
DELETE = "externalcontact/del_contact_way"
CLOSE = "externalcontact/close_temp_chat"
WELCOME = "externalcontact/send_welcome_msg"

STATE_CHARACTERS = REMARK_CHARACTERS = 30
MOST_USERS = 100
QR_SCENE, SOLE, SEVERAL = 2, 1, 2
MOST_TEMPORARY = timedelta(days=14)
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


@dataclass(frozen=True, slots=True)
class TemporarySpec:
    """A code for one chat without a friendship, with one member (WeCom: hospitals and the like only).

    The code lives `lives`, a chat by it `chat_lives`, either 14 days at most; with `unionid` one person may enter.
    `ending` is sent when a chat ends: its text, and the first of its links.
    """

    user: str
    state: str = ""
    remark: str = ""
    lives: timedelta = timedelta(days=7)
    chat_lives: timedelta = timedelta(hours=24)
    unionid: str = ""
    ending: MessageContent | None = None


class WeComTemporaryChats:
    """Temporary ways and their chats (WeCom doc 92228). They are not in `list_contact_way`: keep the config id."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def create(self, spec: TemporarySpec) -> PlatformWay:
        """`add_contact_way` with `is_temp`. Not idempotent, and what a lost answer made cannot be found: it ends by
        itself. Raises BadInput for lives that the platform refuses."""
        if not timedelta(0) < spec.lives <= MOST_TEMPORARY or not timedelta(0) < spec.chat_lives <= MOST_TEMPORARY:
            raise BadInput("临时活码和临时会话至多 14 天。", "A temporary way and its chats last 14 days at most.")
        body: dict[str, Any] = {
            "type": SOLE,
            "scene": QR_SCENE,
            "is_temp": True,
            "user": [spec.user],
            "expires_in": round(spec.lives.total_seconds()),
            "chat_expires_in": round(spec.chat_lives.total_seconds()),
        }
        said = {
            "state": spec.state[:STATE_CHARACTERS],
            "remark": spec.remark[:REMARK_CHARACTERS],
            "unionid": spec.unionid,
        }
        body |= {name: value for name, value in said.items() if value}
        if spec.ending is not None:
            body["conclusions"] = _ending(spec.ending)
        answer = self._client.call(ADD, body=body, repeatable=False)
        if not answer.get("config_id"):
            raise AnswerLost(ADD, "no config_id")
        return PlatformWay(str(answer["config_id"]), str(answer.get("qr_code") or ""), spec.state, (spec.user,))

    def close(self, user: str, external_userid: str) -> bool:
        """`close_temp_chat`: end a chat, which sends its ending; False where none was open, so again is no error."""
        try:
            self._client.call(CLOSE, body={"userid": user, "external_userid": external_userid})
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_CUSTOMER:
                return False
            raise
        return True


def _ending(content: MessageContent) -> dict[str, Any]:
    """Empty objects are refused (40063), so they are left out."""
    body: dict[str, Any] = {"text": {"content": content.text}} if content.text else {}
    return {**body, "link": link_body(content.links[0])} if content.links else body


class WeComWelcome:
    """`WelcomePort` on WeCom doc 92137: a code lives 20 s and works once."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._attaching = WeComAttaching(client)

    def make_ready(self, content: MessageContent) -> None:
        """Upload the files of a welcome before anybody comes: in 20 s there may be no time for it."""
        self._attaching.make_ready(content)

    def send_welcome(self, code: str, content: MessageContent) -> None:
        """`send_welcome_msg`, sent once: what a lost answer means is for the caller to find out."""
        check_parts(content, self._client.limits.mass_send.links)
        body = {"welcome_code": code, **self._attaching.said(content)}
        try:
            with self._attaching.known_to_the_platform(body, WELCOME):
                self._client.call(WELCOME, body=body, repeatable=False)
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
