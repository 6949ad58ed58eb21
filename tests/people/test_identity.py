"""Persons are the components of what was seen together: whatever the order, live or in bulk."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.people.pond import T0, found_pond, friend, member, phone
from yutang.log.contracts import IdentifierValue, said
from yutang.people import identity, joining, memory, queries, services
from yutang.people.identifiers import is_strong, masked, normalised
from yutang.people.models import Edge, Identifier, Person, PersonOverride

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _pond(db: None) -> None:
    found_pond()


def test_the_same_phone_however_written_is_one_person() -> None:
    written = ["13800138000", "+86 138 0013 8000", "0086-138-0013-8000", "138 0013 8000"]
    assert len(set(services.resolve([[phone(text)] for text in written], seen_at=T0))) == 1


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("１３８００１３８０００", "+8613800138000"),
        ("＋８６１３８００１３８０００", "+8613800138000"),
        ("86138 0013 8000", "+8613800138000"),
        ("13800138000.0", "+8613800138000"),
        ("\u200b138\u00a00013 8000", "+8613800138000"),
        ("(010) 8888 6666", "+861088886666"),
        ("010-88886666-8012", "+861088886666;ext=8012"),
        ("010-88886666 转 12", "+861088886666;ext=12"),
        ("010-88886666 ext. 12", "+861088886666;ext=12"),
        ("+1 650 253 0000", "+16502530000"),
        ("19912345678", "+8619912345678"),
        ("88886666", "88886666"),
        ("12345678", "12345678"),
        ("11111111111", "11111111111"),
        ("1380013800", "1380013800"),
        ("无", "无"),
    ],
)
def test_a_phone_is_kept_in_one_form_or_as_no_number(written: str, kept: str) -> None:
    clean = normalised(phone(written), "CN")
    assert clean.value == kept
    assert is_strong(clean) == kept.startswith("+")
    assert normalised(clean, "CN") == clean


def test_a_chinese_number_of_a_brand_elsewhere_is_the_same_number() -> None:
    forms = ("0086 138 0013 8000", "86-13800138000", "+86 13800138000")
    assert {normalised(phone(form), "US").value for form in forms} == {"+8613800138000"}
    assert masked("phone", "+861088886666;ext=8012") == "+8610****6666;ext=…"


def test_what_is_no_phone_number_joins_nobody() -> None:
    first, second = services.resolve([[member("1"), phone("0")], [member("2"), phone("0")]], seen_at=T0)
    assert first != second


def test_a_weak_identifier_joins_nobody_and_alone_is_somebody() -> None:
    device = IdentifierValue("device", "", "ipad-in-the-shop")
    first, second, alone = services.resolve([[member("1"), device], [member("2"), device], [device]], seen_at=T0)
    assert len({first, second, alone}) == 3
    assert services.resolve([[device]], seen_at=T0) == [alone]


def test_rows_keep_the_birth_person_and_overrides_name_the_survivor() -> None:
    (old,) = services.birth_persons([[member("1")]], seen_at=T0)
    (new,) = services.birth_persons([[friend("wm1")]], seen_at=T0)
    assert services.resolve([[member("1"), friend("wm1")]], seen_at=T0) == [old]
    assert services.birth_persons([[friend("wm1")]], seen_at=T0) == [new]
    assert queries.survivors(np.array([new, old, new])).tolist() == [old, old, old]
    assert list(PersonOverride.objects.values_list("birth_id", "survivor_id")) == [(new, old)]


def test_taking_an_edge_away_restores_exactly_who_was_there() -> None:
    births = services.birth_persons([[member("1")], [friend("wm1")]], seen_at=T0)
    services.resolve([[member("1"), friend("wm1")]], seen_at=T0)
    ends = set(Identifier.objects.values_list("pk", flat=True))
    Edge.objects.all().delete()
    joining.settle(ends)
    assert services.resolve([[member("1")], [friend("wm1")]], seen_at=T0) == births


def test_a_number_seen_with_too_many_joins_nobody_also_in_retrospect() -> None:
    till = phone("13900000000")
    few = services.resolve([[member(str(n)), till] for n in range(joining.HUB_LIMIT)], seen_at=T0)
    assert len(set(few)) == 1
    services.resolve([[member("one more"), till]], seen_at=T0)
    after = services.resolve([[member(str(n))] for n in range(joining.HUB_LIMIT)], seen_at=T0)
    assert len(set(after)) == joining.HUB_LIMIT


KINDS = st.sampled_from(["member", "external_userid", "phone", "device"])
VALUES = st.integers(0, 7)
GROUPS = st.lists(st.lists(st.tuples(KINDS, VALUES), min_size=1, max_size=3), min_size=1, max_size=25)


def _identifier(kind: str, number: int) -> IdentifierValue:
    return phone(f"1380000000{number}") if kind == "phone" else IdentifierValue(kind, "x", str(number))


def _oracle(groups: list[list[IdentifierValue]]) -> set[frozenset[IdentifierValue]]:
    """Who is one person, worked out one pair at a time."""
    clean = [[normalised(one, "CN") for one in group] for group in groups]
    beside: dict[IdentifierValue, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    pairs = set()
    for group in clean:
        for first, second in combinations({one for one in group if is_strong(one)}, 2):
            pairs.add((first, second))
            beside[first][second.kind, second.namespace].add(second.value)
            beside[second][first.kind, first.namespace].add(first.value)
    hubs = {one for one, seen in beside.items() if max(map(len, seen.values())) > joining.HUB_LIMIT}
    person = {one: frozenset({one}) for group in clean for one in group if is_strong(one)}
    for first, second in pairs:
        if first not in hubs and second not in hubs:
            for one in (joined := person[first] | person[second]):
                person[one] = joined
    return set(person.values())


def _partition(groups: list[list[IdentifierValue]]) -> set[frozenset[IdentifierValue]]:
    """Who is one person, as kept."""
    persons: dict[int, set[IdentifierValue]] = defaultdict(set)
    for group in groups:
        for one in group:
            clean = normalised(one, "CN")
            if is_strong(clean):
                persons[services.resolve([[one]], seen_at=T0)[0]].add(clean)
    return {frozenset(joined) for joined in persons.values()}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=GROUPS, data=st.data())
def test_one_at_a_time_and_all_at_once_give_the_components_of_the_edges(
    raw: list[list[tuple[str, int]]], data: st.DataObject
) -> None:
    groups = [[_identifier(*one) for one in group] for group in raw]
    shuffled = data.draw(st.permutations(groups))
    middle = data.draw(st.integers(0, len(groups)))
    limit, joining.HUB_LIMIT = joining.HUB_LIMIT, 3
    everybody = joining.EVERYBODY
    try:
        wanted = _oracle(groups)
        for way in (
            "all at once",
            "in two parts",
            "in two parts, all settled anew",
            "as the pump does",
            "one at a time",
        ):
            joining.EVERYBODY = 0 if way.endswith("anew") else everybody
            PersonOverride.objects.all().delete()
            Edge.objects.all().delete()
            Identifier.objects.all().delete()
            if way == "all at once":
                services.resolve(groups, seen_at=T0)
            elif way == "as the pump does":
                texts = list(dict.fromkeys(said(group) for group in shuffled))
                seen_at = np.full(len(texts), int(T0.timestamp() * 1e6))
                births = services.births_said(texts, seen_at)
                assert services.births_said(texts, seen_at).tolist() == births.tolist()
            elif way != "one at a time":
                services.resolve(shuffled[:middle], seen_at=T0)
                services.resolve(shuffled[middle:], seen_at=T0)
            else:
                for group in shuffled:
                    services.resolve([group], seen_at=T0)
            assert _partition(groups) == wanted, way
            survivors = set(PersonOverride.objects.values_list("survivor_id", flat=True))
            assert not survivors & set(PersonOverride.objects.values_list("birth_id", flat=True)), "flattened"
    finally:
        joining.HUB_LIMIT, joining.EVERYBODY = limit, everybody


def test_groups_with_nothing_new_are_only_read() -> None:
    texts = [said([member("1")]), said([phone("138 0013 8000"), member("2")])]
    at = np.full(2, int(T0.timestamp() * 1e6))
    births = services.births_said(texts, at)
    with CaptureQueriesContext(connection) as asked:
        assert services.births_said(texts, at).tolist() == births.tolist()
    assert all(query["sql"].startswith("SELECT") for query in asked.captured_queries)
    assert identity.settled([said([member("1"), member("2")]), said([member("3")])], "CN").tolist() == [0, 0]


def test_a_weak_identifier_beside_a_strong_one_makes_nobody_and_is_nobody_yet() -> None:
    device = IdentifierValue("device", "", "ipad")
    services.resolve([[member("1"), device]], seen_at=T0)
    assert Person.objects.count() == 1
    assert services.resolve([[device]], seen_at=T0) != services.resolve([[member("1")]], seen_at=T0)


@pytest.mark.django_db(transaction=True)
def test_what_is_remembered_is_void_in_every_process_once_somebody_was_taken_away() -> None:
    text, at = said([member("1")]), np.array([int(T0.timestamp() * 1e6)])
    (birth,) = services.births_said([text], at).tolist()
    assert identity.settled([text], "CN").tolist() == [birth]
    assert memory.current().get(text, 0) == birth
    Identifier.objects.all().delete()
    memory.forget_all()
    assert services.births_said([text], at).tolist() != [birth]


def test_what_a_transaction_made_is_not_remembered_before_it_is_kept() -> None:
    text, at = said([member("1")]), np.array([int(T0.timestamp() * 1e6)])
    services.births_said([text], at)
    identity.settled([text], "CN")
    assert memory.current().get(text, 0) == 0


def test_a_column_and_a_live_event_agree_and_a_repeat_makes_nobody() -> None:
    values = pa.array([f"m{n % 1000}" for n in range(5000)])
    births = services.resolve_column("member", "till", values, seen_at=T0)
    assert len(set(births.tolist())) == 1000
    assert services.birth_persons([[member("m7")]], seen_at=T0) == [births[7]]
    assert services.resolve_column("member", "till", values, seen_at=T0).tolist() == births.tolist()
    assert Person.objects.count() == 1000


def test_a_column_of_many_members_takes_no_query_per_row(django_assert_max_num_queries: object) -> None:
    values = pa.array([f"m{n}" for n in range(3_000)])
    with django_assert_max_num_queries(40):  # type: ignore[operator]  # pytest-django's fixture
        services.resolve_column("member", "till", values, seen_at=T0)
