"""Reading the organisation, and `visible_to`: what a viewer may see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import IntegerField, Q
from django.db.models.functions import Cast

from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import NodeId, SenderId, StaffId
from yutang.organisation.contracts import (
    PRESUMED,
    AccountFacts,
    AccountState,
    AuditFacts,
    BrandFacts,
    CallbackSecrets,
    ChannelAccountFacts,
    CorpFacts,
    DepartmentFacts,
    NodeFacts,
    NodeKind,
    PasskeyFacts,
    RoleName,
    SecondFactors,
    SenderFacts,
    SenderQuota,
    SessionFacts,
    StoreName,
    TokenFacts,
    UserFacts,
    Viewer,
)
from yutang.organisation.models import (
    ApiToken,
    AuditEntry,
    Brand,
    ChannelAccount,
    Corp,
    Department,
    Node,
    Role,
    SenderAccount,
    Staff,
    User,
)

OWNER = Viewer("owner", RoleName.OWNER, None)
_SECOND = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes alone are none
SANDBOX_AGENT = 1_000_002  # the app of our own sandbox
_RANK = {role: rank for rank, role in enumerate(RoleName)}


def brand() -> BrandFacts:
    """The brand's settings. Raises Refused before set-up."""
    row = Brand.objects.filter(pk=1).first()
    if row is None:
        raise Refused(
            "还没有设置品牌，请先运行 yutang up 并打开设置页。",
            "The brand is not set up yet; run yutang up and open its set-up page.",
        )
    return BrandFacts(
        row.name, row.currency, row.zone, row.country, row.demo, row.presumed, frozenset(row.second_factor)
    )


def brand_or_presumed() -> BrandFacts:
    """The brand's settings, or what they are taken to be before set-up."""
    return brand() if is_set_up() else PRESUMED


def tree_version() -> int:
    """Grows with what a directory changes of the nodes; 0 before set-up."""
    return Brand.objects.filter(pk=1).values_list("tree", flat=True).first() or 0


def brand_currency() -> str | None:
    """The one currency in which this installation adds up; None before set-up."""
    return Brand.objects.filter(pk=1).values_list("currency", flat=True).first()


def is_set_up() -> bool:
    """Whether this data directory has a brand."""
    return Brand.objects.filter(pk=1).exists()


def nodes() -> list[NodeFacts]:
    """The whole tree, parents first, zones resolved by inheritance. (Unscoped: all staff know the stores' names.)"""
    zones: dict[str, tuple[NodeId, str]] = {}
    result = []
    default, kinds = brand().zone, {kind.value: kind for kind in NodeKind}
    columns = ("pk", "path", "kind", "code", "name", "zone", "latitude", "longitude", "made_up")
    rows = Node.objects.annotate(made_up=Cast("synthetic", IntegerField()))  # for a truth Python looks through each row
    for pk, path, kind, code, name, own, north, east, made_up in rows.order_by("path").values_list(*columns):
        parent, inherited = zones.get(path[: -Node.steplen], (None, default))
        zone = own or inherited
        zones[path] = (NodeId(pk), zone)
        place = None if north is None or east is None else (north, east)
        result.append(NodeFacts(NodeId(pk), parent, kinds[kind], code, name, zone, bool(made_up), place))
    return result


def roots(viewer: Viewer, tree: Sequence[NodeFacts]) -> list[NodeFacts]:
    """The topmost places of a tree that a viewer sees."""
    seen = {node.id for node in tree if viewer.sees(node.id)}
    return [node for node in tree if node.id in seen and node.parent not in seen]


def node_by_code(code: str) -> NodeFacts:
    """The node with a code. Raises NotFound."""
    for node in nodes():
        if node.code == code:
            return node
    raise NotFound(f"没有编号为「{code}」的门店或区域。", f"There is no store or region with the code “{code}”.")


def stores(viewer: Viewer) -> list[StoreName]:
    """The stores that a viewer sees, as they stand in the tree; without zones, which ask for the whole of it."""
    rows = Node.objects.filter(kind=NodeKind.STORE.value).order_by("path")
    rows = rows if viewer.nodes is None else rows.filter(pk__in=viewer.nodes)
    return [StoreName(NodeId(pk), code, name) for pk, code, name in rows.values_list("pk", "code", "name")]


def node_names(wanted: Iterable[NodeId]) -> dict[NodeId, str]:
    """What these stores and regions are called. (Unscoped: all staff know the stores' names.)"""
    rows = Node.objects.filter(pk__in=set(wanted)).values_list("pk", "name")
    return {NodeId(pk): name for pk, name in rows}


def senders(viewer: Viewer, only: Iterable[SenderId] | None = None) -> list[SenderFacts]:
    """The sender accounts (`only` these, or all) that a viewer may see, by id."""
    rows = SenderAccount.objects.select_related("staff").order_by("pk")
    rows = rows if only is None else rows.filter(pk__in=list(only))
    if viewer.nodes is not None:
        rows = rows.filter(staff__node_id__in=viewer.nodes)
    return [
        SenderFacts(
            SenderId(row.pk),
            StaffId(row.staff.pk),
            NodeId(row.staff.node_id),
            row.channel,
            row.corp,
            row.userid,
            row.staff.name or "",
            row.daily_quota,
            row.active and row.staff.active,
            row.staff.synthetic,
        )
        for row in rows
    ]


def account_states(viewer: Viewer, channel: str) -> list[AccountState]:
    """How the accounts of a channel stand that a viewer may see, by id; no name is opened, so thousands are quick."""
    rows = SenderAccount.objects.filter(channel=channel).order_by("pk")
    if viewer.nodes is not None:
        rows = rows.filter(staff__node_id__in=viewer.nodes)
    columns = rows.values_list(
        "pk", "staff_id", "staff__node_id", "channel", "corp", "userid", "active", "staff__active", "standing",
        "daily_quota", "staff__synthetic", "persona",
    )  # fmt: skip
    found = []
    for pk, staff, node, of_channel, corp, userid, active, there, standing, quota, synthetic, persona in columns:
        told, has = (frozenset((persona or {}).get(name, ())) for name in ("told", "has"))
        found.append(
            AccountState(
                SenderId(pk), StaffId(staff), NodeId(node), of_channel, corp, userid, active and there, standing,
                quota, synthetic, told, has,
            )
        )  # fmt: skip
    return found


def staff_names(viewer: Viewer, wanted: Iterable[StaffId]) -> dict[StaffId, str]:
    """What those of these members of staff are called whom the viewer sees. Show names, never store them."""
    rows = Staff.objects.filter(pk__in=list(wanted))
    if viewer.nodes is not None:
        rows = rows.filter(node_id__in=viewer.nodes)
    return {StaffId(row.pk): row.name or "" for row in rows}


def posts(viewer: Viewer) -> dict[StaffId, NodeId]:
    """Where each member of staff whom the viewer sees stands now; without names, since thousands are opened slowly."""
    rows = Staff.objects.order_by("pk")
    if viewer.nodes is not None:
        rows = rows.filter(node_id__in=viewer.nodes)
    return {StaffId(staff): NodeId(node) for staff, node in rows.values_list("pk", "node_id")}


class Home(NamedTuple):
    """An account that can speak, whose it is and at which node they are, without their name."""

    sender: SenderId
    staff: StaffId
    node: NodeId
    channel: str
    corp: str
    userid: str
    active: bool


class Place(NamedTuple):
    """A node of the tree, for those who go through all of it. `zone` is resolved by inheritance."""

    id: NodeId
    parent: NodeId | None
    kind: NodeKind
    code: str
    name: str
    zone: str


def homes(viewer: Viewer, *, userid: str | None = None, staff: StaffId | None = None) -> list[Home]:
    """Every account that a viewer may see (called so, or of one member of staff), by id: what `senders` tells, but for
    what takes long with thousands."""
    rows = SenderAccount.objects.order_by("pk")
    rows = rows if userid is None else rows.filter(userid=userid)
    rows = rows if staff is None else rows.filter(staff=staff)
    if viewer.nodes is not None:
        rows = rows.filter(staff__node_id__in=viewer.nodes)
    names = ("pk", "staff_id", "staff__node_id", "channel", "corp", "userid", "active", "staff__active")
    return [
        Home(SenderId(pk), StaffId(staff), NodeId(node), channel, corp, userid, active and employed)
        for pk, staff, node, channel, corp, userid, active, employed in rows.values_list(*names)
    ]


def places() -> list[Place]:
    """What `nodes` tells, quickly: parents first. (Unscoped as `nodes` is.)"""
    by_path: dict[str, tuple[NodeId | None, str]] = {"": (None, brand_or_presumed().zone)}
    found = []
    for pk, path, kind, code, name, own in Node.objects.order_by("path").values_list(
        "pk", "path", "kind", "code", "name", "zone"
    ):
        parent, inherited = by_path.get(path[: -Node.steplen], (None, by_path[""][1]))
        by_path[path] = NodeId(pk), own or inherited
        found.append(Place(NodeId(pk), parent, NodeKind(kind), code, name, own or inherited))
    return found


def accounts(channel: str, corp: str | None, userids: Iterable[str] | None = None) -> list[AccountFacts]:
    """The active accounts of a corp (None: of all), by id, without names; of these userids, whose case matters not.

    (Unscoped: routing and callbacks read it, which show it to nobody.)
    """
    rows = SenderAccount.objects.filter(channel=channel, active=True, staff__active=True)
    rows = rows if corp is None else rows.filter(corp=corp)
    if userids is not None:
        chosen = Q(pk=None)
        for userid in userids:
            chosen |= Q(userid__iexact=userid)
        rows = rows.filter(chosen)
    found = rows.order_by("pk").values_list("pk", "staff__node_id", "staff__node__code", "corp", "userid")
    return [AccountFacts(SenderId(pk), NodeId(node), code, name, userid) for pk, node, code, name, userid in found]


def account_of(channel: str, corp: str, userid: str) -> AccountFacts | None:
    """One account by its userid, whose case matters not, whether active or not. (Unscoped as `accounts` is.)"""
    rows = SenderAccount.objects.filter(channel=channel, corp=corp, userid__iexact=userid).order_by("pk")
    found = rows.values_list("pk", "staff__node_id", "staff__node__code", "corp", "userid").first()
    if found is None:
        return None
    pk, node, code, name, named = found
    return AccountFacts(SenderId(pk), NodeId(node), code, name, named)


def accounts_of_channels() -> list[tuple[str, AccountFacts]]:
    """Every active account with its channel, as `accounts` tells them. (Unscoped as those are.)"""
    rows = SenderAccount.objects.filter(active=True, staff__active=True).order_by("pk")
    found = rows.values_list("channel", "pk", "staff__node_id", "staff__node__code", "corp", "userid")
    return [
        (channel, AccountFacts(SenderId(pk), NodeId(node), code, corp, userid))
        for channel, pk, node, code, corp, userid in found
    ]


def channel_accounts() -> list[ChannelAccountFacts]:
    """Every account by which the brand speaks itself, by kind and name. (Unscoped: it names no person; pages show it to
    headquarters, without its secrets.)"""
    rows = ChannelAccount.objects.select_related("sender__staff__node").order_by("kind", "corp")
    return [
        ChannelAccountFacts(
            row.kind, row.channel, row.corp, row.sender.staff.name or "", row.sender.staff.node.code, row.sender.active,
            row.cost, row.per_second, SenderId(row.sender.pk), json.loads(row.settings or "{}"), row.token or "",
        )
        for row in rows
    ]  # fmt: skip


def channel_account(channel: str, corp: str) -> ChannelAccountFacts | None:
    """One of them. (Unscoped as all of them are.)"""
    return next((one for one in channel_accounts() if (one.channel, one.corp) == (channel, corp)), None)


def callback_secrets(channel: str, corp: str) -> CallbackSecrets | None:
    """By what a corp's callbacks are checked; None for a corp that is not connected or takes none. (Unscoped: only the
    callback's door reads it.)"""
    row = Corp.objects.filter(channel=channel, corp=corp).first()
    if row is None or not row.callback_token or not row.callback_key:
        return None
    return CallbackSecrets(channel, corp, not row.address, row.callback_token, row.callback_key)


def quotas() -> list[SenderQuota]:
    """How many recipients every sender account may have in a day, by id. (Unscoped: whoever plans counts for all.)"""
    columns = ("pk", "active", "staff__active", "daily_quota")
    rows = SenderAccount.objects.order_by("pk").values_list(*columns)
    return [SenderQuota(SenderId(pk), active and employed, daily) for pk, active, employed, daily in rows]


def corps() -> list[CorpFacts]:
    """The corps whose API this installation calls. (Unscoped: only the composition reads it.)"""
    return [
        CorpFacts(
            row.channel,
            row.corp,
            row.secret or "",
            row.address,
            row.agent if row.agent is not None or row.address else SANDBOX_AGENT,
        )
        for row in Corp.objects.order_by("pk")
    ]


def departments(corp: str | None = None) -> list[DepartmentFacts]:
    """The departments of the directories as they were last read, by corp and number. (Unscoped: headquarters alone is
    shown them.)"""
    rows = Department.objects.filter(gone=False).order_by("corp", "number")
    return [
        DepartmentFacts(
            row.channel,
            row.corp,
            row.number,
            row.parent,
            row.name,
            None if row.node_id is None else NodeId(row.node_id),
            row.by_hand,
        )
        for row in (rows if corp is None else rows.filter(corp=corp))
    ]


def stores_below(corp: str) -> int | None:
    """The department of a corp below which stores are made; None: none."""
    return Corp.objects.filter(corp=corp).values_list("stores_below", flat=True).first()


def viewer_for(user: User) -> Viewer:
    """What a logged-in user may see: the union of the subtrees of their roles, with the strongest role's rights.

    Raises Refused for a user without any role.
    """
    roles = list(Role.objects.filter(user=user).select_related("node"))
    if not roles:
        raise Refused("这个账号还没有角色，请联系管理员。", "This account has no role yet; ask an administrator.")
    strongest = min((RoleName(role.role) for role in roles), key=lambda name: _RANK[name])
    return Viewer(user.username, strongest, _subtrees([role.node for role in roles]))


def viewer_named(username: str) -> Viewer:
    """The viewer of a user's name (for `--as`). Raises NotFound."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(f"没有用户「{username}」。", f"There is no user “{username}”.")
    return viewer_for(user)


def viewer_by_token(secret: str) -> tuple[Viewer, frozenset[str]] | None:
    """The viewer and the scopes of an API token; None for a token that is unknown or revoked."""
    row = ApiToken.objects.filter(digest=token_digest(secret), revoked_at=None).select_related("node").first()
    if row is None:
        return None
    return Viewer(f"token:{row.name}", RoleName(row.role), _subtrees([row.node])), frozenset(row.scopes)


def users(required: frozenset[str]) -> list[UserFacts]:
    """Everybody who may log in, by name; `required`: roles that must have a second factor. (Unscoped: only the owner is
    shown them.)"""
    safe = set(Authenticator.objects.filter(type__in=_SECOND).values_list("user_id", flat=True))
    roles: dict[int, list[RoleName]] = {}
    for user, role in Role.objects.order_by("pk").values_list("user_id", "role"):
        roles.setdefault(user, []).append(RoleName(role))
    return [
        UserFacts(
            username,
            tuple(roles.get(pk, ())),
            last_login,
            pk in safe,
            not required.isdisjoint(roles.get(pk, ())),
        )
        for pk, username, last_login in User.objects.filter(is_active=True)
        .order_by("username")
        .values_list("pk", "username", "last_login")
    ]


def has_second_factor(username: str) -> bool:
    """Whether a user has one. (Unscoped: asked of oneself.)"""
    return bool(Authenticator.objects.filter(user__username=username, type__in=_SECOND).exists())


def second_factors(username: str) -> SecondFactors:
    """A user's second factors. (Unscoped: one's own.)"""
    rows = list(Authenticator.objects.filter(user__username=username).order_by("pk"))
    keys = [row for row in rows if row.type == Authenticator.Type.WEBAUTHN]
    codes = [row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES]
    return SecondFactors(
        any(row.type == Authenticator.Type.TOTP for row in rows),
        tuple(
            PasskeyFacts(row.pk, row.wrap().name, row.wrap().is_passwordless is True, row.created_at, row.last_used_at)
            for row in keys
        ),
        len(codes[0].wrap().get_unused_codes()) if codes else None,
    )


def sessions(username: str) -> list[SessionFacts]:
    """Where a user is logged in, the oldest first. (Unscoped: one's own.)"""
    user = User.objects.get(username=username)
    rows = sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.created_at)
    return [SessionFacts(row.session_key, row.ip, row.user_agent, row.created_at) for row in rows]


def tokens() -> list[TokenFacts]:
    """Every API token, the newest first. (Unscoped: only the owner is shown them.)"""
    return [
        TokenFacts(row.name, tuple(row.scopes), RoleName(row.role), row.created_at, row.revoked_at)
        for row in ApiToken.objects.order_by("-pk")
    ]


def token_digest(secret: str) -> bytes:
    """What is kept of a token (its entropy is 256 bits, so a plain hash suffices)."""
    return hashlib.sha256(secret.encode()).digest()


def _subtrees(roots: list[Node]) -> frozenset[NodeId] | None:
    if any(root.depth == 1 for root in roots):
        return None
    below = Q()
    for root in roots:
        below |= Q(path__startswith=root.path)
    return frozenset(NodeId(pk) for pk in Node.objects.filter(below).values_list("pk", flat=True))


def audit_entries(
    viewer: Viewer, *, verb: str = "", actor: str = "", limit: int = 50, offset: int = 0
) -> tuple[int, list[AuditFacts]]:
    """How many entries the audit has (of a verb, of an actor), and one page of them, newest first. Only the owner."""
    if viewer.role is not RoleName.OWNER or not viewer.sees_all:
        raise Refused("只有所有者能看审计。", "Only the owner reads the audit.")
    rows = AuditEntry.objects.order_by("-pk")
    rows = rows.filter(verb=verb) if verb else rows
    rows = rows.filter(actor=actor) if actor else rows
    shown = rows[offset : offset + limit]
    return rows.count(), [AuditFacts(row.at, row.actor, row.verb, row.subject, row.detail) for row in shown]


def audit_verbs() -> list[str]:
    """Every verb that the audit knows. (Unscoped because a verb tells of nobody.)"""
    return sorted(AuditEntry.objects.values_list("verb", flat=True).distinct())
