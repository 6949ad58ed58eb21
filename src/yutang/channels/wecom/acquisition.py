"""WeCom's acquisition links (获客链接, docs 97297, 97298, 97299, 97375) behind `ContactWayPort` and `AcquisitionPort`.

To us a link is a contact way of another kind: it leads to staff, and what we append to its address (`customer_channel`)
comes back with everybody who comes by it, as the state of a way's code does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from yutang.channels.contracts import AnswerLost, PlatformWay, RefusedByPlatform, WaySpec
from yutang.channels.ports.inheritance import AcquisitionQuota, CameByLink, LinkFigures
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

_OF = "externalcontact/customer_acquisition/"
CREATE, UPDATE, DELETE = f"{_OF}create_link", f"{_OF}update_link", f"{_OF}delete_link"
LIST, GET = f"{_OF}list_link", f"{_OF}get"
CUSTOMERS, FIGURES, CHAT = f"{_OF}customer", f"{_OF}statistic", f"{_OF}get_chat_info"
QUOTA = "externalcontact/customer_acquisition_quota"

NAME_CHARACTERS = 30
MOST_USERS = 500
SCHEME = "weixin://biz/ww/profile/"


def address_of(url: str, state: str) -> str:
    """A link's address with our channel, at most 64 UTF-8 bytes of which the platform keeps."""
    return f"{url}?customer_channel={quote(state, safe='')}"


def scheme_of(address: str) -> str:
    """The form of the address that opens inside WeChat without a page between (doc 97297)."""
    return f"{SCHEME}{quote(address, safe='')}"


class WeComAcquisition:
    """Acquisition links of a corp. The name of a link ends in our state, by which a lost one is found again."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def create_way(self, spec: WaySpec) -> PlatformWay:
        """`create_link`, asked once; `qr_code` is the address that brings people, our channel included."""
        answer = self._client.call(CREATE, body=_body(spec), repeatable=False)
        link = answer.get("link") or {}
        if not link.get("link_id") or not link.get("url"):
            raise AnswerLost(CREATE, "no link_id")
        return PlatformWay(str(link["link_id"]), address_of(str(link["url"]), spec.state), spec.state, spec.users)

    def update_way(self, config_id: str, spec: WaySpec) -> None:
        """`update_link`: the range is replaced whole."""
        self._client.call(UPDATE, body={"link_id": config_id, **_body(spec)})

    def delete_way(self, config_id: str) -> None:
        """`delete_link`. A link that is gone is refused like any wrong argument: the list says which it was."""
        try:
            self._client.call(DELETE, body={"link_id": config_id})
        except RefusedByPlatform as refused:
            if refused.errcode != errcodes.BAD_ARGUMENT or config_id in self._ids():
                raise

    def find_ways(self, since: datetime, until: datetime) -> Sequence[PlatformWay]:
        """`list_link`, then `get` for each, since the list tells ids only; those made in the span."""
        found = []
        for link_id in self._ids():
            try:
                answer = self._client.call(GET, body={"link_id": link_id})
            except RefusedByPlatform as refused:
                if refused.errcode == errcodes.BAD_ARGUMENT:  # deleted between the two
                    continue
                raise
            link, scope = answer.get("link") or {}, answer.get("range") or {}
            made_at = instant(link.get("create_time"))
            if made_at is not None and since <= made_at <= until:
                state = str(link.get("link_name") or "").rpartition(" ")[2]
                users = tuple(str(one) for one in scope.get("user_list") or ())
                found.append(PlatformWay(link_id, address_of(str(link.get("url") or ""), state), state, users))
        return found

    def _ids(self) -> list[str]:
        """Every link that works and is ours."""
        found: dict[str, None] = {}
        cursor = ""
        while True:
            answer = self._client.call(LIST, body={"limit": 100} | ({"cursor": cursor} if cursor else {}))
            found.update((str(one), None) for one in answer.get("link_id_list") or ())
            following = str(answer.get("next_cursor") or "")
            if not following or following == cursor:
                return list(found)
            cursor = following

    def quota(self) -> AcquisitionQuota:
        """`customer_acquisition_quota`."""
        answer = self._client.call(QUOTA)
        expiring = tuple(
            (at, int(row.get("balance") or 0))
            for row in answer.get("quota_list") or ()
            if (at := instant(row.get("expire_date"))) is not None
        )
        return AcquisitionQuota(int(answer.get("total") or 0), int(answer.get("balance") or 0), expiring)

    def came_by(self, link_id: str) -> Sequence[CameByLink]:
        """`customer`: whoever came by a link, as the platform counts."""
        rows, _ = self._client.rows(
            CUSTOMERS,
            {"link_id": link_id, "limit": 1000},
            "customer_list",
            lambda row: (str(row["external_userid"]), str(row["userid"])),
        )
        return [_came(row) for row in rows]

    def figures(self, link_id: str, since: datetime, until: datetime) -> LinkFigures:
        """`statistic`, by whole local days, both included; at most 30 days, of the last 180."""
        span = {"start_time": int(since.timestamp()), "end_time": int(until.timestamp())}
        answer = self._client.call(FIGURES, body={"link_id": link_id, **span})
        return LinkFigures(int(answer.get("click_link_customer_cnt") or 0), int(answer.get("new_customer_cnt") or 0))

    def chat(self, chat_key: str) -> tuple[CameByLink, int]:
        """`get_chat_info`: of whom a callback's key speaks (for 30 minutes), and how often they have written."""
        answer = self._client.call(CHAT, body={"chat_key": chat_key})
        info = answer.get("chat_info") or {}
        count = int(info.get("recv_msg_cnt") or 0)
        return _came({**answer, "state": info.get("state"), "chat_status": int(count > 0)}), count


def _body(spec: WaySpec) -> dict[str, Any]:
    if not (spec.users or spec.departments) or len(spec.users) > MOST_USERS:
        raise BadInput(
            f"一个获客链接应有 1–{MOST_USERS} 位成员，现有 {len(spec.users)} 位。",
            f"An acquisition link has 1–{MOST_USERS} members; this one has {len(spec.users)}.",
        )
    scope: dict[str, Any] = {"user_list": list(spec.users), "department_list": list(spec.departments)}
    return {
        "link_name": f"{spec.remark[: NAME_CHARACTERS - 1 - len(spec.state)]} {spec.state}".strip(),
        "range": {name: listed for name, listed in scope.items() if listed},
        "skip_verify": spec.skip_verify,
    }


def _came(row: Mapping[str, Any]) -> CameByLink:
    status = row.get("chat_status")
    wrote = None if status == 2 else status == 1
    return CameByLink(str(row["external_userid"]), str(row["userid"]), str(row.get("state") or ""), wrote)
