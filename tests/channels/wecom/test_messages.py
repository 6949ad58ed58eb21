"""Messages of the app to staff, of robots to groups, and files: our connector at the running sandbox."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tests.channels.wecom.platform import Broken, Platform, error, ok
from tests.sandbox.conftest import Client, House, door, house, open_sandbox, sandbox
from tests.sandbox.files import mp4, png
from tests.sandbox.test_messages import AGENT, seen
from yutang.channels.contracts import AnswerLost, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.models import Uploaded
from yutang.channels.ports.staff import CardButton, StaffCard, StaffSent, StaffTask, StaffText
from yutang.channels.wecom import media
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.media import FetchState, FileKind, MediaFile, Use, WeComMedia, forget_old_uploads
from yutang.channels.wecom.messages import ROBOT, SEND, WeComRobot, WeComStaffMessages
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.intake.lease import me
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, Refused

__all__ = ["door", "house", "open_sandbox", "sandbox"]

PICTURE = MediaFile(FileKind.IMAGE, "a.png", png())
TASK = StaffTask(
    "send-7",
    "群发待确认",
    "周末上新，132 位顾客",
    facts=(("门店", "上海店"), ("截止", "今晚 21:00")),
    buttons=(CardButton("已发", "done"), CardButton("去看", url="https://pond.example/today")),
)


def no_rest(seconds: float) -> None:
    """Whoever is to be tried again is tried at once."""


@pytest.fixture
def reach(sandbox: Client) -> Iterator[WeComClient]:
    """Our client, at the sandbox."""
    with httpx.Client(timeout=60, trust_env=False, verify=False) as http:
        yield WeComClient(
            sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore(), http=http, sleep=no_rest
        )


@pytest.fixture
def messages(reach: WeComClient) -> WeComStaffMessages:
    return WeComStaffMessages(reach, "ww-sandbox", AGENT)


@pytest.mark.wecom("message/send", "message/recall", "message/update_template_card")
def test_staff_are_told_by_text_card_and_task(sandbox: Client, messages: WeComStaffMessages) -> None:
    assert messages.tell(["A", "b", "ghost"], StaffText("早上好")).refused == ("ghost",)
    messages.tell(["a"], StaffCard("今天", "3 位顾客要跟进", "https://pond.example/today", "去看"))
    messages.tell(["a"], StaffTask("notice-1", "日报", url="https://pond.example/report"))
    sent = messages.tell(["a"], TASK)
    kinds = {row["msgtype"]: row["content"] for row in seen(sandbox)}
    assert set(kinds) == {"text", "textcard", "template_card"}
    assert [row["msgtype"] for row in seen(sandbox, "b")] == ["text"]
    pressed = sandbox.control("press", userid="a", msgid=sent.ids[0], key="done")["response_code"]
    messages.settle(pressed, ["a"], "已处理")
    messages.take_back(sent)
    messages.take_back(sent)
    (shown,) = [row for row in seen(sandbox) if row["msgid"] == sent.ids[0]]
    assert (shown["shown"], shown["recalled"]) == ({"replace_name": "已处理"}, True)
    assert messages.tell(["ghost"], StaffText("x")) == StaffSent((), ("ghost",))
    assert messages.tell([], StaffText("x")) == StaffSent(())


def test_a_message_whose_answer_was_lost_may_be_told_again(sandbox: Client, messages: WeComStaffMessages) -> None:
    sandbox.control("faults", faults=[{"api": SEND, "kind": "drop_answer", "times": 2}])
    for message in (StaffText("早上好"), TASK):
        messages.tell(["a"], message)
        messages.tell(["a"], message)
    assert len(seen(sandbox)) == 2


def test_a_thousand_at_a_time(platform: Platform, client: WeComClient) -> None:
    platform.plays(
        SEND, ok(msgid="m1", invaliduser="u1|u2", unlicenseduser="u3"), error(81013), ok(msgid="m2", response_code="c")
    )
    names = [f"U{number}" for number in range(2_001)]
    sent = WeComStaffMessages(client, "ww1", 1).tell(names, StaffText("x"))
    assert sent == StaffSent(("m1", "m2"), ("u1", "u2", "u3", *(f"u{n}" for n in range(1000, 2000))), ("c",))
    assert [request.body["touser"].count("|") + 1 for request in platform.calls(SEND)] == [1000, 1000, 1]
    platform.plays(SEND, ok())
    with pytest.raises(UnexpectedAnswer):
        WeComStaffMessages(client, "ww1", 1).tell(["a"], StaffText("x"))
    platform.plays(SEND, error(40056))
    with pytest.raises(RefusedByPlatform, match="AgentId"):
        WeComStaffMessages(client, "ww1", 1).tell(["a"], StaffText("x"))


def test_what_cannot_be_told_is_not_asked_for(messages: WeComStaffMessages, reach: WeComClient) -> None:
    for message in (
        StaffText(" "),
        StaffTask("t", "no address, no button"),
        StaffTask("t", "x", facts=(("a", "b"),) * 7),
    ):
        with pytest.raises(BadInput):
            messages.tell(["a"], message)
    with pytest.raises(Refused, match="AgentId"):
        WeComStaffMessages(reach, "ww-sandbox", None).tell(["a"], StaffText("x"))


@pytest.mark.wecom("webhook/send", "get_launch_code")
def test_a_robot_speaks_to_its_group_without_a_token_and_a_chat_is_opened(
    sandbox: Client, reach: WeComClient, messages: WeComStaffMessages, platform: Platform, client: WeComClient
) -> None:
    WeComRobot(reach, sandbox.control("robot", name="店长群")["key"]).say("3 家店没有群发", mention=["a"])
    assert sandbox.control("messages")["robots"][0]["text"] == {"content": "3 家店没有群发", "mentioned_list": ["a"]}
    with pytest.raises(RefusedByPlatform, match="robot"):
        WeComRobot(reach, "gone").say("x")
    with pytest.raises(BadInput):
        WeComRobot(reach, "gone").say("x" * 2_049)
    platform.plays(ROBOT, Broken())
    with pytest.raises(AnswerLost):
        WeComRobot(client, "k").say("x")
    assert platform.counts() == {ROBOT: 1}
    assert "access_token" not in platform.requests[0].query
    assert messages.chat_address("a", member="b").startswith("wxwork://launch?launch_code=")
    assert messages.chat_address("a", customer="wmc1")


@pytest.mark.django_db
@pytest.mark.wecom("media/upload", "media/upload_attachment", "media/uploadimg", "media/get")
def test_a_file_is_uploaded_once_for_each_use_and_anew_when_it_is_old(sandbox: Client, reach: WeComClient) -> None:
    files = WeComMedia(reach, "ww-sandbox")
    first = files.media_id(PICTURE)
    assert files.read(first) == png()
    assert files.media_id(MediaFile(FileKind.IMAGE, "other name.png", png())) == first
    ids = {files.media_id(PICTURE, use) for use in Use}
    assert len(ids) == 3
    assert files.picture_address(PICTURE) == files.picture_address(PICTURE)
    document = MediaFile(FileKind.FILE, "报价.txt", b"some words")
    assert files.media_id(document) != files.media_id(MediaFile(FileKind.FILE, "价目.txt", b"some words"))
    Uploaded.objects.filter(handle=first).update(until=wall_now() - timedelta(seconds=1))
    assert files.media_id(PICTURE) != first
    with pytest.raises(RefusedByPlatform, match="MP4"):
        files.media_id(MediaFile(FileKind.VIDEO, "a.mp4", png()))
    files.media_id(PICTURE, Use.MOMENT)  # the refusal of another file stands in nobody's way
    with pytest.raises(RefusedByPlatform, match="three days"):
        files.read("gone")
    Uploaded.objects.update(until=wall_now() - timedelta(seconds=1))
    assert forget_old_uploads() == 6
    assert "some words" not in str(list(Uploaded.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_all_who_want_a_file_at_once_share_one_upload(
    platform: Platform, client: WeComClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = threading.Semaphore(0)

    def look(_seconds: float) -> None:
        looking.release()
        time.sleep(0.01)

    def take(request: object) -> dict:
        assert all(looking.acquire(timeout=60) for _ in range(3))  # the others wait, at least one of them again
        return ok(media_id="m1", created_at="4102444800")

    platform.plays(media.UPLOAD, take)
    files = WeComMedia(client, "ww1", sleep=look)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(files.media_id, PICTURE) for _ in range(4)]
        assert {one.result() for one in asked} == {"m1"}
    assert platform.counts()[media.UPLOAD] == 1


@pytest.mark.django_db
def test_an_upload_that_nobody_finishes_is_taken_over_at_once(platform: Platform, client: WeComClient) -> None:
    dead = subprocess.run([sys.executable, "-c", ""], check=True) and subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = me().split(":")
    holder = f"{mine[0]}:{dead.pid}:{mine[2]}"
    platform.plays(media.UPLOAD, ok(media_id="m1"))
    Uploaded.objects.create(
        channel="wecom", corp="ww1", purpose="message:image", digest=PICTURE.digest, claimed_by=holder,
        claim_until=wall_now() + timedelta(minutes=3),
    )  # fmt: skip
    assert WeComMedia(client, "ww1", sleep=pytest.fail).media_id(PICTURE) == "m1"
    assert os.getpid() != dead.pid


@pytest.mark.wecom("media/upload_by_url", "media/get_upload_by_url_result")
def test_the_platform_fetches_a_large_file(
    reach: WeComClient, house: House, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("served") / "a.mp4"
    path.write_bytes(mp4())

    def serve(request: Request) -> Response:
        return FileResponse(path)

    url = house.mount(Starlette(routes=[Route("/a.mp4", serve)])) + "/a.mp4"
    files = WeComMedia(reach, "ww-sandbox")

    def fetched(md5: str) -> media.Fetched:
        job = files.fetch(FileKind.VIDEO, "a.mp4", url, md5)
        until = time.monotonic() + 60
        while (found := files.fetched(job)).state is FetchState.WAITING:
            assert time.monotonic() < until
        return found

    done = fetched(hashlib.md5(mp4()).hexdigest())
    assert (done.state, files.read(done.media_id)) == (FetchState.DONE, mp4())
    assert fetched("0" * 32) == media.Fetched(FetchState.FAILED, "", 301019)
