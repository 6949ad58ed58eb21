"""What a drill tells, for those who may see it. Who is *reachable* is said by `profiles/reachable` and nowhere else:
here it is asked of every way that the planner knows (friendships, addresses, the people of the home store) instead of
friendships alone, and by active accounts, as the gate has it.

A person is lost with a unit (an account, a corp, a channel) where all their ways go by it. So all units of a level are
one query: of every person the units that reach them, and who has but one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from yutang.channels.capabilities import capabilities
from yutang.channels.contracts import Capabilities
from yutang.guard.drill.contracts import (
    OTHER_CORP,
    SAME_CORP,
    Drill,
    Level,
    LostPerson,
    Risk,
    Spared,
    Unit,
)
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import AccountFacts, NodeFacts, Viewer
from yutang.people.queries import who_has
from yutang.profiles.queries import reachable_over
from yutang.reach.approach import NOWHERE
from yutang.reach.limits import way_of
from yutang.warehouse.contracts import Statement, Warehouse, load_sql
from yutang.warehouse.dialects import parse

WECOM = "wecom"
GONE = 0
"""The number of what is gone among the ways of a drill."""

_ACCOUNTS = pa.schema([("account", pa.int64())])
_SERVING = pa.schema(
    [("home", pa.int64()), ("channel", pa.string()), ("space", pa.string()), ("account", pa.int64()),
     ("by_home", pa.bool_())]
)  # fmt: skip
_UNITS = pa.schema([("account", pa.int64()), ("unit", pa.int64())])


def units(viewer: Viewer, level: Level) -> list[Unit]:
    """What may be imagined to be gone, of what the viewer sees: of the active accounts by which marketing may go."""
    seen = [one for one in organisation.senders(viewer) if one.active and one.channel in _ways()]
    if level is Level.ACCOUNT:
        return [
            Unit(level, str(one.id), one.channel, one.corp, frozenset({one.id}), one.id, one.userid, one.name,
                 one.store)
            for one in seen
        ]  # fmt: skip
    found: dict[tuple[str, str], set[SenderId]] = defaultdict(set)
    mine = {(one.channel, one.corp) for one in seen}
    for channel, one in _active():
        if (channel, one.corp) in mine and (level is Level.CHANNEL or channel == WECOM):
            found[channel, one.corp if level is Level.CORP else ""].add(one.id)
    return [
        Unit(level, corp if level is Level.CORP else channel, channel, corp, frozenset(ids))
        for (channel, corp), ids in sorted(found.items())
    ]


def unit(viewer: Viewer, level: Level, of: str) -> Unit:
    """One of them. Raises NotFound."""
    for one in units(viewer, level):
        if one.of == of:
            return one
    raise NotFound(
        f"没有「{of[:64]}」这个可以演练的账号、企业或渠道。", f"There is no account, corp or channel “{of[:64]}” here."
    )


def ranking(warehouse: Warehouse, viewer: Viewer, level: Level) -> list[Risk]:
    """Every unit of a level, the one first that would cost most (集中风险). Those that reach nobody come last."""
    known = units(viewer, level)
    numbers = {account: number for number, one in enumerate(known) for account in one.accounts}
    rest = len(known)  # accounts that the viewer does not see are other ways all the same, each its own
    pairs = [(one.id, numbers.get(one.id, rest + place)) for place, (_, one) in enumerate(_active())]
    rows = warehouse.query(_asked(viewer, "ranking", pairs)).to_pylist()
    told = {row["unit"]: row for row in rows}
    risks = [
        Risk(one, told[number]["reached"], told[number]["lost"]) if number in told else Risk(one, 0, 0)
        for number, one in enumerate(known)
    ]
    return sorted(risks, key=lambda risk: (-risk.lost, -risk.reached, risk.unit.of))


def drill(warehouse: Warehouse, viewer: Viewer, gone: Unit) -> Drill:
    """Who is still reached, by which other way, where a unit is gone: in all, and by home store."""
    names, pairs = _other_ways(gone)
    rows = warehouse.query(_asked(viewer, "spared", pairs)).to_pylist()
    homes: dict[NodeId | None, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        homes[row["store"]].append(row)
    whole = _spared(None, rows, names)
    stores = [_spared(store, some, names) for store, some in homes.items()]
    stores.sort(key=lambda one: (-one.lost, -one.reached, one.store or 0))
    return Drill(gone, whole, tuple(stores), _could(warehouse, viewer, gone) if whole.lost else {})


def _spared(store: NodeId | None, rows: Iterable[Mapping[str, Any]], names: Mapping[int, str]) -> Spared:
    """Rows of one store, or of all, added up. Of the unit that is gone they count whom it reaches, and who is alone."""
    reached = alone = 0
    by_way: Counter[str] = Counter()
    for row in rows:
        if row["unit"] == GONE:
            reached, alone = reached + row["persons"], alone + row["alone"]
        else:
            by_way[names[row["unit"]]] += row["persons"]
    return Spared(store, reached, alone, dict(by_way))


def lost(
    warehouse: Warehouse,
    viewer: Viewer,
    gone: Unit,
    *,
    store: NodeId | None = None,
    bought: bool | None = None,
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, list[LostPerson]]:
    """Those whom nothing else reaches, who spent most first, and how many they are; of a home store, or of those who
    ever bought or never did."""
    table = _lost(warehouse, viewer, gone, store, bought, limit, offset)
    rows = table.to_pylist()
    if rows or not offset:
        total = rows[0]["total"] if rows else 0
    else:
        total = lost(warehouse, viewer, gone, store=store, bought=bought, limit=1)[0]
    return total, [
        LostPerson(PersonId(row["person"]), row["store"], row["synthetic"], row["orders_ever"], row["spend_365d"])
        for row in rows
    ]


def _lost(
    warehouse: Warehouse, viewer: Viewer, gone: Unit, store: NodeId | None, bought: bool | None, limit: int, offset: int
) -> pa.Table:
    said = {None: "", True: "yes", False: "no"}[bought]
    more = {"store": int(store or 0), "bought": said, "most": limit, "from_row": offset}
    return warehouse.query(_asked(viewer, "lost", _other_ways(gone)[1], more))


def _could(warehouse: Warehouse, viewer: Viewer, gone: Unit) -> dict[str, int]:
    """Of those lost, how many have an address on a channel without any account, and consented to it."""
    connected = {channel for channel, _ in _active()}
    kinds: dict[str, str] = {}
    for way in _ways().values():
        if way.addressed_by is not None and not way.namespaced and way.channel not in connected:
            kinds[way.channel] = way.addressed_by
    if not kinds:
        return {}
    table = _lost(warehouse, viewer, gone, None, None, 1_000_000_000, 0).select(["person"])
    reached = _reached(kinds.items())
    reached = reached.append_column("live", pa.array([True] * reached.num_rows, pa.bool_()))
    select = parse(load_sql("guard/drill/could"))
    assert isinstance(select, exp.Select)
    select = select.with_("ways", as_=reachable_over("reached", "channel"))
    asked = Statement(select, tables={"reached": reached, "lost": table}, name="guard/drill/could")
    return {row["channel"]: row["persons"] for row in warehouse.query(asked).to_pylist()}


# Ways ---------------------------------------------------------------------------------------------------------------


def _ways() -> Mapping[str, Capabilities]:
    """The channels by which marketing may go without being asked, each by what its connectors say."""
    ways = {one.channel: way_of(one.channel) for one in capabilities().values()}
    return {channel: way for channel, way in ways.items() if way.marketing and way.window is None}


def _active() -> list[tuple[str, AccountFacts]]:
    """Every active account with its channel. (Unscoped: an account that the viewer does not see is a way too.)"""
    ways = _ways()
    return [(channel, one) for channel, one in organisation.accounts_of_channels() if channel in ways]


def _other_ways(gone: Unit) -> tuple[dict[int, str], list[tuple[SenderId, int]]]:
    """How the ways beside a unit are called, by number, and each account's number; `GONE` for the unit's own."""
    numbers: dict[str, int] = {}
    pairs = []
    for channel, one in _active():
        if one.id in gone.accounts:
            pairs.append((one.id, GONE))
            continue
        name = channel
        if channel == WECOM:
            name = SAME_CORP if gone.channel == WECOM and one.corp == gone.corp else OTHER_CORP
        pairs.append((one.id, numbers.setdefault(name, len(numbers) + 1)))
    return {number: name for name, number in numbers.items()}, pairs


@dataclass(frozen=True, slots=True)
class _Contacts:
    """By whom anybody could be spoken to at all."""

    accounts: pa.Table
    serving: pa.Table
    reached: pa.Table


def _contacts() -> _Contacts:
    active, ways = _active(), _ways()
    addressed = {way.channel: way.addressed_by for way in ways.values() if way.addressed_by is not None}
    used = {channel for channel, _ in active}
    return _Contacts(
        pa.table({"account": pa.array([one.id for _, one in active], pa.int64())}, schema=_ACCOUNTS),
        _serving(organisation.nodes(), [(ways[channel], one) for channel, one in active]),
        _reached((channel, kind) for channel, kind in addressed.items() if channel in used),
    )


def _serving(nodes: Sequence[NodeFacts], accounts: Iterable[tuple[Capabilities, AccountFacts]]) -> pa.Table:
    """Which accounts serve whom lives at a node: those there, and those of every node above, for when the nearest is
    gone the next one up speaks. Whoever lives nowhere is served by the whole brand's."""
    at: dict[NodeId, list[tuple[Capabilities, AccountFacts]]] = defaultdict(list)
    for way, one in accounts:
        if way.addressed_by is not None or way.by_home:
            at[one.store].append((way, one))
    found: dict[NodeId, list[tuple[Capabilities, AccountFacts]]] = {}
    rows = []
    for node in nodes:  # parents first
        found[node.id] = [*at.get(node.id, ()), *(found[node.parent] if node.parent is not None else ())]
        homes = (int(node.id),) if node.parent is not None else (int(node.id), NOWHERE)
        rows += [
            {"home": home, "channel": way.channel, "space": one.corp if way.namespaced else "", "account": one.id,
             "by_home": way.by_home}
            for way, one in found[node.id]
            for home in homes
        ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_SERVING)


def _reached(kinds: Iterable[tuple[str, str]]) -> pa.Table:
    """Who has an address on each of these channels: `person`, `space`, `channel`."""
    parts = []
    for channel, kind in kinds:
        found = who_has(kind).select(["person", "space"])
        parts.append(found.append_column("channel", pa.array([channel] * found.num_rows, pa.string())))
    empty = pa.table({"person": pa.array([], pa.int64()), "space": pa.array([], pa.string()),
                      "channel": pa.array([], pa.string())})  # fmt: skip
    return pa.concat_tables([empty, *parts])


def _asked(
    viewer: Viewer, name: str, pairs: Sequence[tuple[SenderId, int]], more: Mapping[str, object] | None = None
) -> Statement:
    """A query of this drawer over the table `ways` (`person`, `account`): all by which anybody may be reached."""
    select = parse(load_sql(f"guard/drill/{name}"))
    assert isinstance(select, exp.Select)
    select = select.with_("contacts", as_=parse(load_sql("guard/drill/contacts")))
    select = select.with_("ways", as_=reachable_over("contacts", "account"))
    contacts = _contacts()
    tables = {
        "accounts": contacts.accounts,
        "serving": contacts.serving,
        "reached": contacts.reached,
        "units": pa.table(
            {"account": [one for one, _ in pairs], "unit": [number for _, number in pairs]}, schema=_UNITS
        ),
        "seen": pa.table({"node": pa.array(sorted(viewer.nodes or ()), pa.int64())}),
    }
    params = {"sees_all": viewer.sees_all, "nowhere": NOWHERE, **(more or {})}
    return Statement(select, params, tables, f"guard/drill/{name}")
