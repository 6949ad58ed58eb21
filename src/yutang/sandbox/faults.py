"""Faults on demand, and the platform's limits on calls (WeCom doc 90312). In memory: a restart forgets them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from yutang.kernel.calendars import day_start, zone
from yutang.kernel.ids import draw, salt
from yutang.sandbox.contracts import bad
from yutang.sandbox.store import Settings
from yutang.sandbox.wire import PlatformError

#: drop_answer: the act is done, the connection closes without its answer. latency: `seconds` before the act.
#: refuse: `errcode` before the act; 45009 then blocks that call for `seconds` (default 60).
#: lose, duplicate: of events posted, and of callbacks (api `callback`), where latency lets the next ones overtake.
KINDS = ("drop_answer", "latency", "refuse", "lose", "duplicate")
MINUTE, HOUR, DAY = 60, 3600, 86_400
WINDOWS = ("minute", "hour", "day", "month")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: on which call (`externalcontact/list` …, `events`, `*` for every platform call, `kf/*` for those that
    begin so), how often.

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
                if fault.api != api and not _covers(fault.api, api):
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


def _covers(pattern: str, api: str) -> bool:
    return pattern.endswith("*") and api.startswith(pattern[:-1]) and api not in ("events", "callback")


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


@dataclass(slots=True)
class Use:
    """How much of one window of an API is used: `most` calls may be made in it."""

    api: str
    window: str
    used: int
    most: int


class Callers:
    """What one source address has done, to any corp: its calls (20,000 a minute and 600,000 an hour of each API, WeCom
    doc 90312) and its bad secrets, which get it banned from `gettoken` for an hour (doc 91039; after how many is not
    documented)."""

    BAD_SECRETS = 10
    MOST = ((MINUTE, 20_000), (HOUR, 600_000))

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, int, int]] = Counter()
        self._bad: dict[str, list[float]] = {}
        self._banned: dict[str, float] = {}

    def count(self, caller: str, api: str, wall: float) -> None:
        """Count a call of an address. Beyond the limit 45009 until the window ends."""
        with self._lock:
            for length, most in self.MOST:
                window = (caller, api, length, int(wall // length))
                self._counts[window] += 1
                if self._counts[window] > most:
                    raise PlatformError(45009)
            if len(self._counts) > 1000:
                self._counts = Counter({key: n for key, n in self._counts.items() if (key[3] + 1) * key[2] > wall})

    def let_in(self, caller: str, wall: float) -> None:
        """Refuse a banned address, whatever secret it brings."""
        with self._lock:
            if wall < self._banned.get(caller, 0.0):
                raise PlatformError(45009)

    def bad_secret(self, caller: str, wall: float) -> None:
        """One more bad secret within an hour."""
        with self._lock:
            recent = [at for at in self._bad.get(caller, []) if at > wall - HOUR] + [wall]
            self._bad[caller] = recent
            if len(recent) >= self.BAD_SECRETS:
                self._banned[caller] = wall + HOUR
                self._bad[caller] = []

    def pardon(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts.clear()
            self._bad.clear()
            self._banned.clear()


class Limits:
    """Calls per minute, hour, day and month of each API, the block after exceeding them, and what is under way."""

    def __init__(self, callers: Callers | None = None) -> None:
        self.callers = callers or Callers()
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._blocked: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()
        self._quotas: dict[str, dict[str, int]] = {}
        self._known: dict[str, Mapping[str, int]] = {}
        self.answers: Counter[tuple[str, int]] = Counter()

    def count(self, api: str, settings: Settings, wall: float, quota: Mapping[str, int] | None = None) -> None:
        """Count a call. Beyond a limit, or inside the block that follows it, 45009; refused calls count too.

        `quota` is what the call says of itself, per window; every call has the corp's minute and hour (doc 90312).
        """
        with self._lock:
            if wall < self._blocked.get(api, 0.0):
                raise PlatformError(45009)
            most = {
                "minute": settings.per_minute,
                "hour": settings.per_hour,
                **(quota or {}),
                **self._quotas.get(api, {}),
            }
            self._known[api] = most
            for name, limit in most.items():
                window = (api, name, _window(name, wall, settings.zone)[0])
                self._counts[window] += 1
                if self._counts[window] > limit:
                    self._blocked[api] = _window(name, wall, settings.zone)[1]
                    raise PlatformError(45009)
            if len(self._counts) > 1000:
                self._counts = Counter(
                    {key: n for key, n in self._counts.items() if key[2] == _window(key[1], wall, settings.zone)[0]}
                )

    def set_quotas(self, quotas: Mapping[str, dict[str, int]]) -> None:
        """Replace the limits that a person set for single APIs."""
        with self._lock:
            self._quotas = dict(quotas)

    def uses(self, settings: Settings, wall: float) -> list[Use]:
        """The windows that are open now, the fullest first."""
        with self._lock:
            found = [
                Use(api, name, used, self._known[api][name])
                for (api, name, number), used in self._counts.items()
                if name in self._known.get(api, {}) and number == _window(name, wall, settings.zone)[0]
            ]
        return sorted(found, key=lambda one: (-one.used / one.most, one.api, one.window))

    def blocks(self, wall: float) -> dict[str, float]:
        """The APIs that are blocked, and until which wall second."""
        with self._lock:
            return {api: until for api, until in sorted(self._blocked.items()) if until > wall}

    def block(self, api: str, until: float) -> None:
        """Block one API until a wall-clock second."""
        with self._lock:
            self._blocked[api] = until

    def unblock(self) -> None:
        """Lift every block and every ban."""
        with self._lock:
            self._blocked.clear()
            self._counts.clear()
        self.callers.pardon()

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


def _window(name: str, wall: float, zone_name: str) -> tuple[int, float]:
    """Of the window of that name at a wall second: its number, and until when a call beyond its limit is blocked: 60 s,
    60 min, to midnight, 30 days (WeCom doc 90312)."""
    if name == "minute":
        return int(wall // MINUTE), wall + MINUTE
    if name == "hour":
        return int(wall // HOUR), wall + HOUR
    today = datetime.fromtimestamp(wall, zone(zone_name))
    if name == "day":
        return today.toordinal(), day_start(today.date() + timedelta(days=1), zone_name).timestamp()
    return today.year * 12 + today.month, wall + 30 * DAY


def read_quotas(body: object) -> dict[str, dict[str, int]]:
    """`{"limits": {api: {"minute" | "hour" | "day" | "month": most}}}`. Raises BadInput."""
    rows = body.get("limits") if isinstance(body, Mapping) else None
    if not isinstance(rows, Mapping):
        raise bad("limits", "应为对象", "must be an object")
    for api, windows in rows.items():
        sound = isinstance(windows, Mapping) and all(
            name in WINDOWS and isinstance(most, int) and most >= 0 for name, most in windows.items()
        )
        if not sound:
            raise bad(f"limits.{api}", f"应为 {'、'.join(WINDOWS)} 的次数", f"takes counts per {', '.join(WINDOWS)}")
    return {str(api): dict(windows) for api, windows in rows.items()}
