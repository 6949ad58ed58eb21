"""What somebody decides of who is who: persons are a function of edges and decisions, and what is withdrawn is undone
exactly."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.people.pond import T0, found_pond, friend, manager, member, phone
from tests.soak import identity as soak
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import PersonId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.models import AuditEntry
from yutang.organisation.queries import OWNER
from yutang.people import decisions, identity, joining, queries, services
from yutang.people.contracts import Refusal
from yutang.people.models import Crowd, Decision, Edge, Identifier, PersonOverride, Suspect, Word

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _pond(db: None) -> None:
    found_pond()


def person(*identifiers: IdentifierValue) -> PersonId:
    return services.resolve([identifiers], seen_at=T0)[0]


def row(one: IdentifierValue) -> int:
    return identity.find([one])[one][0]


def standing() -> dict[str, list[Any]]:
    """Every table that says who is who, but for when it was written."""
    return {
        "identifiers": sorted(Identifier.objects.values_list("pk", "person_id", "hub", "cap")),
        "edges": sorted(Edge.objects.values_list("first_id", "second_id", "seen_at", "said"), key=str),
        "overrides": sorted(PersonOverride.objects.values_list("birth_id", "survivor_id")),
        "crowds": sorted(Crowd.objects.values_list("pk", flat=True)),
    }


def test_a_merge_by_somebody_and_its_undoing_leave_everything_as_it_was() -> None:
    first, second = person(member("1"), phone("13800138000")), person(friend("wm1"))
    services.give_consent(first, "marketing", "*", at=T0, proof="till")
    services.withdraw_consent(second, "marketing", "*", at=T0, proof="")
    before = standing()
    number = decisions.merge_persons(OWNER, second, first, "同一个人，电话核对过")
    assert person(friend("wm1")) == first
    assert queries.may_be_touched({first: None}, "marketing", "sms") == {first: Refusal.CONSENT}, "most restrictive"
    decisions.withdraw(OWNER, number, "核对错了")
    assert standing() == before
    assert person(friend("wm1")) == second
    assert queries.may_be_touched({first: None}, "marketing", "sms") == {first: None}
    assert list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True)) == [
        "merge_persons",
        "withdraw_decision",
    ]


def test_what_was_cut_stays_cut_when_it_is_seen_again_until_the_decision_is_withdrawn() -> None:
    one, other = person(member("1"), phone("13800138000")), person(friend("wm1"))
    apart = standing()
    together = person(member("1"), friend("wm1"))
    assert together == one
    number = decisions.split_person(OWNER, together, {row(friend("wm1"))}, "收银员扫错了码")
    assert {**standing(), "edges": []} == {**apart, "edges": []}
    assert services.resolve([[friend("wm1")], [member("1"), friend("wm1")]], seen_at=T0) == [other, one]
    joining.settle_all()
    assert person(friend("wm1")) == other
    assert queries.known_and_new([[member("1"), friend("wm1")], [friend("wm1")]]) == (2, 0)
    decisions.withdraw(OWNER, number, "没有错")
    assert person(friend("wm1")) == one


def test_a_split_of_a_merge_is_undone_to_the_merge() -> None:
    first, second = person(member("1")), person(friend("wm1"))
    decisions.merge_persons(OWNER, first, second, "是")
    merged = standing()
    split = decisions.split_person(OWNER, first, {row(friend("wm1"))}, "不是")
    assert person(friend("wm1")) == second
    decisions.withdraw(OWNER, split, "还是")
    assert standing() == merged


def test_a_shared_number_joins_nobody_and_a_raised_cap_joins_again() -> None:
    till = phone("+8613900000000")
    groups = [[member(str(n)), till] for n in range(joining.HUB_LIMIT)]
    assert len(set(services.resolve(groups, seen_at=T0))) == 1
    assert list(Crowd.objects.values_list("pk", flat=True)) == [row(till)], "listed as near its cap"
    shared = decisions.say_shared(OWNER, row(till), "收银台的占位号码")
    assert len(set(services.resolve([group[:1] for group in groups], seen_at=T0))) == len(groups)
    decisions.withdraw(OWNER, shared, "看错了")
    services.resolve([[member("one more"), till]], seen_at=T0)
    assert len(set(services.resolve([group[:1] for group in groups], seen_at=T0))) == len(groups)
    with pytest.raises(BadInput, match="21"):
        decisions.say_single(OWNER, row(till), joining.HUB_LIMIT, "一个人")
    decisions.say_single(OWNER, row(till), 30, "批发客户，一人多卡")
    assert len(set(services.resolve([group[:1] for group in groups], seen_at=T0))) == 1


def test_two_who_are_not_the_same_are_suspected_no_more() -> None:
    first, second, third = person(member("1")), person(member("2")), person(friend("wm1"))
    Suspect.objects.create(first=first, second=second, score=0.97)
    decisions.say_later(OWNER, first, second)
    number = decisions.say_apart(OWNER, second, first, "母女")
    assert Suspect.objects.get().decision_id == number
    decisions.withdraw(OWNER, number, "看错了")
    assert Suspect.objects.get().decision_id is None
    decisions.merge_persons(OWNER, third, first, "同名同店")
    assert Suspect.objects.get().decision_id is None, "that was about somebody else"


def test_who_may_decide_and_what_cannot_be_decided() -> None:
    first, second = person(member("1"), phone("13800138000")), person(friend("wm1"))
    with pytest.raises(Refused):
        decisions.merge_persons(manager("s1"), first, second, "是")
    with pytest.raises(BadInput, match="reason"):
        decisions.merge_persons(OWNER, first, second, "  ")
    with pytest.raises(NotFound):
        decisions.merge_persons(OWNER, first, PersonId(9_999), "是")
    for out in (set(), {row(member("1")), row(phone("+8613800138000"))}):
        with pytest.raises(BadInput):
            decisions.split_person(OWNER, first, out, "不是")
    with pytest.raises(NotFound):
        decisions.split_person(OWNER, first, {row(friend("wm1"))}, "不是")
    number = decisions.merge_persons(OWNER, first, second, "是")
    with pytest.raises(BadInput):
        decisions.merge_persons(OWNER, first, second, "是")
    decisions.withdraw(OWNER, number, "不是")
    with pytest.raises(BadInput):
        decisions.withdraw(OWNER, number, "不是")
    assert Decision.objects.get().reason == "是"


NUMBERS = st.integers(0, 6)
KINDS = st.sampled_from(["member", "external_userid", "phone"])
THINGS = st.tuples(KINDS, NUMBERS)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("seen"), st.lists(THINGS, min_size=2, max_size=3)),
        st.tuples(st.just("seen"), st.lists(THINGS, min_size=2, max_size=3)),
        st.tuples(st.just("merge"), st.tuples(THINGS, THINGS)),
        st.tuples(st.just("split"), st.tuples(THINGS, st.integers(1, 30))),
        st.tuples(st.just("cap"), st.tuples(THINGS, st.sampled_from([0, 2, 5]))),
        st.tuples(st.just("withdraw"), st.integers(0, 5)),
    ),
    min_size=3,
    max_size=18,
)


def _thing(kind: str, number: int) -> IdentifierValue:
    return phone(f"+861380000000{number}") if kind == "phone" else IdentifierValue(kind, "x", str(number))


def _act(kind: str, given: Any) -> None:
    """One thing that happens or is decided; what cannot be decided is passed over."""
    if kind == "seen":
        services.resolve([[_thing(*one) for one in given]], seen_at=T0)
        return
    numbers = list(Decision.objects.filter(withdrawn_at=None).order_by("pk").values_list("pk", flat=True))
    try:
        if kind == "merge":
            decisions.merge_persons(OWNER, *(person(_thing(*one)) for one in given), "r")
        elif kind == "split":
            who = person(_thing(*given[0]))
            rows = Identifier.objects.filter(person_id__in=identity.births_of_survivors([who])).order_by("pk")
            out = {one.pk for place, one in enumerate(rows, 1) if given[1] >> (place % 5) & 1}
            decisions.split_person(OWNER, who, out, "r")
        elif kind == "cap":
            person(_thing(*given[0]))
            one = row(_thing(*given[0]))
            decisions.say_single(OWNER, one, given[1], "r") if given[1] else decisions.say_shared(OWNER, one, "r")
        elif numbers:
            decisions.withdraw(OWNER, numbers[given % len(numbers)], "r")
    except BadInput:
        pass  # such as two who are one already


def _oracle() -> dict[int, int]:
    """Every birth person's survivor, worked out from edges and standing words one pair at a time."""
    words: dict[tuple[int, int], int] = {}
    for word in Word.objects.filter(decision__withdrawn_at=None).order_by("decision_id"):
        words[word.first, word.second] = word.said
    caps: dict[int, int] = {}
    for decision in Decision.objects.filter(withdrawn_at=None).exclude(identifier=None).order_by("pk"):
        caps[decision.identifier] = decision.cap  # type: ignore[index,assignment]
    seen = set(Edge.objects.exclude(seen_at=None).values_list("first_id", "second_id"))
    seen = {pair for pair in seen if words.get(pair) != -1}
    rows = {one.pk: one for one in Identifier.objects.all()}
    beside: dict[int, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    for pair in seen:
        for own, other in (pair, pair[::-1]):
            beside[own][rows[other].kind, rows[other].namespace] += 1
    hubs = {one for one, counts in beside.items() if max(counts.values()) > caps.get(one, joining.HUB_LIMIT)}
    joined = {pair for pair in seen if not hubs & set(pair)} | {pair for pair, said in words.items() if said == 1}
    group = {one: {one} for one in rows}
    for first, second in joined:
        for one in (together := group[first] | group[second]):
            group[one] = together
    born = {one.pk: one.person_id for one in rows.values()}
    assert {one.pk for one in rows.values() if one.hub} == hubs
    return {born[one]: min(born[each] for each in together) for one, together in group.items()}  # type: ignore[misc]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_persons_are_a_function_of_edges_and_decisions_live_and_in_one_pass(acts: list[tuple[str, Any]]) -> None:
    limit, joining.HUB_LIMIT = joining.HUB_LIMIT, 3
    try:
        for model in (Suspect, Word, Decision, PersonOverride, Edge, Crowd, Identifier):
            model._default_manager.all().delete()
        for act in acts:
            _act(*act)
        live = standing()
        wanted = {birth: survivor for birth, survivor in _oracle().items() if birth != survivor}
        assert dict(live["overrides"]) == wanted
        services.resolve([[_thing(*one) for one in given] for kind, given in acts if kind == "seen"], seen_at=T0)
        assert standing() == live, "what was seen before is nothing new"
        PersonOverride.objects.all().delete()
        Crowd.objects.all().delete()
        Identifier.objects.update(hub=False)
        joining.settle_all()
        assert standing() == live
        for number in Decision.objects.filter(withdrawn_at=None).values_list("pk", flat=True):
            decisions.withdraw(OWNER, number, "r")
        assert not Edge.objects.filter(said__gte=0, seen_at=None).exists()
        assert {b: s for b, s in _oracle().items() if b != s} == dict(standing()["overrides"])
    finally:
        joining.HUB_LIMIT = limit


def test_components_of_few_are_those_that_scipy_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from yutang.people import components

    chance = np.random.default_rng(3)
    for count in range(2, 60, 7):
        edges = chance.integers(0, count, (count // 2, 2))
        few = components.labels(count, edges)
        with monkeypatch.context() as patched:
            patched.setattr(components, "FEW", 0)
            many = components.labels(count, edges)
        assert len(np.unique(few)) == len(np.unique(many)) == len(np.unique(np.stack([few, many]), axis=1).T)
        assert all((few[a] == few[b]) == (many[a] == many[b]) for a, b in combinations(range(count), 2))


def test_many_undoings_leave_every_table_as_it_was_and_components_are_those_of_scipy() -> None:
    """The soak (tests/soak/identity.py), small."""
    pairs = soak.pairs_of(30)
    soak.see_live(pairs)
    assert soak.same_partition(soak.survivors_now(90), soak.scipy_components(90, pairs))
    soak.say_something(30)
    soak.undo(16)
