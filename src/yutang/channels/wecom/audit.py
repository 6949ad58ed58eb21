"""WeCom's HTTP calls about the session archive (会话内容存档): whose chats are kept, and who agreed to it.

They want the archive's own secret (`WeComClient.of_app`). Messages are read by a native library: `channels.archive`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from yutang.channels.contracts import RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant

MEMBERS = "msgaudit/get_permit_user_list"
PAIRS = "msgaudit/check_single_agree"
ROOM = "msgaudit/check_room_agree"
INNER_ROOM = "msgaudit/groupchat/get"

PAIRS_A_CALL = 100
OUTSIDER = "exteranalopenid"  # the platform's own spelling
_AGREES = {"Agree": True, "Default_Agree": True, "Disagree": False}


class Edition(IntEnum):
    """For what a member's archive was bought."""

    OFFICE = 1
    SERVICE = 2
    ENTERPRISE = 3


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether a customer lets the chat be archived. Not `said`: they saw the notice and went on."""

    agrees: bool
    said: bool
    since: datetime | None


@dataclass(frozen=True, slots=True)
class InnerRoom:
    """A room of members among themselves. `members`: since when each is in it."""

    name: str = field(repr=False)
    creator: str
    created_at: datetime | None
    notice: str = field(repr=False)
    members: Mapping[str, datetime | None]


class WeComAudit:
    """WeCom docs 91614, 91782 and 92951."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def members(self, edition: Edition | None = None) -> list[str]:
        """The members whose chats are archived now."""
        body = {} if edition is None else {"type": int(edition)}
        return list(map(str, self._client.call(MEMBERS, body=body).get("ids") or ()))

    def agreements(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Agreement]:
        """What customers said, by (member, customer) as asked for; of any number, asked by the hundred.

        A pair of which the platform knows nothing is left out: nobody agreed to anything there. It refuses a hundred
        for one such pair, so they are then asked one by one.
        """
        asked = sorted(set(pairs))
        found: dict[tuple[str, str], Agreement] = {}
        for first in range(0, len(asked), PAIRS_A_CALL):
            some = asked[first : first + PAIRS_A_CALL]
            try:
                found |= self._some(some)
            except RefusedByPlatform as refused:
                if refused.errcode not in errcodes.NOT_A_PAIR:
                    raise
                for one in some if len(some) > 1 else ():
                    found |= self.agreements([one])
        return found

    def room_agreements(self, room: str) -> dict[str, Agreement]:
        """What the customers in a customer group said; nobody's word for a room that the platform does not know."""
        try:
            rows = self._client.call(ROOM, body={"roomid": room}).get("agreeinfo") or ()
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.BAD_PARAMETER:
                return {}
            raise
        return {str(row[OUTSIDER]): _agreement(row, ROOM) for row in rows}

    def inner_room(self, room: str) -> InnerRoom:
        """A room of members among themselves. RefusedByPlatform (301059) for a customer group."""
        row = self._client.call(INNER_ROOM, body={"roomid": room})
        return InnerRoom(
            str(row.get("roomname") or ""),
            str(row.get("creator") or ""),
            instant(row.get("room_create_time")),
            str(row.get("notice") or ""),
            {str(one["memberid"]): instant(one.get("jointime")) for one in row.get("members") or ()},
        )

    def _some(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Agreement]:
        info = [{"userid": member, OUTSIDER: customer} for member, customer in pairs]
        rows = self._client.call(PAIRS, body={"info": info}).get("agreeinfo") or ()
        # Member ids come back as the directory writes them, which may not be as they were asked for.
        asked = {(member.casefold(), customer): (member, customer) for member, customer in pairs}
        told = {(str(row["userid"]).casefold(), str(row[OUTSIDER])): _agreement(row, PAIRS) for row in rows}
        return {asked[pair]: agreement for pair, agreement in told.items() if pair in asked}


def _agreement(row: Mapping[str, Any], api: str) -> Agreement:
    status = str(row.get("agree_status"))
    if status not in _AGREES:
        raise UnexpectedAnswer(api, f"未知的同意状态 {status}", f"unknown agree_status {status}")
    return Agreement(_AGREES[status], status != "Default_Agree", instant(row.get("status_change_time")))
