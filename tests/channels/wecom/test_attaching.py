"""What stands beside a text: uploaded once, named by its id, uploaded anew before it is too old. At the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from tests.channels.wecom.platform import Platform, error, ok
from tests.sandbox.conftest import START, Client, door, house, open_sandbox, sandbox
from tests.sandbox.files import mp4, png
from yutang.channels.contracts import (
    Attached,
    AttachedKind,
    CannotCarry,
    Link,
    MessageContent,
    Permit,
    RefusedByPlatform,
    TryLater,
)
from yutang.channels.models import Uploaded
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.contact_ways import WeComWelcome
from yutang.channels.wecom.group_send import WeComGroupSend
from yutang.channels.wecom.groups import WeComGroupWelcomes
from yutang.channels.wecom.mass_send import CREATE, WeComMassSend
from yutang.channels.wecom.media import LIFE, MARGIN, UPLOAD
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.files.contracts import FileKind
from yutang.files.services import keep_file
from yutang.kernel.clock import business_now, wall_now
from yutang.reach.saying import digest_of

__all__ = ["door", "house", "open_sandbox", "sandbox"]

pytestmark = pytest.mark.django_db
CARD = ("商城上新", "wx0123456789abcdef", "pages/new.html")
LINK = Link("新到", "https://shop.example/new")


@pytest.fixture
def reach(sandbox: Client) -> Iterator[WeComClient]:
    """Our client, at the sandbox."""
    with httpx.Client(timeout=60, trust_env=False, verify=False) as http:
        yield WeComClient(sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore(), http=http)


def picture(mark: bytes = b"") -> Attached:
    return Attached(AttachedKind.IMAGE, keep_file(FileKind.IMAGE, "a.png", png() + mark).digest)


def everything() -> MessageContent:
    """A text with one of each beside it."""
    cover = keep_file(FileKind.IMAGE, "c.png", png() + b"cover").digest
    attached = (
        Attached(AttachedKind.MINI_PROGRAM, cover, *CARD),
        Attached(AttachedKind.VIDEO, keep_file(FileKind.VIDEO, "a.mp4", mp4()).digest, "穿搭"),
        Attached(AttachedKind.FILE, keep_file(FileKind.FILE, "目录.pdf", b"some words").digest, "目录.pdf"),
        picture(),
    )
    return MessageContent("周末上新", (LINK,), None, attached)


def lasting(hours: float, *attached: Attached) -> MessageContent:
    return MessageContent("", (), Permit("marketing", until=business_now() + timedelta(hours=hours)), attached)


@pytest.mark.wecom("externalcontact/add_msg_template", "externalcontact/get_groupmsg_list_v2", "media/upload")
def test_a_task_with_one_of_each_is_made_and_known_again_by_what_it_says(sandbox: Client, reach: WeComClient) -> None:
    port, content = WeComMassSend(reach), everything()
    with pytest.raises(TryLater, match="not at the platform"):
        port.create_task("a", ["wmc0"], content)
    port.make_ready(content)
    made = port.create_task("a", ["wmc0"], content)
    (task,) = port.find_tasks(START - timedelta(hours=1), START + timedelta(hours=1))
    assert task.task_id == made.task_id
    assert [one.kind for one in task.attached] == ["image", "miniprogram", "video", "file"]  # pictures first
    assert task.links == (LINK,)
    digest = digest_of(content.text, content.links, content.attached)
    assert digest_of(task.text, task.links, task.attached) == digest
    for other in (content.attached[:3], (*content.attached, picture(b"2"))):
        assert digest_of(content.text, content.links, other) != digest
    Uploaded.objects.all().delete()
    port.make_ready(content)
    port.create_task("a", ["wmc1"], content)
    _, second = port.find_tasks(START - timedelta(hours=1), START + timedelta(hours=1))
    assert digest_of(second.text, second.links, second.attached) == digest, "ids that changed since change nothing"
    assert "商城上新" in sandbox.http.get("/?lang=zh").text


@pytest.mark.wecom("externalcontact/add_msg_template", "externalcontact/send_welcome_msg")
def test_groups_and_who_has_just_come_get_the_same(sandbox: Client, reach: WeComClient) -> None:
    content = everything()
    sandbox.control("groups", do="create", owner="a", name="一群", chat_id="wr1")
    send = WeComGroupSend(reach)
    send.make_ready(content)
    assert send.create_task("a", ["wr1"], content).task_id
    (task,) = send.find_tasks(START - timedelta(hours=1), START + timedelta(hours=1))
    assert [one.kind for one in task.attached] == ["image", "miniprogram", "video", "file"]
    way = sandbox.post("add_contact_way", type=1, scene=2, user=["a"])["config_id"]
    code = sandbox.control("scan", way=way)["scans"][0]["welcome_code"]
    WeComWelcome(reach).send_welcome(code, content)


@pytest.mark.wecom("externalcontact/group_welcome_template/add", "externalcontact/group_welcome_template/get")
def test_a_welcome_of_groups_has_one_thing_beside_its_text(reach: WeComClient) -> None:
    welcomes, content = WeComGroupWelcomes(reach), MessageContent("你好", (), None, (picture(),))
    welcomes.make_ready(content)
    kept = welcomes.read_welcome(welcomes.create_welcome(content, notify=False))
    assert kept is not None
    assert set(kept) == {"text", "image"}


@pytest.mark.wecom("media/upload")
def test_what_would_be_too_old_at_the_deadline_is_uploaded_anew_and_nothing_twice(
    platform: Platform, client: WeComClient
) -> None:
    platform.plays(UPLOAD, *(ok(media_id=f"m{number}") for number in range(9)))
    port, one = WeComMassSend(client), picture()
    port.make_ready(lasting(24, one))
    port.make_ready(lasting(24, one))
    assert platform.counts()[UPLOAD] == 1
    Uploaded.objects.update(until=wall_now() + timedelta(hours=20))
    port.make_ready(lasting(19, one))
    assert platform.counts()[UPLOAD] == 1
    port.make_ready(lasting(21, one))
    assert platform.counts()[UPLOAD] == 2
    port.make_ready(lasting(7 * 24, one))  # longer than any id is good: a fresh one is the best there is
    assert platform.counts()[UPLOAD] == 2
    Uploaded.objects.update(until=wall_now() + LIFE - 3 * MARGIN)
    port.make_ready(lasting(7 * 24, one))
    assert platform.counts()[UPLOAD] == 3


@pytest.mark.wecom("externalcontact/add_msg_template")
def test_an_id_that_the_platform_forgot_early_is_made_anew_and_a_refusal_of_a_fresh_one_stands(
    platform: Platform, client: WeComClient
) -> None:
    platform.plays(UPLOAD, ok(media_id="m1"), ok(media_id="m2"))
    platform.plays(CREATE, error(40007), error(40007))
    port, content = WeComMassSend(client), lasting(1, picture())
    port.make_ready(content)
    Uploaded.objects.update(until=wall_now() + timedelta(hours=9))
    with pytest.raises(TryLater, match="uploaded anew"):
        port.create_task("zhangsan", ["wm1"], content)
    port.make_ready(content)
    with pytest.raises(RefusedByPlatform):
        port.create_task("zhangsan", ["wm1"], content)
    assert [
        part["image"]["media_id"] for request in platform.calls(CREATE) for part in request.body["attachments"]
    ] == [
        "m1",
        "m2",
    ]


def test_what_stands_elsewhere_or_is_gone_cannot_be_carried(client: WeComClient) -> None:
    port = WeComMassSend(client)
    with pytest.raises(CannotCarry, match="upload it in the library"):
        port.make_ready(lasting(1, Attached(AttachedKind.IMAGE, address="https://shop.example/a.png")))
    with pytest.raises(CannotCarry, match="no such file"):
        port.make_ready(lasting(1, Attached(AttachedKind.IMAGE, "0" * 64)))
