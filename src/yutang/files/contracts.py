"""What other rooms see of kept files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FileKind(StrEnum):
    """What a file is: how it is shown to whoever gets it. Platforms name them alike."""

    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"


PREFIX = "file:"
KEPT = rf"{PREFIX}[0-9a-f]{{64}}"
"""How a document names a kept file: by what is in it, so that what a version says never changes."""
MIB = 1 << 20
MOST = {FileKind.IMAGE: 10 * MIB, FileKind.VIDEO: 10 * MIB, FileKind.FILE: 19 * MIB}
"""Bytes of each kind that is kept: what WeCom takes (doc 90253), and, of files, what our own door takes in memory."""
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A kept file without its bytes. `type` is its media type; `name` is what whoever gets a FILE reads."""

    digest: str
    kind: FileKind
    name: str
    type: str
    size: int
    kept_at: datetime

    @property
    def address(self) -> str:
        """How a document names it."""
        return PREFIX + self.digest


def digest_of(kind: FileKind, name: str, content: bytes) -> bytes:
    """The same for what whoever gets it would take for the same: the name counts where it is shown."""
    shown = name.encode() if kind is FileKind.FILE else b""
    return hashlib.sha256(kind.encode() + b"\0" + shown + b"\0" + content).digest()


def digest_in(address: str) -> str:
    """The digest of the kept file that an address names; empty for an address elsewhere."""
    return address.removeprefix(PREFIX) if re.fullmatch(KEPT, address) else ""
