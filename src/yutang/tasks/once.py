"""What is recorded on a phone happens once, however often it arrives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from yutang.kernel.errors import Refused
from yutang.kernel.failpoints import failpoint
from yutang.organisation.contracts import Viewer
from yutang.tasks.models import Recorded


def once(viewer: Viewer, key: str, kind: str, at: datetime, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do what a phone recorded under `key`, in one transaction with the note that it was done; answers with what `act`
    answered. The same key again does nothing and answers as it did the first time. What `act` raises leaves no note.

    Raises Refused for a key under which somebody else, or something else, was recorded.
    """
    with transaction.atomic():
        try:
            with transaction.atomic():
                row = Recorded.objects.create(id=key, who=viewer.name, kind=kind, at=at)
        except IntegrityError:  # on PostgreSQL only after the first one's transaction ended
            before = Recorded.objects.get(pk=key)
            if (before.who, before.kind) != (viewer.name, kind):
                raise Refused("这个编号已经用过。", "This id was used for something else.") from None
            return dict(before.answer)
        row.answer = act()
        row.save(update_fields=["answer"])
        failpoint("phone.before_commit")
        return dict(row.answer)
