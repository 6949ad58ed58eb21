"""What goes into the gate and what comes out: plans, policy, columns, decisions.

The gate is pure: it reads no clock and no store. Whoever plans gathers one `Tick` by SQL and writes the `Decisions`
into the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from yutang.kernel.ids import BUCKETS, PlanId


class TouchClass(StrEnum):
    """Why a person is spoken to; each rule names the classes that it binds."""

    MARKETING = "marketing"
    SERVICE = "service"
    TRANSACTIONAL = "transactional"
    REPLY = "reply"


class Outcome(StrEnum):
    """What became of an intended touch. All but `SUPPRESSED` used up caps, quota and tap budget."""

    SEND = "send"
    HELD_OUT = "held_out"
    GLOBALLY_HELD_OUT = "globally_held_out"
    SUPPRESSED = "suppressed"


class RuleName(StrEnum):
    """The reasons for which a touch is suppressed, in the order in which the shipped policy asks them."""

    RELATION = "relation"
    NO_ADDRESS = "no_address"
    CONSENT = "consent"
    PREFERENCE = "preference"
    CONTENT = "content"
    RISK = "risk"
    GRACE_PERIOD = "grace_period"
    QUIET_HOURS = "quiet_hours"
    VALUE_RATIO = "value_ratio"
    SENDER_CHOICE = "sender_choice"
    CAPS = "caps"
    CAPACITY = "capacity"
    PLATFORM_QUOTA = "platform_quota"
    TAP_BUDGET = "tap_budget"


@dataclass(frozen=True, slots=True)
class Hours:
    """The open hours of a day, in the person's local time: from `opens` up to, not including, `closes`."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        if self.opens >= self.closes:
            raise ValueError(f"hours must open before they close, not {self.opens}–{self.closes}")


@dataclass(frozen=True, slots=True)
class ChannelCaps:
    """How many touches of any class one person may get through one channel; None is no cap."""

    day: int | None = None
    month: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers behind the rules.

    A weekday (0 = Monday) or date that is closed has no open hours; `open_dates` are make-up workdays on which a
    closed weekday is open. Days are local to the person. A friend added less than `grace` before the touch may first
    go out gets no marketing. In any 30 days a person may get `promotions_free` promotions, and
    `promotions_per_value` more for each touch that gave value. Caps of None do not bind. `global_hold_out` is a
    share of all persons, in whole buckets of 1/10,000.
    """

    hours: Hours = Hours(time(9), time(21, 30))
    channel_hours: Mapping[str, Hours] = field(default_factory=dict)
    closed_weekdays: frozenset[int] = frozenset()
    closed_dates: frozenset[date] = frozenset()
    open_dates: frozenset[date] = frozenset()
    max_risk: int = 1
    grace: timedelta = timedelta(days=3)
    promotions_free: int = 2
    promotions_per_value: int = 2
    day_cap: int | None = 1
    week_cap: int | None = 3
    month_cap: int | None = 8
    channel_caps: Mapping[str, ChannelCaps] = field(default_factory=dict)
    tap_budget: int = 2
    global_hold_out: float = 0.0

    def hours_of(self, channel: str) -> Hours:
        """The open hours that bind a channel."""
        return self.channel_hours.get(channel, self.hours)

    def closed(self, day: date) -> bool:
        """Whether a local day has no open hours at all."""
        return day in self.closed_dates or (day.weekday() in self.closed_weekdays and day not in self.open_dates)

    @property
    def held_buckets(self) -> int:
        """Buckets below this number are never marketed to."""
        return round(self.global_hold_out * BUCKETS)


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What the gate must know of a plan.

    `start` and `deadline` are aware instants; a touch may be carried out at any time between its due and its
    deadline, which lie inside them. `value` says that the content gives rather than promotes. `content_problem` is the
    name of the content rule that the text breaks. `at_most` is how many touches the plan may still be granted.
    `wave` is the part [lower, upper) of the plan's hash draw whose people are candidates now; it was applied before.
    `attempt` counts from 1. `topic`: what it is about, where it says so. `addressed`: its channel reaches a
    person by an address, and no guide need tap; else by somebody who knows them.
    """

    plan: PlanId
    occasion: str
    touch_class: TouchClass
    purpose: str
    channel: str
    start: datetime
    deadline: datetime
    priority: int = 0
    value: bool = False
    content_problem: str | None = None
    hold_out: float = 0.0
    at_most: int | None = None
    wave: tuple[float, float] = (0.0, 1.0)
    attempt: int = 1
    topic: str | None = None
    addressed: bool = False

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.deadline.tzinfo is None:
            raise ValueError(f"plan {self.plan}: start and deadline must know their zone")
        # Python compares two times of one zone by the wall: across a change of daylight saving that is wrong.
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "deadline", self.deadline.astimezone(UTC))
        if self.start >= self.deadline:
            raise ValueError(f"plan {self.plan}: the deadline must be after the start")


INSTANT = pa.timestamp("us", tz="UTC")

# One row per (plan, person), in any order; `plan` is the index into `Tick.plans`, `zone` into `Tick.zones`.
# The counts are of earlier granted touches, made by SQL for the plan's whole window: a touch counts for a cap of
# length w if its [due, deadline], widened by w on both sides, meets the plan's [start, deadline]. The touch decided
# last therefore sees all the others of any crowded stretch, and the cap holds whenever the guides tap.
CANDIDATES = pa.schema(
    [
        ("plan", pa.int32()),
        ("person", pa.int64()),
        ("expected_value", pa.float64()),  # what this touch is worth, in the brand's currency; ranks, never pays
        ("consent", pa.bool_()),  # for this plan's purpose and channel
        ("preference", pa.bool_()),  # false: asked for silence, or refused the plan's topic or channel
        ("own_week", pa.int32()),  # the most marketing that this person wants in 7 days; null: as the policy says
        ("own_month", pa.int32()),  # and in 30 days
        ("own_opens", pa.int32()),  # minutes of their local day, from which they may be spoken to; null: as the policy
        ("own_closes", pa.int32()),  # and until which
        ("risk", pa.int32()),
        ("reachable", pa.bool_()),  # by somebody who knows them, or by an address on the plan's channel
        ("friend_since", INSTANT),  # earliest live relation; null: none
        ("zone", pa.int32()),
        ("bucket", pa.int32()),  # 0–9,999
        ("touches_day", pa.int32()),  # marketing, all channels
        ("touches_week", pa.int32()),
        ("touches_month", pa.int32()),
        ("channel_day", pa.int32()),  # this plan's channel, all classes
        ("channel_month", pa.int32()),
        ("value_30d", pa.int32()),  # marketing that gave value
        ("promo_30d", pa.int32()),  # marketing that promoted
    ]
)
# Who may speak to whom: live relations, or the account through which an address is written to. Fastest when they come
# ordered by person, and so for the candidates.
RELATIONS = pa.schema(
    [
        ("person", pa.int64()),
        ("sender", pa.int64()),
        ("store", pa.int64()),
        ("added_at", INSTANT),
        ("last_talk_at", INSTANT),  # null: never
    ]
)
# Every sender account that a relation names. `quota_left`: recipients that the platform still lets it have.
SENDERS = pa.schema([("sender", pa.int64()), ("active", pa.bool_()), ("quota_left", pa.int64())])
# How many tasks a sender already has on any day that the plan's window touches; no row is none.
TASKS = pa.schema([("sender", pa.int64()), ("plan", pa.int32()), ("tasks_taken", pa.int32())])

NULLABLE = frozenset({"friend_since", "last_talk_at", "own_week", "own_month", "own_opens", "own_closes"})


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything that one planning tick decides together. Tables follow `CANDIDATES`, `RELATIONS`, `SENDERS`, `TASKS`.

    Raises ValueError if a table does not fit: that is a fault of the caller, not of the brand's people.
    """

    now: datetime
    plans: tuple[PlanTerms, ...]
    policy: Policy
    zones: tuple[str, ...]
    candidates: pa.Table
    relations: pa.Table
    senders: pa.Table
    tasks: pa.Table = field(default_factory=TASKS.empty_table)

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError("`now` must know its zone")
        object.__setattr__(self, "now", self.now.astimezone(UTC))
        for terms in self.plans:
            if terms.deadline <= self.now:
                raise ValueError(f"plan {terms.plan}: its deadline has passed")
        for name, schema in (
            ("candidates", CANDIDATES),
            ("relations", RELATIONS),
            ("senders", SENDERS),
            ("tasks", TASKS),
        ):
            table = getattr(self, name).select(schema.names).cast(schema)
            for column in schema.names:
                if column not in NULLABLE and table[column].null_count:
                    raise ValueError(f"{name}.{column} has nulls")
            object.__setattr__(self, name, table)
        for name, column, size in (
            ("candidates", "plan", len(self.plans)),
            ("tasks", "plan", len(self.plans)),
            ("candidates", "zone", len(self.zones)),
            ("candidates", "bucket", BUCKETS),
        ):
            bounds = pc.min_max(getattr(self, name)[column]).as_py()
            if bounds["min"] is not None and not 0 <= bounds["min"] <= bounds["max"] < size:
                raise ValueError(f"{name}.{column} must lie in 0–{size - 1}")
        if pc.any(pc.is_nan(self.candidates["expected_value"])).as_py():
            raise ValueError("candidates.expected_value must be numbers")


WORDS = pa.dictionary(pa.int8(), pa.string())

DECISIONS = pa.schema(
    [
        ("plan", pa.int64()),  # the plan's id
        ("person", pa.int64()),
        ("touch", pa.int64()),
        ("outcome", WORDS),
        ("reason", WORDS),  # a RuleName where suppressed, else null
        ("sender", pa.int64()),  # this and the next three: null where suppressed
        ("store", pa.int64()),
        ("due", INSTANT),
        ("deadline", INSTANT),
        ("occasion", pa.dictionary(pa.int32(), pa.string())),
        ("attempt", pa.int32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What the gate said: one row of `DECISIONS` per candidate, in the candidates' order."""

    table: pa.Table

    def counts(self) -> dict[tuple[PlanId, Outcome, RuleName | None], int]:
        """How many candidates of each plan met each outcome, and for what reason."""
        plain = self.table.select(["plan", "outcome", "reason"]).cast(
            pa.schema([("plan", pa.int64()), ("outcome", pa.string()), ("reason", pa.string())])
        )
        rows = plain.group_by(["plan", "outcome", "reason"]).aggregate([([], "count_all")]).to_pylist()
        return {
            (PlanId(plan), Outcome(outcome), None if reason is None else RuleName(reason)): count
            for plan, outcome, reason, count in (row.values() for row in rows)
        }
