"""Reading the directory, whose browser it is, and letting pages act: our connector at the running sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.channels.wecom.platform import CORP, Platform, error, ok
from tests.sandbox.conftest import Client, door, house, open_sandbox
from tests.sandbox.test_directory import staffed
from yutang.channels.contracts import RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.directory import (
    ADDRESSES,
    Department,
    Member,
    Visitor,
    WeComDirectory,
    WeComVisitors,
    authorize_address,
)
from yutang.channels.wecom.jssdk import APP_TICKET, CORP_TICKET, WeComPages, sign
from yutang.channels.wecom.tokens import MemoryTokenStore, SharedTokenStore, Token
from yutang.kernel.errors import Refused

__all__ = ["door", "house", "open_sandbox"]


@pytest.fixture
def corp(open_sandbox: Callable[..., Client]) -> Client:
    return open_sandbox(staffed())


@pytest.fixture
def reach(corp: Client) -> Iterator[Callable[..., WeComClient]]:
    """Our client, at the sandbox."""
    with httpx.Client(timeout=60, trust_env=False, verify=False) as http:

        def make(secret: str = "synthetic") -> WeComClient:
            return WeComClient(corp.address, "ww-sandbox", secret, token_store=MemoryTokenStore(), http=http)

        yield make


@pytest.mark.wecom(
    "department/list",
    "department/get",
    "user/list",
    "user/simplelist",
    "user/get",
    "user/getuserid",
    "user/convert_to_openid",
    "getcallbackip",
    "gettoken",
)
def test_the_whole_directory_is_read_with_names(reach: Callable[..., WeComClient]) -> None:
    directory = WeComDirectory(reach())
    told: list[tuple[int, int]] = []
    whole = directory.whole(lambda done, total: told.append((done, total)))
    assert whole.departments == (
        Department(1, None, "ww-sandbox"),
        Department(4, 1, "华北", 5),
        Department(2, 1, "华东"),
        Department(3, 2, "上海店", 10, ("a",)),
    )
    assert {one.userid: (one.departments, one.status) for one in whole.members} == {
        "a": ((3,), 1),
        "B": ((4, 3), 1),
        "c": ((4,), 4),
        "idle": ((1,), 1),
    }
    assert "导购" not in repr(whole)
    assert told[-1] == (4, 4)
    assert directory.department(3).name == "上海店"
    assert [one.name for one in directory.member_names(3)] == ["导购 01", "导购 02"]
    assert directory.member("nobody") is None
    assert (directory.userid_of("13800000001"), directory.userid_of("13900000000")) == ("a", None)
    assert directory.openid_of("a") == directory.openid_of("A")
    assert "127.0.0.1" in directory.callback_addresses()


@pytest.mark.wecom("department/simplelist", "user/list_id")
def test_where_names_may_not_be_read_ids_are(reach: Callable[..., WeComClient]) -> None:
    whole = WeComDirectory(reach("contacts")).whole()
    assert whole.ids_only
    assert whole.departments[0] == Department(1, None, None)
    assert whole.members == (Member("a", (3,)), Member("B", (3, 4)), Member("c", (4,)), Member("idle", (1,)))


def test_a_refusal_of_another_kind_is_one(platform: Platform, client: WeComClient) -> None:
    platform.plays("department/list", error(60020))
    with pytest.raises(RefusedByPlatform, match=r"203\.0\.113\.9"):
        WeComDirectory(client).whole()
    platform.plays("department/list", ok(department=[{"name": "x"}]))
    with pytest.raises(UnexpectedAnswer):
        WeComDirectory(client).departments()
    platform.plays(ADDRESSES, ok())
    assert WeComDirectory(client).callback_addresses() == []


@pytest.mark.wecom("auth/getuserinfo", "auth/getuserdetail")
def test_a_code_says_whose_browser_it_is_and_a_spent_one_nobodys(
    corp: Client, reach: Callable[..., WeComClient]
) -> None:
    visitors = WeComVisitors(reach())
    code = corp.control("oauth", userid="a", private=True)["code"]
    found = visitors.visitor(code)
    assert found is not None
    assert found.userid == "a"
    assert visitors.sensitive(found.ticket).mobile == "13800000001"
    assert found.ticket not in repr(found)
    assert visitors.visitor(code) is None
    outside = visitors.visitor(corp.control("oauth", external_userid="wmc1")["code"])
    assert outside == Visitor(external_userid="wmc1", openid=outside.openid if outside else "")
    address = authorize_address("ww1", 7, "https://pond.example/in?a=1", "s", sensitive=True)
    assert address == (
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid=ww1&redirect_uri=https%3A%2F%2Fpond.example%2Fin%3F"
        "a%3D1&response_type=code&scope=snsapi_privateinfo&state=s&agentid=7#wechat_redirect"
    )


def test_the_published_signature_comes_out() -> None:
    ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    address = "http://mp.weixin.qq.com?params=value"
    for url in (address, f"{address}#/today"):
        assert sign(ticket, "Wm3WZYTPz0wzccnW", 1414587457, url) == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


@pytest.mark.wecom("get_jsapi_ticket", "ticket/get")
def test_pages_are_signed_by_tickets_that_are_fetched_once(corp: Client, reach: Callable[..., WeComClient]) -> None:
    client = reach()
    pages = WeComPages(client, "ww-sandbox", 1_000_002)
    url = "https://pond.example/today"
    for one, api, query in (
        (pages.for_config(url), CORP_TICKET, {}),
        (pages.for_agent_config(url), APP_TICKET, {"type": "agent_config"}),
    ):
        ticket = corp.get(api, **query)["ticket"]
        assert one.signature == sign(ticket, one.nonce, one.timestamp, url)
    assert (one.corp, one.agent) == ("ww-sandbox", 1_000_002)
    with pytest.raises(Refused, match="AgentId"):
        WeComPages(client, "ww-sandbox", None).for_agent_config(url)


def test_all_threads_and_clients_share_a_ticket(platform: Platform, connect: Callable[..., WeComClient]) -> None:
    platform.plays(CORP_TICKET, ok(ticket="t", expires_in=7200))
    kept: dict[str, Token] = {}
    store = SharedTokenStore(kept.get, kept.__setitem__)
    pages = [WeComPages(connect(token_store=store), CORP, 1) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: pages[number % 2].for_config("https://x.example"), range(8)))
    assert platform.counts() == {"gettoken": 1, CORP_TICKET: 1}
    platform.plays(CORP_TICKET, ok())
    kept.clear()
    with pytest.raises(UnexpectedAnswer):
        pages[0].for_config("https://x.example")
