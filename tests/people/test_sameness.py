"""What is shown of who is who: to headquarters all of it, to a store what it may see anyway."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from tests.people.pond import T0, found_pond, friend, manager, member, node, phone
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import PersonId, SenderId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.people import decisions, identity, joining, sameness, services
from yutang.people.contracts import DecisionKind
from yutang.people.queries import person_card
from yutang.people.services import RelationWord
from yutang.warehouse.contracts import Statement

pytestmark = pytest.mark.django_db


class Orders:
    """A warehouse in which each birth person ordered as often as their number says."""

    def query(self, statement: Statement) -> pa.Table:
        births = statement.tables["births"]["person"].to_pylist()
        spend = pa.array([Decimal(10 * one) for one in births], pa.decimal128(18, 2))
        last = pa.array([T0.replace(tzinfo=None)] * len(births), pa.timestamp("us"))
        return pa.table({"person": births, "orders": births, "spend": spend, "last_at": last})


@pytest.fixture
def guides(db: None) -> dict[str, SenderId]:
    return found_pond()


def person(*identifiers: IdentifierValue) -> PersonId:
    return services.resolve([identifiers], seen_at=T0)[0]


def row(one: IdentifierValue) -> int:
    return identity.find([one])[one][0]


def test_two_persons_side_by_side_and_as_one(guides: dict[str, SenderId]) -> None:
    first, second = person(member("1")), person(friend("wm1"))
    services.give_consent(first, "marketing", "*", at=T0, proof="")
    services.withdraw_consent(second, "marketing", "*", at=T0, proof="")
    found = sameness.compare(OWNER, Orders(), second, first)  # type: ignore[arg-type]
    assert (found.first.card.person, found.second.card.person) == (first, second)
    assert (found.orders, found.spend) == (first + second, Decimal(10 * (first + second)))
    assert [one["marketing", "*"][0] for one in (found.first.consents, found.second.consents, found.consents)] == [
        True,
        False,
        False,
    ]
    decisions.merge_persons(OWNER, first, second, "是")
    with pytest.raises(NotFound):
        sameness.compare(OWNER, Orders(), second, first)  # type: ignore[arg-type]


def test_the_parts_of_a_split_are_who_is_there_after_it(guides: dict[str, SenderId]) -> None:
    one = person(member("1"), phone("13800138000"))
    person(phone("13800138000"), friend("wm1"))
    out = {row(phone("+8613800138000"))}
    parts = sameness.parts_of(OWNER, Orders(), one, out)  # type: ignore[arg-type]
    assert [[each.kind for each in part.identifiers] for part in parts] == [["member"], ["phone"], ["external_userid"]]
    decisions.split_person(OWNER, one, out, "不是")
    now = [person(each) for each in (member("1"), phone("13800138000"), friend("wm1"))]
    assert [part.person for part in parts] == now


def test_a_store_sees_how_its_customer_became_one_but_neither_reasons_nor_others(guides: dict[str, SenderId]) -> None:
    ours, theirs = person(friend("wm1"), phone("13800138000")), person(member("far"))
    services.apply_relations([RelationWord(ours, guides["wang"], "added", T0)])
    services.assign_home({theirs: node("s2")})
    merged = decisions.merge_persons(OWNER, ours, theirs, "电话里问过李姐")
    decisions.withdraw(OWNER, merged, "李姐说不是")
    whole = sameness.history(OWNER, person_card(OWNER, ours))
    (decision,) = whole.decisions
    assert (decision.kind, decision.reason, decision.open) == (DecisionKind.MERGE, "电话里问过李姐", False)
    assert {one.shown for one in decision.identifiers} == {"wm1", "far"}
    told = sameness.history(manager("s1"), person_card(manager("s1"), ours))
    assert [(one.first.shown, one.second.shown) for one in told.seen] == [("wm1", "+86138****8000")]
    assert "李姐" not in repr(told)
    assert "far" not in repr(told)
    for ask in (sameness.suspects, sameness.shared_identifiers, sameness.decided, sameness.waiting):
        with pytest.raises(Refused):
            ask(manager("s1"))  # type: ignore[operator]


def test_shared_identifiers_are_listed_masked_with_how_many_they_join_and_what_was_decided(
    guides: dict[str, SenderId],
) -> None:
    till = phone("+8613900000000")
    services.resolve([[member(str(n)), till] for n in range(joining.HUB_LIMIT + 1)], seen_at=T0)
    (found,) = sameness.shared_identifiers(OWNER)
    assert (found.shown, found.hub, found.beside, found.persons) == ("+86139****0000", True, 21, 21)
    assert len(found.samples) == sameness.SAMPLES
    assert sameness.waiting(OWNER) == (0, 1)
    decisions.say_shared(OWNER, found.row, "占位号码")
    (found,) = sameness.shared_identifiers(OWNER)
    assert found.decision is not None
    assert found.decision.reason == "占位号码"
    assert sameness.waiting(OWNER) == (0, 0)
