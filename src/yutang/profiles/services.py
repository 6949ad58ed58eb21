"""Bringing profiles to an instant: whole (`rebuild`) or only those whose row may differ (`refresh`)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from secrets import token_hex

import pyarrow as pa
from sqlglot import exp

from yutang.kernel.clock import business_now, monotonic
from yutang.kernel.errors import Unavailable
from yutang.kernel.ids import salt
from yutang.organisation.queries import brand
from yutang.profiles.aggregates import inserts
from yutang.profiles.contracts import WINDOWS, Mode, Moment, ProfileReport
from yutang.profiles.documents import Of, TraitDocument
from yutang.profiles.queries import STATE, kept_state, number, parse_refresh, parse_state, parse_traits
from yutang.profiles.registry import aggregates, learn_traits, stored_by
from yutang.warehouse.contracts import Statement, Warehouse, load_sql, named
from yutang.warehouse.dialects import parse

_ATTEMPTS = 5
SKEW = timedelta(seconds=2)  # business time by which two processes may differ: each reads a stepped clock now and then


def rebuild(warehouse: Warehouse, as_of: datetime, *, zone: str | None = None) -> ProfileReport:
    """Compute every person's row at `as_of` (aware). `zone` is where days begin; default: the brand's."""
    return _bring(warehouse, _moment(as_of, zone), whole=True)


def refresh(warehouse: Warehouse, as_of: datetime, *, zone: str | None = None) -> ProfileReport:
    """Bring profiles to `as_of` at the cost of what changed; the result equals `rebuild` at that instant.

    Recomputed are the persons of events, imports and merges that came since the last refresh, and those for whom an
    order entered or left a window by time alone; of the brand's own traits, each kind of rows by itself. An instant
    before the last one, another zone, or new definitions of shipped traits rebuild; a changed document is computed for
    everybody, and no other with it.
    """
    return _bring(warehouse, _moment(as_of, zone), whole=False)


def _moment(as_of: datetime, zone: str | None) -> Moment:
    """The instant in a zone; the brand's traits are read anew where the brand's zone is asked for."""
    if zone is None:
        learn_traits()
        zone = brand().zone
    return Moment(as_of.astimezone(UTC), zone)


def refresh_now(warehouse: Warehouse) -> ProfileReport:
    """As `refresh`, to this instant; or to that of the last refresh, where another process's clock was a moment ahead:
    going back so little would cost a rebuild."""
    now = business_now().astimezone(UTC)
    last = parse_state(kept_state(warehouse))
    ahead = last is not None and timedelta(0) < last.as_of - now <= SKEW
    return refresh(warehouse, last.as_of if last is not None and ahead else now)


def _bring(warehouse: Warehouse, moment: Moment, *, whole: bool) -> ProfileReport:
    start = monotonic()
    documents = aggregates()
    for _ in range(_ATTEMPTS):
        kept = kept_state(warehouse)
        mode = _mode(warehouse, kept, moment, documents, whole=whole)
        statements = _statements(mode, moment, kept, documents)
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


def _statements(mode: Mode, moment: Moment, kept: str, documents: Sequence[TraitDocument]) -> list[Statement]:
    match mode:
        case Mode.REBUILD:
            return _rebuild(moment, documents)
        case Mode.REFRESH:
            return _refresh(moment, parse_traits(kept), documents)
    return _keep_state(moment, parse_refresh(kept), documents)


def _mode(warehouse: Warehouse, kept: str, moment: Moment, documents: Sequence[TraitDocument], *, whole: bool) -> Mode:
    last = parse_state(kept)
    if whole or last is None or last.zone != moment.zone or last.as_of > moment.as_of:
        return Mode.REBUILD
    if json.loads(kept)["definitions"] != _definitions():
        return Mode.REBUILD
    if parse_traits(kept) != _stored_by(documents):
        return Mode.REFRESH
    due = warehouse.query(named("profiles/due", {"as_of": moment.as_of})).column(0)[0].as_py()
    if not due and _of_touches(documents):
        due = warehouse.query(named("profiles/unseen_touches")).column(0)[0].as_py()
    return Mode.REFRESH if due else Mode.NOTHING


def _stored_by(documents: Sequence[TraitDocument]) -> dict[str, str]:
    return {document.name: stored_by(document) for document in documents}


def _of_touches(documents: Sequence[TraitDocument]) -> bool:
    return any(document.of is Of.TOUCHES for document in documents)


def _definitions() -> str:
    """Changes whenever the stored traits' definitions do, so that an upgrade recomputes them."""
    return f"{salt(load_sql('profiles/traits'), load_sql('profiles/scores')):016x}"


def _rebuild(moment: Moment, documents: Sequence[TraitDocument]) -> list[Statement]:
    return [
        *_clear("profile_touched", "profile_work", "profiles", "profile_more"),
        named("profiles/everyone"),
        *_compute(moment),
        *inserts(documents, moment, _everyone),
        *_remember(moment, documents),
        *_clear("profile_work"),
    ]


def _refresh(moment: Moment, before: Mapping[str, str], documents: Sequence[TraitDocument]) -> list[Statement]:
    steady = [document for document in documents if before.get(document.name) == stored_by(document)]
    changed = [document for document in documents if document not in steady]
    more = _More(steady)
    statements = [
        *_clear("profile_touched", "profile_work"),
        *more.begin(anew=len(steady) < len(before)),
        named("profiles/touched_by_people"),
        *more.touched_too(set(Of)),
        named("profiles/touched_by_orders"),
        *more.touched_too({Of.ORDERS, Of.LINES}),
        named("profiles/touched_by_time", {"as_of": moment.as_of}),
        *more.touched(moment),
        named("profiles/work"),
        Statement("DELETE FROM profiles WHERE person IN (SELECT person FROM profile_touched)"),
        *_of_theirs([*_compute(moment), *more.compute(moment)]),
    ]
    if changed:
        statements += [*_clear("profile_work"), named("profiles/everyone"), *inserts(changed, moment, _everyone)]
    return [*statements, *_remember(moment, documents), *_clear("profile_work"), *more.end()]


def _of_theirs(statements: Sequence[Statement]) -> list[Statement]:
    """The statements, reading instead of all orders those of whom is touched, which are copied aside."""
    return [
        named("profiles/their_orders"),
        *(replace(one, sql=_reading_theirs(one.text())) for one in statements),
        Statement("DROP TABLE their_orders"),
    ]


@lru_cache(maxsize=64)
def _reading_theirs(text: str) -> str:
    tree = parse(text)
    for table in tree.find_all(exp.Table):
        if table.name == "orders":
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))
            table.set("this", exp.to_identifier("their_orders"))
    return tree.sql(dialect="duckdb", identify=True)


def _everyone(_: Of) -> exp.Query:
    return exp.select("birth", "person").from_("profile_work")


class _More:
    """The brand's traits in a refresh: of those that are defined as before, what is new, merged or passed is computed.

    Touched are persons for each kind of rows: who only wrote has no orders looked at again.
    """

    def __init__(self, steady: Sequence[TraitDocument]) -> None:
        self._steady = steady
        self._traits = pa.table(
            {
                "trait": pa.array([document.name for document in steady], pa.string()),
                "kind": pa.array([str(document.of) for document in steady], pa.string()),
            }
        )

    def begin(self, *, anew: bool) -> list[Statement]:
        """Empty what is worked with; with `anew` also what is no more or is defined otherwise."""
        gone = named("profiles/more_keep", tables={"asked_traits": self._traits})
        return [*self.end(), gone] if anew else self.end()

    def touched_too(self, kinds: Collection[Of]) -> list[Statement]:
        """Who is in `profile_touched` so far, for these kinds."""
        asked = sorted({str(document.of) for document in self._steady if document.of in kinds})
        tables = {"asked_kinds": pa.table({"kind": asked})}
        return [named("profiles/more_touched_too", tables=tables)] if asked else []

    def touched(self, moment: Moment) -> list[Statement]:
        """Who is touched by events, receipts and time."""
        if not self._steady:
            return []
        types = sorted({(str(one.of), type_) for one in self._steady for type_ in one.event_types})
        asked = pa.table({"kind": [kind for kind, _ in types], "type": [type_ for _, type_ in types]})
        traits = {"asked_traits": self._traits}
        return [
            *([named("profiles/more_touched_by_events", tables={"asked_types": asked})] if types else []),
            *([named("profiles/more_touched_by_receipts")] if _of_touches(self._steady) else []),
            named("profiles/more_touched_by_time", {"as_of": moment.as_of}, traits),
            named("profiles/more_work"),
            named("profiles/more_forget", tables=traits),
        ]

    def compute(self, moment: Moment) -> list[Statement]:
        """The rows of those touched."""

        def work(kind: Of) -> exp.Query:
            births = exp.select("birth", "person").from_("profile_more_work")
            return births.where(exp.column("kind").eq(str(kind)))

        return inserts(self._steady, moment, work)

    def end(self) -> list[Statement]:
        return _clear("profile_more_touched", "profile_more_work") if self._steady else []


def _clear(*tables: str) -> list[Statement]:
    return [Statement(exp.delete(table)) for table in tables]


def _compute(moment: Moment) -> list[Statement]:
    starts: dict[str, object] = {f"from_{days}": moment.before(days) for days in WINDOWS}
    return [
        named("profiles/traits", {"as_of": moment.as_of, "zone": moment.zone, **starts}),
        named("profiles/scores"),
    ]


def _remember(moment: Moment, documents: Sequence[TraitDocument]) -> list[Statement]:
    return [
        named("profiles/seen_slices"),
        named("profiles/seen_chunks"),
        *([named("profiles/seen_touches")] if _of_touches(documents) else []),
        *_clear("profile_overrides"),
        Statement("INSERT INTO profile_overrides SELECT birth, survivor FROM person_overrides"),
        *_keep_state(moment, "", documents),
    ]


def _keep_state(moment: Moment, refresh_before: str, documents: Sequence[TraitDocument]) -> list[Statement]:
    """Keep the instant; under a new name of the refresh, unless nothing was computed since `refresh_before`."""
    value = {
        "as_of": moment.as_of.isoformat(),
        "zone": moment.zone,
        "definitions": _definitions(),
        "refresh": refresh_before or token_hex(8),
        "traits": _stored_by(documents),
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
    return number(warehouse, "SELECT count(DISTINCT person) FROM profile_touched")
