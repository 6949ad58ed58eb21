"""Keeping a file: what it is, whether it is of a size and a format that platforms take."""

from __future__ import annotations

from django.db import transaction

from yutang.files.contracts import LONGEST_NAME, MIB, MOST, FileFacts, FileKind, digest_of
from yutang.files.models import KeptFile
from yutang.files.queries import file_facts
from yutang.kernel.errors import BadInput
from yutang.kernel.turns import my_turn

LEAST = 6  # bytes: WeCom takes no smaller file (doc 90253)
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_KINDS = {FileKind.IMAGE: ("图片", "picture"), FileKind.VIDEO: ("视频", "video"), FileKind.FILE: ("文件", "file")}


def keep_file(kind: FileKind, name: str, content: bytes) -> FileFacts:
    """Keep a file; the same again is the one that is there. Not inside a transaction. Raises BadInput."""
    if kind not in MOST:
        raise BadInput("只能上传图片、视频或文件。", "Only a picture, a video or a file can be uploaded.")
    zh, en = _KINDS[kind]
    name = _named(name)
    if len(content) < LEAST:
        raise BadInput(f"「{name}」是空的，请换一个{zh}。", f"“{name}” is empty; choose another {en}.")
    if len(content) > MOST[kind]:
        size = f"{len(content) / MIB:.1f}"
        raise BadInput(
            f"「{name}」有 {size} MB，{zh}最大 {MOST[kind] // MIB} MB，请压缩后再上传。",
            f"“{name}” has {size} MB; a {en} has {MOST[kind] // MIB} MB at most. Make it smaller, then try again.",
        )
    form = _form(kind, name, content)
    digest = digest_of(kind, name, content).hex()
    with my_turn(), transaction.atomic():
        KeptFile.objects.get_or_create(
            digest=digest,
            defaults={"kind": kind.value, "name": name, "type": form, "size": len(content), "content": content},
        )
    return file_facts(digest)


def _named(name: str) -> str:
    """A name without folders and signs that nobody sees, its ending kept where it is cut."""
    plain = "".join(one for one in name.replace("\\", "/").rpartition("/")[2] if one.isprintable()).strip() or "file"
    stem, dot, ending = plain.rpartition(".")
    if len(plain) <= LONGEST_NAME or not dot or len(ending) > 10:
        return plain[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def _form(kind: FileKind, name: str, content: bytes) -> str:
    """The media type, by the bytes and not by the name. Raises BadInput for a format that platforms do not take."""
    if kind is FileKind.IMAGE:
        if content.startswith(_PNG):
            return "image/png"
        if content.startswith(_JPEG):
            return "image/jpeg"
        raise BadInput(
            f"「{name}」不是 JPG 或 PNG 图片，请先转换格式。", f"“{name}” is no JPG or PNG picture; convert it first."
        )
    if kind is FileKind.VIDEO:
        if content[4:8] == b"ftyp":
            return "video/mp4"
        raise BadInput(f"「{name}」不是 MP4 视频，请先转换格式。", f"“{name}” is no MP4 video; convert it first.")
    return "application/octet-stream"
