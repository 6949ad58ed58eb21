"""Setting a session archive up, step by step, by the owner: what is there, what is missing, and what is to be given."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from yutang.channels.archive import services
from yutang.channels.archive.contracts import ArchiveFacts
from yutang.channels.archive.native import SETTING
from yutang.channels.models import ArchiveKey
from yutang.channels.sync.contracts import RunFacts
from yutang.channels.sync.queries import last_runs
from yutang.kernel.errors import NotFound, Refused
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import corps
from yutang.organisation.services import audit

WECOM = "wecom"
KIND = "archive"
"""How its sync is called."""


@dataclass(frozen=True, slots=True)
class ArchiveStanding:
    """What a corp's archive has. `facts` None: no secret was given yet. `keys`: the versions whose private key is here.
    `library`: the file that `YUTANG_ARCHIVE_LIBRARY` names, empty where it names none; WeCom gives it to whoever has an
    archive, and it cannot be passed on. `last`: its last reading: of what was seen, only what customers agreed to, and
    what was said with customers at all, was kept."""

    corp: str
    facts: ArchiveFacts | None
    keys: tuple[int, ...]
    library: str
    library_there: bool
    last: RunFacts | None

    @property
    def ready(self) -> bool:
        """Whether anything can be read."""
        return self.facts is not None and bool(self.keys) and self.library_there


def standing(viewer: Viewer, corp: str) -> ArchiveStanding:
    """How a corp's archive stands. Raises Refused for all but the owner, NotFound for a corp that is not connected."""
    _of(viewer, corp)
    facts = next((one for one in services.archives() if one.corp == corp), None)
    keys = ArchiveKey.objects.filter(corp=corp).order_by("version").values_list("version", flat=True)
    runs = [one for one in last_runs(viewer) if (one.corp, one.kind) == (corp, KIND)]
    library = os.environ.get(SETTING, "")
    there = bool(library) and Path(library).is_file()
    return ArchiveStanding(corp, facts, tuple(keys), library, there, runs[0] if runs else None)


def keep_secret(viewer: Viewer, corp: str, secret: str) -> None:
    """Set the archive up, or give it another secret. Raises BadInput, and as `standing`."""
    _of(viewer, corp)
    services.open_archive(corp, secret.strip())
    audit(viewer, "archive_secret", corp)


def keep_key(viewer: Viewer, corp: str, version: int, pem: str) -> None:
    """Keep the private key of a version; what waits for it is opened at the next reading. Raises BadInput, and as
    `standing`."""
    _of(viewer, corp)
    services.add_key(corp, version, pem)
    audit(viewer, "archive_key", corp, version=version)


def _of(viewer: Viewer, corp: str) -> None:
    if viewer.role is not RoleName.OWNER or not viewer.sees_all:
        raise Refused("会话存档由所有者设置。", "The session archive is set up by the owner.")
    if not any((one.channel, one.corp) == (WECOM, corp) for one in corps()):
        raise NotFound(f"没有连接企业「{corp[:64]}」。", f"The corp “{corp[:64]}” is not connected.")
