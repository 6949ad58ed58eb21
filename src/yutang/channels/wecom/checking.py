"""Testing a connection in steps, each with a remedy: secret → address → what the app may, family by family → members.

Every probe only reads. What a family's probe is refused for is told with where to put it right; a family that the corp
has not bought is `missing`, and nothing that must be put right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient
from yutang.kernel.clock import business_now
from yutang.kernel.errors import YutangError

MEMBERS = "externalcontact/get_follow_user_list"
SHOWN = 5


class State(StrEnum):
    """GOOD and BAD speak for themselves; MISSING: the corp has not switched it on; SKIPPED: an earlier step failed."""

    GOOD = "good"
    BAD = "bad"
    MISSING = "missing"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what was looked at (`zh`, `en`), how it is, and what to do or what was found."""

    name: str
    zh: str
    en: str
    state: State
    said_zh: str = ""
    said_en: str = ""

    @property
    def told(self) -> tuple[str, str]:
        """What to do, or what was found, in Chinese and in English."""
        return self.said_zh, self.said_en

    @property
    def fine(self) -> bool:
        """Whether nothing must be put right."""
        return self.state is not State.BAD


@dataclass(frozen=True, slots=True)
class Probe:
    """A reading call that shows whether a family may be called. `optional`: a corp may do without it."""

    name: str
    zh: str
    en: str
    api: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


def probes() -> tuple[Probe, ...]:
    """One for each family that this house calls."""
    until = int(business_now().timestamp())
    since = int((business_now() - timedelta(days=1)).timestamp())
    span = {"start_time": since, "end_time": until}
    return (
        Probe("customers", "客户", "Customers", MEMBERS),
        Probe("ways", "渠道活码", "Contact ways", "externalcontact/list_contact_way", {**span, "limit": 100}),
        Probe(
            "mass_send", "群发", "Mass sends", "externalcontact/get_groupmsg_list_v2", {**span, "chat_type": "single"}
        ),
        Probe("tags", "企业标签", "Tags", "externalcontact/get_corp_tag_list", {"tag_id": []}),
        Probe("groups", "客户群", "Customer groups", "externalcontact/groupchat/list", {"limit": 1}),
        Probe("moments", "客户朋友圈", "Moments", "externalcontact/get_moment_list", span),
        Probe("directory", "通讯录", "Directory", "department/simplelist"),
        Probe("links", "获客链接", "Acquisition links", "externalcontact/customer_acquisition_quota", optional=True),
        Probe("service", "微信客服", "Customer service", "kf/account/list", {"offset": 0, "limit": 1}, optional=True),
        Probe("archive", "会话存档", "Session archive", "msgaudit/get_permit_user_list", {}, optional=True),
    )


#: Refusals that speak of the arguments, not of the right to call: the probe has come through.
_THROUGH = frozenset({40003, 40035, 40058, 40063, 41009, 81017, 84061})
_SKIPPED = ("前面的步骤没有通过，先不试。", "An earlier step failed, so this was not tried.")


def check(client: WeComClient, expected: Collection[str]) -> list[Step]:
    """The steps, each tried unless one before it makes that pointless. `expected`: the members whom we have."""
    steps = [_token(client)]
    steps.append(_address(client) if steps[0].fine else _skipped("address", "可信 IP", "Trusted address"))
    blocked = not all(step.fine for step in steps)
    members: Collection[str] | None = None
    for probe in probes():
        if blocked:
            steps.append(_skipped(probe.name, probe.zh, probe.en))
            continue
        step, answer = _try(client, probe)
        steps.append(step)
        if probe.api == MEMBERS and step.state is State.GOOD:
            members = answer.get("follow_user") or []
    steps.append(
        _range(expected, members) if members is not None else _skipped("members", "成员范围", "Members in range")
    )
    return steps


def _token(client: WeComClient) -> Step:
    zh, en = "企业 ID 和 Secret", "Corp id and secret"
    try:
        client.check_secret()
    except YutangError as error:
        return _bad("token", zh, en, error)
    return Step("token", zh, en, State.GOOD, "换到了 access_token。", "An access token was given.")


def _address(client: WeComClient) -> Step:
    """The address is looked at before any right (WeCom doc 90313): whatever else is refused has got past it."""
    zh, en = "可信 IP", "Trusted address"
    try:
        client.call(MEMBERS)
    except RefusedByPlatform as refused:
        if refused.errcode == errcodes.STRANGE_ADDRESS:
            return _bad("address", zh, en, refused)
    except YutangError as error:
        return _bad("address", zh, en, error)
    return Step("address", zh, en, State.GOOD, "平台接受本机的 IP。", "The platform takes calls from this machine.")


def _try(client: WeComClient, probe: Probe) -> tuple[Step, Mapping[str, Any]]:
    try:
        answer = client.call(probe.api, params=probe.params, body=probe.body)
    except RefusedByPlatform as refused:
        if refused.errcode in _THROUGH:
            return _good(probe), {}
        state = State.MISSING if probe.optional else State.BAD
        return Step(probe.name, probe.zh, probe.en, state, refused.zh, refused.en), {}
    except UnexpectedAnswer as error:
        state = State.MISSING if probe.optional else State.BAD
        return Step(probe.name, probe.zh, probe.en, state, error.zh, error.en), {}
    except (TryLater, AnswerLost) as error:
        return _bad(probe.name, probe.zh, probe.en, error), {}
    return _good(probe), answer


def _range(expected: Collection[str], members: Collection[str]) -> Step:
    """Whether every member whom we have may have customers and is seen by the app."""
    zh, en = "成员范围", "Members in range"
    there = {one.casefold() for one in members}
    outside: Sequence[str] = sorted(one for one in expected if one.casefold() not in there)
    if not outside:
        return Step(
            "members",
            zh,
            en,
            State.GOOD,
            f"{len(members)} 位成员有客户联系权限。",
            f"{len(members)} members may have customers.",
        )
    more = "…" if len(outside) > SHOWN else ""
    zh_named, en_named = (joint.join(outside[:SHOWN]) + more for joint in ("、", ", "))
    return Step(
        "members",
        zh,
        en,
        State.BAD,
        f"{len(outside)} 位成员平台看不到（{zh_named}）：请在管理后台「客户联系 → 权限配置」把他们加进使用范围，"
        "并加进应用的可见范围（错误码 84074、60030 就是这个意思）",
        f"{len(outside)} members are out of range ({en_named}): add them to the customer-contact range in the "
        "admin console, and to the app's visible range (that is what errors 84074 and 60030 mean)",
    )


def _good(probe: Probe) -> Step:
    return Step(probe.name, probe.zh, probe.en, State.GOOD, "可以调用。", "May be called.")


def _bad(name: str, zh: str, en: str, error: YutangError) -> Step:
    return Step(name, zh, en, State.BAD, error.zh, error.en)


def _skipped(name: str, zh: str, en: str) -> Step:
    return Step(name, zh, en, State.SKIPPED, *_SKIPPED)
