"""What other rooms see of plans and of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from yutang.kernel.documents import Title
from yutang.kernel.ids import BatchId, PlanId, SenderId
from yutang.reach.documents import BroadcastDocument
from yutang.reach.lift import SmallestEffect

REASONS: Mapping[str, tuple[str, str]] = {
    "relation": ("没有在线好友关系", "no live friendship"),
    "no_address": ("没有这个渠道的联系方式", "no address on this channel"),
    "consent": ("没有同意接收这类消息", "no consent to messages of this kind"),
    "preference": ("客户要求免打扰，或不想收到这类消息", "asked to be left in peace, or not to hear of this"),
    "content": ("文案碰了红线", "the text breaks a content rule"),
    "risk": ("风险分超过上限", "too risky"),
    "grace_period": ("刚加好友，还在宽限期", "a new friend, within the grace period"),
    "quiet_hours": ("截止前没有可以打扰的时段", "no open hours before the deadline"),
    "value_ratio": ("近期推销已经够多", "enough was sold lately; something of use first"),
    "sender_choice": ("没有合适的导购账号", "no guide's account that could speak"),
    "caps": ("近期消息已到频次上限", "enough messages lately"),
    "capacity": ("计划限定的人数已满", "the plan's places are taken"),
    "platform_quota": ("导购账号的平台额度已用完", "the platform's quota of the guide's account is used up"),
    "tap_budget": ("导购当天的任务已满", "the guide has enough tasks that day"),
    "merged": ("与计划里的另一位是同一个人", "the same person as another of the plan"),
    "silent": ("发送前客户刚要求免打扰", "asked to be left in peace just before"),
    "blocked": ("发送前客户被屏蔽", "was blocked just before"),
    "not_friend": ("平台回复：已不是好友", "the platform: no longer a friend"),
    "capped": ("平台回复：本期接收次数已用完", "the platform: received enough this period"),
    "unsent": ("平台回复：未发送", "the platform: not sent"),
    "refused": ("服务商拒绝发送", "the provider would not send it"),
    "bounced": ("地址无效，被退回", "it came back: nobody at this address"),
    "withdrawn": ("发送前客户刚要求不再收到", "asked not to hear from us just before"),
    "not_reached": ("导购没联系上", "our people met nobody"),
}
"""Why somebody was not reached, in a few words of Chinese and of English."""


class PlanState(StrEnum):
    DRAFT = "draft"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"


class RunState(StrEnum):
    DECIDING = "deciding"
    COMMITTED = "committed"
    ABANDONED = "abandoned"


class BatchState(StrEnum):
    """PLANNED → CALLING → ISSUED → CLOSED. An answer that is lost makes UNKNOWN, several matches AMBIGUOUS."""

    PLANNED = "planned"
    CALLING = "calling"
    ISSUED = "issued"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    CLOSED = "closed"


RECALLED = "recalled"
"""The trouble of a batch that was taken back since one of its recipients refused, and was handed out anew."""
AT_LARGE = "not_withdrawn"
"""The trouble of a batch that was closed although a guide may still tap it."""


class Standing(IntEnum):
    """How a batch stands for the board; every batch stands somewhere, at one place.

    已下发 = EXECUTED in time + LATE (tapped after the deadline) + WAITING + EXPIRED untapped. Beside them: PLANNED and
    not asked for yet, DOUBTFUL (nobody can say whether it is out), WITHDRAWN before its deadline (its plan was
    stopped), UNISSUED (nobody was left, the platform refused, or it was too late).
    """

    PLANNED = 0
    DOUBTFUL = 1
    WAITING = 2
    EXECUTED = 3
    LATE = 4
    EXPIRED = 5
    WITHDRAWN = 6
    UNISSUED = 7


class ReceiptState(StrEnum):
    """The latest receipt is a touch's state; a touch to be sent that has none is pending."""

    ISSUED = "issued"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """Every decided touch of a plan by its last attempt.

    Always `decided = sent + failed + expired + unknown + sum(suppressed) + held_out + globally_held_out + pending`.
    """

    decided: int = 0
    sent: int = 0
    failed: int = 0
    expired: int = 0
    unknown: int = 0
    pending: int = 0
    held_out: int = 0
    globally_held_out: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)

    def balances(self) -> bool:
        """Whether the ledger's equation holds."""
        parts = self.sent + self.failed + self.expired + self.unknown + self.pending
        return self.decided == parts + self.held_out + self.globally_held_out + sum(self.suppressed.values())


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """A plan as lists show it. `unit_cost`: what one of its messages costs, as it was said when it was launched.
    `standing`: no broadcast, but what staff are asked to do day by day; it has no end, whatever its state says."""

    id: PlanId
    document: BroadcastDocument
    author: str
    state: PlanState
    created_at: datetime
    start: datetime | None
    versions: Mapping[str, object]
    trouble: str = ""
    unit_cost: Decimal = Decimal(0)
    standing: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a plan would do if it were launched now: `candidates = send + held_out + globally_held_out + suppressed`."""

    candidates: int
    send: int
    held_out: int
    globally_held_out: int
    suppressed: Mapping[str, int]
    smallest_effect: float | None
    smallest_effect_relative: float | None
    effects: tuple[SmallestEffect, ...]
    content_problem: str | None
    batches: int
    guides: int = 0
    unit_cost: Decimal = Decimal(0)

    @property
    def cost(self) -> Decimal:
        """What it costs if all that is to be sent is sent, in the brand's currency."""
        return self.unit_cost * self.send


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A batch as the execution list shows it: 已下发 (issued), 已执行 (tapped), 未执行 (closed without a tap)."""

    id: BatchId
    plan: PlanId
    sender: SenderId
    size: int
    state: BatchState
    due_at: datetime
    deadline: datetime
    tapped_at: datetime | None
    trouble: str
    occasion: str = ""
    attempt: int = 1
    left: int = 0
    task: str = ""


@dataclass(frozen=True, slots=True)
class AskedFacts:
    """A batch that waits for its sender's tap, as the sender sees it: what to say, to how many, until when."""

    id: BatchId
    plan: PlanId
    title: Title
    text: str
    channel: str
    sender: SenderId
    size: int
    due_at: datetime
    deadline: datetime
    task: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One pass of the gate over one wave and attempt: how many it was about, and how many were not suppressed."""

    occasion: str
    attempt: int
    decided_at: datetime
    candidates: int
    granted: int
    versions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rival:
    """A running plan that wants some of the same persons."""

    plan: PlanFacts
    shared: int


@dataclass(frozen=True, slots=True)
class TouchFact:
    """One decision on one person, told in full: what, when, why not, and what became of it."""

    plan: PlanId
    occasion: str
    attempt: int
    outcome: str
    reason: str | None
    state: str | None
    state_reason: str | None
    decided_at: datetime
    due_at: datetime | None
    state_at: datetime | None
