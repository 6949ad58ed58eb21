"""What other rooms see of the organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from yutang.kernel.ids import NodeId, SenderId, StaffId


class NodeKind(StrEnum):
    BRAND = "brand"
    REGION = "region"
    STORE = "store"


class RoleName(StrEnum):
    OWNER = "owner"
    OPERATOR = "operator"
    MANAGER = "manager"
    GUIDE = "guide"
    ANALYST = "analyst"


@dataclass(frozen=True, slots=True)
class BrandFacts:
    """The brand's settings. `zone` is the zone of reports and of everyone whose store names none.

    `presumed`: they are the defaults, with which a command set the brand up; its owner may still correct them.
    `second_factor`: roles whose users must have one to go on.
    """

    name: str
    currency: str
    zone: str
    country: str
    demo: bool
    presumed: bool = False
    second_factor: frozenset[str] = frozenset()


PRESUMED = BrandFacts("我的品牌", "CNY", "Asia/Shanghai", "CN", demo=False, presumed=True)
"""What a brand is taken to be until somebody says."""


@dataclass(frozen=True, slots=True)
class CorpFacts:
    """A corp and how its API is reached. `address` empty: the sandbox of this installation. `agent`: the number of the
    app whose secret it is; None where nobody said it."""

    channel: str
    corp: str
    secret: str = field(repr=False)
    address: str = ""
    agent: int | None = None

    @property
    def sandboxed(self) -> bool:
        """Whether it is our own sandbox."""
        return not self.address


@dataclass(frozen=True, slots=True)
class CorpMove:
    """What it changes to let a corp answer elsewhere: at the `real` platform, or in our own sandbox.

    `members`: our accounts of it, whose userids must be known there. `codes`: contact ways that are made anew, since
    those of the other side lead nowhere. `planned`: tasks not yet asked for, which will be asked for there. `asked`:
    tasks that the other side has, of which nothing more would be heard; while there are any, the corp stays.
    """

    corp: str
    real: bool
    members: int
    codes: int
    planned: int
    asked: int


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node of the tree with its zone resolved. Its place is (latitude, longitude) in degrees, where it is known."""

    id: NodeId
    parent: NodeId | None
    kind: NodeKind
    code: str
    name: str
    zone: str
    synthetic: bool
    place: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class StoreName:
    """A store, for those who choose one."""

    id: NodeId
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account that can speak, without whose it is: what the fast lanes need of `SenderFacts`."""

    id: SenderId
    store: NodeId
    store_code: str
    corp: str
    userid: str


@dataclass(frozen=True, slots=True)
class DepartmentFacts:
    """A department of a corp's directory. `node`: which region or store it is, None where it is none that we know.
    `by_hand`: a person said so."""

    channel: str
    corp: str
    number: int
    parent: int | None
    name: str
    node: NodeId | None
    by_hand: bool


@dataclass(frozen=True, slots=True)
class CallbackSecrets:
    """What a platform signs (`token`) and encrypts (`key`, 43 characters) a corp's callbacks with."""

    channel: str
    corp: str
    sandboxed: bool
    token: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChannelAccountFacts:
    """An account by which the brand speaks itself, with all that its connector must know. `node` is a code: whose
    customers it writes to. `settings` and `token` are secrets: never show them."""

    kind: str
    channel: str
    corp: str
    title: str
    node: str
    on: bool
    cost: Decimal
    per_second: float
    sender: SenderId
    settings: Mapping[str, str] = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """An account that can speak, with whose it is and where. `name` is personal data: show it, never store it."""

    id: SenderId
    staff: StaffId
    store: NodeId
    channel: str
    corp: str
    userid: str
    name: str
    daily_quota: int
    active: bool
    synthetic: bool


@dataclass(frozen=True, slots=True)
class StaffFacts:
    """A member of staff who is logged in, with the accounts of theirs that may speak. `name` is personal data."""

    staff: StaffId
    store: NodeId
    name: str = field(repr=False)
    accounts: tuple[SenderFacts, ...]


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the directory and we have it, without its member's name. `on`: it may be asked to send.

    `standing`: as the directory last had them (1 active, 2 disabled, 4 not activated, 5 left, 0 gone); None: it was
    never read. `told` are the parts of what customers see of the member that the directory tells of, `has` those that
    are filled in.
    """

    id: SenderId
    staff: StaffId
    store: NodeId
    channel: str
    corp: str
    userid: str
    on: bool
    standing: int | None
    daily_quota: int
    synthetic: bool
    told: frozenset[str]
    has: frozenset[str]


@dataclass(frozen=True, slots=True)
class SenderQuota:
    """How many recipients an account may have in a day (`daily`), if it is `active` at all."""

    sender: SenderId
    active: bool
    daily: int


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A key for scripts, without its secret."""

    name: str
    scopes: tuple[str, ...]
    role: RoleName
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserFacts:
    """Somebody who logs in. `required`: one of their roles must have a second factor."""

    username: str
    roles: tuple[RoleName, ...]
    last_login: datetime | None
    second_factor: bool
    required: bool


@dataclass(frozen=True, slots=True)
class PasskeyFacts:
    """A passkey. `alone`: it logs in without a password."""

    id: int
    name: str
    alone: bool
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """What a user has beside a password. `codes_left`: recovery codes not used yet, None without any."""

    totp: bool
    keys: tuple[PasskeyFacts, ...]
    codes_left: int | None


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Where a user is logged in: `key` names the session, `agent` is what the browser calls itself."""

    key: str
    ip: str
    agent: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """Who did what to what, and when (UTC). `detail` holds no PII."""

    at: datetime
    actor: str
    verb: str
    subject: str
    detail: dict[str, object]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking. `nodes`: every node they may see (None: the whole brand); rows outside do not exist for them."""

    name: str
    role: RoleName
    nodes: frozenset[NodeId] | None

    @property
    def sees_all(self) -> bool:
        """Whether the whole brand is visible."""
        return self.nodes is None

    def sees(self, node: NodeId) -> bool:
        """Whether rows at this node are visible."""
        return self.nodes is None or node in self.nodes

    @property
    def may_operate(self) -> bool:
        """Whether this viewer may launch plans and change documents."""
        return self.role in (RoleName.OWNER, RoleName.OPERATOR)
