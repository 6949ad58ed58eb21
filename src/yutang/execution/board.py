"""已下发、已执行、未执行, by region, store and guide: who carries out what was planned.

A batch counts where its guide is at home today. What is above is the sum of what is below, by construction: every
account lies below exactly one line of the board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from yutang.channels.capabilities import capabilities
from yutang.execution.contracts import Board, Counts, Row, Spot, bin_of
from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, SenderId, StaffId
from yutang.organisation.contracts import NodeKind, Viewer
from yutang.organisation.queries import OWNER, Home, Place, brand, homes, places, staff_names
from yutang.profiles.beforehand import Beforehand, Counted
from yutang.reach.contracts import Standing
from yutang.reach.tallies import ISSUED, Tallies, Wanted, course, tallies
from yutang.warehouse.contracts import Warehouse

IDLE_DAYS = 14
IDLE_TASKS = 3  # so many that are over and none executed: a store, or a guide, that does not execute
DAYS_SHOWN = 14
MOST_BY_DAY = 1_500  # accounts of which the days are told apart
_STANDINGS = tuple(one.name.lower() for one in Standing)
Numbers = npt.NDArray[np.int64]
SORTS = ("rate", "expired", "issued", "untapped", "name")


@dataclass(frozen=True, slots=True)
class Below:
    """The tree as the viewer sees it from one node: the lines below it, and on which line each account lies.

    `zones`: of all nodes that the viewer sees. `whole`: it is all that headquarters sees, but for the accounts
    `without`, which have nothing to tap.
    """

    at: Spot | None
    trail: tuple[Spot, ...]
    lines: tuple[Spot | StaffId, ...]
    homes: tuple[Home, ...]
    line_of: tuple[int, ...]
    stores: tuple[Place, ...]
    zones: Mapping[NodeId, str]
    whole: bool
    without: tuple[SenderId, ...] = ()

    @property
    def accounts(self) -> list[SenderId] | None:
        """The accounts below, as `reach.tallies` is asked for them: None for all but those `without`."""
        return None if self.whole else [one.sender for one in self.homes]


@dataclass(frozen=True, slots=True)
class Owes:
    """A node whose people have tasks to tap: how many, for how many customers, and by which accounts."""

    node: NodeId
    tasks: int
    people: int
    accounts: tuple[SenderId, ...]


def total(viewer: Viewer, wanted: Wanted, tree: Below) -> Counts:
    """What stands below, all in all."""
    sums = course(viewer, wanted, tree.accounts, without=tree.without if tree.whole else ())
    batches, people, reached = [0] * len(Standing), 0, 0
    for one in sums:
        batches[one.standing] += one.batches
        if one.standing in ISSUED:
            people, reached = people + one.asked, reached + one.done
    return _counts(batches, people, reached)


def board(
    viewer: Viewer,
    wanted: Wanted,
    *,
    at: str = "",
    channel: str = "",
    sort: str = "rate",
    limit: int = 50,
    offset: int = 0,
    by_day: bool = True,
) -> Board:
    """The board of the node with the code `at` (empty: of all that the viewer sees). Raises NotFound.

    `channel` keeps the tasks of one channel; `sort` orders the lines, `limit` and `offset` choose those that are shown,
    `by_day` tells their days apart where they are few enough.
    """
    tree = below(viewer, at, channel)
    sums = tallies(viewer, wanted, tree.accounts)
    counts = _by_line(sums, tree.homes, tree.line_of, len(tree.lines))
    stores = _stores(sums, tree)
    names = {} if sort != "name" else staff_names(viewer, [one for one in tree.lines if isinstance(one, int)])
    order = _ordered(tree.lines, counts, sort, names)
    shown = order[offset : offset + limit]
    days, cells = _days(viewer, wanted, tree, shown) if by_day else ((), {})
    names = names or staff_names(viewer, [one for line in shown if isinstance(one := tree.lines[line], int)])
    spread = _spread(tree, stores)
    return Board(
        tree.at,
        tree.trail,
        _sum(counts),
        tuple(_row(tree.lines[line], counts[line], names, spread.get(line, ()), cells.get(line, {})) for line in shown),
        len(tree.lines),
        days,
        _idle(tree, stores),
    )


def idle_stores(warehouse: Warehouse, tree: Below) -> Counted[tuple[Spot, ...]]:
    """The stores below a node where in `IDLE_DAYS` at least `IDLE_TASKS` came to their end and none was executed;
    counted beforehand."""
    counted = LATELY.answer(warehouse)
    return Counted(_idle(tree, _stores(counted.value, tree)), counted.as_of)


def _lately(_warehouse: Warehouse) -> Tallies:
    """Of everybody. (Unscoped: what is taken of it lies below a viewer's node.)"""
    now = business_now()
    return tallies(OWNER, Wanted(since=now - timedelta(days=IDLE_DAYS), until=now), None)


LATELY = Beforehand(_lately, often=60.0, follows=False)


def _idle(tree: Below, stores: Sequence[Counts]) -> tuple[Spot, ...]:
    pairs = zip(tree.stores, stores, strict=True)
    return tuple(_spot(place) for place, one in pairs if one.over >= IDLE_TASKS and not one.tapped)


def _stores(sums: Tallies, tree: Below) -> list[Counts]:
    """Tallies by the stores of a tree."""
    nodes = {place.id: number for number, place in enumerate(tree.stores)}
    return _by_line(sums, tree.homes, [nodes.get(one.node, -1) for one in tree.homes], len(tree.stores))


def owing(viewer: Viewer, tree: Below) -> list[Owes]:
    """The nodes whose people have tasks of running plans to tap, the most customers first."""
    sums = tallies(viewer, Wanted(running=True), tree.accounts)
    node_of = {home.sender: home.node for home in tree.homes}
    found: dict[NodeId, Owes] = {}
    waits = sums.standing == Standing.WAITING
    columns = (sums.sender[waits], sums.batches[waits], (sums.asked - sums.done)[waits])
    for sender, batches, people in zip(*(column.tolist() for column in columns), strict=True):
        node = node_of.get(sender)
        if node is not None:
            one = found.get(node, Owes(node, 0, 0, ()))
            found[node] = Owes(node, one.tasks + batches, one.people + people, (*one.accounts, sender))
    return sorted(found.values(), key=lambda one: (-one.people, one.node))


def below(viewer: Viewer, at: str = "", channel: str = "") -> Below:
    """The tree below a node, with the accounts there that are to tap something. Raises NotFound."""
    tree = [place for place in places() if viewer.sees(place.id)]
    seen = {place.id: place for place in tree}
    tops = [place for place in tree if place.parent not in seen]
    top = next((place for place in tree if place.code == at), None) if at else tops[0] if len(tops) == 1 else None
    if at and top is None:
        raise NotFound(
            f"没有编号为「{at[:64]}」的门店或区域。", f"There is no store or region with the code “{at[:64]}”."
        )
    lines: list[Spot | StaffId] = []
    line_at: dict[NodeId, int] = {}
    for place in tree:
        if place.id in line_at:
            continue
        if place.parent in line_at and place.parent is not None:
            line_at[place.id] = line_at[place.parent]
        elif (top is not None and place.parent == top.id) or (top is None and place in tops):
            line_at[place.id] = len(lines)
            lines.append(_spot(place))
    own: dict[StaffId, int] = {}
    found: list[tuple[Home, int]] = []
    taps = {one.channel for one in capabilities().values() if one.taps}
    silent: list[SenderId] = []
    for home in homes(viewer):
        if home.channel not in taps or (channel and home.channel != channel):
            silent.append(home.sender)
            continue
        line = line_at.get(home.node)
        if line is None and top is not None and home.node == top.id:
            line = own.get(home.staff)
            if line is None:
                line = own[home.staff] = len(lines)
                lines.append(home.staff)
        if line is not None:
            found.append((home, line))
    return Below(
        None if top is None else _spot(top),
        tuple(_spot(place) for place in _trail(top, seen)),
        tuple(lines),
        tuple(home for home, _ in found),
        tuple(line for _, line in found),
        tuple(place for place in tree if place.kind is NodeKind.STORE and place.id in line_at),
        {place.id: place.zone for place in tree},
        viewer.sees_all and not channel and (top is None or top.parent is None),
        tuple(silent),
    )


def _trail(top: Place | None, seen: Mapping[NodeId, Place]) -> list[Place]:
    """From the highest node that is seen down to the one that is shown."""
    trail: list[Place] = []
    while top is not None:
        trail.insert(0, top)
        top = seen.get(top.parent) if top.parent is not None else None
    return trail


def _spot(place: Place) -> Spot:
    return Spot(place.id, place.kind, place.code, place.name)


def _by_line(sums: Tallies, homes: Sequence[Home], line_of: Sequence[int], size: int) -> list[Counts]:
    """Tallies of accounts added up by line; accounts without a line (−1), or of none of these homes, are left out."""
    accounts = np.array([one.sender for one in homes], dtype=np.int64)
    lines = np.array(line_of, dtype=np.int64)
    if not len(accounts) or not len(sums.sender):
        return [Counts()] * size
    place = np.searchsorted(accounts, sums.sender).clip(max=len(accounts) - 1)
    line = np.where(accounts[place] == sums.sender, lines[place], -1)
    kept = line >= 0
    batches = np.zeros((size, len(Standing)), dtype=np.int64)
    np.add.at(batches, (line[kept], sums.standing[kept]), sums.batches[kept])
    issued = kept & np.isin(sums.standing, [one.value for one in ISSUED])
    people, reached = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    np.add.at(people, line[issued], sums.asked[issued])
    np.add.at(reached, line[issued], sums.done[issued])
    return [
        _counts(numbers, asked, done)
        for numbers, asked, done in zip(batches.tolist(), people.tolist(), reached.tolist(), strict=True)
    ]


def _counts(batches: Sequence[int], people: int, reached: int) -> Counts:
    """Of batches in the order of `Standing`."""
    return Counts(**dict(zip(_STANDINGS, batches, strict=True)), people=people, reached=reached)


def _sum(counts: Sequence[Counts]) -> Counts:
    return Counts(**{name: sum(getattr(one, name) for one in counts) for name in Counts.__dataclass_fields__})


def _ordered(
    lines: Sequence[Spot | StaffId], counts: Sequence[Counts], sort: str, names: Mapping[StaffId, str]
) -> list[int]:
    """The lines in the order asked for; those without anything last."""
    down, key = sort.startswith("-"), sort.removeprefix("-")

    def name(line: int) -> str:
        one = lines[line]
        return one.code if isinstance(one, Spot) else names.get(one, "")

    if key == "name":
        return sorted(range(len(lines)), key=name, reverse=down)
    values: list[float] = [
        (one.rate if one.rate is not None else 0.0) if key == "rate" else getattr(one, key) for one in counts
    ]
    sign = -1 if down else 1
    return sorted(
        range(len(lines)), key=lambda line: (not counts[line].issued, sign * values[line], -counts[line].expired, line)
    )


def _days(
    viewer: Viewer, wanted: Wanted, tree: Below, shown: Sequence[int]
) -> tuple[tuple[date, ...], dict[int, dict[date, Counts]]]:
    """The counts of the lines that are shown by local day, where they are of few enough accounts."""
    lines = set(shown)
    mine = [(home, line) for home, line in zip(tree.homes, tree.line_of, strict=True) if line in lines]
    if not mine or len(mine) > MOST_BY_DAY:
        return (), {}
    sums = tallies(viewer, wanted, [home.sender for home, _ in mine], by_day=True)
    zone = brand().zone
    day_of = {at: local_day(at, zone) for at in set(sums.day)}
    days = sorted(set(day_of.values()))[-DAYS_SHOWN:]
    found: dict[int, dict[date, Counts]] = {}
    local = [day_of[at] for at in sums.day]
    for day in days:
        here = np.array([one == day for one in local], dtype=bool)
        part = replace(
            sums,
            sender=sums.sender[here],
            standing=sums.standing[here],
            batches=sums.batches[here],
            asked=sums.asked[here],
            done=sums.done[here],
            day=(),
        )
        counts = _by_line(part, [home for home, _ in mine], [line for _, line in mine], len(tree.lines))
        for line in lines:
            if counts[line].issued:
                found.setdefault(line, {})[day] = counts[line]
    return tuple(days), found


def _spread(tree: Below, stores: Sequence[Counts]) -> dict[int, tuple[int, ...]]:
    """Of each line that is a node above stores: how many of its stores fall into each bin."""
    line_of = {home.node: line for home, line in zip(tree.homes, tree.line_of, strict=True)}
    found: dict[int, list[int]] = {}
    for place, counts in zip(tree.stores, stores, strict=True):
        line = line_of.get(place.id)
        if line is None or counts.rate is None:
            continue
        spot = tree.lines[line]
        if isinstance(spot, Spot) and spot.kind is not NodeKind.STORE:
            found.setdefault(line, [0, 0, 0, 0, 0])[bin_of(counts.rate)] += 1
    return {line: tuple(bins) for line, bins in found.items()}


def _row(
    line: Spot | StaffId,
    counts: Counts,
    names: Mapping[StaffId, str],
    stores: tuple[int, ...],
    days: Mapping[date, Counts],
) -> Row:
    if isinstance(line, Spot):
        return Row(counts, spot=line, name=line.name, stores=stores, days=days)
    return Row(counts, staff=line, name=names.get(line, ""), days=days)
