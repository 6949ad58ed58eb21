"""Inheritance of customers: what may be handed over, how it ends, what the corp is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.conftest import DAY, HOUR, START, Client
from tests.sandbox.told import told

MEMBERS = {"handover_userid": "a", "takeover_userid": "b"}


def ends(tmp_path: Path) -> list[tuple[str, str, str]]:
    """Every callback so far: what changed, of which member, with which customer."""
    rows = told(tmp_path / "sandbox")
    return [(row["ChangeType"], row["UserID"], row["ExternalUserID"]) for row in rows]


def codes(answer: dict) -> list[int]:
    assert answer["errcode"] == 0, answer
    return [one["errcode"] for one in answer["customer"]]


@pytest.mark.wecom("externalcontact/transfer_customer", "externalcontact/transfer_result")
def test_a_customer_goes_over_after_24_hours_unless_they_refuse(sandbox: Client, tmp_path: Path) -> None:
    asked = sandbox.post("transfer_customer", **MEMBERS, external_userid=["wmc0", "wmc1", "wmc2", "wmd", "wmx"])
    assert codes(asked) == [0, 0, 0, 40131, 40096]
    assert codes(sandbox.post("transfer_customer", **MEMBERS, external_userid=["wmc0"])) == [40129]
    sandbox.control("transfers", do="refuse", external_userid="wmc1")
    waiting = sandbox.post("transfer_result", **MEMBERS)["customer"]
    due = int((START + DAY).timestamp())
    assert [(one["status"], one["takeover_time"]) for one in waiting] == [(2, due), (3, 0), (2, due)]
    assert sandbox.advance(START + HOUR)["next_at"] == (START + DAY).isoformat()
    sandbox.advance(START + DAY)
    assert [one["status"] for one in sandbox.post("transfer_result", **MEMBERS)["customer"]] == [1, 3, 1]
    assert sandbox.get("externalcontact/list", userid="a")["external_userid"] == ["wmc1", "wmc3"]
    assert sandbox.get("externalcontact/list", userid="b")["external_userid"] == ["wmc0", "wmc2"]
    assert ends(tmp_path) == [
        ("transfer_fail", "b", "wmc1"),
        ("del_external_contact", "a", "wmc0"),
        ("add_external_contact", "b", "wmc0"),
        ("del_external_contact", "a", "wmc2"),  # b's friend already: no add event
    ]
    failed, ended, *_ = told(tmp_path / "sandbox")
    assert (failed["FailReason"], ended["Source"]) == ("customer_refused", "DELETE_BY_TRANSFER")


def test_twice_in_90_days_is_the_most_and_going_back_is_no_add_event(sandbox: Client, tmp_path: Path) -> None:
    back = {"handover_userid": "b", "takeover_userid": "a"}
    for number, members in enumerate((MEMBERS, back)):
        assert codes(sandbox.post("transfer_customer", **members, external_userid=["wmc0"])) == [0]
        sandbox.advance(START + (number + 1) * DAY)
    assert codes(sandbox.post("transfer_customer", **MEMBERS, external_userid=["wmc0"])) == [40128]
    assert [change for change, *_ in ends(tmp_path)] == [
        "del_external_contact", "add_external_contact", "del_external_contact",
    ]  # fmt: skip
    sandbox.advance(START + 92 * DAY)
    assert codes(sandbox.post("transfer_customer", **MEMBERS, external_userid=["wmc0"])) == [0]


def test_members_who_cannot_take_over_are_refused_by_name(sandbox: Client, tmp_path: Path) -> None:
    asked = {**MEMBERS, "external_userid": ["wmc0", "wmc1"]}
    assert sandbox.post("transfer_customer", **{**asked, "takeover_userid": "A"})["errcode"] == 40130
    assert sandbox.post("transfer_customer", **{**asked, "takeover_userid": "nobody"})["errcode"] == 40003
    assert sandbox.post("transfer_customer", **{**asked, "external_userid": []})["errcode"] == 41035
    assert sandbox.post("transfer_customer", **{**asked, "external_userid": ["x"] * 101})["errcode"] == 40058
    sandbox.control("transfers", do="member", userid="b", verified=False)
    assert sandbox.post("transfer_customer", **asked)["errcode"] == 40098
    sandbox.control("transfers", do="member", userid="b", banned=True)
    assert sandbox.post("transfer_customer", **asked)["errcode"] == 40143
    sandbox.control("transfers", do="member", userid="b", most=1)
    assert codes(sandbox.post("transfer_customer", **asked)) == [40099, 40099]
    sandbox.control("transfers", do="member", userid="b", most=2)
    assert codes(sandbox.post("transfer_customer", **asked)) == [0, 0]
    sandbox.advance(START + DAY)  # the first fits, the second does not any more
    assert [one["status"] for one in sandbox.post("transfer_result", **MEMBERS)["customer"]] == [1, 4]
    assert ends(tmp_path)[-1] == ("transfer_fail", "b", "wmc1")


@pytest.mark.wecom(
    "externalcontact/get_unassigned_list", "externalcontact/resigned/transfer_customer",
    "externalcontact/resigned/transfer_result",
)  # fmt: skip
def test_the_customers_of_a_member_who_left_wait_for_somebody(sandbox: Client) -> None:
    asked = {**MEMBERS, "external_userid": ["wmc0"]}
    assert sandbox.post("resigned/transfer_customer", **asked)["errcode"] == 40097
    sandbox.control("transfers", do="leave", userid="a")
    found, cursor = [], ""
    while True:
        answer = sandbox.post("get_unassigned_list", page_size=2, cursor=cursor)
        found += answer["info"]
        cursor = answer["next_cursor"]
        assert answer["is_last"] == (not cursor)
        if not cursor:
            break
    assert [one["external_userid"] for one in found] == ["wmc0", "wmc1", "wmc2", "wmc3"]
    assert {(one["handover_userid"], one["dimission_time"]) for one in found} == {("a", int(START.timestamp()))}
    assert sandbox.post("transfer_customer", **asked)["errcode"] == 40003
    assert codes(sandbox.post("resigned/transfer_customer", **asked)) == [0]
    assert codes(sandbox.post("resigned/transfer_customer", **asked)) == [40100]
    assert len(sandbox.post("get_unassigned_list")["info"]) == 3
    sandbox.advance(START + DAY)
    assert [one["status"] for one in sandbox.post("resigned/transfer_result", **MEMBERS)["customer"]] == [1]
    assert sandbox.get("externalcontact/list", userid="b")["external_userid"] == ["wmc0", "wmc2"]
    sandbox.advance(START + 366 * DAY)
    assert sandbox.post("resigned/transfer_customer", **asked)["errcode"] == 40097
