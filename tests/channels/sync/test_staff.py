"""The sync of staff against a running sandbox: stores matched, people made, moved and ended, hints worked through."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.channels.sync.conftest import CORP, Shore
from tests.sandbox.conftest import Client
from tests.sandbox.test_directory import staffed
from yutang.channels.sync import services, staff
from yutang.channels.sync.contracts import Connection, RunState
from yutang.channels.sync.models import SyncHint, SyncRun
from yutang.channels.sync.queries import run_numbered
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.organisation.contracts import NodeKind
from yutang.organisation.models import SenderAccount
from yutang.organisation.queries import OWNER, account_states, nodes, senders
from yutang.organisation.services import NewNode, add_nodes
from yutang.people.models import ScopeRow
from yutang.sandbox.contracts import Department


@pytest.fixture
def sandbox(open_sandbox: Callable[..., Client]) -> Client:
    """Departments 华东 (with 上海店) and 华北; a in 上海店, B in 华北 first, c not activated, idle at the root."""
    return open_sandbox(staffed())


@pytest.fixture
def shanghai(shore: Shore) -> Shore:
    add_nodes([NewNode("sh", "上海店", NodeKind.STORE)])
    return shore


def people() -> dict[str, tuple[str, str, bool]]:
    """Every account: name, store, whether it is in use."""
    codes = {node.id: node.code for node in nodes()}
    return {one.userid: (one.name, codes[one.store], one.active) for one in senders(OWNER)}


@pytest.mark.wecom("department/list", "user/list")
def test_the_directory_becomes_stores_and_staff_and_a_second_sync_finds_nothing(shanghai: Shore) -> None:
    found = shanghai.run("staff").found
    assert (found.read, found.added, found.ended) == (4, 0, 0)
    assert found.changed == 3
    assert people() == {
        "a": ("导购 01", "sh", True),
        "b": ("导购 02", "sh", True),
        "Idle": ("导购 04", "s1", True),
    }
    assert "c" in found.note[0]
    assert "华北" in found.note[0]
    assert shanghai.run("staff").found.missed == 0


def test_who_moves_takes_the_sight_of_their_friends_along(shanghai: Shore) -> None:
    shanghai.run("customers")
    shanghai.pump()
    codes = {node.id: node.code for node in nodes()}

    def seen_at() -> set[str]:
        return {codes[node] for node in ScopeRow.objects.values_list("node", flat=True)}

    assert seen_at() == {"s1"}
    shanghai.run("staff")
    assert "sh" in seen_at()


def test_who_has_left_is_ended_and_a_callback_is_heard_at_once(shanghai: Shore, told: Callable[[], list[str]]) -> None:
    shanghai.run("staff")
    shanghai.sandbox.control("staff", userid="a", status=5)
    shanghai.sandbox.control("staff", userid="b", deleted=True)
    shanghai.sandbox.control("staff", userid="c", departments=[3], status=1)
    shanghai.sandbox.control("departments", id=4, name="华北大区")
    shanghai.deliver(*told())
    assert set(SyncHint.objects.values_list("kind", "ref")) == {
        ("member", "a"), ("member", "B"), ("member", "c"), ("department", "tree")
    }  # fmt: skip
    shanghai.work_hints()
    assert {userid: active for userid, (_, _, active) in people().items()} == {
        "a": False,
        "b": False,
        "Idle": True,
        "c": True,
    }
    assert shanghai.run("staff").found.missed == 0
    shanghai.sandbox.control("staff", userid="idle", deleted=True)
    assert shanghai.run("staff").found.ended == 1


def test_ids_alone_are_kept_where_names_may_not_be_read(shanghai: Shore) -> None:
    client = WeComClient(f"{shanghai.sandbox.address}/cgi-bin/", CORP, "contacts", token_store=MemoryTokenStore())
    shanghai.connection = Connection(shanghai.corp, client)
    found = shanghai.run("staff").found
    assert (found.read, found.missed) == (4, 0)
    assert "ID" in found.note[0]
    staff.read_members(shanghai.corp, client, ["a"])
    assert people()["a"] == ("导购a", "s1", True)


def test_an_app_that_sees_nobody_ends_nobody(shanghai: Shore) -> None:
    shanghai.run("staff")
    there = staffed().departments
    shanghai.sandbox.seed(staffed(departments=(*there, Department(9, "空部门")), visible_departments=(9,)))
    run = services.begin("staff", shanghai.corp)
    assert services.work({("wecom", CORP): shanghai.connection})
    failed = run_numbered(OWNER, run.id)
    assert failed is not None
    assert (failed.state, "sees no member" in failed.error[1]) == (RunState.FAILED, True)
    assert all(active for _, _, active in people().values())


def test_killed_between_portions_it_goes_on_and_counts_each_once(
    shanghai: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff, "PORTION", 1)
    real, calls = staff.keep_members, []

    def dies_at_the_third(*args: object) -> object:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(staff, "keep_members", dies_at_the_third)
    services.begin("staff", shanghai.corp)
    with pytest.raises(KeyboardInterrupt):
        services.work({("wecom", CORP): shanghai.connection})
    SyncRun.objects.update(state="waiting", claimed_by="")
    found = shanghai.run("staff").found
    assert (found.read, found.changed) == (4, 3)


@pytest.mark.wecom("user/list", "user/get")
def test_what_customers_see_of_a_member_is_noted_by_part_and_never_what_stands_there(
    shanghai: Shore, told: Callable[[], list[str]]
) -> None:
    def shown(userid: str) -> tuple[set[str], set[str]]:
        one = next(row for row in account_states(OWNER, "wecom") if row.userid == userid)
        return set(one.told), set(one.has)

    shanghai.run("staff")
    card = {"alias", "position", "external_position", "external_corp_name", "external_attr"}
    assert shown("a") == (card, set())  # an app of today is told of neither picture nor code
    link = {"type": 1, "name": "官网", "web": {"url": "https://example.com", "title": "官网"}}
    persona = {"alias": "小王", "position": "导购", "external_profile": {"external_attr": [link]}}
    shanghai.sandbox.control("staff", userid="a", persona=persona)
    shanghai.deliver(*told())
    shanghai.work_hints()
    assert shown("a") == (card, {"alias", "position", "external_attr"})
    assert shown("b") == (card, set())
    kept = SenderAccount.objects.get(userid="a").persona
    assert "小王" not in str(kept)
    assert shanghai.run("staff").found.missed == 0


def test_an_app_of_before_2022_is_told_of_pictures_and_codes(
    open_sandbox: Callable[..., Client], shanghai: Shore
) -> None:
    api = open_sandbox(staffed(old_app=True))
    api.control("staff", userid="a", persona={"avatar": "https://example.com/a.png", "external_position": "店长"})
    answer = api.get("user/get", userid="a")
    assert (answer["avatar"], answer["qr_code"], answer["external_position"]) == (
        "https://example.com/a.png",
        "",
        "店长",
    )
