"""What the client does with each answer, and with none."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
import structlog

from tests.channels.wecom.conftest import SteppedClock
from tests.channels.wecom.platform import (
    HINT,
    SECRET,
    Broken,
    Http,
    Never,
    Platform,
    Request,
    Slow,
    Together,
    error,
    ok,
)
from yutang.channels.contracts import RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.pacing import WeComLimits
from yutang.kernel.errors import BadInput

API = "externalcontact/list"
OTHER = "externalcontact/get_follow_user_list"
PAGED = "externalcontact/get_groupmsg_task"
Connect = Callable[..., WeComClient]

TROUBLES = {"busy": error(-1, "system error"), "bad gateway": Http(502, b"<html>"), "broken": Broken()}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_read_is_tried_three_times(
    platform: Platform, client: WeComClient, clock: SteppedClock, trouble: object
) -> None:
    platform.plays(API, trouble, trouble, ok(external_userid=["wm1"]))
    assert client.call(API)["external_userid"] == ["wm1"]
    assert len(platform.calls(API)) == 3
    assert clock.slept == [1.0, 2.0]


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_read_is_not_tried_a_fourth_time(
    platform: Platform, client: WeComClient, clock: SteppedClock, trouble: object
) -> None:
    platform.plays(API, trouble, trouble, trouble, ok())
    with pytest.raises(TryLater) as later:
        client.call(API)
    assert later.value.until == clock.at + timedelta(seconds=60)
    assert len(platform.calls(API)) == 3


def test_a_read_without_an_answer_in_time_is_tried_again(platform: Platform, impatient: WeComClient) -> None:
    platform.plays(API, Never(), ok(external_userid=["wm1"]))
    assert impatient.call(API)["external_userid"] == ["wm1"]
    assert len(platform.calls(API)) == 2


def test_a_dead_network_is_something_to_try_later(connect: Connect) -> None:
    gone = Platform()
    gone.close()
    with pytest.raises(TryLater, match="network is down"):
        connect(base_url=gone.url).call(API)


def test_the_code_decides_and_not_the_text(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, {"errcode": 0, "errmsg": "access_token expired"})
    client.call(API)
    platform.plays(API, {"errcode": 48002, "errmsg": "ok"})
    with pytest.raises(RefusedByPlatform):
        client.call(API)


def test_a_block_is_waited_out_for_that_api_alone(platform: Platform, client: WeComClient, clock: SteppedClock) -> None:
    platform.plays(API, error(45009, "api freq out of limit"), ok())
    platform.plays(OTHER, ok())
    with pytest.raises(TryLater) as later:
        client.call(API)
    assert later.value.until == clock.at + timedelta(seconds=60)
    clock.at += timedelta(seconds=59)
    with pytest.raises(TryLater):
        client.call(API)
    client.call(OTHER)
    assert len(platform.calls(API)) == 1
    clock.at += timedelta(seconds=1)
    client.call(API)
    assert len(platform.calls(API)) == 2


def test_a_block_that_goes_on_lasts_an_hour_until_a_call_passes(
    platform: Platform, client: WeComClient, clock: SteppedClock
) -> None:
    blocked = error(45009, "api freq out of limit")
    platform.plays(API, blocked, blocked, ok(), blocked)
    lengths = []
    for _ in range(2):
        with pytest.raises(TryLater) as later:
            client.call(API)
        lengths.append(later.value.until - clock.at)
        clock.at = later.value.until
    client.call(API)
    with pytest.raises(TryLater) as later:
        client.call(API)
    lengths.append(later.value.until - clock.at)
    assert lengths == [timedelta(seconds=60), timedelta(minutes=60), timedelta(seconds=60)]


def test_too_many_parallel_calls_are_tried_later(platform: Platform, client: WeComClient, clock: SteppedClock) -> None:
    platform.plays(API, error(45033, "api concurrent out of limit"), ok())
    with pytest.raises(TryLater) as later:
        client.call(API)
    assert clock.at < later.value.until <= clock.at + timedelta(seconds=60)
    client.call(API)


def test_four_calls_at_most_run_in_parallel(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, ok(), Together(4, ok()))
    client.call(API)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: client.call(API), range(24)))
    assert platform.most_parallel == 4


def test_after_too_many_at_once_half_as_many_run_for_a_minute(
    platform: Platform, client: WeComClient, clock: SteppedClock
) -> None:
    platform.plays(API, error(45033, "api concurrent out of limit"))
    with pytest.raises(TryLater):
        client.call(API)

    def most(number: int) -> int:
        platform.most_parallel = 0
        platform.plays(API, Together(number, ok()))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: client.call(API), range(12)))
        return platform.most_parallel

    assert most(2) == 2
    clock.at += timedelta(seconds=60)
    assert most(4) == 4


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_call_that_came_too_close_to_another_is_made_again(
    platform: Platform, client: WeComClient, clock: SteppedClock, repeatable: bool
) -> None:
    platform.plays(API, error(45035), ok())
    client.call(API, body={}, repeatable=repeatable, alone="a wm1")
    assert (len(platform.calls(API)), clock.slept) == (2, [1.0])
    platform.plays(API, error(45035))
    with pytest.raises(TryLater):
        client.call(API, body={}, repeatable=repeatable, alone="a wm1")
    assert len(platform.calls(API)) == 5


def test_calls_about_the_same_thing_go_one_after_another(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, Slow(0.02, ok()))
    client.call(API)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.call(API, body={}, alone="a wm1"), range(6)))
    assert platform.most_parallel == 1


def test_rates_are_kept_by_waiting_before_the_call(platform: Platform, connect: Connect, clock: SteppedClock) -> None:
    client = connect(limits=WeComLimits(per_minute=30, per_hour=10_000))
    times = []
    platform.plays(API, lambda _: times.append(clock.at) or ok())
    for _ in range(70):
        client.call(API)
    minute = timedelta(minutes=1)
    assert max(sum(start <= at < start + minute for at in times) for start in times) <= 30
    assert times[-1] - times[0] < 3 * minute


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (40001, "secret is wrong"),
        (40013, "corp id is wrong"),
        (41048, "None of these customers"),
        (48002, "可调用接口的应用"),
        (60020, "企业可信IP"),
        (60111, "sync the staff"),
        (84074, "visible range"),
        (40096, "sync the customers"),
        (85002, "change the text"),
        (987654, "look the code up"),
    ],
)
def test_a_refusal_says_what_to_do(platform: Platform, client: WeComClient, code: int, remedy: str) -> None:
    platform.plays(API, error(code))
    with pytest.raises(RefusedByPlatform) as refused:
        client.call(API)
    assert refused.value.errcode == code
    assert refused.value.hint == HINT
    assert remedy in refused.value.en
    assert str(code) in refused.value.zh
    assert len(platform.calls(API)) == 1


def test_an_untrusted_ip_is_named(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, error(60020, "not allow to access from your ip"))
    with pytest.raises(RefusedByPlatform, match=r"203\.0\.113\.9") as refused:
        client.call(API)
    assert "203.0.113.9" in refused.value.zh


def test_what_the_platform_says_of_recipients_is_not_repeated(platform: Platform, client: WeComClient) -> None:
    platform.plays(API, error(40096, "invalid string value `wmHer`. invalid external userid"))
    with pytest.raises(RefusedByPlatform) as refused:
        client.call(API)
    assert "wmHer" not in refused.value.zh + refused.value.en


@pytest.mark.parametrize(
    "answer",
    [
        Http(200, b"<html>log in to the hotel's network</html>"),
        Http(200, b'{"error": "no such route"}'),
        Http(200, b"[]"),
        Http(404, b"{}"),
        Http(301, headers={"Location": "https://qyapi.weixin.qq.com/"}),
    ],
    ids=["page", "another's JSON", "list", "not found", "redirect"],
)
def test_what_is_not_the_platforms_answer_is_not_used(platform: Platform, client: WeComClient, answer: Http) -> None:
    platform.plays(API, answer, ok())
    with pytest.raises(UnexpectedAnswer):
        client.call(API)
    assert len(platform.calls(API)) == 1


def test_raw_control_characters_and_cut_characters_are_read(platform: Platform, client: WeComClient) -> None:
    name = "李\x07四".encode() + "😀".encode()[:2]
    platform.plays(API, Http(200, b'{"errcode":0,"errmsg":"ok","name":"' + name + b'"}'))
    assert str(client.call(API)["name"]).startswith("李\x07四")


@pytest.mark.parametrize("base", ["qyapi.weixin.qq.com", "ftp://qyapi.weixin.qq.com", "", "http://"])
def test_an_address_that_is_none_is_refused_at_once(connect: Connect, base: str) -> None:
    with pytest.raises(BadInput):
        connect(base_url=base)


def test_an_address_may_end_in_cgi_bin(platform: Platform, connect: Connect) -> None:
    platform.plays(API, ok())
    for base in (platform.url, platform.url + "/", platform.url + "/cgi-bin", platform.url + "/cgi-bin/"):
        connect(base_url=base).call(API)
    assert len(platform.calls(API)) == 4


def pages_of(*pages: dict[str, object]) -> Callable[[Request], object]:
    """Answers by cursor: "" is the first page, "1" the second, …"""
    return lambda request: pages[int(request.body.get("cursor") or 0)]


def users(client: WeComClient) -> list[tuple[str, int]]:
    rows, _ = client.rows(PAGED, {"msgid": "msg1"}, "task_list", lambda row: str(row["userid"]))
    return [(row["userid"], row["status"]) for row in rows]


def test_pages_are_followed_to_the_end_short_and_empty_ones_too(platform: Platform, client: WeComClient) -> None:
    platform.plays(
        PAGED,
        pages_of(
            ok(task_list=[{"userid": "a", "status": 0}], next_cursor="1"),
            ok(task_list=[], next_cursor="2"),
            ok(task_list=None, next_cursor="3"),
            ok(task_list=[{"userid": "b", "status": 2}]),
        ),
    )
    assert users(client) == [("a", 0), ("b", 2)]
    assert [request.body for request in platform.calls(PAGED)] == [
        {"msgid": "msg1"},
        *({"msgid": "msg1", "cursor": cursor} for cursor in "123"),
    ]


def test_a_row_that_comes_twice_counts_once_as_last_read(platform: Platform, client: WeComClient) -> None:
    first = ok(task_list=[{"userid": "a", "status": 0}, {"userid": "b", "status": 0}], next_cursor="1")
    second = ok(task_list=[{"userid": "b", "status": 2}, {"userid": "c", "status": 0}], next_cursor="")
    platform.plays(PAGED, pages_of(first, second))
    assert users(client) == [("a", 0), ("b", 2), ("c", 0)]


def test_a_cursor_that_comes_again_ends_in_an_error(platform: Platform, client: WeComClient) -> None:
    platform.plays(PAGED, ok(task_list=[{"userid": "a", "status": 0}], next_cursor="1"))
    with pytest.raises(UnexpectedAnswer, match="no end"):
        users(client)
    assert len(platform.calls(PAGED)) == 2


def test_cursors_that_bring_nothing_new_end_in_an_error(platform: Platform, client: WeComClient) -> None:
    fresh = itertools.count(1)
    platform.plays(PAGED, lambda _: ok(task_list=[{"userid": "a", "status": 0}], next_cursor=str(next(fresh))))
    with pytest.raises(UnexpectedAnswer, match="no end"):
        users(client)
    assert len(platform.calls(PAGED)) == 51


def test_a_row_without_its_id_is_an_error(platform: Platform, client: WeComClient) -> None:
    platform.plays(PAGED, ok(task_list=[{"status": 0}]))
    with pytest.raises(UnexpectedAnswer, match="lacks its id"):
        users(client)


def test_no_secret_token_or_recipient_is_logged(
    platform: Platform, client: WeComClient, caplog: pytest.LogCaptureFixture
) -> None:
    platform.plays(API, Broken(), error(40014), error(84061, "not external contact `wmHer`"))
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines, pytest.raises(RefusedByPlatform):
        client.call(API, params={"userid": "wmHer"})
    written = caplog.text + repr(lines)
    for shown in (API, HINT, "84061", "/cgi-bin/gettoken", "HTTP Request"):
        assert shown in written
    for hidden in (SECRET, "token-0", "wmHer"):
        assert hidden not in written


def test_the_same_search_finds_a_planted_secret(caplog: pytest.LogCaptureFixture, platform: Platform) -> None:
    httpx_log = logging.getLogger("httpx")
    guards = list(httpx_log.filters)
    for guard in guards:
        httpx_log.removeFilter(guard)
    try:
        with caplog.at_level(logging.DEBUG):
            httpx.get(f"{platform.url}/cgi-bin/gettoken", params={"corpsecret": SECRET}, trust_env=False, verify=False)
    finally:
        for guard in guards:
            httpx_log.addFilter(guard)
    assert SECRET in caplog.text


def test_threads_in_a_block_are_one_strike(platform: Platform, client: WeComClient, clock: SteppedClock) -> None:
    platform.plays(API, Slow(0.05, error(45009)))
    platform.plays(OTHER, ok())
    client.call(OTHER)
    untils = []
    gate = threading.Barrier(4)

    def run(_: int) -> None:
        gate.wait()
        with pytest.raises(TryLater) as later:
            client.call(API)
        untils.append(later.value.until)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert set(untils) == {clock.at + timedelta(seconds=60)}
