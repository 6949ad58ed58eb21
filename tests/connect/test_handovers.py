"""All that a member leaves behind goes to others in one flow: within the platform's limits, over days, nothing twice,
and what does not come about is named."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta

import pytest

from tests.reach.conftest import START
from tests.reflex.conftest import Shore
from tests.soak.pond import CORP
from yutang.channels.sync.models import SyncHint
from yutang.channels.wecom.groups import TRANSFER
from yutang.channels.wecom.transfers import WeComTransfers
from yutang.connect import group_handover, handovers, inheritance
from yutang.connect.contracts import HandoverState
from yutang.connect.models import GroupHandover, Handover
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import NotFound, Refused
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.people.groups import GroupTold, keep_groups

pytestmark = pytest.mark.django_db


def with_groups(shore: Shore, count: int, owner: str = "guide00") -> list[str]:
    """So many groups of an owner, at the platform and as a sync would keep them."""
    chats = [f"wr-{owner}-{number}" for number in range(count)]
    shore.ask("groups", do="rules", detail_lag=0)
    for chat in chats:
        shore.ask("groups", do="create", owner=owner, name=f"{chat} 群", chat_id=chat)
    told = [GroupTold(chat, f"{chat} 群", owner, "followed", START, "", (), (owner,), "", ()) for chat in chats]
    keep_groups(CORP, told, read_at=wall_now(), now=START, synthetic=True)
    return chats


def turn(shore: Shore) -> int:
    return inheritance.turn(shore.channels.transfers())


def platform(shore: Shore, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(shore.stage.directory / "sandbox" / "sandbox.sqlite3", timeout=20)) as file:
        return file.execute(sql).fetchall()


def states() -> Mapping[str, int]:
    return Counter(GroupHandover.objects.values_list("state", flat=True))


def test_a_leaver_goes_on_over_days_and_every_failure_is_named(shore: Shore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_handover, "A_DAY", 2)  # ours; the platform's is 300
    monkeypatch.setattr(handovers, "A_DAY", 2)
    chats = with_groups(shore, 5)
    shore.ask("transfers", do="leave", userid="guide00")
    inheritance.learn_who_left(shore.channels.transfers())
    assert handovers.left_behind(OWNER) == [(CORP, "guide00", 20, 5)]
    offer = handovers.preview(shore.stage.warehouse, OWNER, "guide00", takers=["guide01"])
    assert (offer.customers.customers, len(offer.groups.groups), offer.days) == (20, 5, 3)
    assert not GroupHandover.objects.exists()
    handovers.start(shore.stage.warehouse, OWNER, "guide00", takers=["guide01"])
    again = handovers.start(shore.stage.warehouse, OWNER, "guide00", takers=["guide02"])
    assert (again.customers.customers, again.groups.groups, again.groups.under_way) == (0, (), 5)
    shore.ask("groups", do="dismiss", chat_id=chats[0])
    shore.stage.faults({"api": TRANSFER, "kind": "drop_answer", "times": 1})
    turn(shore)
    assert states()["unknown"] == 2  # the answer is lost; nothing is asked again before it is known
    told = handovers.progress_of(OWNER, CORP, "guide00")
    assert (told.customers.left, told.groups.left, told.resigned, told.days_left > 0) == (20, 5, True, True)
    refused = platform(shore, "SELECT external_userid FROM transfers LIMIT 1")[0][0]
    shore.ask("transfers", do="refuse", external_userid=refused)
    for hours in (25, 49, 73):
        turn(shore)
        shore.stage.jump(hours)
    turn(shore)
    turn(shore)
    told = handovers.progress_of(OWNER, CORP, "guide00")
    assert (told.customers.done, told.customers.failed, told.groups.done, told.groups.failed) == (19, 1, 4, 1)
    assert (told.ends_at, told.days_left) == (None, 0)
    moved = platform(shore, "SELECT chat_id, count(*) FROM chat_transfers GROUP BY chat_id")
    assert sorted(moved) == [(chat, 1) for chat in sorted(chats[1:])]  # each once
    days = platform(shore, "SELECT count(*) FROM chat_transfers GROUP BY at / 86400")
    assert max(count for (count,) in days) <= 2
    total, rows = handovers.failures(OWNER, CORP, "guide00")
    assert total == len(rows) == 2
    by_state = {row.state: row for row in rows}
    gone, unwilling = by_state[HandoverState.IMPOSSIBLE], by_state[HandoverState.REFUSED]
    assert (gone.group, gone.person) == (chats[0], None)
    assert "解散" in gone.reason[0]
    assert unwilling.person == shore.stage.persons[refused]
    assert unwilling.reason == handovers.REMEDIES[HandoverState.REFUSED]
    assert SyncHint.objects.filter(kind="group").count() == 4


def test_what_failed_is_given_to_others_and_who_refused_is_asked_only_if_wanted(shore: Shore) -> None:
    warehouse = shore.stage.warehouse
    shore.ask("transfers", do="member", userid="guide01", most=0)
    handovers.start(warehouse, OWNER, "guide00", takers=["guide01"])
    turn(shore)
    assert handovers.progress_of(OWNER, CORP, "guide00").customers.failed == 20
    assert {row.state for row in handovers.failures(OWNER, CORP, "guide00")[1]} == {HandoverState.IMPOSSIBLE}
    handovers.start(warehouse, OWNER, "guide00", takers=["guide02"])
    assert handovers.progress_of(OWNER, CORP, "guide00").customers.failed == 0
    turn(shore)
    first = Handover.objects.filter(replaced=False).order_by("pk")[0]
    shore.ask("transfers", do="refuse", external_userid=first.customer)
    shore.stage.jump(25)
    turn(shore)
    offer = handovers.preview(warehouse, OWNER, "guide00", takers=["guide01"])
    assert (offer.customers.customers, offer.customers.unwilling) == (0, 1)  # nobody twice, though not read again yet
    assert handovers.preview(warehouse, OWNER, "guide00", takers=["guide01"], again=True).customers.customers == 1
    shares = {one.takeover: one.customers.done for one in handovers.takers_shares(OWNER, CORP, "guide00")}
    assert shares == {"guide02": 19}


def test_a_friendship_that_came_by_a_handover_is_said_so_and_keeps_its_person(shore: Shore) -> None:
    handovers.start(shore.stage.warehouse, OWNER, "guide00", takers=["guide01"])
    turn(shore)
    shore.stage.jump(25)
    turn(shore)
    pump_until_empty(shore.stage.warehouse)
    rows = shore.stage.rows(
        "SELECT person, props, count(*) FROM events WHERE type = 'relation.handed_over' GROUP BY 1, 2"
    )
    assert len(rows) == 20
    assert {person for person, _, _ in rows} <= set(shore.stage.persons.values())
    assert all('"from":"guide00"' in props.replace(" ", "") and count == 1 for _, props, count in rows)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [False, True])
def test_killed_before_or_after_the_platform_did_it_no_group_goes_twice(
    shore: Shore, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    chats = with_groups(shore, 3)
    handovers.start(shore.stage.warehouse, OWNER, "guide00", takers=["guide01"])
    really = WeComTransfers.hand_over_groups

    def dies(self: WeComTransfers, some: Sequence[str], owner: str, *, on_job: bool) -> Mapping:
        if after:
            really(self, some, owner, on_job=on_job)
        raise Killed

    with monkeypatch.context() as until_then:
        until_then.setattr(WeComTransfers, "hand_over_groups", dies)
        with pytest.raises(Killed):
            turn(shore)
    assert states() == {"calling": 3}
    turn(shore)
    assert states() == {"calling": 3}  # whoever has it may be alive
    GroupHandover.objects.update(claim_until=wall_now() - timedelta(seconds=1))
    turn(shore)
    assert states() == {"done": 3}
    assert sorted(platform(shore, "SELECT chat_id, count(*) FROM chat_transfers GROUP BY 1")) == [(c, 1) for c in chats]


def test_a_group_twice_in_90_days_is_said_before_and_by_the_platform(shore: Shore) -> None:
    with_groups(shore, 2)
    for _ in range(2):  # what the platform knows and we do not: done in the client
        shore.ask("groups", do="change", chat_id="wr-guide00-0", owner="guide02")
        shore.ask("groups", do="change", chat_id="wr-guide00-0", owner="guide00")
    handovers.start(shore.stage.warehouse, OWNER, "guide00", takers=["guide01"])
    turn(shore)
    assert states() == {"done": 2}
    other = "wr-guide00-1"
    row = GroupHandover.objects.get(chat=other)
    GroupHandover.objects.filter(pk=row.pk).update(ended_at=row.asked_at - timedelta(days=3))
    GroupHandover.objects.create(
        corp=CORP, chat=other, handover="guide01", takeover="guide00", resigned=False, state="done", by="x",
        asked_at=row.asked_at, ended_at=row.asked_at - timedelta(days=2),
    )  # fmt: skip
    offer = handovers.preview(shore.stage.warehouse, OWNER, "guide00", takers=["guide02"])
    assert offer.groups.too_often == 1


def test_only_headquarters_hand_over(shore: Shore) -> None:
    manager = Viewer("x", RoleName.MANAGER, frozenset())
    for asked in (handovers.all_progress, handovers.left_behind):
        with pytest.raises(Refused):
            asked(manager)
    with pytest.raises(Refused):
        handovers.failures(manager, CORP, "guide00")
    with pytest.raises(NotFound):
        handovers.progress_of(OWNER, CORP, "guide00")
