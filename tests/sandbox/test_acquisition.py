"""Acquisition links and their quota, as the platform documents them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.conftest import DAY, START, Client
from tests.sandbox.told import told

OF = "customer_acquisition"


def acquire(sandbox: Client, do: str, **more: object) -> dict:
    return sandbox.control("acquisition", do=do, **more)


def changes(tmp_path: Path) -> list[str]:
    """The change of every callback so far."""
    return [one["ChangeType"] for one in told(tmp_path / "sandbox")]


@pytest.fixture
def link(sandbox: Client) -> dict:
    return sandbox.post(f"{OF}/create_link", link_name="获客链接1号", range={"user_list": ["A"]})["link"]


@pytest.mark.wecom(
    "externalcontact/customer_acquisition/create_link", "externalcontact/customer_acquisition/get",
    "externalcontact/customer_acquisition/update_link", "externalcontact/customer_acquisition/delete_link",
    "externalcontact/customer_acquisition/list_link",
)  # fmt: skip
def test_links_are_made_changed_listed_and_taken_away(sandbox: Client, link: dict, tmp_path: Path) -> None:
    refused = {
        40063: [{"link_name": "x"}, {"link_name": "x", "range": {}}],
        40003: [{"link_name": "x", "range": {"user_list": ["nobody"]}}],
        40058: [
            {"range": {"user_list": ["a"]}},
            {"link_name": "字" * 31, "range": {"user_list": ["a"]}},
            {"link_name": "x", "range": {"department_list": ["二"]}},
            {"link_name": "x", "range": {"user_list": ["a"]}, "priority_option": {"priority_type": 2}},
            {"link_name": "x", "range": {"user_list": ["a"]}, "skip_verify": "yes"},
        ],
    }
    for code, bodies in refused.items():
        for body in bodies:
            assert sandbox.post(f"{OF}/create_link", **body)["errcode"] == code, body
    got = sandbox.post(f"{OF}/get", link_id=link["link_id"])
    assert (got["link"]["link_name"], got["link"]["skip_verify"]) == ("获客链接1号", True)
    assert got["range"] == {"user_list": ["a"], "department_list": []}
    priority = {"priority_type": 2, "priority_userid_list": ["b"]}
    changed = {"link_id": link["link_id"], "range": {"department_list": [2]}, "priority_option": priority}
    assert sandbox.post(f"{OF}/update_link", **changed)["errcode"] == 0
    got = sandbox.post(f"{OF}/get", link_id=link["link_id"])
    assert (got["link"]["link_name"], got["range"]["department_list"]) == ("获客链接1号", [2])
    assert got["priority_option"] == priority
    made = [sandbox.post(f"{OF}/create_link", link_name=f"{n}", range={"user_list": ["a"]}) for n in range(3)]
    others = {one["link"]["link_id"] for one in made}
    seen, cursor = set(), ""
    while True:
        answer = sandbox.post(f"{OF}/list_link", limit=2, cursor=cursor)
        seen |= set(answer["link_id_list"])
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert seen == {link["link_id"], *others}
    assert sandbox.post(f"{OF}/delete_link", link_id=link["link_id"])["errcode"] == 0
    assert sandbox.post(f"{OF}/get", link_id=link["link_id"])["errcode"] == 40058
    assert changes(tmp_path) == []  # nothing that the API did is told


@pytest.mark.wecom(
    "externalcontact/customer_acquisition/customer", "externalcontact/customer_acquisition/statistic",
    "externalcontact/customer_acquisition/get_chat_info",
)  # fmt: skip
def test_who_came_by_a_link_is_known_by_its_channel(sandbox: Client, link: dict, tmp_path: Path) -> None:
    acquire(sandbox, "open", link=link["url"], state="CHANNEL_A")
    who = acquire(sandbox, "add", link=link["url"], state="CHANNEL_A")["external_userid"]
    assert changes(tmp_path) == ["open_profile", "open_profile", "friend_request", "add_external_contact"]
    assert sandbox.get("externalcontact/get", external_userid=who)["follow_user"][0]["state"] == "CHANNEL_A"
    keys = [acquire(sandbox, "chat", link=link["link_id"], external_userid=who)["chat_key"] for _ in range(5)]
    assert [bool(key) for key in keys] == [False, False, True, False, True]
    info = sandbox.post(f"{OF}/get_chat_info", chat_key=keys[2])
    assert (info["external_userid"], info["chat_info"]["recv_msg_cnt"], info["chat_info"]["state"]) == (
        who,
        5,
        "CHANNEL_A",
    )
    assert sandbox.post(f"{OF}/get_chat_info", chat_key="junk")["errcode"] == 40058
    listed = sandbox.post(f"{OF}/customer", link_id=link["link_id"])["customer_list"]
    assert listed == [{"external_userid": who, "userid": "a", "chat_status": 1, "state": "CHANNEL_A"}]
    today = int(START.timestamp())
    figures = sandbox.post(f"{OF}/statistic", link_id=link["link_id"], start_time=today, end_time=today)
    assert (figures["click_link_customer_cnt"], figures["new_customer_cnt"]) == (2, 1)
    too_long = {"link_id": link["link_id"], "start_time": today - 40 * 86_400, "end_time": today}
    assert sandbox.post(f"{OF}/statistic", **too_long)["errcode"] == 40058
    acquire(sandbox, "leave", link=link["link_id"], external_userid=who)
    acquire(sandbox, "break", link=link["link_id"])
    acquire(sandbox, "delete", link=link["link_id"])
    assert changes(tmp_path)[4:] == [
        "customer_start_chat", "message_from_customer", "message_from_customer",
        "del_follow_user", "del_follow_user", "link_unavailable", "delete_link",
    ]  # fmt: skip


@pytest.mark.wecom("externalcontact/customer_acquisition_quota")
def test_the_quota_is_used_up_and_expires_and_the_corp_is_told(sandbox: Client, link: dict, tmp_path: Path) -> None:
    def quota() -> dict:
        return sandbox.get("externalcontact/customer_acquisition_quota")

    assert (quota()["total"], quota()["balance"], len(quota()["quota_list"])) == (1000, 1000, 1)
    acquire(sandbox, "quota", left=20)
    assert acquire(sandbox, "add", link=link["url"])["left"] == 19
    acquire(sandbox, "quota", left=1)
    acquire(sandbox, "add", link=link["url"])
    assert quota()["balance"] == 0
    answer = sandbox.http.post("/control/acquisition", json={"do": "add", "link": link["url"]})
    assert "quota" in answer.json()["en"]
    acquire(sandbox, "quota", buy=30, days=20)
    quotas = [one for one in changes(tmp_path) if one.startswith("balance")]
    assert quotas == ["balance_low", "balance_exhausted", "balance_increased"]
    sandbox.advance(START + 21 * DAY)
    assert quota()["balance"] == 0
    assert changes(tmp_path)[-6:] == [*["quota_expire_soon"] * 5, "balance_exhausted"]
