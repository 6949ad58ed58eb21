"""净增好友: what is a gain, what a loss, and what is neither, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse, insert, rows
from yutang.kernel.ids import NodeId, StaffId
from yutang.profiles.friends import NetFriends, by_node, net_friends_of, total, with_friendships
from yutang.warehouse.contracts import Statement, Warehouse, named

WANG, LI, CHEN = StaffId(1), StaffId(2), StaffId(3)
AT = {WANG: NodeId(10), LI: NodeId(10), CHEN: NodeId(11)}
START = datetime(2026, 3, 1, tzinfo=UTC)
SINCE, UNTIL = START + timedelta(days=10), START + timedelta(days=40)
Word = tuple[str, int, int, float]


def events(*words: Word) -> pa.Table:
    """`+` or `-`, by whom after it (`-t` by a transfer), of a person with a member of staff, on a day."""
    by = {"": "{}", "t": '{"by":"transfer"}', "c": '{"by":"customer"}', "m": '{"by":"member"}'}
    return rows(
        "events",
        *(
            {
                "event_id": f"e{number}", "type": "relation.added" if what[0] == "+" else "relation.lost",
                "occurred_at": (START + timedelta(days=day)).replace(tzinfo=None), "person": person, "staff": staff,
                "store": AT.get(StaffId(staff)), "props": by[what[1:]],
            }
            for number, (what, person, staff, day) in enumerate(words)
        ),
    )  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    opened = fresh_warehouse(tmp_path)
    yield opened
    opened.close()


def net(warehouse: Warehouse, *words: Word, at: dict[StaffId, NodeId] = AT) -> NetFriends:
    warehouse.write([insert("events", events(*words))])
    return net_friends_of(warehouse, at, SINCE, UNTIL)


def test_a_gain_is_what_came_less_what_went(warehouse: Warehouse) -> None:
    found = net(
        warehouse,
        ("+", 1, WANG, 12), ("+", 2, WANG, 13), ("+", 3, LI, 5), ("-c", 3, LI, 20), ("+", 4, LI, 14), ("-m", 4, LI, 15),
        ("+", 5, LI, 41), ("+", 6, WANG, 2),  # too late, and too early
    )  # fmt: skip
    assert found == NetFriends(added=3, lost=2, by_customer=1)
    assert found.net == 1


def test_lost_and_regained_is_no_gain(warehouse: Warehouse) -> None:
    found = net(warehouse, ("+", 1, WANG, 2), ("-c", 1, WANG, 12), ("+", 1, WANG, 20))
    assert (found.added, found.lost, found.net) == (1, 1, 0)


def test_a_word_said_twice_counts_once(warehouse: Warehouse) -> None:
    found = net(warehouse, ("+", 1, WANG, 12), ("+", 1, WANG, 13), ("-c", 1, WANG, 14), ("-m", 1, WANG, 15))
    assert (found.added, found.lost) == (1, 1)


def test_who_was_handed_over_is_neither_gain_nor_loss(warehouse: Warehouse) -> None:
    found = net(
        warehouse,
        ("+", 1, WANG, 2), ("-t", 1, WANG, 20), ("+", 1, LI, 20.1),  # told at the losing end
        ("+", 2, WANG, 3), ("-m", 2, WANG, 21), ("+t", 2, LI, 21),  # told at the gaining end
        ("+", 3, WANG, 4), ("-t", 3, WANG, 22), ("+", 3, LI, 2),  # was the taker's friend already
        ("+", 4, WANG, 5), ("-m", 4, WANG, 15), ("+", 4, LI, 30),  # left one, and found the other on their own
    )  # fmt: skip
    assert found == NetFriends(added=1, lost=1, handed_in=2, handed_on=3)


def test_two_accounts_of_one_person_are_one_friend(warehouse: Warehouse) -> None:
    warehouse.write([insert("person_overrides", [{"birth": 2, "survivor": 1}])])
    found = net(warehouse, ("+", 1, WANG, 12), ("+", 2, WANG, 13), ("-c", 1, WANG, 20), ("+", 2, LI, 14))
    assert (found.added, found.lost) == (2, 0)  # one of each guide
    warehouse.write([insert("events", events(("-c", 2, WANG, 25)))])
    assert net_friends_of(warehouse, AT, SINCE, UNTIL).lost == 1


def test_a_list_that_told_of_a_friend_is_believed_and_a_loss_counts_without_it(warehouse: Warehouse) -> None:
    listed = {"sender": 1, "staff": WANG, "store": 10, "channel": "wecom", "live": True}
    early, late = (START + timedelta(days=day) for day in (1, 15))
    facts = [
        {**listed, "person": 1, "added_at": late.replace(tzinfo=None)},
        {**listed, "person": 2, "added_at": early.replace(tzinfo=None), "live": False},
    ]
    warehouse.write([insert("fact_relations", facts)])
    found = net(warehouse, ("-c", 2, WANG, 20), ("-c", 3, LI, 20))
    assert (found.added, found.lost) == (1, 2)


def test_it_counts_where_the_guide_stands_now_and_adds_up(warehouse: Warehouse) -> None:
    warehouse.write([insert("events", events(("+", 1, WANG, 12), ("+", 2, CHEN, 12), ("+", 3, CHEN, 13)))])
    each = {staff: net_friends_of(warehouse, {staff: AT[staff]}, SINCE, UNTIL) for staff in AT}
    assert by_node(each, {**AT, WANG: NodeId(11)}) == {11: NetFriends(3), 10: NetFriends(0)}
    assert total(each.values()) == net_friends_of(warehouse, AT, SINCE, UNTIL)


@pytest.mark.long
def test_both_engines_answer_alike() -> None:
    told = events(
        ("+", 1, WANG, 12), ("+", 2, WANG, 13), ("-c", 1, WANG, 20), ("+", 3, WANG, 2), ("-t", 3, WANG, 20),
        ("+", 3, LI, 20), ("-m", 4, CHEN, 20), ("+", 5, LI, 12), ("-m", 5, LI, 13), ("+t", 5, CHEN, 13.5),
    )  # fmt: skip
    tables = {"events": told, "person_overrides": rows("person_overrides", {"birth": 2, "survivor": 1})}
    each = Statement("SELECT * FROM friendships", {"since": SINCE})
    whole = assert_equal_on_both_engines(with_friendships(each, AT), tables)
    assert whole.num_rows == 6
    statement = with_friendships(named("profiles/net_friends", {"since": SINCE, "until": UNTIL}), AT)
    found = assert_equal_on_both_engines(statement, tables).to_pylist()
    assert [(row["staff"], row["added"], row["lost"], row["handed_on"]) for row in found] == [
        (WANG, 1, 0, 1),
        (LI, 1, 0, 1),
        (CHEN, 0, 1, 0),
    ]
