"""One token for all, renewed once, never in a loop (WeCom doc 91039)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from tests.channels.wecom.conftest import SteppedClock
from tests.channels.wecom.platform import SECRET, Platform, Request, error, ok
from yutang.channels.contracts import RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tokens import MemoryTokenStore, SharedTokenStore, Token

API = "externalcontact/get_follow_user_list"
Connect = Callable[..., WeComClient]


def all_at_once(count: int, act: Callable[[], object]) -> None:
    gate = Barrier(count)

    def run(_: int) -> None:
        gate.wait()
        act()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))


@pytest.mark.wecom("gettoken")
def test_eight_threads_fetch_one_token(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, ok())
    platform.token_pause = 0.05
    all_at_once(8, lambda: client.call(API))
    assert platform.counts() == {"gettoken": 1, API: 8}


def test_eight_threads_whose_token_is_refused_renew_it_once(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, ok())
    client.call(API)
    platform.end_token()
    platform.token_pause = 0.05
    all_at_once(8, lambda: client.call(API))
    assert platform.counts()["gettoken"] == 2


def test_clients_that_share_a_store_share_a_token(platform: Platform, connect: Connect) -> None:
    platform.plays(API, ok())
    kept: dict[str, Token] = {}
    for _ in range(3):
        connect(token_store=SharedTokenStore(kept.get, kept.__setitem__)).call(API)
    assert platform.counts() == {"gettoken": 1, API: 3}
    connect().call(API)
    assert platform.counts()["gettoken"] == 2  # a store of its own


def test_a_given_lease_is_held_while_fetching(platform: Platform, connect: Connect) -> None:
    platform.plays(API, ok())
    kept: dict[str, Token] = {}
    story: list[str] = []

    class Lease:
        def __init__(self, key: str) -> None:
            self.key = key

        def __enter__(self) -> None:
            story.append("taken")

        def __exit__(self, *_: object) -> None:
            story.append("given back")

    def write(key: str, token: Token) -> None:
        story.append("written")
        kept[key] = token

    connect(token_store=SharedTokenStore(kept.get, write, Lease)).call(API)
    assert story == ["taken", "written", "given back"]


def test_the_stores_key_tells_apps_apart_and_gives_no_secret_away(platform: Platform, connect: Connect) -> None:
    platform.plays(API, ok())
    kept: dict[str, Token] = {}
    connect(token_store=SharedTokenStore(kept.get, kept.__setitem__)).call(API)
    with pytest.raises(RefusedByPlatform):
        connect(secret="another", token_store=SharedTokenStore(kept.get, kept.__setitem__)).call(API)
    (key,) = kept
    assert SECRET not in key
    assert "token-" not in repr(kept)


@pytest.mark.wecom("gettoken")
@pytest.mark.parametrize("code", [40014, 41001, 42001])
def test_a_refused_token_is_renewed_and_the_call_repeated(platform: Platform, client: WeComClient, code: int) -> None:
    platform.plays(API, error(code), ok(follow_user=["zhangsan"]))
    assert client.call(API)["follow_user"] == ["zhangsan"]
    assert platform.counts() == {"gettoken": 2, API: 2}


@pytest.mark.parametrize("code", [40014, 41001, 42001])
def test_a_token_refused_twice_is_an_error_and_no_loop(platform: Platform, client: WeComClient, code: int) -> None:
    platform.plays(API, error(code))
    with pytest.raises(RefusedByPlatform) as refused:
        client.call(API)
    assert refused.value.errcode == code
    assert platform.counts() == {"gettoken": 2, API: 2}


def test_a_token_that_another_process_has_renewed_is_used(platform: Platform, connect: Connect) -> None:
    platform.plays(API, ok())
    store = MemoryTokenStore()
    first, second = connect(token_store=store), connect(token_store=store)
    first.call(API)
    platform.end_token()
    first.call(API)
    second.call(API)
    assert platform.counts()["gettoken"] == 2


def test_a_token_is_used_to_shortly_before_its_end(
    platform: Platform, client: WeComClient, clock: SteppedClock
) -> None:
    platform.plays(API, ok())
    client.call(API)
    clock.at += timedelta(seconds=7200 - 61)
    client.call(API)
    assert platform.counts()["gettoken"] == 1
    clock.at += timedelta(seconds=1)
    client.call(API)
    assert platform.counts()["gettoken"] == 2


def test_a_token_near_its_end_is_not_fetched_for_every_call(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, ok())
    platform.life = 30
    for _ in range(5):
        client.call(API)
    assert platform.counts()["gettoken"] == 1


@pytest.mark.parametrize(("wrong", "code"), [({"secret": "wrong"}, 40001), ({"corp": "wrong"}, 40013)])
def test_wrong_credentials_are_not_tried_again_and_again(
    platform: Platform, connect: Connect, clock: SteppedClock, wrong: dict[str, str], code: int
) -> None:
    client = connect(**wrong)
    for _ in range(3):
        with pytest.raises(RefusedByPlatform) as refused:
            client.call(API)
        assert refused.value.errcode == code
    assert platform.counts() == {"gettoken": 1}
    clock.at += timedelta(minutes=5)
    with pytest.raises(RefusedByPlatform):
        client.call(API)
    assert platform.counts() == {"gettoken": 2}


def test_an_answer_without_a_token_is_not_used(platform: Platform, client: WeComClient) -> None:
    platform.plays("gettoken", ok(access_token=""))
    with pytest.raises(UnexpectedAnswer):
        client.call(API)
    assert platform.counts() == {"gettoken": 1}


def test_the_token_is_sent_and_the_secret_only_to_gettoken(platform: Platform, client: WeComClient) -> None:
    seen: list[Request] = []
    platform.plays(API, lambda request: seen.append(request) or ok())
    client.call(API)
    assert seen[0].query == {"access_token": "token-0"}
