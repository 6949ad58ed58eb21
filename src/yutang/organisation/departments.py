"""What a corp's directory says of stores and staff, made so here. Nothing that it leaves out is deleted.

A department is matched with a store once, and stays it under any name: by hand, or by a code or a name that only one
store has. What matches nothing is left for a person to say. Where the brand wants it, the branches below one
department become regions and stores instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F, Q

from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import NodeId, SenderId
from yutang.organisation.contracts import NodeKind
from yutang.organisation.models import Brand, Corp, Department, Node, SenderAccount
from yutang.organisation.rolls import StaffRow, keep_staff
from yutang.organisation.services import ROOT, TREE

ACTIVE, LEFT, GONE = 1, 5, 0
MANY, SHARE = 20, 0.5  # so many members, and such a share of all, do not leave in one day


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    """A department as the directory has it. `name` None: the app may see ids alone."""

    number: int
    parent: int | None
    name: str | None


@dataclass(frozen=True, slots=True)
class PersonaRow:
    """Which parts of what customers see of a member are filled in (`has`), of those that we are `told` of."""

    told: frozenset[str]
    has: frozenset[str]


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member as the directory has them, the main department first. `name`, `status` and `persona` None: not told."""

    userid: str
    departments: tuple[int, ...]
    name: str | None = field(default=None, repr=False)
    status: int | None = None
    persona: PersonaRow | None = None


NOBODY: Mapping[str, PersonaRow] = {}


@dataclass(frozen=True, slots=True)
class DepartmentsKept:
    """What became of departments. `unmatched`: those that lead to no store, by name or number. Whoever is at home at
    `nodes` has other viewers now."""

    made: int = 0
    changed: int = 0
    unmatched: tuple[str, ...] = ()
    nodes: frozenset[NodeId] = frozenset()


@dataclass(frozen=True, slots=True)
class MembersKept:
    """What became of members. `unplaced`: new ones whose departments lead to no store, who were not made. `senders`
    have moved to another store."""

    new: int = 0
    changed: int = 0
    ended: int = 0
    unplaced: tuple[str, ...] = ()
    senders: frozenset[SenderId] = frozenset()


@dataclass(frozen=True, slots=True)
class Ended:
    """How many were ended, or how many were missing and `kept`, since they were so many."""

    ended: int = 0
    kept: int = 0


def keep_departments(channel: str, corp: str, rows: Sequence[DepartmentRow], *, whole: bool = True) -> DepartmentsKept:
    """Keep the departments, parents first, and which node each is. `whole`: those that are not among them are gone."""
    with transaction.atomic():
        lock(TREE)
        known = {row.number: row for row in Department.objects.filter(channel=channel, corp=corp)}
        changed = _note(channel, corp, rows, known)
        if whole:
            left = set(known) - {row.number for row in rows}
            changed += Department.objects.filter(
                channel=channel, corp=corp, number__in=left, gone=False
            ).update(gone=True)  # fmt: skip
        top = Corp.objects.filter(channel=channel, corp=corp).values_list("stores_below", flat=True).first()
        made, moved = (0, set[NodeId]()) if top is None else _make(top, rows, known)
        if made or moved:
            Brand.objects.filter(pk=1).update(tree=F("tree") + 1)
        _match(known, rows)
        return DepartmentsKept(made, changed + len(moved), _unmatched(known, rows, top), frozenset(moved))


def keep_members(channel: str, corp: str, rows: Sequence[MemberRow]) -> MembersKept:
    """Keep members as staff with accounts, at the store that their main department, or one above it, is.

    What the directory said before is not said again, so an account that somebody switched off stays off.
    """
    with transaction.atomic():
        lock(TREE)
        stores = _stores(channel, corp)
        there = _accounts(channel, corp)
        staff: list[StaffRow] = []
        standings: dict[str, int] = {}
        unplaced, ended = [], 0
        for key, row in {row.userid.casefold(): row for row in rows}.items():
            account = there.get(key)
            store = next((stores[number] for number in row.departments if number in stores), None)
            if account is None and (store is None or row.status == LEFT):
                unplaced += [] if row.status == LEFT else [row.userid]
                continue
            active = _active(account, row.status)
            ended += bool(account is not None and account.active and active is False)
            staff.append(StaffRow(row.userid, corp, channel, row.name, store, None, active))
            standings[key] = ACTIVE if row.status is None else row.status
        kept = keep_staff(staff)
        _note_standings(channel, corp, standings, {row.userid.casefold(): row.persona for row in rows if row.persona})
        return MembersKept(kept.new, kept.changed - ended, ended, tuple(unplaced), kept.senders)


def end_missing(channel: str, corp: str, present: Iterable[str]) -> Ended:
    """End whoever was in the directory before and is not among those `present` now: they have left.

    Where most are missing at once, nobody is: it is the app's range that has changed.
    """
    with transaction.atomic():
        lock(TREE)
        there = _accounts(channel, corp)
        here = {userid.casefold() for userid in present}
        missing = [key for key, row in there.items() if row.standing not in (None, GONE) and key not in here]
        if len(missing) >= MANY and len(missing) > SHARE * len(there):
            return Ended(kept=len(missing))
        keep_staff([StaffRow(there[key].userid, corp, channel, active=False) for key in missing])
        _note_standings(channel, corp, dict.fromkeys(missing, GONE))
        return Ended(sum(there[key].active for key in missing))


def end_member(channel: str, corp: str, userid: str) -> bool:
    """A member has left, or is not to be seen any more: their account is ended, and stays; whether there was one."""
    row = SenderAccount.objects.filter(channel=channel, corp=corp, userid__iexact=userid)
    return bool(row.exclude(standing=GONE, active=False).update(standing=GONE, active=False))


def rename_member(channel: str, corp: str, before: str, after: str) -> bool:
    """A member has another userid now; whether there was an account, which goes on under it."""
    with transaction.atomic():
        lock(TREE)
        of_corp = SenderAccount.objects.filter(channel=channel, corp=corp)
        if of_corp.filter(userid__iexact=after).exists():
            return False
        return bool(of_corp.filter(userid__iexact=before).update(userid=after))


def link_department(channel: str, corp: str, number: int, code: str) -> None:
    """Say which store or region a department is; empty: none, for good. Raises BadInput."""
    with transaction.atomic():
        lock(TREE)
        row = Department.objects.filter(channel=channel, corp=corp, number=number).first()
        if row is None:
            raise BadInput(
                f"企业「{corp}」的通讯录里没有编号为 {number} 的部门，请先同步员工。",
                f"The directory of “{corp}” has no department {number}; sync the staff first.",
            )
        node = Node.objects.filter(code=code).first() if code else None
        if code and node is None:
            raise BadInput(
                f"没有编号为「{code}」的门店或区域。", f"There is no store or region with the code “{code}”."
            )
        row.node, row.by_hand = node, True
        row.save(update_fields=["node", "by_hand"])


def make_stores_below(channel: str, corp: str, number: int | None) -> None:
    """From the next sync on the branches below this department become regions, its leaves stores; None: none does.

    Raises BadInput for a corp that is not connected.
    """
    if not Corp.objects.filter(channel=channel, corp=corp).update(stores_below=number):
        raise BadInput(f"还没有连接企业「{corp}」。", f"The corp “{corp}” is not connected.")


def _active(account: SenderAccount | None, status: int | None) -> bool | None:
    """What the account's `active` becomes; None: as it is. Only what is new in the directory changes it."""
    if account is None:
        return status in (None, ACTIVE)
    if status is None:
        return True if account.standing == GONE else None
    if account.standing is None:
        return None if status == ACTIVE else False
    return status == ACTIVE if status != account.standing else None


def _note_standings(
    channel: str, corp: str, standings: Mapping[str, int], personas: Mapping[str, PersonaRow] = NOBODY
) -> None:
    """What the directory says of accounts, where it is new: there are few different things that it says."""
    by_standing: dict[int, list[int]] = defaultdict(list)
    by_persona: dict[PersonaRow, list[int]] = defaultdict(list)
    for pk, userid, before, shown in SenderAccount.objects.filter(channel=channel, corp=corp).values_list(
        "pk", "userid", "standing", "persona"
    ):
        now, persona = standings.get(userid.casefold(), before), personas.get(userid.casefold())
        if now is not None and now != before:
            by_standing[now].append(pk)
        if persona is not None and _persona(persona) != shown:
            by_persona[persona].append(pk)
    for standing, accounts in by_standing.items():
        for first in range(0, len(accounts), 500):
            SenderAccount.objects.filter(pk__in=accounts[first : first + 500]).update(standing=standing)
    for persona, accounts in by_persona.items():
        for first in range(0, len(accounts), 500):
            SenderAccount.objects.filter(pk__in=accounts[first : first + 500]).update(persona=_persona(persona))


def _persona(row: PersonaRow) -> dict[str, list[str]]:
    return {"told": sorted(row.told), "has": sorted(row.has)}


def _accounts(channel: str, corp: str) -> dict[str, SenderAccount]:
    """A corp's accounts by userid, whose case does not matter."""
    return {row.userid.casefold(): row for row in SenderAccount.objects.filter(channel=channel, corp=corp)}


def _stores(channel: str, corp: str) -> dict[int, str]:
    """The store's code of every department that is one, or stands below one."""
    rows = {row.number: row for row in Department.objects.filter(channel=channel, corp=corp).select_related("node")}
    found: dict[int, str] = {}
    for number in rows:
        seen: set[int] = set()
        row = rows.get(number)
        while row is not None and row.number not in seen:
            if row.node is not None and row.node.kind == NodeKind.STORE:
                found[number] = row.node.code
                break
            seen.add(row.number)
            row = rows.get(row.parent) if row.parent is not None else None
    return found


def _note(channel: str, corp: str, rows: Iterable[DepartmentRow], known: dict[int, Department]) -> int:
    """Keep what the directory says; `known` gets what is new. A name that is not told stays. How many changed."""
    new, changed = [], 0
    for row in rows:
        name = (row.name or "")[:120]
        here = known.get(row.number)
        if here is None:
            known[row.number] = Department(channel=channel, corp=corp, number=row.number, parent=row.parent, name=name)
            new.append(known[row.number])
            continue
        if (here.parent, here.name, here.gone) != (row.parent, name or here.name, False):
            here.parent, here.name, here.gone = row.parent, name or here.name, False
            here.save(update_fields=["parent", "name", "gone"])
            changed += 1
    Department.objects.bulk_create(new)
    return changed


def _match(known: Mapping[int, Department], rows: Sequence[DepartmentRow]) -> None:
    """Match what is not matched yet with the one store that has its name as code or name, and is nobody else's."""
    open_ones = [
        known[row.number] for row in rows if known[row.number].node_id is None and not known[row.number].by_hand
    ]
    if not any(one.name for one in open_ones):
        return
    taken = set(Department.objects.exclude(node=None).values_list("node", flat=True))
    by_name: dict[str, set[int]] = defaultdict(set)
    for pk, code, name in Node.objects.filter(kind=NodeKind.STORE).values_list("pk", "code", "name"):
        by_name[_folded(code)].add(pk)
        by_name[_folded(name)].add(pk)
    wanted = defaultdict(list)
    for one in open_ones:
        found = by_name.get(_folded(one.name), set()) - taken
        if one.name and len(found) == 1:
            wanted[found.pop()].append(one)
    for node, departments in wanted.items():
        if len(departments) == 1:  # two of one name: a person must say which
            departments[0].node_id = node
            departments[0].save(update_fields=["node"])


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


def _unmatched(known: Mapping[int, Department], rows: Sequence[DepartmentRow], top: int | None) -> tuple[str, ...]:
    """The departments without others below them that are no store, and stand below none; where stores are made, those
    outside of that branch are none of our business."""
    parents = {row.parent for row in rows}
    told = []
    for row in rows:
        chain = list(_chain(known, row.number))
        if row.parent is None or row.number in parents or any(one.node_id or one.by_hand for one in chain):
            continue
        if top is not None and all(one.number != top for one in chain):
            continue
        told.append(known[row.number].name or str(row.number))
    return tuple(told)


def _chain(known: Mapping[int, Department], number: int) -> Iterable[Department]:
    """A department and those above it."""
    seen: set[int] = set()
    here = known.get(number)
    while here is not None and here.number not in seen:
        yield here
        seen.add(here.number)
        here = known.get(here.parent) if here.parent is not None else None


def _make(top: int, rows: Sequence[DepartmentRow], known: Mapping[int, Department]) -> tuple[int, set[NodeId]]:
    """Make the branches below a department into nodes, and let those that are there follow its names and places.

    Returns how many were made, and the nodes that moved.
    """
    root = Node.objects.get(code=ROOT)
    parents = {row.parent for row in rows}
    codes = set(Node.objects.values_list("code", flat=True))
    made, moved = 0, set[NodeId]()
    _match(known, rows)  # what is there already is not made twice
    for row in rows:
        here = known[row.number]
        if here.by_hand or row.number == top or all(one.number != top for one in _chain(known, row.number)):
            continue
        above = known[row.parent] if row.parent is not None else None
        parent_pk = root.pk if above is None or above.number == top or above.node_id is None else above.node_id
        parent = Node.objects.get(pk=parent_pk)
        if parent.kind == NodeKind.STORE:  # a department inside of a store
            continue
        name = (here.name or str(here.number))[:80]
        if here.node_id is None:
            kind = NodeKind.REGION if row.number in parents else NodeKind.STORE
            code = name[:64] if name[:64] not in codes else f"{name[:40]}#{here.number}"
            if code in codes:
                raise BadInput(
                    f"部门「{name}」的编号「{code}」已被占用，请先改名或用 yutang staff link 指定门店。",
                    f"The code “{code}” of the department “{name}” is taken; rename it, or link it to a store.",
                )
            codes.add(code)
            node = Node.objects.add_child(parent, {"kind": kind.value, "code": code, "name": name})
            here.node_id = node.pk
            here.save(update_fields=["node"])
            made += 1
            continue
        node = Node.objects.get(pk=here.node_id)
        if here.name and node.name != name:
            Node.objects.filter(pk=node.pk).update(name=name)
        if node.path[: -Node.steplen] != parent.path and not parent.path.startswith(node.path):
            Node.objects.move(node, parent, "last-child")
            moved.add(NodeId(node.pk))
    below = Q(pk=None)
    for path in Node.objects.filter(pk__in=moved).values_list("path", flat=True):
        below |= Q(path__startswith=path)
    return made, {NodeId(pk) for pk in Node.objects.filter(below).values_list("pk", flat=True)}
