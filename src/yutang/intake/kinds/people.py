"""Lists of people and what is known of them: each row comes to events of the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from yutang.intake.kinds.contracts import BadRow, Context, Kind, Line, Told
from yutang.intake.parsing import Why
from yutang.kernel.calendars import zone
from yutang.kernel.errors import BadInput

IDENTITY = ("member", "phone", "email", "external_userid", "unionid", "openid")
_PARTS = re.compile(r"[,，;；、|/\n]+")
_YES = frozenset("1,true,yes,y,t,granted,subscribed,opted-in,是,有,同意,已同意,授权,已授权".split(","))  # noqa: SIM905
_NO = frozenset(
    "0,false,no,n,f,withdrawn,unsubscribed,opted-out,否,无,不同意,未同意,拒绝,撤回,已撤回,取消,未授权".split(",")  # noqa: SIM905
)
_UNKNOWN_STORE: Why = "组织里没有这个门店编码", "the organisation has no store of that code"
_UNKNOWN_STAFF: Why = "没有这个员工账号（userid）", "there is no staff account of that userid"
_BACKWARDS: Why = "早于开始的时间", "it is before the time at which it began"
_NO_ZONE: Why = "没有这个时区，应类似 Asia/Shanghai", "there is no such zone; write one such as Asia/Shanghai"
_LONG_TAG: Why = "标签超过 64 个字", "a tag has at most 64 characters"


def _said(line: Line, *names: str) -> dict[str, object]:
    return {name: line.words[name] for name in names if name in line.words}


def _tags(line: Line, at: datetime) -> Iterator[Told]:
    for tag in dict.fromkeys(part.strip() for part in _PARTS.split(line.words.get("tags", ""))):
        if len(tag) > 64:
            raise BadRow("tags", _LONG_TAG)
        if tag:
            yield Told("tag.added", at, {"tag": tag})


def _person(line: Line, context: Context) -> Iterator[Told]:
    at = line.times.get("seen_at", context.as_of)
    props = _said(line, "name", "gender", "birthday", "zone")
    if "zone" in line.words:
        try:
            zone(line.words["zone"])
        except BadInput:
            raise BadRow("zone", _NO_ZONE) from None
    home = line.words.get("home_store")
    if home is not None and home not in context.stores:
        raise BadRow("home_store", _UNKNOWN_STORE)
    if home is not None:
        props["home_store"] = home
    yield Told("person.seen", at, props, store=home)
    yield from _tags(line, at)


def _relation(line: Line, context: Context) -> Iterator[Told]:
    staff = line.words["staff"]
    if staff not in context.staff:
        raise BadRow("staff", _UNKNOWN_STAFF)
    added, lost = line.times["added_at"], line.times.get("lost_at")
    if lost is not None and lost < added:
        raise BadRow("lost_at", _BACKWARDS)
    yield Told("relation.added", added, _said(line, "way"), staff=staff)
    if lost is not None:
        yield Told("relation.lost", lost, {}, staff=staff)
    if "name" in line.words:
        yield Told("person.seen", added, _said(line, "name"))


def _group(line: Line, context: Context) -> Iterator[Told]:
    joined, left = line.times["joined_at"], line.times.get("left_at")
    if left is not None and left < joined:
        raise BadRow("left_at", _BACKWARDS)
    props = _said(line, "group")
    if "group_name" in line.words:
        props["name"] = line.words["group_name"]
    yield Told("group.joined", joined, props)
    if left is not None:
        yield Told("group.left", left, _said(line, "group"))
    if "name" in line.words:
        yield Told("person.seen", joined, _said(line, "name"))


def _coupon(line: Line, context: Context) -> Iterator[Told]:
    issued, redeemed = line.times.get("issued_at"), line.times.get("redeemed_at")
    if issued is None and redeemed is None:
        raise BadRow("issued_at", ("既没有发券时间，也没有核销时间", "it says neither when it was issued nor redeemed"))
    if issued is not None and redeemed is not None and redeemed < issued:
        raise BadRow("redeemed_at", _BACKWARDS)
    props = _said(line, "coupon", "campaign")
    store = line.words.get("store")
    if store is not None and store not in context.stores:
        raise BadRow("store", _UNKNOWN_STORE)
    if issued is not None:
        yield Told("coupon.issued", issued, props)
    if redeemed is not None:
        yield Told("coupon.redeemed", redeemed, props, store=store)


def _consent(line: Line, context: Context) -> Iterator[Told]:
    said = line.words["granted"].strip().lower()
    if said not in _YES and said not in _NO:
        raise BadRow(
            "granted", ("看不出是同意还是不同意，应写 是 或 否", "it is neither a yes nor a no; write yes or no")
        )
    props = _said(line, "purpose", "channel", "proof")
    for name, most in (("purpose", 24), ("channel", 16)):
        if len(line.words[name]) > most:
            raise BadRow(name, (f"超过 {most} 个字符", f"it has at most {most} characters"))
    yield Told("consent.given" if said in _YES else "consent.withdrawn", line.times["at"], props)


def _partner(line: Line, context: Context) -> Iterator[Told]:
    at = line.times.get("seen_at", context.as_of)
    yield Told("partner.listed", at, _said(line, "partner", "basis", "campaign"))
    if "name" in line.words:
        yield Told("person.seen", at, _said(line, "name"))
    yield from _tags(line, at)


def _invite(line: Line, context: Context) -> Iterator[Told]:
    yield Told("invite.joined", line.times["invited_at"], _said(line, "inviter", "by"))
    if "name" in line.words:
        yield Told("person.seen", line.times["invited_at"], _said(line, "name"))


PERSONS = Kind(
    "persons", "客户", "persons", (), IDENTITY,
    ("name", "home_store", "tags", "zone", "gender", "birthday", "seen_at"),
    constants=("home_store", "tags", "zone", "seen_at"), tell=_person,
)  # fmt: skip
RELATIONS = Kind(
    "relations", "好友关系", "friendships", ("staff", "added_at"), IDENTITY, ("lost_at", "name"), tell=_relation,
    constants=("staff",),
)  # fmt: skip
GROUPS = Kind(
    "groups", "群成员", "group members", ("group", "joined_at"), IDENTITY, ("left_at", "group_name", "name"),
    constants=("group", "group_name"), tell=_group,
)  # fmt: skip
COUPONS = Kind(
    "coupons", "优惠券", "coupons", ("coupon",), IDENTITY, ("campaign", "store"), one_of=("issued_at", "redeemed_at"),
    constants=("coupon", "campaign", "store"), tell=_coupon,
)  # fmt: skip
CONSENT = Kind(
    "consent", "同意记录", "consent", ("purpose", "channel", "granted", "at", "proof"), IDENTITY, (),
    constants=("purpose", "channel", "granted", "at", "proof"), tell=_consent,
)  # fmt: skip
PARTNERS = Kind(
    "partners", "伙伴名单", "partner lists", ("partner", "tags", "basis"), IDENTITY, ("name", "campaign", "seen_at"),
    constants=("partner", "tags", "basis", "campaign", "seen_at"), tell=_partner,
)  # fmt: skip
INVITES = Kind(
    "invites", "老带新", "who brought whom", ("inviter", "invited_at"), IDENTITY, ("by", "name"), constants=("by",),
    tell=_invite,
)  # fmt: skip
