"""Looking at every wall once a day, and writing down what no API tells.

A day's snapshot is written in one transaction: killed before it, the next turn looks again; two who look at once write
the same. A day that nobody looked at is missing, and lies on the line between its neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

import structlog
from django.db import transaction

from yutang.channels.direct.accounts import accounts as direct_accounts
from yutang.documents.queries import documents_of
from yutang.guard.radar.contracts import (
    CALM_DAYS,
    CALM_FOR,
    NEARLY,
    WARN_DAYS,
    EntryKind,
    Standing,
    State,
)
from yutang.guard.radar.documents import WallsDocument
from yutang.guard.radar.forecasting import LOOKED_BACK, WINDOW, Days, days_until
from yutang.guard.radar.models import Entry, Snapshot
from yutang.guard.radar.queries import STANDS, entries, headquarters
from yutang.guard.radar.walls import BY_NAME, WALLS, WECOM, Before, Look, MomentsPorts, expiring_days
from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput, NotFound, YutangError
from yutang.organisation.contracts import SenderFacts, Viewer
from yutang.organisation.queries import OWNER, brand, corps, senders
from yutang.organisation.services import audit
from yutang.warehouse.contracts import Warehouse

WALLS_NAME = "wecom"
MOMENTS = "moments"
KEPT = timedelta(days=800)
_log = structlog.get_logger(__name__)

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of before: every day's counted number by thing, how it stood last, and of those that are warned of
    since when, and for how many days without a reason."""

    history: Mapping[Key, Sequence[tuple[int, float]]]
    before: Mapping[Key, Before]
    warned: Mapping[Key, tuple[date, int]]


def look_daily(warehouse: Warehouse, moments: MomentsPorts | None = None) -> int:
    """Look at the walls if nobody has today; returns how many rows were written."""
    today = local_day(business_now(), brand().zone)
    if Snapshot.objects.filter(day=today).exists():
        return 0
    return look(warehouse, moments)


def look(warehouse: Warehouse, moments: MomentsPorts | None = None) -> int:
    """Look at every wall now; what was seen today before is seen anew. Returns how many rows were written.

    Without `moments` the platform is not asked for any: that wall stays as it was seen today.
    """
    now, zone = business_now(), brand().zone
    today = local_day(now, zone)
    document = next((one for one in documents_of(WallsDocument) if one.name == WALLS_NAME), None)
    if document is None:
        return 0
    past = _past(today)
    seen = Look(now, today, zone, document, _accounts(), entries(OWNER), past.before, warehouse, moments or {})
    rows, looked = [], []
    for wall, read in WALLS:
        if wall.name == MOMENTS and moments is None:
            continue
        try:
            rows += [_snapshot(one, seen, past) for one in read(seen)]
            looked.append(wall.name)
        except YutangError as error:
            _log.warning("a wall could not be read", wall=wall.name, reason=error.en)
    with transaction.atomic():
        lock("radar")
        ended = set(looked) - {row.wall for row in rows}  # of which there is nothing any more
        Snapshot.objects.filter(day__gt=today - STANDS, wall__in=ended).delete()
        Snapshot.objects.filter(day=today, wall__in=looked).delete()
        Snapshot.objects.bulk_create(rows)
        Snapshot.objects.filter(day__lt=today - KEPT).delete()
    return len(rows)


def _accounts() -> dict[str, list[SenderFacts]]:
    """The accounts of every corp of WeCom's, also of one that is known by lists alone."""
    found: dict[str, list[SenderFacts]] = {one.corp: [] for one in corps() if one.channel == WECOM}
    for account in senders(OWNER):
        if account.channel == WECOM:
            found.setdefault(account.corp, []).append(account)
    return found


def _past(today: date) -> Past:
    rows = Snapshot.objects.filter(day__gte=today - timedelta(days=LOOKED_BACK + WINDOW + 1), day__lt=today).order_by(
        "day"
    )
    history: dict[Key, list[tuple[int, float]]] = defaultdict(list)
    last: dict[Key, Before] = {}
    warned: dict[Key, tuple[date, int]] = {}
    month_ago: dict[Key, Mapping[str, object]] = {}
    for wall, corp, subject, day, counted, state, since, calm, more in rows.values_list(
        "wall", "corp", "subject", "day", "counted", "state", "since", "calm", "more"
    ):
        key = (wall, corp, subject)
        history[key].append((day.toordinal(), float(counted)))
        if more and (day <= today - timedelta(days=30) or key not in month_ago):
            month_ago[key] = more
        last[key] = Before(counted, more, month_ago.get(key, {}))
        warned.pop(key, None)
        if since is not None and state in (State.HIT, State.WARNED):
            warned[key] = (since, calm)
    return Past(history, last, warned)


def _snapshot(one: Standing, seen: Look, past: Past) -> Snapshot:
    key = (one.wall, one.corp, one.subject)
    counted = one.used if one.counted is None else one.counted
    history = [*past.history.get(key, ()), (seen.day.toordinal(), float(counted))]
    expiring = expiring_days(one, seen.now)
    said = str(one.more.get("ends_on") or "")
    if said:
        days = expiring[0][0] if expiring else 0.0
        told = Days(True, 0.0, days, days, days)
    else:
        told = days_until(history, float(one.left), expiring, moving=BY_NAME[one.wall].moving)
    since, calm = past.warned.get(key, (seen.day, 0))
    state = judged(one, told, warned=key in past.warned)
    if key in past.warned and state not in (State.HIT, State.WARNED):
        calm += 1
        state = State.WARNED if calm < CALM_FOR else state
    else:
        calm = 0
    urgent = state in (State.HIT, State.WARNED)
    return Snapshot(
        wall=one.wall,
        corp=one.corp,
        subject=one.subject[:64],
        title=one.title[:80],
        day=seen.day,
        used=one.used,
        most=one.most,
        counted=counted,
        pace=told.pace,
        low=told.low,
        middle=told.middle,
        high=told.high,
        state=state,
        since=since if urgent else None,
        calm=calm if urgent else 0,
        ends_on=date.fromisoformat(said) if said else None,
        price=one.price,
        more=dict(one.more),
    )


def judged(one: Standing, told: Days, *, warned: bool) -> State:
    """What is to be said of a wall. `warned`: it was warned of when it was last looked at."""
    if one.left <= 0 or (told.told and told.high is not None and told.high <= 0):
        return State.HIT
    within = CALM_DAYS if warned else WARN_DAYS
    if told.told and told.low is not None and told.low <= within:
        return State.WARNED
    if not BY_NAME[one.wall].moving and one.used >= one.most * NEARLY:
        return State.WARNED
    return State.FINE if told.told else State.UNTOLD


# By hand -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EntryForm:
    """What somebody writes down, as text."""

    kind: str
    title: str
    corp: str = ""
    most: str = ""
    used: str = ""
    ends_on: str = ""
    price: str = ""
    note: str = ""


def enter(viewer: Viewer, form: EntryForm) -> int:
    """Write something down; what stood under the same kind, corp and title ends. Raises BadInput, Refused."""
    headquarters(viewer)
    try:
        kind = EntryKind(form.kind)
    except ValueError:
        raise BadInput("请选择记的是什么。", "Choose what it is that you write down.") from None
    corp, ends_on = form.corp.strip()[:64], _day(form.ends_on)
    title = form.title.strip() or (corp if kind in (EntryKind.BALANCE, EntryKind.CONTACTS) else "")
    if not 1 <= len(title) <= 80 or len(form.note) > 300:
        raise BadInput("名称应有 1–80 个字，备注至多 300 个字。", "A name has 1–80 characters, a note 300 at the most.")
    if kind is EntryKind.LICENCE and ends_on is None:
        raise BadInput("请填写到期日，例如 2026-12-31。", "Say on which day it ends, such as 2026-12-31.")
    most = _amount(form.most, "额度", "The limit", Decimal(1 if kind is EntryKind.LICENCE else 0))
    used = _amount(form.used, "已用", "What is used", Decimal(0))
    if kind is EntryKind.BALANCE:
        used = _spent_by(corp)
    if kind is not EntryKind.LICENCE and not most:
        raise BadInput("请填写额度或余额，应大于 0。", "Say the limit or the balance; it is more than 0.")
    price = _amount(form.price, "价格", "The price", Decimal(-1))
    with transaction.atomic():
        lock("radar")
        standing = Entry.objects.filter(kind=kind.value, corp=corp, title=title, ended_at=None)
        standing.update(ended_at=wall_now())
        made = Entry.objects.create(
            kind=kind.value, corp=corp, title=title, most=most, used=used, ends_on=ends_on,
            price=None if price < 0 else price, note=form.note.strip(), by=viewer.name[:80],
        )  # fmt: skip
        audit(viewer, "radar_enter", f"{kind.value} {title}", corp=corp)
    return made.pk


def end_entry(viewer: Viewer, number: int) -> None:
    """Take something back that was written down. Raises NotFound, Refused."""
    headquarters(viewer)
    if not Entry.objects.filter(pk=number, ended_at=None).update(ended_at=wall_now()):
        raise NotFound("没有这一条，或已经撤下。", "There is no such entry, or it was taken back.")
    audit(viewer, "radar_end", f"entry {number}")


def _spent_by(account: str) -> Decimal:
    for one in direct_accounts(OWNER):
        if f"{one.channel}:{one.corp}" == account:
            return one.spent
    raise NotFound("没有这个发送账户，请先在「渠道」里设置。", "There is no such account; set it up under Channels.")


def _amount(text: str, zh: str, en: str, empty: Decimal) -> Decimal:
    if not text.strip():
        return empty
    try:
        value = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value < 10_000_000_000):
        raise BadInput(f"{zh}应是 0 到 100 亿之间的数。", f"{en} is a number between 0 and ten thousand million.")
    return value.quantize(Decimal("0.0001"))


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput("日期应类似 2026-12-31。", "A day is written such as 2026-12-31.") from None
    if not 2000 < day.year < 2100:
        raise BadInput("日期应在 2001 到 2099 年之间。", "The day lies between the years 2001 and 2099.")
    return day
