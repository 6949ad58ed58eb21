"""Changing the organisation."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction

from yutang.kernel import calendars
from yutang.kernel.clock import wall_now
from yutang.kernel.database import is_shared, lock, where
from yutang.kernel.encryption import keyring, wrong_key
from yutang.kernel.errors import BadInput, NotFound, Refused, WrongKey
from yutang.kernel.ids import NodeId, SenderId
from yutang.organisation.contracts import PRESUMED, CallbackSecrets, NodeKind, RoleName, Viewer
from yutang.organisation.models import (
    ApiToken,
    AuditEntry,
    Brand,
    ChannelAccount,
    Corp,
    Node,
    Role,
    SenderAccount,
    Staff,
    User,
)
from yutang.organisation.queries import token_digest

ROOT = "brand"
UNLIMITED = 1_000_000_000
"""The daily quota of an account that has none: whoever sends by it keeps to its rate."""
TREE = "organisation"  # the lock of whoever makes the brand, nodes or accounts by what stands there


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node to be made. `parent` is a code (None: the brand itself); `place` is (latitude, longitude) in degrees."""

    code: str
    name: str
    kind: NodeKind
    parent: str | None = None
    zone: str = ""
    synthetic: bool = False
    place: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class NewSender:
    """A member of staff with one account."""

    store: str
    name: str
    channel: str
    corp: str
    userid: str
    daily_quota: int = 10_000
    synthetic: bool = False


def set_up_brand(
    name: str, currency: str, zone: str, *, country: str = "CN", demo: bool = False, presumed: bool = False
) -> None:
    """Make the brand and the root of its tree. Run again with a brand there, it refuses."""
    _can_be_kept(currency, zone)
    with transaction.atomic():
        lock(TREE)
        if Brand.objects.filter(pk=1).exists():
            raise Refused("品牌已经设置过了。", "The brand is already set up.")
        Brand.objects.create(
            pk=1,
            name=name,
            currency=currency.upper(),
            zone=zone,
            country=country,
            demo=demo,
            presumed=presumed,
            key_fingerprint=keyring().fingerprint(),
        )
        Node.objects.add_root({"kind": NodeKind.BRAND.value, "code": ROOT, "name": name})


def presume_brand() -> bool:
    """Set the brand up with `PRESUMED` where there is none, for its owner to correct; returns whether it did."""
    with transaction.atomic():
        lock(TREE)
        if Brand.objects.filter(pk=1).exists():
            return False
        set_up_brand(PRESUMED.name, PRESUMED.currency, PRESUMED.zone, country=PRESUMED.country, presumed=True)
    return True


def correct_brand(name: str, currency: str, zone: str, *, country: str, currency_fixed: bool) -> None:
    """Say what a presumed brand is; from then on it is what was chosen. `currency_fixed`: amounts were recorded in it.

    Raises Refused for a brand that somebody chose before, and for another currency where it is fixed.
    """
    _can_be_kept(currency, zone)
    with transaction.atomic():
        row = Brand.objects.select_for_update().filter(pk=1, presumed=True).first()
        if row is None:
            raise Refused("品牌已经设置过了。", "The brand is already set up.")
        if currency_fixed and currency.upper() != row.currency:
            raise Refused(
                f"已有以 {row.currency} 记账的数据，币种不能再改。",
                f"There are amounts in {row.currency} already; the currency stays.",
            )
        if not currency_fixed:
            row.currency, row.country = currency.upper(), country
        row.name, row.zone, row.presumed = name, zone, False
        row.save(update_fields=["name", "currency", "zone", "country", "presumed"])
        Node.objects.filter(code=ROOT).update(name=name)


def _can_be_kept(currency: str, zone: str) -> None:
    calendars.zone(zone)
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise BadInput(f"「{currency}」不是币种代码，应类似 CNY。", f"“{currency}” is not a currency code such as CNY.")


def check_key() -> None:
    """Raise WrongKey if this installation's data were encrypted with another key ring, or a later one of the same."""
    found = Brand.objects.filter(pk=1).values_list("key_fingerprint", flat=True).first()
    if found is None or found in keyring().fingerprints():
        return
    if not is_shared():
        raise wrong_key()
    raise WrongKey(
        f"{where()} 里的资料是用另一把密钥加密的，请用它自己的数据目录（YUTANG_DATA），或改正 YUTANG_DATABASE。",
        f"What is in {where()} was encrypted with another key; use its own data directory (YUTANG_DATA, secret.key), "
        "or correct YUTANG_DATABASE.",
    )


def note_keys() -> None:
    """Keep which generation of keys came into use: an older copy of the key file does not open this house any more."""
    Brand.objects.filter(pk=1).update(key_fingerprint=keyring(fresh=True).fingerprint())


def add_nodes(new: Sequence[NewNode]) -> dict[str, NodeId]:
    """Make regions and stores, parents first; those whose code exists are left as they are. Returns ids by code."""
    with transaction.atomic():
        lock(TREE)
        known = {node.code: node for node in Node.objects.all()}
        for item in new:
            if item.code in known:
                continue
            parent = known.get(item.parent or ROOT)
            if parent is None:
                raise BadInput(
                    f"门店「{item.code}」的上级「{item.parent}」不存在。",
                    f"The parent “{item.parent}” of “{item.code}” does not exist.",
                )
            parent.refresh_from_db()
            fields = {"kind": item.kind.value, "code": item.code, "name": item.name, "zone": item.zone}
            where = dict(zip(("latitude", "longitude"), item.place or (None, None), strict=True))
            known[item.code] = Node.objects.add_child(parent, {**fields, **where, "synthetic": item.synthetic})
        return {code: NodeId(node.pk) for code, node in known.items()}


def add_senders(new: Iterable[NewSender]) -> dict[str, SenderId]:
    """Make staff with their accounts; accounts that exist are left as they are. Returns every sender's id by userid."""
    with transaction.atomic():
        lock(TREE)
        stores = {node.code: node.pk for node in Node.objects.all()}
        result = {row.userid: SenderId(row.pk) for row in SenderAccount.objects.all()}
        for item in new:
            if item.store not in stores:
                raise BadInput(
                    f"员工 {item.userid} 的门店「{item.store}」不存在。",
                    f"The store “{item.store}” of staff {item.userid} does not exist.",
                )
            if not SenderAccount.objects.filter(channel=item.channel, corp=item.corp, userid=item.userid).exists():
                staff = Staff.objects.create(node_id=stores[item.store], name=item.name, synthetic=item.synthetic)
                row = SenderAccount.objects.create(
                    staff=staff, channel=item.channel, corp=item.corp, userid=item.userid, daily_quota=item.daily_quota
                )
                result[item.userid] = SenderId(row.pk)
        return result


def add_user(username: str, password: str, role: RoleName, node_code: str = ROOT) -> None:
    """Make a user with one role at one node."""
    with transaction.atomic():
        node = Node.objects.filter(code=node_code).first()
        if node is None:
            raise BadInput(
                f"没有编号为「{node_code}」的门店或区域。", f"There is no store or region with the code “{node_code}”."
            )
        if User.objects.filter(username=username).exists():
            raise BadInput(f"用户「{username}」已存在。", f"The user “{username}” exists already.")
        user = User.objects.create_user(username, password=password)
        Role.objects.create(user=user, node=node, role=role.value)


def set_password(username: str, password: str) -> None:
    """Give a user a new password."""
    user = User.objects.get(username=username)
    user.set_password(password)
    user.one_time = False
    user.save(update_fields=["password", "one_time"])


def require_second_factor(roles: Iterable[RoleName]) -> None:
    """From now on users of these roles, and of no others, must have a second factor."""
    Brand.objects.filter(pk=1).update(second_factor=[role.value for role in roles])


def reset_second_factor(username: str) -> bool:
    """Take a user's second factors away and end their sessions; whether they had any. Raises NotFound."""
    with transaction.atomic():
        user = User.objects.filter(username=username).first()
        if user is None:
            raise NotFound(f"没有用户「{username}」。", f"There is no user “{username}”.")
        gone, _ = Authenticator.objects.filter(user=user).delete()
        end_sessions(username)
    return bool(gone)


def end_sessions(username: str, *, but: str = "") -> int:
    """End a user's sessions, except the one named; returns how many."""
    others = list(UserSession.objects.filter(user__username=username).exclude(session_key=but))
    for session in others:
        session.end()
    return len(others)


def issue_token(name: str, scopes: Sequence[str], role: RoleName = RoleName.OWNER, node_code: str = ROOT) -> str:
    """A new API token; shown once, only its hash is kept."""
    secret = f"yt_{secrets.token_urlsafe(32)}"
    node = Node.objects.get(code=node_code)
    ApiToken.objects.create(name=name, digest=token_digest(secret), scopes=list(scopes), node=node, role=role.value)
    return secret


def connect_corp(channel: str, corp: str, secret: str, address: str = "", agent: int | None = None) -> None:
    """Keep a corp's secret (encrypted) and address; empty address: our own sandbox. `agent`: the number of the app;
    None: as it was."""
    said = {"secret": secret, "address": address, **({} if agent is None else {"agent": agent})}
    Corp.objects.update_or_create(channel=channel, corp=corp, defaults=said)


def name_agent(channel: str, corp: str, agent: int | None) -> None:
    """Keep the number of the app whose secret a corp's is (AgentId); None: it is not known."""
    if agent is not None and not 0 < agent < 2**31:
        raise BadInput("AgentId 是应用详情页上的一个数字，例如 1000002。", "An AgentId is a number such as 1000002.")
    if not Corp.objects.filter(channel=channel, corp=corp).update(agent=agent):
        raise BadInput(f"还没有连接企业「{corp[:64]}」。", f"The corp “{corp[:64]}” is not connected.")


def keep_channel_account(
    kind: str, channel: str, corp: str, title: str, node_code: str, settings: Mapping[str, str], *, cost: Decimal,
    per_second: float, on: bool,
) -> None:  # fmt: skip
    """Keep an account by which the brand speaks itself, with the sender that plans know it as; new, or changed.

    Raises BadInput for a node that is not there, Refused for a name that another kind of account has.
    """
    with transaction.atomic():
        lock(TREE)
        node = Node.objects.filter(code=node_code).first()
        if node is None:
            raise BadInput(
                f"没有编号为「{node_code}」的门店或区域。", f"There is no store or region with the code “{node_code}”."
            )
        row = ChannelAccount.objects.filter(channel=channel, corp=corp).select_related("sender__staff").first()
        if row is not None and row.kind != kind:
            raise Refused(
                f"「{corp}」已经是另一种账号（{row.kind}），请换一个代号。",
                f"“{corp}” is an account of another kind ({row.kind}); choose another name.",
            )
        kept = json.dumps(dict(settings), ensure_ascii=False)
        if row is None:
            staff = Staff.objects.create(node=node, name=title)
            sender = SenderAccount.objects.create(
                staff=staff, channel=channel, corp=corp, userid=corp, daily_quota=UNLIMITED, active=on
            )
            ChannelAccount.objects.create(
                kind=kind, channel=channel, corp=corp, sender=sender, settings=kept, token=secrets.token_urlsafe(24),
                cost=cost, per_second=per_second,
            )  # fmt: skip
            return
        row.settings, row.cost, row.per_second = kept, cost, per_second
        row.save(update_fields=["settings", "cost", "per_second"])
        row.sender.staff.name, row.sender.staff.node = title, node
        row.sender.staff.save(update_fields=["name", "node"])
        SenderAccount.objects.filter(pk=row.sender.pk).update(active=on)


def expect_callbacks(channel: str, corp: str, token: str = "", key: str = "") -> CallbackSecrets:
    """Keep by what a corp's callbacks are signed and encrypted; without them, make some where none are kept yet.

    `token`: at most 32 letters and digits; `key`: 43 (WeCom doc 90930). Raises BadInput.
    """
    with transaction.atomic():
        row = Corp.objects.select_for_update().filter(channel=channel, corp=corp).first()
        if row is None:
            raise BadInput(f"还没有连接企业「{corp}」。", f"The corp “{corp}” is not connected.")
        if token or key:
            plain = token.isascii() and token.isalnum() and key.isascii() and key.isalnum()
            if not plain or len(token) > 32 or len(key) != 43:
                raise BadInput(
                    "Token 至多 32 位、EncodingAESKey 正好 43 位，都只有英文字母和数字，请从管理后台重新复制。",
                    "A Token has at most 32 letters and digits, an EncodingAESKey exactly 43; copy both again.",
                )
            row.callback_token, row.callback_key = token, key
        elif not row.callback_token or not row.callback_key:
            row.callback_token, row.callback_key = secrets.token_hex(16), secrets.token_hex(22)[:43]
        row.save(update_fields=["callback_token", "callback_key"])
        return CallbackSecrets(channel, corp, not row.address, row.callback_token, row.callback_key)


def print_password(username: str) -> str | None:
    """A fresh one-time password for a user who has not chosen their own; None for one who has, or who is not there."""
    user = User.objects.filter(username=username, one_time=True).first()
    if user is None:
        return None
    password = secrets.token_urlsafe(9)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def add_owner(username: str = "owner") -> None:
    """Make the owner, whose password is printed at each start until they choose their own."""
    if not User.objects.filter(username=username).exists():
        add_user(username, secrets.token_urlsafe(24), RoleName.OWNER)
        User.objects.filter(username=username).update(one_time=True)


def demo_loaded(done: bool | None = None) -> bool:
    """Whether the demo's data are in, whole; with `done`, note it."""
    if done is not None:
        Brand.objects.filter(pk=1).update(demo_loaded=done)
    return Brand.objects.filter(pk=1, demo_loaded=True).exists()


def unfinished_demo() -> bool:
    """Whether a demo was begun here and not finished."""
    return Brand.objects.filter(pk=1, demo=True, demo_loaded=False).exists()


def audit(viewer: Viewer, verb: str, subject: str, **detail: object) -> None:
    """Note who did what. `detail` must not hold PII."""
    AuditEntry.objects.create(actor=viewer.name, verb=verb, subject=subject, detail=detail)


def step_clock(at: datetime | None, rate: float = 1.0) -> None:
    """Set the business clock to an instant (stepped from there), or to the wall clock (None)."""
    Brand.objects.filter(pk=1).update(clock_at=at, clock_rate=rate, clock_until=None, clock_heading=None)


def revoke_tokens(name: str) -> None:
    """Make every token of that name useless."""
    ApiToken.objects.filter(name=name, revoked_at=None).update(revoked_at=wall_now())
