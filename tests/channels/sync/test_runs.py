"""Runs and hints, whatever is synced: begun once, gone on with after a death, never two of a kind and corp at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from tests.people.pond import found_pond, manager
from yutang.channels.contracts import RefusedByPlatform, TryLater
from yutang.channels.sync import queries, registry, services
from yutang.channels.sync.contracts import Connection, Found, Hinted, Kind, Progress, RunState
from yutang.channels.sync.models import SyncHint, SyncRun
from yutang.channels.wecom.callbacks import Notice, read_notice
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import NotFound, Refused
from yutang.organisation.contracts import CorpFacts
from yutang.organisation.queries import OWNER
from yutang.organisation.services import connect_corp

pytestmark = pytest.mark.django_db
CORP = CorpFacts("wecom", "corp", "secret", "http://127.0.0.1:9")
CONNECTED = {
    ("wecom", "corp"): Connection(
        CORP, WeComClient("http://127.0.0.1:9", "corp", "secret", token_store=MemoryTokenStore())
    )
}
DEAD = f"{services.me().split(':')[0]}:2000000000:gone"


@pytest.fixture(autouse=True)
def pond() -> None:
    found_pond()
    connect_corp("wecom", "corp", "secret", address="http://127.0.0.1:9")


class Counting:
    """Counts to ten in steps, each a transaction; what happens at a step is for the test to say."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.at: dict[int, Callable[[], None]] = {}

    def __call__(self, corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
        found = told.found
        for step in range(told.cursor.get("next", 0), 10):
            told(step, 10)
            if step in self.at:
                self.at.pop(step)()
            found += Found(read=1, added=step % 2)
            with transaction.atomic():
                self.steps.append(step)
                told.keep({"next": step + 1}, found)
        told(10, 10)
        return found


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    sync = Counting()
    monkeypatch.setattr(registry, "KINDS", (Kind("counting", "数数", "counting", sync),))
    return sync


def the_run() -> SyncRun:
    return SyncRun.objects.get()


def test_a_run_is_begun_once_done_and_says_what_it_found(counting: Counting) -> None:
    assert services.begin("counting", CORP, "wang").id == services.begin("counting", CORP, "li").id
    assert services.work(CONNECTED)
    assert not services.work(CONNECTED)
    (run,) = queries.last_runs(OWNER)
    assert (run.state, run.first, run.by, run.done, run.total) == (RunState.DONE, True, "wang", 10, 10)
    assert run.found == Found(read=10, added=5)
    assert run.ended_at is not None
    assert not services.begin("counting", CORP).first


def test_a_run_that_is_stopped_or_put_off_goes_on_where_it_stood(counting: Counting) -> None:
    stop = threading.Event()
    counting.at = {3: stop.set}
    services.begin("counting", CORP)
    services.work(CONNECTED, stop)
    assert (the_run().state, the_run().cursor) == ("waiting", {"next": 4})

    def busy() -> None:
        raise TryLater("externalcontact/list", wall_now() + timedelta(hours=1), "平台繁忙", "the platform is busy")

    counting.at = {6: busy}
    services.work(CONNECTED)
    assert "the platform is busy" in the_run().error_en
    assert not services.work(CONNECTED)  # not before the platform said
    services.begin("counting", CORP, "wang")  # but a person may ask for it now
    assert services.work(CONNECTED)
    assert counting.steps == list(range(10))
    assert (the_run().state, the_run().read, the_run().error_en) == ("done", 10, "")


def test_a_run_whose_holder_died_goes_on_and_a_holder_who_was_given_up_keeps_nothing(counting: Counting) -> None:
    services.begin("counting", CORP)

    def another_takes_it() -> None:
        SyncRun.objects.update(claim_until=wall_now() - timedelta(seconds=1))
        counting.at = {}
        assert services.work(CONNECTED)

    counting.at = {2: another_takes_it}
    services.work(CONNECTED)
    assert counting.steps == [0, 1, *range(2, 10), 2]  # the last was undone with its transaction
    assert (the_run().state, the_run().read) == ("done", 10)
    SyncRun.objects.update(state="doing", claimed_by=DEAD)
    assert services.work(CONNECTED)


def test_a_run_that_is_refused_fails_with_the_sentence(counting: Counting) -> None:
    def refuse() -> None:
        raise RefusedByPlatform("externalcontact/list", 48002, "请勾选本应用", "tick this app")

    def break_down() -> None:
        raise ZeroDivisionError

    for breaks, sentence in ((refuse, "tick this app"), (break_down, "fault of ours")):
        counting.at = {5: breaks}
        services.begin("counting", CORP)
        assert services.work(CONNECTED)
        failed = SyncRun.objects.order_by("pk").last()
        assert failed is not None
        assert failed.state == "failed"
        assert sentence in failed.error_en
        assert failed.read == 5  # what was kept before stays kept, and counted


def test_the_night_begins_each_kind_once_and_a_new_corp_at_once(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly = replace(registry.KINDS[0], name="hourly", every=timedelta(hours=1))
    monkeypatch.setattr(registry, "KINDS", (*registry.KINDS, hourly))
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(services, "wall_now", lambda: now)

    def ended() -> None:
        SyncRun.objects.filter(begun_at__gt=now).update(begun_at=now)  # rows read the real clock
        SyncRun.objects.update(state="done")

    assert services.begin_due(now) == 2  # a real corp that was never synced
    ended()
    for hours, begun in ((0.9, 0), (1.1, 1), (6.9, 1), (7.1, 1), (7.2, 0), (31.1, 2)):
        now = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(hours=hours)  # 3:00 in Shanghai is at 19:00
        assert services.begin_due(now) == begun, hours
        ended()
    SyncRun.objects.all().delete()
    connect_corp("wecom", "corp", "secret")  # our own sandbox's people came by the demo
    assert services.begin_due(now) == 0
    assert services.begin_due(now - timedelta(days=1)) == 2


def test_only_headquarters_sees_syncs(counting: Counting) -> None:
    for asked in (queries.last_runs, queries.runs, queries.hints_waiting):
        with pytest.raises(Refused):
            asked(manager("s1"))
    with pytest.raises(NotFound, match="counting"):
        services.begin("nothing", CORP)


# Hints ------------------------------------------------------------------------------------------------------------


def told_of(change: str, chat: str) -> Notice:
    """A callback about a group."""
    return read_notice(
        "corp",
        f"<xml><Event>change_external_chat</Event><ChangeType>{change}</ChangeType><ChatId>{chat}</ChatId>"
        "<CreateTime>1772300000</CreateTime></xml>".encode(),
    )


class Reading:
    """What was read again, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.at: dict[str, Callable[[], None]] = {}

    def __call__(self, corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
        self.calls.append(list(refs))
        for ref in refs:
            if ref in self.at:
                self.at[ref]()


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    again = Reading()
    hinted = Hinted(
        "group", frozenset({"change_external_chat/*"}), lambda notice: notice.get("ChatId"), again, rest=timedelta(0)
    )
    monkeypatch.setattr(registry, "HINTED", (hinted,))
    return again


def test_a_thing_told_of_often_is_read_once_and_again_if_told_of_while_it_is_read(reading: Reading) -> None:
    services.hints_of([told_of("update", "a"), told_of("update", "a"), told_of("create", "b")])
    services.hints_of([told_of("update", "a")])
    reading.at = {"a": lambda: (reading.at.clear(), services.hints_of([told_of("update", "a")]))[0]}
    assert services.work_hints(CONNECTED).done == 2
    assert services.work_hints(CONNECTED).done == 1
    assert services.work_hints(CONNECTED).idle
    assert reading.calls == [["a", "b"], ["a"]]
    assert not SyncHint.objects.exists()


def test_what_is_not_hinted_at_makes_none(reading: Reading) -> None:
    services.hints_of([told_of("update", ""), read_notice("corp", b"<xml><Event>subscribe</Event></xml>")])
    assert services.work_hints(CONNECTED).idle


def test_one_bad_thing_keeps_no_other_is_tried_ever_less_often_and_is_left_to_the_night(reading: Reading) -> None:
    def bad() -> None:
        raise RefusedByPlatform("externalcontact/groupchat/get", 48002, "不行", "no")

    reading.at = {"b": bad}
    services.hints_of([told_of("update", ref) for ref in "abc"])
    worked = services.work_hints(CONNECTED)
    assert (worked.done, worked.put_off) == (2, 1)
    assert reading.calls == [["a", "b", "c"], ["a"], ["b"], ["c"]]
    (waiting,) = queries.hints_waiting(OWNER)
    assert (waiting.waiting, waiting.failing) == (1, 1)
    assert services.work_hints(CONNECTED).idle
    services.hints_of([told_of("update", "b")])  # it changed: try again now
    assert services.work_hints(CONNECTED).put_off == 1
    for _ in range(services.MOST_TRIES - 2):
        SyncHint.objects.update(not_before=wall_now())
        assert services.work_hints(CONNECTED).put_off == 1
    SyncHint.objects.update(not_before=wall_now())
    assert services.work_hints(CONNECTED).dropped == 1
    assert not SyncHint.objects.exists()


def test_hints_wait_as_long_as_the_platform_says_and_are_given_up_by_the_dead(reading: Reading) -> None:
    def busy() -> None:
        raise TryLater("externalcontact/groupchat/get", wall_now() + timedelta(hours=1), "平台繁忙", "busy")

    reading.at = {"a": busy}
    services.hints_of([told_of("update", "a"), told_of("update", "b")])
    assert services.work_hints(CONNECTED).put_off == 2
    assert services.work_hints(CONNECTED).idle
    reading.at = {}
    SyncHint.objects.update(not_before=wall_now(), claimed_by=DEAD)
    assert services.work_hints(CONNECTED).done == 2
