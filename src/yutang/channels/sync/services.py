"""Syncs are begun, worked at and settled here; and hints are kept and worked through.

A run is a row: killed anywhere, it is claimed again and goes on from where its sync last kept its place. Any number of
workers may look for work at once; of one corp, one run is worked at at a time, since its calls share one rate.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q

from yutang.channels.contracts import TryLater
from yutang.channels.sync import registry
from yutang.channels.sync.contracts import (
    DAILY,
    Connection,
    Connections,
    Found,
    Hinted,
    Interrupted,
    Kind,
    RunFacts,
    RunState,
    Worked,
)
from yutang.channels.sync.models import SyncHint, SyncRun
from yutang.channels.sync.queries import facts_of
from yutang.channels.wecom.callbacks import Notice
from yutang.intake.lease import lives, me
from yutang.kernel.calendars import local_day, zone
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.errors import NotFound, Refused, Unavailable, YutangError
from yutang.kernel.turns import my_turn
from yutang.organisation.contracts import CorpFacts, Viewer
from yutang.organisation.queries import brand, corps
from yutang.organisation.services import audit

NIGHT = time(3, 0)  # of the brand's zone, by the wall clock: the platform's night
HOLD = timedelta(minutes=5)  # after which a claim is given up, whoever made it
EVERY = 0.5  # wall seconds between two words about how far a sync is
SOON = timedelta(seconds=30)
MOST_TRIES = 8  # of a hint; then the next sync is left to find what it told of
KEPT = timedelta(days=90)
_OPEN = (RunState.WAITING.value, RunState.DOING.value)
_UNEXPECTED = (
    "同步时遇到程序错误，请把日志交给我们；下一次同步会重新开始。",
    "The sync met a fault of ours; please give us the log. The next sync begins anew.",
)
_log = structlog.get_logger(__name__)


def begin(kind: str, corp: CorpFacts, by: str = "") -> RunFacts:
    """Ask for a sync of a corp; one that is open already stands for it. Raises NotFound for an unknown kind."""
    found = registry.kind_named(kind)
    open_runs = SyncRun.objects.filter(channel=corp.channel, corp=corp.corp, kind=found.name, state__in=_OPEN)
    row = open_runs.first()
    if row is None:
        before = SyncRun.objects.filter(channel=corp.channel, corp=corp.corp, kind=found.name)
        first = not before.filter(state=RunState.DONE.value).exists()
        try:
            with transaction.atomic():
                row = SyncRun.objects.create(
                    channel=corp.channel, corp=corp.corp, kind=found.name, first=first, by=by[:80]
                )
        except IntegrityError:  # another asked at the same moment
            row = open_runs.get()
    elif by:
        open_runs.update(not_before=None)  # a person asks: what was put off is tried now
        row.refresh_from_db()
    return facts_of(row)


def ask(viewer: Viewer, kind: str = "", corp: str = "") -> list[RunFacts]:
    """Ask for a kind of sync (empty: every kind) of a corp (empty: of all); returns the runs, open ones as they stand.

    Raises Refused for whoever is not headquarters, NotFound for an unknown kind or corp.
    """
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("同步属于整个品牌，请找总部运营。", "Syncs belong to the whole brand; ask headquarters.")
    kinds = [registry.kind_named(kind)] if kind else list(registry.KINDS)
    chosen = [corp_named(corp)] if corp else corps()
    if not chosen:
        raise Refused(
            "还没有接入企业，没有可以同步的平台。", "No corp is connected yet, so there is nothing to read anew."
        )
    begun = [begin(one.name, of, viewer.name) for of in chosen for one in kinds if one.channel == of.channel]
    audit(viewer, "sync", corp or "all", kind=kind or "all")
    return begun


def begin_due(since: datetime) -> int:
    """Begin what time alone brings; returns how many. `since`: from when on this process looks.

    A real corp that was never synced is due at once. Our own sandbox's people come by the demo, so its first sync is
    that of the next night.
    """
    last: dict[tuple[str, str, str], datetime] = {
        (channel, corp, kind): at
        for channel, corp, kind, at in SyncRun.objects.values_list("channel", "corp", "kind").annotate(Max("begun_at"))
    }
    now = wall_now()
    begun = 0
    for corp in corps():
        for kind in registry.KINDS:
            if kind.channel != corp.channel:
                continue
            before = last.get((corp.channel, corp.corp, kind.name))
            if (before is None and not corp.sandboxed) or _due(kind, before or since, now):
                begin(kind.name, corp)
                begun += 1
    return begun


def _due(kind: Kind, before: datetime, now: datetime) -> bool:
    return before < _night(now) if kind.every >= DAILY else now - before >= kind.every


def _night(now: datetime) -> datetime:
    """The last instant at which a night's syncs are begun."""
    where = brand().zone
    night = datetime.combine(local_day(now, where), NIGHT, zone(where))
    return night if night <= now else night - DAILY


def work(connections: Connections, stop: threading.Event | None = None) -> bool:
    """Claim one run that is due, and do it to its end, or until `stop`; whether there was one."""
    if not SyncRun.objects.filter(state__in=_OPEN).exists():
        return False
    _give_up_claims()
    holder = me()
    row = _claim(connections, holder)
    if row is None:
        return False
    connection = connections[row.channel, row.corp]
    telling = _Telling(row, holder, stop)
    mine = SyncRun.objects.filter(pk=row.pk, state=RunState.DOING.value, claimed_by=holder)
    try:
        found = registry.kind_named(row.kind).sync(connection.corp, connection.client, telling)
    except Interrupted:
        mine.update(state=RunState.WAITING.value, claimed_by="")
    except TryLater as later:
        _log.info("sync put off", kind=row.kind, corp=row.corp, reason=later.en)
        mine.update(
            state=RunState.WAITING.value,
            claimed_by="",
            not_before=later.until,
            error_zh=later.zh[:500],
            error_en=later.en[:500],
        )
    except Unavailable as busy:
        mine.update(state=RunState.WAITING.value, claimed_by="", not_before=wall_now() + SOON,
                    error_zh=busy.zh[:500], error_en=busy.en[:500])  # fmt: skip
    except YutangError as error:
        _end(mine, RunState.FAILED, error=(error.zh, error.en))
    except Exception:  # noqa: BLE001  # the lane must go on, whatever one sync met; the run says so
        _log.exception("sync failed", kind=row.kind, corp=row.corp)
        _end(mine, RunState.FAILED, error=_UNEXPECTED)
    else:
        telling.say_last()
        _end(mine, RunState.DONE, found=found)
    return True


def _end(mine: Any, state: RunState, found: Found | None = None, error: tuple[str, str] = ("", "")) -> None:
    said: dict[str, object] = {} if found is None else _columns(found)
    mine.update(
        state=state.value, claimed_by="", ended_at=wall_now(), cursor={}, error_zh=error[0][:500],
        error_en=error[1][:500], **said,
    )  # fmt: skip


def _columns(found: Found) -> dict[str, object]:
    return {
        "read": found.read,
        "added": found.added,
        "changed": found.changed,
        "ended": found.ended,
        "note_zh": found.note[0][:300],
        "note_en": found.note[1][:300],
    }


def _give_up_claims() -> None:
    """Claims that are held for too long, or by the dead, are given up: somebody goes on with what they held."""
    doing = SyncRun.objects.filter(state=RunState.DOING.value)
    for holder in doing.values_list("claimed_by", flat=True).distinct():
        if not lives(holder):
            doing.filter(claimed_by=holder).update(state=RunState.WAITING.value, claimed_by="")
    doing.filter(claim_until__lt=wall_now()).update(state=RunState.WAITING.value, claimed_by="")


def _claim(connections: Connections, holder: str) -> SyncRun | None:
    now = wall_now()
    due = SyncRun.objects.filter(Q(not_before=None) | Q(not_before__lte=now), state=RunState.WAITING.value)
    busy = set(SyncRun.objects.filter(state=RunState.DOING.value).values_list("channel", "corp"))
    for row in due.order_by("pk"):
        key = (row.channel, row.corp)
        if key in busy or key not in connections:
            continue
        claimed = SyncRun.objects.filter(pk=row.pk, state=RunState.WAITING.value).update(
            state=RunState.DOING.value,
            claimed_by=holder,
            claim_until=now + HOLD,
            started_at=row.started_at or now,
            tries=F("tries") + 1,
            error_zh="",
            error_en="",
        )
        if claimed:
            row.refresh_from_db()
            return row
    return None


class _Telling:
    """`Progress` of one attempt at a run, which is its holder's as long as the row says so."""

    def __init__(self, row: SyncRun, holder: str, stop: threading.Event | None) -> None:
        self._mine = SyncRun.objects.filter(pk=row.pk, state=RunState.DOING.value, claimed_by=holder)
        self._stop = stop
        self._said = float("-inf")
        self._last = (0, 0)
        self.first = row.first
        self._cursor: Mapping[str, Any] = row.cursor
        self._found = facts_of(row).found

    def __call__(self, done: int, total: int, /) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Interrupted
        self._last = (done, total)
        if monotonic() - self._said >= EVERY:
            self._say()

    def _say(self) -> None:
        done, total = self._last
        if not self._mine.update(done=done, total=max(done, total), claim_until=wall_now() + HOLD):
            raise Interrupted
        self._said = monotonic()

    def say_last(self) -> None:
        """Say what was not said yet, since it came too soon after what was."""
        done, total = self._last
        self._mine.update(done=done, total=max(done, total))

    @property
    def cursor(self) -> Mapping[str, Any]:
        return self._cursor

    @property
    def found(self) -> Found:
        return self._found

    def keep(self, cursor: Mapping[str, Any], found: Found) -> None:
        if not self._mine.update(cursor=dict(cursor), claim_until=wall_now() + HOLD, **_columns(found)):
            raise Interrupted
        self._cursor, self._found = cursor, found


def forget_old_runs() -> int:
    """Forget the runs that ended long ago, but for the last of each kind; returns how many."""
    last = SyncRun.objects.values("channel", "corp", "kind").annotate(last=Max("pk")).values("last")
    old = SyncRun.objects.filter(ended_at__lt=wall_now() - KEPT).exclude(pk__in=last)
    return old.delete()[0]


# Hints ------------------------------------------------------------------------------------------------------------


def hints_of(notices: Iterable[Notice]) -> None:
    """Keep, in the caller's transaction, what these callbacks of WeCom's hint at."""
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    rests: dict[str, timedelta] = {}
    for notice in notices:
        for one in registry.HINTED:
            if one.concerns(notice) and (ref := one.ref(notice)[:160]):
                told[notice.corp, one.kind].add(ref)
                rests[one.kind] = one.rest
    for (corp, kind), refs in told.items():
        hint("wecom", corp, kind, refs, rests[kind])


def hint(channel: str, corp: str, kind: str, refs: Iterable[str], rest: timedelta = timedelta(0)) -> None:
    """Keep, in the caller's transaction, that these things are to be read again; what waits already is told once more.

    What was put off for long after failures is tried again soon, since it has changed.
    """
    wanted = sorted(set(refs))
    if not wanted:
        return
    soon = wall_now() + rest
    there = SyncHint.objects.filter(channel=channel, corp=corp, kind=kind, ref__in=wanted)
    there.filter(not_before__gt=soon, tries__gt=0).update(not_before=soon, tries=0)
    there.update(told=F("told") + 1)
    SyncHint.objects.bulk_create(
        [SyncHint(channel=channel, corp=corp, kind=kind, ref=ref, not_before=soon) for ref in wanted],
        ignore_conflicts=True,
    )


def work_hints(connections: Connections) -> Worked:
    """Read again, once, what is hinted at and due: a few of each kind and corp. Any number of workers may at once."""
    if not SyncHint.objects.filter(not_before__lte=wall_now()).exists():  # what is claimed was due
        return Worked(idle=True)
    _give_up_hints()
    done = put_off = dropped = 0
    looked = False
    holder = me()
    for (channel, corp), connection in connections.items():
        for hinted in registry.HINTED:
            if hinted.channel != channel:
                continue
            claimed = _claim_hints(channel, corp, hinted, holder)
            if claimed:
                looked = True
                one = _read_again(hinted, connection, claimed, holder)
                done, put_off, dropped = done + one.done, put_off + one.put_off, dropped + one.dropped
    return Worked(done, put_off, dropped, idle=not looked)


def _give_up_hints() -> None:
    held = SyncHint.objects.exclude(claimed_by="")
    for holder in held.values_list("claimed_by", flat=True).distinct():
        if not lives(holder):
            held.filter(claimed_by=holder).update(claimed_by="")
    held.filter(claim_until__lt=wall_now()).update(claimed_by="")


def _claim_hints(channel: str, corp: str, hinted: Hinted, holder: str) -> list[SyncHint]:
    now = wall_now()
    due = SyncHint.objects.filter(channel=channel, corp=corp, kind=hinted.kind, not_before__lte=now, claimed_by="")
    chosen = list(due.order_by("not_before", "pk").values_list("pk", flat=True)[: hinted.most])
    if not chosen:
        return []
    with my_turn(), transaction.atomic():
        SyncHint.objects.filter(pk__in=chosen, claimed_by="").update(claimed_by=holder, claim_until=now + HOLD)
        return list(SyncHint.objects.filter(pk__in=chosen, claimed_by=holder).order_by("pk"))


def _read_again(hinted: Hinted, connection: Connection, claimed: Sequence[SyncHint], holder: str) -> Worked:
    try:
        hinted.again(connection.corp, connection.client, [one.ref for one in claimed])
    except TryLater as later:
        SyncHint.objects.filter(pk__in=[one.pk for one in claimed], claimed_by=holder).update(
            claimed_by="", not_before=later.until
        )
        return Worked(put_off=len(claimed))
    except Exception as error:  # noqa: BLE001  # what one thing met must not keep the others
        if len(claimed) > 1:
            parts = [_read_again(hinted, connection, [one], holder) for one in claimed]
            return Worked(
                sum(one.done for one in parts), sum(one.put_off for one in parts), sum(one.dropped for one in parts)
            )
        return _put_off(hinted, claimed[0], holder, error)
    for one in claimed:
        mine = SyncHint.objects.filter(pk=one.pk, claimed_by=holder)
        if not mine.filter(told=one.told).delete()[0]:
            mine.update(claimed_by="", tries=0)  # told of again meanwhile: read again
    return Worked(len(claimed))


def _put_off(hinted: Hinted, one: SyncHint, holder: str, error: Exception) -> Worked:
    """Try again later, ever less often; in the end leave it to the next sync."""
    known = isinstance(error, YutangError)
    say = _log.warning if known else _log.error
    say("hint put off", kind=hinted.kind, corp=one.corp, tries=one.tries + 1, reason=str(error), exc_info=not known)
    mine = SyncHint.objects.filter(pk=one.pk, claimed_by=holder)
    if one.tries + 1 >= MOST_TRIES:
        mine.delete()
        return Worked(dropped=1)
    wait = min(timedelta(seconds=10) * 4**one.tries, timedelta(hours=2))
    mine.update(claimed_by="", tries=F("tries") + 1, not_before=wall_now() + wait)
    return Worked(put_off=1)


def corp_named(name: str) -> CorpFacts:
    """The connected corp of that id. Raises NotFound."""
    for one in corps():
        if one.corp == name:
            return one
    raise NotFound(f"没有接入企业「{name[:64]}」。", f"The corp “{name[:64]}” is not connected.")
