"""人设与账号健康: what is wrong with an account, of what nothing is said, and that peers are peers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.profiles.test_friends import START, events
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import fresh_warehouse, insert, rows
from yutang.guard.accounts.contracts import PARTS, Level, Sign, Usage
from yutang.guard.accounts.documents import AccountRules
from yutang.guard.accounts.judging import deleted_too_often, judged
from yutang.guard.accounts.queries import accounts, accounts_by_level
from yutang.kernel.clock import business_clock
from yutang.kernel.documents import read
from yutang.kernel.errors import BadDocument
from yutang.kernel.ids import NodeId, SenderId, StaffId
from yutang.organisation.contracts import AccountState, NodeKind, RoleName, Viewer
from yutang.organisation.departments import MemberRow, PersonaRow, keep_members
from yutang.organisation.queries import OWNER, account_states, posts
from yutang.organisation.services import NewNode, NewSender, add_nodes, add_senders, set_up_brand
from yutang.warehouse.contracts import Warehouse, named

RULES = AccountRules.model_validate({"kind": "accounts", "name": "default", "title": {"zh": "规则", "en": "Rules"}})
EVERY = frozenset(PARTS)
WELL = AccountState(
    SenderId(1), StaffId(1), NodeId(1), "wecom", "ww", "a", True, 1, 10_000, False, EVERY, EVERY
)  # fmt: skip
BUSY = Usage(friends=1000, expected=10, deleted=10, quiet_days=1, closed=10, untapped=1)
NOW = START + timedelta(days=60)


def signs(state: AccountState = WELL, usage: Usage = BUSY) -> set[Sign]:
    return set(judged(state, usage, RULES).signs)


def test_an_account_that_is_well_has_no_sign() -> None:
    one = judged(WELL, BUSY, RULES)
    assert (one.signs, one.level, one.filled) == ((), Level.FINE, (7, 7))


@pytest.mark.parametrize(
    ("changes", "sign", "level"),
    [
        ({"friends": 4749}, Sign.NEARLY_FULL, Level.WATCH),
        ({"friends": 4750}, Sign.FULL, Level.RISK),
        ({"friends": 800, "room": 1000}, Sign.NEARLY_FULL, Level.WATCH),
        ({"deleted": 40}, Sign.DELETED, Level.RISK),
        ({"untapped": 5}, Sign.UNTAPPED, Level.WATCH),
        ({"open": 3}, Sign.OWING, Level.WATCH),
        ({"sent_today": 8000, "sent_30": 7999}, Sign.SPENT, Level.WATCH),
        ({"sent_30": 8000}, Sign.MUCH, Level.WATCH),
        ({"quiet_days": 30}, Sign.IDLE, Level.WATCH),
        ({"quiet_days": None}, Sign.IDLE, Level.WATCH),
    ],
)
def test_each_rule_speaks_at_its_number(changes: dict[str, int], sign: Sign, level: Level) -> None:
    one = judged(WELL, replace(BUSY, **changes), RULES)
    assert (one.signs, one.level) == ((sign,), level)


@pytest.mark.parametrize(
    ("state", "friends", "found"),
    [
        ({"standing": 2}, 0, {Sign.DISABLED}),
        ({"standing": 4, "on": False}, 0, {Sign.NOT_ACTIVATED}),
        ({"standing": 5, "on": False}, 7, {Sign.LEFT}),
        ({"standing": 0, "on": False}, 7, {Sign.LEFT}),
        ({"standing": 0, "on": False}, 0, set()),  # gone, and nobody waits for them
        ({"standing": 1, "on": False}, 7, {Sign.SWITCHED_OFF}),
        ({"standing": None}, 7, set()),  # no directory: nothing is known against it
    ],
)
def test_an_account_that_cannot_speak(state: dict[str, object], friends: int, found: set[Sign]) -> None:
    changed = replace(WELL, **state)  # type: ignore[arg-type]
    assert signs(changed, replace(BUSY, friends=friends, sent_30=0)) == found


def test_what_is_missing_is_told_from_what_the_platform_does_not_say() -> None:
    told = EVERY - {"avatar", "qr_code"}
    one = judged(replace(WELL, told=told, has=told - {"external_attr"}), BUSY, RULES)
    assert (one.missing, one.untold, one.filled) == (("external_attr",), ("avatar", "qr_code"), (4, 5))
    assert one.signs == (Sign.INCOMPLETE,)
    never = judged(replace(WELL, told=frozenset(), has=frozenset()), BUSY, RULES)
    assert (never.known, never.signs) == (False, ())


def test_a_few_deletions_and_chance_are_no_risk() -> None:
    assert not deleted_too_often(Usage(deleted=4, expected=0.1), RULES)  # fewer than the rule speaks of
    assert not deleted_too_often(Usage(deleted=6, expected=3), RULES)  # twice as many, as chance may have it
    assert deleted_too_often(Usage(deleted=60, expected=30), RULES)
    assert not deleted_too_often(Usage(deleted=300, expected=200), RULES)  # surely more, but not twice


@pytest.mark.parametrize(
    ("line", "word"),
    [("persona: [avatar, shoes]", "shoes"), ("capacity: {watch: 0.9, risk: 0.5}", "watch"), ("idle_days: 0", "idle")],
)
def test_rules_that_make_no_sense_are_refused_by_name(line: str, word: str) -> None:
    with pytest.raises(BadDocument) as refused:
        read(f"kind: accounts\nname: default\ntitle: {{zh: 规, en: Rules}}\n{line}\n")
    assert word in f"{refused.value.zh} {refused.value.en} {[one.where for one in refused.value.problems]}"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    opened = fresh_warehouse(tmp_path)
    yield opened
    opened.close()


def relation(person: int, sender: int, staff: int, *, live: bool = True, day: int = 1) -> dict[str, object]:
    at = (START + timedelta(days=day)).replace(tzinfo=None)
    return {"person": person, "sender": sender, "staff": staff, "store": 1, "live": live, "added_at": at}


def test_usage_counts_each_touch_once_on_both_engines() -> None:
    now = NOW.replace(tzinfo=None)
    sent = [
        {"touch": touch, "state": state, "sender": 1, "receipt_key": str(number), "at": now - timedelta(hours=hours)}
        for number, (touch, state, hours) in enumerate(
            ((1, "sent", 1), (1, "sent", 1), (2, "sent", 30), (3, "failed", 1), (4, "sent", 24 * 31))
        )
    ]
    tables = {
        "receipts": rows("receipts", *sent, {**sent[0], "touch": 9, "sender": 2}),
        "fact_relations": rows("fact_relations", relation(1, 1, 1), relation(2, 1, 1, live=False, day=50)),
    }
    params = {"month": NOW - timedelta(days=30), "today": NOW - timedelta(hours=12), "now": NOW}
    found = assert_equal_on_both_engines(named("guard/accounts/usage", params), tables).to_pylist()
    assert [(row["sender"], row["friends"], row["sent_30"], row["sent_today"]) for row in found] == [
        (1, 1, 2, 1),
        (2, 0, 1, 1),
    ]


@pytest.mark.django_db
def test_accounts_are_judged_beside_all_others_and_shown_to_their_own(warehouse: Warehouse) -> None:
    set_up_brand("鱼", "CNY", "Asia/Shanghai")
    places = add_nodes([NewNode("s1", "一店", NodeKind.STORE), NewNode("s2", "二店", NodeKind.STORE)])
    add_senders([NewSender(f"s{1 + number % 2}", "导购", "wecom", "ww", f"g{number}") for number in range(4)])
    has = PersonaRow(EVERY, EVERY - {"alias"})
    keep_members("wecom", "ww", [MemberRow("g0", (), None, 1, has), MemberRow("g3", (), None, 4, None)])
    state = {one.userid: one for one in account_states(OWNER, "wecom")}
    assert (state["g0"].has, state["g3"].standing, state["g1"].told) == (EVERY - {"alias"}, 4, frozenset())
    words, friends = [], []
    for number, (userid, lost) in enumerate((("g0", 12), ("g1", 1), ("g2", 1))):
        one = state[userid]
        for person in range(40):
            who = 100 * number + person + 1
            words.append(("+", who, int(one.staff), 31.0))
            words += [("-c", who, int(one.staff), 50.0)] if person < lost else []
            friends.append(relation(who, int(one.id), int(one.staff), live=person >= lost, day=31))
    warehouse.write([insert("events", events(*words)), insert("fact_relations", friends)])
    assert len(posts(OWNER)) == 4
    with business_clock(NOW):
        found = {one.state.userid: one for one in accounts(warehouse, OWNER)}
        assert found["g0"].signs == (Sign.DELETED, Sign.INCOMPLETE)
        assert found["g0"].usage.friends == 28
        assert found["g0"].usage.times == pytest.approx(12 / (40 * 2 / 80))
        assert found["g1"].signs == ()
        assert found["g3"].signs == (Sign.NOT_ACTIVATED,)
        assert accounts_by_level(warehouse, OWNER).value == {"risk": 2, "fine": 2}
        far = Viewer("far", RoleName.MANAGER, frozenset({places["s2"]}))
        mine = accounts(warehouse, far)
        assert accounts_by_level(warehouse, far).value == Counter(one.level.value for one in mine)
        assert [one.state.userid for one in mine] == ["g3", "g1"]  # the worst first, and none of another store
        assert mine[1].usage.expected == pytest.approx(found["g1"].usage.expected)  # beside all, whoever looks
