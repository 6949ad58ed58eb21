"""Groups go to another owner, of a member who left or who gives them away: asked for once, and at most so many a day.

As with customers a hand-over is a row of ours first. A lost answer is settled by reading who owns the group, before
anything is asked again; so none is handed over twice. What is too much for a day waits for the next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Count, Q

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.ports.inheritance import TransferPort
from yutang.channels.sync.services import hint
from yutang.connect.contracts import HandoverState
from yutang.connect.models import GroupHandover
from yutang.intake.lease import me
from yutang.kernel.calendars import day_start, local_day
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import BadInput, YutangError
from yutang.kernel.ids import draw, salt
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.people import grouped
from yutang.people.contracts import GroupFacts, GroupFilter

WECOM = "wecom"
A_CALL, A_DAY = 100, 300
"""So many groups a call, and a new owner takes so many a day (WeCom docs 92127, 95703)."""
MOST_IN_90_DAYS, DAYS_90 = 2, timedelta(days=90)
CLAIM = timedelta(minutes=2)
AGAIN = timedelta(minutes=5)
SETTLES = timedelta(minutes=1)  # a group's detail lags behind what was done (WeCom doc 92122)
UNHEARD = timedelta(days=1)  # a group handed over so lately may still be known here as the former owner's
MOST_TRIES = 7
TOO_MUCH = 40128  # too many for the day, or the group too often: the code does not say which
IT_IS_SO = frozenset({90504, 90507, 90508})
"""The taker owns it already, it is being handed over, or was: what is true is read."""
OPEN = (HandoverState.WANTED, HandoverState.CALLING, HandoverState.UNKNOWN)
GONE = "群已经解散，或本应用看不到。", "The group was dissolved, or the app cannot see it."
ELSEWHERE = "群主已经是别人，没有再转。", "Somebody else owns the group by now; it was left alone."
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GroupPreview:
    """Which groups would go to whom. `under_way` are being handed over already; `too_often`: twice in 90 days; `days`:
    how many days it takes within the platform's limit."""

    groups: tuple[tuple[GroupFacts, str], ...] = ()
    under_way: int = 0
    too_often: int = 0

    @property
    def by_taker(self) -> Mapping[str, int]:
        """How many each takes over."""
        return Counter(taker for _, taker in self.groups)

    @property
    def days(self) -> int:
        """Within the platform's limit for a day."""
        return max((-(-count // A_DAY) for count in self.by_taker.values()), default=0)


def preview(viewer: Viewer, corp: str, owner: str, takers: Sequence[str], *, resigned: bool) -> GroupPreview:
    """The groups of an owner, dealt evenly; nothing is asked for."""
    found = [one for one in grouped.groups(viewer, GroupFilter(owner=owner, connected=True))[0] if one.corp == corp]
    rows = GroupHandover.objects.filter(corp=corp, chat__in=[one.code for one in found])
    open_now = set(rows.filter(state__in=OPEN).values_list("chat", flat=True))
    heard_of = business_now() - UNHEARD
    done = rows.filter(state=HandoverState.DONE, handover__iexact=owner, ended_at__gt=heard_of)
    unheard = set(done.values_list("chat", flat=True))
    lately = rows.filter(state=HandoverState.DONE, resigned=False, asked_at__gt=business_now() - DAYS_90)
    counts = lately.values("chat").annotate(n=Count("pk")).values_list("chat", "n")
    often = set() if resigned else {chat for chat, n in counts if n >= MOST_IN_90_DAYS}
    free = [one for one in found if one.code not in open_now | often | unheard]
    free.sort(key=lambda one: draw(0, salt("group handover", corp, owner, one.code)))
    dealt = tuple((one, takers[number % len(takers)]) for number, one in enumerate(free)) if takers else ()
    return GroupPreview(dealt, len(open_now), len(often - open_now))


def start(viewer: Viewer, corp: str, owner: str, found: GroupPreview, *, resigned: bool) -> None:
    """Have done what was previewed, in the caller's transaction."""
    chats = [one.code for one, _ in found.groups]
    failed = (HandoverState.IMPOSSIBLE,)
    GroupHandover.objects.filter(corp=corp, chat__in=chats, state__in=failed).update(replaced=True)
    GroupHandover.objects.bulk_create(
        (
            GroupHandover(
                corp=corp, chat=one.code, handover=owner, takeover=taker, resigned=resigned, by=viewer.name[:80],
                asked_at=business_now(),
            )
            for one, taker in found.groups
        ),
        ignore_conflicts=True,  # somebody else began at the same moment
    )  # fmt: skip


def turn(port: TransferPort, corp: str) -> int:
    """Ask for what is wanted, and read who owns what we do not know of; returns how many calls were made."""
    rows = GroupHandover.objects.filter(corp=corp)
    rows.filter(state=HandoverState.CALLING, claim_until__lt=wall_now()).update(
        state=HandoverState.UNKNOWN, not_before=None
    )
    return _read_back(port, corp) + _ask(port, corp)


def _due(corp: str, state: HandoverState) -> list[GroupHandover]:
    due = Q(not_before=None) | Q(not_before__lte=business_now())
    return list(GroupHandover.objects.filter(due, corp=corp, state=state).order_by("pk"))


def _ask(port: TransferPort, corp: str) -> int:
    calls = 0
    wanted: dict[tuple[str, bool], list[GroupHandover]] = defaultdict(list)
    for row in _due(corp, HandoverState.WANTED):
        wanted[row.takeover, row.resigned].append(row)
    for (takeover, resigned), rows in wanted.items():
        room = max(0, A_DAY - _taken_today(corp, takeover))
        _put_off([row.pk for row in rows[room:]])
        for at in range(0, min(room, len(rows)), A_CALL):
            calls += _ask_once(port, corp, takeover, rows[at : min(at + A_CALL, room)], resigned=resigned)
    return calls


def _taken_today(corp: str, takeover: str) -> int:
    """How many groups a new owner got since the day began, or may have got: those under way count."""
    since = day_start(local_day(business_now(), brand().zone), brand().zone)
    got = Q(state=HandoverState.DONE, ended_at__gte=since)
    maybe = Q(state__in=(HandoverState.CALLING, HandoverState.UNKNOWN))
    return GroupHandover.objects.filter(got | maybe, corp=corp, takeover__iexact=takeover).count()


def _put_off(ids: Sequence[int]) -> None:
    tomorrow = local_day(business_now(), brand().zone) + timedelta(days=1)
    rows = GroupHandover.objects.filter(pk__in=list(ids), state__in=(HandoverState.WANTED, HandoverState.CALLING))
    rows.update(state=HandoverState.WANTED, not_before=day_start(tomorrow, brand().zone))


def _ask_once(port: TransferPort, corp: str, takeover: str, rows: Sequence[GroupHandover], *, resigned: bool) -> int:
    holder, ids = me(), [row.pk for row in rows]
    GroupHandover.objects.filter(pk__in=ids, state=HandoverState.WANTED).update(
        state=HandoverState.CALLING, claimed_by=holder, claim_until=wall_now() + CLAIM
    )
    mine = GroupHandover.objects.filter(pk__in=ids, state=HandoverState.CALLING, claimed_by=holder)
    held = list(mine)
    if not held:
        return 0
    try:
        failed = port.hand_over_groups([row.chat for row in held], takeover, on_job=not resigned)
    except AnswerLost:
        mine.update(state=HandoverState.UNKNOWN, not_before=business_now() + SETTLES)
    except (TryLater, UnexpectedAnswer) as error:
        _log.warning("a hand-over of groups was put off", reason=error.en)
        mine.update(state=HandoverState.WANTED, not_before=business_now() + AGAIN, reason=words(error))
    except (RefusedByPlatform, BadInput) as error:
        mine.update(state=HandoverState.IMPOSSIBLE, ended_at=business_now(), reason=words(error))
    else:
        _settle(corp, held, failed)
    return 1


def _settle(corp: str, held: Sequence[GroupHandover], failed: Mapping[str, RefusedByPlatform]) -> None:
    with transaction.atomic():
        _done(corp, [row for row in held if row.chat not in failed])
        for row in held:
            error = failed.get(row.chat)
            if error is None:
                continue
            mine = GroupHandover.objects.filter(pk=row.pk, state=HandoverState.CALLING)
            if error.errcode in IT_IS_SO:
                mine.update(state=HandoverState.UNKNOWN, not_before=None, reason=words(error))
            elif error.errcode == TOO_MUCH and row.tries < (MOST_TRIES if row.resigned else 1):
                mine.update(tries=row.tries + 1, reason=words(error))
                _put_off([row.pk])
            else:
                mine.update(state=HandoverState.IMPOSSIBLE, ended_at=business_now(), reason=words(error))


def _done(corp: str, rows: Sequence[GroupHandover]) -> None:
    """They changed hands: the groups are read again."""
    if rows:
        GroupHandover.objects.filter(pk__in=[row.pk for row in rows], state__in=OPEN).update(
            state=HandoverState.DONE, ended_at=business_now(), not_before=None, reason=""
        )
        hint(WECOM, corp, "group", [row.chat for row in rows])


def _read_back(port: TransferPort, corp: str) -> int:
    """Who owns the groups of which we do not know whether they changed hands."""
    rows = _due(corp, HandoverState.UNKNOWN)
    if not rows:
        return 0
    ids = [row.pk for row in rows]
    unknown = GroupHandover.objects.filter(pk__in=ids, state=HandoverState.UNKNOWN)
    try:
        owners = port.owners_of([row.chat for row in rows])
    except (TryLater, UnexpectedAnswer, RefusedByPlatform) as error:
        _log.warning("owners of groups were not read", reason=error.en)
        unknown.update(not_before=business_now() + AGAIN)
        return 1
    with transaction.atomic():
        by_end: dict[str, list[GroupHandover]] = defaultdict(list)
        for row in rows:
            by_end[_end(row, owners.get(row.chat))].append(row)
        _done(corp, by_end.pop("done", []))
        for end, some in by_end.items():
            mine = unknown.filter(pk__in=[row.pk for row in some])
            if end == "still":  # not before a while: a platform that is at it says so again
                asked_again: datetime | None = business_now() + AGAIN if any(row.reason for row in some) else None
                mine.update(state=HandoverState.WANTED, not_before=asked_again)
            else:
                why = GONE if end == "gone" else ELSEWHERE
                mine.update(state=HandoverState.IMPOSSIBLE, ended_at=business_now(), reason=f"{why[0]} / {why[1]}")
    return 1


def _end(row: GroupHandover, owner: str | None) -> str:
    if owner is None:
        return "gone"
    if owner.casefold() == row.takeover.casefold():
        return "done"
    return "still" if owner.casefold() == row.handover.casefold() else "elsewhere"


def words(error: YutangError) -> str:
    """An error in both languages, as rows keep it."""
    return f"{error.zh} / {error.en}"[:400]
