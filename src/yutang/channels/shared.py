"""What all processes of this installation share of their talk with a platform: tokens, and the calls that it blocks.

Both stand in the operational store, tokens sealed. A token is fetched by one at a time; whoever waited for it finds it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta

from django.db import IntegrityError, transaction

from yutang.channels.models import PlatformBlock, PlatformToken
from yutang.channels.wecom.pacing import Block
from yutang.channels.wecom.tokens import Token
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.database import borrowed, one_by_one

KEPT = timedelta(days=7)  # a secret that was replaced leaves its token behind
FRESH = 1.0  # seconds for which what others met need not be known


class DatabaseTokens:
    """`TokenStore` in the operational store. A token in memory is used until it ends or the platform refuses it."""

    def __init__(self) -> None:
        self._memory: dict[str, Token] = {}

    def get(self, key: str, refused: str | None = None) -> Token | None:
        known = self._memory.get(key)
        if known is not None and known.value != refused and wall_now() < known.expires_at:
            return known
        with borrowed():
            row = PlatformToken.objects.filter(key=key).first()
        if row is None:
            return None
        self._memory[key] = Token(row.value or "", row.expires_at)
        return self._memory[key]

    def put(self, key: str, token: Token) -> None:
        with borrowed():
            fields = {"value": token.value, "expires_at": token.expires_at}
            PlatformToken.objects.update_or_create(key=key, defaults=fields)
            PlatformToken.objects.filter(expires_at__lt=wall_now() - KEPT).delete()
        self._memory[key] = token

    def lease(self, key: str) -> AbstractContextManager[object]:
        return one_by_one(f"token {key}")


class DatabaseBlocks:
    """`Blocks` of one corp at one address in the operational store, read again after a second."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._known: Mapping[str, Block] = {}

    def read(self) -> Mapping[str, Block]:
        with self._lock:
            if monotonic() - self._read_at > FRESH:
                with borrowed():
                    rows = list(PlatformBlock.objects.filter(scope=self._scope))
                self._known = {row.api: Block(row.until, row.strikes) for row in rows}
                self._read_at = monotonic()
            return self._known

    def put(self, api: str, block: Block) -> None:
        fields = {"until": block.until, "strikes": block.strikes}
        with borrowed():
            mine = PlatformBlock.objects.filter(scope=self._scope, api=api)
            if not mine.filter(until__lt=block.until).update(**fields):
                try:
                    with transaction.atomic():
                        PlatformBlock.objects.create(scope=self._scope, api=api, **fields)
                except IntegrityError:  # another process has met it too, and its block lasts longer
                    pass
        self._forget()

    def drop(self, api: str) -> None:
        with borrowed():
            PlatformBlock.objects.filter(scope=self._scope, api=api, until__lte=wall_now()).delete()
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._read_at = float("-inf")
