"""How a plan's channel comes to people: by whom they are spoken to, or to which address they are written.

By relation: a friend speaks; on a channel that goes by the home store, whoever has no friend there is spoken to by the
people of that store. By address: the brand's account that is nearest to the person's home store writes to the address
that we learned last; who has two is written to once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from yutang.channels.contracts import Capabilities, MessageContent, Permit
from yutang.channels.direct.accounts import adapter_of
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import AccountFacts, NodeFacts
from yutang.people import queries as people
from yutang.reach.gate.contracts import RuleName
from yutang.reach.limits import way_of
from yutang.warehouse.contracts import Warehouse, named

NOWHERE = -1  # the home of whoever has none
_STAMP = pa.timestamp("us")
_NEAR = pa.schema(
    [
        ("home", pa.int64()),
        ("space", pa.string()),
        ("sender", pa.int64()),
        ("store", pa.int64()),
        ("place", pa.int64()),
        ("places", pa.int64()),
    ]
)


def addresses_of(persons: Iterable[PersonId], channel: str, corp: str) -> dict[PersonId, list[str]]:
    """Under which addresses each person is known to an account of a corp on a channel, the one to use first.

    By relation that is the friend's id at the platform, the oldest first; where people go by our own list, our number.
    Otherwise the identifier that we learned last comes first; one that is several people's is nobody's address. Persons
    without any are absent. These are handed to a port, and written nowhere.
    """
    way = way_of(channel)
    if way.by_home:
        return {person: [str(birth) for birth in births] for person, births in people.births_of(persons).items()}
    if way.addressed_by is None:
        return people.all_identifiers_of(persons, "external_userid", corp)
    found = people.addresses_of(persons, way.addressed_by, corp if way.namespaced else "")
    return {person: values[::-1] for person, values in found.items()}


def price_of(channel: str, text: str, *, marketing: bool = True) -> Decimal:
    """What a message costs, in the brand's currency, by the dearest account of a channel. Raises CannotCarry for a text
    that one of them cannot send, such as one for which the provider has approved no template, or that must not carry
    marketing."""
    accounts = [one for one in organisation.channel_accounts() if one.channel == channel and one.on]
    content = MessageContent(text, permit=Permit("", marketing=marketing))
    prices = [one.cost * adapter_of(one).size(content).pieces for one in accounts]
    return max(prices, default=way_of(channel).cost)


def friends_only(channel: str) -> bool:
    """Whether only a friend of a person may speak to them there."""
    way = way_of(channel)
    return way.addressed_by is None and not way.by_home


def at_hand(channel: str) -> bool:
    """Whether a channel's tasks are rows of our own: these are asked about in one's own thread and transaction, since
    another thread has another connection to the store."""
    return not friends_only(channel)


def without_address(channel: str) -> str:
    """Why nobody is spoken to on a channel who has no address there."""
    return (RuleName.RELATION if way_of(channel).addressed_by is None else RuleName.NO_ADDRESS).value


def acquainted(warehouse: Warehouse, way: Capabilities, audience: pa.Table) -> tuple[pa.Table, pa.Array | None]:
    """Who may speak to whom of an audience, and who of them can be reached at all (None: whoever is anybody's friend).

    The first has the columns of the gate's relations, where `added_at` puts several accounts at one place in order.
    """
    if way.addressed_by is None:
        friends = warehouse.query(named("reach/relations", {"channel": way.channel}, {"audience": audience}))
        if not way.by_home:
            return friends, None
        active = {account.id for account in organisation.accounts(way.channel, None)}
        friends = friends.filter(pc.is_in(friends["sender"], pa.array(sorted(active), pa.int64())))
        others = audience.filter(pc.invert(pc.is_in(audience["person"], friends["person"])))
        reached = others.append_column("space", pa.array([""] * others.num_rows, pa.string()))
        both = pa.concat_tables([friends, _nearest(warehouse, way, reached).cast(friends.schema)])
        return both, pc.unique(both["person"])
    reached = people.who_has(way.addressed_by)
    reached = reached.filter(pc.is_in(reached["person"], audience["person"]))
    if not way.namespaced:
        reached = reached.filter(pc.equal(reached["space"], ""))
    else:  # an id at an app that nothing is connected to leads nowhere
        spaces = {account.corp for account in organisation.accounts(way.channel, None)}
        reached = reached.filter(pc.is_in(reached["space"], pa.array(sorted(spaces), pa.string())))
    return _nearest(warehouse, way, reached), pc.unique(reached["person"])


def _nearest(warehouse: Warehouse, way: Capabilities, reached: pa.Table) -> pa.Table:
    """For each of these persons (and `space`, whose account it must be) the accounts nearest to their home."""
    near = _near(organisation.nodes(), organisation.accounts(way.channel, None), namespaced=way.namespaced)
    rows = warehouse.query(named("reach/nearest", {"nowhere": NOWHERE}, {"reached": reached, "near": near}))
    order = rows["turn"].cast(pa.int64()).cast(pa.timestamp("s")).cast(_STAMP)
    return pa.table({**{name: rows[name] for name in ("person", "sender", "store")}, "added_at": order,
                     "last_talk_at": pa.nulls(rows.num_rows, _STAMP)})  # fmt: skip


def _near(nodes: Sequence[NodeFacts], accounts: Sequence[AccountFacts], *, namespaced: bool) -> pa.Table:
    """For each node, and for nowhere, the accounts at that node or else at the nearest above it, by space."""
    at: dict[tuple[str, NodeId], list[AccountFacts]] = {}
    for account in accounts:
        at.setdefault((account.corp if namespaced else "", account.store), []).append(account)
    spaces = {space for space, _ in at}
    root = next(node.id for node in nodes if node.parent is None)
    found: dict[tuple[str, NodeId], list[AccountFacts]] = {}
    for node in nodes:  # parents first
        for space in spaces:
            above = found.get((space, node.parent), []) if node.parent is not None else []
            found[space, node.id] = at.get((space, node.id), above)
    homes = [(int(node), space, there) for (space, node), there in found.items()]
    homes += [(NOWHERE, space, found[space, root]) for space in spaces]
    rows = [
        {"home": home, "space": space, "sender": one.id, "store": one.store, "place": place, "places": len(there)}
        for home, space, there in homes
        for place, one in enumerate(there)
    ]
    return pa.Table.from_pylist(rows, schema=_NEAR)
