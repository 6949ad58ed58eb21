"""May this person be written to now, by this account, in these words? The gate's own answer, outside of any plan.

What a guide sends from beside a chat is a touch like any other, so it is judged by the same rules and counted by the
same query as a plan's. Nothing is kept here: what was really sent is an event, which counts from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from yutang.content.checking import check
from yutang.kernel.clock import business_now
from yutang.kernel.ids import PersonId, PlanId, SenderId
from yutang.organisation import queries as organisation
from yutang.people.queries import births_of, may_be_touched
from yutang.reach.gate import decide
from yutang.reach.gate.contracts import CANDIDATES, RELATIONS, SENDERS, Outcome, PlanTerms, Tick, TouchClass
from yutang.reach.ledger import committed
from yutang.reach.planning import Rulebook, policy_of, rulebook
from yutang.warehouse.contracts import Warehouse, named

AT_ONCE = timedelta(minutes=5)
"""How long a guide has to tap: quiet hours that begin sooner refuse."""
GLOBAL_HOLD_OUT = "globally_held_out"
_ASKING = PlanId(0)  # no plan has this number


@dataclass(frozen=True, slots=True)
class Saying:
    """What somebody would say: the words, what for, and whether they give rather than sell; `beside`: what is read in
    what stands beside them."""

    text: str
    purpose: str = "marketing"
    touch_class: TouchClass = TouchClass.MARKETING
    topic: str | None = None
    value: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Why words may not be said now: a name of `REASONS`, or `globally_held_out`; None if they may. Of `content` also
    the rule and the word that breaks it."""

    reason: str | None
    rule: str = ""
    word: str = ""

    @property
    def allowed(self) -> bool:
        """Whether they may be said."""
        return self.reason is None


def may_say(
    warehouse: Warehouse, person: PersonId, sender: SenderId, channel: str, sayings: Sequence[Saying]
) -> list[Answer]:
    """The gate's answer to each of these, in their order, as if each were said alone. (Unscoped because the caller has
    looked the person up as the viewer.)

    Whoever asked to be left alone, or withdrew a consent a moment ago, is refused although the warehouse does not know
    yet. Caps and the rest are as of the last turn of the pump.
    """
    if not sayings:
        return []
    book, now = rulebook(), business_now()
    kinds: dict[tuple[str, TouchClass, str | None, bool], str | None] = {}
    answers = []
    for one in sayings:
        broken = [found for text in (one.text, *one.beside) for found in check(text, book.rules)]
        kind = (one.purpose, one.touch_class, one.topic, one.value)
        if not broken and kind not in kinds:
            kinds[kind] = _refusal(warehouse, person, sender, channel, one, book, now)
        answers.append(Answer("content", broken[0].rule, broken[0].words) if broken else Answer(kinds[kind]))
    return answers


def _refusal(
    warehouse: Warehouse,
    person: PersonId,
    sender: SenderId,
    channel: str,
    saying: Saying,
    book: Rulebook,
    now: datetime,
) -> str | None:
    standing = may_be_touched({person: sender}, saying.purpose, channel, saying.topic)[person]
    asked_for = saying.touch_class is TouchClass.REPLY and standing in ("consent", "preference")
    if standing is not None and not asked_for:
        return standing.value
    return _judged(_tick(warehouse, person, sender, channel, saying, book, now))


def _judged(tick: Tick) -> str | None:
    row = decide(tick).table.select(["outcome", "reason"]).cast(pa.schema({"outcome": "string", "reason": "string"}))
    outcome, reason = row["outcome"][0].as_py(), row["reason"][0].as_py()
    if outcome == Outcome.SUPPRESSED:
        return str(reason)
    return GLOBAL_HOLD_OUT if outcome == Outcome.GLOBALLY_HELD_OUT else None


def _tick(
    warehouse: Warehouse,
    person: PersonId,
    sender: SenderId,
    channel: str,
    saying: Saying,
    book: Rulebook,
    now: datetime,
) -> Tick:
    """A tick of one candidate, whom this account knows: caps are counted as for a plan that begins now."""
    brand = organisation.brand()
    terms = PlanTerms(
        _ASKING, "chat", saying.touch_class, saying.purpose, channel, now, now + AT_ONCE, value=saying.value,
        topic=saying.topic,
    )  # fmt: skip
    params = {
        "start": terms.start, "deadline": terms.deadline, "channel": channel, "purpose": saying.purpose,
        "topic": saying.topic or "", "zone": brand.zone, "person": person,
    }  # fmt: skip
    births = pa.table({"birth": pa.array(births_of([person])[person], pa.int64())})
    found = warehouse.query(named("reach/candidate", params, {"births": births, "committed": committed()}))
    zone = found["zone"][0].as_py()
    since = pc.assume_timezone(found["friend_since"], "UTC")
    columns = {
        **{name: found[name] for name in found.column_names if name not in ("zone", "friend_since")},
        "friend_since": since,
        "person": pa.array([person]),
        "zone": pa.array([0]),
        "plan": pa.array([0]),
        "reachable": pa.array([True]),  # `may_be_touched` has said so
    }
    friend = {"person": [person], "sender": [sender], "store": [0], "added_at": [now], "last_talk_at": [now]}
    return Tick(
        now=now,
        plans=(terms,),
        policy=policy_of(book, [channel], brand.country, now),
        zones=(zone,),
        candidates=pa.table(columns).select(CANDIDATES.names).cast(CANDIDATES),
        relations=pa.table(friend, schema=RELATIONS),
        senders=pa.table({"sender": [sender], "active": [True], "quota_left": [1]}, schema=SENDERS),
    )
