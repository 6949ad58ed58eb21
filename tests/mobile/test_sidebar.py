"""What a guide sees beside a chat, and what comes of her tap."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.channels.wecom.conftest import client, clock, connect, platform
from tests.channels.wecom.platform import Platform, ok
from tests.house.world import CORP, World, shared
from tests.sandbox.files import png
from tests.tasks.conftest import Pond, filled
from yutang.channels.sync.models import SyncHint
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.media import PICTURE, UPLOAD, WeComMedia
from yutang.content.documents import Content
from yutang.content.services import keep_content
from yutang.execution.models import Chase
from yutang.files.contracts import FileKind
from yutang.files.services import keep_file
from yutang.kernel.clock import wall_now
from yutang.kernel.documents import parse
from yutang.log.models import InboxEnvelope
from yutang.log.services import unseal
from yutang.mobile.speaking import speak_by, spoken
from yutang.organisation import phones
from yutang.organisation import services as organisation
from yutang.organisation.models import User
from yutang.organisation.queries import OWNER, node_by_code, senders
from yutang.organisation.services import NewSender
from yutang.people import services as people
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch
from yutang.tasks.models import Remark
from yutang.tasks.remarks import forget_remarks_on

__all__ = ["client", "clock", "connect", "platform"]

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pond]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("sidebar")) as world:
        yield filled(world)


@pytest.fixture
def pond(standing: Pond, db: None) -> Pond:
    return standing


def guide(world: World, userid: str = "") -> Client:
    """The phone of the near store's guide, or of another account."""
    client = Client()
    secret, _until = phones.make_link(world.viewer("owner"), userid or world.near.userid)
    client.post(f"/m/in/{secret}/")
    return client


def beside(client: Client, external: str) -> str:
    return client.post("/m/chat/person/", {"external": external}).content.decode()


def kept(client: Client, path: str, key: str = "", **said: object) -> dict[str, object]:
    body = {"id": key or uuid4().hex, "at": wall_now().isoformat(), **said}
    answer = client.post(
        path, json.dumps(body), content_type="application/json", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def told(kind: str) -> list[object]:
    rows = InboxEnvelope.objects.filter(slice=None).order_by("pk")
    return [one for row in rows for one in unseal(bytes(row.sealed)) if one.type == kind]


def test_a_customer_is_shown_with_all_that_helps(pond: Pond) -> None:
    page = beside(guide(pond.world), "wm-regular")
    for said in ("林regular", "¥80.00", "纸尿裤、湿巾", "近店", "约 21 天一次", "更近一次在别的门店", "湿巾", "成交池"):
        assert said in page
    assert "钓具" not in page
    assert re.findall('data-say="([a-z_]+)', page) == ["usual_is_back", "care_tip", "member_day"], "her moment first"
    assert "鱼塘的会员日" in page, "variables are filled in"
    newcomer = beside(guide(pond.world), "wm-newcomer")
    assert re.findall('data-say="([a-z_]+)', newcomer) == ["welcome_new_friend", "weekend_opening"]
    assert f"我是近店的{pond.world.near.guide}" in newcomer


def test_one_who_is_not_hers_is_a_stranger_and_is_read_again_once_however_often_that_is_recorded(pond: Pond) -> None:
    client = guide(pond.world)
    for external in (pond.world.far.external, "wm-nobody"):
        page = beside(client, external)
        assert "还不认识这位客户" in page
        assert pond.world.far.name not in page
    organisation.add_senders([NewSender("near", "新人", "wecom", CORP, "newcomer")])
    assert "还不认识" in beside(guide(pond.world, "newcomer"), "wm-regular"), "a colleague's customer"
    key = uuid4().hex
    for _ in range(2):
        kept(client, "/m/chat/again/", key, external="wm-nobody")
    assert list(SyncHint.objects.values_list("corp", "kind", "ref", "told")) == [(CORP, "customer", "wm-nobody", 1)]


def test_what_was_sent_is_one_event_with_its_class_though_the_phone_says_it_twice(pond: Pond) -> None:
    client, number = guide(pond.world), pond.friends["newcomer"]
    asked = client.get(f"/m/person/{number}/ask/?script=member_day").json()
    assert asked["allowed"]
    assert "会员日" in asked["text"]
    key = uuid4().hex
    for _ in range(2):
        assert kept(client, f"/m/person/{number}/sent/", key, script="member_day") == {"sent": "member_day"}
    (event,) = told("message.sent")
    assert (event.person, event.staff, event.source) == (number, pond.world.near.userid, "sidebar")  # type: ignore[attr-defined]
    assert event.props == {"class": "marketing", "content": "member_day"}  # type: ignore[attr-defined]
    kept(client, f"/m/person/{number}/sent/", script="no_longer_there")
    assert len(told("message.sent")) == 2, "it was sent, whatever became of its document"


def test_a_script_with_a_picture_is_sent_by_one_call_after_another_and_its_file_is_uploaded_once(
    pond: Pond, platform: Platform, client: WeComClient
) -> None:
    cover = keep_file(FileKind.IMAGE, "a.png", png()).address
    data = {
        "kind": "content", "name": "aaa_new", "title": {"zh": "新到", "en": "New"}, "text": "{称呼|您}好，新到的您看看",
        "pictures": [{"url": cover}], "link": {"title": "喂养日历", "url": "https://shop.example/care"},
        "mini_program": {"title": "商城", "appid": "wx0123456789abcdef", "page": "pages/new", "picture": cover},
    }  # fmt: skip
    keep_content(parse(Content, data), OWNER, 0)
    platform.plays(UPLOAD, ok(media_id="m1"))
    platform.plays(PICTURE, ok(url="https://wework.qpic.cn/1"))
    here, theirs = spoken(), guide(pond.world)

    class Files:
        def media(self) -> dict[tuple[str, str], WeComMedia]:
            return {("wecom", CORP): WeComMedia(client, CORP)}

    asked = f"/m/person/{pond.friends['newcomer']}/ask/?script=aaa_new"
    speak_by(lambda: Files())  # type: ignore[arg-type,return-value]
    try:
        calls = [theirs.get(asked).json()["calls"] for _ in range(2)]
    finally:
        speak_by(lambda: here)
    assert [one["msgtype"] for one in calls[0]] == ["text", "image", "miniprogram", "news"]
    assert calls[0][0]["text"]["content"].endswith("好，新到的您看看")
    assert calls[0][1]["image"] == {"mediaid": "m1"}
    assert calls[0][2]["miniprogram"]["imgUrl"] == "https://wework.qpic.cn/1"
    assert calls[1] == calls[0]
    assert (platform.counts()[UPLOAD], platform.counts()[PICTURE]) == (1, 1)
    assert f"/m/file/{cover.removeprefix('file:')}/" in beside(theirs, "wm-newcomer")
    answer = theirs.get(asked, headers={"Accept": "application/json"})
    assert "not connected" in answer.json()["sentence"] or "没有连接" in answer.json()["sentence"]


def test_who_asked_for_peace_meanwhile_is_sent_nothing_by_a_tap_on_a_page_of_before(pond: Pond) -> None:
    client, number = guide(pond.world), pond.friends["newcomer"]
    assert "data-say=" in beside(client, "wm-newcomer")
    people.set_silent(number, True)
    asked = client.get(f"/m/person/{number}/ask/?script=member_day").json()
    assert (asked["allowed"], asked["sentence"]) == (False, "发送前客户刚要求免打扰")
    page = beside(client, "wm-newcomer")
    assert "客户要求免打扰" in page
    assert "data-say=" not in page


def test_who_was_told_enough_is_sent_nothing_and_it_says_why(pond: Pond) -> None:
    page = beside(guide(pond.world), "wm-told")
    assert "现在不发：近期消息已到频次上限" in page
    assert "data-say=" not in page


def test_a_remark_is_kept_sealed_once_and_a_follow_up_with_it(pond: Pond) -> None:
    client, number = guide(pond.world), pond.friends["regular"]
    key = uuid4().hex
    for _ in range(2):
        said = kept(client, f"/m/person/{number}/note/", key, note="女儿下月满三岁", days="7")
    assert said == {"noted": True, "days": "7"}
    assert Remark.objects.filter(person=number).count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM tasks_remark")
        assert "三岁" not in str(cursor.fetchall())
    page = beside(client, "wm-regular")
    assert "女儿下月满三岁" in page
    assert "3-9 跟进" in page
    assert "三岁" not in beside(client, "wm-newcomer")
    for wrong in ({"note": "", "days": ""}, {"note": "x", "days": "900"}, {"note": "长" * 401}):
        body = json.dumps({"id": uuid4().hex, "at": wall_now().isoformat(), **wrong})
        answer = client.post(f"/m/person/{number}/note/", body, content_type="application/json")
        assert answer.status_code == 422, wrong
    assert forget_remarks_on([number]) == 1
    assert "三岁" not in beside(client, "wm-regular")


def test_nobodys_own_words_get_into_the_log_as_the_name_of_a_script(pond: Pond) -> None:
    body = json.dumps({"id": uuid4().hex, "at": wall_now().isoformat(), "script": "13800138000 林女士"})
    headers, path = {"Accept": "application/json"}, f"/m/person/{pond.friends['newcomer']}/sent/"
    answer = guide(pond.world).post(path, body, content_type="application/json", headers=headers)
    assert (answer.status_code, told("message.sent")) == (422, [])


@pytest.mark.parametrize("note", ["half an emoji \ud83d", "nothing \x00"])
def test_a_remark_that_nothing_can_keep_is_refused_and_leaves_the_queue(pond: Pond, note: str) -> None:
    body = json.dumps({"id": uuid4().hex, "at": wall_now().isoformat(), "note": note})
    headers, before = {"Accept": "application/json"}, Remark.objects.count()
    path = f"/m/person/{pond.friends['regular']}/note/"
    answer = guide(pond.world).post(path, body, content_type="application/json", headers=headers)
    assert (answer.status_code, Remark.objects.count()) == (422, before)


def test_a_page_of_ones_own_shows_the_same_where_there_is_no_wecom(pond: Pond) -> None:
    client = guide(pond.world)
    answer = client.get(f"/m/person/{pond.friends['regular']}/")
    assert answer.headers["X-Yutang-Keep"]
    assert "我发了" in answer.content.decode()
    assert client.get(f"/m/person/{pond.world.far.person}/").status_code == 404
    assert client.get(f"/m/person/{pond.world.far.person}/ask/?script=member_day").status_code == 404
    assert client.get(f"/m/person/{pond.friends['regular']}/ask/?script=ghost").status_code == 404
    assert client.post("/m/chat/person/", {"external": ""}).status_code == 422
    assert client.post("/m/chat/person/?corp=ww-other", {"external": "wm-regular"}).status_code == 403


def manager() -> Client:
    """The phone of the near store's manager."""
    client = Client()
    user = User.objects.get(username="near_manager")
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_a_managers_phone_shows_whose_tasks_wait_and_what_cannot_be_told_yet(pond: Pond) -> None:
    page = manager().get("/m/store/").content.decode()
    for said in ("近店", "净增好友", "还看不出", "打给 near", "订单没有写是谁接待的"):
        assert said in page
    assert "远店" not in page
    assert 'href="/m/store/"' in manager().get("/m/").content.decode()
    assert 'href="/m/store/"' not in guide(pond.world).get("/m/").content.decode()
    assert manager().get("/m/store/?store=far").status_code == 404
    assert guide(pond.world).get("/m/store/").status_code == 403


def test_one_tap_asks_after_a_guides_task_once_and_of_another_store_not_at_all(pond: Pond) -> None:
    Batch.objects.update(state=BatchState.ISSUED, asked=1, task="")
    organisation.connect_corp("wecom", CORP, "secret-of-the-corp")
    staff = {one.store: one.staff for one in senders(OWNER) if one.channel == "wecom"}
    near, far = (node_by_code(code).id for code in ("near", "far"))
    assert f'data-ask="{staff[near]}"' in manager().get("/m/store/").content.decode()
    key = uuid4().hex
    answers = [kept(manager(), "/m/store/chase/", key, store="near", staff=f"{staff[near]}") for _ in range(2)]
    assert answers[0] == answers[1]
    assert Chase.objects.count() == 1
    body = {"id": uuid4().hex, "at": wall_now().isoformat(), "store": "far", "staff": f"{staff[far]}"}
    answer = manager().post("/m/store/chase/", json.dumps(body), content_type="application/json")
    assert answer.status_code in (403, 404)
    assert Chase.objects.count() == 1
