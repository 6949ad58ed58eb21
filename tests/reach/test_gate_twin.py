"""The gate equals its naive twin in worlds where every rule matters, and every rule is needed for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import combinations
from typing import Any

import pyarrow as pa
import pytest

from tests.reach.twin import Told, decide_naively
from tests.reach.worlds import world
from yutang.reach.gate import ALLOCATION, ARMS, ROW_RULES, STAGES, decide
from yutang.reach.gate.allocation import allocate
from yutang.reach.gate.arms import part_arms
from yutang.reach.gate.contracts import Outcome, Tick
from yutang.reach.gate.docket import Stage
from yutang.reach.gate.rows import judge_rows

WORLDS = 500
NEVER_BOTH = frozenset({"relation", "no_address"})  # a channel is one or the other
ARM_OF = {"held_out": "plan_holdout", "globally_held_out": "global_holdout"}
RULES = tuple(rule.name.value for rule in (*ROW_RULES, *ALLOCATION)) + tuple(ARM_OF.values())


@cache
def told(seed: int) -> tuple[Tick, Told]:
    tick = world(seed)
    return tick, decide_naively(tick)


def rows(tick: Tick, stages: Sequence[Stage] = STAGES) -> list[dict[str, Any]]:
    decided: list[dict[str, Any]] = decide(tick, stages).table.to_pylist()
    return decided


def fired(twin: Told) -> set[str]:
    """The rules that decided somebody: gave the reason, or drew the arm."""
    return {row["reason"] or ARM_OF.get(row["outcome"], "") for row in twin.rows} - {""}


def test_the_gate_equals_its_twin_in_every_world():
    for seed in range(WORLDS):
        tick, twin = told(seed)
        assert rows(tick) == twin.rows, f"world {seed}"


@pytest.mark.parametrize("seed", [3, 4, 8, 11, 17, 20])
def test_the_gate_equals_its_twin_in_a_crowd(seed: int):
    tick = world(seed, crowd=50)
    assert rows(tick) == decide_naively(tick).rows


def test_every_rule_decides_in_three_worlds_of_ten_and_every_pair_in_one_of_twenty():
    fires: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for seed in range(WORLDS):
        names = fired(told(seed)[1])
        fires.update(names)
        together.update(combinations(sorted(names), 2))
    assert {rule: fires[rule] for rule in RULES if fires[rule] < 0.3 * WORLDS} == {}
    pairs = list(combinations(sorted(RULES), 2))
    assert {pair: together[pair] for pair in pairs if together[pair] < 0.05 * WORLDS} == {}


def test_every_pair_of_row_rules_bears_on_one_and_the_same_touch_in_one_world_of_twenty():
    together: Counter[frozenset[str]] = Counter()
    for seed in range(WORLDS):
        together.update({frozenset(pair) for bore in told(seed)[1].bore for pair in combinations(bore, 2)})
    pairs = [frozenset({a.name.value, b.name.value}) for a, b in combinations(ROW_RULES, 2)]
    pairs.remove(frozenset({"relation", "grace_period"}))  # who is no friend is no new friend
    pairs.remove(NEVER_BOTH)
    assert {pair: together[pair] for pair in pairs if together[pair] < 0.05 * WORLDS} == {}


def test_quiet_hours_move_touches_and_do_not_only_refuse_them():
    assert sum(any("quiet_hours moves" in bore for bore in told(seed)[1].bore) for seed in range(WORLDS)) > 0.5 * WORLDS


def test_the_worlds_are_crowded():
    for seed in range(WORLDS):
        tick, twin = told(seed)
        assert len(tick.plans) >= 3
        plans_per_person = Counter(row["person"] for row in twin.rows)
        assert sorted(plans_per_person.values())[len(plans_per_person) // 2] >= 3
    outcomes = Counter(row["outcome"] for seed in range(WORLDS) for row in told(seed)[1].rows)
    assert set(outcomes) == set(Outcome)
    assert outcomes["suppressed"] < 0.9 * outcomes.total()


def policy_of(row_rules: Sequence[Any], allocation: Sequence[Any], arms: Sequence[Any]) -> tuple[Stage, ...]:
    return (
        partial(judge_rows, rules=row_rules),
        partial(allocate, rules=allocation),
        partial(part_arms, arms=arms),
    )


def without(rules: Sequence[Any], index: int) -> list[Any]:
    return [rule for position, rule in enumerate(rules) if position != index]


def swapped(rules: Sequence[Any], one: int, other: int) -> list[Any]:
    changed = list(rules)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


POLICY = (ROW_RULES, ALLOCATION, ARMS)
NAMES = [[rule.name.value for rule in ROW_RULES], [rule.name.value for rule in ALLOCATION], list(ARM_OF.values())[::-1]]
DELETIONS = [
    pytest.param(tuple(without(part, index) if part is POLICY[where] else part for part in POLICY), id=f"no {name}")
    for where, names in enumerate(NAMES)
    for index, name in enumerate(names)
]
SWAPS = [
    pytest.param(
        tuple(swapped(part, one, other) if part is POLICY[where] else part for part in POLICY),
        id=f"{names[other]} before {names[one]}",
    )
    for where, names in enumerate(NAMES)
    for one, other in combinations(range(len(names)), 2)
    if {names[one], names[other]} != NEVER_BOTH
]


def differs(stages: Sequence[Stage]) -> bool:
    """Whether the comparison with the twin fails for a gate with other stages."""
    return any(rows(tick, stages) != twin.rows for tick, twin in map(told, range(WORLDS)))


def test_the_three_tuples_put_together_here_are_the_policy():
    assert all(rows(tick, policy_of(*POLICY)) == twin.rows for tick, twin in map(told, range(40)))


@pytest.mark.parametrize("policy", DELETIONS)
def test_no_rule_can_be_left_out(policy: tuple[Any, Any, Any]):
    assert differs(policy_of(*policy))


@pytest.mark.parametrize("policy", SWAPS)
def test_no_two_rules_can_change_places(policy: tuple[Any, Any, Any]):
    assert differs(policy_of(*policy))


@pytest.mark.parametrize("wish", ["own_week", "own_month", "own_opens", "own_closes"])
def test_nothing_that_a_person_asked_for_can_be_left_out(wish: str):
    def deaf(tick: Tick) -> Tick:
        place = tick.candidates.schema.get_field_index(wish)
        nothing = pa.nulls(tick.candidates.num_rows, pa.int32())
        return replace(tick, candidates=tick.candidates.set_column(place, wish, nothing))

    assert any(rows(deaf(tick)) != twin.rows for tick, twin in map(told, range(WORLDS)))


@pytest.mark.parametrize(("one", "other"), list(combinations(range(len(STAGES)), 2)))
def test_no_two_stages_can_change_places(one: int, other: int):
    assert differs(swapped(STAGES, one, other))
