"""What a drill tells, for those who may see it. Who is *reachable* is said by `people/ways` and nowhere else:
here it is asked of every way that the planner knows (friendships, addresses, the people of the home store) instead of
friendships alone, and by active accounts, as the gate has it.

A person is lost with a unit (an account, a corp, a channel) where all their ways go by it. Who is reached by whom is
one query, counted beforehand; what each unit costs, and what each viewer sees of it, is counted in its columns
(`reaching`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from yutang.channels.capabilities import capabilities
from yutang.channels.contracts import Capabilities
from yutang.guard.drill.contracts import (
    OTHER_CORP,
    SAME_CORP,
    Drill,
    LostPerson,
    Risk,
    Spared,
    Unit,
    UnitLevel,
)
from yutang.guard.drill.reaching import Contacts, Left, Numbers
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import AccountFacts, NodeFacts, Viewer
from yutang.people.queries import who_has
from yutang.people.ways import reachable_over
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.reach.approach import NOWHERE
from yutang.reach.limits import way_of
from yutang.warehouse.contracts import Statement, Warehouse, load_sql
from yutang.warehouse.dialects import parse

WECOM = "wecom"
_ACCOUNTS = pa.schema([("account", pa.int64())])
_SERVING = pa.schema(
    [("home", pa.int64()), ("channel", pa.string()), ("space", pa.string()), ("account", pa.int64()),
     ("by_home", pa.bool_())]
)  # fmt: skip


def units(viewer: Viewer, level: UnitLevel) -> list[Unit]:
    """What may be imagined to be gone, of what the viewer sees: of the active accounts by which marketing may go.
    Without names: `named` opens those that are shown."""
    ways = _ways()
    seen = [one for one in organisation.homes(viewer) if one.active and one.channel in ways]
    if level is UnitLevel.ACCOUNT:
        return [
            Unit(level, str(one.sender), one.channel, one.corp, frozenset({one.sender}), one.sender, one.userid, "",
                 one.node, one.staff)
            for one in seen
        ]  # fmt: skip
    found: dict[tuple[str, str], set[SenderId]] = defaultdict(set)
    mine = {(one.channel, one.corp) for one in seen}
    for channel, one in _active():
        if (channel, one.corp) in mine and (level is UnitLevel.CHANNEL or channel == WECOM):
            found[channel, one.corp if level is UnitLevel.CORP else ""].add(one.id)
    return [
        Unit(level, corp if level is UnitLevel.CORP else channel, channel, corp, frozenset(ids))
        for (channel, corp), ids in sorted(found.items())
    ]


def named(viewer: Viewer, several: Iterable[Unit]) -> list[Unit]:
    """The same units with the names of those whose accounts they are."""
    found = list(several)
    names = organisation.staff_names(viewer, {one.staff for one in found if one.staff is not None})
    return [one if one.staff is None else replace(one, name=names.get(one.staff, "")) for one in found]


def unit(viewer: Viewer, level: UnitLevel, of: str) -> Unit:
    """One of them. Raises NotFound."""
    for one in units(viewer, level):
        if one.of == of:
            return named(viewer, [one])[0]
    raise NotFound(
        f"没有「{of[:64]}」这个可以演练的账号、企业或渠道。", f"There is no account, corp or channel “{of[:64]}” here."
    )


def ranking(warehouse: Warehouse, viewer: Viewer, level: UnitLevel, *, now: bool = False) -> Counted[list[Risk]]:
    """Every unit of a level, the one first that would cost most (集中风险). Those that reach nobody come last; counted
    beforehand, or this very moment (`now`), without names."""
    counted = CONTACTS.afresh(warehouse) if now else CONTACTS.answer(warehouse)
    known = units(viewer, level)
    reached, lost_ = counted.value.by_unit([one.accounts for one in known], viewer)
    risks = [Risk(one, *heads) for one, *heads in zip(known, reached.tolist(), lost_.tolist(), strict=True)]
    return Counted(sorted(risks, key=lambda risk: (-risk.lost, -risk.reached, risk.unit.of)), counted.as_of)


@dataclass(frozen=True, slots=True)
class Without:
    """Everybody beside a unit that is gone, looked at once for all that is told of it: `left` of `contacts`, as of an
    instant, and what the other ways (`names`) are called."""

    gone: Unit
    contacts: Contacts
    as_of: datetime
    names: tuple[str, ...]
    left: Left

    def told(self) -> Drill:
        """Who is still reached, and by which other way: in all, and by home store."""
        contacts, left = self.contacts, self.left
        by_way = {
            name: contacts.by_home(left.hit & (left.ways >> number & 1 > 0)) for number, name in enumerate(self.names)
        }
        reached, lost_ = contacts.by_home(left.hit), contacts.by_home(left.lost)
        stores = [
            Spared(store, int(reached[at]), int(lost_[at]), _some({name: heads[at] for name, heads in by_way.items()}))
            for at, store in enumerate(contacts.homes)
            if reached[at]
        ]
        whole = Spared(
            None, int(reached.sum()), int(lost_.sum()), _some({name: heads.sum() for name, heads in by_way.items()})
        )
        stores.sort(key=lambda one: (-one.lost, -one.reached, one.store or 0))
        could = {channel: int(left.lost[who].sum()) for channel, who in contacts.could.items()}
        return Drill(self.gone, whole, tuple(stores), _some(could), self.as_of)

    def lost(
        self,
        warehouse: Warehouse,
        viewer: Viewer,
        *,
        store: NodeId | None = None,
        bought: bool | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[int, list[LostPerson]]:
        """Those whom nothing else reaches, who spent most first, and how many they are; of a home store, or of those
        who ever bought or never did. Whoever is gone since, or seen by the viewer no more, is not shown."""
        contacts, among = self.contacts, self.left.lost
        if store is not None:
            among = among & (contacts.home == contacts.homes.index(store) if store in contacts.homes else False)
        if bought is not None:
            among = among & ((contacts.orders > 0) == bought)
        dearest = contacts.dearest[among[contacts.dearest]]
        shown = _still(warehouse, viewer, contacts, dearest[offset : offset + limit])
        return len(dearest), [
            LostPerson(
                PersonId(int(contacts.known.persons[at])), contacts.homes[contacts.home[at]],
                bool(contacts.synthetic[at]), int(contacts.orders[at]), float(contacts.spend[at]),
            )
            for at in shown
        ]  # fmt: skip


def without(warehouse: Warehouse, viewer: Viewer, gone: Unit, *, now: bool = False) -> Without:
    """What is left for the viewer where a unit is gone; counted beforehand, or this very moment (`now`)."""
    counted = CONTACTS.afresh(warehouse) if now else CONTACTS.answer(warehouse)
    names, other = _other_ways(gone)
    left = counted.value.without(other, len(names), viewer)
    return Without(gone, counted.value, counted.as_of, tuple(names), left)


def drill(warehouse: Warehouse, viewer: Viewer, gone: Unit, *, now: bool = False) -> Drill:
    """What `without` tells of it."""
    return without(warehouse, viewer, gone, now=now).told()


def lost(
    warehouse: Warehouse,
    viewer: Viewer,
    gone: Unit,
    *,
    store: NodeId | None = None,
    limit: int = 50,
    offset: int = 0,
    now: bool = False,
) -> tuple[int, list[LostPerson]]:
    """Whom `without` knows as lost."""
    found = without(warehouse, viewer, gone, now=now)
    return found.lost(warehouse, viewer, store=store, limit=limit, offset=offset)


def _some(heads: Mapping[str, Any]) -> dict[str, int]:
    """Those that are any."""
    return {name: int(count) for name, count in heads.items() if count}


def _still(warehouse: Warehouse, viewer: Viewer, contacts: Contacts, shown: Numbers) -> list[int]:
    """Those of the places among `contacts` whose persons are still here and the viewer's."""
    wanted = {"person": pa.array(contacts.known.persons[shown], pa.int64())}
    rows = warehouse.query(
        Statement(
            "SELECT person FROM facts WHERE person IN (SELECT person FROM wanted) AND ($sees_all OR person IN "
            "(SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node))",
            {"sees_all": viewer.sees_all},
            {
                "wanted": pa.table(wanted),
                "seen": pa.table({"node": pa.array(sorted(viewer.nodes or ()), pa.int64())}),
            },
            "guard/drill/still",
        )
    )
    here = set(rows["person"].to_pylist())
    return [int(at) for at in shown if int(contacts.known.persons[at]) in here]


# Ways ---------------------------------------------------------------------------------------------------------------


def _ways() -> Mapping[str, Capabilities]:
    """The channels by which marketing may go without being asked, each by what its connectors say."""
    ways = {one.channel: way_of(one.channel) for one in capabilities().values()}
    return {channel: way for channel, way in ways.items() if way.marketing and way.window is None}


def _active() -> list[tuple[str, AccountFacts]]:
    """Every active account with its channel. (Unscoped: an account that the viewer does not see is a way too.)"""
    ways = _ways()
    return [(channel, one) for channel, one in organisation.accounts_of_channels() if channel in ways]


def _other_ways(gone: Unit) -> tuple[list[str], dict[SenderId, int]]:
    """How the ways beside a unit are called, and which of them each other account is."""
    names: dict[str, int] = {}
    other: dict[SenderId, int] = {}
    for channel, one in _active():
        if one.id in gone.accounts:
            continue
        name = channel
        if channel == WECOM:
            name = SAME_CORP if gone.channel == WECOM and one.corp == gone.corp else OTHER_CORP
        other[one.id] = names.setdefault(name, len(names))
    return list(names), other


@dataclass(frozen=True, slots=True)
class _Sources:
    """By whom anybody could be spoken to at all."""

    accounts: pa.Table
    serving: pa.Table
    reached: pa.Table


def _sources() -> _Sources:
    active, ways = _active(), _ways()
    addressed = {way.channel: way.addressed_by for way in ways.values() if way.addressed_by is not None}
    used = {channel for channel, _ in active}
    return _Sources(
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


def _asked(name: str) -> Statement:
    """A query of this drawer over the table `ways` (`person`, `account`): all by which anybody may be reached."""
    select = parse(load_sql(f"guard/drill/{name}"))
    assert isinstance(select, exp.Select)
    select = select.with_("contacts", as_=parse(load_sql("guard/drill/contacts")))
    select = select.with_("ways", as_=reachable_over("contacts", "account"))
    sources = _sources()
    tables = {"accounts": sources.accounts, "serving": sources.serving, "reached": sources.reached}
    return Statement(select, {"nowhere": NOWHERE}, tables, f"guard/drill/{name}")


def _could() -> Statement | None:
    """Who has an address on each channel that nothing is connected to, and consented to it; None where all are."""
    connected = {channel for channel, _ in _active()}
    kinds: dict[str, str] = {}
    for way in _ways().values():
        if way.addressed_by is not None and not way.namespaced and way.channel not in connected:
            kinds[way.channel] = way.addressed_by
    if not kinds:
        return None
    reached = _reached(kinds.items())
    reached = reached.append_column("live", pa.array([True] * reached.num_rows, pa.bool_()))
    select = parse(load_sql("guard/drill/could"))
    assert isinstance(select, exp.Select)
    select = select.with_("ways", as_=reachable_over("reached", "channel"))
    return Statement(select, tables={"reached": reached}, name="guard/drill/could")


def _contacts(warehouse: Warehouse) -> Contacts:
    """Of everybody. (Unscoped: an account that a viewer does not see is a way too; `Contacts` cuts a viewer's part.)"""
    asked = _could()
    could = {} if asked is None else warehouse.query(asked).to_pydict()
    return Contacts.of(warehouse, warehouse.query(_asked("pairs")), could)


CONTACTS = Beforehand(_contacts)
