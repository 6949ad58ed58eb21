"""What a person decides of who is who: two are one, one is two, not the same, shared, really one person's.

A decision is kept with who, when and why, and says a word about pairs of identifiers (or about one's cap). Edges follow
the latest word that stands, over anything that was or will be seen; persons follow edges. So a decision that is
withdrawn restores exactly who was there: rows of events, consent, tags and money bear birth persons and never moved.
All of these are for headquarters: they concern the whole brand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from django.db import transaction

from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import PersonId
from yutang.log.contracts import STRONG_KINDS, IdentifierValue
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.organisation.services import audit
from yutang.people import bulk, identity, joining
from yutang.people.contracts import DecisionKind
from yutang.people.identifiers import masked, normalised
from yutang.people.joining import Pair
from yutang.people.models import Decision, Edge, Identifier, Person, Suspect, Word

LONGEST_REASON = 500
HIGHEST_CAP = 10_000
_RANK = {kind: rank for rank, kind in enumerate(STRONG_KINDS)}


def merge_persons(viewer: Viewer, first: PersonId, second: PersonId, reason: str) -> int:
    """Decide that two persons are one; returns the decision's number.

    The word is about the identifier of each that is the surest to stay theirs. Raises BadInput where they are one.
    """
    headquarters(viewer)
    why = _reason(reason)
    with transaction.atomic():
        joining.lock()
        low, high = _two(first, second)
        ends = sorted((_anchor(low), _anchor(high)))
        decision = _decide(viewer, DecisionKind.MERGE, why, person=low, other=high)
        _say(decision, [(ends[0], ends[1])], 1)
        _close_suspicion(low, high, decision, new=False)
        audit(viewer, "merge_persons", str(low), other=high, decision=decision.pk)
    return decision.pk


def split_person(viewer: Viewer, person: PersonId, out: Collection[int], reason: str) -> int:
    """Decide that these identifiers (their rows' numbers) of a person are somebody else's; returns the decision's
    number. Every edge between them and the others is cut, and stays cut when the two are seen together again."""
    headquarters(viewer)
    why = _reason(reason)
    with transaction.atomic():
        joining.lock()
        survivor = _survivor(person)
        crossing = _crossing(survivor, out)
        decision = _decide(viewer, DecisionKind.SPLIT, why, person=survivor)
        _say(decision, crossing, -1)
        audit(viewer, "split_person", str(survivor), identifiers=sorted(out), decision=decision.pk)
    return decision.pk


def rows_named(viewer: Viewer, person: PersonId, named: Iterable[tuple[str, str | None, str]]) -> set[int]:
    """The rows' numbers of identifiers of a person, each named by kind, namespace (None: any) and value.

    Raises NotFound for one that is not theirs.
    """
    headquarters(viewer)
    births = identity.births_of_survivors([_survivor(person)])
    own = list(Identifier.objects.filter(person_id__in=births).values_list("pk", "kind", "namespace", "value"))
    country = brand().country
    found: set[int] = set()
    for kind, namespace, value in named:
        clean = normalised(IdentifierValue(kind, namespace or "", value), country).value
        rows = {
            row
            for row, its_kind, its_namespace, its_value in own
            if (its_kind, its_value) == (kind, clean) and namespace in (None, its_namespace)
        }
        if not rows:
            raise NotFound(
                f"客户 {person} 没有「{kind}」标识 {masked(kind, clean)}。",
                f"Person {person} has no {kind} {masked(kind, clean)}.",
            )
        found |= rows
    return found


def say_apart(viewer: Viewer, first: PersonId, second: PersonId, reason: str) -> int:
    """Decide that two persons are not the same: they are suspected no more. Returns the decision's number."""
    return _suspected(viewer, DecisionKind.APART, first, second, _reason(reason))


def say_later(viewer: Viewer, first: PersonId, second: PersonId, reason: str = "") -> int:
    """Put a suspicion off; returns the decision's number."""
    return _suspected(viewer, DecisionKind.LATER, first, second, reason.strip()[:LONGEST_REASON])


def say_shared(viewer: Viewer, identifier: int, reason: str) -> int:
    """Decide that an identifier (its row's number) is several people's: it joins nobody. Returns the decision's
    number."""
    return _cap(viewer, DecisionKind.SHARED, identifier, 0, reason)


def say_single(viewer: Viewer, identifier: int, cap: int, reason: str) -> int:
    """Decide that an identifier is really one person's: it may be seen beside `cap` others of a kind, and joins them.
    Returns the decision's number. Raises BadInput for a cap below what it stands beside already."""
    if not 1 <= cap <= HIGHEST_CAP:
        raise BadInput(f"上限应在 1 到 {HIGHEST_CAP:,} 之间。", f"The cap should be from 1 to {HIGHEST_CAP:,}.")
    beside = joining.beside([identifier])[identifier]
    if cap < beside:
        raise BadInput(
            f"它已经和 {beside} 个标识一起出现过，上限不能更低。",
            f"It was seen beside {beside} others already; the cap cannot be lower.",
        )
    return _cap(viewer, DecisionKind.SINGLE, identifier, cap, reason)


def withdraw(viewer: Viewer, number: int, reason: str) -> None:
    """Withdraw a decision: persons become again who they would be had nobody decided. Raises BadInput where it was
    withdrawn already."""
    headquarters(viewer)
    why = _reason(reason)
    with transaction.atomic():
        joining.lock()
        decision = Decision.objects.filter(pk=number).first()
        if decision is None:
            raise NotFound(f"没有编号为 {number} 的决定。", f"There is no decision with the number {number}.")
        if decision.withdrawn_at is not None:
            raise BadInput("这个决定已经撤销过了。", "This decision was withdrawn already.")
        decision.withdrawn_at, decision.withdrawn_by, decision.withdrawn_reason = wall_now(), viewer.name, why
        decision.save(update_fields=("withdrawn_at", "withdrawn_by", "withdrawn_reason"))
        Suspect.objects.filter(decision=decision).update(decision=None)
        if decision.identifier is not None:
            _follow_caps(decision.identifier)
        _follow_words(list(decision.words.values_list("first", "second")))
        audit(viewer, "withdraw_decision", str(number), kind=decision.kind)


def headquarters(viewer: Viewer) -> None:
    """Raise Refused for a viewer who does not run the whole brand."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused(
            "合并、拆分和核对客户身份涉及整个品牌，请找总部运营。",
            "Who is who concerns the whole brand; ask headquarters.",
        )


def _reason(text: str) -> str:
    why = text.strip()
    if not why:
        raise BadInput("请写明理由，以后的人要看得懂为什么。", "Give a reason, so that others understand it later.")
    if len(why) > LONGEST_REASON:
        raise BadInput(
            f"理由太长，最多 {LONGEST_REASON} 字。", f"The reason is longer than {LONGEST_REASON} characters."
        )
    return why


def _survivor(person: int) -> int:
    survivor = identity.survivors_of([person])[person]
    if not Person.objects.filter(pk=survivor).exists():
        raise NotFound(f"没有编号为 {person} 的客户。", f"There is no person with the number {person}.")
    return survivor


def _two(first: PersonId, second: PersonId) -> tuple[int, int]:
    low, high = sorted((_survivor(first), _survivor(second)))
    if low == high:
        raise BadInput("这两个编号已经是同一位客户。", "These two numbers are one person already.")
    return low, high


def _anchor(survivor: int) -> int:
    """The identifier of a person that is the surest to stay theirs: strong, no hub, a number given by a platform."""
    births = identity.births_of_survivors([survivor])
    rows = list(bulk.select(Identifier, ("id", "kind", "hub"), "person_id", births))
    if not rows:
        raise BadInput(
            f"客户 {survivor} 没有任何身份标识，无法合并。", f"Person {survivor} has no identifier to be merged by."
        )
    *_, row = min((bool(hub), _RANK.get(kind, len(_RANK)), int(row)) for row, kind, hub in rows)
    return row


def _crossing(survivor: int, out: Collection[int]) -> list[Pair]:
    """The edges that join these identifiers of a person to the others."""
    births = identity.births_of_survivors([survivor])
    rows = {row: bool(hub) for row, hub in bulk.select(Identifier, ("id", "hub"), "person_id", births)}
    strange = set(out) - rows.keys()
    if strange:
        raise NotFound("选中的标识里有的不是这位客户的，请刷新。", "Some of these identifiers are not this person's.")
    if not out or len(set(out)) == len(rows):
        raise BadInput("请选出一部分标识：两边都要留下至少一个。", "Choose some identifiers: each side needs one.")
    crossing = [
        (first, second)
        for first, second, said, _ in joining.edges_of(rows)
        if second in rows and (first in out) != (second in out) and (said == 1 or not (rows[first] or rows[second]))
    ]
    if not crossing:
        raise BadInput("这两边之间没有任何关联可断开。", "Nothing joins these two sides.")
    return sorted(crossing)


def _decide(viewer: Viewer, kind: DecisionKind, reason: str, **about: int) -> Decision:
    return Decision.objects.create(kind=kind.value, by=viewer.name, reason=reason, **about)


def _say(decision: Decision, pairs: Sequence[Pair], said: int) -> None:
    """Keep a decision's word about pairs of identifiers, and let persons follow."""
    bulk.insert(Word, ("decision_id", "first", "second", "said"), ((decision.pk, *pair, said) for pair in pairs))
    _follow_words(pairs)


def _follow_words(pairs: Sequence[Pair]) -> None:
    """Let edges say of these pairs what the latest word that stands does."""
    if not pairs:
        return
    wanted = set(pairs)
    said = dict.fromkeys(wanted, 0)
    for part in bulk.chunks({first for first, _ in wanted}):
        standing = Word.objects.filter(first__in=part, decision__withdrawn_at=None).order_by("decision_id")
        for first, second, word in standing.values_list("first", "second", "said"):
            if (first, second) in said:
                said[first, second] = word
    there = set(bulk.select(Identifier, ("id",), "id", set(chain.from_iterable(wanted))))
    rows = [(*pair, None, word) for pair, word in said.items() if {(end,) for end in pair} <= there]
    bulk.insert(
        Edge, ("first_id", "second_id", "seen_at", "said"), rows, key=("first_id", "second_id"), update=("said",)
    )
    Edge.objects.filter(seen_at=None, said=0, first_id__in={first for first, _ in wanted}).delete()
    joining.settle_anew({end for (end,) in there})


def _cap(viewer: Viewer, kind: DecisionKind, identifier: int, cap: int, reason: str) -> int:
    headquarters(viewer)
    why = _reason(reason)
    with transaction.atomic():
        joining.lock()
        if not Identifier.objects.filter(pk=identifier).exists():
            raise NotFound("没有这个标识，请刷新。", "There is no such identifier.")
        decision = _decide(viewer, kind, why, identifier=identifier, cap=cap)
        _follow_caps(identifier)
        audit(viewer, f"identifier_{kind.value}", str(identifier), cap=cap, decision=decision.pk)
    return decision.pk


def _follow_caps(identifier: int) -> None:
    """Let an identifier's cap be what the latest decision about it that stands says."""
    standing = Decision.objects.filter(identifier=identifier, withdrawn_at=None).order_by("-pk")
    cap = standing.values_list("cap", flat=True).first()
    Identifier.objects.filter(pk=identifier).update(cap=cap)
    joining.settle_anew({identifier})


def _suspected(viewer: Viewer, kind: DecisionKind, first: PersonId, second: PersonId, reason: str) -> int:
    headquarters(viewer)
    with transaction.atomic():
        joining.lock()
        low, high = _two(first, second)
        decision = _decide(viewer, kind, reason, person=low, other=high)
        _close_suspicion(low, high, decision, new=True)
        audit(viewer, f"persons_{kind.value}", str(low), other=high, decision=decision.pk)
    return decision.pk


def _close_suspicion(low: int, high: int, decision: Decision, *, new: bool) -> None:
    """Let every suspicion of birth persons of these two be answered by the decision. `new`: keep one where none is."""
    ours, theirs = identity.births_of_survivors([low]), identity.births_of_survivors([high])
    found = [
        row
        for row, first, second in _suspicions(ours | theirs)
        if (first in ours and second in theirs) or (first in theirs and second in ours)
    ]
    if found:
        Suspect.objects.filter(pk__in=found).update(decision=decision)
    elif new:
        Suspect.objects.create(first=low, second=high, decision=decision)


def _suspicions(births: Iterable[int]) -> list[tuple[int, int, int]]:
    return list(bulk.select(Suspect, ("id", "first", "second"), "first", births))
