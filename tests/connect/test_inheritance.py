"""Customers go to others: previewed, asked for once, read back after a day; twice in 90 days is the most."""

from __future__ import annotations

import pytest

from tests.reflex.conftest import Shore
from tests.soak.pond import CORP
from yutang.channels.sync.models import SyncHint
from yutang.channels.wecom.transfers import ON_JOB
from yutang.connect import inheritance
from yutang.connect.inheritance import HandoverState
from yutang.connect.models import Handover, Left
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, Refused
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER

pytestmark = pytest.mark.django_db


def turn(shore: Shore) -> int:
    return inheritance.turn(shore.channels.transfers())


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for one in inheritance.transfers(OWNER):
        found[one.state.value] = found.get(one.state.value, 0) + one.count
    return found


def test_on_the_job_evenly_once_and_read_back_after_a_day(shore: Shore) -> None:
    warehouse = shore.stage.warehouse
    seen = inheritance.preview(warehouse, OWNER, "GUIDE00", takers=["guide01", "guide02"])
    assert (seen.customers, dict(seen.by_taker), seen.resigned) == (20, {"guide01": 10, "guide02": 10}, False)
    assert not Handover.objects.exists()
    assert inheritance.start(warehouse, OWNER, "guide00", takers=["guide01", "guide02"]).customers == 20
    assert inheritance.start(warehouse, OWNER, "guide00", takers=["guide01"]).under_way == 20
    shore.stage.faults({"api": ON_JOB, "kind": "drop_answer", "times": 1})
    turn(shore)  # one answer is lost, and read back at once
    assert states() == {"waiting": 20}
    assert turn(shore) == 0
    lucky, other = Handover.objects.order_by("pk")[:2]
    shore.ask("transfers", do="refuse", external_userid=lucky.customer)
    shore.stage.jump(25)
    turn(shore)
    assert states() == {"done": 19, "refused": 1}
    assert SyncHint.objects.filter(kind="customer", ref=other.customer).exists()  # read again, so friendships follow
    assert not SyncHint.objects.filter(kind="customer", ref=lucky.customer).exists()
    assert "guide00" in {one.handover for one in inheritance.transfers(OWNER)}


def test_of_who_left_everybody_waits_for_the_staff_of_a_store(shore: Shore) -> None:
    shore.ask("transfers", do="leave", userid="guide00")
    assert inheritance.learn_who_left(shore.channels.transfers()) == 20
    assert inheritance.learn_who_left(shore.channels.transfers()) == 20
    assert inheritance.waiting_for_somebody(OWNER) == {(CORP, "guide00"): 20}
    found = inheritance.start(shore.stage.warehouse, OWNER, "guide00", store="s1")
    assert (found.resigned, dict(found.by_taker)) == (True, {"guide01": 20})
    turn(shore)
    inheritance.learn_who_left(shore.channels.transfers())
    assert (states(), Left.objects.count()) == ({"waiting": 20}, 0)
    shore.stage.jump(25)
    turn(shore)
    assert states() == {"done": 20}
    lookups = [bytes(who) for who in Handover.objects.values_list("who", flat=True)]
    assert inheritance.forget_handovers(lookups) == 20


def test_what_cannot_be_is_said_before_and_what_the_platform_refuses_after(shore: Shore) -> None:
    warehouse = shore.stage.warehouse
    wrong: list[dict] = [{}, {"takers": ["guide00"]}, {"takers": ["nobody"]}, {"takers": ["guide01"], "store": "s1"}]
    for asked in wrong:
        with pytest.raises(BadInput):
            inheritance.start(warehouse, OWNER, "guide00", **asked)
    with pytest.raises(BadInput):
        inheritance.start(warehouse, OWNER, "nobody", takers=["guide01"])
    with pytest.raises(Refused):
        inheritance.start(warehouse, Viewer("x", RoleName.MANAGER, frozenset()), "guide00", takers=["guide01"])
    shore.ask("transfers", do="member", userid="guide01", most=0)
    inheritance.start(warehouse, OWNER, "guide00", takers=["guide01"])
    turn(shore)
    assert states() == {"impossible": 20}
    assert "上限" in inheritance.transfers(OWNER)[0].reason
    one = Handover.objects.order_by("pk")[0]
    for _ in range(2):
        Handover.objects.create(
            corp=CORP, handover="guide00", takeover="guide01", resigned=False, who=one.who, customer=one.customer,
            state=HandoverState.DONE, by="x", asked_at=one.asked_at,
        )  # fmt: skip
    seen = inheritance.preview(warehouse, OWNER, "guide00", takers=["guide02"])
    assert (seen.customers, seen.too_often) == (19, 1)


def test_killed_before_its_answer_is_kept_it_is_read_back_and_not_asked_twice(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    inheritance.start(shore.stage.warehouse, OWNER, "guide00", takers=["guide01"])
    with monkeypatch.context() as until_then:
        until_then.setattr(inheritance, "_settle", dies)
        with pytest.raises(Killed):
            turn(shore)
    assert states() == {"calling": 20}
    assert turn(shore) == 0  # whoever has it may be alive
    Handover.objects.update(claim_until=wall_now() - inheritance.CLAIM)
    turn(shore)
    assert states() == {"waiting": 20}
    Handover.objects.update(state=HandoverState.UNKNOWN, takeover="guide02", not_before=None)  # never asked for
    turn(shore)
    assert states() == {"wanted": 20}
