"""wechatpy's client reads the directory, and learns whose browser it is and where callbacks come from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import Client
from tests.sandbox.test_directory import staffed


@pytest.fixture
def corp(open_sandbox: Callable[..., Client]) -> Client:
    return open_sandbox(staffed())


@pytest.fixture
def theirs(corp: Client, speaks_to: Callable[..., WeChatClient]) -> WeChatClient:
    return speaks_to(corp.address)


@pytest.mark.wecom(
    "department/list",
    "department/simplelist",
    "department/get",
    "user/list",
    "user/simplelist",
    "user/get",
    "user/getuserid",
    "user/convert_to_openid",
)
def test_it_reads_departments_and_members(theirs: WeChatClient) -> None:
    assert [row["name"] for row in theirs.department.list()] == ["上海店", "华北", "ww-sandbox", "华东"]
    assert [row["id"] for row in theirs.department.simple_list(2)] == [3, 2]
    assert theirs.department.get(3)["department_leader"] == ["a"]
    assert [row["userid"] for row in theirs.user.list(1, fetch_child=True)] == ["a", "B", "c", "idle"]
    assert [row["name"] for row in theirs.user.list(3, simple=True)] == ["导购 01", "导购 02"]
    assert theirs.user.get("b")["main_department"] == 4
    assert theirs.user.getuserid("13800000001") == "a"
    assert theirs.user.convert_to_openid("a")["openid"].startswith("o")
    with pytest.raises(WeChatClientException, match="60111"):
        theirs.user.get("nobody")


@pytest.mark.wecom("auth/getuserinfo", "auth/getuserdetail", "user/list_id", raw=True)
def test_its_transport_carries_what_it_has_no_method_for(
    corp: Client, theirs: WeChatClient, speaks_to: Callable[..., WeChatClient]
) -> None:
    # wechatpy's own `oauth.get_user_info` still asks under the retired name user/getuserinfo
    code = corp.control("oauth", userid="a", private=True)["code"]
    found = theirs.get("auth/getuserinfo", params={"code": code})
    assert found["userid"] == "a"
    detail = theirs.post("auth/getuserdetail", data={"user_ticket": found["user_ticket"]})
    assert detail["mobile"] == "13800000001"
    with pytest.raises(WeChatClientException, match="40029"):
        theirs.get("auth/getuserinfo", params={"code": code})
    contacts = speaks_to(corp.address, secret="contacts")
    assert len(contacts.post("user/list_id", data={"limit": 10_000})["dept_user"]) == 5


@pytest.mark.wecom("getcallbackip", "get_jsapi_ticket", "ticket/get")
def test_it_signs_pages_by_the_tickets(theirs: WeChatClient) -> None:
    assert theirs.misc.get_wechat_ips() == ["101.226.103.0/25", "127.0.0.1"]
    assert theirs.jsapi.get_jsapi_ticket() == theirs.jsapi.get_ticket()["ticket"]
    assert theirs.jsapi.get_agent_jsapi_ticket() == theirs.jsapi.get_agent_ticket()["ticket"]
