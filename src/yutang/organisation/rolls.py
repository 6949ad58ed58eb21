"""The rolls: stores and staff as a list, or a form, says they should be. Nothing that a list leaves out is taken away.

A row that exists is changed where it differs, one that does not is made. All of a list is kept, or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import NodeId, SenderId
from yutang.organisation.contracts import NodeKind
from yutang.organisation.models import Node, SenderAccount, Staff
from yutang.organisation.services import ROOT, TREE

BELOW = "/"
"""What parts the regions of a path: 华东/上海."""


@dataclass(frozen=True, slots=True)
class StoreRow:
    """A store as it should be; None: as it is. `region`: codes or names from the top, parted by `BELOW`, empty for none
    (those that do not exist are made); `zone` empty: its region's; `place`: (latitude, longitude) in degrees."""

    code: str
    name: str | None = None
    region: str | None = None
    zone: str | None = None
    place: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class StaffRow:
    """An account of a member of staff as it should be; None: as it is. `store` is a code; `active` False: they left."""

    userid: str
    corp: str
    channel: str
    name: str | None = None
    store: str | None = None
    daily_quota: int | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a list. `regions` were made for it. Whoever is at home at `nodes`, or a friend of `senders`, has
    another zone or other viewers now: `people` must follow."""

    new: int = 0
    changed: int = 0
    same: int = 0
    regions: int = 0
    nodes: frozenset[NodeId] = frozenset()
    senders: frozenset[SenderId] = frozenset()


class BadRow(BadInput):
    """A row of a list cannot be kept. `index` counts from 0; `column`: the field that says it."""

    def __init__(self, index: int, column: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.index, self.column = index, column


def keep_stores(rows: Sequence[StoreRow], *, dry_run: bool = False) -> Kept:
    """Keep stores and the regions that they name. Raises BadRow. `dry_run`: says what would become of it."""
    with transaction.atomic():
        lock(TREE)
        tree = _Tree()
        new: list[tuple[Node, Node]] = []
        changed: set[NodeId] = set()
        touched = 0
        for index, row in enumerate(rows):
            node = tree.by_code.get(row.code)
            if node is not None and node.kind != NodeKind.STORE:
                zh, en = f"「{row.code}」是区域，不是门店。", f"“{row.code}” is a region and no store."
                raise BadRow(index, "store", zh, en)
            if node is not None and node.pk is None:
                zh, en = f"门店「{row.code}」在名单里出现了两次。", f"The store “{row.code}” stands in the list twice."
                raise BadRow(index, "store", zh, en)
            parent = tree.parent_of(node) if row.region is None else tree.region(index, row.region)
            if node is None:
                made = Node(kind=NodeKind.STORE.value, code=row.code, name=row.name or row.code, zone=row.zone or "")
                made.latitude, made.longitude = row.place or (None, None)
                tree.by_code[row.code] = made
                new.append((parent, made))
                continue
            differs = _change(node, row)
            moves = row.region is not None and tree.parent_of(node).pk != parent.pk
            if differs:
                node.save(update_fields=differs)
            if moves:
                Node.objects.move(Node.objects.get(pk=node.pk), Node.objects.get(pk=parent.pk), "last-child")
            touched += bool(differs or moves)
            if moves or "zone" in differs:
                changed.add(NodeId(node.pk))
        made_regions = tree.made
        _append(new)
        transaction.set_rollback(dry_run)
        return Kept(len(new), touched, len(rows) - len(new) - touched, made_regions, frozenset(changed))


def keep_region(code: str, name: str, zone: str) -> Kept:
    """Keep a region's name and zone (empty: that of the node above). Raises BadInput for a code that is no region's."""
    with transaction.atomic():
        lock(TREE)
        region = Node.objects.filter(code=code, kind=NodeKind.REGION).first()
        if region is None:
            raise BadInput(f"没有编号为「{code}」的区域。", f"There is no region with the code “{code}”.")
        differs = _change(region, StoreRow(code, name=name, zone=zone))
        if not differs:
            return Kept(same=1)
        region.save(update_fields=differs)
        below = Node.objects.filter(path__startswith=region.path) if "zone" in differs else Node.objects.none()
        return Kept(changed=1, nodes=frozenset(NodeId(pk) for pk in below.values_list("pk", flat=True)))


def keep_staff(rows: Sequence[StaffRow], *, dry_run: bool = False) -> Kept:
    """Keep staff and their accounts. Raises BadRow. `dry_run`: says what would become of it."""
    with transaction.atomic():
        lock(TREE)
        stores = dict(Node.objects.exclude(kind=NodeKind.REGION).values_list("code", "pk"))
        accounts = {
            (row.channel, row.corp, row.userid.casefold()): row
            for row in SenderAccount.objects.select_related("staff").order_by("pk")
        }
        new: dict[tuple[str, str, str], tuple[Staff, SenderAccount]] = {}
        moved: set[SenderId] = set()
        touched = 0
        for index, row in enumerate(rows):
            key = (row.channel, row.corp, row.userid.casefold())
            if row.store is not None and row.store not in stores:
                zh = f"没有编号为「{row.store}」的门店，请先导入门店。"
                en = f"There is no store with the code “{row.store}”; import the stores first."
                raise BadRow(index, "store", zh, en)
            if key in new:
                zh, en = f"账号「{row.userid}」出现了两次。", f"The account “{row.userid}” stands in the list twice."
                raise BadRow(index, "staff", zh, en)
            account = accounts.get(key)
            if account is None:
                new[key] = _new_account(index, row, stores)
                continue
            differs, staff_differs = _change_account(account, row, stores)
            if differs:
                account.save(update_fields=differs)
            if staff_differs:
                account.staff.save(update_fields=staff_differs)
            touched += bool(differs or staff_differs)
            if "node" in staff_differs:
                moved.add(SenderId(account.pk))
        Staff.objects.bulk_create([staff for staff, _ in new.values()])
        for staff, account in new.values():
            account.staff = staff
        SenderAccount.objects.bulk_create([account for _, account in new.values()])
        transaction.set_rollback(dry_run)
        return Kept(len(new), touched, len(rows) - len(new) - touched, senders=frozenset(moved))


class _Tree:
    """The tree within one list: what one row makes, the next one sees."""

    def __init__(self) -> None:
        self.by_code: dict[str, Node] = {}
        self.made = 0
        self._by_path: dict[str, Node] = {}
        self._regions: dict[tuple[str, str], Node] = {}
        for node in Node.objects.order_by("path"):
            self._remember(node)

    def _remember(self, node: Node) -> None:
        self.by_code[node.code] = node
        self._by_path[node.path] = node
        if node.kind == NodeKind.REGION:
            above = node.path[: -Node.steplen]
            self._regions[above, node.name] = self._regions[above, node.code] = node

    def parent_of(self, node: Node | None) -> Node:
        """The node above; for a store that is not there yet, the brand."""
        return self.by_code[ROOT] if node is None else self._by_path[node.path[: -Node.steplen]]

    def region(self, index: int, path: str) -> Node:
        """The region that a path names, made where there is none."""
        here = self.by_code[ROOT]
        for part in filter(None, (part.strip() for part in path.split(BELOW))):
            found = self._regions.get((here.path, part))
            if found is None:
                code = part if part not in self.by_code else f"{here.code}{BELOW}{part}"
                if code in self.by_code or len(code) > 64:
                    zh, en = (
                        f"区域「{part}」的编号已被占用或太长。",
                        f"The code of region “{part}” is taken or too long.",
                    )
                    raise BadRow(index, "region", zh, en)
                found = Node(kind=NodeKind.REGION.value, code=code, name=part)
                _append([(here, found)])
                self._remember(found)
                self.made += 1
            here = found
        return here


def _append(new: Iterable[tuple[Node, Node]]) -> None:
    """Make nodes as the last children of others, level by level in one statement each.

    treebeard's own `add_child` asks four times for each; its paths are steps of a fixed length below the parent's.
    """
    by_parent: dict[str, list[Node]] = defaultdict(list)
    for parent, node in new:
        by_parent[parent.path].append(node)
    for above, nodes in by_parent.items():
        depth = len(above) // Node.steplen + 1
        last = Node.objects.filter(path__startswith=above, depth=depth).order_by("-path").first()
        step = Node._str2int(last.path[-Node.steplen :]) if last is not None else 0
        for place, node in enumerate(nodes, step + 1):
            node.path, node.depth, node.numchild = Node._get_path(above, depth, place), depth, 0
        Node.objects.bulk_create(nodes)
        Node.objects.filter(path=above).update(numchild=F("numchild") + len(nodes))


def _change(node: Node, row: StoreRow) -> list[str]:
    """Set what differs; returns the fields."""
    wanted: dict[str, object] = {"name": row.name, "zone": row.zone}
    if row.place is not None:
        wanted |= dict(zip(("latitude", "longitude"), row.place, strict=True))
    differs = [name for name, value in wanted.items() if value is not None and getattr(node, name) != value]
    for name in differs:
        setattr(node, name, wanted[name])
    return differs


def _new_account(index: int, row: StaffRow, stores: dict[str, int]) -> tuple[Staff, SenderAccount]:
    if row.store is None:
        zh, en = f"新员工「{row.userid}」没有写门店。", f"The new member of staff “{row.userid}” has no store."
        raise BadRow(index, "store", zh, en)
    staff = Staff(node_id=stores[row.store], name=row.name or row.userid)
    account = SenderAccount(channel=row.channel, corp=row.corp, userid=row.userid, active=row.active is not False)
    if row.daily_quota is not None:
        account.daily_quota = row.daily_quota
    return staff, account


def _change_account(account: SenderAccount, row: StaffRow, stores: dict[str, int]) -> tuple[list[str], list[str]]:
    """Set what differs; returns the fields of the account and of whose it is."""
    wanted = {"daily_quota": row.daily_quota, "active": row.active}
    differs = [name for name, value in wanted.items() if value is not None and getattr(account, name) != value]
    for name in differs:
        setattr(account, name, wanted[name])
    staff, staff_differs = account.staff, []
    if row.name is not None and row.name != staff.name:
        staff.name = row.name
        staff_differs.append("name")
    if row.store is not None and stores[row.store] != staff.node_id:
        staff.node_id = stores[row.store]
        staff_differs.append("node")
    return differs, staff_differs
