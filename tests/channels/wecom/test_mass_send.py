"""A mass send through the port: asked for once, found again when the answer was lost, read back as it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.channels.wecom.conftest import SteppedClock
from tests.channels.wecom.platform import Broken, Http, Never, Platform, Request, error, ok
from yutang.channels.contracts import (
    AnswerLost,
    Attached,
    AttachedKind,
    CreatedTask,
    Delivery,
    Link,
    MassSendPort,
    MessageContent,
    PlatformTask,
    RecipientResult,
    RefusedByPlatform,
    SenderState,
    TaskNotReady,
    TryLater,
    UnexpectedAnswer,
)
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.mass_send import CANCEL, CREATE, LIST, REMIND, RESULT, TASK, WeComMassSend
from yutang.kernel.errors import BadInput

PICTURE = Attached(AttachedKind.IMAGE)
HELLO = MessageContent("周末新到一批龙虾，要给你留吗？")
NOON = datetime(2026, 3, 8, 4, 0, tzinfo=UTC)
Connect = Callable[..., WeComClient]


def unix(at: datetime) -> int:
    return int(at.timestamp())


def test_the_connector_is_the_port(mass_send: WeComMassSend) -> None:
    port: MassSendPort = mass_send
    assert (port.limits.recipients, port.limits.text_bytes) == (10_000, 4_000)


@pytest.mark.wecom("externalcontact/add_msg_template")
def test_a_task_is_asked_for_and_who_is_left_out_is_told(platform: Platform, mass_send: WeComMassSend) -> None:
    platform.plays(CREATE, ok(fail_list=["wm2"], msgid="msgA"))
    link = Link("新到", "https://example.com/a", picture_url="https://example.com/a.png")
    made = mass_send.create_task("zhangsan", ["wm1", "wm2"], MessageContent(HELLO.text, (link,)))
    assert made == CreatedTask("msgA", {"wm2": "not_sendable"})
    (request,) = platform.calls(CREATE)
    assert (request.method, request.body) == (
        "POST",
        {
            "chat_type": "single",
            "external_userid": ["wm1", "wm2"],
            "sender": "zhangsan",
            "text": {"content": HELLO.text},
            "attachments": [
                {
                    "msgtype": "link",
                    "link": {
                        "title": "新到",
                        "url": "https://example.com/a",
                        "picurl": "https://example.com/a.png",
                    },
                }
            ],
        },
    )


@pytest.mark.parametrize("nobody", [{"fail_list": []}, {"fail_list": None}, {}])
def test_nobody_left_out(platform: Platform, mass_send: WeComMassSend, nobody: dict[str, Any]) -> None:
    platform.plays(CREATE, ok(msgid="msgA", **nobody))
    assert mass_send.create_task("zhangsan", ["wm1"], HELLO) == CreatedTask("msgA", {})


def test_what_is_empty_is_not_sent(platform: Platform, mass_send: WeComMassSend) -> None:
    platform.plays(CREATE, ok(msgid="msgA"))
    mass_send.create_task("zhangsan", ["wm1"], HELLO)
    mass_send.create_task("zhangsan", ["wm1"], MessageContent("", (Link("新到", "https://example.com"),)))
    assert [sorted(request.body) for request in platform.calls(CREATE)] == [
        ["chat_type", "external_userid", "sender", "text"],
        ["attachments", "chat_type", "external_userid", "sender"],
    ]


MANY = [f"wm{number}" for number in range(10_001)]
CARD = Link("新到", "https://example.com")


@pytest.mark.parametrize(
    ("sender", "recipients", "content"),
    [
        ("", ["wm1"], HELLO),
        ("zhangsan", [], HELLO),
        ("zhangsan", ["wm1", "wm1"], HELLO),
        ("zhangsan", MANY, HELLO),
        ("zhangsan", ["wm1"], MessageContent("")),
        ("zhangsan", ["wm1"], MessageContent("龙" * 1334)),
        ("zhangsan", ["wm1"], MessageContent("", (CARD,) * 10)),
        ("zhangsan", ["wm1"], MessageContent("", (Link("龙" * 43, "https://example.com"),))),
        ("zhangsan", ["wm1"], MessageContent("", (Link("新到", ""),))),
        ("zhangsan", ["wm1"], MessageContent("", (CARD,), None, (PICTURE,) * 9)),
        ("zhangsan", ["wm1"], MessageContent("", (), None, (Attached(AttachedKind.MINI_PROGRAM, "", "龙" * 22),))),
    ],
)
def test_what_cannot_be_sent_never_leaves(
    platform: Platform, mass_send: WeComMassSend, sender: str, recipients: list[str], content: MessageContent
) -> None:
    with pytest.raises(BadInput):
        mass_send.create_task(sender, recipients, content)
    assert platform.requests == []


@pytest.mark.parametrize(
    ("recipients", "content"),
    [
        (MANY[:10_000], HELLO),
        (["wm1"], MessageContent("龙" * 1333 + "!")),
        (["wm1"], MessageContent("", (CARD,) * 9)),
        (["wm1"], MessageContent("", (Link("龙" * 42 + "!!", "https://example.com"),))),
    ],
    ids=["10,000 recipients", "4,000 bytes", "9 links", "128 bytes of title"],
)
def test_what_just_fits_is_sent(
    platform: Platform, mass_send: WeComMassSend, recipients: list[str], content: MessageContent
) -> None:
    platform.plays(CREATE, ok(msgid="msgA"))
    assert mass_send.create_task("zhangsan", recipients, content).task_id == "msgA"


LOST = {
    "broken": Broken(),
    "bad gateway": Http(502),
    "page": Http(200, b"<html>"),
    "forbidden by something in between": Http(403),
    "busy": error(-1, "system error"),
    "no id": ok(fail_list=[]),
}


@pytest.mark.parametrize("answer", LOST.values(), ids=LOST)
@pytest.mark.wecom("externalcontact/add_msg_template")
def test_a_lost_answer_is_unknown_and_never_repeated(
    platform: Platform, mass_send: WeComMassSend, answer: object
) -> None:
    platform.plays(CREATE, answer, ok(msgid="msgB"))
    with pytest.raises(AnswerLost):
        mass_send.create_task("zhangsan", ["wm1"], HELLO)
    assert len(platform.calls(CREATE)) == 1


def test_an_answer_that_does_not_come_in_time_is_lost(platform: Platform, impatient: WeComClient) -> None:
    platform.plays(CREATE, Never(), ok(msgid="msgB"))
    with pytest.raises(AnswerLost):
        WeComMassSend(impatient).create_task("zhangsan", ["wm1"], HELLO)
    assert len(platform.calls(CREATE)) == 1


NOT_DONE = {
    "too often": (error(45009), TryLater),
    "too parallel": (error(45033), TryLater),
    "nobody sendable": (error(41048), RefusedByPlatform),
    "forbidden words": (error(40201), RefusedByPlatform),
    "redirect": (Http(301, headers={"Location": "https://qyapi.weixin.qq.com/"}), UnexpectedAnswer),
}


@pytest.mark.parametrize(("answer", "told"), NOT_DONE.values(), ids=NOT_DONE)
def test_what_was_surely_not_done_is_not_called_unknown(
    platform: Platform, mass_send: WeComMassSend, answer: object, told: type[Exception]
) -> None:
    platform.plays(CREATE, answer, ok(msgid="msgB"))
    with pytest.raises(told):
        mass_send.create_task("zhangsan", ["wm1"], HELLO)
    assert len(platform.calls(CREATE)) == 1


def test_a_request_that_never_left_may_be_made_again(platform: Platform, connect: Connect) -> None:
    gone = Platform()
    client = connect(base_url=gone.url)
    gone.plays(TASK, ok())
    client.call(TASK)  # a token is there; only the create meets the dead network
    gone.close_after_answer = True
    client.call(TASK)
    gone.await_closing()
    gone.close()
    with pytest.raises(TryLater):
        WeComMassSend(client).create_task("zhangsan", ["wm1"], HELLO)


def test_a_connection_closed_while_idle_loses_nothing(platform: Platform, mass_send: WeComMassSend) -> None:
    platform.plays(CREATE, ok(msgid="msgA"))
    mass_send.create_task("zhangsan", ["wm1"], HELLO)  # asks for its token first, whose closing is none of ours
    platform.close_after_answer = True
    for _ in range(3):
        assert mass_send.create_task("zhangsan", ["wm1"], HELLO).task_id == "msgA"
        platform.await_closing()


def test_a_create_refused_for_its_token_was_not_done_and_is_made_again(
    platform: Platform, mass_send: WeComMassSend
) -> None:
    platform.plays(CREATE, error(42001, "access_token expired"), ok(msgid="msgA"))
    assert mass_send.create_task("zhangsan", ["wm1"], HELLO).task_id == "msgA"
    assert len(platform.calls(CREATE)) == 2


@pytest.mark.wecom(
    "externalcontact/add_msg_template", "externalcontact/get_groupmsg_list_v2", "externalcontact/get_groupmsg_task"
)
def test_a_task_whose_answer_was_lost_is_found_again(platform: Platform, mass_send: WeComMassSend) -> None:
    made: list[dict[str, Any]] = []

    def create_and_say_nothing(request: Request) -> Broken:
        made.append({"msgid": "msgA", "create_time": unix(NOON), "create_type": 0, "text": request.body["text"]})
        return Broken()

    platform.plays(CREATE, create_and_say_nothing)
    platform.plays(LIST, lambda _: ok(group_msg_list=made))
    platform.plays(TASK, ok(task_list=[{"userid": "zhangsan", "status": 0}]))
    with pytest.raises(AnswerLost):
        mass_send.create_task("zhangsan", ["wm1"], HELLO)
    found = mass_send.find_tasks(NOON - timedelta(minutes=5), NOON + timedelta(minutes=5))
    assert found == [PlatformTask("msgA", NOON, HELLO.text, ("zhangsan",))]


def listed(task_id: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"msgid": task_id, "create_time": unix(at), "create_type": 0, "text": {"content": task_id}, **more}


@pytest.mark.wecom("externalcontact/get_groupmsg_list_v2")
def test_only_tasks_of_software_are_found_oldest_first(platform: Platform, mass_send: WeComMassSend) -> None:
    link = {"title": "新到", "url": "https://example.com"}
    card = {"title": "商城", "appid": "wx0123456789abcdef", "page": "pages/new.html", "pic_media_id": "c"}
    attachments = [
        {"msgtype": "link", "link": link},
        {"msgtype": "image", "image": {"media_id": "m"}},
        {"msgtype": "miniprogram", "miniprogram": card},
    ]
    rows = [
        listed("msgB", NOON + timedelta(minutes=1), attachments=attachments, text={}),
        listed("msgC", NOON, creator="an administrator"),
        listed("msgA", NOON, creator=""),
    ]
    platform.plays(LIST, ok(group_msg_list=rows))
    platform.plays(TASK, ok(task_list=[{"userid": "zhangsan", "status": 2, "send_time": unix(NOON)}]))
    assert mass_send.find_tasks(NOON, NOON + timedelta(hours=1)) == [
        PlatformTask("msgA", NOON, "msgA", ("zhangsan",)),
        PlatformTask(
            "msgB", NOON + timedelta(minutes=1), "", ("zhangsan",), (Link("新到", "https://example.com"),),
            (PICTURE, Attached(AttachedKind.MINI_PROGRAM, "", "商城", "wx0123456789abcdef", "pages/new.html")),
        ),
    ]  # fmt: skip


def test_a_task_being_handed_out_is_found_without_its_senders(platform: Platform, mass_send: WeComMassSend) -> None:
    platform.plays(LIST, ok(group_msg_list=[listed("msgA", NOON)]))
    platform.plays(TASK, error(41063), ok(task_list=[{"userid": "zhangsan", "status": 0}]))
    assert [task.senders for task in mass_send.find_tasks(NOON, NOON)] == [()]
    assert [task.senders for task in mass_send.find_tasks(NOON, NOON)] == [("zhangsan",)]


def test_a_long_span_is_asked_in_months_and_a_task_on_the_seam_counts_once(
    platform: Platform, mass_send: WeComMassSend
) -> None:
    platform.plays(LIST, ok(group_msg_list=[listed("msgA", NOON)]))
    platform.plays(TASK, ok(task_list=[]))
    since, until = NOON - timedelta(days=60), NOON + timedelta(milliseconds=1)
    assert len(mass_send.find_tasks(since, until)) == 1
    spans = [(request.body["start_time"], request.body["end_time"]) for request in platform.calls(LIST)]
    assert (spans[0][0], spans[-1][1]) == (unix(since), unix(NOON) + 1)
    assert len(spans) == 3
    assert all(0 < end - start <= 28 * 86_400 for start, end in spans)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    with pytest.raises(BadInput):
        mass_send.find_tasks(until, since)


@pytest.mark.wecom("externalcontact/cancel_groupmsg_send")
def test_cancelling_is_done_once_and_asked_as_often_as_one_likes(platform: Platform, mass_send: WeComMassSend) -> None:
    platform.plays(CANCEL, Broken(), ok(), error(41093))
    mass_send.cancel_task("msgA")
    mass_send.cancel_task("msgA")
    assert [request.body for request in platform.calls(CANCEL)] == [{"msgid": "msgA"}] * 3


@pytest.mark.parametrize(("code", "told"), [(41047, RefusedByPlatform), (41063, TaskNotReady)])
@pytest.mark.wecom("externalcontact/cancel_groupmsg_send")
def test_a_task_that_cannot_be_cancelled_is_told(
    platform: Platform, mass_send: WeComMassSend, code: int, told: type[Exception]
) -> None:
    platform.plays(CANCEL, error(code))
    with pytest.raises(told):
        mass_send.cancel_task("msgA")


@pytest.mark.wecom("externalcontact/remind_groupmsg_send")
def test_staff_are_nudged_once_a_call(platform: Platform, mass_send: WeComMassSend) -> None:
    platform.plays(REMIND, ok(), Broken(), error(41094), error(41093))
    mass_send.remind_task("msgA")
    with pytest.raises(AnswerLost):
        mass_send.remind_task("msgA")
    with pytest.raises(RefusedByPlatform, match="24 hours"):
        mass_send.remind_task("msgA")
    with pytest.raises(RefusedByPlatform, match="cancelled"):
        mass_send.remind_task("msgA")
    assert len(platform.calls(REMIND)) == 4


@pytest.mark.wecom("externalcontact/get_groupmsg_task")
def test_who_has_tapped_is_read(platform: Platform, mass_send: WeComMassSend) -> None:
    rows = [{"userid": "zhangsan", "status": 2, "send_time": unix(NOON)}, {"userid": "lisi", "status": 0}]
    platform.plays(TASK, ok(task_list=rows))
    assert mass_send.read_task("msgA") == [SenderState("zhangsan", True, NOON), SenderState("lisi", False, None)]


@pytest.mark.wecom("externalcontact/get_groupmsg_send_result")
def test_what_became_of_each_recipient_is_read(platform: Platform, mass_send: WeComMassSend) -> None:
    rows = [{"external_userid": f"wm{status}", "userid": "lisi", "status": status} for status in (0, 2, 3)]
    rows.append({"external_userid": "wm1", "userid": "lisi", "status": 1, "send_time": unix(NOON)})
    platform.plays(RESULT, ok(send_list=rows[:2], next_cursor="c"), ok(send_list=rows[2:], next_cursor=""))
    assert mass_send.read_results("msgA", "lisi") == [
        RecipientResult("wm0", "lisi", Delivery.UNSENT, None),
        RecipientResult("wm2", "lisi", Delivery.NOT_FRIEND, None),
        RecipientResult("wm3", "lisi", Delivery.CAPPED, None),
        RecipientResult("wm1", "lisi", Delivery.SENT, NOON),
    ]
    bodies = [request.body for request in platform.calls(RESULT)]
    first = {"msgid": "msgA", "userid": "lisi", "limit": 1000}
    assert bodies == [first, {**first, "cursor": "c"}]


def test_an_unknown_state_is_not_guessed(platform: Platform, mass_send: WeComMassSend) -> None:
    platform.plays(RESULT, ok(send_list=[{"external_userid": "wm1", "userid": "lisi", "status": 4}]))
    with pytest.raises(UnexpectedAnswer, match="4"):
        mass_send.read_results("msgA", "lisi")
    platform.plays(TASK, ok(task_list=[{"userid": "lisi", "status": 1}]))
    with pytest.raises(UnexpectedAnswer, match="1"):
        mass_send.read_task("msgA")


def test_results_of_a_task_being_handed_out_are_not_ready(
    platform: Platform, mass_send: WeComMassSend, clock: SteppedClock
) -> None:
    platform.plays(TASK, error(41063), ok(task_list=[]))
    platform.plays(RESULT, error(41063), ok(send_list=[]))
    with pytest.raises(TaskNotReady):
        mass_send.read_task("msgA")
    with pytest.raises(TaskNotReady):
        mass_send.read_results("msgA", "lisi")
    assert (mass_send.read_task("msgA"), mass_send.read_results("msgA", "lisi")) == ([], [])
    assert clock.slept == []
