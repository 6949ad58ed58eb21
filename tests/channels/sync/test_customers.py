"""The sync of customers against a running sandbox: what is found, what has ended, and what silence does not say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.channels.sync.conftest import CORP, Shore
from yutang.app.syncing import sync_now
from yutang.channels.contracts import TryLater
from yutang.channels.sync import customers, known, services
from yutang.channels.sync.contracts import RunState
from yutang.channels.sync.doors import install_ways
from yutang.channels.sync.models import KnownRelation, SyncHint, SyncRun
from yutang.kernel.clock import business_clock
from yutang.kernel.errors import NotFound, Refused
from yutang.log.contracts import IdentifierValue
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, posts
from yutang.people import identity
from yutang.people.models import Person
from yutang.people.services import load_persons, load_relations, resolve_column
from yutang.people.shunned import shun
from yutang.profiles.friends import NetFriends, net_friends_of
from yutang.warehouse.contracts import Statement

EVERYBODY = ("wmc0", "wmc1", "wmc2", "wmc3", "wmn1", "wmn2")


def events(shore: Shore, kind: str) -> list[dict[str, Any]]:
    """The events of a type in the warehouse."""
    sql = "SELECT event_id, source, occurred_at, staff, props FROM events WHERE type = $type ORDER BY event_id"
    return shore.warehouse.query(Statement(sql, {"type": kind})).to_pylist()


@pytest.mark.wecom("externalcontact/get_follow_user_list", "externalcontact/batch/get_by_user")
def test_the_first_sync_knows_everybody_and_a_second_finds_nothing(shore: Shore) -> None:
    shore.sandbox.control("befriend", userid="idle", external_userid="wmn1", name="王小明", unionid="oz1", state="yt9")
    shore.sandbox.control("edit", userid="idle", external_userid="wmn1", remark="王姐", mobiles=["13800000001"])
    install_ways(lambda state: "海报" if state == "yt9" else None)
    try:
        run = shore.run()
    finally:
        install_ways(None)
    assert (run.found.read, run.found.added, run.found.changed, run.found.ended, run.first) == (6, 6, 0, 0, True)
    assert "1 customers are friends of two or more" in run.found.note[1]
    shore.pump()
    assert shore.friends(*EVERYBODY) == {
        ("a", "wmc0"), ("a", "wmc1"), ("a", "wmc2"), ("a", "wmc3"), ("b", "wmc2"), ("Idle", "wmn1")
    }  # fmt: skip
    by_way = [one for one in events(shore, "relation.added") if one["source"] == "way:海报"]
    assert [json.loads(one["props"])["state"] for one in by_way] == ["yt9"]
    ids = [IdentifierValue("external_userid", CORP, "wmn1"), IdentifierValue("unionid", "", "oz1")]
    found = identity.find([*ids, IdentifierValue("phone", "", "+8613800000001")])
    assert len(found) == 2  # a number that a member noted joins nobody
    survivors = identity.survivors_of(person for _, person in found.values() if person)
    (person,) = {survivors[birth] for _, birth in found.values() if birth}
    assert "王小明" in {one.name for one in Person.objects.filter(pk__in=identity.births_of_survivors([person]))}
    again = shore.run()
    assert (again.found.read, again.found.missed, again.first) == (6, 0, False)
    shore.pump()
    assert len(events(shore, "relation.added")) == 6


@pytest.mark.wecom("externalcontact/list")
def test_what_callbacks_missed_is_found_and_said(shore: Shore) -> None:
    shore.run()
    shore.move()
    shore.sandbox.control("befriend", userid="b", external_userid="wmn1")
    shore.sandbox.control("leave", userid="a", external_userid="wmc0", by="member")
    shore.sandbox.control("leave", userid="a", external_userid="wmc1", by="customer")  # calls do not tell
    shore.sandbox.control("edit", userid="a", external_userid="wmc3", remark="三姐")
    shore.move()
    found = shore.run().found
    assert (found.read, found.added, found.changed, found.ended) == (5, 1, 1, 1)
    shore.pump()
    assert shore.friends(*EVERYBODY) == {("a", "wmc1"), ("a", "wmc2"), ("a", "wmc3"), ("b", "wmc2"), ("b", "wmn1")}
    assert [json.loads(one["props"])["by"] for one in events(shore, "relation.lost")] == ["member"]


def test_friends_whom_only_a_list_knew_are_found_gone(shore: Shore) -> None:
    """A soak's: who had come by a list, and was deleted while the callback was lost, stayed a friend for ever."""
    names = pa.array(["wmc0", "wmd"])
    at = pa.array([shore.at - timedelta(days=30)] * 2, pa.timestamp("us", "UTC"))
    load_persons(pa.table({"external_userid": names, "born_at": at}), source="list", corp=CORP)
    persons = resolve_column("external_userid", CORP, names)
    load_relations(pa.table({"person": persons, "sender": [shore.senders["a"]] * 2, "added_at": at}))
    assert ("a", "wmd") in shore.friends("wmd")
    assert shore.run().found.ended == 1
    shore.pump()
    assert shore.friends("wmc0", "wmd") == {("a", "wmc0")}
    assert shore.run().found.missed == 0


def test_silence_ends_nothing(shore: Shore) -> None:
    shore.run()
    shore.move()
    shore.sandbox.control("licences", unlicensed=["b"])
    run = shore.run()
    assert (run.found.ended, "of 1 members the platform told nothing" in run.found.note[1]) == (0, True)
    for fault, state in (
        ({"kind": "refuse", "errcode": 48002}, RunState.FAILED),
        ({"kind": "refuse", "errcode": 45009, "seconds": 0.01}, RunState.WAITING),
    ):
        # the second page fails
        shore.sandbox.control("faults", faults=[{"api": "externalcontact/batch/get_by_user", **fault}])
        with business_clock(shore.at):
            services.begin("customers", shore.corp)
            services.work({("wecom", CORP): shore.connection})
        last = SyncRun.objects.order_by("pk").last()
        assert last is not None
        assert (last.state, last.ended) == (state, 0)
    shore.pump()
    assert len(shore.friends(*EVERYBODY)) == 5


def test_a_row_that_a_cursor_lost_is_asked_for_before_it_is_given_up(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shore.run()
    shore.move()
    whole = customers._pages_of

    def lossy(api: Any, members: Any) -> Any:
        for page in whole(api, members):
            yield type(page)(tuple(one for one in page.relations if one.external_userid != "wmc2"), page.unlicensed)

    monkeypatch.setattr(customers, "_pages_of", lossy)
    assert shore.run().found.ended == 0


def test_one_member_who_is_refused_keeps_no_other(shore: Shore, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = customers.WeComCustomers.follow_users
    monkeypatch.setattr(customers, "staff_of", lambda corp, real=customers.staff_of: {
        **real(corp), "gone": next(iter(real(corp).values()))
    })  # fmt: skip
    monkeypatch.setattr(customers.WeComCustomers, "follow_users", lambda self: [*follow(self), "gone"])
    run = shore.run()
    assert (run.found.read, "of 1 members" in run.found.note[1]) == (5, True)


def test_a_sync_that_dies_goes_on_with_the_members_that_are_left(shore: Shore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "MEMBERS_A_CALL", 1)
    monkeypatch.setattr(customers, "PORTION", 2)
    unseen = customers.Reading.unseen
    calls = []

    def dies(self: Any, *given: Any) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise TryLater("externalcontact/list", shore.at, "平台繁忙", "busy")
        return unseen(self, *given)

    monkeypatch.setattr(customers.Reading, "unseen", dies)
    with business_clock(shore.at):
        services.begin("customers", shore.corp)
        services.work({("wecom", CORP): shore.connection})
        row = SyncRun.objects.get()
        assert (row.state, len(row.cursor["done"])) == ("waiting", 1)
        services.work({("wecom", CORP): shore.connection})
    row.refresh_from_db()
    assert (row.state, row.done, row.total) == ("done", 3, 3)
    shore.pump()
    assert len(shore.friends(*EVERYBODY)) == 5
    assert len(events(shore, "relation.added")) == 5


@pytest.mark.wecom("externalcontact/get")
def test_callbacks_make_hints_and_details_are_read_again(shore: Shore, told: Callable[[], list[str]]) -> None:
    shore.run()
    shore.move()
    shore.sandbox.control("befriend", userid="b", external_userid="wmn1", name="新客", unionid="oz7")
    shore.sandbox.control("befriend", userid="b", external_userid="wmn2", half=True)
    shore.sandbox.control("edit", userid="a", external_userid="wmc0", mobiles=["13800000009"])
    shore.sandbox.control("leave", userid="a", external_userid="wmc1", by="customer")
    shore.sandbox.control("leave", userid="a", external_userid="wmc3", by="member")
    bodies = told()
    shore.deliver(*bodies, *bodies)
    assert {hint.ref for hint in SyncHint.objects.all()} == {"wmn1", "wmc0", "wmc3"}
    shore.work_hints()
    shore.pump()
    expected = {("a", "wmc0"), ("a", "wmc2"), ("b", "wmc2"), ("b", "wmn1")}
    assert shore.friends(*EVERYBODY) == expected
    shore.move()
    assert shore.run().found.missed == 0  # nothing was missed, and the customer who left stays gone
    shore.pump()
    assert shore.friends(*EVERYBODY) == expected
    assert len(identity.find([IdentifierValue("unionid", "", "oz7")])) == 1
    assert len(events(shore, "relation.added")) == 6
    assert len(events(shore, "relation.lost")) == 2


def test_any_loss_repetition_and_order_of_callbacks_and_one_sync_come_to_the_platforms_truth(
    shore: Shore, told: Callable[[], list[str]], asked: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    """The law itself is held by `test_standing`; here it goes through every layer once."""
    draw = random.Random(4)
    shore.run()
    people = ["wmc0", "wmc1", "wmc2", "wmc3", "wmn1", "wmn2"]
    for _ in range(25):
        shore.move(draw.choice([1, 61, 200]))
        who, whom = draw.choice(["a", "b", "idle"]), draw.choice(people)
        act = draw.choice(["befriend", "member", "customer"])
        if act == "befriend":
            shore.sandbox.control("befriend", userid=who, external_userid=whom)
        else:
            shore.sandbox.http.post(
                "/control/leave", json={"userid": who, "external_userid": whom, "by": act}
            )  # 400 where they are no friends
        if draw.random() < 0.3:
            shore.deliver(*draw.sample(told(), min(len(told()), 3)))
        if draw.random() < 0.2:
            shore.run()
    bodies = [body for body in told() if "del_follow_user" in body or draw.random() < 0.6]
    draw.shuffle(bodies)
    shore.deliver(*bodies, *bodies[:5])
    shore.move()
    shore.run()
    shore.pump()
    truth = {(who.replace("idle", "Idle"), whom) for who, whom in asked("SELECT userid, external_userid FROM friends")}
    assert shore.friends(*people) == truth
    assert len(truth) > 3


def test_nothing_is_kept_of_an_erased_customer_whom_the_platform_shows_still(shore: Shore) -> None:
    shore.run()
    shore.pump()
    gone = [IdentifierValue("external_userid", CORP, "wmc2")]
    known.forget_customers(gone)
    shun(gone)
    shore.move()
    assert shore.run().found.read == 3
    assert KnownRelation.objects.count() == 3


def test_a_shell_does_what_it_can_reach_and_says_how_far_it_is(shore: Shore, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    (waits,) = sync_now(OWNER, "customers", "", said.append, patience=-1)  # no process answers for the sandbox
    assert (waits.state, said) == (RunState.WAITING, [f"{CORP} customers waiting"])
    monkeypatch.setenv("YUTANG_SANDBOX_URL", shore.sandbox.address)
    (done,) = sync_now(OWNER, "customers", CORP, said.append)
    assert (done.id, done.state, done.found.added) == (waits.id, RunState.DONE, 5)
    assert said[-1] == f"{CORP} customers done 3/3"
    with pytest.raises(NotFound):
        sync_now(OWNER, "", "another", said.append)
    with pytest.raises(Refused):
        sync_now(Viewer("keeper", RoleName.MANAGER, frozenset()), "", "", said.append)


@pytest.mark.wecom("externalcontact/transfer_customer", "externalcontact/get")
@pytest.mark.parametrize("heard", ["callbacks", "sync", "both"])
def test_who_is_handed_over_is_no_gain_of_the_one_and_no_loss_of_the_other(
    shore: Shore, told: Callable[[], list[str]], heard: str
) -> None:
    shore.run()
    shore.move()
    before = shore.at
    asked = {"handover_userid": "a", "takeover_userid": "Idle", "external_userid": ["wmc0", "wmc1"]}
    answer = shore.sandbox.call("externalcontact/transfer_customer", **asked)
    assert [one["errcode"] for one in answer["customer"]] == [0, 0]
    shore.move(25 * 3600)
    shore.sandbox.control("befriend", userid="b", external_userid="wmn1")
    shore.move()
    if heard != "sync":
        shore.deliver(*told())
    if heard != "callbacks":
        shore.run()
    shore.pump()
    assert {("Idle", "wmc0"), ("Idle", "wmc1")} <= shore.friends("wmc0", "wmc1")
    at = posts(OWNER)
    assert net_friends_of(shore.warehouse, at, before, shore.at) == NetFriends(1, 0, handed_in=2, handed_on=2)
