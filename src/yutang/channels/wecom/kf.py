"""WeChat customer service (微信客服) behind `ServicePort`, and what else its accounts need.

WeCom docs 94662 (accounts), 94665 (links), 94670 (reading), 94677 and 95122 (answering), 94669 (states), 95159
(customers), 95489 (figures).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yutang.channels.contracts import AnswerLost, CodeSpent, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.ports.service import (
    Closed,
    ServiceAccount,
    ServiceClosed,
    ServiceContent,
    ServiceMessage,
    ServicePage,
    Speaker,
)
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant

ADD, UPDATE, DELETE, LIST = "kf/account/add", "kf/account/update", "kf/account/del", "kf/account/list"
LINK = "kf/add_contact_way"
SERVICERS_ADD, SERVICERS_REMOVE, SERVICERS = "kf/servicer/add", "kf/servicer/del", "kf/servicer/list"
READ, SEND, ON_EVENT = "kf/sync_msg", "kf/send_msg", "kf/send_msg_on_event"
STATE, MOVE = "kf/service_state/get", "kf/service_state/trans"
CUSTOMERS = "kf/customer/batchget"
CORP_FIGURES, SERVICER_FIGURES = "kf/get_corp_statistic", "kf/get_servicer_statistic"

ACCOUNTS_A_PAGE = A_CALL = 100
A_READ = 1000
_ORIGINS = {3: Speaker.CUSTOMER, 4: Speaker.SYSTEM, 5: Speaker.SERVICER}
_CLOSED = {
    errcodes.SERVICE_COUNT: Closed.COUNT,
    errcodes.SERVICE_TIME: Closed.TIME,
    errcodes.SERVICE_STATE: Closed.STATE,
    errcodes.SERVICE_ENDED: Closed.ENDED,
}
UNTREATED, BOT, WAITING, HUMAN, ENDED = range(5)
"""The states of a conversation (doc 94669)."""


@dataclass(frozen=True, slots=True)
class Servicer:
    """Who serves an account: a member, or (`userid` empty) a whole department."""

    userid: str
    department: int
    serving: bool


@dataclass(frozen=True, slots=True)
class ServiceCustomer:
    """Somebody who wrote or entered within 48 hours. `scene` is ours, of the link by which they entered."""

    external_userid: str
    nickname: str
    unionid: str | None
    scene: str


class WeComService:
    """`ServicePort` on WeCom."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def accounts(self) -> Sequence[ServiceAccount]:
        """`kf/account/list`, by offset, until a page is not full."""
        found: dict[str, ServiceAccount] = {}
        for offset in range(0, 10_000, ACCOUNTS_A_PAGE):
            rows = self._client.call(LIST, body={"offset": offset, "limit": ACCOUNTS_A_PAGE}).get("account_list") or []
            found.update(
                (str(row["open_kfid"]), ServiceAccount(str(row["open_kfid"]), str(row["name"]))) for row in rows
            )
            if len(rows) < ACCOUNTS_A_PAGE:
                break
        return list(found.values())

    def add_account(self, name: str, media_id: str) -> str:
        """`kf/account/add`, asked once: on `AnswerLost` look for the name among `accounts` before asking again."""
        answer = self._client.call(ADD, body={"name": name, "media_id": media_id}, repeatable=False)
        if not answer.get("open_kfid"):
            raise AnswerLost(ADD, "no open_kfid")
        return str(answer["open_kfid"])

    def update_account(self, account: str, name: str = "", media_id: str = "") -> None:
        """`kf/account/update`: what is empty stays."""
        said = {"name": name, "media_id": media_id}
        self._client.call(UPDATE, body={"open_kfid": account, **{key: text for key, text in said.items() if text}})

    def delete_account(self, account: str) -> None:
        """`kf/account/del`; that it is gone already is no error."""
        try:
            self._client.call(DELETE, body={"open_kfid": account})
        except RefusedByPlatform as refused:
            if refused.errcode != errcodes.NO_SERVICE_ACCOUNT:
                raise

    def link(self, account: str, scene: str = "") -> str:
        """`kf/add_contact_way`: the address of an account; `scene` (≤ 32 characters) comes back with who enters."""
        body = {"open_kfid": account} | ({"scene": scene} if scene else {})
        return str(self._client.call(LINK, body=body).get("url") or "")

    def add_servicers(self, account: str, userids: Sequence[str]) -> Mapping[str, int]:
        """`kf/servicer/add`: those who could not be added, with the platform's code."""
        return self._servicers(SERVICERS_ADD, account, userids)

    def remove_servicers(self, account: str, userids: Sequence[str]) -> Mapping[str, int]:
        """`kf/servicer/del`: those who could not be taken away, with the platform's code."""
        return self._servicers(SERVICERS_REMOVE, account, userids)

    def _servicers(self, api: str, account: str, userids: Sequence[str]) -> Mapping[str, int]:
        refused: dict[str, int] = {}
        for first in range(0, len(userids), A_CALL):
            body = {"open_kfid": account, "userid_list": list(userids[first : first + A_CALL])}
            for row in self._client.call(api, body=body).get("result_list") or []:
                if row.get("errcode"):
                    refused[str(row.get("userid"))] = int(row["errcode"])
        return refused

    def servicers(self, account: str) -> Sequence[Servicer]:
        """`kf/servicer/list`."""
        rows = self._client.call(SERVICERS, params={"open_kfid": account}).get("servicer_list") or []
        return [
            Servicer(str(row.get("userid") or ""), int(row.get("department_id") or 0), not row.get("status"))
            for row in rows
        ]

    def read(self, account: str, cursor: str, token: str = "") -> ServicePage:
        """`kf/sync_msg`. A page may be empty and have a next one. `UnexpectedAnswer` where it leads nowhere."""
        body: dict[str, Any] = {"open_kfid": account, "limit": A_READ}
        body |= {name: text for name, text in (("cursor", cursor), ("token", token)) if text}
        answer = self._client.call(READ, body=body)
        following, more = str(answer.get("next_cursor") or ""), answer.get("has_more") == 1
        if more and following in ("", cursor):
            raise UnexpectedAnswer(READ, "游标没有前进", "its cursor does not move on")
        messages = tuple(_message(row, account) for row in answer.get("msg_list") or [])
        return ServicePage(messages, following or cursor, more)

    def send(
        self, account: str, customer: str, message_id: str, content: ServiceContent, *, again: bool = False
    ) -> None:
        """`kf/send_msg`. The platform takes an id once: that it refuses the argument of a message sent `again` says
        that the first try had arrived (the same body was well-formed then)."""
        try:
            self._client.call(
                SEND,
                body={
                    "touser": customer,
                    "open_kfid": account,
                    "msgid": message_id,
                    "msgtype": content.kind,
                    content.kind: dict(content.fields),
                },
                repeatable=False,
            )
        except RefusedByPlatform as refused:
            if refused.errcode in _CLOSED:
                raise ServiceClosed(_CLOSED[refused.errcode]) from refused
            if not (again and refused.errcode == errcodes.BAD_ARGUMENT):
                raise

    def answer_event(self, code: str, message_id: str, content: ServiceContent) -> None:
        """`kf/send_msg_on_event`, sent once: the code works once."""
        body = {"code": code, "msgid": message_id, "msgtype": content.kind, content.kind: dict(content.fields)}
        try:
            self._client.call(ON_EVENT, body=body, repeatable=False)
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.BAD_CODE:
                raise CodeSpent(elsewhere=False) from refused
            if refused.errcode in _CLOSED:
                raise ServiceClosed(_CLOSED[refused.errcode]) from refused
            raise

    def state(self, account: str, customer: str) -> tuple[int, str]:
        """`kf/service_state/get`: the state, and who serves where somebody does."""
        answer = self._client.call(STATE, body={"open_kfid": account, "external_userid": customer})
        return int(answer.get("service_state") or 0), str(answer.get("servicer_userid") or "")

    def move(self, account: str, customer: str, state: int, servicer: str = "") -> str:
        """`kf/service_state/trans`: the code for one message, or nothing. On `AnswerLost` look with `state`."""
        body = {"open_kfid": account, "external_userid": customer, "service_state": state}
        answer = self._client.call(
            MOVE, body=body | ({"servicer_userid": servicer} if servicer else {}), repeatable=False
        )
        return str(answer.get("msg_code") or "")

    def customers(self, external_userids: Sequence[str]) -> Sequence[ServiceCustomer]:
        """`kf/customer/batchget`: of any number, asked by the hundred; who was not here lately is left out."""
        found: list[ServiceCustomer] = []
        for first in range(0, len(external_userids), A_CALL):
            asked = list(external_userids[first : first + A_CALL])
            answer = self._client.call(CUSTOMERS, body={"external_userid_list": asked, "need_enter_session_context": 1})
            for row in answer.get("customer_list") or []:
                context = row.get("enter_session_context") or {}
                found.append(
                    ServiceCustomer(
                        str(row["external_userid"]),
                        str(row.get("nickname") or ""),
                        row.get("unionid") or None,
                        str(context.get("scene") or ""),
                    )
                )
        return found

    def corp_figures(self, account: str, since: datetime, until: datetime) -> Mapping[datetime, Mapping[str, float]]:
        """`kf/get_corp_statistic`: what the platform counted, by the local day's first instant; at most 31 days."""
        return self._figures(CORP_FIGURES, {"open_kfid": account}, since, until)

    def servicer_figures(
        self, account: str, servicer: str, since: datetime, until: datetime
    ) -> Mapping[datetime, Mapping[str, float]]:
        """`kf/get_servicer_statistic`, of one servicer."""
        return self._figures(SERVICER_FIGURES, {"open_kfid": account, "servicer_userid": servicer}, since, until)

    def _figures(
        self, api: str, body: Mapping[str, Any], since: datetime, until: datetime
    ) -> Mapping[datetime, Mapping[str, float]]:
        span = {"start_time": int(since.timestamp()), "end_time": int(until.timestamp())}
        rows = self._client.call(api, body={**body, **span}).get("statistic_list") or []
        return {
            at: dict(row["statistic"]) for row in rows if row.get("statistic") and (at := instant(row["stat_time"]))
        }


def _message(row: Mapping[str, Any], account: str) -> ServiceMessage:
    at, origin = instant(row.get("send_time")), _ORIGINS.get(int(row.get("origin") or 0))
    if at is None or origin is None or not row.get("msgid"):
        raise UnexpectedAnswer(
            READ, "一条消息缺少 msgid、send_time 或 origin", "a message lacks msgid, send_time or origin"
        )
    kind = str(row.get("msgtype") or "")
    fields = row.get(kind)
    fields = fields if isinstance(fields, dict) else {}
    return ServiceMessage(
        str(row["msgid"]),
        account,
        str(row.get("external_userid") or (fields.get("external_userid") if kind == "event" else "") or ""),
        at,
        origin,
        str(row.get("servicer_userid") or (fields.get("servicer_userid") if kind == "event" else "") or ""),
        kind,
        fields,
    )
