"""Persons who are there twice without a shared identifier: found, told with evidence, never merged by themselves."""

from __future__ import annotations

import pyarrow as pa
import pytest
from django.db import connection

from tests.people.pond import T0, found_pond, friend, manager, member, node, phone
from yutang.kernel.errors import Refused, Unavailable
from yutang.kernel.ids import PersonId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.people import decisions, erasing, matching, sameness, services, splinking
from yutang.people.models import PersonOverride
from yutang.warehouse.contracts import Statement

pytestmark = pytest.mark.django_db
NAMES = ("王小明", "李芳芳", "赵国强", "孙丽华", "周海英", "吴杰伦", "郑云飞", "冯静静", "陈艳梅", "褚卫国")


class Empty:
    """A warehouse in which nobody bought anything."""

    def query(self, statement: Statement) -> pa.Table:
        return pa.table({"person": pa.array([], pa.int64()), "sku": pa.array([], pa.string())})


@pytest.fixture
def twice(db: None) -> tuple[PersonId, PersonId]:
    """Ten customers, of whom one is there twice: as a member, and as a friend who gave a phone with one digit wrong."""
    found_pond()
    groups: list[list[IdentifierValue]] = [[member(str(n)), phone(f"138{n}{n}13{8037 + n}")] for n in range(len(NAMES))]
    persons = services.resolve([*groups, [friend("wm1"), phone("13811138039")]], seen_at=T0)
    services.name_persons({one: (name, T0) for one, name in zip(persons, (*NAMES, NAMES[1]), strict=True)})
    services.assign_home({one: node("s1") for one in persons})
    return persons[1], persons[-1]


def test_a_double_is_found_with_its_evidence_and_a_decided_pair_does_not_come_back(
    twice: tuple[PersonId, PersonId],
) -> None:
    pytest.importorskip("splink")
    warehouse: object = Empty()
    before = set(PersonOverride.objects.values_list("birth_id", flat=True))
    report = matching.match(OWNER, warehouse)  # type: ignore[arg-type]
    assert (report.persons, report.found, report.new) == (11, 1, 1)
    (found,) = sameness.suspects(OWNER)
    assert (found.first, found.second) == twice
    assert found.score is not None
    assert found.score > 0.9
    assert {one.field: one.level for one in found.agreements} == {
        "name": "same",
        "phone": "one_digit",
        "store": "same",
    }
    assert set(PersonOverride.objects.values_list("birth_id", flat=True)) == before, "nothing is merged by itself"
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM people_suspect")
        kept = str(cursor.fetchall())
    assert "138" not in kept
    assert NAMES[1] not in kept
    decisions.say_apart(OWNER, *twice, "母女")
    services.resolve([[friend("wm1"), member("card 2")]], seen_at=T0)
    again = matching.match(OWNER, warehouse)  # type: ignore[arg-type]
    assert (again.found, again.new) == (0, 0)
    assert sameness.suspects(OWNER) == []


def test_who_is_erased_while_doubles_are_looked_for_is_suspected_no_more(
    twice: tuple[PersonId, PersonId], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = {"first": twice[0], "second": twice[1], "score": 0.95}
    services.set_blocked(twice[1], True)
    assert matching._undecided([pair]) == []
    services.set_blocked(twice[1], False)
    assert matching._undecided([pair]) == [pair]
    erasing.forget([int(twice[1])])
    assert matching._undecided([pair]) == []


def test_what_too_many_share_brings_nobody_together(twice: tuple[PersonId, PersonId]) -> None:
    rows = [{"person": n, "name": "张女士", "phone": None, "mailbox": None, "store": n} for n in range(60)]
    assert matching._put_keys(rows) == 1
    assert {row["by_name"] for row in rows} == {None}
    assert all(row["by_name_store"] for row in rows[1:])


def test_without_splink_it_is_said_how_to_install_it(
    twice: tuple[PersonId, PersonId], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splinking, "installed", lambda: False)
    with pytest.raises(Unavailable, match=r"pip install 'yutang\[match\]'"):
        matching.match(OWNER, Empty())  # type: ignore[arg-type]
    with pytest.raises(Refused):
        matching.match(manager("s1"), Empty())  # type: ignore[arg-type]
