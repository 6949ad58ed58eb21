"""Corps and how they are connected: another one, from the sandbox to the real platform and back, and testing it.

Owner only. A corp stays where it is while its platform has tasks of ours: nothing more would be heard of them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from yutang.channels.connection import check_connection
from yutang.channels.wecom.checking import Step
from yutang.channels.wecom.client import WeComClient
from yutang.connect.queries import codes_of
from yutang.connect.services import make_anew
from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.organisation import services as organisation
from yutang.organisation.contracts import CallbackSecrets, CorpFacts, CorpMove, RoleName, Viewer
from yutang.organisation.queries import accounts, corps
from yutang.reach.queries import tasks_of

WECOM = "wecom"
REAL = "https://qyapi.weixin.qq.com"
_CORP = re.compile(r"[A-Za-z0-9_-]{3,64}")
_SECRET = re.compile(r"[\x21-\x7e]{8,256}")


@dataclass(frozen=True, slots=True)
class Corps:
    """What the settings page and the shell do with corps. `open_sandbox` gives a corp a place in our sandbox, with the
    secret that it has now; `client` is how its API is called."""

    client: Callable[[CorpFacts], WeComClient]
    open_sandbox: Callable[[CorpFacts], None]

    def all(self, viewer: Viewer) -> list[CorpFacts]:
        """Every corp of WeCom's."""
        _owners_only(viewer)
        return [corp for corp in corps() if corp.channel == WECOM]

    def named(self, viewer: Viewer, corp: str) -> CorpFacts:
        """One of them. Raises NotFound."""
        found = next((one for one in self.all(viewer) if one.corp == corp), None)
        if found is None:
            raise NotFound(f"没有连接企业「{corp[:64]}」。", f"The corp “{corp[:64]}” is not connected.")
        return found

    def check(self, viewer: Viewer, corp: str) -> list[Step]:
        """Test the connection, step by step."""
        facts = self.named(viewer, corp)
        return check_connection(facts, self.client(facts))

    def preview(self, viewer: Viewer, corp: str) -> CorpMove:
        """What it would change to let the corp answer on the other side."""
        facts = self.named(viewer, corp)
        team = accounts(WECOM, corp)
        planned, asked = tasks_of([one.id for one in team])
        return CorpMove(corp, facts.sandboxed, len(team), codes_of(corp), planned, asked)

    def add(self, viewer: Viewer, corp: str, secret: str, *, real: bool) -> CallbackSecrets:
        """Connect another corp: for real with its app's secret, or in our sandbox. What its callbacks are signed with,
        to be shown once. Raises BadInput, Refused for one that is connected already."""
        _owners_only(viewer)
        if not _CORP.fullmatch(corp):
            raise BadInput(
                f"企业 ID「{corp[:64]}」只能有字母、数字、- 和 _，请从管理后台「我的企业」里复制。",
                f"The corp id “{corp[:64]}” may have letters, digits, - and _ only; copy it from 我的企业.",
            )
        with transaction.atomic():
            lock(organisation.TREE)
            if any(one.corp == corp for one in corps()):
                raise Refused(f"企业「{corp}」已经连接了。", f"The corp “{corp}” is connected already.")
            organisation.connect_corp(WECOM, corp, _secret(secret, real), REAL if real else "")
            shown = organisation.expect_callbacks(WECOM, corp)
            organisation.audit(viewer, "connect_corp", corp, real=real)
        self._settle(corp)
        return shown

    def move(self, viewer: Viewer, corp: str, secret: str) -> tuple[CorpMove, CallbackSecrets]:
        """Let a corp answer on the other side: at the real platform with its app's secret, or in our sandbox again,
        which forgets that secret. Its callbacks get a new Token and key, to be shown once."""
        with transaction.atomic():
            lock("reach")
            lock(organisation.TREE)
            move = self.preview(viewer, corp)
            if move.asked:
                raise Refused(
                    f"平台上还有 {move.asked:,} 个群发任务没有结束，换过去就读不到结果。请先停止计划，或等它们结束。",
                    f"The platform still has {move.asked:,} tasks of ours, whose results could not be read from the "
                    "other side. Stop the plans first, or wait until they are over.",
                )
            organisation.connect_corp(WECOM, corp, _secret(secret, move.real), REAL if move.real else "")
            organisation.name_agent(WECOM, corp, None)  # of the app on the other side: to be said anew
            make_anew(corp)
            shown = organisation.expect_callbacks(WECOM, corp, *fresh_pair())
            organisation.audit(viewer, "move_corp", corp, real=move.real, codes=move.codes)
        self._settle(corp)
        return move, shown

    def renew_callbacks(self, viewer: Viewer, corp: str, token: str = "", key: str = "") -> CallbackSecrets:
        """Another Token and key for a corp's callbacks, ours or those that are given; the former count no more."""
        self.named(viewer, corp)
        pair = (token, key) if token or key else fresh_pair()
        shown = organisation.expect_callbacks(WECOM, corp, *pair)
        organisation.audit(viewer, "renew_callbacks", corp)
        self._settle(corp)
        return shown

    def name_agent(self, viewer: Viewer, corp: str, agent: str) -> None:
        """Say which app's secret a corp's is, by its AgentId; empty: not known. Without it staff cannot be told
        anything, and pages of ours cannot act inside WeCom. Raises BadInput, NotFound, Refused."""
        facts = self.named(viewer, corp)
        if facts.sandboxed:
            raise Refused(
                "沙盒的应用是固定的，不用填 AgentId。", "The sandbox has one app of its own; its AgentId is known."
            )
        if agent and not (agent.isascii() and agent.isdecimal() and len(agent) < 10):
            raise BadInput(
                "AgentId 是应用详情页上的一个数字，例如 1000002。",
                "An AgentId is a number on the app's page, such as 1000002.",
            )
        with transaction.atomic():
            organisation.name_agent(WECOM, corp, int(agent) if agent else None)
            organisation.audit(viewer, "name_agent", corp, agent=int(agent) if agent else None)

    def _settle(self, corp: str) -> None:
        facts = next(one for one in corps() if one.corp == corp)
        if facts.sandboxed:
            self.open_sandbox(facts)


def fresh_pair() -> tuple[str, str]:
    """A Token and an EncodingAESKey of the lengths that the platform takes."""
    return secrets.token_hex(16), secrets.token_hex(22)[:43]


def _secret(given: str, real: bool) -> str:
    """The app's secret; of our own sandbox's app one that nobody need know."""
    if not real:
        return secrets.token_urlsafe(24)
    if not _SECRET.fullmatch(given):
        raise BadInput(
            "请填应用的 Secret，从管理后台的应用详情页复制，中间没有空格。",
            "Enter the app's secret, copied from the app's page in the admin console, without blanks.",
        )
    return given


def _owners_only(viewer: Viewer) -> None:
    if viewer.role is not RoleName.OWNER or not viewer.sees_all:
        raise Refused("只有所有者能管理企业的连接。", "Only the owner manages how corps are connected.")
