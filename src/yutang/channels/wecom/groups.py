"""WeCom's customer groups: reading them, handing them over, their codes, welcomes and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yutang.channels.contracts import AnswerLost, MessageContent, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.ports.groups import GroupChat, GroupMember, GroupState, JoinWaySpec, PlatformJoinWay
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.attaching import WeComAttaching, check_parts
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

LIST = "externalcontact/groupchat/list"
GET = "externalcontact/groupchat/get"
OPENGID = "externalcontact/opengid_to_chatid"
TRANSFER = "externalcontact/groupchat/transfer"
ON_JOB = "externalcontact/groupchat/onjob_transfer"
STATISTIC = "externalcontact/groupchat/statistic"
BY_DAY = "externalcontact/groupchat/statistic_group_by_day"
BEHAVIOUR = "externalcontact/get_user_behavior_data"
ADD_WAY = "externalcontact/groupchat/add_join_way"
GET_WAY = "externalcontact/groupchat/get_join_way"
UPDATE_WAY = "externalcontact/groupchat/update_join_way"
DELETE_WAY = "externalcontact/groupchat/del_join_way"
WELCOME = "externalcontact/group_welcome_template"

OWNERS_A_CALL = 100
MOST_GROUPS = 5
STATE_CHARACTERS = REMARK_CHARACTERS = 30
ROOM_CHARACTERS = 40
WELCOME_BYTES = 3000
QR_SCENE = 2
_STATES = dict(enumerate(GroupState))
_GONE = frozenset({errcodes.NO_SUCH_GROUP, errcodes.DISSOLVED})


class WeComGroups:
    """Reading and handing over (WeCom docs 92120, 92122, 92127, 95703)."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def list_groups(self, owners: Sequence[str]) -> dict[str, GroupState]:
        """Every group of these owners, asked by the hundred. Without naming owners the platform leaves out those who
        have left, and refuses where more than a thousand are visible (81017)."""
        found: dict[str, GroupState] = {}
        for some in _hundreds(owners):
            body = {"status_filter": 0, "owner_filter": {"userid_list": some}, "limit": 1000}
            rows, _ = self._client.rows(LIST, body, "group_chat_list", lambda row: str(row["chat_id"]))
            for row in rows:
                status = row.get("status", 0)
                if status not in _STATES:
                    raise UnexpectedAnswer(LIST, f"未知的状态 {status}", f"unknown status {status}")
                found[str(row["chat_id"])] = _STATES[status]
        return found

    def read_group(self, chat_id: str) -> GroupChat | None:
        """One group with its members, as of some seconds ago (doc 92122: the detail may lag behind the event). None
        where it was dissolved, or is not the app's to see."""
        try:
            answer = self._client.call(GET, body={"chat_id": chat_id, "need_name": 1})
        except RefusedByPlatform as refused:
            if refused.errcode in _GONE:
                return None
            raise
        return _chat(answer.get("group_chat") or {})

    def read_groups(
        self, chats: Sequence[str], told: Callable[[int], None] = lambda done: None
    ) -> Iterator[tuple[str, GroupChat | None]]:
        """As `read_group`, as many at once as the platform bears, in the order asked for; `told` hears how many."""
        with ThreadPoolExecutor(self._client.limits.parallel) as pool:
            for done, (chat_id, chat) in enumerate(zip(chats, pool.map(self.read_group, chats), strict=True), 1):
                yield chat_id, chat
                told(done)

    def group_of_opengid(self, opengid: str) -> str | None:
        """The group in which a mini-program was opened; None for an id of no group of ours."""
        try:
            return str(self._client.call(OPENGID, body={"opengid": opengid})["chat_id"])
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_SUCH_OPENGID:
                return None
            raise

    def hand_over(self, chats: Sequence[str], owner: str, *, on_job: bool) -> dict[str, RefusedByPlatform]:
        """Give groups a new owner; returns those that got none, each with what to do about it.

        `on_job`: their owner is still with the corp. Not repeated on a lost answer; what it came to is read by
        `read_group`. A second asking for the same is answered by 90504 or 90508, that it is so.
        """
        api = ON_JOB if on_job else TRANSFER
        failed: dict[str, RefusedByPlatform] = {}
        for some in _hundreds(chats):
            answer = self._client.call(api, body={"chat_id_list": some, "new_owner": owner}, repeatable=False)
            for row in answer.get("failed_chat_list") or []:
                refused = errcodes.refusal(api, int(row["errcode"]), str(row.get("errmsg") or ""))
                failed[str(row["chat_id"])] = refused
        return failed


def _hundreds(values: Sequence[str]) -> Iterator[list[str]]:
    for first in range(0, len(values), OWNERS_A_CALL):
        yield list(values[first : first + OWNERS_A_CALL])


def _chat(row: Mapping[str, Any]) -> GroupChat:
    created_at = instant(row.get("create_time"))
    if not row.get("chat_id") or created_at is None:
        raise UnexpectedAnswer(GET, "群没有 chat_id 或 create_time", "a group lacks its chat_id or create_time")
    return GroupChat(
        str(row["chat_id"]),
        str(row.get("name") or ""),
        str(row.get("owner") or ""),
        created_at,
        str(row.get("notice") or ""),
        tuple(str(one["userid"]) for one in row.get("admin_list") or () if one.get("userid")),
        str(row.get("member_version") or ""),
        tuple(_member(one, created_at) for one in row.get("member_list") or ()),
    )


def _member(row: Mapping[str, Any], created_at: datetime) -> GroupMember:
    if not row.get("userid"):
        raise UnexpectedAnswer(GET, "群成员没有 userid", "a member of a group lacks its userid")
    return GroupMember(
        str(row["userid"]),
        row.get("type") == 1,
        instant(row.get("join_time")) or created_at,
        int(row.get("join_scene") or 0),
        str((row.get("invitor") or {}).get("userid") or ""),
        str(row.get("state") or ""),
        row.get("unionid") or None,
        str(row.get("name") or ""),
    )


class WeComJoinWays:
    """`JoinWayPort` on WeCom doc 92229."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def create_join_way(self, spec: JoinWaySpec) -> str:
        """`add_join_way`. The config id must be kept: nothing lists what was made."""
        answer = self._client.call(ADD_WAY, body=_way_body(spec), repeatable=False)
        if not answer.get("config_id"):
            raise AnswerLost(ADD_WAY, "no config_id")
        return str(answer["config_id"])

    def read_join_way(self, config_id: str) -> PlatformJoinWay | None:
        """`get_join_way`."""
        try:
            way = self._client.call(GET_WAY, body={"config_id": config_id}).get("join_way") or {}
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_SUCH_WAY:
                return None
            raise
        return PlatformJoinWay(
            str(way.get("config_id") or config_id),
            str(way.get("qr_code") or ""),
            str(way.get("state") or ""),
            tuple(str(one) for one in way.get("chat_id_list") or ()),
        )

    def update_join_way(self, config_id: str, spec: JoinWaySpec) -> None:
        """`update_join_way`: every field is said, for all are overwritten."""
        self._client.call(UPDATE_WAY, body={"config_id": config_id, **_way_body(spec)})

    def delete_join_way(self, config_id: str) -> None:
        """`del_join_way`; 41044 says that what was wanted is so."""
        try:
            self._client.call(DELETE_WAY, body={"config_id": config_id})
        except RefusedByPlatform as refused:
            if refused.errcode != errcodes.NO_SUCH_WAY:
                raise


def _way_body(spec: JoinWaySpec) -> dict[str, Any]:
    if not 1 <= len(spec.groups) <= MOST_GROUPS:
        raise BadInput(
            f"一个群活码应有 1–{MOST_GROUPS} 个群，现有 {len(spec.groups)} 个。",
            f"A join way has 1–{MOST_GROUPS} groups; this one has {len(spec.groups)}.",
        )
    if len(spec.room_name) > ROOM_CHARACTERS or len(spec.state) > STATE_CHARACTERS:
        raise BadInput(
            f"群名前缀最多 {ROOM_CHARACTERS} 个字，渠道参数最多 {STATE_CHARACTERS} 个字符。",
            f"A group's base name has {ROOM_CHARACTERS} characters at most, a state {STATE_CHARACTERS}.",
        )
    body: dict[str, Any] = {
        "scene": QR_SCENE,
        "remark": spec.remark[:REMARK_CHARACTERS],
        "auto_create_room": 1 if spec.room_name else 0,
        "chat_id_list": list(spec.groups),
        "state": spec.state,
    }
    return {**body, "room_base_name": spec.room_name, "room_base_id": spec.room_number} if spec.room_name else body


class WeComGroupWelcomes:
    """Welcomes from which owners choose in the client (WeCom doc 92366): a text, one thing beside it, or both."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._attaching = WeComAttaching(client)

    def make_ready(self, content: MessageContent) -> None:
        """Upload the file of a welcome."""
        self._attaching.make_ready(content)

    def create_welcome(self, content: MessageContent, *, notify: bool = True) -> str:
        """Returns its id, which must be kept: nothing lists them. `notify`: tell the owners that it is there. Raises
        TryLater where `make_ready` has not been called."""
        body = {**self._body(content), "notify": int(notify)}
        answer = self._client.call(f"{WELCOME}/add", body=body, repeatable=False)
        if not answer.get("template_id"):
            raise AnswerLost(f"{WELCOME}/add", "no template_id")
        return str(answer["template_id"])

    def change_welcome(self, template_id: str, content: MessageContent) -> None:
        """The whole content anew."""
        self._client.call(f"{WELCOME}/edit", body={"template_id": template_id, **self._body(content)})

    def _body(self, content: MessageContent) -> dict[str, Any]:
        size = len(content.text.encode())
        count = len(content.links) + len(content.attached)
        if not content.text and not count:
            raise BadInput("入群欢迎语是空的。", "The group welcome is empty.")
        if size > WELCOME_BYTES or count > 1:
            raise BadInput(
                f"入群欢迎语最多 {WELCOME_BYTES} 字节文字（现有 {size} 字节）和一个链接、图片、小程序、视频或文件。",
                f"A group welcome takes {WELCOME_BYTES} bytes of text (this has {size}) and one link, picture, mini "
                "program, video or file.",
            )
        check_parts(content, 1)
        body = self._attaching.said(content)
        parts = body.pop("attachments", [])
        return {**body, **{part["msgtype"]: part[part["msgtype"]] for part in parts}}

    def read_welcome(self, template_id: str) -> Mapping[str, Any] | None:
        """As the platform has it; None where it is no more."""
        try:
            answer = self._client.call(f"{WELCOME}/get", body={"template_id": template_id})
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_SUCH_WELCOME:
                return None
            raise
        return {key: value for key, value in answer.items() if key not in ("errcode", "errmsg")}

    def delete_welcome(self, template_id: str) -> None:
        """Deleting again is no error."""
        try:
            self._client.call(f"{WELCOME}/del", body={"template_id": template_id})
        except RefusedByPlatform as refused:
            if refused.errcode != errcodes.NO_SUCH_WELCOME:
                raise


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """What the platform counted, of an owner or of a day: no figure of a single group is ever told."""

    owner: str
    day: datetime | None
    new_groups: int
    groups: int
    groups_with_messages: int
    new_members: int
    members: int
    members_with_messages: int
    messages: int


@dataclass(frozen=True, slots=True)
class TalkFigures:
    """How members talked with customers on a day, all that were asked for together. `reply_share` is 0–1; it and
    `reply_minutes` are None on a day without chats."""

    day: datetime
    chats: int
    messages: int
    reply_share: float | None
    reply_minutes: int | None
    negative: int
    applied: int
    added: int


class WeComStatistics:
    """WeCom docs 92132 and 92133: of the last 180 days, up to 30 at once, never of today."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def groups_by_owner(self, owners: Sequence[str], since: datetime, until: datetime) -> list[GroupFigures]:
        """Of each of these owners over the days from `since` to `until`, both included."""
        found: dict[str, GroupFigures] = {}
        for some in _hundreds(owners):
            offset, total = 0, 1
            while offset < total:
                body = {**_range(some, since, until), "offset": offset, "limit": 1000}
                answer = self._client.call(STATISTIC, body=body)
                for row in answer.get("items") or []:
                    found[str(row["owner"])] = _figures(row, str(row["owner"]), None)
                total = int(answer.get("total") or 0)
                if offset >= (offset := int(answer.get("next_offset") or 0)):  # it must move on, or never ends
                    break
        return list(found.values())

    def groups_by_day(self, owners: Sequence[str], since: datetime, until: datetime) -> list[GroupFigures]:
        """Of up to a hundred owners together, day by day."""
        rows = self._client.call(BY_DAY, body=_range(list(owners), since, until)).get("items") or []
        return [_figures(row, "", instant(row.get("stat_time"))) for row in rows]

    def talk(self, userids: Sequence[str], since: datetime, until: datetime) -> list[TalkFigures]:
        """Of up to a hundred members **together**; ask for one to know of one."""
        body = {"userid": list(userids), "start_time": _floor(since), "end_time": _floor(until)}
        rows = self._client.call(BEHAVIOUR, body=body).get("behavior_data") or []
        return [_talk(row) for row in rows]


def _range(owners: Sequence[str], since: datetime, until: datetime) -> dict[str, Any]:
    days = {"day_begin_time": _floor(since), "day_end_time": _floor(until)}
    return {**days, "owner_filter": {"userid_list": list(owners)}}


def _floor(at: datetime) -> int:
    return math.floor(at.timestamp())


def _figures(row: Mapping[str, Any], owner: str, day: datetime | None) -> GroupFigures:
    data = row.get("data") or {}
    names = ("new_chat_cnt", "chat_total", "chat_has_msg", "new_member_cnt", "member_total", "member_has_msg")
    return GroupFigures(owner, day, *(int(data.get(name) or 0) for name in (*names, "msg_total")))


def _talk(row: Mapping[str, Any]) -> TalkFigures:
    day = instant(row.get("stat_time"))
    if day is None:
        raise UnexpectedAnswer(BEHAVIOUR, "没有 stat_time", "there is no stat_time")
    share, minutes = row.get("reply_percentage"), row.get("avg_reply_time")
    return TalkFigures(
        day,
        int(row.get("chat_cnt") or 0),
        int(row.get("message_cnt") or 0),
        None if share is None else float(share) / 100,
        None if minutes is None else int(minutes),
        int(row.get("negative_feedback_cnt") or 0),
        int(row.get("new_apply_cnt") or 0),
        int(row.get("new_contact_cnt") or 0),
    )
