"""Bringing profiles to an instant: whole (`rebuild`) or only those whose row may differ (`refresh`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from sqlglot import exp

from yutang.kernel.clock import business_now, monotonic
from yutang.kernel.errors import Unavailable
from yutang.kernel.ids import salt
from yutang.organisation.queries import brand
from yutang.profiles.contracts import WINDOWS, Mode, Moment, ProfileReport
from yutang.profiles.queries import STATE, kept_state, number, parse_refresh, parse_state
from yutang.warehouse.contracts import Statement, Warehouse, load_sql, named

_ATTEMPTS = 5
SKEW = timedelta(seconds=2)  # business time by which two processes may differ: each reads a stepped clock now and then


def rebuild(warehouse: Warehouse, as_of: datetime, *, zone: str | None = None) -> ProfileReport:
    """Compute every person's row at `as_of` (aware). `zone` is where days begin; default: the brand's."""
    return _bring(warehouse, Moment(as_of.astimezone(UTC), zone or brand().zone), whole=True)


def refresh(warehouse: Warehouse, as_of: datetime, *, zone: str | None = None) -> ProfileReport:
    """Bring profiles to `as_of` at the cost of what changed; the result equals `rebuild` at that instant.

    Recomputed are the persons of events, imports and merges that came since the last refresh, and those for whom an
    order entered or left a window by time alone. An instant before the last one, another zone, or new definitions of
    traits rebuild.
    """
    return _bring(warehouse, Moment(as_of.astimezone(UTC), zone or brand().zone), whole=False)


def refresh_now(warehouse: Warehouse) -> ProfileReport:
    """As `refresh`, to this instant; or to that of the last refresh, where another process's clock was a moment ahead:
    going back so little would cost a rebuild."""
    now = business_now().astimezone(UTC)
    last = parse_state(kept_state(warehouse))
    ahead = last is not None and timedelta(0) < last.as_of - now <= SKEW
    return refresh(warehouse, last.as_of if last is not None and ahead else now)


def _bring(warehouse: Warehouse, moment: Moment, *, whole: bool) -> ProfileReport:
    start = monotonic()
    for _ in range(_ATTEMPTS):
        kept = kept_state(warehouse)
        mode = _mode(warehouse, kept, moment, whole)
        statements = _statements(mode, moment, parse_refresh(kept))
        overtaken = Statement(
            "SELECT coalesce((SELECT value FROM profile_state WHERE name = $name), '') <> $kept",
            {"name": STATE, "kept": kept},
            name="profiles/overtaken",
        )
        if warehouse.write(statements, unless=overtaken):
            persons = number(warehouse, "SELECT count(*) FROM profiles")
            return ProfileReport(mode, moment.as_of, persons, _recomputed(warehouse, mode), monotonic() - start)
    raise Unavailable(
        "客户属性正被别的进程反复刷新，请稍后再试。",
        "Other processes keep refreshing the profiles; try again in a moment.",
    )


def _statements(mode: Mode, moment: Moment, refresh_before: str) -> list[Statement]:
    match mode:
        case Mode.REBUILD:
            return _rebuild(moment)
        case Mode.REFRESH:
            return _refresh(moment)
    return _keep_state(moment, refresh_before)


def _mode(warehouse: Warehouse, kept: str, moment: Moment, whole: bool) -> Mode:
    last = parse_state(kept)
    if whole or last is None or last.zone != moment.zone or last.as_of > moment.as_of:
        return Mode.REBUILD
    if json.loads(kept)["definitions"] != _definitions():
        return Mode.REBUILD
    due = warehouse.query(named("profiles/due", {"as_of": moment.as_of})).column(0)[0].as_py()
    return Mode.REFRESH if due else Mode.NOTHING


def _definitions() -> str:
    """Changes whenever the stored traits' definitions do, so that an upgrade recomputes them."""
    return f"{salt(load_sql('profiles/traits'), load_sql('profiles/scores')):016x}"


def _rebuild(moment: Moment) -> list[Statement]:
    return [
        *_clear("profile_touched", "profile_work", "profiles"),
        named("profiles/everyone"),
        *_compute(moment),
        *_remember(moment),
        *_clear("profile_work"),
    ]


def _refresh(moment: Moment) -> list[Statement]:
    return [
        *_clear("profile_touched", "profile_work"),
        named("profiles/touched", {"as_of": moment.as_of}),
        named("profiles/work"),
        Statement("DELETE FROM profiles WHERE person IN (SELECT person FROM profile_touched)"),
        *_compute(moment),
        *_remember(moment),
        *_clear("profile_work"),
    ]


def _clear(*tables: str) -> list[Statement]:
    return [Statement(exp.delete(table)) for table in tables]


def _compute(moment: Moment) -> list[Statement]:
    starts: dict[str, object] = {f"from_{days}": moment.before(days) for days in WINDOWS}
    return [
        named("profiles/traits", {"as_of": moment.as_of, "zone": moment.zone, **starts}),
        named("profiles/scores"),
    ]


def _remember(moment: Moment) -> list[Statement]:
    return [
        named("profiles/seen_slices"),
        named("profiles/seen_chunks"),
        *_clear("profile_overrides"),
        Statement("INSERT INTO profile_overrides SELECT birth, survivor FROM person_overrides"),
        *_keep_state(moment, ""),
    ]


def _keep_state(moment: Moment, refresh_before: str) -> list[Statement]:
    """Keep the instant; under a new name of the refresh, unless nothing was computed since `refresh_before`."""
    value = {
        "as_of": moment.as_of.isoformat(),
        "zone": moment.zone,
        "definitions": _definitions(),
        "refresh": refresh_before or token_hex(8),
    }
    return [
        Statement("DELETE FROM profile_state WHERE name = $name", {"name": STATE}),
        Statement("INSERT INTO profile_state VALUES ($name, $value)", {"name": STATE, "value": json.dumps(value)}),
    ]


def _recomputed(warehouse: Warehouse, mode: Mode) -> int:
    """How many rows the last write computed."""
    match mode:
        case Mode.NOTHING:
            return 0
        case Mode.REBUILD:
            return number(warehouse, "SELECT count(*) FROM profiles")
    return number(warehouse, "SELECT count(*) FROM profile_touched")
