"""The corps in one sandbox: each a world of its own, in a file of its own, with its own clock, people and limits.

The first is the one that `/control/seed` makes; every other is named by `?corp=` at a control door. They share the
addresses that call: whoever insists on bad secrets is banned from all (WeCom doc 91039).
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from yutang.kernel.clock import wall_now
from yutang.kernel.errors import NotFound
from yutang.sandbox.callbacks import Postman, Receiver
from yutang.sandbox.contracts import bad
from yutang.sandbox.engine import Engine
from yutang.sandbox.faults import Callers, Faults, Limits
from yutang.sandbox.outbox import Outbox
from yutang.sandbox.store import FILE, Store, find_settings
from yutang.sandbox.tokens import check_token
from yutang.sandbox.wire import PlatformError

_NAMES = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class World:
    """One corp. `name` is the id it must have, empty for the first."""

    name: str
    store: Store
    engine: Engine
    faults: Faults
    limits: Limits
    postman: Postman

    @property
    def corp(self) -> str | None:
        """Its id; None before it was seeded."""
        with self.store.read() as con:
            settings = find_settings(con)
        return settings.corp_id if settings is not None else None


def _file(name: str) -> str:
    return f"sandbox.{name}.sqlite3"


class Worlds:
    """Opens the corps' files in a directory. Secrets of receivers are kept in memory only."""

    def __init__(
        self, directory: Path, events_url: str | None, events_token: str, receiver: Receiver | None = None
    ) -> None:
        self._directory = directory
        self._outbox: Callable[[Store, Faults], Outbox] = lambda store, faults: Outbox(
            store, events_url, events_token, faults
        )
        self._lock = threading.Lock()
        self._by_token: dict[str, World] = {}
        self.callers = Callers()
        self.first = self._open("", receiver)
        names = [path.name.removeprefix("sandbox.").removesuffix(".sqlite3") for path in directory.glob(_file("*"))]
        self._others = {name: self._open(name) for name in sorted(names)}

    def _open(self, name: str, receiver: Receiver | None = None) -> World:
        store, faults = Store(self._directory, _file(name) if name else FILE), Faults()
        postman = Postman(store, faults, receiver)
        engine = Engine(store, self._outbox(store, faults), postman)
        return World(name, store, engine, faults, Limits(self.callers), postman)

    def all(self) -> list[World]:
        """Every corp, the first one first."""
        with self._lock:
            return [self.first, *self._others.values()]

    def named(self, corp: str, *, make: bool = False) -> World:
        """The world of a corp; the first for an empty name, or while it is empty itself. With `make`, one that is not
        there is opened, empty.

        Raises NotFound, or BadInput for a name that no corp can have.
        """
        if not corp or self.first.corp in (None, corp):
            return self.first
        if not _NAMES.fullmatch(corp):
            raise bad("corp", "应为字母、数字、- 或 _，至多 64 位", "takes letters, digits, - and _, at most 64")
        with self._lock:
            if corp not in self._others:
                if not make:
                    raise NotFound(f"沙盒里没有企业「{corp}」。", f"There is no corp “{corp}” in the sandbox.")
                self._others[corp] = self._open(corp)
            return self._others[corp]

    def of_corp(self, corp: str) -> World:
        """The world that `gettoken` names; the first one, to refuse it, where nobody knows it."""
        return next((world for world in self.all() if world.corp == corp), self.first)

    def of_token(self, token: str) -> World:
        """The world whose token it is; the first one, to refuse it, where nobody knows it."""
        known = self._by_token.get(token)
        if known is not None:
            return known
        worlds = self.all()
        for world in worlds if len(worlds) > 1 and token else ():
            try:
                with world.store.read() as con:
                    check_token(con, token, wall_now().timestamp())
            except PlatformError as refused:
                if refused.code != 42001:
                    continue
            if len(self._by_token) > 1000:
                self._by_token.clear()
            self._by_token[token] = world
            return world
        return self.first

    def advance(self, to: datetime) -> dict[str, object]:
        """Move every corp's clock; counters are summed."""
        told = [world.engine.advance(to) for world in self.all() if world.corp is not None or world is self.first]
        summed: Counter[str] = Counter()
        for one in told:
            summed.update({name: value for name, value in one.items() if isinstance(value, int)})
        soonest = min((str(one["next_at"]) for one in told if one["next_at"]), default=None)
        return {**told[0], **summed, "next_at": soonest}

    def close(self) -> None:
        """Stop posting and close the files."""
        for world in self.all():
            world.postman.close()
            world.store.close()
