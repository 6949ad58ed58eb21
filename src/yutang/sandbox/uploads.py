"""What comes as a file: taken out of a multipart body, and looked at as far as the platform does."""

from __future__ import annotations

import re
import struct

from yutang.sandbox.wire import PlatformError, Upload

_BOUNDARY = re.compile(r'boundary="?([^";]{1,70})"?')
_FIELD = re.compile(rb'[; ]name="?media"?(?:[;\r ]|$)')
_NAME = re.compile(rb'filename="((?:[^"\\]|\\.)*)"')
_FRAMES = (12, 13, 15, 17, 19, 20, 26, 31, 5)  # bytes of an AMR frame of 20 ms by its mode (RFC 4867)


def read_upload(kind: str, body: bytes) -> Upload:
    """The field `media` of a multipart body. 41005 where there is none."""
    boundary = _BOUNDARY.search(kind)
    if not kind.startswith("multipart/form-data") or boundary is None:
        raise PlatformError(41005)
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, parted, content = part.partition(b"\r\n\r\n")
        if parted and _FIELD.search(head):
            name = _NAME.search(head)
            return Upload(name[1].decode("utf-8", "replace") if name else "media", content.removesuffix(b"\r\n"))
    raise PlatformError(41005)


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG in pixels; None for what is neither."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR":
        return struct.unpack(">II", content[16:24])
    if content[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        mark = content[at + 1]
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None


def is_picture(content: bytes) -> bool:
    """Whether it is a JPEG or PNG, by how it begins."""
    return content[:2] == b"\xff\xd8" or content[:8] == b"\x89PNG\r\n\x1a\n"


def is_video(content: bytes) -> bool:
    """Whether it is an MP4, by how it begins."""
    return content[4:8] == b"ftyp"


def video_seconds(content: bytes) -> float | None:
    """How long an MP4 plays, by its movie header; None where it has none."""
    at = content.find(b"mvhd")
    wide = at >= 0 and content[at + 4 : at + 5] == b"\x01"
    scale, length = (at + 24, 8) if wide else (at + 16, 4)
    head = content[scale : scale + 4 + length]
    if at < 0 or len(head) < 4 + length or not any(head[:4]):
        return None
    return int.from_bytes(head[4:], "big") / int.from_bytes(head[:4], "big")


def voice_seconds(content: bytes) -> float | None:
    """How long an AMR plays; None for what is none."""
    if not content.startswith(b"#!AMR\n"):
        return None
    at, frames = 6, 0
    while at < len(content):
        mode = content[at] >> 3 & 0x0F
        at += 1 + (_FRAMES[mode] if mode < len(_FRAMES) else 0)
        frames += 1
    return frames / 50
