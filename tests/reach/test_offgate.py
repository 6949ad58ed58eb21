"""What staff sent on their own, read back from the platform: it counts for caps, and shows on plans whom it reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.reach.conftest import Stage
from yutang.app.channels import Channels
from yutang.channels.ports.sent import ListedSend, SendKind
from yutang.channels.sync.doors import install_ours
from yutang.channels.sync.models import StaffSend
from yutang.organisation.contracts import CorpFacts, RoleName, Viewer
from yutang.organisation.queries import OWNER, corps, nodes, senders
from yutang.reach import offgate, queries
from yutang.reach.models import Batch
from yutang.reach.offgate import By, Contaminated, OffGateFilter, look_at, off_gate

pytestmark = pytest.mark.django_db
DAY_AND_NIGHT = {"hold_out": 0.0, "attempts": 1}


@pytest.fixture(autouse=True)
def heard(stage: Stage) -> Iterator[None]:
    """The house reads what staff send; ours is known for ours."""
    stage.loop.sends = Channels(stage.sandbox).syncs
    install_ours(queries.ours_among)
    yield
    install_ours()


def sends(stage: Stage, userid: str, *to: str, text: str = "自己发的") -> str:
    return str(stage.ask("sends", userid=userid, to=list(to), text=text)["msgid"])


def mine(number: int, count: int = 3) -> list[str]:
    """Friends of guide `number` who consented."""
    return [f"wm{index:05}" for index in range(number, 60, 3) if index % 10 != 9][:count]


def test_whom_a_guide_wrote_to_on_their_own_has_no_room_today_and_who_could_see_a_moment_has(stage: Stage) -> None:
    to = mine(0)
    sends(stage, "guide00", *to)
    stage.ask("moment", userid="guide01", text="早上好")
    stage.to(0.1)
    assert sorted(StaffSend.objects.values_list("kind", "reached")) == [("mass", len(to)), ("moments", 20)]
    plan = stage.launch("p", **DAY_AND_NIGHT)
    stage.to(0.2)
    decided = stage.decided(plan)
    capped = {person for person, (_, reason) in decided.items() if reason == "caps"}
    assert capped == {stage.persons[name] for name in to}
    assert stage.counts(plan).pending > 40


@pytest.mark.long
def test_whom_they_wrote_to_between_the_plan_and_its_batch_is_left_out_of_the_batch(stage: Stage) -> None:
    plan = stage.launch("p", **DAY_AND_NIGHT)
    stage.to(0.1)  # decided; the day opens at 0.5
    to = mine(1)
    sends(stage, "guide01", *to)
    stage.loop.heard = None  # as if it had been an hour
    stage.to(3)
    assert stage.told(plan, "suppressed") == {stage.persons[name]: "caps" for name in to}
    reached = [who for who, _ in stage.reached()]
    assert len(reached) == len(set(reached)), "nobody was reached twice"


def test_what_leaves_through_the_gate_is_never_taken_for_staffs_own(stage: Stage) -> None:
    plan = stage.launch("p", **DAY_AND_NIGHT)
    stage.to(24)
    assert stage.counts(plan).sent > 40
    assert not StaffSend.objects.exists()
    batch = Batch.objects.exclude(task="").first()
    assert batch is not None
    (corp,) = corps()
    at, text = batch.called_at, queries.plan(OWNER, plan).document.message.text
    assert at is not None

    def ours(ref: str, *, creator: str = "", text: str = text, late: float = 0) -> bool:
        one = ListedSend(ref, SendKind.MASS, creator, bool(creator), at + timedelta(minutes=late), text, text)
        return ref in queries.ours_among(corp, [one])

    assert ours(batch.task, text="anything")
    assert not ours("another")
    Batch.objects.filter(pk=batch.pk).update(task="")  # as if the answer had been lost
    assert ours("another", late=10)
    assert not ours("another", late=20)
    assert not ours("another", text="别的话")
    assert not ours("another", creator="guide00"), "a guide who copies our words speaks on their own"
    assert queries.ours_among(CorpFacts("wecom", "elsewhere", ""), [
        ListedSend("another", SendKind.MASS, "", False, at, text, text)
    ]) == set()  # fmt: skip


@pytest.mark.long
def test_contamination_is_told_by_whom_and_only_within_each_ones_window(stage: Stage) -> None:
    plan = stage.launch("p", hold_out=0.5, horizon_days=2, within_hours=6, attempts=1)
    stage.to(1)
    held = stage.with_outcome(plan, "held_out")
    names = {person: name for name, person in stage.persons.items()}
    of_guide = [names[person] for person in held if int(names[person][2:]) % 3 == 0]
    to = [*of_guide[:2], *[name for name in mine(0, 20) if stage.persons[name] not in held][:2]]
    stage.jump(10)
    sends(stage, "guide00", *to)
    stage.ask("moment", userid="guide01", text="今天的花")
    stage.to(12)
    stage.jump(52)
    sends(stage, "guide00", *of_guide)  # after two days: no longer measured
    stage.to(54)
    found = queries.contamination(stage.warehouse, OWNER, plan)
    of_second = sum(int(names[person][2:]) % 3 == 1 for person in held)
    assert found.total == Contaminated(len(held), 2, of_second, 0)
    assert found.by_sender[stage.sender("guide00")] == Contaminated(len(of_guide), 2, 0, 0)
    share = found.total.share
    assert share is not None
    assert share.low < 2 / len(held) == share.value < share.high
    assert found.total.larger_by is not None
    assert found.total.larger_by.value == pytest.approx(1 / (1 - share.value))


def test_who_sent_what_on_their_own_and_what_it_did(stage: Stage) -> None:
    plan = stage.launch("p", hold_out=0.5, within_hours=6, attempts=1)
    stage.to(3)
    names = {person: name for name, person in stage.persons.items()}
    held = {names[person] for person in stage.with_outcome(plan, "held_out")}
    sent = {who for who, _ in stage.reached()}
    to = mine(0, 12)
    sends(stage, "guide00", *to)
    stage.to(5)
    (row,) = off_gate(look_at(stage.warehouse, OWNER, OffGateFilter(days=1)), By.GUIDE).rows()
    assert row.guide is not None
    assert (row.guide.userid, row.mass, row.sends, row.persons) == ("guide00", 1, 1, 12)
    assert (row.held_out, row.over_cap) == (len(held & set(to)), len(sent & set(to))), "one marketing message a day"
    assert row.over_cap
    assert row.held_out
    sends(stage, "guide00", *to[:2], text="再说一次")
    stage.ask("moment", userid="guide00", text="花开了")
    stage.to(7)
    by = {kind: off_gate(look_at(stage.warehouse, OWNER, OffGateFilter(days=1)), kind).rows() for kind in By}
    assert [len(by[kind]) for kind in (By.ALL, By.REGION, By.STORE, By.GUIDE, By.SEND)] == [1, 1, 1, 1, 3]
    (row,) = by[By.STORE]
    assert (row.mass, row.moments, row.persons, row.could_see, row.sends) == (2, 1, 12, 20, 3)
    assert row.over_cap == len((sent & set(to)) | set(to[:2])), "each person once"
    (store,) = [node for node in nodes() if node.code == "s0"]
    assert row.node is not None
    assert row.node.id == store.id
    assert {one.kind for one in by[By.SEND]} == {SendKind.MASS, SendKind.MOMENTS}
    assert len({one.content for one in by[By.SEND]}) == 3
    asked = OffGateFilter(days=1, kind=SendKind.MOMENTS)
    assert [(one.sends, one.persons) for one in off_gate(look_at(stage.warehouse, OWNER, asked), By.GUIDE).rows()] == [
        (1, 0)
    ]
    other = Viewer("other", RoleName.MANAGER, frozenset({node.id for node in nodes() if node.code == "s1"}))
    assert off_gate(look_at(stage.warehouse, other, OffGateFilter(days=30)), By.SEND).rows() == []
    (only,) = off_gate(look_at(stage.warehouse, OWNER, OffGateFilter(days=30, node=store.id)), By.REGION).rows()
    assert only.persons == 12
    guide = next(one for one in senders(OWNER) if one.userid == "guide01")
    assert off_gate(look_at(stage.warehouse, OWNER, OffGateFilter(days=30, staff=guide.staff)), By.SEND).rows() == []


def test_a_share_of_nobody_is_none_and_of_all_leaves_nothing_to_compare() -> None:
    assert offgate.share_of(0, 0) is None
    assert Contaminated(5, 5, 0, 0).larger_by is None
    nobody = offgate.share_of(0, 50)
    assert nobody is not None
    assert nobody.low == 0 < nobody.high < 0.1
