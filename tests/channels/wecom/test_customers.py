"""Members and their customers, as the nightly sync reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.channels.wecom.platform import Platform, error, ok
from yutang.channels.contracts import Customer, Customers, RefusedByPlatform
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.customers import BATCH, LIST, MEMBERS, WeComCustomers


@pytest.fixture
def customers(client: WeComClient) -> WeComCustomers:
    return WeComCustomers(client)


def relation(external_userid: str, member: str, **follow: Any) -> dict[str, Any]:
    return {
        "external_contact": {"external_userid": external_userid, "name": "李四", "type": 1, "gender": 1},
        "follow_info": {"userid": member, "createtime": 1525779812, **follow},
    }


def test_members_are_listed(platform: Platform, customers: WeComCustomers) -> None:
    platform.plays(MEMBERS, ok(follow_user=["zhangsan", "lisi"]))
    assert customers.follow_users() == ["zhangsan", "lisi"]


def test_a_members_customers_are_listed(platform: Platform, customers: WeComCustomers) -> None:
    platform.plays(LIST, ok(external_userid=["wm1", "wm2"]))
    assert customers.customers_of("zhangsan") == ["wm1", "wm2"]
    (request,) = platform.calls(LIST)
    assert (request.method, request.query["userid"]) == ("GET", "zhangsan")


def test_a_member_without_customers_has_none_and_a_member_who_left_is_an_error(
    platform: Platform, customers: WeComCustomers
) -> None:
    platform.plays(LIST, error(84061, "not external contact", external_userid=[]))
    assert customers.customers_of("zhangsan") == []
    platform.plays(LIST, error(60111, "userid not found", external_userid=[]))
    with pytest.raises(RefusedByPlatform):
        customers.customers_of("zhangsan")


def test_relations_are_read_over_pages_with_their_door_and_tags(platform: Platform, customers: WeComCustomers) -> None:
    full = relation("wm1", "zhangsan", remark="李部长", tag_id=["et1", "et2"], add_way=1, state="poster-7")
    full["external_contact"]["unionid"] = "oz1"
    platform.plays(
        BATCH,
        ok(external_contact_list=[full], next_cursor="c"),
        ok(external_contact_list=[full, relation("wm1", "lisi")], next_cursor=""),
    )
    added = datetime(2018, 5, 8, 11, 43, 32, tzinfo=UTC)
    read = customers.customer_details(["zhangsan", "lisi"])
    assert read == Customers(
        (
            Customer("wm1", "zhangsan", 1, "oz1", added, 1, "poster-7", ("et1", "et2"), "李四", "李部长"),
            Customer("wm1", "lisi", 1, None, added, 0, None, (), "李四", ""),
        ),
        (),
    )
    assert "李" not in repr(read)
    first = {"userid_list": ["zhangsan", "lisi"], "limit": 100}
    assert [request.body for request in platform.calls(BATCH)] == [first, {**first, "cursor": "c"}]


def test_members_are_asked_by_the_hundred(platform: Platform, customers: WeComCustomers) -> None:
    platform.plays(
        BATCH,
        lambda request: ok(external_contact_list=[relation("wm1", name) for name in request.body["userid_list"]]),
    )
    names = [f"member{number}" for number in range(250)]
    read = customers.customer_details(names)
    assert [customer.member for customer in read.relations] == names
    assert [len(request.body["userid_list"]) for request in platform.calls(BATCH)] == [100, 100, 50]
    assert customers.customer_details([]) == Customers((), ())


def test_members_without_a_licence_are_named(platform: Platform, customers: WeComCustomers) -> None:
    platform.plays(
        BATCH,
        ok(
            external_contact_list=[relation("wm1", "zhangsan")],
            next_cursor="",
            fail_info={"unlicensed_userid_list": ["lisi"]},
        ),
        error(701008),
        error(84061),
    )
    read = customers.customer_details(["zhangsan", "lisi"])
    assert ([customer.member for customer in read.relations], read.unlicensed) == (["zhangsan"], ("lisi",))
    assert customers.customer_details(["zhangsan", "lisi"]) == Customers((), ("zhangsan", "lisi"))
    assert customers.customer_details(["zhangsan", "lisi"]) == Customers((), ())
