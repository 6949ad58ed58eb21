"""客户池: the pool as a flow with its rates, who can be reached and who cannot and why, and every store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, page
from yutang.console.pond import POND, REACHABLE, AtHome, Ways
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.organisation.queries import nodes
from yutang.profiles.queries import as_of

HOME_CUSTOMERS = 20
MANY_STORES = 30
_SUMS = ("customers", "prospects", "reachable", "repeat", "active", "spend")


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of the flow. `rate` is its share of the stage before; `now` and `then` are heads that came to it in the
    last 30 days and in the 30 days before (None: not counted)."""

    name: str
    heads: int
    synthetic: int
    rate: float | None = None
    now: int | None = None
    then: int | None = None


@dataclass(slots=True)
class StoreRow:
    """A home store's pond. `folded` counts the small stores that the last row stands for."""

    node: NodeFacts | None
    region: NodeFacts | None
    customers: int = 0
    prospects: int = 0
    reachable: int = 0
    repeat: int = 0
    active: int = 0
    spend: float = 0.0
    folded: int = 0

    @property
    def reachable_share(self) -> float:
        """Customers who can be reached."""
        return self.reachable / self.customers if self.customers else 0.0

    @property
    def repeat_share(self) -> float:
        """Customers who came again."""
        return self.repeat / self.customers if self.customers else 0.0

    @property
    def active_share(self) -> float:
        """Customers who bought in the last 90 days."""
        return self.active / self.customers if self.customers else 0.0

    @property
    def spend_each(self) -> float:
        """90 days' spend per customer."""
        return self.spend / self.customers if self.customers else 0.0

    def add(self, other: StoreRow) -> None:
        """Count another row's people in."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.folded += 1


SORTS = ("customers", "prospects", "reachable_share", "repeat_share", "active_share", "spend", "spend_each")


@dataclass(frozen=True, slots=True)
class Stores:
    """The rows shown, and all of them as one."""

    rows: list[StoreRow] = field(default_factory=list)
    total: StoreRow = field(default_factory=lambda: StoreRow(None, None))


@page
@require_safe
def pool(request: Page) -> HttpResponseBase:
    """The page, and with `?export=` (csv, xlsx, parquet) its table of stores."""
    if as_of(request.warehouse) is None:
        return render(request, "console/pool.html", {"stores": Stores()})
    tree = nodes()
    sort = sorting(request, SORTS, "-customers")
    known = POND.answer(request.warehouse).value
    stores = by_store(known.at_home(request.viewer), tree, request.GET.get("region", ""), sort)
    if wanted_format(request):
        return _export(request, stores)
    ways_now = known.part(request.viewer)
    if not ways_now.everybody:
        return render(request, "console/pool.html", {"stores": Stores()})
    pager = Pager(page_number(request), len(stores.rows), 100)
    context = {
        "steps": steps(known.took(request.viewer), ways_now),
        "ways": ways_now,
        "because": ways_now.because(),
        "stores": stores,
        "pager": pager,
        "shown": stores.rows[pager.offset : pager.offset + pager.size],
        "regions": [node for node in tree if node.kind is NodeKind.REGION and request.viewer.sees(node.id)],
        "region": request.GET.get("region", ""),
        "sort": sort,
        "as_of": known.at,
        "home_customers": HOME_CUSTOMERS,
    }
    return render(request, "console/pool.html", context)


def steps(took: Mapping[tuple[str, bool], int], found: Ways) -> list[Step]:
    """Nurturing → customers → repeat → other categories → invites. After the first, all count who ever came so far."""

    def total(name: str, only: Iterable[bool] = (False, True)) -> int:
        return sum(took[name, synthetic] for synthetic in only)

    nurturing = found.count(bought=False, way=REACHABLE)
    prospects = total("prospects_then")
    result = [Step("nurturing", nurturing, found.count(bought=False, synthetic=True, way=REACHABLE))]
    before: int | None = None
    for name in ("customers", "repeat", "widened", "brought"):
        heads = total(name)
        rate = heads / before if before else None
        if before is None:
            rate = total("prospects_bought") / prospects if prospects else None
        counted = name in ("customers", "repeat")
        moved = (total(f"{name}_now"), total(f"{name}_then")) if counted else (None, None)
        result.append(Step(name, heads, total(name, (True,)), rate, *moved))
        before = heads
    return result


def by_store(found: Iterable[AtHome], tree: list[NodeFacts], region: str, sort: str) -> Stores:
    """Every home store, sorted; of more than 30 stores those with fewer than 20 customers become one row, the last."""
    places = {node.id: node for node in tree}
    rows, total = [], StoreRow(None, None)
    for one in found:
        node = places.get(NodeId(one.store))
        above = places.get(node.parent) if node and node.parent else None
        row = StoreRow(node, above, *(getattr(one, name) for name in _SUMS))
        if not region or (above and above.code == region):
            rows.append(row)
            total.add(row)
    many = sum(row.customers > 0 for row in rows) > MANY_STORES
    small: list[StoreRow] = []
    kept: list[StoreRow] = []
    for row in rows:
        (small if row.node is None or (many and row.customers < HOME_CUSTOMERS) else kept).append(row)
    kept.sort(key=attrgetter(sort.removeprefix("-")))
    if sort.startswith("-"):
        kept.reverse()
    if small:
        rest = StoreRow(None, None)
        for row in small:
            rest.add(row)
        kept.append(rest)
    return Stores(kept, total)


def _export(request: Page, stores: Stores) -> HttpResponseBase:
    head = [
        _("门店编号"),
        _("门店"),
        _("区域"),
        _("顾客"),
        _("潜客"),
        _("可触达"),
        _("复购"),
        _("90 天活跃"),
        _("90 天消费"),
    ]
    rows = [
        (
            row.node.code if row.node else "",
            row.node.name if row.node else _("其他"),
            row.region.name if row.region else "",
            *(getattr(row, name) for name in ("customers", "prospects", "reachable", "repeat", "active")),
            f"{row.spend:.2f}",
        )
        for row in stores.rows
    ]
    return exported(request, "pool-stores", head, rows)


urls = [path("pool/", pool, name="pool")]
