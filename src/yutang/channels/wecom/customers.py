"""Reading a corp's members and their customers, for the nightly sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yutang.channels.contracts import Customer, Customers, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant

MEMBERS = "externalcontact/get_follow_user_list"
LIST = "externalcontact/list"
BATCH = "externalcontact/batch/get_by_user"
MEMBERS_A_CALL = 100


class WeComCustomers:
    """The reads of WeCom docs 92113 and 92994, and of `get_follow_user_list`."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def follow_users(self) -> list[str]:
        """The members who have the customer-contact right and stand in the app's visible range."""
        return list(self._client.call(MEMBERS).get("follow_user") or [])

    def customers_of(self, userid: str) -> list[str]:
        """The `external_userid`s of a member's customers. WeCom answers 84061 for a member who has none (doc 92113)."""
        try:
            return list(self._client.call(LIST, params={"userid": userid}).get("external_userid") or [])
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_CUSTOMER:
                return []
            raise

    def customer_details(self, userids: Sequence[str]) -> Customers:
        """WeCom doc 92994: every relation of these members; of any number, asked by the hundred.

        A member without an interconnect licence is named as unlicensed, so that silence is not read as “no customers”.
        """
        relations: list[Customer] = []
        unlicensed: dict[str, None] = {}
        for first in range(0, len(userids), MEMBERS_A_CALL):
            asked = list(userids[first : first + MEMBERS_A_CALL])
            try:
                rows, pages = self._client.rows(
                    BATCH, {"userid_list": asked, "limit": 100}, "external_contact_list", _relation
                )
            except RefusedByPlatform as refused:
                if refused.errcode == errcodes.NO_LICENCE:  # none of those asked has one
                    unlicensed.update(dict.fromkeys(asked))
                elif refused.errcode != errcodes.NO_CUSTOMER:
                    raise
                continue
            relations.extend(map(_customer, rows))
            for page in pages:
                unlicensed.update(dict.fromkeys((page.get("fail_info") or {}).get("unlicensed_userid_list") or []))
        return Customers(tuple(relations), tuple(unlicensed))


def _relation(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["external_contact"]["external_userid"]), str(row["follow_info"]["userid"])


def _customer(row: Mapping[str, Any]) -> Customer:
    contact, follow = row["external_contact"], row["follow_info"]
    added_at = instant(follow.get("createtime"))
    if added_at is None:
        raise UnexpectedAnswer(BATCH, "添加关系没有 createtime", "a relation has no createtime")
    return Customer(
        external_userid=str(contact["external_userid"]),
        member=str(follow["userid"]),
        kind=int(contact.get("type") or 0),
        unionid=contact.get("unionid") or None,
        added_at=added_at,
        add_way=int(follow.get("add_way") or 0),
        state=follow.get("state") or None,
        tag_ids=tuple(follow.get("tag_id") or ()),
        name=str(contact.get("name") or ""),
        remark=str(follow.get("remark") or ""),
    )
