"""The turn of the clock: pump, move on, plan, issue, read back. One thread; killed anywhere, the next turn goes on.

Where the business clock is stepped (the demo), it is moved here and nowhere else: from one instant at which something
is due to the next, the sandbox always first, so that fast-forwarding skips nothing and no guide taps after a deadline.
A part of a turn that fails keeps no other from its work, and a stepped clock stands until all of it was done.

Where several processes work (PostgreSQL), one of the clocks turns at a time, and each part of a turn is done by one
worker at a time; which one does not matter, and when it dies another does it at the next turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

import structlog

from yutang.channels.archive.services import forget_old_messages
from yutang.channels.direct.sending import forget_old_letters
from yutang.channels.kf import services as kf
from yutang.channels.kf.contracts import ServicePorts
from yutang.channels.services import forget_old_callbacks
from yutang.channels.sync import offgate
from yutang.channels.sync.contracts import Connections
from yutang.channels.sync.services import forget_old_runs
from yutang.channels.webhook.services import forget_old_parcels
from yutang.channels.wecom.media import forget_old_uploads
from yutang.connect import group_ways, inheritance
from yutang.connect import services as connect
from yutang.connect.group_ways import GroupWayPorts
from yutang.connect.inheritance import TransferPorts
from yutang.connect.services import WayPorts
from yutang.execution import services as execution
from yutang.execution.services import StaffPorts
from yutang.guard import retention
from yutang.guard import services as guard
from yutang.guard.radar import services as radar
from yutang.guard.radar.walls import MomentsPorts
from yutang.intake.hooks import services as hooks
from yutang.intake.lease import Busy
from yutang.intake.mirror import mirror_nodes
from yutang.intake.pump import Pump, pump_until_empty
from yutang.kernel import database
from yutang.kernel.calendars import local_day, zone
from yutang.kernel.clock import business_now, monotonic
from yutang.kernel.errors import YutangError
from yutang.layers.ladder import climb
from yutang.operations.roles import Share
from yutang.operations.rotation import Sealer
from yutang.organisation import clock as brand_clock
from yutang.organisation.clock import BrandClock
from yutang.organisation.queries import brand, is_set_up, tree_version
from yutang.profiles import queries as profile_queries
from yutang.profiles import services as profiles
from yutang.profiles.values import services as values
from yutang.reach import services as reach
from yutang.reach.issuing import Ports
from yutang.reflex import services as reflex
from yutang.segments.services import record_all
from yutang.tasks import today
from yutang.warehouse.contracts import Warehouse

IDLE = 0.5  # wall seconds between turns
STRIDE = timedelta(hours=12)  # the longest step of a stepped clock
OTHERS = 30.0  # wall seconds after which a worker looks whether profiles are behind by what others did
BREATH = 3.0  # wall seconds between two refreshes of profiles while the clock hurries
RECORD = 600.0  # wall seconds from one look at who came into and left segments until the next, at least
CLIMB = 20.0  # so many times as long as a look at the ladder took, at least, until the next
RECALL = 30.0  # wall seconds between two looks at who has refused since their message was handed out
WAYS = 2.0  # wall seconds between two looks at whom contact ways should lead to
STALE = timedelta(hours=1)  # business time after which profiles are brought up to date even if nothing came in
HEARD, HEARD_AT_NIGHT = timedelta(hours=1), timedelta(hours=8)  # business time between two looks at what staff sent
DAY = range(8, 23)  # hours of the brand's zone
MOMENT = timedelta(microseconds=1)
BRIEF = timedelta(seconds=10)  # how far a stepped clock goes at most, between two turns, while nobody hurries it
AGAIN = 60.0  # wall seconds between two looks at deliveries that wait for an order to become known
TIDY = 86_400.0  # wall seconds between two looks for what need not be kept any longer
SEALING = 0.3  # wall seconds of a turn that a rotation of keys may take
PATIENCE = 2.0  # wall seconds for which another pump at work is waited for
_log = structlog.get_logger(__name__)

Advance = Callable[[datetime], None]


@dataclass(slots=True)
class Loop:
    """Turns the clock until stopped. `advance` tells a sandbox, if there is one, what time it is; `ways` and
    `group_ways` are the channels on which contact ways and codes of groups are kept, `service` those on which customers
    ask, `transfers` those on which customers are handed over, `moments` those on which members publish, `staff` those
    on which our own people are told something; from `sends` is read, before anything is decided, what staff sent on
    their own."""

    warehouse: Warehouse
    ports: Callable[[], Ports]
    clock: BrandClock
    advance: Advance | None = None
    ways: Callable[[], WayPorts] | None = None
    group_ways: Callable[[], GroupWayPorts] | None = None
    service: Callable[[], ServicePorts] | None = None
    transfers: Callable[[], TransferPorts] | None = None
    moments: Callable[[], MomentsPorts] | None = None
    sends: Callable[[], Connections] | None = None
    staff: Callable[[], StaffPorts] | None = None
    last: float = 0.0
    refreshed: float = float("-inf")
    behind: bool = True
    kept_ways: float = float("-inf")
    noticed: datetime | None = None
    valued: datetime | None = None
    learned: datetime | None = None
    heard: datetime | None = None
    retried: float = float("-inf")
    tidied: float = float("-inf")
    walls_seen: date | None = None
    let_go: float = float("-inf")
    recalled: float = float("-inf")
    climbs: float = float("-inf")
    recorded: datetime | None = None
    records: float = float("-inf")
    patience: float = PATIENCE
    pump: Pump = field(init=False)
    sealer: Sealer = field(default_factory=Sealer)
    share: Share = Share.ALL
    tree: int = 0

    def __post_init__(self) -> None:
        self.last = monotonic()
        self.pump = Pump(self.warehouse)

    def look_again(self) -> None:
        """Something came in by another lane: profiles are behind."""
        self.behind = True

    def run(self, stop: threading.Event) -> None:
        """Turn until `stop` is set. An error is logged and the next turn tries again: nothing is lost by a turn that
        did not happen."""
        while not stop.wait(IDLE):
            try:
                if is_set_up():
                    self._in_turn(stop)
            except YutangError as error:
                _log.warning("turn put off", reason=error.en)
            except Exception:  # noqa: BLE001  # the clock must go on turning, whatever one turn met
                _log.exception("turn failed")
            finally:
                database.refresh_connection()

    def _in_turn(self, stop: threading.Event) -> None:
        if self.share is Share.WORKER:
            self.turn()
            return
        with database.mine("clock") as first:
            if first:
                self.once(stop)
            else:
                self.last = monotonic()  # it was not this clock that stood still

    def once(self, stop: threading.Event | None = None) -> None:
        """One turn; with a stepped clock, all the steps that are due since the last."""
        state = brand_clock.clock_state()
        elapsed, self.last = monotonic() - self.last, monotonic()
        if state.at is None:
            _each(lambda: self._advance(business_now()), self.turn)
            return
        target = state.at + timedelta(seconds=elapsed * state.rate)
        if state.until is not None and target >= state.until:
            target = state.until
        self.step_to(target, stop, brief=target - state.at <= BRIEF)
        if state.until is not None and self._now() >= state.until:  # not if it was stopped on the way
            brand_clock.end_fast_forward()

    def step_to(self, target: datetime, stop: threading.Event | None = None, *, brief: bool = False) -> None:
        """Move a stepped clock to `target`, stopping at every instant at which something is due. `brief`: the clock
        just goes, and the turn at `target` comes soon enough for what was asked for meanwhile.

        A step that was begun is finished first: a task made by a house that is hours behind its sandbox would be looked
        for in the wrong hours, should its answer be lost.
        """
        heading = brand_clock.clock_state().heading
        if heading is not None:
            _each(self._pump, lambda: self._step(heading))
        now = self._now()
        brief = brief and target > now
        if not brief:
            self.turn(stepped=True)  # what was asked for since the last turn is due now, not after the first step
        while now < target and not (stop is not None and stop.is_set()):
            dues = (reach.next_instant(now), today.next_instant(now))
            step = min(moment for moment in (target, *dues, now + STRIDE) if moment is not None)
            self._step(step)
            now = self._now()
            self.turn(stepped=True, leapt=not brief)

    def _step(self, to: datetime) -> None:
        brand_clock.head_for(to)
        self._advance(to - MOMENT)
        brand_clock.move_clock(to)
        self.clock.forget()  # else the turn that follows would, for a fifth of a second, think it was still before

    def _now(self) -> datetime:
        self.clock.forget()
        return business_now()

    def _advance(self, to: datetime) -> None:
        if self.advance is not None:
            self.advance(to)

    def turn(self, *, stepped: bool = False, leapt: bool = True) -> None:
        """This process's parts of one turn; `stepped`: all of them, each waited for where a worker is at it; `leapt`:
        a stepped clock may have come far since the last."""
        decide, tidy = {"decide": self._decide}, {"tidy": self._tidy}
        work: dict[str, Callable[[], None]] = {
            "hand out": partial(self._hand_out, all_due=stepped, leapt=stepped and leapt),
            "chase": self._chase,
            "ways": self._keep_ways,
            "refresh": self._refresh,
            "value": self._value,
            "notice": self._notice,
            "climb": self._climb,
            "record": self._record,
            "service": self._serve,
            "transfers": self._hand_over,
            "retry": self._retry,
            "erase": self._erase,
            "seal": self._seal,
            "radar": self._watch,
        }
        parts = {**decide, **work, **tidy}
        if self.share is Share.WORKER:
            parts = work
        elif self.share is Share.CLOCK and not stepped:
            parts = {**decide, **tidy}
        pumps = [] if "hand out" not in parts else [self._pump if stepped else self._pump_if_free]
        if stepped:  # else it is the sync's, by the hours of the wall clock
            pumps = [self._overhear, *pumps]
        _each(*pumps, *(partial(self._done, name, part, stepped) for name, part in parts.items()))

    @staticmethod
    def _done(name: str, part: Callable[[], None], waits: bool) -> None:
        if waits:
            with database.alone(name):
                part()
            return
        with database.mine(name) as free:
            if free:
                part()

    def _pump(self) -> None:
        self.behind |= bool(pump_until_empty(self.warehouse, patience=self.patience).events)

    def _pump_if_free(self) -> None:
        try:
            self.behind |= bool(self.pump.turn(patience=self.patience).events)
        except Busy as busy:
            if not database.is_shared():
                raise
            _log.debug("another process pumps", reason=busy.en)

    def _overhear(self) -> None:
        """What staff sent on their own counts for caps from here on. A platform that refuses holds up nothing: it is
        asked again in an hour."""
        if self.sends is None:
            return
        now = business_now()
        pause = HEARD if now.astimezone(zone(brand().zone)).hour in DAY else HEARD_AT_NIGHT
        if self.heard is not None and now - self.heard < pause:
            return
        self.heard = now
        for one in self.sends().values():
            try:
                offgate.overhear(one.corp, one.client)
            except YutangError as error:
                _log.warning("what staff sent on their own was not read", corp=one.corp.corp, reason=error.en)

    def _decide(self) -> None:
        _each(lambda: reach.decide_due(self.warehouse, self.ports()), lambda: today.turn(self.warehouse))

    def _hand_out(self, *, all_due: bool, leapt: bool) -> None:
        """A stepped clock stands still until all that is due has been handed out: its guides would tap at nothing."""
        if leapt or monotonic() - self.recalled >= RECALL:
            reach.recall(self.warehouse, self.ports())
            self.recalled = monotonic()
        reach.hand_out(self.warehouse, self.ports(), all_due=all_due)
        reach.finish()

    def _chase(self) -> None:
        execution.turn(self.ports, self.staff)

    def _follow_tree(self) -> None:
        """A directory may have made or moved stores, which it does without a warehouse at hand."""
        version = tree_version()
        if version != self.tree:
            mirror_nodes(self.warehouse)
            self.tree = version

    def _keep_ways(self) -> None:
        if self.ways is not None and monotonic() - self.kept_ways >= WAYS:
            connect.turn(self.ways())
            if self.group_ways is not None:
                group_ways.turn(self.group_ways())
            self.kept_ways = monotonic()

    def _serve(self) -> None:
        if self.service is not None:
            kf.hand_out(self.service())

    def _hand_over(self) -> None:
        if self.transfers is None:
            return
        ports, now = self.transfers(), business_now()
        if self.learned is None or now - self.learned >= inheritance.LOOK:
            self.learned = now  # a platform that refuses is asked again in an hour, not at every turn
            inheritance.learn_who_left(ports)
        inheritance.turn(ports)

    def _refresh(self) -> None:
        self._follow_tree()
        as_of = profile_queries.as_of(self.warehouse)
        self.behind |= as_of is None or business_now() - as_of >= STALE
        if self.share is Share.WORKER:  # another worker may have pumped, and died
            self.behind |= monotonic() - self.refreshed >= OTHERS
        if self.behind and monotonic() - self.refreshed >= BREATH:  # planning refreshes for itself
            profiles.refresh_now(self.warehouse)
            self.refreshed, self.behind = monotonic(), False

    def _notice(self) -> None:
        as_of = profile_queries.as_of(self.warehouse)
        if as_of is not None and as_of != self.noticed:
            reflex.notice_entered(self.warehouse)
            self.noticed = as_of

    def _record(self) -> None:
        """Who came into each segment and who went, for its page. As `_climb` does, for a twentieth of the time."""
        as_of, start = profile_queries.as_of(self.warehouse), monotonic()
        if as_of is not None and as_of != self.recorded and start >= self.records:
            record_all(self.warehouse, reflex.segments_waited_for())
            end = monotonic()
            self.recorded, self.records = as_of, end + max(RECORD, CLIMB * (end - start))

    def _climb(self) -> None:
        """Who moved on the ladder. A look at all costs seconds where there are millions: a busy pond is looked at for a
        twentieth of the time."""
        start = monotonic()
        if start >= self.climbs:
            climb(self.warehouse)
            end = monotonic()
            self.climbs = end + CLIMB * (end - start)

    def _value(self) -> None:
        """What people are worth follows their profiles, a day behind them at most."""
        as_of = profile_queries.as_of(self.warehouse)
        if as_of is not None and as_of != self.valued:
            values.turn(self.warehouse)
            self.valued = as_of

    def _watch(self) -> None:
        today = local_day(business_now(), brand().zone)
        if self.walls_seen != today:
            radar.look_daily(self.warehouse, self.moments() if self.moments is not None else None)
            self.walls_seen = today

    def _seal(self) -> None:
        self.sealer.turn(SEALING)

    def _retry(self) -> None:
        if monotonic() - self.retried >= AGAIN:
            hooks.retry_unknown_orders()
            self.retried = monotonic()

    def _erase(self) -> None:
        guard.go_on(self.warehouse, self.patience)
        if monotonic() - self.let_go >= AGAIN:
            retention.let_go(self.warehouse)
            self.let_go = monotonic()

    def _tidy(self) -> None:
        if monotonic() - self.tidied >= TIDY:
            forget_old_callbacks()
            forget_old_uploads()
            forget_old_messages()
            hooks.forget_old_deliveries()
            forget_old_parcels()
            forget_old_letters()
            forget_old_runs()
            self.tidied = monotonic()


def _each(*parts: Callable[[], object]) -> None:
    """Do every part, whatever became of those before it; then raise the first error. Later ones are logged."""
    first: Exception | None = None
    for part in parts:
        try:
            part()
        except Exception as error:  # noqa: BLE001  # raised below
            if first is None:
                first = error
            else:
                _log.warning("another part of the turn failed too", reason=str(error))
    if first is not None:
        raise first
