"""Reading a corp's members and their customers, and what a member wrote about a customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yutang.channels.contracts import Customer, Customers, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

MEMBERS = "externalcontact/get_follow_user_list"
LIST = "externalcontact/list"
GET = "externalcontact/get"
BATCH = "externalcontact/batch/get_by_user"
REMARK = "externalcontact/remark"
SERVED = "externalcontact/contact_list"
OPENID = "externalcontact/convert_to_openid"
BY_UNIONID = "externalcontact/unionid_to_external_userid"
MEMBERS_A_CALL = 100
REMARK_CHARACTERS = COMPANY_CHARACTERS = 20
DESCRIPTION_CHARACTERS = 150
PERSONAL = 2


@dataclass(frozen=True, slots=True)
class Remark:
    """What a member is to have written about a customer; None: left as it is, empty: cleared.

    Characters: `remark` ≤ 20, `description` ≤ 150, `company` ≤ 20 and of WeChat users only (WeCom doc 92115).
    """

    remark: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    company: str | None = field(default=None, repr=False)
    mobiles: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Served:
    """Somebody whom members served (WeCom doc 99434). `temporary` stands for them for four hours, also where they are
    nobody's customer and have no id."""

    temporary: str
    external_userid: str | None
    member: str
    added_at: datetime | None
    name: str = field(repr=False)


class WeComCustomers:
    """The calls of WeCom docs 92113, 92114, 92115, 92994 and 99434, `get_follow_user_list`, and those that turn one id
    of a customer into another."""

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

    def customer(self, external_userid: str) -> tuple[Customer, ...]:
        """WeCom doc 92114: the relations of one customer, over all pages; none where nobody follows them (any more, or
        yet: one who was only half added is no friend)."""
        found: dict[str, Customer] = {}
        cursor = ""
        while True:
            params = {"external_userid": external_userid} | ({"cursor": cursor} if cursor else {})
            try:
                answer = self._client.call(GET, params=params)
            except RefusedByPlatform as refused:
                if refused.errcode in (errcodes.NO_CUSTOMER, errcodes.NO_SUCH_CUSTOMER):
                    return tuple(found.values())
                raise
            before = len(found)
            for follow in answer.get("follow_user") or ():
                one = _customer(GET, answer.get("external_contact") or {}, follow)
                found[one.member] = one
            cursor = str(answer.get("next_cursor") or "")
            if not cursor or len(found) == before:
                return tuple(found.values())

    def customer_details(self, userids: Sequence[str]) -> Customers:
        """WeCom doc 92994: every relation of these members; of any number, asked by the hundred. As `pages_of`."""
        relations: dict[tuple[str, str], Customer] = {}
        unlicensed: dict[str, None] = {}
        for first in range(0, len(userids), MEMBERS_A_CALL):
            for page in self.pages_of(userids[first : first + MEMBERS_A_CALL]):
                relations.update(((one.external_userid, one.member), one) for one in page.relations)
                unlicensed.update(dict.fromkeys(page.unlicensed))
        return Customers(tuple(relations.values()), tuple(unlicensed))

    def pages_of(self, userids: Sequence[str]) -> Iterator[Customers]:
        """WeCom doc 92994: the relations of at most a hundred members, page by page. One may come twice, since cursors
        are not stable while data change.

        A member without an interconnect licence is named as unlicensed, so that silence is not read as “no customers”.
        """
        try:
            for page in self._client.pages(BATCH, {"userid_list": list(userids), "limit": 100}):
                rows = page.get("external_contact_list") or ()
                try:
                    found = tuple(_customer(BATCH, row["external_contact"], row["follow_info"]) for row in rows)
                except (KeyError, TypeError):
                    raise UnexpectedAnswer(BATCH, "有一行缺少 ID", "a row lacks its ids") from None
                yield Customers(found, tuple((page.get("fail_info") or {}).get("unlicensed_userid_list") or ()))
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_LICENCE:  # none of those asked has one
                yield Customers((), tuple(userids))
            elif refused.errcode != errcodes.NO_CUSTOMER:
                raise

    def remark(self, userid: str, external_userid: str, said: Remark) -> None:
        """WeCom doc 92115. Again is no error; the platform calls back nothing of it."""
        body: dict[str, Any] = {}
        for name, text, most in (
            ("remark", said.remark, REMARK_CHARACTERS),
            ("description", said.description, DESCRIPTION_CHARACTERS),
            ("remark_company", said.company, COMPANY_CHARACTERS),
        ):
            if text is not None:
                if len(text) > most:
                    raise BadInput(
                        f"{name} 最多 {most} 个字，现有 {len(text)} 个。",
                        f"{name} has {most} characters at most; this has {len(text)}.",
                    )
                body[name] = text
        if said.mobiles is not None:
            body["remark_mobiles"] = list(said.mobiles) or [""]  # an empty list is no change, an empty number clears
        if not body:
            return
        self._client.call(REMARK, body={"userid": userid, "external_userid": external_userid, **body})

    def served(self) -> list[Served]:
        """WeCom doc 99434: everybody whom members served, customers or not."""
        rows, _ = self._client.rows(
            SERVED, {"limit": 1000}, "info_list", lambda row: (row["tmp_openid"], row.get("follow_userid"))
        )
        return [
            Served(
                str(row["tmp_openid"]),
                str(row.get("external_userid") or "") or None,
                str(row.get("follow_userid") or ""),
                instant(row.get("add_time")),
                str(row.get("name") or ""),
            )
            for row in rows
        ]

    def openid_of(self, external_userid: str) -> str:
        """A WeChat user's openid of the corp, which payments ask for."""
        return self._said(OPENID, {"external_userid": external_userid}, "openid")

    def by_unionid(self, unionid: str, openid: str = "") -> str:
        """The customer's `external_userid`. Refused with 610014 for somebody who is no customer of this corp."""
        return self._said(BY_UNIONID, {"unionid": unionid} | ({"openid": openid} if openid else {}), "external_userid")

    def _said(self, api: str, body: Mapping[str, str], name: str) -> str:
        found = self._client.call(api, body=body).get(name)
        if not isinstance(found, str) or not found:
            raise UnexpectedAnswer(api, f"没有 {name}", f"there is no {name}")
        return found


def _customer(api: str, contact: Mapping[str, Any], follow: Mapping[str, Any]) -> Customer:
    """A relation as either reading call writes it: `tag_id` (the corp's tags alone), or `tags` (personal ones too)."""
    added_at = instant(follow.get("createtime"))
    if added_at is None:
        raise UnexpectedAnswer(api, "添加关系没有 createtime", "a relation has no createtime")
    tags = follow.get("tags")
    ids = follow.get("tag_id") if tags is None else [one["tag_id"] for one in tags if one.get("tag_id")]
    personal = None if tags is None else tuple(str(one["tag_name"]) for one in tags if one.get("type") == PERSONAL)
    return Customer(
        external_userid=str(contact["external_userid"]),
        member=str(follow["userid"]),
        kind=int(contact.get("type") or 0),
        unionid=contact.get("unionid") or None,
        added_at=added_at,
        add_way=int(follow.get("add_way") or 0),
        state=follow.get("state") or None,
        tag_ids=tuple(ids or ()),
        name=str(contact.get("name") or ""),
        remark=str(follow.get("remark") or ""),
        description=str(follow.get("description") or ""),
        company=str(follow.get("remark_corp_name") or ""),
        mobiles=tuple(str(one) for one in follow.get("remark_mobiles") or () if one),
        personal_tags=personal,
        corp=str(contact.get("corp_full_name") or contact.get("corp_name") or ""),
        operator=str(follow.get("oper_userid") or ""),
    )
