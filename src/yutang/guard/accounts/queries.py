"""How the accounts are that a viewer may see. How often customers delete is compared with all of the brand's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from yutang.documents import queries as documents
from yutang.guard.accounts.contracts import Account, Level, Usage
from yutang.guard.accounts.documents import AccountRules
from yutang.guard.accounts.judging import judged
from yutang.guard.radar.documents import WallsDocument
from yutang.kernel.calendars import aware, day_start, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, SenderId, StaffId
from yutang.organisation.contracts import AccountState, Viewer
from yutang.organisation.queries import OWNER, account_states, brand, posts
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.profiles.friends import net_friends_of_each
from yutang.profiles.remembered import Remembered
from yutang.reach.queries import tapping
from yutang.warehouse.contracts import Warehouse, named

WECOM, DEFAULT = "wecom", "default"
ROOM = 5_000
"""What WeCom allows a member at first, beyond which it refuses with 40099."""
MONTH = timedelta(days=30)
_LOST: Remembered[dict[StaffId, int]] = Remembered(4)


def account_rules() -> AccountRules:
    """The rules in force: the brand's document `default`, and what ships where it was retired."""
    try:
        return documents.document_named(AccountRules, DEFAULT)
    except NotFound:
        title = {"zh": "人设与账号健康", "en": "Persona and account health"}
        return AccountRules.model_validate({"kind": AccountRules.KIND, "name": DEFAULT, "title": title})


def friends_at_most() -> int:
    """How many friends an account may have, as the radar's document says."""
    walls = documents.documents_of(WallsDocument)
    told = [one.limits["account_contacts"].most for one in walls if "account_contacts" in one.limits]
    return max(min(told, default=ROOM), 1)


def accounts(warehouse: Warehouse, viewer: Viewer) -> list[Account]:
    """Every WeCom account that the viewer sees, the worst first. An account that is off and has no friends is fine."""
    rules, room, now = account_rules(), friends_at_most(), business_now()
    mine = account_states(viewer, WECOM)
    everybody = mine if viewer.sees_all else account_states(OWNER, WECOM)
    usage = _usage(warehouse, rules, everybody, now)
    tasks = tapping(now - MONTH)
    found = []
    for state in mine:
        open_, closed, untapped = tasks.get(state.id, (0, 0, 0))
        known = usage.get(state.id, Usage())
        found.append(judged(state, replace(known, room=room, open=open_, closed=closed, untapped=untapped), rules))
    order = list(Level)
    return sorted(found, key=lambda one: (order.index(one.level), -len(one.signs), one.state.id))


def accounts_by_level(warehouse: Warehouse, viewer: Viewer) -> Counted[dict[str, int]]:
    """How many of them stand at each level, by its name; counted beforehand."""
    counted = LEVELS.answer(warehouse)
    return Counted(Counter(level.value for store, level in counted.value if viewer.sees(store)), counted.as_of)


def _levels(warehouse: Warehouse) -> list[tuple[NodeId, Level]]:
    return [(one.state.store, one.level) for one in accounts(warehouse, OWNER)]


LEVELS = Beforehand(_levels, lambda: (account_rules(), friends_at_most()))


def _usage(
    warehouse: Warehouse, rules: AccountRules, everybody: Sequence[AccountState], now: datetime
) -> dict[SenderId, Usage]:
    zone = brand().zone
    day = local_day(now, zone)
    today = day_start(day, zone)
    params = {"month": now - MONTH, "today": today, "now": now}
    rows = {row["sender"]: row for row in warehouse.query(named("guard/accounts/usage", params)).to_pylist()}
    since = today - timedelta(days=rules.deletions.days)
    lost = _LOST.answer(warehouse, (day, rules.deletions.days), lambda: _lost(warehouse, since, now))
    friends: Counter[StaffId] = Counter()
    for one in everybody:
        friends[one.staff] += int(rows[one.id]["friends"]) if one.id in rows else 0
    expected = _expected(lost, friends)
    found = {}
    for one in everybody:
        row = rows.get(one.id)
        if row is None and one.staff not in lost:
            continue
        found[one.id] = Usage(
            friends=int(row["friends"]) if row else 0,
            deleted=lost.get(one.staff, 0),
            expected=expected.get(one.staff, 0.0),
            quiet_days=_quiet(row, now) if row else None,
            sent_today=int(row["sent_today"]) if row else 0,
            sent_30=int(row["sent_30"]) if row else 0,
        )
    return found


def _lost(warehouse: Warehouse, since: datetime, now: datetime) -> dict[StaffId, int]:
    gained = net_friends_of_each(warehouse, posts(OWNER), since, now)
    return {staff: net.by_customer for staff, net in gained.items()}


def _expected(lost: Mapping[StaffId, int], friends: Mapping[StaffId, int]) -> dict[StaffId, float]:
    """How many would delete each, were all deleted alike: by the friends they have and had, and by what others lose, of
    whom who is looked at is none."""
    had = {staff: friends[staff] + lost.get(staff, 0) for staff in {*friends, *lost}}
    all_lost, all_had = sum(lost.values()), sum(had.values())
    return {
        staff: count * (all_lost - lost.get(staff, 0)) / (all_had - count)
        for staff, count in had.items()
        if all_had > count
    }


def _quiet(row: Mapping[str, datetime | None], now: datetime) -> int | None:
    latest = [aware(at) for name in ("added_at", "talked_at", "sent_at") if (at := row[name]) is not None]
    return (now - max(latest)).days if latest else None
