"""Whether a word may be said now: the gate's own row rules, asked of one person at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from yutang.kernel.ids import PersonId, PlanId
from yutang.people.contracts import Refusal
from yutang.reach.gate import ROW_RULES
from yutang.reach.gate.contracts import CANDIDATES, NULLABLE, RELATIONS, SENDERS, PlanTerms, Policy, Tick, TouchClass
from yutang.reach.gate.docket import OPEN, REASONS, Docket
from yutang.reach.gate.rows import judge_rows

WINDOW = timedelta(minutes=2)  # quiet hours are told in whole minutes; what they would move is not said at all


@dataclass(frozen=True, slots=True)
class Wish:
    """One word that a rule wants to say. `refusal`: what the operational store says of the person for its purpose.

    `content_problem`: the name of the content rule that the text breaks.
    """

    person: PersonId
    touch_class: TouchClass
    purpose: str
    channel: str
    zone: str
    refusal: Refusal | None
    content_problem: str | None


def judge(wishes: Sequence[Wish], policy: Policy, now: datetime) -> list[str | None]:
    """For each wish the name of what refuses it, or None. Pure: asks the gate's row rules as planning does.

    The event itself is the proof of friendship, which the warehouse does not know yet. `blocked` binds every class.
    """
    if not wishes:
        return []
    zones = tuple(sorted({wish.zone for wish in wishes}))
    docket = Docket.of(
        Tick(
            now,
            tuple(_terms(index, wish, now) for index, wish in enumerate(wishes)),
            policy,
            zones,
            _candidates(wishes, zones, now),
            RELATIONS.empty_table(),
            SENDERS.empty_table(),
        )
    )
    due = docket.due.copy()
    judge_rows(docket, ROW_RULES)
    found: list[str | None] = []
    for index, wish in enumerate(wishes):
        if wish.refusal is Refusal.BLOCKED:
            found.append(Refusal.BLOCKED.value)
        elif docket.outcome[index] != OPEN:
            found.append(REASONS[docket.reason[index]].value)
        else:  # moved to a later minute is not now
            found.append(None if docket.due[index] == due[index] else "quiet_hours")
    return found


def _terms(index: int, wish: Wish, now: datetime) -> PlanTerms:
    return PlanTerms(
        PlanId(index), "reflex", wish.touch_class, wish.purpose, wish.channel, now, now + WINDOW,
        value=True, content_problem=wish.content_problem,
    )  # fmt: skip


def _candidates(wishes: Sequence[Wish], zones: Sequence[str], now: datetime) -> pa.Table:
    size = len(wishes)
    known = {
        "plan": list(range(size)),
        "person": [wish.person for wish in wishes],
        "expected_value": [0.0] * size,
        "consent": [wish.refusal is not Refusal.CONSENT for wish in wishes],
        "preference": [wish.refusal is not Refusal.SILENT for wish in wishes],
        "reachable": [True] * size,
        "friend_since": [now] * size,
        "zone": [zones.index(wish.zone) for wish in wishes],
    }
    columns = {
        field.name: known.get(field.name, [None if field.name in NULLABLE else 0] * size) for field in CANDIDATES
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in CANDIDATES})
