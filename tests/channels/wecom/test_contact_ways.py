"""Contact ways, temporary chats and welcomes: our connector and our sandbox, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest

from tests.sandbox.conftest import START, Client, door, house, open_sandbox, sandbox, wall
from yutang.channels.contracts import AnswerLost, CodeSpent, Link, MessageContent, RefusedByPlatform, TryLater, WaySpec
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.contact_ways import TemporarySpec, WeComContactWays, WeComTemporaryChats, WeComWelcome
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel.errors import BadInput

__all__ = ["door", "house", "open_sandbox", "sandbox", "wall"]

ADD = "externalcontact/add_contact_way"
SPEC = WaySpec("yt-1", "门口", ("a", "b"))
DAY = timedelta(days=1)
HELLO = MessageContent("您好", (Link("新人有礼", "https://example.com/new"),))


@pytest.fixture
def ours(sandbox: Client) -> Iterator[Callable[[str], WeComClient]]:
    """Our client of an app in the small world, by its secret."""
    with ExitStack() as stack:

        def make(secret: str = "synthetic") -> WeComClient:
            http = stack.enter_context(httpx.Client(trust_env=False, verify=False, timeout=60))
            store = MemoryTokenStore()
            return WeComClient(
                sandbox.address, "ww-sandbox", secret, token_store=store, http=http, sleep=lambda _: None
            )

        yield make


@pytest.mark.wecom(
    "gettoken",
    "externalcontact/add_contact_way",
    "externalcontact/get_contact_way",
    "externalcontact/list_contact_way",
    "externalcontact/update_contact_way",
    "externalcontact/del_contact_way",
)
def test_a_way_is_made_changed_found_and_deleted(sandbox: Client, ours: Callable[..., WeComClient]) -> None:
    port = WeComContactWays(ours())
    way = port.create_way(SPEC)
    assert way.qr_code
    port.update_way(way.config_id, WaySpec("yt-1", "门口", ("b",)))
    (found,) = port.find_ways(START - DAY, START + DAY)
    assert (found.config_id, found.state, found.users) == (way.config_id, "yt-1", ("b",))
    for _ in range(2):  # again is no error
        port.delete_way(way.config_id)
    assert port.find_ways(START - DAY, START + DAY) == []
    with pytest.raises(RefusedByPlatform, match="40003"):
        port.create_way(WaySpec("yt-2", "", ("nobody",)))


@pytest.mark.wecom("externalcontact/add_contact_way", "externalcontact/list_contact_way")
def test_a_way_whose_answer_was_lost_is_found_by_its_state(sandbox: Client, ours: Callable[..., WeComClient]) -> None:
    sandbox.control("faults", faults=[{"api": ADD, "kind": "drop_answer", "times": 1}])
    port = WeComContactWays(ours())
    with pytest.raises(AnswerLost):
        port.create_way(SPEC)
    assert [way.state for way in port.find_ways(START - DAY, START + DAY)] == ["yt-1"]


@pytest.mark.wecom("externalcontact/add_contact_way", "externalcontact/close_temp_chat")
def test_a_temporary_chat_is_opened_for_one_and_closed_once(sandbox: Client, ours: Callable[..., WeComClient]) -> None:
    chats = WeComTemporaryChats(ours())
    way = chats.create(TemporarySpec("a", "yt-t", unionid="o1", lives=timedelta(hours=1), ending=HELLO))
    shown = sandbox.post("get_contact_way", config_id=way.config_id)["contact_way"]
    assert (shown["is_temp"], shown["expires_in"], shown["unionid"]) == (True, 3600, "o1")
    assert (shown["conclusions"]["text"], shown["conclusions"]["link"]["title"]) == ({"content": "您好"}, "新人有礼")
    assert not chats.close("a", "wmd")
    sandbox.control("scan", way=way.config_id, external_userid="wmd", unionid="o1")
    assert chats.close("a", "wmd")
    assert not chats.close("a", "wmd")
    with pytest.raises(BadInput, match="14"):
        chats.create(TemporarySpec("a", lives=timedelta(days=15)))


@pytest.mark.wecom("externalcontact/send_welcome_msg")
def test_a_welcome_is_said_once_and_by_the_first_app_alone(
    sandbox: Client, ours: Callable[..., WeComClient], wall: Callable[[float], None]
) -> None:
    sandbox.control("apps", apps=[{"agentid": 1000003, "secret": "second"}])
    sandbox.control("callbacks", url="http://127.0.0.1:9/", token="t", key="k" * 43, agentid=1000003)
    first, second = WeComWelcome(ours()), WeComWelcome(ours("second"))
    way = sandbox.post("add_contact_way", type=1, scene=2, user=["a"])["config_id"]
    code = sandbox.control("scan", way=way)["scans"][0]["welcome_code"]
    wall(0)
    second.send_welcome(f"{code}-1000003", HELLO)
    with pytest.raises(TryLater):  # it is being handed out
        first.send_welcome(code, HELLO)
    wall(0.35)
    with pytest.raises(CodeSpent) as taken:
        first.send_welcome(code, HELLO)
    assert taken.value.elsewhere
    with pytest.raises(CodeSpent) as spent:
        second.send_welcome(f"{code}-1000003", HELLO)
    assert not spent.value.elsewhere


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ticked": False}, "可调用接口的应用"),
        ({"trusted_ips": ["203.0.113.9"]}, r"127\.0\.0\.1"),
        ({"members": ["b"]}, "可见范围"),
        ({"enabled": False}, "启用"),
    ],
)
def test_what_an_app_may_not_is_said_with_its_remedy(
    sandbox: Client, ours: Callable[..., WeComClient], change: dict, said: str
) -> None:
    client = ours()
    client.call("externalcontact/get_follow_user_list")
    sandbox.control("apps", apps=[{"agentid": 1000002, **change}])
    with pytest.raises(RefusedByPlatform) as refused:
        client.call("externalcontact/list", params={"userid": "a"})
    assert re.search(said, refused.value.zh)
