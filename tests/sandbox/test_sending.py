"""Taps, re-routing, caps, cancelling: what is sent is what members release."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox.conftest import DAY, HOUR, START, Client, small_world
from yutang.sandbox.contracts import Customer, Member, Relation, Spec
from yutang.sandbox.habits import choose_tap

SHANGHAI = ZoneInfo("Asia/Shanghai")


def habitual(habit: object) -> Spec:
    return small_world(members=(Member("a", "导购 01", habit), Member("b", "导购 02"), Member("idle", "导购 03")))  # type: ignore[arg-type]


def send_time(sandbox: Client, msgid: str) -> datetime:
    row = sandbox.post("get_groupmsg_send_result", msgid=msgid, userid="a")["send_list"][0]
    return datetime.fromtimestamp(row["send_time"], UTC)


@pytest.mark.wecom(
    "externalcontact/add_msg_template", "externalcontact/get_groupmsg_task", "externalcontact/get_groupmsg_send_result"
)
def test_nothing_is_sent_until_the_member_taps(sandbox: Client) -> None:
    msgid = sandbox.send("wmc0", "wmc1")["msgid"]
    assert sandbox.results(msgid) == {"wmc0": 0, "wmc1": 0}
    moved = sandbox.advance(START + HOUR)
    assert (moved["taps"], moved["sent"]) == (1, 2)
    assert sandbox.results(msgid) == {"wmc0": 1, "wmc1": 1}
    task = sandbox.post("get_groupmsg_task", msgid=msgid)["task_list"][0]
    assert (task["userid"], task["status"]) == ("a", 2)
    assert START < send_time(sandbox, msgid) == datetime.fromtimestamp(task["send_time"], UTC) <= START + HOUR


def test_next_at_is_the_tap_and_advancing_to_it_is_enough(sandbox: Client) -> None:
    msgid = sandbox.send("wmc0")["msgid"]
    due = datetime.fromisoformat(sandbox.state()["next_at"])
    assert sandbox.advance(due - timedelta(seconds=1))["taps"] == 0
    moved = sandbox.advance(due)
    assert (moved["taps"], moved["next_at"]) == (1, None)
    assert send_time(sandbox, msgid) == due


def test_habits_say_when(open_sandbox: Callable[..., Client]) -> None:
    times = {}
    for habit in ("late", "night", "never"):
        client = open_sandbox(habitual(habit), name=habit)
        msgid = client.send("wmc0")["msgid"]
        client.advance(START + 10 * DAY)
        times[habit] = send_time(client, msgid) if client.results(msgid) == {"wmc0": 1} else None
    assert times["never"] is None
    assert times["night"] is not None
    assert times["night"].astimezone(SHANGHAI).hour in (22, 23)
    assert times["late"] is not None
    assert timedelta(hours=2) <= times["late"] - START <= timedelta(days=3, hours=9)


def test_half_of_what_is_taken_late_is_tapped_before_a_deadline_of_a_day() -> None:
    """All of it was tapped the next day at ten or later: a late tap within 24 hours was never seen."""
    asked = int(START.timestamp())
    for hour in range(24):
        at = asked + hour * 3600
        taps = [choose_tap("late", 7, "a", f"msg{n}", at, "Asia/Shanghai") for n in range(400)]
        after = [tap - at for tap in taps if tap is not None]
        assert len(after) == 400
        assert min(after) >= 2 * 3600
        assert max(after) <= 4 * 86_400
        assert 0.4 < sum(one < 86_400 for one in after) / 400 < 0.75
        local = {datetime.fromtimestamp(at + one, SHANGHAI).hour for one in after}
        assert local <= set(range(8, 22))


def test_a_mixture_of_habits_is_the_same_in_every_run(open_sandbox: Callable[..., Client]) -> None:
    def run(name: str) -> list[dict[str, int]]:
        client = open_sandbox(habitual({"at_once": 1, "late": 1, "never": 1}), name=name)
        msgids = [client.send("wmc0", text=str(n))["msgid"] for n in range(20)]
        client.advance(START + 10 * DAY)
        return [client.post("get_groupmsg_task", msgid=msgid)["task_list"][0] for msgid in msgids]

    first = run("one")
    assert first == run("two")
    tapped = [row["send_time"] - int(START.timestamp()) for row in first if row["status"] == 2]
    assert any(after < 3600 for after in tapped)
    assert any(after > 3600 for after in tapped)
    assert len(tapped) < 20


def test_a_recipient_goes_to_the_member_who_talked_last(sandbox: Client) -> None:
    msgid = sandbox.send("wmc1", "wmc2", sender="a")["msgid"]
    assert sandbox.results(msgid, "a") == {"wmc1": 0}
    assert sandbox.results(msgid, "b") == {"wmc2": 0}
    assert [row["userid"] for row in sandbox.post("get_groupmsg_task", msgid=msgid)["task_list"]] == ["a", "b"]


def test_a_lost_friendship_routes_nobody_while_another_lives(sandbox: Client) -> None:
    gone = (START - HOUR).isoformat()
    added = (START - 20 * DAY).isoformat()
    sandbox.control(
        "relations",
        relations=[
            {
                "userid": "b",
                "external_userid": "wmc2",
                "added_at": added,
                "last_talk_at": gone,
                "customer_deleted_at": gone,
            }
        ],
    )
    msgid = sandbox.send("wmc2")["msgid"]
    assert sandbox.results(msgid, "a") == {"wmc2": 0}


def test_a_customer_who_deleted_the_member_fails_at_the_tap(sandbox: Client) -> None:
    msgid = sandbox.send("wmc0", "wmc1")["msgid"]
    sandbox.control(
        "relations",
        relations=[
            {
                "userid": "a",
                "external_userid": "wmc0",
                "added_at": (START - DAY).isoformat(),
                "customer_deleted_at": (START + timedelta(seconds=1)).isoformat(),
            }
        ],
    )
    sandbox.advance(START + HOUR)
    assert sandbox.results(msgid) == {"wmc0": 2, "wmc1": 1}
    assert sandbox.get("externalcontact/get", external_userid="wmc0")["errcode"] == 0


def test_a_member_who_deleted_the_customer_is_a_stranger(sandbox: Client) -> None:
    sandbox.control(
        "relations",
        relations=[
            {
                "userid": "a",
                "external_userid": "wmc0",
                "added_at": (START - DAY).isoformat(),
                "member_deleted_at": START.isoformat(),
            }
        ],
    )
    assert sandbox.send("wmc0")["errcode"] == 84061
    assert sandbox.get("externalcontact/get", external_userid="wmc0")["errcode"] == 84061
    assert "wmc0" not in sandbox.get("externalcontact/list", userid="a")["external_userid"]


@pytest.mark.wecom("externalcontact/add_msg_template", "externalcontact/get_groupmsg_send_result")
def test_beyond_the_cap_a_send_fails_at_the_tap_and_a_later_task_at_once(open_sandbox: Callable[..., Client]) -> None:
    client = open_sandbox(small_world(cap="daily"))
    first, second = client.send("wmc0")["msgid"], client.send("wmc0", "wmc1")["msgid"]
    client.advance(START + HOUR)
    outcomes = [client.results(first)["wmc0"], client.results(second)["wmc0"]]
    assert sorted(outcomes) == [1, 3]
    assert client.send("wmc0")["errcode"] == 41048
    assert client.send("wmc0", "wmc2")["fail_list"] == ["wmc0"]
    client.advance(START + DAY)
    assert client.send("wmc0")["errcode"] == 0


def test_the_monthly_cap_is_the_days_of_the_month_and_the_weekly_seven(open_sandbox: Callable[..., Client]) -> None:
    for cap, most in (("monthly", 31), ("weekly", 7)):
        client = open_sandbox(small_world(cap=cap), name=cap)
        for n in range(most + 3):
            client.send("wmc0", text=str(n))
        moved = client.advance(START + HOUR)
        assert (moved["sent"], moved["capped"]) == (most, 3)


@pytest.mark.wecom("externalcontact/cancel_groupmsg_send")
def test_cancelling_stops_a_late_tap_and_keeps_what_was_sent(open_sandbox: Callable[..., Client]) -> None:
    client = open_sandbox(habitual("late"))
    msgid = client.send("wmc1", "wmc2")["msgid"]
    client.advance(START + HOUR)
    assert client.post("cancel_groupmsg_send", msgid=msgid)["errcode"] == 0
    client.advance(START + 10 * DAY)
    assert (client.results(msgid, "a"), client.results(msgid, "b")) == ({"wmc1": 0}, {"wmc2": 1})
    assert client.post("cancel_groupmsg_send", msgid=msgid)["errcode"] == 41093
    assert client.post("remind_groupmsg_send", msgid=msgid)["errcode"] == 41093


@pytest.mark.wecom("externalcontact/remind_groupmsg_send")
def test_three_reminders_a_day_and_a_late_member_hears_them(open_sandbox: Callable[..., Client]) -> None:
    client = open_sandbox(habitual("late"))
    msgid = client.send("wmc0")["msgid"]
    codes = [client.post("remind_groupmsg_send", msgid=msgid)["errcode"] for _ in range(4)]
    assert codes == [0, 0, 0, 41094]
    client.advance(START + HOUR)
    assert client.results(msgid) == {"wmc0": 1}
    client.advance(START + DAY + HOUR)
    assert client.post("remind_groupmsg_send", msgid=msgid)["errcode"] == 0


@pytest.mark.wecom("externalcontact/get_groupmsg_list_v2")
def test_a_members_own_sends_are_read_back_and_count_for_the_cap(open_sandbox: Callable[..., Client]) -> None:
    members = (Member("a", "导购 01", offgate_per_day=2.0), Member("b", "导购 02"), Member("idle", "导购 03"))
    client = open_sandbox(small_world(members=members, cap="daily"))
    moved = client.advance(START + 3 * DAY)
    assert moved["offgate"] > 1
    assert moved["capped"] > 0
    window = {
        "chat_type": "single",
        "start_time": int(START.timestamp()),
        "end_time": int((START + 3 * DAY).timestamp()),
    }
    own = client.post("get_groupmsg_list_v2", **window, filter_type=1)["group_msg_list"]
    assert len(own) == moved["offgate"]
    assert {(row["creator"], row["create_type"]) for row in own} == {("a", 1)}
    assert client.post("get_groupmsg_list_v2", **window, filter_type=0)["group_msg_list"] == []


def test_the_clock_never_goes_back(sandbox: Client) -> None:
    sandbox.advance(START + DAY)
    assert sandbox.advance(START)["now"] == (START + DAY).isoformat()


customers = [f"wm{index}" for index in range(6)]
worlds = st.fixed_dictionaries(
    {
        "cap": st.sampled_from(["monthly", "weekly", "daily"]),
        "habits": st.lists(st.sampled_from(["at_once", "late", "night", "never"]), min_size=3, max_size=3),
        "friends": st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(customers)), min_size=1),
        "deleted": st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(customers)), max_size=4),
        "sends": st.lists(
            st.tuples(
                st.sampled_from("abc"),
                st.sets(st.sampled_from(customers), min_size=1),
                st.booleans(),
                st.integers(1, 40),
            ),
            min_size=1,
            max_size=5,
        ),
    }
)

runs = itertools.count()


@pytest.mark.long
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds)
def test_every_recipient_ends_in_exactly_one_state(open_sandbox: Callable[..., Client], world: dict) -> None:
    """sent + unsent + capped + not a friend = recipients, and recipients + fail_list = asked; no cap is broken."""
    run = f"run{next(runs)}"
    relations = tuple(
        Relation(
            member,
            one,
            START - DAY,
            customer_deleted_at=START + 2 * HOUR if (member, one) in world["deleted"] else None,
        )
        for member, one in sorted(world["friends"])
    )
    client = open_sandbox(
        small_world(
            cap=world["cap"],
            relations=relations,
            customers=tuple(Customer(one, f"顾客 {one}") for one in customers),
            members=tuple(
                Member(name, f"导购 {name}", habit) for name, habit in zip("abc", world["habits"], strict=True)
            ),
        ),
        name=run,
    )
    now, received = START, []
    for sender, asked, cancel, hours in world["sends"]:
        made = client.send(*sorted(asked), sender=sender, text=f"{now}")
        now += hours * HOUR
        if made["errcode"] != 0:
            assert made["errcode"] in (84061, 41048)
            continue
        client.advance(now)
        if cancel:
            assert client.post("cancel_groupmsg_send", msgid=made["msgid"])["errcode"] == 0
            stopped = client.state()["unsent"]
        client.advance(now + 5 * DAY)
        now += 5 * DAY
        assert not cancel or client.state()["unsent"] == stopped
        members = [row["userid"] for row in client.post("get_groupmsg_task", msgid=made["msgid"])["task_list"]]
        rows = [
            row
            for one in members
            for row in client.post("get_groupmsg_send_result", msgid=made["msgid"], userid=one)["send_list"]
        ]
        assert sorted([row["external_userid"] for row in rows] + made["fail_list"]) == sorted(asked)
        assert all((row["status"] == 1) == ("send_time" in row) for row in rows)
        received += [
            (row["external_userid"], datetime.fromtimestamp(row["send_time"], SHANGHAI).date())
            for row in rows
            if row["status"] == 1
        ]
    state = client.state()
    assert state["unsent"] + state["sent"] + state["not_friend"] + state["capped"] == state["recipients"]
    assert world["cap"] != "daily" or len(received) == len(set(received))
