"""Who is who: how a person came to be one, who may be one, what many share; merging, splitting, and undoing it.

All but a person's history are for headquarters' tokens.
"""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema

from yutang.api.door import LARGEST, REFUSALS, Number, Token, viewer_of
from yutang.api.schemas import IdentifierIn, IdentifierOut, Instant, Strict
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import PersonId
from yutang.people import decisions, sameness
from yutang.people.contracts import IdentifierShown
from yutang.people.queries import person_card
from yutang.people.sameness import DecisionShown

router = Router(tags=["persons"])
Key = Annotated[int, Field(ge=1, le=LARGEST)]
Reason = Annotated[str, Field(min_length=1, max_length=decisions.LONGEST_REASON, examples=["Asked by phone"])]


class MergeIn(Strict):
    """The person to be merged with, and why."""

    other: Key
    reason: Reason


class SplitIn(Strict):
    """The identifiers that are somebody else's, and why."""

    identifiers: list[IdentifierIn] = Field(min_length=1, max_length=200)
    reason: Reason


class SuspicionIn(Strict):
    """What is decided of two persons: `apart` (give a reason): not the same; `later`: not yet."""

    first: Key
    second: Key
    decision: Literal["apart", "later"]
    reason: str = Field(default="", max_length=decisions.LONGEST_REASON)


class SharedIn(Strict):
    """What is decided of an identifier: `shared` joins nobody; `single` may be seen beside `cap` others of a kind."""

    decision: Literal["shared", "single"]
    cap: int = Field(default=0, ge=0, le=decisions.HIGHEST_CAP)
    reason: Reason


class WithdrawIn(Strict):
    """Why a decision is withdrawn."""

    reason: Reason


class DecidedOut(Schema):
    """The number by which the decision can be withdrawn."""

    decision: int


class DecisionOut(Schema):
    """What was decided, by whom and why; empty for those who do not run the whole brand."""

    number: int
    kind: str = Field(examples=["merge"])
    at: Instant
    by: str
    reason: str
    person: int | None
    other: int | None
    cap: int | None
    withdrawn_at: Instant | None
    withdrawn_by: str
    withdrawn_reason: str
    identifiers: list[IdentifierOut]


class SeenOut(Schema):
    """Two identifiers were seen together."""

    at: Instant
    first: IdentifierOut
    second: IdentifierOut


class HistoryOut(Schema):
    """How a person came to be one, the newest first."""

    person: int
    seen: list[SeenOut]
    decisions: list[DecisionOut]


class AgreementOut(Schema):
    """How far a field agrees, and how much that says for one human, in bits."""

    field: str = Field(examples=["phone"])
    level: str = Field(examples=["one_digit"])
    weight: float


class SuspectOut(Schema):
    """Two persons who may be one. `score` is a probability; null where somebody put them forward."""

    first: int
    second: int
    score: float | None
    agreements: list[AgreementOut]
    found_at: Instant


class SharedOut(Schema):
    """An identifier, masked, that may be several people's: it was seen beside `beside` others of one kind; over `cap`
    it joins nobody. `persons` is null where too many to count."""

    identifier: int
    kind: str
    namespace: str
    value: str
    hub: bool
    beside: int
    cap: int
    persons: int | None
    since: Instant
    decision: DecisionOut | None


@router.get("/persons/{person}/history", response={200: HistoryOut, **REFUSALS}, auth=Token("read"))
def get_history(request: HttpRequest, person: Number) -> HistoryOut:
    """How a person came to be one: what was seen together, and what was decided."""
    viewer = viewer_of(request)
    card = person_card(viewer, PersonId(person))
    found = sameness.history(viewer, card)
    seen = [SeenOut(at=one.at, first=_identifier(one.first), second=_identifier(one.second)) for one in found.seen]
    return HistoryOut(person=card.person, seen=seen, decisions=[_decision(one) for one in found.decisions])


@router.post("/persons/{person}/merge", response={200: DecidedOut, **REFUSALS}, auth=Token("persons:write"))
def merge_persons(request: HttpRequest, person: Number, given: MergeIn) -> DecidedOut:
    """Decide that two persons are one. No record moves, so that it can be withdrawn; the stricter consent counts."""
    number = decisions.merge_persons(viewer_of(request), PersonId(person), PersonId(given.other), given.reason)
    return DecidedOut(decision=number)


@router.post("/persons/{person}/split", response={200: DecidedOut, **REFUSALS}, auth=Token("persons:write"))
def split_person(request: HttpRequest, person: Number, given: SplitIn) -> DecidedOut:
    """Decide that some identifiers of a person are somebody else's. Seen together again, they stay apart."""
    viewer, who = viewer_of(request), PersonId(person)
    named = [(one.kind, one.namespace, one.value) for one in given.identifiers]
    out = decisions.rows_named(viewer, who, named)
    return DecidedOut(decision=decisions.split_person(viewer, who, out, given.reason))


@router.get("/suspects", response={200: list[SuspectOut], **REFUSALS}, auth=Token("read"))
def list_suspects(request: HttpRequest, later: bool = False) -> list[SuspectOut]:
    """The pairs of persons who may be one and wait to be looked at, the likeliest first; `later`: those put off."""
    return [
        SuspectOut(
            first=one.first,
            second=one.second,
            score=one.score,
            agreements=[
                AgreementOut(field=each.field, level=each.level, weight=each.weight) for each in one.agreements
            ],
            found_at=one.found_at,
        )
        for one in sameness.suspects(viewer_of(request), later=later)
    ]


@router.post("/suspects", response={200: DecidedOut, **REFUSALS}, auth=Token("persons:write"))
def decide_suspects(request: HttpRequest, given: SuspicionIn) -> DecidedOut:
    """Decide that two persons are not the same, or to decide later. (One person: merge them.)"""
    viewer, pair = viewer_of(request), (PersonId(given.first), PersonId(given.second))
    say = decisions.say_apart if given.decision == "apart" else decisions.say_later
    return DecidedOut(decision=say(viewer, *pair, given.reason))


@router.get("/shared-identifiers", response={200: list[SharedOut], **REFUSALS}, auth=Token("read"))
def list_shared_identifiers(request: HttpRequest) -> list[SharedOut]:
    """Identifiers over their cap or near it, and those decided about."""
    return [
        SharedOut(
            identifier=one.row,
            kind=one.kind,
            namespace=one.namespace,
            value=one.shown,
            hub=one.hub,
            beside=one.beside,
            cap=one.cap,
            persons=one.persons,
            since=one.since,
            decision=_decision(one.decision) if one.decision else None,
        )
        for one in sameness.shared_identifiers(viewer_of(request))
    ]


@router.post("/shared-identifiers/{identifier}", response={200: DecidedOut, **REFUSALS}, auth=Token("persons:write"))
def decide_shared_identifier(request: HttpRequest, identifier: Number, given: SharedIn) -> DecidedOut:
    """Decide that an identifier is shared, or really one person's."""
    viewer = viewer_of(request)
    if given.decision == "shared":
        if given.cap:
            raise BadInput("共用的标识没有上限，请去掉 cap。", "A shared identifier has no cap; leave it out.")
        return DecidedOut(decision=decisions.say_shared(viewer, identifier, given.reason))
    return DecidedOut(decision=decisions.say_single(viewer, identifier, given.cap, given.reason))


@router.post("/decisions/{decision}/withdraw", response={200: DecidedOut, **REFUSALS}, auth=Token("persons:write"))
def withdraw_decision(request: HttpRequest, decision: Number, given: WithdrawIn) -> DecidedOut:
    """Withdraw a decision: persons are as if it had never been made."""
    decisions.withdraw(viewer_of(request), decision, given.reason)
    return DecidedOut(decision=decision)


def _identifier(one: IdentifierShown) -> IdentifierOut:
    return IdentifierOut(kind=one.kind, namespace=one.namespace, value=one.shown)


def _decision(one: DecisionShown) -> DecisionOut:
    return DecisionOut(
        number=one.number,
        kind=one.kind.value,
        at=one.at,
        by=one.by,
        reason=one.reason,
        person=one.person,
        other=one.other,
        cap=one.cap,
        withdrawn_at=one.withdrawn_at,
        withdrawn_by=one.withdrawn_by,
        withdrawn_reason=one.withdrawn_reason,
        identifiers=[_identifier(each) for each in one.identifiers],
    )
