"""Caps, looked up once more just before the platform is called.

The gate counted everybody under the person they were when it decided. Two who became one since then may stand in two
batches or two plans, and a guide may have spoken to somebody on their own: then one of the touches has to go. It is
never the one that is already out, and of two that are not, the one that was due first stays. That order is the same
whoever asks, so of two processes that issue at once exactly one lets its touch go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from yutang.kernel.calendars import naive
from yutang.kernel.clock import business_now
from yutang.reach.contracts import BatchState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.gate.contracts import RuleName, TouchClass
from yutang.reach.ledger import STAMP, committed
from yutang.reach.models import Batch
from yutang.reach.policy import OneChannelCaps, PolicyDocument
from yutang.warehouse.contracts import Warehouse, named

MERGED = "merged"  # the reason of a touch whose person turned out to be another of the same plan
ENOUGH = 1_000_000  # more touches than anybody has: stands for no cap
DAY, WEEK, MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=30)

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A touch that is about to be asked for, and who the person is today; times are naive UTC as in the warehouse."""

    touch: int
    person: int
    run: int
    due_at: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many touches of one kind (a column of `reach/crowded`) in any span of a length."""

    most: int
    length: timedelta
    kind: str


def caps_of(policy: PolicyDocument, document: BroadcastDocument) -> dict[str, Cap]:
    """The caps that bind a plan's touches, by the parameter that `reach/crowded` knows them by."""
    person = policy.caps
    channel = policy.channel_caps.get(document.channel, OneChannelCaps())
    marketing = document.touch_class is TouchClass.MARKETING
    any_class = document.touch_class is not TouchClass.REPLY
    return {
        "day": Cap(_most(person.day, marketing), DAY, "marketing"),
        "week": Cap(_most(person.week, marketing), WEEK, "marketing"),
        "month": Cap(_most(person.month, marketing), MONTH, "marketing"),
        "channel_day": Cap(_most(channel.day, any_class), DAY, "same_channel"),
        "channel_month": Cap(_most(channel.month, any_class), MONTH, "same_channel"),
    }


def _most(cap: int | None, binds: bool) -> int:
    return cap if cap is not None and binds else ENOUGH


def crowded_out(
    warehouse: Warehouse, plan: int, channel: str, caps: Mapping[str, Cap], recipients: Sequence[Recipient],
    *, marketing: bool = True,
) -> dict[int, str]:  # fmt: skip
    """The touches of one plan's recipients that must not go out beside what else stands for the same person, with the
    reason: `merged` where the plan itself speaks to (or holds out) that person already, else `caps`. What persons asked
    for themselves binds where the touch is `marketing`."""
    now = business_now()
    members = pa.table(
        {
            "touch": pa.array([one.touch for one in recipients], pa.int64()),
            "person": pa.array([one.person for one in recipients], pa.int64()),
            "deadline": pa.array([one.deadline for one in recipients], STAMP),
        }
    )
    params = {
        "plan": plan, "channel": channel, "now": now, "wishes": marketing,
        **{name: cap.most for name, cap in caps.items()},
    }  # fmt: skip
    rows = warehouse.query(named("reach/crowded", params, {"members": members, "committed": committed()})).to_pylist()
    own = {one.touch: one for one in recipients}
    asked = _asked_for(rows)
    beside: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if _comes_first(row, own[row["recipient"]], own, asked):
            beside[row["recipient"]].append(row)
    start = naive(now)
    reasons = {touch: _reason(others, (start, own[touch].deadline), caps) for touch, others in beside.items()}
    return {touch: reason for touch, reason in reasons.items() if reason is not None}


def _asked_for(rows: Iterable[Mapping[str, Any]]) -> set[tuple[int, int, datetime, datetime]]:
    """Run, sender and window of the batches of these touches that have left the house, or may have."""
    still_open = [row for row in rows if row["still_open"]]
    runs, senders = {row["run"] for row in still_open}, {row["sender"] for row in still_open}
    left = Batch.objects.filter(run__in=runs, sender__in=senders).exclude(state=BatchState.PLANNED)
    return {
        (run, sender, naive(due_at), naive(deadline))
        for run, sender, due_at, deadline in left.values_list("run", "sender", "due_at", "deadline")
    }


def _comes_first(
    row: Mapping[str, Any],
    own: Recipient,
    part: Mapping[int, Recipient],
    asked: set[tuple[int, int, datetime, datetime]],
) -> bool:
    """Whether another touch keeps its place: it is out, held out or done, or was due before."""
    out = (row["run"], row["sender"], row["due_at"], row["deadline"]) in asked and row["touch"] not in part
    earlier: bool = (row["due_at"], row["run"], row["touch"]) < (own.due_at, own.run, own.touch)
    return not row["still_open"] or out or earlier


def _reason(others: Sequence[Mapping[str, Any]], span: Span, caps: Mapping[str, Cap]) -> str | None:
    if any(row["same_plan"] for row in others):
        return MERGED
    for name, cap in caps.items():
        most = min(cap.most, others[0].get(name, cap.most))  # `week` and `month` as the person asked for
        if most < ENOUGH:
            spans = [(row["earliest"], row["latest"]) for row in others if row[cap.kind]]
            if most_at_once(span, spans, cap.length) > most:
                return RuleName.CAPS.value
    return None


def most_at_once(own: Span, others: Sequence[Span], length: timedelta) -> int:
    """How many touches may at worst fall within one stretch of a length, one's own among them, if each may come at any
    instant of its span. Two that are exactly that length apart do not: so it is with the gate's caps."""
    first, last = own[0] - length, own[1]
    begins = [first, *(begin - length for begin, _ in others if first < begin - length < last)]
    return 1 + max(sum(begin - length <= at < end for begin, end in others) for at in begins)
