"""One person's columns are those that the gate would have had of her in any audience, on both engines."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.reach.conftest import HOUR, START, naive
from tests.reach.test_ledger_engines import MERGED, PERSONS, ledger
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import empty, fresh_warehouse, rows
from yutang.warehouse.contracts import Statement, named

NOW = naive(START)
TABLES = ("facts", "profiles", "fact_relations", "fact_consents")


def known(chance: random.Random) -> dict[str, pa.Table]:
    """A ledger as the engines' test has it, and what is known of its people."""
    everybody = range(1, PERSONS + 1)
    some: dict[str, list[dict[str, Any]]] = {
        "facts": [
            {"person": one, "zone": "Asia/Tokyo", "bucket": one, "risk": one % 3, "silent": one % 7 == 0}
            for one in everybody if one % 4
        ],
        "profiles": [{"person": one, "spend_365d": one} for one in everybody if one % 5],
        "fact_relations": [
            {"person": one, "channel": chance.choice(["wecom", "sms"]), "live": chance.random() < 0.8,
             "added_at": NOW - chance.randint(1, 90) * 24 * HOUR}
            for one in everybody for _ in range(chance.randint(0, 2))
        ],
        "fact_consents": [
            {"person": one, "purpose": "marketing", "channel": channel, "granted": chance.random() < 0.6}
            for one in everybody for channel in chance.sample(["*", "wecom", "sms"], chance.randint(0, 3))
        ],
    }  # fmt: skip
    given = ledger(chance)
    topics = [
        {"person": one, "kind": kind, "name": name}
        for one, kind, name in (
            (3, "topic", "offers"),
            (5, "channel", "wecom"),
            (6, "topic", "*"),
            (8, "topic", "tips"),
        )
    ]
    hours = [{"person": 9, "kind": "hours", "name": "opens", "value": 600}]
    wishes = pa.concat_tables([given["fact_preferences"], rows("fact_preferences", *topics, *hours)])
    return {**given, "fact_preferences": wishes, **{name: rows(name, *some[name]) for name in TABLES}}


def asked(person: int | None) -> Statement:
    """What is asked of one person, or of an audience of everybody."""
    number = pa.int64()
    params = {
        "start": START, "deadline": START + timedelta(minutes=5), "channel": "wecom", "purpose": "marketing",
        "topic": "offers", "zone": "Asia/Shanghai",
    }  # fmt: skip
    committed = pa.table({"run": pa.array([1, 2], number)})
    if person is None:
        audience = pa.table({"person": pa.array(range(1, PERSONS + 1), number)})
        return named("reach/candidates", params, {"audience": audience, "committed": committed})
    births = [person, *([PERSONS + person] if person <= MERGED else [])]
    tables = {"births": pa.table({"birth": pa.array(births, number)}), "committed": committed}
    return named("reach/candidate", params | {"person": person}, tables)


@pytest.mark.parametrize("seed", range(3))
def test_one_person_is_told_as_in_any_audience(seed: int, tmp_path: Any) -> None:
    tables = known(random.Random(seed))
    warehouse = fresh_warehouse(tmp_path)
    whole = {**{name: empty(name) for name in TABLES}, **tables}
    of_all = asked(None)
    everybody = {
        row.pop("person"): row
        for row in warehouse.query(Statement(of_all.sql, of_all.params, {**whole, **of_all.tables})).to_pylist()
    }
    assert len({tuple(row.values()) for row in everybody.values()}) > PERSONS / 2, "or nothing was compared"
    for person, row in everybody.items():
        one = asked(person)
        assert warehouse.query(Statement(one.sql, one.params, {**whole, **one.tables})).to_pylist() == [row], person
    warehouse.close()


@pytest.mark.long
def test_both_engines_say_the_same_of_one_person() -> None:
    for person in (3, 5, 14):
        assert assert_equal_on_both_engines(asked(person), known(random.Random(person))).num_rows == 1
