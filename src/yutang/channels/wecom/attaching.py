"""What stands beside a text, as WeCom takes it and tells it again (docs 92135, 92137, 92366, 93338)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from yutang.channels.contracts import (
    Attached,
    AttachedKind,
    CannotCarry,
    Link,
    MessageContent,
    RefusedByPlatform,
    TryLater,
)
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.media import UPLOAD, StoredFile, WeComMedia
from yutang.files.contracts import FileKind
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput, NotFound

AGAIN = timedelta(minutes=1)
LINK_BYTES = {"title": 128, "url": 2048, "summary": 512, "picture_url": 2048}
CARD_BYTES = {"title": 64, "appid": 128, "page": 1024}
_FILES = {
    AttachedKind.IMAGE: FileKind.IMAGE,
    AttachedKind.MINI_PROGRAM: FileKind.IMAGE,
    AttachedKind.VIDEO: FileKind.VIDEO,
    AttachedKind.FILE: FileKind.FILE,
}


class WeComAttaching:
    """The bodies of what one corp sends, with the ids under which it holds our files."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._media = WeComMedia(client, client.corp)

    def make_ready(self, content: MessageContent) -> None:
        """Upload what is not there, or would not be there any more at the end of its permit."""
        until = content.permit.until if content.permit else None
        lasts = max(until - business_now(), timedelta(0)) if until is not None else timedelta(0)
        for one in content.attached:
            try:
                self._media.media_id(_file(one), lasts=lasts)
            except NotFound as gone:
                raise CannotCarry(gone.zh, gone.en) from gone

    def said(self, content: MessageContent) -> dict[str, Any]:
        """A message's part of a body. Empty objects are refused (40063), so they are left out. Raises TryLater for a
        file that is not at the platform."""
        body: dict[str, Any] = {"text": {"content": content.text}} if content.text else {}
        parts = [self._part(one) for one in content.attached if one.kind is AttachedKind.IMAGE]
        parts += [{"msgtype": "link", "link": link_body(link)} for link in content.links]
        parts += [self._part(one) for one in content.attached if one.kind is not AttachedKind.IMAGE]
        return {**body, "attachments": parts} if parts else body

    @contextmanager
    def known_to_the_platform(self, body: Mapping[str, Any], api: str) -> Iterator[None]:
        """A call that names files. Where the platform knows one no more although it had promised to (40007), those that
        are not brand new are forgotten, and it is tried again later with new ones. Raises TryLater."""
        try:
            yield
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.BAD_MEDIA and self._media.disown(_handles(body)):
                until = self._client.now() + AGAIN
                raise TryLater(
                    api, until, "素材已失效，要重新上传", "a file has expired and is uploaded anew"
                ) from refused
            raise

    def _part(self, one: Attached) -> dict[str, Any]:
        handle = self._media.held(_file(one))
        if not handle:
            until = self._client.now() + AGAIN
            raise TryLater(UPLOAD, until, "素材还没有上传到平台", "a file is not at the platform yet")
        if one.kind is AttachedKind.MINI_PROGRAM:
            card = {"title": one.title, "pic_media_id": handle, "appid": one.appid, "page": one.page}
            return {"msgtype": one.kind.value, one.kind.value: card}
        return {"msgtype": one.kind.value, one.kind.value: {"media_id": handle}}


def in_a_chat(content: MessageContent, media: WeComMedia | None) -> list[dict[str, Any]]:
    """A content as calls of `sendChatMessage` (doc 94352), which sends one thing at a time. Uploads what is not at the
    platform yet, for which `media` is needed; raises as `WeComMedia.media_id` does."""
    calls: list[dict[str, Any]] = []
    if content.text:
        calls.append({"msgtype": "text", "text": {"content": content.text}})
    for one in content.attached:
        assert media is not None
        calls.append(_said(one, media))
    for link in content.links:
        news = {"link": link.url, "title": link.title, "desc": link.summary, "imgUrl": link.picture_url}
        calls.append({"msgtype": "news", "news": news})
    return calls


def to_share(content: MessageContent, media: WeComMedia) -> list[dict[str, Any]]:
    """What stands beside a text as attachments of `shareToExternalContact` (doc 93562). Raises CannotCarry for a file,
    which that call does not know."""
    parts: list[dict[str, Any]] = []
    for one in content.attached:
        if one.kind is AttachedKind.FILE:
            raise CannotCarry(
                f"「{one.title}」是文件，不能直接发给这位，请在聊天侧边栏里发。",
                f"“{one.title}” is a file, which cannot go along here; send it beside the chat.",
            )
        parts.append(_said(one, media))
    for link in content.links:
        card = {"title": link.title, "imgUrl": link.picture_url, "desc": link.summary, "url": link.url}
        parts.append({"msgtype": "link", "link": card})
    return parts


def _said(one: Attached, media: WeComMedia) -> dict[str, Any]:
    """One attachment as both calls of the client take it."""
    if one.kind is AttachedKind.MINI_PROGRAM:
        return {"msgtype": "miniprogram", "miniprogram": _card_of(one, media)}
    return {"msgtype": one.kind.value, one.kind.value: {"mediaid": media.media_id(_file(one))}}


def _card_of(one: Attached, media: WeComMedia) -> dict[str, str]:
    """A mini program's card as the client takes it: its cover by an address that lasts."""
    return {"appid": one.appid, "title": one.title, "imgUrl": media.picture_address(_file(one)), "page": one.page}


def check_parts(content: MessageContent, most: int) -> None:
    """Refuse here what the platform would refuse of what stands beside a text."""
    count = len(content.links) + len(content.attached)
    if count > most:
        raise BadInput(
            f"图片、卡片、视频和文件最多 {most} 个，现有 {count} 个。",
            f"A message takes {most} pictures, cards, videos and files at most and has {count}.",
        )
    for link in content.links:
        if not link.title or not link.url:
            raise BadInput("链接缺少标题或地址。", "A link lacks its title or address.")
        _check_bytes(link, LINK_BYTES, "链接", "link")
    for one in content.attached:
        if one.kind is AttachedKind.MINI_PROGRAM:
            if not (one.title and one.appid and one.page):
                raise BadInput(
                    "小程序卡片缺少标题、AppID 或页面。", "A mini program's card lacks its title, id or page."
                )
            _check_bytes(one, CARD_BYTES, "小程序卡片", "mini program's card")


def link_body(link: Link) -> dict[str, str]:
    """A link card as WeCom takes it."""
    body = {"title": link.title, "url": link.url, "desc": link.summary, "picurl": link.picture_url}
    return {key: value for key, value in body.items() if value}


def told(parts: Sequence[Mapping[str, Any]]) -> tuple[tuple[Link, ...], tuple[Attached, ...]]:
    """The links and the rest of what the platform lists of a message. Ids of files say nothing: they are others than
    those that were sent as soon as a file was uploaded anew."""
    links, attached = [], []
    for part in parts:
        kind = part.get("msgtype")
        said = part.get(str(kind)) or {}
        if kind == "link":
            links.append(Link(said.get("title", ""), said.get("url", ""), said.get("desc", ""), said.get("picurl", "")))
        elif kind == AttachedKind.MINI_PROGRAM:
            card = (said.get("title", ""), said.get("appid", ""), said.get("page", ""))
            attached.append(Attached(AttachedKind.MINI_PROGRAM, "", *card))
        elif kind in list(AttachedKind):
            attached.append(Attached(AttachedKind(kind)))
    return tuple(links), tuple(attached)


def _file(one: Attached) -> StoredFile:
    if not one.file:
        raise CannotCarry(
            "企业微信只能发已上传的图片、视频和文件，不能发网址上的：请到内容库上传。",
            "WeCom sends pictures, videos and files that were uploaded, and none that stands at an address: upload it "
            "in the library.",
        )
    return StoredFile(_FILES[one.kind], one.file)


def _handles(body: Mapping[str, Any]) -> list[str]:
    parts = [part.get(part["msgtype"]) or {} for part in body.get("attachments") or []]
    return [part[name] for part in parts for name in ("media_id", "pic_media_id") if part.get(name)]


def _check_bytes(part: object, limits: Mapping[str, int], zh: str, en: str) -> None:
    for name, most in limits.items():
        size = len(str(getattr(part, name)).encode())
        if size > most:
            raise BadInput(
                f"{zh}的 {name} 有 {size} 字节，平台上限是 {most} 字节。",
                f"A {en}'s {name} is {size} bytes long and the platform takes {most}.",
            )
