"""Setting a corp's archive up, fetching a file out of it, and forgetting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db import transaction
from django.db.models import F

from yutang.channels.archive.contracts import ArchiveFacts, ArchiveLibrary
from yutang.channels.archive.locks import private_key
from yutang.channels.archive.reading import CONTEXT, KEPT, UNOPENED
from yutang.channels.models import Archive, ArchivedMessage, ArchiveKey
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, Unavailable

KEEP = timedelta(days=180)


def open_archive(corp: str, secret: str) -> None:
    """Set a corp's archive up, or give it another secret. Where reading stands is kept. Raises BadInput."""
    if not corp or not secret:
        raise BadInput("会话存档需要企业 ID 和存档的 Secret。", "A session archive needs a corp id and its own secret.")
    with transaction.atomic():
        Archive.objects.get_or_create(corp=corp, defaults={"secret": secret})
        Archive.objects.filter(corp=corp).update(secret=secret)


def add_key(corp: str, version: int, pem: str) -> None:
    """Give the private key of a version; what it opens and waits is opened at the next reading. Raises BadInput."""
    if version < 1:
        raise BadInput("公钥版本号应为正整数。", "The key's version must be a positive whole number.")
    private_key(pem)
    with transaction.atomic():
        ArchiveKey.objects.update_or_create(corp=corp, version=version, defaults={"pem": pem})
        Archive.objects.filter(corp=corp).update(keys_changed=F("keys_changed") + 1)


def archives() -> list[ArchiveFacts]:
    """Where each corp's reading stands. (Unscoped: it names no person and no store.)"""
    found = []
    for row in Archive.objects.order_by("corp"):
        messages = ArchivedMessage.objects.filter(corp=row.corp)
        waiting = messages.filter(state=UNOPENED)
        known = set(ArchiveKey.objects.filter(corp=row.corp).values_list("version", flat=True))
        versions = set(waiting.values_list("version", flat=True).distinct())
        found.append(
            ArchiveFacts(
                row.corp,
                row.seq,
                row.read_at,
                messages.filter(state=KEPT).count(),
                waiting.count(),
                tuple(sorted(version for version in versions - known if version is not None)),
            )
        )
    return found


def secret_of(corp: str) -> str | None:
    """The secret of a corp's archive; None for a corp without one."""
    return Archive.objects.filter(corp=corp).values_list("secret", flat=True).first()


def fetch_file(library: ArchiveLibrary, file_id: str, most: int = 64 << 20) -> Iterator[bytes]:
    """A file of a message, slice by slice. Raises LibraryFailed (301048 once it is gone, after three days), and
    Unavailable where slices have no end."""
    index, read = "", 0
    while True:
        piece = library.get_media_data(file_id, index)
        read += len(piece.data)
        yield piece.data
        if piece.finished:
            return
        if read > most or piece.index == index:
            raise Unavailable("存档文件太大或没有尽头，已停止下载。", "The file is too big or has no end; stopped.")
        index = piece.index


def forget_old_messages() -> int:
    """Delete what was kept longer than `KEEP`; returns how many."""
    return ArchivedMessage.objects.filter(read_at__lt=wall_now() - KEEP).delete()[0]


def forget_messages_of(ids: Iterable[str], after: int, limit: int = 1000) -> int | None:
    """Delete those of the next kept messages in which one of these customers has a part; returns the last one looked
    at, None when there are no more. (What is still unopened is dropped when it is opened: they are erased by then.)"""
    wanted = set(ids)
    ring = keyring()
    last = None
    gone = []
    rows = ArchivedMessage.objects.filter(pk__gt=after, state=KEPT).order_by("pk").values_list("pk", "sealed")
    for last, sealed in rows[:limit]:
        if wanted & set(json.loads(ring.decrypt(bytes(sealed), CONTEXT))["customers"]):
            gone.append(last)
    ArchivedMessage.objects.filter(pk__in=gone).delete()
    return last
