"""Access tokens, kept in one place for all processes.

WeCom doc 91039: one token per app secret, valid 7,200 s, to be cached centrally since frequent fetching is throttled;
inside its life `gettoken` returns the same token; WeCom may end it early.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Protocol

from yutang.kernel.clock import Clock

MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Token:
    """A secret with its end (aware, UTC), safe to print. Whoever stores it at rest encrypts it."""

    value: str = field(repr=False)
    expires_at: datetime


class TokenStore(Protocol):
    """Where a token is kept. `lease` lets one holder at a time fetch the token of a key. `get` may answer from memory,
    but looks at what others may have written before it gives the `refused` one again."""

    def get(self, key: str, refused: str | None = None) -> Token | None: ...

    def put(self, key: str, token: Token) -> None: ...

    def lease(self, key: str) -> AbstractContextManager[object]: ...


class _Leases:
    """One lock per key, of this process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def __call__(self, key: str) -> AbstractContextManager[object]:
        with self._guard:
            return self._locks[key]


class MemoryTokenStore:
    """For one process."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._leases = _Leases()

    def get(self, key: str, refused: str | None = None) -> Token | None:
        return self._tokens.get(key)

    def put(self, key: str, token: Token) -> None:
        self._tokens[key] = token

    def lease(self, key: str) -> AbstractContextManager[object]:
        return self._leases(key)


class SharedTokenStore:
    """Keeps tokens where the composition says, by two callables.

    Without `lease` only the threads of one process queue for a fetch; two processes may then fetch at the same time,
    which costs a call and no more, because the platform gives both the same token.
    """

    def __init__(
        self,
        read: Callable[[str], Token | None],
        write: Callable[[str, Token], None],
        lease: Callable[[str], AbstractContextManager[object]] | None = None,
    ) -> None:
        self._read = read
        self._write = write
        self._lease = lease or _Leases()

    def get(self, key: str, refused: str | None = None) -> Token | None:
        return self._read(key)

    def put(self, key: str, token: Token) -> None:
        self._write(key, token)

    def lease(self, key: str) -> AbstractContextManager[object]:
        return self._lease(key)


class Tokens:
    """The current token of one app; `fetch` asks the platform and returns the token and its life in seconds."""

    def __init__(self, key: str, store: TokenStore, fetch: Callable[[], tuple[str, int]], now: Clock) -> None:
        self._key = key
        self._store = store
        self._fetch = fetch
        self._now = now

    def current(self, *, refused: str | None = None) -> str:
        """A token to use, other than the one just `refused` unless the platform insists on it."""
        known = self._known(refused)
        if known is not None:
            return known
        with self._store.lease(self._key):
            known = self._known(refused)  # somebody else may have fetched while we queued
            if known is not None:
                return known
            value, seconds = self._fetch()
            life = timedelta(seconds=seconds)
            # near its end the platform may still give the old token: a fixed margin would then fetch on every call
            self._store.put(self._key, Token(value, self._now() + life - min(MARGIN, life / 10)))
            return value

    def _known(self, refused: str | None) -> str | None:
        token = self._store.get(self._key, refused)
        usable = token is not None and token.value != refused and self._now() < token.expires_at
        return token.value if token is not None and usable else None


def token_key(corp_id: str, secret: str) -> str:
    """The key of an app's token: tells apps of a corp apart without giving the secret away."""
    return f"wecom:{corp_id}:{blake2b(secret.encode(), digest_size=12).hexdigest()}"
