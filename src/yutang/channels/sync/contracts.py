"""What a sync is: a kind of thing that a platform knows better than we do, read anew until we say the same.

Callbacks come late, twice, in any order, or never. So a callback is only a *hint*: it says which one thing to read
again. What no hint told of is found by the *sync* of that kind, every night, and said in figures (`Found`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.kernel.errors import Unavailable
from yutang.organisation.contracts import CorpFacts

DAILY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Found:
    """What a sync read, and of it what was not known before: what callbacks had missed.

    `note`: one thing that a person should know of it, in Chinese and in English, such as whom the platform kept silent
    about.
    """

    read: int = 0
    added: int = 0
    changed: int = 0
    ended: int = 0
    note: tuple[str, str] = ("", "")

    def __add__(self, other: Found) -> Found:
        return Found(
            self.read + other.read,
            self.added + other.added,
            self.changed + other.changed,
            self.ended + other.ended,
            other.note if any(other.note) else self.note,
        )

    @property
    def missed(self) -> int:
        """How much was not known before."""
        return self.added + self.changed + self.ended


class Progress(Protocol):
    """How a sync says how far it is: called with how many of how many (0: not known yet), now and then, outside of a
    transaction. Raises `Interrupted` when the sync is to stop here; it is then begun again later.

    A sync that does not want to begin at its beginning then keeps where it stands: `keep` in the transaction in which
    it writes a portion, with what it has found so far in all. Its next attempt finds both.
    """

    def __call__(self, done: int, total: int, /) -> None: ...

    @property
    def cursor(self) -> Mapping[str, Any]: ...

    @property
    def found(self) -> Found: ...

    @property
    def first(self) -> bool:
        """Whether none was done before: then what is found is history, and sets off nothing."""
        ...

    def keep(self, cursor: Mapping[str, Any], found: Found) -> None: ...


Sync = Callable[[CorpFacts, WeComClient, Progress], Found]
"""Reads everything of one kind, and makes it so here. Again, at once and after a death it does no harm. It may raise
`TryLater` (it is begun again then), or any other YutangError (it has failed, and its sentence is shown). A function
whose third parameter is a `Callable[[int, int], None]` is one."""

Again = Callable[[CorpFacts, WeComClient, Sequence[str]], None]
"""Reads these few things again and makes them so here. May be called for things that are gone, or were never known.
Where it raises for several, each is tried alone."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sync. It is done every night, or, where that is shorter, whenever `every` is over."""

    name: str
    zh: str
    en: str
    sync: Sync
    every: timedelta = DAILY
    channel: str = "wecom"


@dataclass(frozen=True, slots=True)
class Hinted:
    """Callbacks that are hints: those whose `Event/ChangeType` is among `on` (`Event/*`: all of an Event).

    `ref` says of a notice which thing it tells of (≤ 160 characters; empty: none). A thing that is told of again while
    its hint waits is one hint. It is read after `rest` at the earliest (the platform's own detail lags behind its
    callback), and at most `most` are read together.
    """

    kind: str
    on: frozenset[str]
    ref: Callable[[Notice], str]
    again: Again
    most: int = 20
    rest: timedelta = timedelta(seconds=2)
    channel: str = "wecom"

    def concerns(self, notice: Notice) -> bool:
        """Whether a callback is such a hint."""
        return notice.kind in self.on or f"{notice.get('Event')}/*" in self.on


@dataclass(frozen=True, slots=True)
class Connection:
    """A corp, and the one client through which everybody here speaks to it."""

    corp: CorpFacts
    client: WeComClient


Connections = Mapping[tuple[str, str], Connection]
"""The corps that can be synced, by channel and corp."""


class RunState(StrEnum):
    """WAITING to be done, or done again; DOING; DONE; FAILED until somebody changes something."""

    WAITING = "waiting"
    DOING = "doing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run of a sync. `first`: none was done before, so what it found says nothing of callbacks.

    `done` of `total` says how far it is, in the sync's own unit; `by`: who asked for it, empty: the night.
    """

    id: int
    channel: str
    corp: str
    kind: str
    state: RunState
    first: bool
    done: int
    total: int
    found: Found
    by: str
    begun_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    not_before: datetime | None
    error: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class HintCount:
    """How many hints of a kind wait, of them how many after a failure, and since when the oldest."""

    channel: str
    corp: str
    kind: str
    waiting: int
    failing: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Worked:
    """What a look at hints came to. `idle`: nothing was due."""

    done: int = 0
    put_off: int = 0
    dropped: int = 0
    idle: bool = field(default=False)


class Interrupted(Unavailable):
    """A sync is to stop here: this process ends, or another has taken the run over."""

    def __init__(self) -> None:
        super().__init__("同步被打断，稍后会接着进行。", "The sync was interrupted; it goes on later.")
