"""Groups and who is in them: what lists and events say, what the platform says, and what a viewer may read."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from tests.people.pond import T0, found_pond, friend, manager, member
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId, SenderId
from yutang.organisation.queries import OWNER
from yutang.people import erasing, grouped, services
from yutang.people.contracts import GroupFilter
from yutang.people.groups import GroupTold, GroupWord, Kept, MemberTold, apply_memberships, end_groups, keep_groups
from yutang.people.models import GroupMember

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def guides(db: None) -> dict[str, SenderId]:
    return found_pond()


def person(number: str) -> PersonId:
    return services.birth_persons([[member(number)]], seen_at=T0)[0]


def told(*who: str, code: str = "wr1", owner: str = "Wang", version: str = "", **more: object) -> GroupTold:
    members = tuple(MemberTold((friend(one),), T0 + DAY, 3, "wang", "yt1", f"群友 {one}") for one in who)
    values: dict[str, object] = {"name": "老客群", "state": "followed", "made_at": T0, "notice": "", "admins": ()}
    return GroupTold(code=code, owner=owner, version=version, staff=(owner,), members=members, **{**values, **more})  # type: ignore[arg-type]


def keep(*groups: GroupTold, read: timedelta = timedelta(0), now: timedelta = timedelta(0)) -> Kept:
    return keep_groups("corp", groups, read_at=wall_now() + read, now=business_now() + now)


def inside(number: int) -> list[str]:
    return sorted(one.name for one in grouped.group_members(OWNER, number)[0])


def one_group() -> int:
    return grouped.groups(OWNER, GroupFilter(live=None))[0][0].id


def test_the_latest_joining_and_leaving_count_in_any_order(guides: dict[str, SenderId]) -> None:
    one = person("1")
    words = [GroupWord(one, "g", joined, T0 + days * DAY) for joined, days in ((True, 0), (False, 1), (True, 2))]
    for index, order in enumerate(permutations(words)):
        apply_memberships([GroupWord(one, f"g{index}", word.joined, word.at) for word in order], {})
        row = GroupMember.objects.get(group__code=f"g{index}")
        assert (row.joined_at, row.left_at) == (T0 + 2 * DAY, T0 + DAY)
    apply_memberships(words[:2], {"g": ("老群", T0)})
    apply_memberships(words[:2], {"g": ("更老的群", T0 - DAY)})  # again, and late
    found = grouped.groups(OWNER, GroupFilter(codes=("g",)))[0][0]
    assert (found.name, found.persons, found.size, found.read_at) == ("老群", 0, 0, None)


def test_what_the_platform_tells_stands_and_says_who_moved(guides: dict[str, SenderId]) -> None:
    first = keep(told("a", "b"))
    assert (first.new, len(first.moved)) == (1, 2)
    assert {name for name, _ in first.names.values()} == {"群友 a", "群友 b"}
    services.name_persons(first.names)
    again = keep(told("a", "b"))
    assert (again.new, again.changed, again.moved) == (0, 0, ())
    later = keep(told("b", "c", name="新名"))
    assert (later.changed, sorted(one.word.joined for one in later.moved)) == (1, [False, True])
    services.name_persons(later.names)
    facts = grouped.group(OWNER, one_group())
    assert (facts.name, facts.size, facts.persons, facts.owner, facts.staff) == ("新名", 3, 2, "Wang", ("Wang",))
    assert inside(facts.id) == ["群友 b", "群友 c"]
    assert [one.name for one in grouped.group_members(OWNER, facts.id, live=False)[0]] == ["群友 a"]
    back = keep(told("a", "b", "c"))
    assert len(back.moved) == 0  # the same joining as before: only our belief that it had ended was wrong
    assert inside(facts.id) == ["群友 a", "群友 b", "群友 c"]


def test_an_older_reading_overwrites_nothing_and_a_known_version_is_not_compared(guides: dict[str, SenderId]) -> None:
    keep(told("a", version="v2"))
    assert keep(told(version="v1"), read=-DAY).moved == ()
    assert len(inside(one_group())) == 1
    assert keep(told(version="v2", name="新名")).changed == 1
    assert len(inside(one_group())) == 1


def test_words_of_the_log_and_of_the_platform_come_to_the_same(guides: dict[str, SenderId]) -> None:
    moved = [one.word for one in keep(told("a", "b")).moved]
    moved += [one.word for one in keep(told("b")).moved]
    apply_memberships(moved, {})  # the pump, once they were recorded as events
    assert GroupMember.objects.count() == 2
    assert grouped.group(OWNER, one_group()).persons == 1


def test_a_group_that_is_gone_comes_back_with_its_members(guides: dict[str, SenderId]) -> None:
    keep(told("a"))
    assert (end_groups(["wr1"], T0), end_groups(["wr1"], T0)) == (1, 0)
    assert grouped.groups(OWNER) == ([], 0)
    assert keep(told("a")).changed == 1
    assert grouped.groups(OWNER)[0][0].persons == 1


def test_a_group_belongs_to_its_owners_store(guides: dict[str, SenderId]) -> None:
    keep(told("a"), told("a", code="wr2", owner="li"), told("a", code="wr3", owner="nobody"))
    seen = {code: {one.code for one in grouped.groups(manager(code))[0]} for code in ("s1", "s2")}
    assert seen == {"s1": {"wr1"}, "s2": {"wr2"}}
    assert {one.code for one in grouped.groups(OWNER)[0]} == {"wr1", "wr2", "wr3"}
    hidden = next(one.id for one in grouped.groups(OWNER)[0] if one.code == "wr2")
    for read in (grouped.group, grouped.group_members, grouped.growth):
        with pytest.raises(NotFound):
            read(manager("s1"), hidden)  # type: ignore[operator]
    shown, total = grouped.group_members(manager("s1"), one_group())
    assert total == 1
    assert [(one.person, one.name) for one in shown] == [(None, "")]  # in the group, and outside of what they see
    assert grouped.owners_of_groups(manager("s2")) == ["li"]
    births = services.birth_persons([[friend("a")]], seen_at=T0)
    assert sorted(one.name for one in grouped.groups_of(manager("s1"), births)) == ["", "", "老客群"]
    assert {(one.live, one.joined_at) for one in grouped.groups_of(OWNER, births)} == {(True, T0 + DAY)}


def test_groups_are_found_by_what_they_are(guides: dict[str, SenderId]) -> None:
    keep(told(*"abc"), told(code="wr2", owner="li", name="上新群"))

    def found(**asked: object) -> list[str]:
        return [one.code for one in grouped.groups(OWNER, GroupFilter(**asked), order="size")[0]]  # type: ignore[arg-type]

    assert found() == ["wr2", "wr1"]
    assert found(owner="WANG") == ["wr1"]
    assert found(find="上新") == ["wr2"]
    assert (found(least=2), found(most=2), found(full=True)) == (["wr1"], ["wr2"], [])
    assert found(silent=30) == ["wr2", "wr1"]  # both moved long ago, or never
    assert [one.code for one in grouped.groups(OWNER, order="size", limit=1, offset=1)[0]] == ["wr1"]


def test_growth_adds_up(guides: dict[str, SenderId]) -> None:
    now = business_now()
    one, other = person("1"), person("2")
    apply_memberships(
        [
            GroupWord(one, "g", True, now - 20 * DAY),
            GroupWord(other, "g", True, now - 10 * DAY),
            GroupWord(other, "g", False, now - 2 * DAY),
        ],
        {},
    )
    weeks = grouped.growth(OWNER, one_group(), 4)
    assert [(week.joined, week.left, week.size) for week in weeks] == [(0, 0, 0), (1, 0, 1), (1, 0, 2), (0, 1, 1)]


def test_an_erased_person_is_in_no_group_and_comes_into_none(guides: dict[str, SenderId]) -> None:
    keep(told("a", "b"))
    births = services.birth_persons([[friend("a")]], seen_at=T0)
    erasing.block(births)
    erasing.forget(births)
    assert GroupMember.objects.count() == 1
    assert keep(told("a", "b")).moved == ()
    assert GroupMember.objects.count() == 1
    assert grouped.group(OWNER, one_group()).size == 3  # the platform counts them
