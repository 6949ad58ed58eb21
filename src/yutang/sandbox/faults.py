"""Faults on demand, and the platform's limits on calls (WeCom doc 90312). In memory: a restart forgets them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from yutang.kernel.ids import draw, salt
from yutang.sandbox.contracts import bad
from yutang.sandbox.store import Settings
from yutang.sandbox.wire import PlatformError

#: drop_answer: the act is done, the connection closes without its answer. latency: `seconds` before the act.
#: refuse: `errcode` before the act; 45009 then blocks that call for `seconds` (default 60).
#: lose, duplicate: of events posted, and of callbacks (api `callback`), where latency lets the next ones overtake.
KINDS = ("drop_answer", "latency", "refuse", "lose", "duplicate")
MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: on which call (`externalcontact/list` …, `events`, or `*` for every platform call), how often.

    `times` counts down (None: for ever); `probability` is drawn per call, the same in every run.
    """

    api: str
    kind: str
    times: int | None = None
    probability: float = 1.0
    errcode: int = -1
    seconds: float = 0.0


class Faults:
    """The faults set now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: Counter[str] = Counter()

    def set(self, faults: Sequence[Fault]) -> None:
        """Replace all faults."""
        with self._lock:
            self._faults = list(faults)

    def all(self) -> list[Fault]:
        """The faults that still act."""
        with self._lock:
            return list(self._faults)

    def take(self, api: str) -> Fault | None:
        """The fault that strikes this call, if any; it is used up by one."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.api != api and (fault.api != "*" or api in ("events", "callback")):
                    continue
                if fault.times == 0:
                    continue
                self._seen[api] += 1
                if draw(self._seen[api], salt("fault", api, fault.kind)) >= fault.probability:
                    continue
                if fault.times is not None:
                    self._faults[index] = replace(fault, times=fault.times - 1)
                return fault
        return None


def read_faults(body: object) -> list[Fault]:
    """Faults from JSON. Raises BadInput."""
    rows = body.get("faults") if isinstance(body, Mapping) else None
    if not isinstance(rows, list):
        raise bad("faults", "应为列表", "must be a list")
    faults = []
    for index, row in enumerate(rows):
        where = f"faults[{index}]"
        if not isinstance(row, Mapping):
            raise bad(where, "应为对象", "must be an object")
        try:
            fault = Fault(**row)
        except TypeError:
            raise bad(where, "字段不对", "takes api, kind, times, probability, errcode, seconds") from None
        numbers = (fault.probability, fault.errcode, fault.seconds, fault.times or 0)
        if (
            fault.kind not in KINDS
            or not isinstance(fault.api, str)
            or not all(isinstance(n, int | float) for n in numbers)
        ):
            raise bad(f"{where}.kind", f"应为 {'、'.join(KINDS)} 之一", f"must be one of {', '.join(KINDS)}")
        faults.append(fault)
    return faults


class Limits:
    """Calls per minute and hour of each API, the block after exceeding them, and how many are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int, int]] = Counter()
        self._blocked: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()

    def count(self, api: str, settings: Settings, wall: float) -> None:
        """Count a call. Beyond a limit, or inside the block that follows it, 45009; refused calls count too."""
        with self._lock:
            if wall < self._blocked.get(api, 0.0):
                raise PlatformError(45009)
            for length, most in ((MINUTE, settings.per_minute), (HOUR, settings.per_hour)):
                window = (api, length, int(wall // length))
                self._counts[window] += 1
                if self._counts[window] > most:
                    self._blocked[api] = wall + length
                    raise PlatformError(45009)
            if len(self._counts) > 1000:
                self._counts = Counter({key: n for key, n in self._counts.items() if (key[2] + 2) * key[1] > wall})

    def block(self, api: str, until: float) -> None:
        """Block one API until a wall-clock second."""
        with self._lock:
            self._blocked[api] = until

    def unblock(self) -> None:
        """Lift every block."""
        with self._lock:
            self._blocked.clear()
            self._counts.clear()

    @contextmanager
    def under_way(self, api: str, most: int, beyond: int = 45033) -> Iterator[None]:
        """Hold one of the `most` places of an API; none free → `beyond`."""
        with self._lock:
            if self._under_way[api] >= most:
                raise PlatformError(beyond)
            self._under_way[api] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[api] -= 1

    def note(self, api: str, code: int) -> None:
        """Count an answer by its errcode."""
        with self._lock:
            self.answers[api, code] += 1
