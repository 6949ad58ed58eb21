"""Small files of each kind, as the platform looks at them."""

from __future__ import annotations

import struct


def png(width: int = 20, height: int = 10) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + b"\0\0\0\0"


def jpeg(width: int = 20, height: int = 10) -> bytes:
    begin = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\1\1\0\0\1\0\1\0\0"
    return begin + b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)


def mp4(seconds: float = 3.0) -> bytes:
    header = struct.pack(">IIIII", 0, 0, 0, 1000, int(seconds * 1000))
    return struct.pack(">I4s4s", 16, b"ftyp", b"isom") + bytes(4) + struct.pack(">I4s", 28, b"mvhd") + header


def amr(seconds: int = 2) -> bytes:
    return b"#!AMR\n" + (bytes([0x3C]) + bytes(31)) * (seconds * 50)  # mode 7: 31 bytes a frame of 20 ms
