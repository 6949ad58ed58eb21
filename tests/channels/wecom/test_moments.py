"""Our connector of Moments: against scripted answers, and against our running sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.channels.wecom.conftest import SteppedClock
from tests.channels.wecom.platform import Broken, Platform, error, ok
from tests.sandbox.conftest import DAY, HOUR, START, Client, house, open_sandbox, sandbox, small_world
from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.ports.moments import (
    JobState,
    MomentContent,
    MomentJob,
    MomentLink,
    MomentNotReady,
    MomentRange,
    MomentsPort,
    Origin,
    PlatformMoment,
    Publishing,
    Reaction,
    Reactions,
)
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.moments import (
    ASK,
    AUDIENCE,
    CANCEL,
    COMMENTS,
    JOB,
    LIST,
    SHOWN,
    TASK,
    WeComMoments,
)
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel.errors import BadInput
from yutang.sandbox.contracts import Member

__all__ = ["house", "open_sandbox", "sandbox"]

WORDS = MomentContent("春装到店")
CREATED = datetime(2020, 11, 10, 9, 20, tzinfo=UTC)


@pytest.fixture
def moments(client: WeComClient) -> WeComMoments:
    return WeComMoments(client)


def at(sandbox: Client) -> MomentsPort:
    """Our connector, at a running sandbox."""
    return WeComMoments(WeComClient(sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore()))


def row(moment_id: str, **more: Any) -> dict[str, Any]:
    return {
        "moment_id": moment_id,
        "create_time": int(CREATED.timestamp()),
        "create_type": 0,
        "visible_type": 1,
        **more,
    }


@pytest.mark.wecom("externalcontact/add_moment_task")
def test_a_moment_is_asked_for_without_what_is_empty(platform: Platform, moments: WeComMoments) -> None:
    platform.plays(ASK, ok(jobid="job1"))
    assert moments.ask(WORDS, MomentRange()) == "job1"
    assert [request.body for request in platform.calls(ASK)] == [{"text": {"content": "春装到店"}}]


def test_the_tenth_of_a_minute_is_kept_before_the_platform_blocks(
    platform: Platform, moments: WeComMoments, clock: SteppedClock
) -> None:
    platform.plays(ASK, ok(jobid="job1"))
    moments.ask(WORDS, MomentRange())
    with pytest.raises(TryLater) as later:
        moments.ask(WORDS, MomentRange())
    assert clock.at < later.value.until <= clock.at + timedelta(seconds=10)
    assert len(platform.calls(ASK)) == 1


def test_bodies_name_attachments_and_range(platform: Platform, connect: Callable[..., WeComClient]) -> None:
    platform.plays(ASK, ok(jobid="job1"))
    said = []
    for content, among in (
        (MomentContent("看", ("M1", "M2")), MomentRange(("zhangsan",), (2, 3), ("et1",))),
        (MomentContent(video="M3"), MomentRange(departments=(2,))),
        (MomentContent(link=MomentLink("新品", "https://example.com", "M4")), MomentRange(tags=("et1",))),
    ):
        WeComMoments(connect()).ask(content, among)
        said.append(platform.calls(ASK)[-1].body)
    assert said == [
        {
            "text": {"content": "看"},
            "attachments": [
                {"msgtype": "image", "image": {"media_id": "M1"}},
                {"msgtype": "image", "image": {"media_id": "M2"}},
            ],
            "visible_range": {
                "sender_list": {"user_list": ["zhangsan"], "department_list": [2, 3]},
                "external_contact_list": {"tag_list": ["et1"]},
            },
        },
        {
            "attachments": [{"msgtype": "video", "video": {"media_id": "M3"}}],
            "visible_range": {"sender_list": {"department_list": [2]}},
        },
        {
            "attachments": [
                {"msgtype": "link", "link": {"title": "新品", "url": "https://example.com", "media_id": "M4"}}
            ],
            "visible_range": {"external_contact_list": {"tag_list": ["et1"]}},
        },
    ]


@pytest.mark.parametrize(
    "content",
    [
        MomentContent(),
        MomentContent("好" * 1334),
        MomentContent("a" * 2001),
        MomentContent(pictures=("M",) * 10),
        MomentContent(pictures=("M",), video="M"),
        MomentContent(link=MomentLink("t", "", "M")),
        MomentContent(link=MomentLink("t", "https://example.com", "")),
        MomentContent(link=MomentLink("题" * 65, "https://example.com", "M")),
    ],
)
def test_what_the_platform_would_refuse_is_refused_here(
    platform: Platform, moments: WeComMoments, content: MomentContent
) -> None:
    with pytest.raises(BadInput):
        moments.ask(content, MomentRange())
    assert platform.calls(ASK) == []


def test_a_lost_answer_is_never_asked_again(platform: Platform, connect: Callable[..., WeComClient]) -> None:
    for answer in (Broken(), error(-1), ok(), ok(jobid=7)):
        platform.plays(ASK, answer)
        before = len(platform.calls(ASK))
        with pytest.raises(AnswerLost):
            WeComMoments(connect()).ask(WORDS, MomentRange())
        assert len(platform.calls(ASK)) == before + 1


def test_too_many_jobs_at_once_is_for_later(platform: Platform, moments: WeComMoments, clock: SteppedClock) -> None:
    platform.plays(ASK, error(41078))
    with pytest.raises(TryLater) as later:
        moments.ask(WORDS, MomentRange())
    assert later.value.until == clock.at + timedelta(seconds=60)


@pytest.mark.wecom("externalcontact/get_moment_task_result")
def test_a_job_is_running_done_failed_or_gone(platform: Platform, moments: WeComMoments) -> None:
    result = {
        "errcode": 0,
        "moment_id": "mom1",
        "invalid_sender_list": {"user_list": ["lisi"], "department_list": [3]},
        "invalid_external_contact_list": {"tag_list": ["et9"]},
    }
    platform.plays(
        JOB,
        ok(status=1, type="add_moment_task"),
        ok(status=2),
        ok(status=3, result=result),
        ok(status=3, result={"errcode": 81013, "errmsg": "…"}),
        error(40058),
        ok(status=3, result={"errcode": 0}),
        ok(status=9),
        error(48002),
    )
    read = [moments.read_job("job1") for _ in range(5)]
    assert [one.state for one in read] == [
        JobState.RUNNING,
        JobState.RUNNING,
        JobState.DONE,
        JobState.FAILED,
        JobState.GONE,
    ]
    assert read[2] == MomentJob("job1", JobState.DONE, "mom1", 0, ("lisi",), (3,), ("et9",))
    assert (read[3].errcode, read[3].moment_id) == (81013, "")
    for _ in range(2):
        with pytest.raises(UnexpectedAnswer):
            moments.read_job("job1")
    with pytest.raises(RefusedByPlatform):
        moments.read_job("job1")
    assert [(request.method, request.query["jobid"]) for request in platform.calls(JOB)] == [("GET", "job1")] * 8


@pytest.mark.wecom("externalcontact/get_moment_list")
def test_moments_are_listed_by_thirty_days_and_told_apart(platform: Platform, moments: WeComMoments) -> None:
    full = row(
        "mom2",
        create_type=1,
        creator="zhangsan",
        visible_type=0,
        text={"content": "自己发的"},
        image=[{"media_id": "W1"}, {"media_id": "W2"}],
        location={"latitude": "23.1", "longitude": "113.3", "name": "广州塔"},
    )
    linked = row("mom1", link={"title": "新品", "url": "https://example.com"})
    platform.plays(LIST, ok(moment_list=[full], next_cursor="c"), ok(moment_list=[full, linked], next_cursor=""))
    found = moments.find_moments(CREATED, CREATED + timedelta(days=40))
    assert found == [
        PlatformMoment(
            "mom1",
            Origin.CORP,
            "",
            CREATED,
            True,
            MomentContent(link=MomentLink("新品", "https://example.com", "")),
        ),
        PlatformMoment("mom2", Origin.MEMBER, "zhangsan", CREATED, False, MomentContent("自己发的", ("W1", "W2"))),
    ]
    asked = [request.body for request in platform.calls(LIST)]
    assert all(body["end_time"] - body["start_time"] <= 30 * 86_400 for body in asked)
    assert {body["filter_type"] for body in asked} == {2}
    moments.find_moments(CREATED, CREATED, Origin.MEMBER)
    assert platform.calls(LIST)[-1].body["filter_type"] == 1
    platform.plays(LIST, ok(moment_list=[{"moment_id": "mom3"}]))
    with pytest.raises(UnexpectedAnswer):
        moments.find_moments(CREATED, CREATED)
    with pytest.raises(BadInput):
        moments.find_moments(CREATED, CREATED - DAY)


@pytest.mark.wecom(
    "externalcontact/get_moment_task",
    "externalcontact/get_moment_customer_list",
    "externalcontact/get_moment_send_result",
    "externalcontact/get_moment_comments",
    "externalcontact/cancel_moment_task",
)
def test_what_is_read_of_a_moment(platform: Platform, moments: WeComMoments) -> None:
    tasks = [{"userid": "zhangsan", "publish_status": 1}, {"userid": "lisi", "publish_status": 0}]
    platform.plays(TASK, ok(task_list=tasks, next_cursor=""))
    assert moments.read_publishing("mom1") == [Publishing("zhangsan", True), Publishing("lisi", False)]
    spaced = [{"userid": "zhangsan", "external_userid": "woAJ2GCAAAXtWyujaWJHDDGi0mACCCC  "}]
    platform.plays(AUDIENCE, ok(customer_list=spaced))
    platform.plays(SHOWN, ok(customer_list=[{"external_userid": "wo1"}], next_cursor=""))
    assert moments.read_audience("mom1", "zhangsan") == ["woAJ2GCAAAXtWyujaWJHDDGi0mACCCC"]
    assert moments.read_shown("mom1", "zhangsan") == ["wo1"]
    stamp = int(CREATED.timestamp())
    platform.plays(
        COMMENTS,
        ok(
            comment_list=[{"external_userid": "wo1 ", "create_time": stamp}],
            like_list=[{"userid": "zhangsan ", "create_time": stamp}],
        ),
        ok(like_list=[{"create_time": stamp}]),
    )
    told = moments.read_reactions("mom1", "zhangsan")
    assert told == Reactions((Reaction("zhangsan", CREATED, True),), (Reaction("wo1", CREATED),))
    with pytest.raises(UnexpectedAnswer):
        moments.read_reactions("mom1", "zhangsan")
    platform.plays(CANCEL, ok())
    moments.cancel("mom1")
    assert platform.calls(CANCEL)[0].body == {"moment_id": "mom1"}


def test_before_it_is_handed_out_or_published_nothing_can_be_read(platform: Platform, moments: WeComMoments) -> None:
    for api in (TASK, AUDIENCE, SHOWN, COMMENTS, CANCEL):
        platform.plays(api, error(41079))
    for read in (
        lambda: moments.read_publishing("mom1"),
        lambda: moments.read_audience("mom1", "a"),
        lambda: moments.read_shown("mom1", "a"),
        lambda: moments.read_reactions("mom1", "a"),
        lambda: moments.cancel("mom1"),
    ):
        with pytest.raises(MomentNotReady):
            read()
    for api in (AUDIENCE, SHOWN, COMMENTS):
        platform.plays(api, error(41062))
    assert (moments.read_audience("mom1", "a"), moments.read_shown("mom1", "a")) == ([], [])
    assert moments.read_reactions("mom1", "a") == Reactions((), ())
    for api in (SHOWN, COMMENTS):
        platform.plays(api, error(41061))
    with pytest.raises(RefusedByPlatform, match="not handed to this member"):
        moments.read_shown("mom1", "a")
    with pytest.raises(RefusedByPlatform):
        moments.read_reactions("mom1", "a")


@pytest.mark.wecom(
    "externalcontact/add_moment_task",
    "externalcontact/get_moment_task_result",
    "externalcontact/cancel_moment_task",
    "externalcontact/get_moment_list",
    "externalcontact/get_moment_task",
    "externalcontact/get_moment_customer_list",
    "externalcontact/get_moment_send_result",
    "externalcontact/get_moment_comments",
)
def test_a_moments_life_at_the_sandbox(open_sandbox: Callable[..., Client]) -> None:
    members = (Member("a", "导购 01"), Member("b", "导购 02", "never"), Member("idle", "导购 03"))
    sandbox = open_sandbox(small_world(members=members))
    moments, picture = at(sandbox), sandbox.attachment(1)
    job = moments.read_job(
        moments.ask(MomentContent("春装到店", (picture,)), MomentRange(("a", "b", "nobody"), (404,)))
    )
    assert (job.state, job.no_members, job.no_departments) == (JobState.DONE, ("nobody",), (404,))
    assert moments.read_publishing(job.moment_id) == [Publishing("a", False), Publishing("b", False)]
    assert moments.read_audience(job.moment_id, "a") == []
    sandbox.advance(START + HOUR)
    assert moments.read_publishing(job.moment_id) == [Publishing("a", True), Publishing("b", False)]
    assert moments.read_audience(job.moment_id, "a") == ["wmc0", "wmc1", "wmc2", "wmc3"]
    assert moments.read_shown(job.moment_id, "A") == ["wmc0", "wmc1", "wmc2", "wmc3"]
    sandbox.control("moment", moment_id=job.moment_id, userid="a", do="comment", external_userid="wmc1")
    comments = moments.read_reactions(job.moment_id, "a").comments
    assert Reaction("wmc1", START + HOUR) in comments
    moments.cancel(job.moment_id)
    moments.cancel(job.moment_id)
    own = sandbox.control("moment", userid="b", text="我自己发的")["moment_id"]
    found = {one.moment_id: one for one in moments.find_moments(START - DAY, START + DAY)}
    assert found.keys() == {job.moment_id, own}
    assert (found[own].origin, found[own].creator, found[own].content.text) == (Origin.MEMBER, "b", "我自己发的")
    assert found[job.moment_id].content == MomentContent("春装到店", (picture,))
    assert [one.moment_id for one in moments.find_moments(START - DAY, START + DAY, Origin.MEMBER)] == [own]


def test_an_answer_that_was_lost_is_found_again_and_not_asked_twice(sandbox: Client) -> None:
    moments = at(sandbox)
    sandbox.control("faults", faults=[{"api": ASK, "kind": "drop_answer", "times": 1}])
    with pytest.raises(AnswerLost):
        moments.ask(WORDS, MomentRange())
    (found,) = moments.find_moments(START - HOUR, START + HOUR, Origin.CORP)
    assert (found.content, found.creator) == (WORDS, "")
    assert [one.member for one in moments.read_publishing(found.moment_id)] == ["a", "b", "idle"]
