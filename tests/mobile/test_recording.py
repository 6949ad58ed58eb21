"""What a phone recorded: once, by its author, and nothing that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.house.world import World, shared
from yutang.channels.manual.models import Line
from yutang.execution.models import GivenReason
from yutang.kernel.clock import business_now, wall_now
from yutang.mobile.recording import OLDEST
from yutang.organisation import phones
from yutang.organisation.models import AuditEntry
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch
from yutang.tasks.models import Recorded

pytestmark = pytest.mark.django_db
ID = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("recording")) as made:
        yield made


@pytest.fixture
def world(standing: World, db: None) -> World:
    return standing


def phone(userid: str, channel: str = "manual", corp: str = "") -> Client:
    client = Client(headers={"Accept": "application/json"})
    user = phones.user_of_staff(phones.staff_by_account(channel, corp, userid))
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return client


def say(client: Client, path: str, **given: object) -> Any:
    body = {"id": ID, "at": wall_now().isoformat(), **given}
    return client.post(path, json.dumps(body), content_type="application/json")


def test_a_queue_sent_twice_says_it_once_even_after_it_was_taken_back(world: World) -> None:
    client, path = phone("hand-near-x7"), f"/m/lists/{world.near.list}/note/"
    assert say(client, path, result="sent", line="1").json() == {"noted": 1}
    Line.objects.filter(list=world.near.list).update(result="", noted_at=None)  # taken back at the console meanwhile
    assert say(client, path, result="sent", line="1").json() == {"noted": 1}
    assert not Line.objects.filter(list=world.near.list).exclude(result="").exists()
    assert AuditEntry.objects.filter(verb="note_list").count() == 1
    assert Recorded.objects.count() == 1


def test_an_id_belongs_to_who_used_it_and_for_what(world: World) -> None:
    client = phone("hand-near-x7")
    say(client, f"/m/lists/{world.near.list}/note/", result="sent", line="1")
    assert say(client, f"/m/lists/{world.near.list}/in/").status_code == 403
    far = say(phone("hand-far-x7"), f"/m/lists/{world.far.list}/note/", result="sent", line="1")
    assert far.status_code == 403


def test_a_list_is_its_own_guides(world: World) -> None:
    other = phone(world.near.userid, "wecom", "ww-house")
    for client, number in ((other, world.near.list), (phone("hand-near-x7"), world.far.list)):
        assert client.get(f"/m/lists/{number}/").status_code == 404
        assert say(client, f"/m/lists/{number}/note/", result="sent").status_code == 404
    assert not Recorded.objects.exists()


@pytest.mark.parametrize(
    "given",
    [
        {"id": "short"},
        {"at": "2026-03-02"},
        {"at": "never"},
        {"result": "maybe"},
        {"result": 7},
        {"line": "1e3", "result": "sent"},
        {"line": True, "result": "sent"},
        {"line": str(2**64), "result": "sent"},
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_done(world: World, given: dict[str, object]) -> None:
    answer = say(phone("hand-near-x7"), f"/m/lists/{world.near.list}/note/", **given)
    assert answer.status_code == 422
    assert answer.json()["sentence"]
    assert not Recorded.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"1" * 30_000, b"[" * 5_000])
def test_no_json_is_no_recording(world: World, body: bytes) -> None:
    answer = phone("hand-near-x7").post(f"/m/lists/{world.near.list}/note/", body, content_type="application/json")
    assert answer.status_code == 422


def test_when_it_was_done_is_told_by_how_long_ago_it_was(world: World) -> None:
    path = f"/m/lists/{world.near.list}/in/"
    for place, ago in enumerate((OLDEST / 2, OLDEST * 3, -OLDEST)):
        say(phone("hand-near-x7"), path, id=f"{place}" * 32, at=(wall_now() - ago).isoformat())
        row = Recorded.objects.get(pk=f"{place}" * 32)
        expected = business_now() - min(max(ago, ago * 0), OLDEST)
        assert abs((row.at - expected).total_seconds()) < 5


def test_a_forged_post_of_another_site_is_refused(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    user = phones.user_of_staff(phones.staff_by_account("manual", "", "hand-near-x7"))
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    assert say(client, f"/m/lists/{world.near.list}/note/", result="sent").status_code == 403


def test_why_a_task_is_not_done_is_said_once_of_ones_own_and_shown(world: World) -> None:
    guide, batch = phone(world.near.userid, "wecom", "ww-house"), world.near.batch
    Batch.objects.filter(pk=batch).update(state=BatchState.ISSUED, deadline=business_now() + timedelta(hours=1))
    path = "/m/tasks/why-not/"
    for refused in ({"result": "lazy"}, {"result": "other"}, {"result": "too_many", "text": "x" * 301}):
        assert say(guide, path, batch=str(batch), **refused).status_code == 422
    assert say(guide, path, result="too_many", batch=str(world.far.batch)).status_code == 404
    assert not GivenReason.objects.exists()
    for _ in range(2):
        told = say(guide, path, result="too_many", batch=str(batch), text="今天三个活动")
        assert told.json() == {"result": "too_many"}
    given = GivenReason.objects.get()
    assert (given.batch, given.reason, given.text) == (batch, "too_many", "今天三个活动")
    assert f'data-batch="{batch}" data-done="too_many"' in guide.get("/m/").content.decode()
    manager = Client()
    keeper = get_user_model().objects.get(username="near_manager")
    manager.force_login(keeper, "allauth.account.auth_backends.AuthenticationBackend")
    page = manager.get("/m/store/").content.decode()
    assert "今天三个活动" in page
    assert "data-ask=" not in page  # nothing is left to be asked after


def test_a_task_that_is_over_is_asked_about_until_somebody_says_why(world: World) -> None:
    guide, batch = phone(world.near.userid, "wecom", "ww-house"), world.near.batch
    Batch.objects.filter(pk=batch).update(
        state=BatchState.CLOSED, task="t-x7", due_at=business_now() - timedelta(days=1), asked=1,
        deadline=business_now() - timedelta(hours=1), closed_at=business_now(),
    )  # fmt: skip
    assert f'data-over data-batch="{batch}"' in guide.get("/m/").content.decode()
    say(guide, "/m/tasks/why-not/", result="on_leave", batch=str(batch))
    assert "data-over" not in guide.get("/m/").content.decode()


def test_whoever_a_rule_hands_to_her_waits_on_her_page_and_beside_the_chat(world: World) -> None:
    guide = phone(world.near.userid, "wecom", "ww-house")
    handed, beside = f'data-follow-up="{world.near.follow_up}"', guide.get(f"/m/person/{world.near.person}/")
    page = guide.get("/m/").content.decode()
    assert page.index('id="handed"') < page.index(handed) < page.index('id="results"')
    assert f"/m/person/{world.near.person}/" in page
    assert "打给 near" in beside.content.decode()
    assert say(guide, "/m/follow-ups/note/", followUp=world.far.follow_up, result="done").status_code == 404
    assert say(guide, "/m/follow-ups/note/", followUp=world.near.follow_up, result="done").json() == {"result": "done"}
    assert handed not in guide.get("/m/").content.decode()
