"""What processes share: one token for all, fetched once, and the calls that the platform blocks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from tests.channels.wecom.conftest import SteppedClock, clock, connect, platform
from tests.channels.wecom.platform import CORP, SECRET, Platform, error, ok
from yutang.channels.contracts import TryLater
from yutang.channels.models import PlatformBlock, PlatformToken
from yutang.channels.shared import DatabaseBlocks, DatabaseTokens
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.pacing import Block, WeComLimits
from yutang.kernel.clock import wall_now

__all__ = ["clock", "connect", "platform"]

API = "externalcontact/get_follow_user_list"
Connect = Callable[..., WeComClient]


@pytest.fixture
def process(db: None, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes clients as other processes would: they share nothing but the store."""
    monkeypatch.setattr("yutang.channels.shared.FRESH", -1.0)

    def make(**more: object) -> WeComClient:
        return connect(token_store=DatabaseTokens(), blocks=DatabaseBlocks("wecom:corp"), now=wall_now, **more)

    return make


def test_a_token_stands_sealed_in_the_store_and_is_found_by_the_next_process(
    platform: Platform, process: Connect
) -> None:
    platform.plays(API, ok())
    for _ in range(3):
        process().call(API)
    assert platform.counts() == {"gettoken": 1, API: 3}
    row = PlatformToken.objects.get()
    assert row.value == "token-0"
    with connection.cursor() as cursor:
        cursor.execute("SELECT value, key FROM channels_platformtoken")
        kept, key = cursor.fetchone()
    assert b"token-0" not in bytes(kept)
    assert SECRET not in key


def test_what_another_process_has_renewed_is_used_and_nothing_is_fetched(platform: Platform, process: Connect) -> None:
    platform.plays(API, ok())
    first, second = process(), process()
    first.call(API)
    second.call(API)
    platform.end_token()
    first.call(API)  # refused, renewed, repeated
    second.call(API)  # refused, found, repeated
    assert platform.counts() == {"gettoken": 2, API: 6}


def test_a_token_whose_time_is_over_is_fetched_again_and_old_ones_are_thrown_away(
    platform: Platform, process: Connect
) -> None:
    platform.plays(API, ok())
    client = process()
    client.call(API)
    long_ago = wall_now() - timedelta(days=8)
    PlatformToken.objects.create(key="of a secret that was replaced", value="old", expires_at=long_ago)
    PlatformToken.objects.filter(value__isnull=False).update(expires_at=long_ago)
    process().call(API)
    assert platform.counts()["gettoken"] == 2
    assert PlatformToken.objects.count() == 1


def test_a_process_does_not_call_into_a_block_that_another_met(platform: Platform, process: Connect) -> None:
    platform.plays(API, error(45009, "api freq out of limit"), ok())
    first, second = process(), process()
    with pytest.raises(TryLater) as met:
        first.call(API)
    with pytest.raises(TryLater) as spared:
        second.call(API)
    assert spared.value.until == met.value.until
    assert len(platform.calls(API)) == 1
    PlatformBlock.objects.update(until=wall_now() - timedelta(seconds=1))
    second.call(API)
    first.call(API)
    assert not PlatformBlock.objects.exists()


def test_the_longer_of_two_blocks_stands(process: Connect) -> None:
    blocks, now = DatabaseBlocks("wecom:corp"), wall_now()
    for minutes in (60, 1):
        blocks.put(API, Block(now + timedelta(minutes=minutes), 1))
    assert DatabaseBlocks("wecom:corp").read()[API].until == now + timedelta(hours=1)
    assert DatabaseBlocks("wecom:another").read() == {}


CHILD = """
import sys, pathlib, time
from yutang.app import house
directory, base, api, corp, secret, go = sys.argv[1:]
opened = house.open_house(pathlib.Path(directory))
from yutang.channels.contracts import TryLater
from yutang.channels.shared import DatabaseBlocks, DatabaseTokens
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.pacing import Block, WeComLimits
client = WeComClient(base, corp, secret, token_store=DatabaseTokens(), blocks=DatabaseBlocks("wecom:" + corp))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(go)):
    try:
        client.call(api)
    except TryLater:
        pass
opened.close()
"""


def children(directory: Path, platform: Platform, count: int, calls: int) -> None:
    """Let so many processes open the same house, and then call at the same moment."""
    words = [sys.executable, "-c", CHILD, str(directory), platform.url, API, CORP, SECRET, str(calls)]
    environment = {**os.environ, "YUTANG_DATA": str(directory), "YUTANG_KEY_FILE": str(directory / "secret.key")}
    started = []
    for _ in range(count):
        one = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        started.append(one)
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert [one.wait(60) for one in started] == [0] * count


@pytest.mark.long
def test_processes_that_need_a_token_at_the_same_moment_ask_once(platform: Platform, tmp_path: Path) -> None:
    platform.plays(API, ok())
    platform.token_pause = 1.0
    children(tmp_path, platform, 3, calls=2)
    assert platform.counts() == {"gettoken": 1, API: 6}
    platform.end_token()
    children(tmp_path, platform, 2, calls=1)
    assert platform.counts()["gettoken"] == 2  # refused to both, renewed by one


@pytest.mark.long
def test_a_block_outlives_the_process_that_met_it(platform: Platform, tmp_path: Path) -> None:
    platform.plays(API, error(45009, "api freq out of limit"), ok())
    children(tmp_path, platform, 1, calls=3)
    children(tmp_path, platform, 1, calls=3)
    assert len(platform.calls(API)) == 1


def test_shares_of_the_rates_add_up(platform: Platform, connect: Connect, clock: SteppedClock) -> None:
    platform.plays(API, ok())
    client = connect(limits=WeComLimits(per_minute=40, per_hour=10_000, patience=timedelta(minutes=1)))
    client.share(4)
    began = clock.at
    for _ in range(20):
        client.call(API)
    assert clock.at - began > timedelta(seconds=60)  # ten a minute
