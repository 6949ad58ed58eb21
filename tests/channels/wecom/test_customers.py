"""Members and their customers, as the nightly sync reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.channels.wecom.platform import Platform, error, ok
from yutang.channels.contracts import Customer, Customers, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.customers import (
    BATCH,
    BY_UNIONID,
    GET,
    LIST,
    MEMBERS,
    OPENID,
    REMARK,
    SERVED,
    Remark,
    WeComCustomers,
)
from yutang.kernel.errors import BadInput


@pytest.fixture
def customers(client: WeComClient) -> WeComCustomers:
    return WeComCustomers(client)


def relation(external_userid: str, member: str, **follow: Any) -> dict[str, Any]:
    return {
        "external_contact": {"external_userid": external_userid, "name": "李四", "type": 1, "gender": 1},
        "follow_info": {"userid": member, "createtime": 1525779812, **follow},
    }


@pytest.mark.wecom("externalcontact/get_follow_user_list")
def test_members_are_listed(platform: Platform, customers: WeComCustomers) -> None:
    platform.plays(MEMBERS, ok(follow_user=["zhangsan", "lisi"]))
    assert customers.follow_users() == ["zhangsan", "lisi"]


@pytest.mark.wecom("externalcontact/list")
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


@pytest.mark.wecom("externalcontact/batch/get_by_user")
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


@pytest.mark.wecom("externalcontact/get")
def test_one_customer_is_read_with_tags_in_their_other_form(platform: Platform, customers: WeComCustomers) -> None:
    tags = [
        {"group_name": "等级", "tag_name": "金卡", "tag_id": "et1", "type": 1},
        {"group_name": "", "tag_name": "爱喝茶", "type": 2},
        {"group_name": "区域", "tag_name": "北区", "tag_id": "et3", "type": 3},
    ]
    contact = {"external_userid": "wo1", "name": "王总", "type": 2, "gender": 0, "corp_full_name": "某某公司"}
    follow = {"userid": "zhangsan", "createtime": 1525779812, "tags": tags, "remark_mobiles": ["13800000001", ""]}
    platform.plays(
        GET,
        ok(external_contact=contact, follow_user=[follow], next_cursor="c"),
        ok(external_contact=contact, follow_user=[{**follow, "userid": "lisi", "tags": []}]),
        error(84061, follow_user=[]),
        error(40096, follow_user=[]),
    )
    first, second = customers.customer("wo1")
    assert (first.tag_ids, first.personal_tags, first.corp) == (("et1", "et3"), ("爱喝茶",), "某某公司")
    assert (first.mobiles, second.member, second.personal_tags) == (("13800000001",), "lisi", ())
    assert [request.query.get("cursor") for request in platform.calls(GET)] == [None, "c"]
    assert customers.customer("wo1") == ()  # nobody follows them, or was only half added
    assert customers.customer("wo1") == ()


@pytest.mark.wecom("externalcontact/remark")
def test_a_remark_says_only_what_is_to_change(platform: Platform, customers: WeComCustomers) -> None:
    platform.plays(REMARK, ok())
    customers.remark("zhangsan", "wm1", Remark(remark="王姐", mobiles=()))
    customers.remark("zhangsan", "wm1", Remark(mobiles=("13800000001",), description=""))
    customers.remark("zhangsan", "wm1", Remark())
    named = {"userid": "zhangsan", "external_userid": "wm1"}
    assert [request.body for request in platform.calls(REMARK)] == [
        {**named, "remark": "王姐", "remark_mobiles": [""]},
        {**named, "description": "", "remark_mobiles": ["13800000001"]},
    ]
    with pytest.raises(BadInput, match="20 characters"):
        customers.remark("zhangsan", "wm1", Remark(company="长" * 21))


@pytest.mark.wecom(
    "externalcontact/contact_list",
    "externalcontact/convert_to_openid",
    "externalcontact/unionid_to_external_userid",
)
def test_ids_are_turned_into_one_another(platform: Platform, customers: WeComCustomers) -> None:
    platform.plays(
        SERVED,
        ok(info_list=[{"tmp_openid": "t1", "external_userid": "wm1", "follow_userid": "a", "add_time": 1525779812}],
           next_cursor="c"),
        ok(info_list=[{"tmp_openid": "t2", "is_customer": False, "name": "路人"}]),
    )  # fmt: skip
    served = customers.served()
    assert [(one.temporary, one.external_userid, one.member) for one in served] == [
        ("t1", "wm1", "a"),
        ("t2", None, ""),
    ]
    assert "路人" not in repr(served)
    platform.plays(OPENID, ok(openid="o1"), ok())
    assert customers.openid_of("wm1") == "o1"
    with pytest.raises(UnexpectedAnswer):
        customers.openid_of("wm1")
    platform.plays(BY_UNIONID, ok(external_userid="wm1"), error(610014))
    assert customers.by_unionid("oz1", "o1") == "wm1"
    assert platform.calls(BY_UNIONID)[0].body == {"unionid": "oz1", "openid": "o1"}
    with pytest.raises(RefusedByPlatform, match="unionid"):
        customers.by_unionid("oz2")
