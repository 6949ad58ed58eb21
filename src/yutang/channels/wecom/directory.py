"""WeCom's directory (docs 90201–90208, 95350, 96067), and whose browser it is (docs 91022, 91023)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from yutang.channels.contracts import RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient

DEPARTMENTS = "department/list"
DEPARTMENT_IDS = "department/simplelist"
DEPARTMENT = "department/get"
MEMBERS = "user/list"
MEMBER_NAMES = "user/simplelist"
MEMBER_IDS = "user/list_id"
MEMBER = "user/get"
BY_MOBILE = "user/getuserid"
TO_OPENID = "user/convert_to_openid"
USER_INFO = "auth/getuserinfo"
USER_DETAIL = "auth/getuserdetail"
ADDRESSES = "getcallbackip"

AUTHORIZE = "https://open.weixin.qq.com/connect/oauth2/authorize"
ACTIVE, DISABLED, NOT_ACTIVATED, LEFT = 1, 2, 4, 5

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Department:
    """A department. `parent` None: it is the highest that the app sees. `name` None: the app may see ids alone."""

    id: int
    parent: int | None
    name: str | None
    order: int = 0
    leaders: tuple[str, ...] = ()


PERSONA = (
    "avatar", "alias", "position", "qr_code", "external_position", "external_corp_name", "external_attr"
)  # fmt: skip
"""What customers see of a member: picture, second name, position, code, and what stands on the card shown outside."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Which parts of `PERSONA` a member `has`, of those that the app is `told`; never what stands in them.

    Apps made since 2022-06-20 are told of neither picture nor code (doc 90201).
    """

    told: frozenset[str]
    has: frozenset[str]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the corp; departments with the main one first. Names are personal data, and kept out of repr.

    `status`: 1 active, 2 disabled, 4 not activated, 5 left; None where the app may see ids alone, as is `name` then.
    `persona`: None where the call tells nothing of it.
    """

    userid: str
    departments: tuple[int, ...]
    name: str | None = field(default=None, repr=False)
    status: int | None = None
    position: str = ""
    persona: Persona | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """A corp's directory as far as the app sees it. `ids_only`: it was told neither names nor who is active."""

    departments: tuple[Department, ...]
    members: tuple[Member, ...]
    ids_only: bool


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose browser it is: a member (`userid`), a customer, or somebody unknown (`openid` alone).

    `ticket`, of a member who agreed to it, opens what is sensitive for half an hour.
    """

    userid: str = ""
    external_userid: str = ""
    openid: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sensitive:
    """What a member agreed to show; empty where they did not."""

    userid: str
    mobile: str = field(repr=False)
    email: str = field(repr=False)
    avatar: str = field(repr=False)


class WeComDirectory:
    """The directory as the app may see it. Userids ignore case; they come as the directory writes them."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def whole(self, told: Told = lambda done, total: None) -> Directory:
        """Every department and member, department by department, since asking for all at once is being withdrawn for
        large corps. Where names may not be read, ids. `told` hears how many departments were read of how many."""
        departments = self.departments()
        try:
            members: dict[str, Member] = {}
            for done, one in enumerate(departments):
                told(done, len(departments))
                members |= {row.userid.casefold(): row for row in self.members(one.id)}
        except RefusedByPlatform as refused:
            if refused.errcode not in errcodes.IDS_ONLY:
                raise
            return Directory(tuple(departments), tuple(self.member_ids()), ids_only=True)
        told(len(departments), len(departments))
        return Directory(tuple(departments), tuple(members.values()), ids_only=False)

    def departments(self, below: int | None = None) -> Sequence[Department]:
        """`department/list`, parents before children; ids alone where names may not be read."""
        params = {} if below is None else {"id": str(below)}
        try:
            rows, api = self._client.call(DEPARTMENTS, params=params).get("department"), DEPARTMENTS
        except RefusedByPlatform as refused:
            if refused.errcode not in errcodes.IDS_ONLY:
                raise
            rows, api = self._client.call(DEPARTMENT_IDS, params=params).get("department_id"), DEPARTMENT_IDS
        return _from_the_top([_department(row, api) for row in rows or []])

    def department(self, number: int) -> Department:
        """`department/get`."""
        return _department(
            self._client.call(DEPARTMENT, params={"id": str(number)}).get("department") or {}, DEPARTMENT
        )

    def members(self, department: int) -> Sequence[Member]:
        """`user/list` of one department, without those below it."""
        rows = self._client.call(MEMBERS, params={"department_id": str(department)}).get("userlist") or []
        return [_member(row, MEMBERS) for row in rows]

    def member_names(self, department: int) -> Sequence[Member]:
        """`user/simplelist`: the same without who is active."""
        rows = self._client.call(MEMBER_NAMES, params={"department_id": str(department)}).get("userlist") or []
        return [_member(row, MEMBER_NAMES) for row in rows]

    def member_ids(self) -> Sequence[Member]:
        """`user/list_id`: ids and departments of all; by the contact-sync secret alone."""
        rows, _ = self._client.rows(
            MEMBER_IDS, {"limit": 10_000}, "dept_user", lambda row: (str(row["userid"]), int(row["department"]))
        )
        found: dict[str, Member] = {}
        for row in rows:
            key, department = str(row["userid"]).casefold(), int(row["department"])
            before = found.get(key, Member(str(row["userid"]), ()))
            found[key] = replace(before, departments=(*before.departments, department))
        return list(found.values())

    def member(self, userid: str) -> Member | None:
        """`user/get`; None for one who is not there, or outside of what the app sees (60111)."""
        try:
            return _member(self._client.call(MEMBER, params={"userid": userid}), MEMBER)
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_SUCH_MEMBER:
                return None
            raise

    def userid_of(self, mobile: str) -> str | None:
        """`user/getuserid`; None where nobody has the number. Wrong guesses are counted: never try numbers out."""
        try:
            return str(self._client.call(BY_MOBILE, body={"mobile": mobile}).get("userid") or "") or None
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_SUCH_MOBILE:
                return None
            raise

    def openid_of(self, userid: str) -> str:
        """`user/convert_to_openid`: by which a member is paid."""
        return str(self._client.call(TO_OPENID, body={"userid": userid}).get("openid") or "")

    def callback_addresses(self) -> Sequence[str]:
        """`getcallbackip`: where the platform's callbacks come from; to be read anew every day."""
        return [str(one) for one in self._client.call(ADDRESSES).get("ip_list") or []]


class WeComVisitors:
    """Whose browser it is, for pages that are opened inside WeCom."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def visitor(self, code: str) -> Visitor | None:
        """`auth/getuserinfo`; None for a code that is unknown, used or too old: send the browser away once more.

        A code works once, so a lost answer costs one more round and nothing else."""
        try:
            answer = self._client.call(USER_INFO, params={"code": code}, repeatable=False)
        except RefusedByPlatform as refused:
            if refused.errcode in errcodes.OAUTH_SPENT:
                return None
            raise
        return Visitor(
            str(answer.get("userid") or ""),
            str(answer.get("external_userid") or ""),
            str(answer.get("openid") or ""),
            str(answer.get("user_ticket") or ""),
        )

    def sensitive(self, ticket: str) -> Sensitive:
        """`auth/getuserdetail`: what the member agreed to show."""
        answer = self._client.call(USER_DETAIL, body={"user_ticket": ticket})
        texts = (str(answer.get(name) or "") for name in ("userid", "mobile", "email", "avatar"))
        return Sensitive(*texts)


def authorize_address(corp: str, agent: int, back_to: str, state: str, *, sensitive: bool = False) -> str:
    """Where a browser inside WeCom is sent, to come back to `back_to` with `code` and `state` (doc 91022)."""
    query = {
        "appid": corp,
        "redirect_uri": back_to,
        "response_type": "code",
        "scope": "snsapi_privateinfo" if sensitive else "snsapi_base",
        "state": state,
        "agentid": str(agent),
    }
    return f"{AUTHORIZE}?{urlencode(query)}#wechat_redirect"


def _department(row: Mapping[str, Any], api: str) -> Department:
    try:
        return Department(
            int(row["id"]),
            int(row.get("parentid") or 0) or None,
            str(row["name"]) if row.get("name") else None,
            int(row.get("order") or 0),
            tuple(str(one) for one in row.get("department_leader") or ()),
        )
    except (KeyError, TypeError, ValueError):
        raise UnexpectedAnswer(api, "有一个部门缺少 id", "a department lacks its id") from None


def _member(row: Mapping[str, Any], api: str) -> Member:
    userid = str(row.get("userid") or "")
    if not userid:
        raise UnexpectedAnswer(api, "有一位成员缺少 userid", "a member lacks their userid")
    departments = [int(one) for one in row.get("department") or ()]
    main = int(row.get("main_department") or 0)
    if main in departments:
        departments = [main, *(one for one in departments if one != main)]
    status = row.get("status")
    return Member(
        userid,
        tuple(departments),
        str(row["name"]) if row.get("name") else None,
        int(status) if status is not None else None,
        str(row.get("position") or ""),
        _persona(row) if status is not None else None,
    )


def _persona(row: Mapping[str, Any]) -> Persona:
    card = row.get("external_profile")
    said = {**row, **card} if isinstance(card, Mapping) else row
    told = {name for name in PERSONA if name in said or (name.startswith("external_") and card is not None)}
    return Persona(frozenset(told), frozenset(name for name in told if said.get(name)))


def _from_the_top(rows: Sequence[Department]) -> list[Department]:
    """Parents before children. The parent of the highest that the app sees is none of ours."""
    by_id = {row.id: row for row in rows}
    below: dict[int | None, list[Department]] = {}
    for row in rows:
        below.setdefault(row.parent if row.parent in by_id else None, []).append(row)
    found: list[Department] = []
    waiting = [replace(row, parent=None) for row in below.get(None, [])]
    while waiting:
        found += waiting
        waiting = [child for row in waiting for child in below.get(row.id, [])]
    return found
