"""WeCom's customer Moments (客户朋友圈) behind the port: asked for by a job, published by members, read back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.ports.moments import (
    JobState,
    MomentContent,
    MomentJob,
    MomentLink,
    MomentNotReady,
    MomentRange,
    Origin,
    PlatformMoment,
    Publishing,
    Reaction,
    Reactions,
)
from yutang.channels.ports.sent import ListedSend, SendKind
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

ASK = "externalcontact/add_moment_task"
JOB = "externalcontact/get_moment_task_result"
CANCEL = "externalcontact/cancel_moment_task"
LIST = "externalcontact/get_moment_list"
TASK = "externalcontact/get_moment_task"
AUDIENCE = "externalcontact/get_moment_customer_list"
SHOWN = "externalcontact/get_moment_send_result"
COMMENTS = "externalcontact/get_moment_comments"

LIST_SPAN = timedelta(days=30)
JOB_PAUSE = timedelta(seconds=60)  # 41078: other jobs must end first, and each takes some seconds
TEXT_CHARACTERS, TEXT_BYTES, TITLE_CHARACTERS, URL_BYTES = 2_000, 4_000, 64, 2_048
PICTURES, MEMBERS = 9, 100_000

_ORIGIN = {Origin.CORP: 0, Origin.MEMBER: 1, None: 2}


class WeComMoments:
    """`MomentsPort` on WeCom docs 95094, 97612 and 93333; customers are `external_userid`s."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def ask(self, content: MomentContent, among: MomentRange) -> str:
        """`add_moment_task`: at most 10 a minute and 100,000 a month, of the whole corp."""
        body = {**_content_body(content), **_range_body(among)}
        try:
            answer = self._client.call(ASK, body=body, repeatable=False)
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.MOMENT_JOBS:
                until = self._client.now() + JOB_PAUSE
                raise TryLater(
                    ASK, until, "正在创建的朋友圈任务太多", "too many moments are being made at once"
                ) from refused
            raise
        job = answer.get("jobid")
        if not isinstance(job, str) or not job:
            raise AnswerLost(ASK, "no jobid")
        return job

    def read_job(self, job: str) -> MomentJob:
        """`get_moment_task_result`. A job that the platform no longer knows is GONE: it lives for 24 hours."""
        try:
            answer = self._client.call(JOB, params={"jobid": job})
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.BAD_PARAMETER:
                return MomentJob(job, JobState.GONE)
            raise
        if answer.get("status") in (1, 2):
            return MomentJob(job, JobState.RUNNING)
        if answer.get("status") != 3:
            raise UnexpectedAnswer(JOB, f"未知的状态 {answer.get('status')}", f"unknown status {answer.get('status')}")
        result = answer.get("result") or {}
        senders = result.get("invalid_sender_list") or {}
        customers = result.get("invalid_external_contact_list") or {}
        errcode = int(result.get("errcode") or 0)
        moment_id = str(result.get("moment_id") or "")
        if not errcode and not moment_id:
            raise UnexpectedAnswer(JOB, "没有 moment_id", "there is no moment_id")
        return MomentJob(
            job,
            JobState.FAILED if errcode else JobState.DONE,
            moment_id,
            errcode,
            tuple(map(str, senders.get("user_list") or ())),
            tuple(map(int, senders.get("department_list") or ())),
            tuple(map(str, customers.get("tag_list") or ())),
        )

    def cancel(self, moment_id: str) -> None:
        """`cancel_moment_task`."""
        with _about(moment_id):
            self._client.call(CANCEL, body={"moment_id": moment_id})

    def find_moments(self, since: datetime, until: datetime, origin: Origin | None = None) -> Sequence[PlatformMoment]:
        """`get_moment_list`, thirty days at a time. What members deleted since is not told."""
        if until < since:
            raise BadInput("查询时间段的结束早于开始。", "The span ends before it begins.")
        found: dict[str, Mapping[str, Any]] = {}
        for start, end in _spans(since, until):
            body = {"start_time": start, "end_time": end, "filter_type": _ORIGIN[origin], "limit": 20}
            rows, _ = self._client.rows(LIST, body, "moment_list", lambda row: str(row["moment_id"]))
            found.update({str(row["moment_id"]): row for row in rows})
        return sorted(map(_moment, found.values()), key=lambda one: (one.created_at, one.moment_id))

    def listed(self, since: datetime, until: datetime) -> list[ListedSend]:
        """The same as `find_moments`, as sends: the corp's, and members' own."""
        return [
            ListedSend(
                one.moment_id,
                SendKind.MOMENTS,
                one.creator,
                one.origin is Origin.MEMBER,
                one.created_at,
                one.content.text,
                repr(one.content),
            )
            for one in self.find_moments(since, until)
        ]

    def read_publishing(self, moment_id: str) -> Sequence[Publishing]:
        """`get_moment_task`."""
        with _about(moment_id):
            rows, _ = self._client.rows(
                TASK, {"moment_id": moment_id, "limit": 1000}, "task_list", lambda row: str(row["userid"])
            )
        return [Publishing(str(row["userid"]), row.get("publish_status") == 1) for row in rows]

    def read_audience(self, moment_id: str, member: str) -> Sequence[str]:
        """`get_moment_customer_list`."""
        return self._customers(AUDIENCE, moment_id, member, 1000)

    def read_shown(self, moment_id: str, member: str) -> Sequence[str]:
        """`get_moment_send_result`."""
        return self._customers(SHOWN, moment_id, member, 5000)

    def read_reactions(self, moment_id: str, member: str) -> Reactions:
        """`get_moment_comments`, which gives everything at once."""
        try:
            with _about(moment_id):
                answer = self._client.call(COMMENTS, body={"moment_id": moment_id, "userid": member})
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.MOMENT_NOT_PUBLISHED:
                return Reactions((), ())
            raise
        return Reactions(*(tuple(map(_reaction, answer.get(name) or ())) for name in ("like_list", "comment_list")))

    def _customers(self, api: str, moment_id: str, member: str, limit: int) -> Sequence[str]:
        body = {"moment_id": moment_id, "userid": member, "limit": limit}
        try:
            with _about(moment_id):
                # The platform's own example has spaces after an id.
                rows, _ = self._client.rows(api, body, "customer_list", lambda row: str(row["external_userid"]).strip())
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.MOMENT_NOT_PUBLISHED:
                return []
            raise
        return [str(row["external_userid"]).strip() for row in rows]


@contextmanager
def _about(moment_id: str) -> Iterator[None]:
    """41079 of any call about a moment means that the platform is still handing it out."""
    try:
        yield
    except RefusedByPlatform as refused:
        if refused.errcode == errcodes.MOMENT_BEING_HANDED_OUT:
            raise MomentNotReady(moment_id) from refused
        raise


def _content_body(content: MomentContent) -> dict[str, Any]:
    """The content's part of a body, refused here where the platform would refuse it."""
    kinds = [bool(content.pictures), bool(content.video), content.link is not None]
    if not content.text and not any(kinds):
        raise BadInput("朋友圈内容是空的。", "The moment is empty.")
    if sum(kinds) > 1:
        raise BadInput(
            "一条朋友圈只能配图片、视频、链接中的一种。",
            "A moment takes pictures, or a video, or a link: only one of them.",
        )
    size = len(content.text.encode())
    if len(content.text) > TEXT_CHARACTERS or size > TEXT_BYTES:
        raise BadInput(
            f"文案有 {len(content.text)} 个字、{size} 字节，平台上限是 {TEXT_CHARACTERS} 个字和 {TEXT_BYTES} 字节。",
            f"The text is {len(content.text)} characters and {size} bytes long; the platform takes {TEXT_CHARACTERS} "
            f"and {TEXT_BYTES}.",
        )
    if len(content.pictures) > PICTURES:
        raise BadInput(
            f"最多配 {PICTURES} 张图片，现有 {len(content.pictures)} 张。",
            f"A moment takes {PICTURES} pictures at most and has {len(content.pictures)}.",
        )
    attachments: list[dict[str, Any]] = [_attachment("image", media_id=one) for one in content.pictures]
    if content.video:
        attachments.append(_attachment("video", media_id=content.video))
    if content.link is not None:
        attachments.append(_link(content.link))
    text = {"text": {"content": content.text}} if content.text else {}
    return {**text, **({"attachments": attachments} if attachments else {})}


def _link(link: MomentLink) -> dict[str, Any]:
    if not link.url or not link.cover:
        raise BadInput("朋友圈的链接缺少地址或封面。", "The moment's link lacks its address or its cover.")
    if len(link.title) > TITLE_CHARACTERS or len(link.url.encode()) > URL_BYTES:
        raise BadInput(
            f"链接标题最多 {TITLE_CHARACTERS} 个字，地址最多 {URL_BYTES} 字节。",
            f"A link's title takes {TITLE_CHARACTERS} characters and its address {URL_BYTES} bytes.",
        )
    return _attachment("link", title=link.title, url=link.url, media_id=link.cover)


def _attachment(kind: str, **fields: str) -> dict[str, Any]:
    return {"msgtype": kind, kind: {name: value for name, value in fields.items() if value}}


def _range_body(among: MomentRange) -> dict[str, Any]:
    """Empty objects are refused (40063), so what is not said is left out whole."""
    if len(among.members) > MEMBERS:
        raise BadInput(f"一条朋友圈最多指定 {MEMBERS} 位成员。", f"A moment names {MEMBERS} members at most.")
    senders: dict[str, Any] = {}
    if among.members:
        senders["user_list"] = list(among.members)
    if among.departments:
        senders["department_list"] = list(among.departments)
    ranges: dict[str, Any] = {"sender_list": senders} if senders else {}
    if among.tags:
        ranges["external_contact_list"] = {"tag_list": list(among.tags)}
    return {"visible_range": ranges} if ranges else {}


def _moment(row: Mapping[str, Any]) -> PlatformMoment:
    created_at = instant(row.get("create_time"))
    if created_at is None:
        raise UnexpectedAnswer(LIST, "朋友圈没有创建时间", "a moment has no create_time")
    link = row.get("link") or {}
    return PlatformMoment(
        str(row["moment_id"]),
        Origin.MEMBER if row.get("create_type") == 1 else Origin.CORP,
        str(row.get("creator") or ""),
        created_at,
        row.get("visible_type") == 1,
        MomentContent(
            str((row.get("text") or {}).get("content", "")),
            tuple(str(one.get("media_id", "")) for one in row.get("image") or ()),
            str((row.get("video") or {}).get("media_id", "")),
            MomentLink(str(link.get("title", "")), str(link.get("url", "")), "") if link else None,
        ),
    )


def _reaction(row: Mapping[str, Any]) -> Reaction:
    at = instant(row.get("create_time"))
    who = str(row.get("external_userid") or row.get("userid") or "").strip()
    if at is None or not who:
        raise UnexpectedAnswer(COMMENTS, "互动缺少人或时间", "a reaction lacks who or when")
    return Reaction(who, at, not row.get("external_userid"))


def _spans(since: datetime, until: datetime) -> Iterator[tuple[int, int]]:
    """The span in pieces that the platform takes, as Unix seconds, rounded outward without exceeding thirty days."""
    start = since
    while True:
        end = min(start + LIST_SPAN - timedelta(seconds=2), until)
        yield math.floor(start.timestamp()), math.ceil(end.timestamp())
        if end >= until:
            return
        start = end
