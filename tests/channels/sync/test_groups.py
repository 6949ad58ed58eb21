"""The sync of groups against a running sandbox: who is in them, what callbacks missed, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.channels.sync.conftest import CORP, Shore
from yutang.channels.sync import groups, services
from yutang.channels.sync.contracts import RunState
from yutang.channels.sync.models import SyncHint, SyncRun
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.people import grouped
from yutang.people.contracts import GroupFacts, GroupFilter
from yutang.people.shunned import shun
from yutang.warehouse.contracts import Statement


@pytest.fixture(autouse=True)
def fresh(shore: Shore) -> None:
    """Details that do not lag, and a group of a's."""
    do(shore, "rules", detail_lag=0)
    do(shore, "create", owner="a", name="老客群", chat_id="wr1", members=["wmc0", "wmd"])


def do(shore: Shore, what: str, **body: object) -> dict[str, Any]:
    return shore.sandbox.control("groups", do=what, **body)


def known(code: str = "wr1", live: bool | None = None) -> GroupFacts:
    (found,), _ = grouped.groups(OWNER, GroupFilter(live=live, codes=(code,)))
    return found


def events(shore: Shore, kind: str) -> list[dict[str, Any]]:
    shore.pump()
    rows = shore.warehouse.query(Statement("SELECT * FROM events WHERE type = $type", {"type": kind})).to_pylist()
    return [json.loads(row["props"]) for row in rows]


@pytest.mark.wecom("externalcontact/groupchat/list", "externalcontact/groupchat/get")
def test_the_first_sync_knows_every_group_and_a_second_finds_nothing(shore: Shore) -> None:
    do(shore, "create", owner="b", name="二群", chat_id="wr2")
    run = shore.run("groups")
    assert (run.found.read, run.found.added, run.found.changed, run.found.ended, run.total) == (2, 4, 0, 0, 2)
    facts = known()
    assert (facts.name, facts.owner, facts.size, facts.persons, facts.state) == ("老客群", "a", 3, 2, "followed")
    names = {one.name for one in grouped.group_members(OWNER, facts.id)[0]}
    assert names == {"顾客 c0", ""}  # who is nobody's friend has no name
    assert len(events(shore, "group.joined")) == 2
    again = shore.run("groups")
    assert (again.found.read, again.found.missed, again.found.note) == (2, 0, ("", ""))
    assert len(events(shore, "group.joined")) == 2


def test_what_callbacks_missed_is_found_and_said(shore: Shore) -> None:
    shore.run("groups")
    shore.move()
    do(shore, "invite", chat_id="wr1", members=["wmc1", "wmc2"], by="b")
    do(shore, "leave", chat_id="wr1", members=["wmc0"])
    do(shore, "change", chat_id="wr1", name="新名")
    shore.move()
    found = shore.run("groups").found
    assert (found.read, found.added, found.changed, found.ended) == (1, 2, 1, 1)
    assert "1 groups" in found.note[1]
    assert known().persons == 3
    assert {one["inviter"] for one in events(shore, "group.joined") if "inviter" in one} == {"a", "b"}
    assert len(events(shore, "group.left")) == 1


def test_callbacks_are_hints_that_come_in_any_order_and_twice(shore: Shore, told: Callable[[], list[str]]) -> None:
    shore.run("groups")
    shore.move()
    before = len(told())
    do(shore, "create", owner="b", name="二群", chat_id="wr2", members=["wmc2"])
    do(shore, "invite", chat_id="wr1", members=["wmc1"], by="a")
    do(shore, "remove", chat_id="wr1", members=["wmd"])
    do(shore, "dismiss", chat_id="wr2")
    bodies = told()[before:]
    shore.deliver(*reversed(bodies), *bodies)
    assert SyncHint.objects.filter(kind="group").count() == 2
    shore.work_hints()
    assert not SyncHint.objects.exists()
    assert {one.name for one in grouped.group_members(OWNER, known().id)[0]} == {"顾客 c0", "顾客 c1"}
    assert grouped.groups(OWNER, GroupFilter(codes=("wr2",)))[1] == 0  # it was made and dissolved before we looked
    assert shore.run("groups").found.missed == 0


def test_a_detail_that_still_lags_changes_nothing(shore: Shore, told: Callable[[], list[str]]) -> None:
    shore.run("groups")
    do(shore, "rules", detail_lag=60)
    do(shore, "invite", chat_id="wr1", members=["wmc1"])
    shore.deliver(told()[-1])
    shore.work_hints()
    assert known().persons == 2  # the platform still says what it said
    assert shore.run("groups").found.missed == 0


def test_a_dissolved_group_ends_and_a_departed_owners_waits(shore: Shore) -> None:
    do(shore, "create", owner="b", name="二群", chat_id="wr2")
    shore.run("groups")
    do(shore, "dismiss", chat_id="wr2")
    do(shore, "resign", userid="a")
    found = shore.run("groups").found
    assert (found.ended, known("wr2").ended_at is not None) == (1, True)
    assert (known("wr1").state, known("wr1").ended_at) == ("owner_left", None)


def test_a_sync_that_was_interrupted_goes_on_after_what_it_kept(shore: Shore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        do(shore, "create", owner="b", name=f"群 {number}", chat_id=f"wr{number + 2}", members=["wmc2"])
    monkeypatch.setattr(groups, "PORTION", 2)
    kept, keep = [], groups._keep

    def dies(*args: Any, **more: Any) -> Any:
        if len(kept) == 1:
            raise KeyboardInterrupt
        kept.append(sorted(args[1]))
        return keep(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(groups, "_keep", dies)
        services.begin("groups", shore.corp)
        with pytest.raises(KeyboardInterrupt):
            services.work({("wecom", CORP): shore.connection})
    SyncRun.objects.update(state=RunState.WAITING.value, claimed_by="")  # as the next look at a dead holder does
    read = shore.sandbox.state()["answers"]["externalcontact/groupchat/get 0"]
    run = shore.run("groups")
    assert run.found.read == 4
    assert shore.sandbox.state()["answers"]["externalcontact/groupchat/get 0"] - read == 2
    assert len(events(shore, "group.joined")) == 5


def test_who_was_erased_comes_into_no_group(shore: Shore) -> None:
    shun([IdentifierValue("external_userid", CORP, "wmc0")])
    shore.run("groups")
    assert (known().size, known().persons) == (3, 1)
    assert shore.run("groups").found.missed == 0
