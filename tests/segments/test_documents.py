"""What a segment document may say, and what it hears when it says something else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.segments.worlds import INSTANTS, NODES, ZONE, segment
from yutang.kernel.errors import BadDocument, BadInput, NotFound
from yutang.profiles.contracts import Moment
from yutang.segments.compile import compile_segment
from yutang.segments.contracts import Context, unfitted
from yutang.segments.documents import RULES, SegmentDocument, leaves

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"trait": "order_90d", "at_least": 1}, "where.trait", "orders_90d"),
    ({"trait": "orders_90d", "atleast": 1}, "where", "at_least, "),
    ({"trait": "orders_90d"}, "where", "comparison for orders_90d"),
    ({"trait": "orders_90d", "at_least": "many"}, "where.at_least", "not a number"),
    ({"trait": "orders_90d", "at_least": True}, "where.at_least", "not a number"),
    ({"trait": "overdue_ratio", "at_least": float("nan")}, "where.at_least", "not a number"),
    ({"trait": "lifecycle", "at_least": "new"}, "where", "comparison for lifecycle"),
    ({"trait": "lifecycle", "is": "sleeping"}, "where.is", "prospect"),
    ({"trait": "reachable", "is": "yes"}, "where.is", "true or false"),
    ({"trait": "first_order_at", "at_least": "last May"}, "where.at_least", "2026-01-31"),
    ({"event": "order.place"}, "where", "order.placed"),
    ({"event": "order.placed", "within": "90 days"}, "where.within", "90d"),
    ({"event": "order.placed", "within": "3d", "since": "2017-01-01"}, "where", "either"),
    ({"event": "order.placed", "since": "2017-02-01", "until": "2017-01-01"}, "where", "swap"),
    ({"event": "order.placed", "count": {}}, "where.count", "at least one condition"),
    ({"event": "campaign.targeted", "where": {"props": {"kampagne": "1"}}}, "where", "campaign"),
    ({"event": "person.seen", "where": {"props": {"phone": "138"}}}, "where", "phone"),
    ({"bought": {}}, "where.bought", "categories or skus"),
    ({"bought": {"category": ["milk"]}}, "where.bought.category", ""),
    ({"pool": "deep"}, "where.pool", "nurturing"),
    ({"all": []}, "where.all", ""),
    ({"all": [{"tag": "a"}, {"any": [{"trait": "nope", "is": 1}]}]}, "where.all.1.any.0.trait", "nope"),
    ({"bougth": {"skus": "1"}}, "where", "exactly one of all, any, not"),
    ({"tag": "a", "pool": "customer"}, "where", "exactly one of"),
]


@pytest.mark.parametrize(("rule", "place", "hint"), BAD, ids=lambda value: str(value)[:50])
def test_what_is_wrong_is_named_with_its_place_and_what_there_is(rule: dict[str, Any], place: str, hint: str) -> None:
    with pytest.raises(BadDocument) as caught:
        segment(rule)
    problem = caught.value.problems[0]
    assert problem.where == place
    assert hint in problem.en
    assert problem.zh


def test_rules_that_nest_without_end_are_refused() -> None:
    rule: dict[str, Any] = {"tag": "a"}
    for _ in range(17):
        rule = {"not": {"any": [rule]}}
    with pytest.raises(BadDocument, match="nest deeper"):
        segment(rule)


def compiled(rule: dict[str, Any], others: dict[str, dict[str, Any]] | None = None) -> str:
    def named(name: str) -> SegmentDocument:
        if name not in (others or {}):
            raise NotFound(f"没有「{name}」。", f"There is no segment document named “{name}”.")
        return segment((others or {})[name], name)

    return compile_segment(segment(rule, "start"), Context(Moment(INSTANTS[0], ZONE), NODES, named, unfitted)).sql()


def test_a_cycle_of_segments_is_refused_by_its_names() -> None:
    others = {"a": {"segment": "b"}, "b": {"not": {"segment": "start"}}, "start": {"segment": "a"}}
    with pytest.raises(BadInput, match="start → a → b → start"):
        compiled({"segment": "a"}, others)


def test_a_segment_twice_is_no_cycle_and_is_asked_of_the_log_once() -> None:
    sql = compiled({"any": [{"segment": "a"}, {"not": {"segment": "a"}}]}, {"a": {"event": "message.sent"}})
    assert sql.count("FROM events") == 1
    assert "m1" not in sql


@pytest.mark.parametrize(
    ("rule", "hint"),
    [({"segment": "nobody"}, "nobody"), ({"store": "s1"}, "s7"), ({"region": ["north", "west"]}, "south")],
)
def test_what_a_rule_refers_to_must_exist(rule: dict[str, Any], hint: str) -> None:
    with pytest.raises(BadInput, match=hint):
        compiled(rule)


def test_every_leaf_of_a_tree_is_found() -> None:
    where = segment({"all": [{"tag": "a"}, {"not": {"any": [{"pool": "customer"}, {"segment": "x"}]}}]}).where
    assert [type(leaf) for leaf in leaves(where)] == [RULES["tag"], RULES["pool"], RULES["segment"]]
