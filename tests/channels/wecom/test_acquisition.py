"""Our connector of acquisition links, end to end against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.channels.wecom.platform import Platform, ok
from tests.sandbox.conftest import DAY, START, Client, door, house, open_sandbox, sandbox
from yutang.channels.contracts import AnswerLost, RefusedByPlatform, WaySpec
from yutang.channels.ports.inheritance import CameByLink, LinkFigures
from yutang.channels.wecom.acquisition import CREATE, WeComAcquisition, scheme_of
from yutang.channels.wecom.client import WeComClient
from yutang.kernel.errors import BadInput

__all__ = ["door", "house", "open_sandbox", "sandbox"]
SPEC = WaySpec("yt0123456789", "小红书投放", ("a",))


@pytest.fixture
def links(sandbox: Client, connect: Callable[..., WeComClient]) -> WeComAcquisition:
    """Our connector, at the sandbox with the small world in it."""
    return WeComAcquisition(connect("ww-sandbox", "synthetic", base_url=sandbox.address))


@pytest.mark.wecom(
    "externalcontact/customer_acquisition/create_link", "externalcontact/customer_acquisition/get",
    "externalcontact/customer_acquisition/update_link", "externalcontact/customer_acquisition/delete_link",
    "externalcontact/customer_acquisition/list_link",
)  # fmt: skip
def test_a_link_is_a_way_whose_name_ends_in_our_state(links: WeComAcquisition) -> None:
    made = links.create_way(SPEC)
    assert made.qr_code.endswith("?customer_channel=yt0123456789")
    assert scheme_of(made.qr_code).startswith("weixin://biz/ww/profile/https%3A%2F%2Fwork.weixin.qq.com%2Fca%2F")
    links.update_way(made.config_id, WaySpec(SPEC.state, "换人" * 20, ("a", "b"), skip_verify=False))
    found = links.find_ways(START - DAY, START + DAY)
    assert [(one.config_id, one.state, one.users, one.qr_code) for one in found] == [
        (made.config_id, SPEC.state, ("a", "b"), made.qr_code)
    ]
    assert links.find_ways(START + DAY, START + 2 * DAY) == []
    links.delete_way(made.config_id)
    links.delete_way(made.config_id)
    assert links.find_ways(START - DAY, START + DAY) == []
    links.create_way(WaySpec("yt1", "部门", (), departments=(2,)))
    with pytest.raises(BadInput):
        links.create_way(WaySpec("yt2", "没有人", ()))


def test_a_lost_answer_is_found_by_the_state(sandbox: Client, links: WeComAcquisition) -> None:
    sandbox.control("faults", faults=[{"api": CREATE, "kind": "drop_answer", "times": 1}])
    with pytest.raises(AnswerLost):
        links.create_way(SPEC)
    assert [one.state for one in links.find_ways(START - DAY, START + DAY)] == [SPEC.state]


@pytest.mark.wecom(
    "externalcontact/customer_acquisition_quota", "externalcontact/customer_acquisition/customer",
    "externalcontact/customer_acquisition/statistic", "externalcontact/customer_acquisition/get_chat_info",
)  # fmt: skip
def test_who_came_and_what_is_left(sandbox: Client, links: WeComAcquisition) -> None:
    made = links.create_way(SPEC)
    url = made.qr_code.partition("?")[0]
    who = sandbox.control("acquisition", do="add", link=url, state=SPEC.state)["external_userid"]
    assert links.came_by(made.config_id) == [CameByLink(who, "a", SPEC.state, False)]
    chats = [sandbox.control("acquisition", do="chat", link=url, external_userid=who) for _ in range(3)]
    came, count = links.chat(chats[-1]["chat_key"])
    assert (came, count) == (CameByLink(who, "a", SPEC.state, True), 3)
    assert links.figures(made.config_id, START, START) == LinkFigures(1, 1)
    quota = links.quota()
    assert (quota.total, quota.balance, [rest for _, rest in quota.expiring]) == (1000, 999, [999])
    assert quota.expiring[0][0] - START > timedelta(days=364)


def test_a_link_that_is_not_ours_to_delete_is_said_to_be(platform: Platform, client: WeComClient) -> None:
    links = WeComAcquisition(client)
    platform.plays("externalcontact/customer_acquisition/delete_link", {"errcode": 40058, "errmsg": "x"})
    platform.plays("externalcontact/customer_acquisition/list_link", ok(link_id_list=["ca1"], next_cursor=""))
    with pytest.raises(RefusedByPlatform):
        links.delete_way("ca1")
    links.delete_way("ca2")
    platform.plays("externalcontact/customer_acquisition/create_link", ok(link={}))
    with pytest.raises(AnswerLost):
        links.create_way(SPEC)
    platform.plays(
        "externalcontact/customer_acquisition_quota",
        ok(total=1000, balance=500, quota_list=[{"expire_date": 1689350400, "balance": 200}]),
    )
    assert links.quota().expiring == ((datetime(2023, 7, 14, 16, tzinfo=UTC), 200),)
